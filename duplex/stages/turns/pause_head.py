"""The recogniser itself says whether the caller has finished: the pause head of Kyutai's streaming recogniser.

After Unmute (Kyutai, 2025), which answers when that head is surer than 0.6. A recogniser without one is refused.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from duplex.frame import Event, Frame
from duplex.stages.language.llm import Dialogue
from duplex.stages.turns.endpoint import Hears
from duplex.workers import Worker


@runtime_checkable
class HearsPauses(Protocol):
    """A recogniser that says how likely the caller has finished.

    Attributes:
        pause_probability: after the frame that it heard last.
    """

    pause_probability: float


class PauseHead:
    """A short silence when the recogniser is sure that the turn is over, a long one when it is not.

    What it says comes as late as its words do: a declared lag of "stt_partial" holds it back too.

    Args:
        threshold: on its probability; Unmute's is 0.6.
        fast: seconds of silence when over.
        slow: seconds of silence when not.
    """

    def __init__(self, threshold: float = 0.6, fast: float = 0.0, slow: float = 3.0):
        self.threshold = threshold
        self.fast = fast
        self.slow = slow
        self.reset(0)

    def attend(self, domain: str) -> None:
        """Changes nothing: its recogniser attends."""

    def reset(self, seed: int) -> None:
        self.probability = 0.0  # as far as it has arrived
        self.coming: deque[tuple[float, float]] = deque()  # when it arrives, and what

    def listen(self, frame: Frame, ears: Hears, worker: Worker) -> Sequence[Event]:
        recogniser = getattr(ears.recogniser, "recogniser", ears.recogniser)  # that of an agent is metered
        if not isinstance(recogniser, HearsPauses):
            raise ValueError(f"{type(recogniser).__name__} has no pause head: take stt=kyutai, or another endpointing")
        speech = ears.detector.speaking and ears.detector.silence_seconds == 0.0
        if speech or not ears.in_utterance or ears.finishing is not None:
            self.reset(0)  # what it said of an older pause, or utterance, says nothing of this one
            return ()
        self.coming.append((worker.now + worker.lag("stt_partial", "pause"), recogniser.pause_probability))
        while self.coming and self.coming[0][0] <= worker.now + 1e-9:
            self.probability = self.coming.popleft()[1]
        return ()

    def patience(self, heard: str, dialogue: Dialogue) -> float:
        return self.fast if self.probability > self.threshold else self.slow
