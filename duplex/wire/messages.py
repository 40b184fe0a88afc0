"""Moshi's wire protocol: binary messages whose first byte is a kind (kyutai-labs/moshi, rust/protocol.md).

What stands behind the byte is read and written here; sockets and Opus are not. Beyond Moshi's own use of the kinds, two
ends of this harness may agree on more, by asking for it in the query of the connection:

* `audio=pcm`: the payload of an audio message is one frame as it is, 1,920 float32, little-endian, instead of Ogg/Opus.
* `ext=1`: the client says in a first metadata message what the conversation is about (`Opening`), the server answers with
  one of its own and the handshake. Then each frame may be preceded by a metadata message with its words and events.
* `mode=lockstep`: with `ext=1` and `audio=pcm`. One frame in, one frame out, and nobody keeps the time.
"""

import json
from collections.abc import Mapping
from enum import IntEnum
from math import isfinite
from typing import Any, Final, Protocol

import numpy as np

from duplex.frame import FRAME_SAMPLES, Event, Frame, Word, frozen

FRAME_BYTES: Final = 4 * FRAME_SAMPLES
MOST_BYTES: Final = 2**20  # of a message; 6 s of Opus at its highest rate are 0.4 MB
PATH: Final = "/api/chat"
LOCKSTEP_PATIENCE: Final = 600.0  # seconds that either end waits for the other, which may compute for long


class Kind(IntEnum):
    """The first byte of a message."""

    HANDSHAKE = 0  # from the server: the conversation begins
    AUDIO = 1  # Ogg pages of one Opus stream for each direction, or a frame where `audio=pcm`
    TEXT = 2  # UTF-8, what the agent says, a leading space at the start of a word
    CONTROL = 3  # one byte: start, end of turn, pause, restart; nobody acts on it
    METADATA = 4  # JSON
    ERROR = 5  # UTF-8, why the conversation ends
    PING = 6  # nothing: somebody is there


class Line(Protocol):
    """Messages both ways, in order."""

    def receive(self, timeout: float) -> tuple[float, bytes] | None:
        """When the next message came, in seconds of `perf_counter`, and the message; None once the line is closed.

        Raises:
            queue.Empty: nothing came in time.
        """

    def waiting(self) -> bool:
        """Whether a message has come that was not received yet."""

    def send(self, data: bytes) -> None:
        """Sends without waiting."""


def message(kind: Kind, payload: bytes | str = b"") -> bytes:
    return bytes([kind]) + (payload.encode() if isinstance(payload, str) else payload)


def opened(data: bytes) -> tuple[Kind, bytes] | None:
    """Kind and payload; None for a kind that this end does not know, which is to be ignored.

    Raises:
        ValueError: an empty message.
    """
    if not data:
        raise ValueError("a message has at least one byte, its kind")
    return (Kind(data[0]), data[1:]) if data[0] <= max(Kind) else None


def frame_bytes(samples: np.ndarray) -> bytes:
    """(FRAME_SAMPLES,) float32 -> the payload of `audio=pcm`."""
    return samples.astype("<f4", copy=False).tobytes()


def frame_samples(payload: bytes) -> np.ndarray:
    """The samples of a frame that came as `audio=pcm`, read-only.

    Raises:
        ValueError: it is not one frame, or holds what is no sound.
    """
    if len(payload) != FRAME_BYTES:
        raise ValueError(f"a frame of audio=pcm is {FRAME_SAMPLES} float32 in {FRAME_BYTES} bytes, not {len(payload)} bytes")
    samples = np.frombuffer(payload, "<f4").astype(np.float32)
    if not np.abs(samples).max() <= 1.0:  # NaN fails every comparison
        raise ValueError("the samples of a frame are finite and lie in [-1, 1]")
    return frozen(samples)


def json_object(payload: bytes) -> dict[str, Any]:
    """What a metadata message says.

    Raises:
        ValueError: it is no JSON object.
    """
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError) as error:  # the latter from brackets in brackets, a thousand deep
        raise ValueError(f"a metadata message is JSON in UTF-8: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"a metadata message is a JSON object, not {type(found).__name__}")
    return found


def about(frame: Frame) -> dict[str, Any] | None:
    """What a frame carries besides sound, as JSON; None for a frame that is only sound."""
    told: dict[str, Any] = {}
    if frame.words:
        told["words"] = [list(word) for word in frame.words]
    if frame.events:
        told["events"] = [[event.kind, event.start, event.end, dict(event.detail)] for event in frame.events]
    if frame.seconds is not None:
        told["seconds"] = frame.seconds
    return told or None


def frame_of(samples: np.ndarray, told: Mapping[str, Any] | None, at: float | None = None) -> Frame:
    """The frame that `about` and `frame_bytes` were made of.

    Raises:
        ValueError: its words or events are none.
    """
    told = told or {}
    try:
        words = tuple(Word(str(text), finite(start), finite(end)) for text, start, end in told.get("words", ()))
        events = tuple(Event(str(kind), finite(start), finite(end), dict(detail))
                       for kind, start, end, detail in told.get("events", ()))
        seconds = None if told.get("seconds") is None else finite(told["seconds"])
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("a frame's metadata has words [[text, start, end], …], events [[kind, start, end, {…}], …] and "
                         f"seconds, each if there are any: {error}") from error
    return Frame(samples, words, events, seconds, at)


def finite(number: Any) -> float:
    if not isfinite(found := float(number)):
        raise ValueError(f"{number} is no time")
    return found
