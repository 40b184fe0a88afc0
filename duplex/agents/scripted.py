"""An agent that plays a script: the instrument whose words and decisions are known, too.

It understands nothing. What it does about something of the user's stands in its script, on the condition that the user is
heard at that moment; so the same script tells what it does where the user keeps silent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from duplex.agents.simple import buzz
from duplex.conversation import Prompt
from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, Event, Frame, Word
from duplex.schedule import Schedule, samples_in
from duplex.speech import AUDIBLE_DECIBELS, HOP_SAMPLES, levels


@dataclass(frozen=True)
class Line:
    """What is said from a moment on, instead of all that was being said or was still to be said.

    Attributes:
        at: that moment, seconds from the first sample of the conversation.
        sounds: (start, end) of every stretch of sound, seconds from `at`; without any the agent falls silent.
        words: seconds from `at`.
        events: decisions, seconds from `at`.
        if_heard: a moment, seconds from the first sample: the line is left out when the user is silent in the 10 ms from
            there on. None says it anyway.

    Raises:
        ValueError: when what was heard at `if_heard` cannot be known yet at `at`.
    """

    at: float
    sounds: Sequence[tuple[float, float]] = ()
    words: Sequence[Word] = ()
    events: Sequence[Event] = ()
    if_heard: float | None = None

    def __post_init__(self) -> None:
        if self.if_heard is not None and samples_in(self.at) // FRAME_SAMPLES <= samples_in(self.if_heard) // FRAME_SAMPLES:
            raise ValueError(f"a line at {self.at} s cannot depend on what is heard at {self.if_heard} s: an agent says frame "
                             "n having heard the user up to frame n-1, so it lies in a later frame of 0.08 s")


class Scripted:
    """Says its lines, each a buzz where it sounds.

    Args:
        hang_up: seconds; it hangs up with the first frame that begins at this moment or later. None never does.
    """

    def __init__(self, lines: Iterable[Line] = (), hang_up: float | None = None):
        self.lines = sorted(lines, key=lambda line: line.at)
        self.hang_up = hang_up
        self.reset(Prompt(), 0)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.mouth = Schedule()
        self.seed = seed
        self.waiting = list(self.lines)
        self.audible: set[int] = set()  # hops of 10 ms in which the user was heard

    def step(self, heard: Frame) -> Frame | None:
        now = self.mouth.now
        if self.hang_up is not None and now >= samples_in(self.hang_up):
            return None
        first = (now - FRAME_SAMPLES) // HOP_SAMPLES  # the first frame heard lies before the conversation
        self.audible.update(first + int(hop) for hop in np.flatnonzero(levels(heard.samples) > AUDIBLE_DECIBELS))
        while self.waiting and samples_in(self.waiting[0].at) < now + FRAME_SAMPLES:
            self.begin(self.waiting.pop(0))
        return self.mouth.read()

    def begin(self, line: Line) -> None:
        if line.if_heard is None or samples_in(line.if_heard) // HOP_SAMPLES in self.audible:
            start = samples_in(line.at)
            self.mouth.cut(start)
            self.mouth.place(start, voice(line.sounds, self.seed), line.words, line.events)


def voice(sounds: Sequence[tuple[float, float]], seed: int) -> np.ndarray:
    """A buzz within each (start, end), silence elsewhere, (num_samples,) float32."""
    edges = [(samples_in(start), samples_in(end)) for start, end in sounds]
    said = np.zeros(max((end for _, end in edges), default=0), np.float32)
    for start, end in edges:
        said[start:end] = known_buzz((end - start) / SAMPLE_RATE, seed)
    return said


known_buzz = lru_cache(maxsize=32)(buzz)  # a script is often played again without one of the user's acts
