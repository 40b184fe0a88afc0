"""A question about each pause of the caller's, put to something slow once and answered in time or not at all.

What is asked, and what patience follows from the answer, is said by the turn detectors that use it.
"""

from typing import Generic, TypeVar

from duplex.stages.turns.endpoint import Hears
from duplex.workers import Job

T = TypeVar("T")


class Question(Generic[T]):
    """What is asked of a pause that has lasted `after` seconds; new speech makes another pause, and forgets the answer.

    Attributes:
        due: the pause is long enough, and nothing was asked about it yet.
    """

    def __init__(self, after: float):
        if after < 0.0:
            raise ValueError(f"a pause is asked about after 0 s of silence or more, not {after}")
        self.after = after
        self.reset()

    def reset(self) -> None:
        self.silence = 0.0
        self.onset = 0.0  # of the utterance
        self.long_enough = False
        self.forget()

    def forget(self) -> None:
        self.job: Job[T] | None = None
        self.told = False

    def follow(self, ears: Hears) -> None:
        """Keeps up with the ears: called in every frame, once they have heard it."""
        silence = ears.detector.silence_seconds
        if silence <= self.silence or ears.onset != self.onset or not ears.in_utterance:  # a pause grows with every frame
            self.forget()
        self.silence, self.onset = silence, ears.onset
        self.long_enough = ears.in_utterance and not ears.detector.speaking and silence >= self.after

    @property
    def due(self) -> bool:
        return self.long_enough and self.job is None

    def ask(self, job: Job[T]) -> None:
        self.job, self.told = job, False

    @property
    def answer(self) -> T | None:
        """About this pause; None while there is none. Raises what the work raised."""
        return self.job.result if self.job is not None and self.job.done else None

    def news(self) -> T | None:
        """The answer, once."""
        answer = None if self.told else self.answer
        self.told = self.told or answer is not None
        return answer
