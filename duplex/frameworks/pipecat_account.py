"""What a Pipecat pipeline does, read from its own frames and told as our agents tell it: endpoints, answers, barge-in.

It sees every frame that any processor pushes, changes none, and keeps what the report explains latencies by. After Pipecat's
`UserBotLatencyObserver` (pipecat-ai 1.12.0), whose contributions these are.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterimTranscriptionFrame,
    MetricsFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import LLMUsageMetricsData, STTUsageMetricsData, TTSUsageMetricsData, TurnMetricsData
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.processors.frame_processor import FrameDirection

from duplex.frame import SAMPLE_RATE
from duplex.frameworks.clock import Clock
from duplex.frameworks.pcm import samples_of
from duplex.frameworks.speaker import Speaker
from duplex.speech import audible

AT_ONCE: Final = 0.03  # seconds between what ends a turn and its end; on the wall's clock a loop is never quicker than some


@dataclass
class Turn:
    """A turn of the caller that is over, and its answer as far as it has come; seconds on the clock.

    Attributes:
        shares: what each stage took, as far as somebody waited for it.
    """

    heard: str
    over_at: float
    ended_at: float
    shares: dict[str, float] = field(default_factory=dict)
    asked_at: float | None = None
    sound: bytes = b""
    sound_rate: int = SAMPLE_RATE


class Account(BaseObserver):
    """Keeps the account of one call.

    Attributes:
        words_are_known: the synthesiser says when its words are said.
        onset: when the caller last began to speak.
    """

    def __init__(self, clock: Clock, speaker: Speaker):
        super().__init__(observe_every_push=False)
        self.clock, self.speaker = clock, speaker
        self.words_are_known = False
        self.onset = self.paused_at = self.final_at = self.whole_at = self.silence = 0.0
        self.finals: list[str] = []
        self.interim = ""
        self.turn: Turn | None = None
        self.bot_speaks = False
        self.ends: deque[tuple[float, str, float]] = deque()  # when a turn was over, its words, the silence that it took
        self.usage: dict[str, float] = {"stt_seconds": 0.0, "llm_calls": 0, "llm_input_tokens": 0, "llm_output_tokens": 0,
                                        "tts_characters": 0}

    @property
    def heard(self) -> str:
        """What was understood of the turn so far."""
        return " ".join([*self.finals, self.interim]).strip()

    @property
    def speaking(self) -> bool:
        """Whether the agent is saying something, or has more of it to say."""
        return self.bot_speaks or self.speaker.waiting_seconds > 0.0

    async def on_push_frame(self, data: FramePushed) -> None:
        if data.direction is FrameDirection.DOWNSTREAM:
            self.see(data.frame)

    def see(self, frame: Frame) -> None:
        now = self.clock.now
        match frame:
            case VADUserStartedSpeakingFrame():
                self.onset = now - frame.start_secs
                self.speaker.note("user_speech")
            case VADUserStoppedSpeakingFrame():
                self.paused_at, self.silence = now, frame.stop_secs
            case InterimTranscriptionFrame():
                self.interim = frame.text
            case TranscriptionFrame():
                self.finals.append(frame.text)
                self.interim, self.final_at = "", now
            case UserStoppedSpeakingFrame():
                self.end_turn(now)
            case BotStartedSpeakingFrame() | BotStoppedSpeakingFrame():
                self.bot_speaks = isinstance(frame, BotStartedSpeakingFrame)
            case TTSStartedFrame():
                if self.turn is not None and self.turn.asked_at is None:
                    self.turn.asked_at = now
            case MetricsFrame():
                self.measure(frame, now)

    def end_turn(self, now: float) -> None:
        """The pipeline calls the turn over; where it had decided so before, the wait for the last words is their stage's."""
        waits = now - self.final_at <= AT_ONCE and self.whole_at < self.final_at and self.final_at > self.paused_at
        over_at = max(self.paused_at, self.whole_at) if waits else now
        self.turn = Turn(self.heard, over_at, now, {"stt_final": now - over_at})
        self.ends.append((over_at, self.heard, self.silence + over_at - self.paused_at))
        self.finals.clear()
        self.interim = ""

    def measure(self, frame: MetricsFrame, now: float) -> None:
        for one in frame.data:
            if isinstance(one, TurnMetricsData):
                if one.is_complete:
                    self.whole_at = now
                self.speaker.note("turn_detection", whole=one.is_complete, probability=round(one.probability, 4))
            elif isinstance(one, LLMUsageMetricsData):
                self.usage["llm_calls"] += 1
                self.usage["llm_input_tokens"] += one.value.prompt_tokens
                self.usage["llm_output_tokens"] += one.value.completion_tokens
            elif isinstance(one, TTSUsageMetricsData):
                self.usage["tts_characters"] += one.value
            elif isinstance(one, STTUsageMetricsData):
                self.usage["stt_seconds"] += one.value.audio_seconds

    def tell(self) -> None:
        """A frame begins: logs the turns that were called over before it, each at its own time."""
        while self.ends:
            over_at, heard, silence = self.ends.popleft()
            self.speaker.note_at(over_at - self.clock.now, "endpoint", heard=heard, silence=silence)

    def answering(self, heard: str) -> None:
        """A language stage that knows says what its answer to the last turn answers."""
        if self.turn is not None:
            self.turn.heard = heard

    # From the way out

    def received(self, frame: TTSAudioRawFrame) -> bool:
        """Takes sound on its way to the loudspeaker; whether it is the first of an answer."""
        turn = self.turn
        if turn is None:
            return False
        first = not turn.sound
        if first:
            asked_at = turn.ended_at if turn.asked_at is None else turn.asked_at
            turn.shares |= {"llm": asked_at - turn.ended_at, "tts": self.clock.now - asked_at}
            ways = {stage: min(seconds, self.clock.way(stage)) for stage, seconds in turn.shares.items()}
            turn.shares = {stage: seconds - ways[stage] for stage, seconds in turn.shares.items()}
            turn.shares["transport"] = sum(ways.values())
        turn.sound += frame.audio
        turn.sound_rate = frame.sample_rate
        return first

    def answers(self) -> None:
        """The first sound of the answer is played in the frame that begins now."""
        turn, self.turn = self.turn, None
        if turn is None:
            return
        waited = self.clock.now - turn.over_at
        lead = audible(samples_of(turn.sound))[0] * SAMPLE_RATE / turn.sound_rate
        self.speaker.note("answer", heard=turn.heard, prepared=False, **turn.shares,
                          frame=waited - sum(turn.shares.values()), lead=lead)

    def interrupted(self) -> None:
        """The caller takes the floor."""
        if self.speaking:
            self.speaker.note("barge_in", heard=self.heard)
        self.turn = None
