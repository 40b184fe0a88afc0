"""Ears: one channel through voice activity detection and streaming recognition, frame by frame.

They say who is speaking, since when, and what was understood so far. When a turn ends is the agent's decision.

A recogniser whose words come late is asked for them in every pause, in the background: what it says is the hypothesis, and
until it has said it nothing is settled.
"""

from collections import deque
from functools import partial
from math import isfinite
from typing import Final

from duplex.frame import FRAME_SECONDS, SILENCE, Frame
from duplex.stages.hearing.catching_up import catching_up
from duplex.stages.hearing.stt import Recogniser
from duplex.stages.hearing.vad import VAD, SpeechDetector
from duplex.workers import Job, Worker

PRE_ROLL_FRAMES: Final = 9  # 0.72 s: detectors confirm speech after its first sounds, the recogniser needs them
WARM_UP_FRAMES: Final = 2  # the least sound that every recogniser reads
PAUSE_SECONDS: Final = 0.16  # of silence, in which a recogniser whose words come late is asked for them
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
        final: it does, and a recogniser that was asked for all words said so: another final text is not to be had.
    """

    def __init__(self, vad: VAD, detector: SpeechDetector, recogniser: Recogniser, worker: Worker):
        self.vad = vad
        self.detector = detector
        self.recogniser = recogniser
        self.late = catching_up(recogniser)
        behind = self.late.behind if self.late is not None else 0.0
        self.writes = isfinite(behind)  # has words while it hears
        self.behind_frames = round(behind / FRAME_SECONDS) if self.writes else 0
        self.worker = worker
        self.reset(0)

    def warm_up(self) -> None:
        """Loads what the first utterance, and the first with digits, would otherwise wait a second for."""
        self.recogniser.start(1)
        for _ in range(WARM_UP_FRAMES):
            self.recogniser.hear(SILENCE)
        self.recogniser.finish()

    def reset(self, seed: int, domain: str = "") -> None:
        self.vad.reset()
        self.detector.reset()
        self.recogniser.reset(seed)
        self.recogniser.attend(domain)
        self.recent: deque[Frame] = deque(maxlen=PRE_ROLL_FRAMES)
        self.finishing: Job[str] | None = None  # the recogniser is still busy with the last utterance
        self.catching: Job[str] | None = None  # it is busy catching up with this one
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
        self.asked_frame = self.frame  # up to which the recogniser was asked for the words last
        self.asked_in_pause = False
        self.caught_up_frame = -1  # up to which it told them

    @property
    def settled(self) -> bool:
        return self.covered_frame >= self.last_speech_frame

    @property
    def seconds(self) -> float:
        """How long it has been speaking: without a pause, or, where no words tell yet what is being said, with its pauses."""
        if self.writes or self.hypothesis:
            return self.detector.speech_seconds
        return self.worker.now - self.onset - self.detector.silence_seconds

    @property
    def final(self) -> bool:
        return self.caught_up_frame >= self.last_speech_frame

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
        """Frees the recogniser once it is done with what it was asked for; raises what that raised."""
        if self.finishing is not None and self.finishing.done:
            _ = self.finishing.result
            self.finishing = None
            if self.in_utterance:
                self.recogniser.start(self.expected_digits)
        if self.catching is not None and self.catching.done:
            text, self.catching = self.catching.result, None
            if self.asked_in_pause:
                self.covered_frame = self.caught_up_frame = self.asked_frame
            self.take(text)

    def take(self, text: str) -> None:
        """What was understood by now."""
        if text != self.hypothesis:
            self.hypothesis = text
            self.stable_seconds = 0.0

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
        if self.finishing is None and self.catching is None:
            if self.writes:
                text = self.recognised()
                arrives = now + self.worker.lag("stt_partial", text)
                if self.pending:
                    arrives = max(arrives, self.pending[-1][0])  # a stream stays in order
                self.pending.append((arrives, self.frame - self.behind_frames, text))
            self.catch_up()
        self.stable_seconds += FRAME_SECONDS
        while self.pending and self.pending[0][0] <= now + 1e-9:
            _, covered_frame, arrived = self.pending.popleft()
            if covered_frame > self.caught_up_frame:  # it told more when it was asked
                self.covered_frame = covered_frame
                self.take(arrived)

    def catch_up(self) -> None:
        """Asks a recogniser whose words come late for them, in a pause that has not been asked about or when it is time."""
        if self.late is None:
            return
        paused = self.detector.silence_seconds >= PAUSE_SECONDS - 1e-9
        if paused and not self.settled:
            self.ask("stt_final", paused)
        elif self.late.every is not None and self.detector.speaking and (
                self.frame - self.asked_frame) * FRAME_SECONDS >= self.late.every - 1e-9:
            self.ask("stt_partial", paused)

    def ask(self, stage: str, paused: bool) -> None:
        self.asked_frame, self.asked_in_pause = self.frame, paused
        waiting, self.waiting = self.waiting, []
        seconds = self.worker.now - self.onset  # the words, which a charge would depend on, are not known yet
        self.catching = self.worker.run(stage, f"{self.hypothesis} {seconds:.2f}", partial(self.caught_up, waiting, paused))

    def caught_up(self, waiting: list[Frame], paused: bool) -> str:
        assert self.late is not None, "only who comes late catches up"
        for frame in waiting:
            self.recogniser.hear(frame)
        return self.late.catch_up(paused)

    def finish(self) -> Job[str]:
        """Ends the utterance; the job brings its final text, which has begun to be made where somebody asked for it before."""
        self.in_utterance = False
        while len(self.recent) > min(ONSET_FRAMES, self.frame - self.last_speech_frame):
            self.recent.popleft()
        asked, self.catching = self.catching, None
        all_asked = asked is not None and self.asked_in_pause and self.asked_frame >= self.last_speech_frame
        heard_out = partial(self.heard_out, [] if all_asked or self.final else self.waiting)  # after the last word: silence
        if asked is not None:
            self.finishing = asked.then("stt_final", lambda _: heard_out())
            if all_asked:
                return asked
        elif self.finishing is None:
            self.finishing = self.worker.run("stt_final", self.hypothesis, heard_out)
        else:  # it was so short that none of it was recognised yet
            late = partial(self.finish_late, self.expected_digits, self.waiting)
            self.finishing = self.finishing.then("stt_final", late)
        return self.finishing

    def finish_late(self, expected_digits: int, waiting: list[Frame], last: str) -> str:
        self.recogniser.start(expected_digits)
        return self.heard_out(waiting)

    def heard_out(self, waiting: list[Frame]) -> str:
        for frame in waiting:
            self.recogniser.hear(frame)
        return self.recogniser.finish()
