"""Silence as a framework's own voice activity detector hears it: Pipecat's plain end of turn.

It differs from `Silence` in who listens. That one counts what the agent's ears take for silence, which begins where Silero
falls below 0.35, and a noise above 0.5 breaks it; this one has a detector of its own, one threshold, and two times that follow
each other. Pipecat's loudness gate (min_volume) and its 0.2 s before speech counts are left out: they lose short answers.
"""

from collections.abc import Sequence

from duplex.frame import Event, Frame
from duplex.stages.hearing.vad import VAD, WINDOW_SECONDS
from duplex.stages.language.llm import Dialogue
from duplex.stages.turns.endpoint import Hears
from duplex.workers import Worker


class SileroTurn:
    """A turn is over so long after the last window that is confidently speech.

    Args:
        vad: its own; probability of speech.
        confidence: from which a window is speech; Pipecat's VADParams, 0.7.
        stop: seconds after which speech has stopped; Pipecat's stop_secs, 0.2.
        timeout: seconds after that for the caller to go on; Pipecat's user_speech_timeout, 0.6.
    """

    def __init__(self, vad: VAD, confidence: float = 0.7, stop: float = 0.2, timeout: float = 0.6):
        self.vad = vad
        self.confidence = confidence
        self.stop = stop
        self.timeout = timeout
        self.reset(0)

    def attend(self, domain: str) -> None:
        """Changes nothing: it hears no words."""

    def reset(self, seed: int) -> None:
        self.vad.reset()
        self.silence_seconds = 0.0  # as this detector has it
        self.ahead = 0.0  # of the ears' silence

    def listen(self, frame: Frame, ears: Hears, worker: Worker) -> Sequence[Event]:
        for probability in self.vad.hear(frame):
            self.silence_seconds = 0.0 if probability >= self.confidence else self.silence_seconds + WINDOW_SECONDS
        self.ahead = self.silence_seconds - ears.detector.silence_seconds
        return ()

    def patience(self, heard: str, dialogue: Dialogue) -> float:
        """In seconds of the ears' silence, as everybody's: more or less where the two detectors differ on when it began."""
        return self.stop + self.timeout - self.ahead
