"""LiveKit sessions for tests: of exact parts, one that says back what it hears, and one whose language model is elsewhere."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import exact
from livekit import rtc
from livekit.agents import Agent, AgentSession, APIConnectionError, function_tool, llm, stt
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from livekit.agents.voice.agent_session import SessionConnectOptions

from duplex.agents.livekit import LiveKit
from duplex.conversation import Prompt
from duplex.frameworks.clock import Clock, VirtualClock
from duplex.frameworks.livekit_session import Desk, Stages
from duplex.latency import Charges, Ideal
from duplex.stages.hearing.stt import Oracle
from duplex.stages.hearing.vad import EnergyVad, SpeechDetector
from duplex.stages.language.manager import Manager

QUICK = APIConnectOptions(max_retry=0, timeout=2.0)
PATIENT = APIConnectOptions(max_retry=2, retry_interval=0.1, timeout=2.0)


def stages(**changed: Any) -> Stages:  # keyword arguments of several types
    made = {"vad": EnergyVad(), "detector": SpeechDetector(start_windows=2), "recogniser": Oracle(), "dialogue": Manager(),
            "tts": exact.Voice(), "final_after": 0.16, "endpointing": {"min_delay": 0.4, "max_delay": 1.0},
            "interruption": {"min_duration": 0.3, "false_interruption_timeout": 0.5}}
    return Stages(**{**made, **changed})


def agent(charges: Charges = Ideal(), clock: Clock | None = None, **changed: Any) -> LiveKit:
    return LiveKit(stages(**changed), clock or VirtualClock(charges))


class Deaf(stt.STT[Any]):
    """Is there so that the session hands sound to its agent's node."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise AssertionError("the sound goes to the agent's node")


class SaysBack(Agent):
    """Says what it hears: the sound passes through the session's input, the agent's node, a speech and the session's output."""

    def __init__(self) -> None:
        super().__init__(instructions="")
        self.sound: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    async def stt_node(self, audio: AsyncIterable[rtc.AudioFrame], model_settings: Any) -> AsyncIterator[stt.SpeechEvent]:
        async for frame in audio:
            self.sound.put_nowait(frame)
        return
        yield

    async def heard(self) -> AsyncIterator[rtc.AudioFrame]:
        while True:
            yield await self.sound.get()

    async def on_enter(self) -> None:
        self.session.say("…", audio=self.heard(), allow_interruptions=False)


def says_back(prompt: Prompt) -> tuple[AgentSession[Any], Agent]:
    """A session of nobody's stages."""
    turns: Any = {"turn_detection": "manual", "interruption": {"discard_audio_if_uninterruptible": False, "mode": "vad"}}
    return AgentSession(stt=Deaf(), vad=None, turn_handling=turns, user_away_timeout=None, aec_warmup_duration=None), SaysBack()


class Scripted(llm.LLM[Any]):
    """A language model that follows a script: each call brings the next line, text or the call of a function."""

    def __init__(self, *script: str | llm.FunctionToolCall) -> None:
        super().__init__()
        self.script = list(script)

    def chat(self, *, chat_ctx: llm.ChatContext, tools: Any = None,
             conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS, **_: Any) -> "Line":
        return Line(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class Line(llm.LLMStream):
    async def _run(self) -> None:
        assert isinstance(self._llm, Scripted)
        line = self._llm.script.pop(0)
        await asyncio.sleep(0.2)
        said = {"content": line} if isinstance(line, str) else {"tool_calls": [line]}
        self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=llm.ChoiceDelta(role="assistant", **said)))  # type: ignore[arg-type]


class Clerk(Agent):
    """Looks prices up, and hands over to a colleague."""

    def __init__(self, *script: str | llm.FunctionToolCall) -> None:
        super().__init__(instructions="", llm=Scripted(*script))

    @function_tool
    async def price(self, item: str) -> str:
        """What something costs."""
        return "thirty five dollars"

    @function_tool
    async def colleague(self) -> Agent:
        """Somebody else goes on."""
        return Clerk("It is behind the store.")


class OwnAgent(Stages):
    """Our ears and voice, somebody else's agent."""

    def __init__(self, *script: str | llm.FunctionToolCall) -> None:
        self.__dict__.update(stages(preemptive_generation={"enabled": False}).__dict__)
        self.script = script

    def __call__(self, prompt: Prompt) -> tuple[AgentSession[Any], Agent]:
        session, _ = super().__call__(prompt)
        return session, Clerk(*self.script)


class Elsewhere(llm.LLM[Any]):
    """A chat model behind an OpenAI-compatible interface, without LiveKit's plugin for it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        from openai import AsyncOpenAI
        self.client = AsyncOpenAI(api_key="none", base_url=url, timeout=1.0, max_retries=0)

    def chat(self, *, chat_ctx: llm.ChatContext, tools: Any = None,
             conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS, **_: Any) -> "Stream":
        return Stream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class Stream(llm.LLMStream):
    async def _run(self) -> None:
        from openai import OpenAIError
        messages: Any = [{"role": item.role, "content": item.text_content or ""}
                         for item in self._chat_ctx.items if item.type == "message"]
        assert isinstance(self._llm, Elsewhere)
        try:
            chunks = await self._llm.client.chat.completions.create(model="test", messages=messages, stream=True)
            async for chunk in chunks:
                text = chunk.choices[0].delta.content if chunk.choices else None
                if text:
                    self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=llm.ChoiceDelta(role="assistant", content=text)))
        except OpenAIError as error:
            raise APIConnectionError(f"the model elsewhere: {error}") from error


class StagesElsewhere(Stages):
    """Our ears and voice, a language model of somebody else's at `url`."""

    def __init__(self, url: str, retried: bool = False) -> None:
        made = stages()
        self.__dict__.update(made.__dict__)
        self.url = url
        self.options = PATIENT if retried else QUICK

    def __call__(self, prompt: Prompt) -> tuple[AgentSession[Any], Agent]:
        session, desk = super().__call__(prompt)
        assert isinstance(desk, Desk)
        session._llm = Elsewhere(self.url)
        session._conn_options = SessionConnectOptions(llm_conn_options=self.options)
        return session, desk
