"""Ears and mouth of a LiveKit agent: frames in, frames out, no room and no server between them.

The session decides when to pause, to clear and to go on; what it is told of its playback is what was played, to the sample.
"""

import asyncio
import string
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from livekit import rtc
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString
from livekit.agents.utils import is_given
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities

from duplex.frame import SAMPLE_RATE, SILENCE, Frame, Word
from duplex.frameworks.pcm import pcm, samples_of
from duplex.frameworks.speaker import Speaker
from duplex.speech import Speech
from duplex.stages.hearing.downsample import MODEL_RATE, Downsampler

FRAME: Final = "duplex.frame"  # where a sound carries the frame it was made of, for whoever understands more than sound


class Microphone(AudioInput):
    """What the user says, as the session hears it, in 80 ms.

    Args:
        rate: Hz. At 16 000 nothing in LiveKit resamples it for its models: its resampler adds a noise that is never the same.
    """

    def __init__(self, rate: int):
        super().__init__(label="frames of the user")
        if rate not in (MODEL_RATE, SAMPLE_RATE):
            raise ValueError(f"input_rate is {MODEL_RATE} or {SAMPLE_RATE} Hz, not {rate}")
        self.rate = rate
        self.downsampler = Downsampler()
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()

    def push(self, frame: Frame) -> None:
        self.frames.put_nowait(frame)

    async def __anext__(self) -> rtc.AudioFrame:
        frame = await self.frames.get()
        samples = frame.samples if self.rate == SAMPLE_RATE else self.downsampler(frame.samples)
        return rtc.AudioFrame(pcm(samples), self.rate, 1, len(samples), userdata={FRAME: frame})


class Loudspeaker(AudioOutput):
    """What the session says, played by a `Speaker`.

    Args:
        tell: called with what the session did to a speech that is being heard: "hold" or "cut".

    Attributes:
        first: (num_samples,) float32, what had come of the segment when its first frame was played.
    """

    def __init__(self, speaker: Speaker, tell: Callable[[str], None]):
        super().__init__(label="frames of the agent", capabilities=AudioOutputCapabilities(pause=True),
                         sample_rate=SAMPLE_RATE)
        self.speaker = speaker
        self.tell = tell
        self.begin_anew()

    def begin_anew(self) -> None:
        """The next sound begins a segment: what a session speaks in one go."""
        self.num_captured = 0
        self.whole = False
        self.held = False
        self.num_before = 0  # samples that the speaker had played before this segment
        self.num_told = 0  # samples of which the session knows that they were played
        self.words: list[Word] = []  # on the segment's time
        self.coming: list[Word] = []  # whose sound has not come yet
        self.first = np.zeros(0, np.float32)

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self.num_captured:
            self.num_before = self.speaker.num_played
        self.whole = False
        samples = mono(frame)
        if not self.num_told:
            self.first = np.concatenate([self.first, samples])
        self.coming += spoken_words(frame)
        self.speaker.write(Speech(samples, self.words_until(self.num_captured + len(samples))))
        self.num_captured += len(samples)

    def words_until(self, end: int) -> tuple[Word, ...]:
        """The words that begin in the sound from what was captured to `end`, on that sound's own time."""
        start = self.num_captured / SAMPLE_RATE
        here = [word for word in self.coming if round(word.start * SAMPLE_RATE) < end]
        self.coming = [word for word in self.coming if round(word.start * SAMPLE_RATE) >= end]
        self.words += here
        return tuple(Word(word.text, max(0.0, word.start - start), max(0.0, word.end - start)) for word in here)

    def flush(self) -> None:
        super().flush()
        self.whole = True

    def clear_buffer(self) -> None:
        if not self.num_captured:
            return
        if self.playing:
            self.tell("cut")
        self.speaker.clear()
        self.finish(interrupted=True)

    def pause(self) -> None:
        super().pause()
        self.speaker.pause()
        if self.playing and not self.held:
            self.held = True
            self.tell("hold")

    def resume(self) -> None:
        super().resume()
        self.speaker.resume()
        self.held = False

    @property
    def playing(self) -> bool:
        """Whether a segment has begun to be heard and is not over."""
        return self.num_told > 0

    @property
    def num_played(self) -> int:
        """Samples of the segment that were played."""
        return min(self.speaker.num_played - self.num_before, self.num_captured) if self.num_captured else 0

    def follow(self) -> None:
        """Tells the session what is being played; called once the speaker was read."""
        before, self.num_told = self.num_told, self.num_played
        if self.num_told > before:
            if not before:
                self.on_playback_started(created_at=time.time())
            self.on_playback_progressed(started_at=time.time(), offset=before / SAMPLE_RATE,
                                        duration=(self.num_told - before) / SAMPLE_RATE)

    def end(self) -> None:
        """Tells the session that a segment was played to its end; called when the next frame begins."""
        if self.whole and 0 < self.num_captured <= self.num_told:
            self.finish(interrupted=False)

    def finish(self, interrupted: bool) -> None:
        position = self.num_played / SAMPLE_RATE
        heard = " ".join(word.text for word in self.words if word.start < position)
        known = bool(self.words or self.coming)
        self.begin_anew()
        self.on_playback_finished(playback_position=position, interrupted=interrupted,
                                  synchronized_transcript=heard if interrupted and known else None)


def frame_in(sound: rtc.AudioFrame) -> Frame:
    """The frame that a sound was made of, or silence where LiveKit put that in its place."""
    known = sound.userdata.get(FRAME)
    return known if isinstance(known, Frame) else SILENCE


def mono(sound: rtc.AudioFrame) -> np.ndarray:
    """(num_samples,) float32; several channels become one."""
    return samples_of(sound.data).reshape(-1, sound.num_channels).mean(axis=1)


def spoken_words(sound: rtc.AudioFrame) -> list[Word]:
    """The words that a synthesiser timed, seconds from the start of the segment; none where it times none."""
    found: list[Word] = []
    for text in sound.userdata.get(USERDATA_TIMED_TRANSCRIPT, ()):
        plain = str(text).strip().strip(string.punctuation).lower()
        if isinstance(text, TimedString) and is_given(text.start_time) and plain:
            end = text.end_time if is_given(text.end_time) else text.start_time
            found.append(Word(plain, text.start_time, end))
    return found
