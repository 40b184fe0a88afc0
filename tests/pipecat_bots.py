"""Pipelines of Pipecat for tests, some of them as a user would write his own; named by their import path."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any

import exact
from pipecat.frames.frames import EndWorkerFrame, Frame, InputAudioRawFrame, OutputAudioRawFrame, TTSAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService

from duplex.agents.pipecat import Pipecat
from duplex.conversation import Prompt
from duplex.frame import Event
from duplex.frameworks.clock import Clock, VirtualClock
from duplex.frameworks.pcm import pcm
from duplex.frameworks.pipecat_pipeline import StagedPipeline, Turns, Voicing
from duplex.frameworks.pipecat_stages import Listens, Speaks
from duplex.frameworks.pipecat_transport import FrameTransport
from duplex.stages.hearing.downsample import Downsampler
from duplex.stages.hearing.stt import Oracle
from duplex.stages.language.llm import Reply
from duplex.stages.language.manager import Manager

QUICK = Voicing(confidence=0.5, start=0.1, stop=0.2, min_volume=0.0)


def staged(**changed: Any) -> StagedPipeline:
    """Our stages with exact parts: told the words, a manager, each text rendered once."""
    parts = {"recogniser": Oracle(), "dialogue": Manager(), "tts": exact.Voice(), "voicing": QUICK, "turns": Turns(stop=0.4)}
    return StagedPipeline(**{**parts, **changed})


def agent(clock: Clock | None = None, costs: dict[str, float] | None = None, **changed: Any) -> Pipecat:
    return Pipecat(staged(**changed), clock or VirtualClock(exact.Costs(**(costs or {}))))


class Foreign(TTSService):
    """A synthesiser as Pipecat's users write them, at 16 kHz: it tells its words with their times, or what it has said."""

    def __init__(self, tells_times: bool):
        super().__init__(push_text_frames=not tells_times, push_start_frame=True, push_stop_frames=True, sample_rate=16_000,
                         settings=TTSSettings(model=None, voice=None, language=None))
        self.tells_times = tells_times
        self.context, self.seconds = "", 0.0

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        speech = exact.spoken(text)
        before = self.seconds if context_id == self.context else 0.0
        self.context, self.seconds = context_id, before + speech.seconds
        sound = pcm(Downsampler()(speech.samples[: len(speech.samples) // 3 * 3]))
        if self.tells_times:
            await self.add_word_timestamps([(word.text, before + word.start) for word in speech.words], context_id)
        for start in range(0, len(sound), 3_200):
            yield TTSAudioRawFrame(sound[start: start + 3_200], 16_000, 1, context_id=context_id)


def foreign(transport: FrameTransport, prompt: Prompt, tells_times: bool = False) -> Sequence[FrameProcessor]:
    made = list(staged()(transport, prompt))
    made[4] = Foreign(tells_times)
    transport.account.words_are_known = False
    return made


class InParts(Manager):
    """Says its first sentence before it knows the rest, as a language model does, and keeps what was committed."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        super().reset(prompt, seed)
        self.kept: list[str] = []

    def reply(self, heard: str) -> Reply:
        whole = super().reply(heard)
        first, *rest = whole.sentences

        def later() -> Reply:
            return replace(whole, sentences=tuple(rest), events=(Event("later"),))

        return replace(whole, sentences=(first,), rest=later if rest else None)

    def commit(self, reply: Reply) -> None:
        super().commit(reply)
        self.kept += reply.sentences


class Repeats(FrameProcessor):
    """Says what it hears."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self.push_frame(OutputAudioRawFrame(frame.audio, frame.sample_rate, 1))
        else:
            await self.push_frame(frame, direction)


def echo(transport: FrameTransport, prompt: Prompt) -> Sequence[FrameProcessor]:
    return [transport.input(), Repeats(), transport.output()]


class Does(FrameProcessor):
    """Does something at the second frame of the call."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            self.num_heard = getattr(self, "num_heard", 0) + 1
            if self.num_heard == 2:
                await self.act()
        await self.push_frame(frame, direction)

    @abstractmethod
    async def act(self) -> None: ...


class Ends(Does):
    async def act(self) -> None:
        await self.push_frame(EndWorkerFrame())


class Breaks(Does):
    async def act(self) -> None:
        raise RuntimeError("the wire is cut")


def ends(transport: FrameTransport, prompt: Prompt) -> Sequence[FrameProcessor]:
    return [transport.input(), Ends(), transport.output()]


def breaks(transport: FrameTransport, prompt: Prompt) -> Sequence[FrameProcessor]:
    return [transport.input(), Breaks(), transport.output()]


def hosted(transport: FrameTransport, prompt: Prompt, url: str = "", model: str = "scripted") -> Sequence[FrameProcessor]:
    """A user's own pipeline: a hosted language model between stages of ours, Pipecat's turn taking."""
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
    from pipecat.services.openai.llm import OpenAILLMService

    ours = staged()
    user, assistant = LLMContextAggregatorPair(LLMContext(), user_params=ours.user_parameters(transport.clock))
    llm = OpenAILLMService(base_url=url, api_key="none", retry_timeout_secs=2.0,
                           settings=OpenAILLMService.Settings(model=model, system_instruction=prompt.text))
    return [transport.input(), Listens(Oracle(), Manager(), transport.clock, 0.5), user, llm,
            Speaks(exact.Voice(), transport.clock, transport.account), transport.output(), assistant]
