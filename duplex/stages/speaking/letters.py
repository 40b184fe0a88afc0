"""Words in time for a synthesiser that marks none: by their letters, at the usual pace.

Estimates, and no more than that: off by a few tenths of a second, and wrong about pauses. Nothing listens to the sound.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

import numpy as np

from duplex.frame import SAMPLE_RATE, Word
from duplex.speech import HOP_SAMPLES, Speech
from duplex.stages.speaking.tts import plain_words

LETTERS_PER_SECOND: Final = 170 / 60 * 4.8  # 13.6: words a minute at the letters of an English word (Norvig, 2012)


class LetterTimes:
    """Gives the words of a text to its speech as it comes.

    How long the speech will be is not known while it comes, so what the estimate has left over stands at its end.
    """

    def __init__(self, text: str):
        self.words = deque(plain_words(text))
        self.heard = self.due = 0.0  # seconds spoken, and when the next word begins

    def spoken(self, samples: np.ndarray) -> Speech:
        """The next piece with its words; samples (num_samples,)."""
        start = self.heard
        self.heard += len(samples) / SAMPLE_RATE
        return Speech(samples, tuple(self.until(self.heard, start)))

    def until(self, end: float, start: float) -> Iterator[Word]:
        while self.words and self.due < end - 0.5 / SAMPLE_RATE:
            word = self.words.popleft()
            begins, self.due = self.due, self.due + len(word) / LETTERS_PER_SECOND
            yield Word(word, begins - start, self.due - start)

    def rest(self) -> Speech:
        """What ends the speech: 10 ms of silence with the words that it was too fast for, if there are any."""
        words = tuple(Word(word, 0.0, HOP_SAMPLES / SAMPLE_RATE) for word in self.words)
        return Speech(np.zeros(HOP_SAMPLES, np.float32), words)
