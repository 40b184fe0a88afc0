"""A disk that is full while calls are held: they are told, what was said is whole, and the server goes on.

A limit on the size of files stands for the disk. Servers that are killed or stopped are in `test_serve.py`.
"""

import resource
import time
from pathlib import Path
from typing import Final

import numpy as np
import pytest

pytest.importorskip("aiohttp")

from test_serve import Program, served  # noqa: E402
from test_server import close_of  # noqa: E402
from websockets.exceptions import ConnectionClosed  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS  # noqa: E402
from duplex.journal import FRAME_BYTES, NAME  # noqa: E402
from duplex.recording import USER, load  # noqa: E402
from duplex.wire.messages import Kind, frame_bytes, message  # noqa: E402

pytestmark = pytest.mark.slow
MOST_FRAMES: Final = 10  # that a file can hold, and half of one more


def limit(it: Program, num_bytes: int) -> None:
    _, most = resource.prlimit(it.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(it.process.pid, resource.RLIMIT_FSIZE, (num_bytes, most))


def call(it: Program, num_frames: int) -> tuple[int, str, bytes]:
    """Frame n is n thousandths loud; how the server ended the call."""
    with connect(f"{it.url}?audio=pcm") as caller:
        assert caller.recv() == bytes([Kind.HANDSHAKE])  # what was said before it is forgotten
        try:
            for number in range(num_frames):
                caller.send(message(Kind.AUDIO, frame_bytes(np.full(FRAME_SAMPLES, number / 1000, np.float32))))
                time.sleep(FRAME_SECONDS)
        except ConnectionClosed:
            pass
        return close_of(caller)


def test_a_full_disk_is_told_and_costs_only_what_came_after(tmp_path: Path) -> None:
    with served(tmp_path) as it:
        limit(it, 44 + FRAME_BYTES * MOST_FRAMES + FRAME_BYTES // 2)
        for _ in range(2):
            code, reason, last = call(it, 40)
            assert code == 1011 and "cannot save the recording" in reason and last[0] == Kind.ERROR
        limit(it, resource.RLIM_INFINITY)
        with connect(f"{it.url}?audio=pcm") as caller:
            assert caller.recv() == bytes([Kind.HANDSHAKE])
    folders = sorted((tmp_path / "conversations" / "live").iterdir())[:2]
    for folder in folders:
        kept = load(folder)
        said = kept.audio[USER].reshape(-1, FRAME_SAMPLES)[:, 0]
        assert kept.ended_by == "failure" and not (folder / NAME).exists()
        assert MOST_FRAMES - 5 <= len(said) <= MOST_FRAMES  # the disk is written to four times a second
        np.testing.assert_allclose(said, np.arange(len(said)) / 1000, atol=1e-4)
