"""The frame: 80 ms of one party's sound, and what its speaker knows about it.

Frames are the clock of the whole harness. Nothing here knows who speaks, or when.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

import numpy as np

SAMPLE_RATE: Final = 24_000
FRAME_SAMPLES: Final = 1_920  # one Mimi frame, 12.5 Hz (Défossez et al., 2024)
FRAME_SECONDS: Final = FRAME_SAMPLES / SAMPLE_RATE  # 0.08

# Kinds of events that a model may say in every frame: kept for whoever reads the log, and drawn nowhere.
FRAME_BY_FRAME: Final = ("text_token", "user_nats")

Detail: TypeAlias = str | int | float | bool | None | list[str] | list[float]


class Word(NamedTuple):
    """A spoken word.

    Attributes:
        text: lower case, without punctuation.
        start: seconds; from the start of the frame it begins in when it travels in a `Frame`,
            from the start of the sound in a `Speech`, from the first sample in a `Recording`. Negative in a `Frame`
            whose speaker, writing word by word, knew the word only once it was complete.
        end: seconds, same origin.
    """

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Event:
    """Something its speaker did or decided: a caller's act, an agent's endpoint, a tool call.

    Attributes:
        kind: what happened, e.g. "turn", "interruption", "backchannel", "endpoint", "barge_in".
        start: seconds from the start of the frame that carries it (of the recording, in a log).
        end: seconds, same origin; equal to `start` for a moment without duration.
        detail: JSON-like facts about it, e.g. the text meant by a turn.
    """

    kind: str
    start: float = 0.0
    end: float = 0.0
    detail: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Frame:
    """80 ms of sound with the words and events that begin in it, or that its speaker knows of only now.

    Attributes:
        samples: (FRAME_SAMPLES,) float32 in [-1, 1] at SAMPLE_RATE.
        words: words that begin in this frame or are complete only now, if the speaker knows them.
        events: acts and decisions that begin in this frame.
        seconds: how long its speaker computed for it, where the speaker knows better than the loop: a model that steps
            many conversations at once does not count the wait for the others.
        at: when its first sample was caught by a microphone or its last came over a network, in seconds of `perf_counter`,
            where the speaker knows. Measured and kept, never decided on.
    """

    samples: np.ndarray
    words: tuple[Word, ...] = ()
    events: tuple[Event, ...] = ()
    seconds: float | None = None
    at: float | None = None


def frozen(samples: np.ndarray) -> np.ndarray:
    """`samples` as read-only, so that whoever hears a frame cannot change what others hear."""
    samples.flags.writeable = False
    return samples


SILENCE: Final = Frame(frozen(np.zeros(FRAME_SAMPLES, np.float32)))


def checked(frame: Frame, speaker: str) -> Frame:
    """`frame` if it is a frame as the harness understands it.

    Raises:
        ValueError: naming `speaker`, what it returned and what would be right.
    """
    samples = getattr(frame, "samples", None)
    if not isinstance(samples, np.ndarray):
        raise ValueError(f"{speaker} returned {type(frame).__name__}, not a Frame (None hangs up)")
    if samples.shape != (FRAME_SAMPLES,):
        raise ValueError(f"{speaker}: a frame is ({FRAME_SAMPLES},) samples, not {samples.shape}")
    if samples.dtype != np.float32:
        raise ValueError(f"{speaker}: samples are float32 in [-1, 1], not {samples.dtype}"
                         + (" (divide by 32768?)" if samples.dtype == np.int16 else ""))
    peak = np.abs(samples).max()  # one pass finds NaN, infinity and overload: NaN fails every comparison
    if not peak <= 1.0:
        raise ValueError(f"{speaker}: samples must lie in [-1, 1], found {peak}")
    return frame


def num_frames(num_samples: int) -> int:
    """How many whole frames hold `num_samples`, rounded up."""
    return -(-num_samples // FRAME_SAMPLES)
