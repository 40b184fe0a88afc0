"""Turn detectors with ears of their own, for tests that ask how patient they are after each frame.

Sounds are levels, words are told, and sound models say what they are told to.
"""

import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from says import bursts

from duplex.frame import SAMPLE_RATE, Event
from duplex.latency import Ideal
from duplex.speech import Speech, frames
from duplex.stages.hearing.ears import Ears
from duplex.stages.hearing.stt import Oracle
from duplex.stages.hearing.vad import EnergyVad, SpeechDetector
from duplex.stages.language.llm import Dialogue
from duplex.stages.language.manager import Manager
from duplex.workers import Charged, Worker

REQUEST: Final = "how much is an eye test"
ONCE: Final[np.ndarray] = bursts((0.8, 2.0))
TWICE: Final[np.ndarray] = bursts((0.8, 2.0), (2.48, 3.2))
FAST, SLOW = 0.2, 3.0
ASKED: Final = 27  # the frame that ends at 2.24 s: seven windows of 32 ms of silence after 2.016 s
SECOND: Final = 42  # and that of the pause behind 3.2 s


class Hears:
    """A sound model that says given probabilities, one for each question; takes some seconds by the clock on the wall."""

    def __init__(self, *probabilities: float, seconds: float = 0.0):
        self.probabilities = probabilities
        self.seconds = seconds
        self.sounds: list[np.ndarray] = []

    def end_probability(self, sound: np.ndarray) -> float:
        self.sounds.append(sound)
        time.sleep(self.seconds)
        return self.probabilities[min(len(self.sounds), len(self.probabilities)) - 1]


class Heard(NamedTuple):
    """How patient a detector was after each frame, and what it logged in which."""

    patience: list[float]
    events: list[tuple[int, Event]]


def heard(detector: Any, speech: np.ndarray | Speech, worker: Worker | None = None, dialogue: Dialogue | None = None,
          seconds: float = 5.0, recogniser: Any = None) -> Heard:
    """`detector` with ears of its own, for some seconds of sound."""
    worker, dialogue = worker or Charged(Ideal()), dialogue or Manager()
    ears = Ears(EnergyVad(), SpeechDetector(start_windows=2), recogniser or Oracle(), worker)
    worker.reset(0)
    detector.reset(0)
    spoken = speech if isinstance(speech, Speech) else Speech(speech)
    padded = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    padded[:len(spoken.samples)] = spoken.samples
    found = Heard([], [])
    for number, frame in enumerate(frames(Speech(padded, spoken.words))):
        worker.tick()
        ears.hear(frame, 0)
        found.events.extend((number, event) for event in detector.listen(frame, ears, worker))
        found.patience.append(detector.patience(ears.hypothesis, dialogue) if ears.in_utterance else SLOW)
    return found


def first(patience: Sequence[float], wanted: float = FAST, start: int = 0) -> int | None:
    """The first frame with that patience."""
    return next((number for number in range(start, len(patience)) if patience[number] == wanted), None)
