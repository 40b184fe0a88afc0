"""The frames as a Pipecat transport: the caller's sound comes in every 80 ms, the agent's goes to a loudspeaker.

For any pipeline of Pipecat 1.12.0 (Daily, BSD-2-Clause), whatever services it is made of. What is in the pipeline, and who keeps
the time, is decided elsewhere.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pipecat.frames.frames import (
    AggregatedTextFrame,
    DataFrame,
    InputAudioRawFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    StartFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.frames.frames import Frame as PipecatFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from duplex.frame import FRAME_SECONDS, SAMPLE_RATE, Frame, Word
from duplex.frameworks.clock import Clock
from duplex.frameworks.pcm import pcm, samples_of
from duplex.frameworks.pipecat_account import Account
from duplex.frameworks.speaker import Speaker
from duplex.speech import Speech
from duplex.stages.hearing.downsample import MODEL_RATE, Downsampler
from duplex.stages.speaking.tts import plain_words, shared_by_letters

CHUNKS: Final = round(FRAME_SECONDS / 0.01)  # Pipecat writes whole tens of milliseconds
LETTERS_PER_SECOND: Final = 15.0  # of a synthesiser that says when its words begin and not when they end


@dataclass
class Heard(InputAudioRawFrame):
    """80 ms of the caller, with the frame that they are: a recogniser that is told the words finds them there."""

    frame: Frame | None = None


@dataclass
class Spoken(TTSAudioRawFrame):
    """Synthesised sound with the words that begin in it, on its own time."""

    words: tuple[Word, ...] = ()


@dataclass
class Sentence(AggregatedTextFrame):
    """A sentence on its way to the synthesiser, and what is done when its sound begins to be played."""

    begins: Callable[[], None] | None = field(default=None)


@dataclass
class Deed(DataFrame):
    """Something done once all that was said before it has been played."""

    begins: Callable[[], None]


class Ears(BaseInputTransport):
    """The way in."""

    def __init__(self, params: TransportParams):
        super().__init__(params)
        self.rate = params.audio_in_sample_rate or MODEL_RATE
        self.downsampler = Downsampler()
        self.heard: asyncio.Queue[Heard] = asyncio.Queue()
        self.num_heard = 0

    def hear(self, frame: Frame) -> None:
        """The caller's last 80 ms, in the loop."""
        self.num_heard += 1
        samples = frame.samples if self.rate == SAMPLE_RATE else self.downsampler(frame.samples)
        self.heard.put_nowait(Heard(pcm(samples), self.rate, 1, frame=frame))

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self.create_task(self.pump(), name="ears")

    async def pump(self) -> None:
        while True:
            await self.push_audio_frame(await self.heard.get())


class Mouthpiece(BaseOutputTransport):
    """The way out: writes to a loudspeaker no faster than it plays, and knows which sample belongs to which words.

    Pipecat cuts sound into chunks of 80 ms; what is counted here are samples of all that is handed to it.
    """

    def __init__(self, params: TransportParams, speaker: Speaker, clock: Clock, account: Account):
        super().__init__(params)
        self.speaker, self.clock, self.account = speaker, clock, account
        self.ahead = FRAME_SECONDS / 2 if clock.needs_time else 0.0  # what a step may be early or late by
        self.free_at = 0.0  # when what is written will have been played, seconds on the clock
        self.begin_anew()

    def begin_anew(self) -> None:
        self.origin = self.speaker.num_written  # samples on the loudspeaker before the first of these
        self.num_received = self.num_written = 0
        self.words: deque[tuple[int, Word]] = deque()  # each with the sample it begins at
        self.sentence = 0  # sample at which the latest one begins
        self.context: tuple[int, int] | None = None  # sample, and time in ns, at which the latest synthesis begins

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def process_frame(self, frame: PipecatFrame, direction: FrameDirection) -> None:
        if isinstance(frame, InterruptionFrame):
            self.account.interrupted()
            self.speaker.clear()
        elif direction is FrameDirection.DOWNSTREAM:
            self.follow(frame)
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            await self.drop_what_waits()

    def follow(self, frame: PipecatFrame) -> None:
        """Keeps count of what comes by, in the order in which it will be played."""
        if isinstance(frame, Sentence | Deed) and frame.begins is not None:
            self.speaker.when_played(self.origin + self.num_received, frame.begins, isinstance(frame, Sentence))
        if isinstance(frame, AggregatedTextFrame) and not isinstance(frame, TTSTextFrame):
            self.sentence = self.num_received
        elif isinstance(frame, TTSTextFrame):
            self.tell_words(frame)
        elif isinstance(frame, TTSStartedFrame):
            self.context = None
        elif isinstance(frame, TTSStoppedFrame):  # Pipecat fills its last chunk up
            self.num_received = -(-self.num_received // self.chunk_samples) * self.chunk_samples
        elif isinstance(frame, OutputAudioRawFrame):
            if isinstance(frame, TTSAudioRawFrame):
                self.sound(frame)
            self.num_received += len(frame.audio) // 2 // frame.num_channels * SAMPLE_RATE // frame.sample_rate

    def sound(self, frame: TTSAudioRawFrame) -> None:
        if self.account.received(frame):
            self.speaker.when_played(self.origin + self.num_received, self.account.answers)
        self.synthesis_began()
        if isinstance(frame, Spoken):
            self.words += [(self.num_received + round(word.start * SAMPLE_RATE), word) for word in frame.words]

    def synthesis_began(self) -> tuple[int, int]:
        if self.context is None:
            self.context = self.num_received, self.get_clock().get_time()
        return self.context

    def tell_words(self, frame: TTSTextFrame) -> None:
        """Words of a foreign synthesiser: each with the time that it gives it, or a sentence behind its sound."""
        if self.account.words_are_known:
            return
        if frame.pts:
            sample, began = self.synthesis_began()
            start = sample / SAMPLE_RATE + (frame.pts - began) / 1e9
            self.spread(frame.text, start, start + len(frame.text) / LETTERS_PER_SECOND)
        else:
            self.spread(frame.text, self.sentence / SAMPLE_RATE, self.num_received / SAMPLE_RATE)
            self.sentence = self.num_received

    def spread(self, text: str, start: float, end: float) -> None:
        """Estimates when the words of what is said from `start` to `end` are said, by their letters."""
        for mark in shared_by_letters(plain_words(text), start, end):
            self.words.append((round(mark.start * SAMPLE_RATE), Word(mark.text, mark.start, mark.limit)))

    @property
    def chunk_samples(self) -> int:
        return self.audio_chunk_size // 2

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        samples = samples_of(frame.audio)
        end = self.num_written + len(samples)
        words = []
        while self.words and self.words[0][0] < end:
            sample, word = self.words.popleft()
            start = max(0.0, (sample - self.num_written) / SAMPLE_RATE)  # told too late, it begins now
            words.append(Word(word.text, start, start + word.end - word.start))
        self.num_written = end
        self.speaker.write(Speech(samples, tuple(words)))
        now = self.clock.now
        self.free_at = max(self.free_at, now) + len(samples) / SAMPLE_RATE
        await asyncio.sleep(max(0.0, self.free_at - self.ahead - now))
        return True

    async def drop_what_waits(self) -> None:
        """Nothing of what was interrupted is said later, not even what was too little for a chunk."""
        self.speaker.clear()  # of what was written while Pipecat stopped whoever writes
        for sender in self._media_senders.values():
            sender._clear_audio_buffer()  # Pipecat does it only where the bot had begun to speak
        self.free_at = 0.0
        self.begin_anew()


class FrameTransport(BaseTransport):
    """Both ways, as a Pipecat bot expects them.

    Attributes:
        clock: of the call; for services that charge what they cost.
        seed: of the call.
        account: what is logged of it.
        speaker: what is played, and when.
    """

    def __init__(self, clock: Clock, speaker: Speaker, account: Account, seed: int, input_rate: int):
        super().__init__()
        self.clock, self.speaker, self.account, self.seed = clock, speaker, account, seed
        params = TransportParams(
            audio_in_enabled=True, audio_in_sample_rate=input_rate, audio_out_enabled=True, audio_out_sample_rate=SAMPLE_RATE,
            audio_out_10ms_chunks=CHUNKS, audio_out_end_silence_secs=0)
        self.ears = Ears(params)
        self.mouthpiece = Mouthpiece(params, speaker, clock, account)

    def input(self) -> Ears:
        return self.ears

    def output(self) -> Mouthpiece:
        return self.mouthpiece
