"""Our stages as LiveKit Agents has them: a streaming STT, an LLM and a TTS, for any `AgentSession`.

They cost what the clock says, and work as those of the cascade do. Turn detection and interruption are LiveKit's business.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from livekit import rtc
from livekit.agents import llm, stt, tts
from livekit.agents.language import LanguageCode
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr, TimedString

from duplex.frame import SAMPLE_RATE, Frame
from duplex.frameworks.clock import Clock
from duplex.frameworks.livekit_io import frame_in
from duplex.frameworks.livekit_line import Line
from duplex.frameworks.pcm import pcm
from duplex.speech import Speech
from duplex.stages.answer import first_sentence
from duplex.stages.hearing.ears import PRE_ROLL_FRAMES
from duplex.stages.hearing.stt import Recogniser
from duplex.stages.hearing.vad import VAD, SpeechDetector
from duplex.stages.language.llm import Reply
from duplex.stages.language.speakable import Sentences
from duplex.stages.speaking.mouth import GAP
from duplex.stages.speaking.pieces import without_lead
from duplex.stages.speaking.tts import TTS, StreamsSpeech

SENTENCE_END: Final = "\n"  # behind each of our sentences, which come whole: nobody cuts them anew


class Hears(stt.STT[Any]):  # it has no events of its own
    """A recogniser that finds utterances by a voice activity detection of its own, as hosted ones do.

    Args:
        line: the conversation.
        clock: what work costs.
        recogniser: streaming.
        vad: probability of speech.
        detector: when that is speech.
        final_after: seconds of silence that end an utterance, whose final text is then sent.
        preflight_after: seconds without change after which a hypothesis is sent as one that may be answered ahead of the end
            (LiveKit's preflight transcript); None sends none.
    """

    def __init__(self, line: Line, clock: Clock, recogniser: Recogniser, vad: VAD, detector: SpeechDetector,
                 final_after: float, preflight_after: float | None):
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True, offline_recognize=False))
        self.line = line
        self.clock = clock
        self.recogniser = recogniser
        self.voice_activity = vad
        self.detector = detector
        self.final_after = final_after
        self.preflight_after = preflight_after

    async def _recognize_impl(self, buffer: Any, *, language: NotGivenOr[str] = NOT_GIVEN,
                              conn_options: APIConnectOptions) -> stt.SpeechEvent:
        raise ValueError("our recognisers hear streams: a session with turn detection of its own asks for `stream`")

    def stream(self, *, language: NotGivenOr[str] = NOT_GIVEN,
               conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> "Hearing":
        return Hearing(self, conn_options)


class Hearing(stt.RecognizeStream):
    """One stream of a `Hears`: the detector listens to every frame, the recogniser to those of an utterance, in order."""

    def __init__(self, ears: Hears, conn_options: APIConnectOptions):
        super().__init__(stt=ears, conn_options=conn_options)
        self.ears = ears
        self.recent: list[Frame] = []
        self.work: asyncio.Queue[Callable[[], Coroutine[Any, Any, None]]] = asyncio.Queue()
        self.in_utterance = False
        self.busy = False  # the recogniser, with an utterance of this stream
        self.text = ""  # as the recogniser has it
        self.arrived = ""  # as it has reached the session
        self.on_the_way: list[asyncio.Task[None]] = []  # hypotheses of this utterance, in order

    async def _run(self) -> None:
        self.ears.voice_activity.reset()
        self.ears.detector.reset()
        recognising = asyncio.create_task(self.recognise())
        listening = asyncio.create_task(self.listen())
        try:
            done, _ = await asyncio.wait((recognising, listening), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            recognising.cancel()
            listening.cancel()
            self.forget_what_is_on_the_way()
            if self.busy:  # a session may begin another stream in mid-utterance
                self.ears.recogniser.finish()

    async def listen(self) -> None:
        async for sound in self._input_ch:
            if isinstance(sound, rtc.AudioFrame):
                self.hear(frame_in(sound))

    def hear(self, frame: Frame) -> None:
        detector = self.ears.detector
        detector.hear(self.ears.voice_activity.hear(frame))
        if not self.in_utterance:
            self.recent = [*self.recent[1 - PRE_ROLL_FRAMES:], frame]
            if detector.speaking:
                self.in_utterance = True
                self.tell(stt.SpeechEventType.START_OF_SPEECH)
                digits, heard, self.recent = self.ears.line.dialogue.expected_digits(), self.recent, []
                self.work.put_nowait(lambda: self.begin(digits, heard))
            return
        self.work.put_nowait(lambda: self.understand([frame]))
        if not detector.speaking and detector.silence_seconds >= self.ears.final_after:
            self.in_utterance = False
            self.work.put_nowait(self.finish)

    async def recognise(self) -> None:
        while True:
            await (await self.work.get())()

    async def begin(self, digits: int, heard: list[Frame]) -> None:
        self.ears.recogniser.start(digits)
        self.busy = True
        self.text = self.arrived = ""
        await self.understand(heard)

    async def understand(self, heard: list[Frame]) -> None:
        known = self.text
        for frame in heard:
            self.text = self.ears.recogniser.hear(frame)
        if self.text != known:
            before = self.on_the_way[-1] if self.on_the_way else None
            self.on_the_way.append(asyncio.create_task(self.send(self.text, before)))

    async def send(self, text: str, before: "asyncio.Task[None] | None") -> None:
        """A hypothesis on its way: as late as the stream runs, and never before the one that went before it."""
        await self.ears.clock.lag("stt_partial", text)
        if before is not None and not before.done():
            await asyncio.wait((before,))
        self.arrived = text
        self.tell(stt.SpeechEventType.INTERIM_TRANSCRIPT, text)
        if self.ears.preflight_after is not None:
            asyncio.get_running_loop().call_later(self.ears.preflight_after, self.send_ahead, text, asyncio.current_task())

    def send_ahead(self, text: str, sent: "asyncio.Task[None] | None") -> None:
        if text and self.on_the_way and sent is self.on_the_way[-1]:  # nothing else has been understood since
            self.tell(stt.SpeechEventType.PREFLIGHT_TRANSCRIPT, text)

    async def finish(self) -> None:
        self.forget_what_is_on_the_way()
        self.busy = False
        final = await self.ears.clock.charge("stt_final", self.arrived, self.ears.recogniser.finish)
        self.text = ""
        self.tell(stt.SpeechEventType.FINAL_TRANSCRIPT, final)
        self.tell(stt.SpeechEventType.END_OF_SPEECH)

    def forget_what_is_on_the_way(self) -> None:
        for task in self.on_the_way:
            task.cancel()
        self.on_the_way.clear()

    def tell(self, kind: stt.SpeechEventType, text: str = "") -> None:
        if not self._event_ch.closed:
            said = [stt.SpeechData(LanguageCode("en"), text)] if text or kind is stt.SpeechEventType.FINAL_TRANSCRIPT else []
            self._event_ch.send_nowait(stt.SpeechEvent(kind, alternatives=said))


class Answers(llm.LLM[Any]):
    """A dialogue that answers what the user said since it was heard last, sentence by sentence.

    Its tools are its own: what they did is logged when the sentence is heard that says so, as the cascade does it.
    """

    def __init__(self, line: Line, clock: Clock):
        super().__init__()
        self.line = line
        self.clock = clock

    def chat(self, *, chat_ctx: llm.ChatContext, tools: list[llm.Tool] | None = None,
             conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS, **ignored: Any) -> "Answering":
        return Answering(self, chat_ctx, tools or [], conn_options)


class Answering(llm.LLMStream):
    """One answer as it comes."""

    def __init__(self, answers: Answers, chat_ctx: llm.ChatContext, tools: list[llm.Tool], conn_options: APIConnectOptions):
        super().__init__(answers, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)
        self.answers = answers

    async def _run(self) -> None:
        line, clock = self.answers.line, self.answers.clock
        heard = line.unanswered(self._chat_ctx)
        line.begin_answer()
        reply = await clock.charge("llm", heard, lambda: line.dialogue.reply(heard))
        self.bring(reply)
        while reply.rest is not None:
            reply = await clock.charge("llm", first_sentence(reply), reply.rest)
            self.bring(reply)

    def bring(self, reply: Reply) -> None:
        self.answers.line.expect(reply)
        for sentence in reply.sentences:
            delta = llm.ChoiceDelta(role="assistant", content=sentence + SENTENCE_END)
            self._event_ch.send_nowait(llm.ChatChunk(id="answer", delta=delta))


class Speaks(tts.TTS[Any]):
    """A synthesiser, sentence by sentence, with the times of its words; a breath between sentences, as the cascade makes it."""

    def __init__(self, line: Line, clock: Clock, voice: TTS):
        super().__init__(capabilities=tts.TTSCapabilities(streaming=True, aligned_transcript=True),
                         sample_rate=SAMPLE_RATE, num_channels=1)
        self.line = line
        self.clock = clock
        self.voice = voice

    def synthesize(self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> tts.ChunkedStream:
        return self._synthesize_with_stream(text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> "Speaking":
        return Speaking(self, conn_options)


class Speaking(tts.SynthesizeStream):
    """One segment as it is spoken."""

    def __init__(self, mouth: Speaks, conn_options: APIConnectOptions):
        super().__init__(tts=mouth, conn_options=conn_options)
        self.mouth = mouth
        self.seconds = 0.0  # spoken so far

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(request_id="speech", sample_rate=SAMPLE_RATE, num_channels=1, mime_type="audio/pcm",
                                  stream=True)
        output_emitter.start_segment(segment_id="speech")
        cut = Sentences()
        self.seconds = 0.0
        async for text in self._input_ch:
            if isinstance(text, self._FlushSentinel):
                whole = cut.rest()
            elif not cut.text and text.endswith(SENTENCE_END):
                whole = [text.removesuffix(SENTENCE_END)]
            else:
                whole = cut.feed(text)
            for sentence in whole:
                await self.say(sentence, output_emitter)

    async def say(self, sentence: str, emitter: tts.AudioEmitter) -> None:
        voice, clock = self.mouth.voice, self.mouth.clock
        self._mark_started()
        if not isinstance(voice, StreamsSpeech):
            speech = await clock.charge("tts", sentence, lambda: voice.synthesise(sentence))
            self.begin(sentence, emitter)
            self.push(speech, emitter)
            return
        pieces = voice.stream(sentence)
        try:
            piece = await clock.charge("tts", sentence, lambda: next(pieces, None))
            self.begin(sentence, emitter)
            number = 0
            while piece is not None:
                self.push(piece if number else without_lead(piece), emitter)
                number += 1
                piece = await clock.charge("tts_piece", f"{sentence} #{number}", lambda: next(pieces, None))
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def begin(self, sentence: str, emitter: tts.AudioEmitter) -> None:
        if self.seconds:
            self.push(GAP, emitter)
        self.mouth.line.will_say(sentence, self.seconds)

    def push(self, speech: Speech, emitter: tts.AudioEmitter) -> None:
        emitter.push_timed_transcript([TimedString(f"{word.text} ", self.seconds + word.start, self.seconds + word.end)
                                       for word in speech.words])
        emitter.push_frame(rtc.AudioFrame(pcm(speech.samples), SAMPLE_RATE, 1, len(speech.samples)))
        emitter.flush()  # nothing waits for what comes later
        self.seconds += speech.seconds
