"""One call of a LiveKit session: begun, fed and ended on a clock, with whatever fails in it kept for whoever steps it.

What the session decides is written down by its chronicle, and what is said by the speaker.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable

from livekit.agents import Agent, AgentSession
from livekit.agents.metrics.usage import LLMModelUsage, STTModelUsage, TTSModelUsage
from livekit.agents.voice.events import CloseEvent, ErrorEvent

from duplex.conversation import Prompt
from duplex.frame import Event, Frame
from duplex.frameworks.clock import Clock
from duplex.frameworks.livekit_chronicle import Chronicle
from duplex.frameworks.livekit_io import Loudspeaker, Microphone
from duplex.frameworks.livekit_time import keep_virtual_time
from duplex.frameworks.speaker import Speaker

LOGGER: Final = logging.getLogger("livekit")
LOGGER.addHandler(logging.NullHandler())  # who wants to read it adds a handler; without one Python prints its warnings

Build = Callable[[Prompt], tuple[AgentSession[Any], Agent]]


@runtime_checkable
class OnTheClock(Protocol):
    """A builder of sessions whose stages cost what the clock says, and which logs what its answers do."""

    def attend(self, clock: Clock, seed: int, log: Callable[[Event], None]) -> None:
        """A call begins; the session for it is asked for next."""


class SessionFailed(OSError):
    """A session, or a service of it, failed."""


class Run:
    """A session at work.

    Attributes:
        over: the session has closed.
        num_retries: times that LiveKit asked a service again.
    """

    def __init__(self, build: Build, clock: Clock, speaker: Speaker, prompt: Prompt, seed: int,
                 input_rate: int):
        self.build = build
        self.clock = clock
        self.speaker = speaker
        self.prompt = prompt
        self.seed = seed
        self.input_rate = input_rate
        self.events: deque[Event] = deque()  # filled in the loop, taken by whoever steps
        self.chronicle = Chronicle(clock, self.events.append)
        self.session: AgentSession[Any] | None = None
        self.swallowed: Swallowed | None = None
        self.failure: BaseException | None = None
        self.over = False
        self.num_retries = 0

    async def begin(self) -> None:
        keep_virtual_time()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.fail(context.get("exception") or OSError(context["message"])))
        self.swallowed = Swallowed(loop, self.fail)
        LOGGER.addHandler(self.swallowed)
        if isinstance(self.build, OnTheClock):
            self.build.attend(self.clock, self.seed, self.events.append)
        session, agent = self.build(self.prompt)
        self.session = session
        self.microphone = Microphone(self.input_rate)
        self.loudspeaker = Loudspeaker(self.speaker, self.chronicle.did)
        session.input.audio, session.output.audio = self.microphone, self.loudspeaker
        session.on("error", self.complained)
        session.on("close", self.closed)
        self.chronicle.follow(session, self.loudspeaker)
        await session.start(agent, record=False)

    def hear(self, frame: Frame) -> None:
        """A frame begins: what was said before it is over, and what the user said before it is heard."""
        self.loudspeaker.end()
        self.microphone.push(frame)

    def complained(self, event: ErrorEvent) -> None:
        error = getattr(event.error, "error", event.error)
        if getattr(event.error, "recoverable", False):
            self.num_retries += 1
        else:
            self.fail(error if isinstance(error, BaseException) else OSError(str(error)))

    def closed(self, event: CloseEvent) -> None:
        self.over = True

    def fail(self, error: BaseException) -> None:
        self.failure = self.failure or error

    def check(self) -> None:
        """Raises what failed since.

        Raises:
            SessionFailed: in one line.
        """
        if self.failure is not None:
            what = " ".join(str(self.failure).split())
            raise SessionFailed(f"the LiveKit session failed: {type(self.failure).__name__}: {what}") from self.failure

    def taken(self) -> tuple[Event, ...]:
        """What was logged since."""
        return tuple(self.events.popleft() for _ in range(len(self.events)))

    def usage(self) -> dict[str, Any]:
        """What the session's services say they were used for, in the words of `duplex.stages.meter`."""
        assert self.session is not None
        used = self.session.usage.model_usage
        return {
            "tools": bool(self.session.tools or self.session.current_agent.tools), "retries": self.num_retries,
            "stt_seconds": sum(one.audio_duration for one in used if isinstance(one, STTModelUsage)),
            "llm_calls": self.chronicle.num_asked, "llm_calls_estimated": 0,
            "llm_input_tokens": sum(one.input_tokens for one in used if isinstance(one, LLMModelUsage)),
            "llm_output_tokens": sum(one.output_tokens for one in used if isinstance(one, LLMModelUsage)),
            "tts_characters": sum(one.characters_count for one in used if isinstance(one, TTSModelUsage))}

    async def end(self) -> None:
        try:
            if self.session is not None:
                await self.session.aclose()
        finally:
            if self.swallowed is not None:
                LOGGER.removeHandler(self.swallowed)


class Swallowed(logging.Handler):
    """Finds the exceptions that LiveKit only logs, in one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fail: Callable[[BaseException], None]):
        super().__init__(logging.ERROR)
        self.loop = loop
        self.fail = fail

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if error is not None and asyncio._get_running_loop() is self.loop:
            self.fail(error)
