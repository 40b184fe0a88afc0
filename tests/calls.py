"""Somebody to call an agent elsewhere, and a server that does what a test says."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from says import Says, bursts
from websockets.sync.server import ServerConnection, serve

from duplex.agents import remote
from duplex.agents.remote import Remote
from duplex.frame import FRAME_SAMPLES, Event, Frame, Word, frozen
from duplex.recording import Recording

TONE = Frame(frozen((0.1 * np.sin(np.arange(FRAME_SAMPLES) * 0.05)).astype(np.float32)))
Handler = Callable[[ServerConnection], None]


@pytest.fixture(autouse=True)
def nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases of its own for each test that imports this, no token, and nothing that was said once already."""
    monkeypatch.setenv("DUPLEX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DUPLEX_TOKEN", raising=False)
    remote.warn.cache_clear()


@contextmanager
def scripted(handle: Handler) -> Iterator[str]:
    """The url of a server that does what a test says."""
    with serve(handle, "127.0.0.1", 0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()


def caller() -> Says:
    return Says(bursts((0.4, 1.1), (3.0, 3.3)), [Word("hello", 0.4, 1.1)], [Event("turn", 0.4, 1.1, {"text": "hello"})])


def stepped(agent: Remote, num_frames: int, heard: Frame = TONE, seconds: float = 0.02) -> list[Frame | None]:
    """What it says, a little faster than real time."""
    said = []
    for _ in range(num_frames):
        said.append(agent.step(heard))
        time.sleep(seconds)
    return said


def num_frames(recording: Recording) -> int:
    return recording.audio.shape[1] // FRAME_SAMPLES
