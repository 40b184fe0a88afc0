"""Ears: one channel through voice activity detection and streaming recognition, frame by frame.

They say who is speaking, since when, and what was understood so far. When a turn ends is the agent's decision.
"""

from collections import deque
from functools import partial
from typing import Final

from duplex.frame import FRAME_SECONDS, Frame
from duplex.stages.stt import Recogniser
from duplex.stages.vad import VAD, SpeechDetector
from duplex.workers import Job, Worker

PRE_ROLL_FRAMES: Final = 9  # 0.72 s: detectors confirm speech after its first sounds, the recogniser needs them
ONSET_FRAMES: Final = 2  # of a next utterance that may have begun unnoticed when this one is called finished


class Ears:
    """Hears one party.

    Attributes:
        detector: whether it speaks, and for how long.
        in_utterance: from the detected onset until `finish`.
        onset: when the utterance began, seconds on the worker's clock.
        hypothesis: what was understood of this utterance so far, as late as the recogniser's stream is.
        stable_seconds: since `hypothesis` last changed.
        settled: `hypothesis` covers all speech up to its last sound.
    """

    def __init__(self, vad: VAD, detector: SpeechDetector, recogniser: Recogniser, worker: Worker):
        self.vad = vad
        self.detector = detector
        self.recogniser = recogniser
        self.worker = worker
        self.reset(0)

    def warm_up(self) -> None:
        """Loads what the first utterance, and the first with digits, would otherwise wait a second for."""
        self.recogniser.start(1)
        self.recogniser.finish()

    def reset(self, seed: int, domain: str = "") -> None:
        self.vad.reset()
        self.detector.reset()
        self.recogniser.reset(seed)
        self.recogniser.attend(domain)
        self.recent: deque[Frame] = deque(maxlen=PRE_ROLL_FRAMES)
        self.finishing: Job[str] | None = None  # the recogniser is still busy with the last utterance
        self.frame = 0
        self.in_utterance = False
        self.onset = 0.0
        self.expected_digits = 0
        self.listen_anew()

    def listen_anew(self) -> None:
        self.waiting: list[Frame] = []  # for the recogniser
        self.hypothesis = ""
        self.stable_seconds = 0.0
        self.pending: deque[tuple[float, int, str]] = deque()  # (when it arrives, frame it covers, text)
        self.covered_frame = 0
        self.last_speech_frame = 0

    @property
    def settled(self) -> bool:
        return self.covered_frame >= self.last_speech_frame

    def hear(self, heard: Frame, expected_digits: int) -> bool:
        """Takes a frame; true in the frame in which an utterance begins."""
        self.frame += 1
        self.recent.append(heard)
        self.detector.hear(self.vad.hear(heard))
        if self.detector.silence_seconds < FRAME_SECONDS:
            self.last_speech_frame = self.frame
        begins = self.detector.speaking and not self.in_utterance
        if begins:
            self.begin(expected_digits)
        elif self.in_utterance:
            self.waiting.append(heard)
        self.settle()
        if self.in_utterance:
            self.understand()
        return begins

    def begin(self, expected_digits: int) -> None:
        self.in_utterance = True
        self.onset = self.worker.now - self.detector.speech_seconds
        self.expected_digits = expected_digits
        self.listen_anew()
        self.last_speech_frame = self.frame
        self.waiting.extend(self.recent)
        self.recent.clear()  # what belongs to this utterance must not begin the next one
        if self.finishing is None:
            self.recogniser.start(expected_digits)

    def settle(self) -> None:
        """Frees the recogniser once the last utterance is finished; raises what finishing raised."""
        if self.finishing is not None and self.finishing.done:
            _ = self.finishing.result
            self.finishing = None
            if self.in_utterance:
                self.recogniser.start(self.expected_digits)

    def recognised(self) -> str:
        """The hypothesis after all that waited."""
        text = ""
        for frame in self.waiting:
            text = self.recogniser.hear(frame)
        self.waiting.clear()
        return text

    def understand(self) -> None:
        """Puts the newest hypothesis on its way, and reads what has arrived by now."""
        now = self.frame * FRAME_SECONDS
        if self.finishing is None:
            text = self.recognised()
            arrives = now + self.worker.lag("stt_partial", text)
            if self.pending:
                arrives = max(arrives, self.pending[-1][0])  # a stream stays in order
            self.pending.append((arrives, self.frame, text))
        self.stable_seconds += FRAME_SECONDS
        while self.pending and self.pending[0][0] <= now + 1e-9:
            _, self.covered_frame, arrived = self.pending.popleft()
            if arrived != self.hypothesis:
                self.hypothesis = arrived
                self.stable_seconds = 0.0

    def finish(self) -> Job[str]:
        """Ends the utterance; the job brings its final text."""
        self.in_utterance = False
        while len(self.recent) > min(ONSET_FRAMES, self.frame - self.last_speech_frame):
            self.recent.popleft()
        if self.finishing is None:
            self.finishing = self.worker.run("stt_final", self.hypothesis, self.recogniser.finish)
        else:  # it was so short that none of it was recognised yet
            late = partial(self.finish_late, self.expected_digits, self.waiting)
            self.finishing = self.finishing.then("stt_final", late)
        return self.finishing

    def finish_late(self, expected_digits: int, waiting: list[Frame], last: str) -> str:
        self.recogniser.start(expected_digits)
        for frame in waiting:
            self.recogniser.hear(frame)
        return self.recogniser.finish()
