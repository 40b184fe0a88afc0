"""What a LiveKit session decides, in the words in which a cascade logs it, read from the session's own events.

It works for any session and any agent, and changes nothing of what they do. How the stages of an answer are timed: the language
stage until the synthesiser has its first sentence, the synthesiser until its first sound, each after the turn was called over.
LiveKit calls a turn over behind the final text, so that the recogniser's share lies in the endpointing.
"""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

from livekit import rtc
from livekit.agents import Agent, AgentSession, llm
from livekit.agents.voice.events import (
    AgentFalseInterruptionEvent,
    ConversationItemAddedEvent,
    FunctionToolsExecutedEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
)

from duplex.frame import FRAME_SECONDS, Detail, Event
from duplex.frameworks.clock import Clock
from duplex.frameworks.livekit_io import Loudspeaker
from duplex.speech import audible

STARTED: Final = "lk.tts_started_time"  # where LiveKit's sound says when its text was given to the synthesiser
ROUNDING: Final = 1e-4  # seconds behind a frame's beginning that count as in it: a virtual instant takes some microseconds
AT_ONCE: Final = 0.02  # seconds: an answer asked for that much before its turn was called over was prepared


@dataclass
class Generation:
    """An answer under way; times in seconds on the clock."""

    turn: str  # whose message it answers
    heard: str
    began: float
    prepared: bool = False
    served: bool = False  # a tool was used in it
    spoken: bool = False
    synthesis_began: float | None = None
    sound_came: float | None = None


class Chronicle:
    """Follows one conversation.

    Args:
        clock: the frames'.
        log: takes each event.

    Attributes:
        num_asked: times that the language stage was asked, in vain or not.
    """

    def __init__(self, clock: Clock, log: Callable[[Event], None]):
        self.clock = clock
        self.log = log
        self.finals: list[str] = []  # of the user's turn, as the session has them
        self.interim = ""
        self.called_over: float | None = None  # when the last turn was
        self.over_at: float | None = None  # the frame with which that was logged, until it is answered
        self.generation: Generation | None = None
        self.num_asked = 0
        self.watched: list[Agent] = []  # who has had the floor in this session
        self.loudspeaker: Loudspeaker | None = None

    def follow(self, session: AgentSession[Any], loudspeaker: Loudspeaker) -> None:
        self.session = session
        self.loudspeaker = loudspeaker
        session.on("user_state_changed", self.user_changed)
        session.on("user_input_transcribed", self.transcribed)
        session.on("conversation_item_added", self.added)
        session.on("agent_false_interruption", self.resumed)
        session.on("function_tools_executed", self.used_tools)
        loudspeaker.on("playback_started", self.sounds)

    def watch(self, agent: Agent) -> None:
        """Sees when the stages of an agent begin and end; what passes through them stays as it is."""
        if any(one is agent for one in self.watched):
            return
        self.watched.append(agent)
        answers, speaks = agent.llm_node, agent.tts_node

        def llm_node(chat_ctx: llm.ChatContext, tools: Any, model_settings: Any) -> Any:
            self.asked(chat_ctx)
            return answers(chat_ctx, tools, model_settings)

        def tts_node(text: Any, model_settings: Any) -> Any:
            return self.timed(speaks(text, model_settings))

        agent.llm_node = llm_node  # type: ignore[method-assign]
        agent.tts_node = tts_node  # type: ignore[method-assign]

    def note(self, kind: str, **detail: Detail) -> None:
        self.log(Event(kind, detail=detail))

    # The user

    @property
    def heard(self) -> str:
        """What was understood of the user's turn so far."""
        return " ".join([*self.finals, self.interim]).strip()

    def user_changed(self, event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self.note("user_speech")

    def transcribed(self, event: UserInputTranscribedEvent) -> None:
        if event.is_final:
            self.finals.append(event.transcript)
        self.interim = "" if event.is_final else event.transcript

    def added(self, event: ConversationItemAddedEvent) -> None:
        """A message became history, the user's when its turn is called over; or another agent takes the session over."""
        item = event.item
        if isinstance(item, llm.AgentHandoff):
            self.watch(self.session.current_agent)
        if not isinstance(item, llm.ChatMessage) or item.role != "user":
            return
        self.finals, self.interim = [], ""
        self.over_at, self.called_over = self.frame_made, self.clock.now
        self.note("endpoint", heard=item.text_content or "", silence=item.metrics.get("end_of_turn_delay", 0.0))

    # The agent

    def asked(self, said: llm.ChatContext) -> None:
        """The language stage is asked; for the second time in one answer where a tool was used in between."""
        self.num_asked += 1
        turn = next((item for item in reversed(said.items) if item.type == "message" and item.role == "user"), None)
        if turn is not None and self.generation is not None and turn.id == self.generation.turn:
            return
        self.drop()
        heard = "" if turn is None else turn.text_content or ""
        self.generation = Generation("" if turn is None else turn.id, heard, self.clock.now)
        asyncio.get_running_loop().call_later(AT_ONCE, self.ahead, self.generation)

    def ahead(self, generation: Generation) -> None:
        """Nobody had called the turn over when the answer to it was asked for."""
        called_over = self.called_over is not None and self.called_over >= generation.began - AT_ONCE
        if generation is self.generation and generation.heard and not called_over and not generation.spoken:
            generation.prepared = True
            self.note("prepare", heard=generation.heard)

    def drop(self) -> None:
        before = self.generation
        if before is not None and before.prepared and not before.spoken and not before.served:
            self.note("discard", heard=before.heard)

    async def timed(self, speech: Any) -> AsyncIterator[rtc.AudioFrame]:
        """`speech` as a node makes it, seen on its way."""
        if asyncio.iscoroutine(speech):
            speech = await speech
        if speech is None:
            return
        try:
            async for sound in speech:
                if self.generation is not None and self.generation.sound_came is None:
                    self.came(self.generation, sound)
                yield sound
        finally:
            close = getattr(speech, "aclose", None)
            if close is not None:
                await close()

    def came(self, generation: Generation, sound: rtc.AudioFrame) -> None:
        generation.sound_came = self.clock.now
        started = sound.userdata.get(STARTED)
        took = time.perf_counter() - started if isinstance(started, float) else 0.0
        generation.synthesis_began = self.clock.now - took

    def sounds(self, _: object) -> None:
        """A segment begins to be heard."""
        generation = self.generation
        if generation is None or generation.spoken:
            return
        generation.spoken = True
        if self.over_at is None or self.loudspeaker is None:  # a greeting answers nothing
            return
        since, self.over_at = self.over_at, None
        shares = self.shares(generation, since)
        waited = self.frame_said - since
        self.note("answer", heard=generation.heard, prepared=generation.prepared, **shares,
                  frame=waited - sum(shares.values()), lead=audible(self.loudspeaker.first)[0])

    def shares(self, generation: Generation, since: float) -> dict[str, float]:
        """What each stage added after the turn was called over."""
        began, came = generation.synthesis_began, generation.sound_came
        if began is None or came is None:  # it has no synthesiser that can be seen
            return {}
        return {"llm": max(0.0, began - max(generation.began, since)), "tts": max(0.0, came - max(began, since))}

    def did(self, act: str) -> None:
        """The session did something to a speech that is being heard."""
        if act == "hold":
            self.note("hold")
        elif act == "cut":
            self.note("barge_in", heard=self.heard)

    def resumed(self, event: AgentFalseInterruptionEvent) -> None:
        if event.resumed and self.loudspeaker is not None and self.loudspeaker.playing:
            self.note("resume", heard=self.heard)

    def used_tools(self, event: FunctionToolsExecutedEvent) -> None:
        if self.generation is not None:
            self.generation.served = True
        for call, output in event.zipped():
            refused = output.output if output.is_error else ""
            self.note("tool_call", tool=call.name, refused=refused, **arguments_of(call))

    # Time

    @property
    def frame_made(self) -> float:
        """When the frame begins with which what happens now is logged."""
        return math.ceil((self.clock.now - ROUNDING) / FRAME_SECONDS) * FRAME_SECONDS

    @property
    def frame_said(self) -> float:
        """When the frame began that is being said now."""
        return math.floor((self.clock.now + ROUNDING) / FRAME_SECONDS) * FRAME_SECONDS


def arguments_of(call: llm.FunctionCall) -> dict[str, str]:
    """What a function was called with, as an event holds it; a model may write what is no JSON."""
    try:
        given = json.loads(call.arguments or "{}")
    except ValueError:
        return {"arguments": call.arguments}
    return {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {"arguments": str(given)}
