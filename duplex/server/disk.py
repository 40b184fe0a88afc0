"""The disk of a server: one thread that writes what all conversations said, a few times a second.

A disk that is busy makes a call of the system wait for as long as it pleases, and so no conversation makes one. What a
killed server loses is what was said since the last round.
"""

from collections import deque
from collections.abc import Mapping
from threading import Event, Lock, Thread
from typing import Any, Final

from duplex.frame import Frame
from duplex.journal import Journal

EVERY: Final = 0.25  # seconds


class Disk:
    """Writes the journals that it was given, until `close`."""

    def __init__(self, every: float = EVERY):
        self.every = every
        self.kept: set[Kept] = set()
        self.lock = Lock()
        self.over = Event()
        self.thread = Thread(target=self.turn, name="disk", daemon=True)
        self.thread.start()

    def keep(self, journal: Journal) -> "Kept":
        """What a conversation writes to from now on, in place of `journal`."""
        kept = Kept(journal, self)
        with self.lock:
            self.kept.add(kept)
        return kept

    def forget(self, kept: "Kept") -> None:
        with self.lock:
            self.kept.discard(kept)

    def turn(self) -> None:
        while not self.over.wait(self.every):
            with self.lock:
                round_of = list(self.kept)
            for kept in round_of:
                kept.flush()

    def close(self) -> None:
        self.over.set()
        self.thread.join()


class Kept:
    """A journal that is written by a `Disk`. An error is raised in the conversation, with its next frame."""

    def __init__(self, journal: Journal, disk: Disk):
        self.journal = journal
        self.disk = disk
        self.waiting: deque[tuple[Frame, Frame, float]] = deque()
        self.lock = Lock()
        self.error: OSError | None = None

    def write(self, from_user: Frame, from_agent: Frame, step_seconds: float) -> None:
        if self.error is not None:
            raise self.error
        self.waiting.append((from_user, from_agent, step_seconds))

    def flush(self) -> None:
        with self.lock:
            frames = [self.waiting.popleft() for _ in range(len(self.waiting))]
            if frames and self.error is None:
                try:
                    self.journal.write_all(frames)
                except OSError as error:
                    self.error = error

    def tell(self, facts: Mapping[str, Any]) -> None:
        with self.lock:
            self.journal.tell(facts)

    def finish(self, ended_by: str, failure: str | None = None) -> None:
        """Makes the recording whole.

        Raises:
            OSError: it could not be written, now or before.
        """
        self.disk.forget(self)
        self.flush()
        self.journal.finish(ended_by, failure)
        if self.error is not None:
            raise self.error
