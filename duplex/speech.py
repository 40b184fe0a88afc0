"""Speech: a stretch of sound of any length with its words, and how it becomes frames.

Synthesisers return it, callers and agents speak it. Nothing here makes or hears sound.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Event, Frame, Word, frozen, num_frames

HOP_SAMPLES: Final = SAMPLE_RATE // 100  # 10 ms
AUDIBLE_DECIBELS: Final = -50.0  # of full scale; synthesised pauses are digital silence, room noise lies below


@dataclass(frozen=True, eq=False)
class Speech:
    """What is said.

    Attributes:
        samples: (num_samples,) float32 in [-1, 1] at SAMPLE_RATE.
        words: in order, seconds from the first sample.
        events: what the speaker does by saying it, seconds from the first sample.
    """

    samples: np.ndarray
    words: tuple[Word, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE

    @property
    def num_frames(self) -> int:
        return num_frames(len(self.samples))


def frames(speech: Speech) -> Iterator[Frame]:
    """`speech` in frames, the last one filled with silence; words and events move to the frame they begin in."""
    padded = np.zeros(speech.num_frames * FRAME_SAMPLES, np.float32)
    padded[: len(speech.samples)] = speech.samples
    for index, samples in enumerate(padded.reshape(-1, FRAME_SAMPLES)):
        start = index * FRAME_SECONDS
        yield Frame(
            frozen(samples),
            tuple(Word(word.text, word.start - start, word.end - start)
                  for word in speech.words if begins_in(index, word.start)),
            tuple(Event(event.kind, event.start - start, event.end - start, event.detail)
                  for event in speech.events if begins_in(index, event.start)),
        )


def begins_in(index: int, seconds: float) -> bool:
    """Whether a moment lies in frame `index`; counted in samples, so that none falls between two frames."""
    return round(seconds * SAMPLE_RATE) // FRAME_SAMPLES == index


def levels(samples: np.ndarray) -> np.ndarray:
    """Level of each 10 ms in dB full scale; samples (num_samples,) -> (num_hops,), the last hop filled with zeros."""
    hops = np.zeros(-(-len(samples) // HOP_SAMPLES) * HOP_SAMPLES, np.float64)
    hops[: len(samples)] = samples
    power = np.square(hops).reshape(-1, HOP_SAMPLES).mean(axis=1)
    return 10.0 * np.log10(power + 1e-12)


def audible(samples: np.ndarray, decibels: float = AUDIBLE_DECIBELS) -> tuple[float, float]:
    """True onset and offset in seconds, from energy at 10 ms; (0, 0) for silence.

    Synthesisers pad: flite puts 0.22 s before and 0.15-0.23 s behind a sentence, so a file's edges are no truth.
    """
    loud = np.flatnonzero(levels(samples) > decibels)
    if not len(loud):
        return 0.0, 0.0
    return float(loud[0]) * HOP_SAMPLES / SAMPLE_RATE, float(loud[-1] + 1) * HOP_SAMPLES / SAMPLE_RATE
