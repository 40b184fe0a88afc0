"""An `AgentSession` of our stages: the same ears, language and voice as the cascade's, with LiveKit's turn taking.

Which of LiveKit's turn detectors calls a turn over is a setting; its bundled models run here, inside LiveKit Agents, and may not
run elsewhere.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from livekit.agents import NOT_GIVEN, Agent, AgentSession, inference
from livekit.agents.voice.events import ConversationItemAddedEvent, UserStateChangedEvent
from livekit.agents.voice.io import PlaybackProgressedEvent
from livekit.agents.voice.turn import (
    EndpointingOptions,
    InterruptionOptions,
    PreemptiveGenerationOptions,
    TurnDetectionEvent,
    TurnDetectionMode,
)

from duplex.conversation import Prompt
from duplex.frame import Event
from duplex.frameworks.clock import Clock
from duplex.frameworks.livekit_line import Line
from duplex.frameworks.livekit_stages import Answers, Hears, Speaks
from duplex.stages.hearing.stt import Recogniser
from duplex.stages.hearing.vad import VAD, SpeechDetector
from duplex.stages.language.llm import Dialogue
from duplex.stages.meter import MeteredRecogniser, metered, tally
from duplex.stages.speaking.tts import TTS

TURN_DETECTIONS: Final = ("vad", "eot", "stt")


class Stages:
    """Builds a session for each call.

    Args:
        vad, detector: how the recogniser finds utterances.
        recogniser: streaming.
        dialogue: the language stage.
        tts: its voice.
        turn_detection: what calls a turn over: "vad" its bundled voice activity, "eot" its bundled end-of-turn model
            (turn-detector-v1-mini) behind that, "stt" the recogniser's end of speech.
        unlikely: probability of that model below which a turn is not over; None for LiveKit's own, 0.36 in English.
        final_after: seconds of silence after which the recogniser sends the final text of an utterance.
        preflight_after: seconds without change after which a hypothesis may be answered ahead; None sends none.
        voice_activity: settings of LiveKit's bundled voice activity; {} for its defaults.
        endpointing, interruption, preemptive_generation: as LiveKit's `turn_handling` has them; {} for its defaults.
        aec_warmup: seconds of the agent's first speech that cannot be interrupted, while an echo canceller learns.
    """

    def __init__(self, vad: VAD, detector: SpeechDetector, recogniser: Recogniser, dialogue: Dialogue, tts: TTS,
                 turn_detection: str = "vad", unlikely: float | None = None, final_after: float = 0.25,
                 preflight_after: float | None = None, voice_activity: Mapping[str, float] = {},
                 endpointing: Mapping[str, Any] = {}, interruption: Mapping[str, Any] = {},
                 preemptive_generation: Mapping[str, Any] = {}, aec_warmup: float | None = None):
        if turn_detection not in TURN_DETECTIONS:
            raise ValueError(f"turn_detection is one of {', '.join(TURN_DETECTIONS)}, not {turn_detection!r}")
        self.vad = vad
        self.detector = detector
        self.recogniser = MeteredRecogniser(recogniser)
        self.dialogue = dialogue
        self.tts = metered(tts)
        self.turn_detection = turn_detection
        self.unlikely = unlikely
        self.final_after = final_after
        self.preflight_after = preflight_after
        self.voice_activity: dict[str, Any] = dict(voice_activity)
        self.turn_handling: dict[str, Any] = {
            "endpointing": known(endpointing, EndpointingOptions, "endpointing"),
            "interruption": {"mode": "vad", **known(interruption, InterruptionOptions, "interruption")},
            "preemptive_generation": known(preemptive_generation, PreemptiveGenerationOptions, "preemptive_generation")}
        self.aec_warmup = aec_warmup

    def warm_up(self) -> None:
        """Loads what the first utterance would otherwise wait a second for."""
        self.recogniser.start(1)
        self.recogniser.finish()

    def attend(self, clock: Clock, seed: int, log: Callable[[Event], None]) -> None:
        self.clock = clock
        self.seed = seed
        self.log = log

    def __call__(self, prompt: Prompt) -> tuple[AgentSession[Any], Agent]:
        self.recogniser.reset(self.seed)
        self.recogniser.attend(prompt.domain)
        self.dialogue.reset(prompt, self.seed)
        self.tts.reset()
        line = Line(self.dialogue, self.log)
        hears = Hears(line, self.clock, self.recogniser, self.vad, self.detector, self.final_after, self.preflight_after)
        handling: Any = {"turn_detection": self.turn_detector(), **self.turn_handling}
        session: AgentSession[Any] = AgentSession(
            stt=hears, vad=inference.VAD(**self.voice_activity), llm=Answers(line, self.clock),
            tts=Speaks(line, self.clock, self.tts), turn_handling=handling, tts_text_transforms=None,
            aec_warmup_duration=self.aec_warmup, session_close_transcript_timeout=0.0)
        return session, Desk(line, self.clock, prompt.text)

    def turn_detector(self) -> TurnDetectionMode:
        if self.turn_detection == "eot":
            threshold = NOT_GIVEN if self.unlikely is None else self.unlikely
            return Charged(self.clock, version="v1-mini", unlikely_threshold=threshold)
        return "stt" if self.turn_detection == "stt" else "vad"

    def tally(self) -> Mapping[str, Any]:
        return tally(self.recogniser, self.dialogue, self.tts)


class Charged(inference.TurnDetector):
    """LiveKit's end-of-turn model, each of whose predictions comes as late as the clock says it is.

    Args:
        clock: what it costs, as stage `turn_detection`.
        settings: LiveKit's own.
    """

    def __init__(self, clock: Clock, **settings: Any):
        super().__init__(**settings)
        self.clock = clock
        self.num_asked = 0
        self.waiting: set[asyncio.Task[None]] = set()  # kept, or they might vanish

    def stream(self, **options: Any) -> Any:  # LiveKit names the class of its streams for itself alone
        stream = super().stream(**options)
        predict = stream.predict

        def later() -> "asyncio.Future[TurnDetectionEvent]":
            given: asyncio.Future[TurnDetectionEvent] = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(self.give(predict(), given))
            self.waiting.add(task)
            task.add_done_callback(self.waiting.discard)
            return given

        stream.predict = later  # type: ignore[method-assign]
        return stream

    async def give(self, found: "asyncio.Future[TurnDetectionEvent]", given: "asyncio.Future[TurnDetectionEvent]") -> None:
        self.num_asked += 1
        await self.clock.lag("turn_detection", f"prediction {self.num_asked}")
        prediction = await found
        if not given.done():
            given.set_result(prediction)


def known(given: Mapping[str, Any], options: Any, where: str) -> dict[str, Any]:
    """`given`, if LiveKit knows these options: it reads over what it does not know."""
    if unknown := given.keys() - options.__annotations__.keys():
        raise ValueError(f"{where}: LiveKit knows no {', '.join(sorted(unknown))}, only {', '.join(options.__annotations__)}")
    return dict(given)


class Desk(Agent):
    """The agent of such a session: keeps the dialogue to what was heard."""

    def __init__(self, line: Line, clock: Clock, instructions: str):
        super().__init__(instructions=instructions)
        self.line = line
        self.clock = clock

    async def on_enter(self) -> None:
        self.session.on("user_state_changed", self.user_changed)
        self.session.on("conversation_item_added", self.added)
        if self.session.output.audio is not None:
            self.session.output.audio.on("playback_progressed", self.progressed)

    def progressed(self, event: PlaybackProgressedEvent) -> None:
        self.line.heard_until(event.offset + event.duration, self.clock.now)

    def user_changed(self, event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self.line.onset = self.clock.now - (time.time() - event.created_at)

    def added(self, event: ConversationItemAddedEvent) -> None:
        if event.item.type == "message" and event.item.role == "assistant" and event.item.interrupted:
            if self.line.broken_off(event.item.id):
                self.line.log(Event("retract"))
