"""A user who says given sound and nothing else, for tests that need to know it to the sample."""

from collections.abc import Iterable

import numpy as np

from duplex.conversation import Prompt
from duplex.frame import SAMPLE_RATE, Event, Frame, Word
from duplex.schedule import Schedule


class Says:
    """Says `samples` (num_samples,) from the first sample on, then is silent."""

    def __init__(self, samples: np.ndarray, words: Iterable[Word] = (), events: Iterable[Event] = ()):
        self.samples, self.words, self.events = samples, tuple(words), tuple(events)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.mouth = Schedule()
        self.mouth.place(0, self.samples, self.words, self.events)

    def step(self, heard: Frame) -> Frame | None:
        return self.mouth.read()


def bursts(*turns: tuple[float, float], level: float = 0.1) -> np.ndarray:
    """(num_samples,) float32 of constant loudness within each turn (start, end) in seconds, zeros elsewhere."""
    samples = np.zeros(round(max(end for _, end in turns) * SAMPLE_RATE), np.float32)
    for start, end in turns:
        samples[round(start * SAMPLE_RATE):round(end * SAMPLE_RATE)] = level
    samples[1::2] *= -1.0
    return samples


def segments(channel: np.ndarray, pause: float = 0.1) -> list[tuple[float, float]]:
    """(start, end) in seconds, exact to the sample, of what is not zero; silences below `pause` seconds are bridged."""
    sounding = np.flatnonzero(channel)
    if not len(sounding):
        return []
    breaks = np.flatnonzero(np.diff(sounding) > pause * SAMPLE_RATE)
    starts = np.concatenate([sounding[:1], sounding[breaks + 1]])
    ends = np.concatenate([sounding[breaks], sounding[-1:]]) + 1
    return [(float(start) / SAMPLE_RATE, float(end) / SAMPLE_RATE) for start, end in zip(starts, ends)]
