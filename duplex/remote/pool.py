"""Leases on servers that hold one conversation at a time, so that no two callers of this machine ever share one.

Kyutai's server lets a second caller wait in silence and then hears all that was said meanwhile; NVIDIA's also gives it the
first one's voice and role. A lease is a locked file, which the operating system frees with the process that held it. The
servers themselves are not asked, and callers on other machines are not seen.
"""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import perf_counter, sleep
from typing import Final

from filelock import FileLock, Timeout

from duplex.cache import cache_folder

LOOK_EVERY: Final = 0.1  # seconds


@dataclass(frozen=True)
class Server:
    """One place at a server: `place` of those that it has, by the name that every caller has for it."""

    url: str
    name: str
    place: int = 0

    @property
    def file(self) -> Path:
        called = f"{self.name} {self.place}"
        legible = re.sub(r"[^A-Za-z0-9.-]+", "-", called)  # and not unique
        return cache_folder("leases") / f"{legible}-{sha256(called.encode()).hexdigest()[:8]}.lock"


class Lease:
    """A server that is ours until it is given back."""

    def __init__(self, server: Server, lock: FileLock):
        self.server = server
        self.lock = lock
        self.holder = server.file.with_suffix(".pid")
        self.holder.write_text(str(os.getpid()), encoding="ascii")

    def give_back(self) -> None:
        """Again is as good as once."""
        self.lock.release()


def leased(servers: Sequence[Server], patience: float) -> Lease:
    """The first of `servers` that is free, as soon as one is.

    Raises:
        TimeoutError: all were taken for `patience` seconds; it says by which processes.
    """
    until = perf_counter() + patience
    while True:
        for server in servers:
            lock = FileLock(server.file, thread_local=False)  # who leaves is not always the thread that came
            with suppress(Timeout):
                lock.acquire(timeout=0)
                return Lease(server, lock)
        if perf_counter() >= until:
            taken = ", ".join(f"{server.name} by {holder(server)}" for server in servers)
            raise TimeoutError(f"every server was taken for {patience:.0f} s: {taken}; more of them or more patience helps")
        sleep(LOOK_EVERY)


def holder(server: Server) -> str:
    try:
        return f"process {server.file.with_suffix('.pid').read_text(encoding='ascii')}"
    except OSError:
        return "another process"
