"""The pipeline of `agent=pipecat`: our stages behind Pipecat's own voice activity, turn detection and interruptions.

What the stages say and cost is theirs; how a user's own pipeline plugs in stands in `duplex.agents.pipecat`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipecat.audio.turn.base_turn_analyzer import EndOfTurnState
from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.metrics.metrics import MetricsData
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.turns.user_start.base_user_turn_start_strategy import BaseUserTurnStartStrategy
from pipecat.turns.user_start.min_words_user_turn_start_strategy import MinWordsUserTurnStartStrategy
from pipecat.turns.user_stop.base_user_turn_stop_strategy import BaseUserTurnStopStrategy
from pipecat.turns.user_stop.speech_timeout_user_turn_stop_strategy import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_stop.turn_analyzer_user_turn_stop_strategy import TurnAnalyzerUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies, default_user_turn_start_strategies

from duplex.conversation import Prompt
from duplex.frameworks.clock import Clock
from duplex.frameworks.pipecat_stages import Listens, Speaks, Thinks
from duplex.frameworks.pipecat_transport import FrameTransport
from duplex.stages.hearing.stt import Recogniser
from duplex.stages.language.llm import Dialogue
from duplex.stages.meter import MeteredRecogniser, MeteredTTS, tally
from duplex.stages.speaking.tts import TTS


@dataclass(frozen=True)
class Voicing:
    """When Pipecat's Silero takes sound for speech; its own defaults.

    Attributes:
        confidence: probability from which 32 ms are speech.
        start: seconds of speech that begin it.
        stop: seconds of silence that end it.
        min_volume: loudness from 0 to 1 below which nothing is speech.
    """

    confidence: float = 0.7
    start: float = 0.2
    stop: float = 0.2
    min_volume: float = 0.6


@dataclass(frozen=True)
class Turns:
    """When Pipecat says that a turn begins and ends; its own defaults.

    Attributes:
        stop: "smart_turn" asks its model at each pause; a number is the seconds of silence that end a turn.
        longest_pause: seconds of silence that end a turn which Smart Turn holds for unfinished.
        min_words: words that interrupt the agent; 0 lets any speech do it.
        stop_timeout: seconds after which a turn without words is over.
    """

    stop: Literal["smart_turn"] | float = "smart_turn"
    longest_pause: float = 3.0
    min_words: int = 0
    stop_timeout: float = 5.0


class StagedPipeline:
    """Builds the pipeline of each call.

    Args:
        recogniser: streaming.
        dialogue: the language stage.
        tts: its voice.
        voicing: of the voice activity detector.
        turns: of the turn strategies.
        ttfs_p99: seconds from the end of speech within which 99 of 100 final texts come: how long Pipecat waits for one.
    """

    def __init__(self, recogniser: Recogniser, dialogue: Dialogue, tts: TTS, voicing: Voicing = Voicing(),
                 turns: Turns = Turns(), ttfs_p99: float = 0.9):
        self.recogniser = MeteredRecogniser(recogniser)
        self.dialogue = dialogue
        self.tts = MeteredTTS(tts)
        self.voicing = voicing
        self.turns = turns
        self.ttfs_p99 = ttfs_p99

    def tally(self) -> Mapping[str, Any]:
        return tally(self.recogniser, self.dialogue, self.tts)

    def __call__(self, transport: FrameTransport, prompt: Prompt) -> Sequence[FrameProcessor]:
        self.recogniser.reset(transport.seed)
        self.recogniser.attend(prompt.domain)
        self.dialogue.reset(prompt, transport.seed)
        self.tts.reset()
        clock, account = transport.clock, transport.account
        user, assistant = LLMContextAggregatorPair(LLMContext(), user_params=self.user_parameters(clock))
        return [transport.input(), Listens(self.recogniser, self.dialogue, clock, self.ttfs_p99), user,
                Thinks(self.dialogue, clock, account), Speaks(self.tts, clock, account), transport.output(), assistant]

    def user_parameters(self, clock: Clock) -> LLMUserAggregatorParams:
        its = self.voicing
        return LLMUserAggregatorParams(
            vad_analyzer=SileroVADAnalyzer(params=VADParams(
                confidence=its.confidence, start_secs=its.start, stop_secs=its.stop, min_volume=its.min_volume)),
            user_turn_strategies=UserTurnStrategies(start=self.start(), stop=[self.stop(clock)]),
            user_turn_stop_timeout=self.turns.stop_timeout)

    def start(self) -> list[BaseUserTurnStartStrategy]:
        if self.turns.min_words:
            return [MinWordsUserTurnStartStrategy(min_words=self.turns.min_words)]
        return default_user_turn_start_strategies()

    def stop(self, clock: Clock) -> BaseUserTurnStopStrategy:
        if self.turns.stop == "smart_turn":
            return TurnAnalyzerUserTurnStopStrategy(turn_analyzer=ChargedSmartTurn(clock, self.turns.longest_pause))
        return SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=max(0.0, self.turns.stop - self.voicing.stop))


class ChargedSmartTurn(LocalSmartTurnAnalyzerV3):
    """Pipecat's Smart Turn v3.2, whose listening is charged as "turn_detection"."""

    def __init__(self, clock: Clock, longest_pause: float):
        super().__init__(params=SmartTurnParams(stop_secs=longest_pause))
        self.clock = clock

    async def analyze_end_of_turn(self) -> tuple[EndOfTurnState, MetricsData | None]:
        sound = self._audio_buffer
        if not sound:
            return EndOfTurnState.INCOMPLETE, None
        num_samples = sum(len(samples) for _, samples in sound)
        state, result = await self.clock.charge("turn_detection", f"{num_samples} samples",
                                                lambda: self._process_speech_segment(sound))
        if state is EndOfTurnState.COMPLETE:
            self._clear(state)
        return state, result
