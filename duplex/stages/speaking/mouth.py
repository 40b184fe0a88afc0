"""Mouth: what an agent is saying, frame by frame, and how it stops, goes on or drops the rest.

It plays speech and knows how far it got. What to say, and whether to yield, is the agent's decision.
"""

from collections import deque
from typing import Final

import numpy as np

from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, Event, Frame, Word, frozen
from duplex.speech import Speech
from duplex.stages.speaking.pieces import joined

SENTENCE_GAP: Final = 0.24  # seconds between sentences of one answer; synthesisers' own padding is cut off
FADE_SAMPLES: Final = 120  # 5 ms, so that stopping in a word is no click
GAP: Final = Speech(np.zeros(round(SENTENCE_GAP * SAMPLE_RATE), np.float32))
NOTHING: Final[np.ndarray] = np.zeros(0, np.float32)


class Mouth:
    """Plays speeches one after the other.

    Attributes:
        paused: holds its breath; nothing is lost.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.queue: deque[Speech] = deque()
        self.position = 0  # samples of the first speech in the queue that were played
        self.paused = False
        self.said: Speech | None = None  # the last sentence, once all of it that had come was played
        self.gap = 0  # samples of silence since then, not counting those in which it holds its breath
        self.tail: np.ndarray = NOTHING  # fading out, for the start of the next frame
        self.rising = False  # the next frame goes on in the middle of a sound
        self.events: list[Event] = []

    @property
    def speaking(self) -> bool:
        """Whether there is anything left to say, paused or not."""
        return bool(self.queue)

    @property
    def ahead(self) -> float:
        """Seconds that wait to be said."""
        return (sum(len(speech.samples) for speech in self.queue) - self.position) / SAMPLE_RATE

    def say(self, speech: Speech) -> None:
        """Begins a sentence."""
        if self.queue:
            self.queue.append(GAP)
        self.queue.append(speech)

    def go_on(self, piece: Speech) -> None:
        """Says a piece right after the one before it; one that comes too late leaves a gap, which is logged."""
        if self.queue:
            self.queue[-1] = joined((self.queue[-1], piece))
        elif self.said is not None:
            if self.gap:
                self.note("underrun", seconds=self.gap / SAMPLE_RATE)
                self.rising = True
            self.position = len(self.said.samples)
            self.queue.append(joined((self.said, piece)))
        else:
            self.queue.append(piece)

    def note(self, kind: str, **detail: str | int | float | bool | None | list[str] | list[float]) -> None:
        """Logs a decision with the frame that begins now."""
        self.events.append(Event(kind, detail=detail))

    def stop(self) -> None:
        """Drops all that was not said yet."""
        self.fade()
        self.queue.clear()
        self.said = None
        self.position = 0
        self.paused = False

    def pause(self) -> None:
        self.fade()
        self.paused = True

    def fade(self) -> None:
        """Keeps 5 ms of what would have come, fading, for the start of the next frame."""
        if self.queue and not self.paused and self.position:
            rest = self.queue[0].samples[self.position: self.position + FADE_SAMPLES]
            self.tail = rest * np.linspace(1.0, 0.0, len(rest), dtype=np.float32)

    def resume(self, sentence: bool = False) -> None:
        """Goes on with the word that was cut off, from its start: half a word is not understood.

        Args:
            sentence: from the start of the sentence instead, for when the listener's mind was elsewhere.
        """
        if not self.paused:  # nothing was cut off
            return
        self.paused = False
        if sentence:
            self.position = 0
        elif self.queue:
            cut = [begin for word in self.queue[0].words
                   if (begin := sample(word.start)) < self.position < sample(word.end)]
            self.position = cut[0] if cut else self.position
        self.rising = self.position > 0

    def frame(self) -> Frame:
        """The next 80 ms."""
        events, self.events = tuple(self.events), []
        samples = np.zeros(FRAME_SAMPLES, np.float32)
        words: list[Word] = []
        filled = 0
        while self.queue and not self.paused and filled < FRAME_SAMPLES:
            speech = self.queue[0]
            taken = min(FRAME_SAMPLES - filled, len(speech.samples) - self.position)
            samples[filled: filled + taken] = speech.samples[self.position: self.position + taken]
            offset = (filled - self.position) / SAMPLE_RATE
            words += [Word(word.text, word.start + offset, word.end + offset) for word in speech.words
                      if self.position <= sample(word.start) < self.position + taken]
            filled += taken
            self.position += taken
            if self.position == len(speech.samples):
                self.said = self.queue.popleft()
                self.position = 0
        self.gap = 0 if self.queue or self.paused else FRAME_SAMPLES - filled if filled else self.gap + FRAME_SAMPLES
        return Frame(frozen(self.faded(samples)), tuple(words), events)

    def faded(self, samples: np.ndarray) -> np.ndarray:
        """`samples` with what was cut off before them fading out, and rising where they begin in mid-sound."""
        if self.rising:
            samples[:FADE_SAMPLES] *= np.linspace(0.0, 1.0, FADE_SAMPLES, dtype=np.float32)
        samples[: len(self.tail)] += self.tail
        self.tail, self.rising = NOTHING, False
        return np.clip(samples, -1.0, 1.0)


def sample(seconds: float) -> int:
    """The sample nearest to a moment: sums of seconds are never quite what they were."""
    return round(seconds * SAMPLE_RATE)
