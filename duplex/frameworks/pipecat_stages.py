"""Our stages as Pipecat's services: a recogniser, a language stage, a voice. What each costs is charged to the call's clock.

They stand where a hosted service would, and do what it does: stream, be interrupted, report when they fail. When a turn begins
and ends is Pipecat's decision.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable
from functools import partial

import numpy as np
from pipecat.frames.frames import (
    AggregationType,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.frames.frames import Frame as PipecatFrame
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.settings import STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from duplex.frame import SAMPLE_RATE, Frame
from duplex.frameworks.clock import Clock
from duplex.frameworks.pcm import pcm
from duplex.frameworks.pipecat_account import Account
from duplex.frameworks.pipecat_transport import Deed, Heard, Sentence, Spoken
from duplex.speech import Speech
from duplex.stages.answer import HASTY_SECONDS, first_sentence
from duplex.stages.hearing.ears import PRE_ROLL_FRAMES
from duplex.stages.hearing.stt import Recogniser
from duplex.stages.language.llm import Dialogue, Reply
from duplex.stages.speaking.mouth import GAP
from duplex.stages.speaking.tts import TTS

USER = "caller"


class Utterance:
    """What is said between two pauses."""

    def __init__(self, frames: list[Frame], expected_digits: int):
        self.waiting = frames  # for the recogniser
        self.expected_digits = expected_digits
        self.begun = self.over = False
        self.text = ""


class Listens(STTService):
    """A streaming recogniser: interim texts while somebody speaks, the final one when Pipecat's VAD hears a pause.

    Args:
        ttfs_p99: seconds from the end of speech to the final text that Pipecat gives it before it goes on with what it has.
    """

    def __init__(self, recogniser: Recogniser, dialogue: Dialogue, clock: Clock, ttfs_p99: float):
        super().__init__(ttfs_p99_latency=ttfs_p99, settings=STTSettings(model="recogniser", language=None))
        self.recogniser, self.dialogue, self.clock = recogniser, dialogue, clock
        self.recent: deque[Frame] = deque(maxlen=PRE_ROLL_FRAMES)
        self.utterance: Utterance | None = None
        self.free = asyncio.Lock()  # a recogniser hears one utterance at a time
        self.last: asyncio.Task[None] | None = None  # of its interim texts on their way

    async def process_audio_frame(self, frame: InputAudioRawFrame, direction: FrameDirection) -> None:
        assert isinstance(frame, Heard) and frame.frame is not None, "only the frames' own transport brings frames"
        self.recent.append(frame.frame)
        if self.utterance is not None:
            self.utterance.waiting.append(frame.frame)
        await super().process_audio_frame(frame, direction)

    async def run_stt(self, audio: bytes) -> AsyncGenerator[PipecatFrame | None, None]:
        utterance = self.utterance
        if utterance is not None and (utterance.begun or not self.free.locked()):
            if not utterance.begun:
                await self.free.acquire()  # until it is finished
            before = utterance.text
            self.understand(utterance)
            if utterance.text != before:
                self.last = self.create_task(self.arrive(utterance, utterance.text, self.last), name="interim")
        yield None

    def understand(self, utterance: Utterance) -> None:
        """Lets the recogniser hear all that waits."""
        if not utterance.begun:
            self.recogniser.start(utterance.expected_digits)
            utterance.begun = True
        for frame in utterance.waiting:
            utterance.text = self.recogniser.hear(frame)
        utterance.waiting.clear()

    async def arrive(self, utterance: Utterance, text: str, before: "asyncio.Task[None] | None") -> None:
        """Brings an interim text as late as the stream is, behind the one before it, unless the final one was quicker."""
        await self.clock.lag("stt_partial", text)
        if before is not None:
            await asyncio.wait({before})
        if not utterance.over:
            await self.push_frame(InterimTranscriptionFrame(text, USER, ""))

    async def process_frame(self, frame: PipecatFrame, direction: FrameDirection) -> None:
        if isinstance(frame, VADUserStartedSpeakingFrame) and self.utterance is None:
            self.utterance = Utterance(list(self.recent), self.dialogue.expected_digits())
            self.recent.clear()  # what belongs to this utterance must not begin the next one
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame) and self.utterance is not None:
            ended, self.utterance = self.utterance, None
            self.create_task(told(self, self.finish(ended)), name="final")  # what comes meanwhile must not wait

    async def finish(self, utterance: Utterance) -> None:
        if not utterance.begun:
            await self.free.acquire()
        text = await self.clock.charge("stt_final", utterance.text, partial(self.final, utterance))
        utterance.over = True
        self.free.release()
        if text:
            await self.push_frame(TranscriptionFrame(text, USER, "", finalized=True))

    def final(self, utterance: Utterance) -> str:
        self.understand(utterance)
        return self.recogniser.finish()


class Thinks(FrameProcessor):
    """A language stage: answers what the caller said since it last answered, sentence by sentence.

    An answer becomes history when its first sound is played, and what is done by saying it is done then. One that is talked over
    before it was heard never was: what it answered is answered together with what comes.
    """

    def __init__(self, dialogue: Dialogue, clock: Clock, account: Account):
        super().__init__()
        self.dialogue, self.clock, self.account = dialogue, clock, account
        self.num_answered = self.num_before = 0  # turns of the caller, and how many they were before the answer said last
        self.spoken_at: float | None = None

    async def process_frame(self, frame: PipecatFrame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame):
            await self.answer(turns(frame.context))
            return
        if isinstance(frame, InterruptionFrame):
            self.retract()
        await self.push_frame(frame, direction)

    async def answer(self, said: list[str]) -> None:
        heard = " ".join(said[self.num_answered:])
        self.account.answering(heard)
        reply = await self.clock.charge("llm", heard, partial(self.dialogue.reply, heard))
        await self.push_frame(LLMFullResponseStartFrame())
        await self.say(reply, partial(self.begin, reply, len(said)))
        while reply.rest is not None:
            reply = await self.clock.charge("llm", first_sentence(reply), reply.rest)
            await self.say(reply, partial(self.go_on, reply))
        await self.push_frame(LLMFullResponseEndFrame())

    async def say(self, reply: Reply, begins: "partial[None]") -> None:
        if not reply.sentences:
            await self.push_frame(Deed(begins))
        for number, sentence in enumerate(reply.sentences):
            await self.push_frame(Sentence(sentence, AggregationType.SENTENCE, begins=None if number else begins))

    def begin(self, reply: Reply, num_turns: int) -> None:
        """The answer's first sound is played."""
        self.num_before, self.num_answered = self.num_answered, num_turns
        self.spoken_at = self.clock.now
        self.go_on(reply)

    def go_on(self, reply: Reply) -> None:
        self.dialogue.commit(reply)
        self.account.speaker.add(reply.events)

    def retract(self) -> None:
        spoken_at, self.spoken_at = self.spoken_at, None
        if spoken_at is not None and self.account.speaking and self.account.onset - spoken_at < HASTY_SECONDS:
            self.dialogue.retract()
            self.num_answered = self.num_before
            self.account.speaker.note("retract")


class Speaks(TTSService):
    """A synthesiser: each sentence with the times of its words."""

    def __init__(self, tts: TTS, clock: Clock, account: Account):
        super().__init__(push_text_frames=False, push_start_frame=True, push_stop_frames=True, sample_rate=SAMPLE_RATE,
                         settings=TTSSettings(model=tts.name, voice=None, language=None))
        self.tts, self.clock = tts, clock
        account.words_are_known = True
        self.context = ""
        self.seconds = 0.0  # of sound of this context

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[PipecatFrame | None, None]:
        speech = await self.clock.charge("tts", text, partial(self.tts.synthesise, text))
        if context_id == self.context:  # a further sentence
            yield self.sound(GAP, context_id)
        else:
            self.context, self.seconds = context_id, 0.0
        await self.add_word_timestamps([(word.text, self.seconds + word.start) for word in speech.words], context_id)
        yield self.sound(speech, context_id)

    def sound(self, speech: Speech, context_id: str) -> Spoken:
        self.seconds += speech.seconds
        return Spoken(pcm(np.asarray(speech.samples)), SAMPLE_RATE, 1, context_id=context_id, words=speech.words)


async def told(processor: FrameProcessor, work: Awaitable[None]) -> None:
    """`work` of a task of its own, whose failure Pipecat is told of: it would log it and go on."""
    try:
        await work
    except Exception as error:  # raised by the agent's next step
        await processor.push_error(str(error), exception=error)


def turns(context: LLMContext) -> list[str]:
    """What the caller said in each turn."""
    return [str(message["content"]) for message in context.get_messages()
            if isinstance(message, dict) and message.get("role") == "user"]
