"""A voice that streams: the exact voice of `exact`, in pieces, with a record of what was asked of it and what was closed."""

import inspect
from collections.abc import Generator, Iterator
from time import sleep

import numpy as np
from exact import spoken

from duplex.frame import SAMPLE_RATE, Word
from duplex.speech import Speech
from duplex.stages.speaking.pieces import joined


def cut(speech: Speech, seconds: float) -> list[Speech]:
    """`speech` in pieces of so many seconds, each with the words that begin in it."""
    size = round(seconds * SAMPLE_RATE)
    made = []
    for start in range(0, len(speech.samples), size):
        words = tuple(Word(word.text, word.start - start / SAMPLE_RATE, word.end - start / SAMPLE_RATE) for word in speech.words
                      if start <= round(word.start * SAMPLE_RATE) < start + size)
        made.append(Speech(speech.samples[start: start + size], words))
    return made


class Streaming:
    """Says what `exact.Voice` says, piece by piece.

    Args:
        seconds: of sound in a piece.
        takes: seconds of the clock on the wall for each.
        breaks: raises instead of piece number so many.

    Attributes:
        texts: that were asked for.
        num_made: pieces made of each.
        closed: texts whose stream was closed before its end.
    """

    name = "streaming"

    def __init__(self, seconds: float = 0.08, takes: float = 0.0, breaks: int | None = None):
        self.seconds, self.takes, self.breaks = seconds, takes, breaks
        self.texts: list[str] = []
        self.num_made: list[int] = []
        self.closed: list[str] = []
        self.begun: list[Generator[Speech, None, None]] = []  # kept, so that none is closed by being forgotten

    @property
    def left_open(self) -> int:
        """How many streams are neither at their end nor closed."""
        return sum(inspect.getgeneratorstate(one) != inspect.GEN_CLOSED for one in self.begun)

    def synthesise(self, text: str) -> Speech:
        return joined(self.stream(text))

    def stream(self, text: str) -> Iterator[Speech]:
        self.begun.append(self.pieces(text))
        return self.begun[-1]

    def pieces(self, text: str) -> Generator[Speech, None, None]:
        place = len(self.texts)
        self.texts.append(text)
        self.num_made.append(0)
        whole = False
        try:
            for number, piece in enumerate(cut(spoken(text), self.seconds)):
                if number == self.breaks:
                    raise OSError("the voice broke")
                sleep(self.takes)
                self.num_made[place] += 1
                yield piece
            whole = True
        finally:
            if not whole:
                self.closed.append(text)


class Remembering(Streaming):
    """Keeps what it is told.

    Attributes:
        told: (party, text, samples) in order, of this conversation.
        knew: how much of it when each text was asked for.
    """

    name = "remembering"

    def __init__(self, seconds: float = 0.08):
        super().__init__(seconds)
        self.told: list[tuple[int, str, np.ndarray]] = []
        self.knew: list[int] = []

    def stream(self, text: str) -> Iterator[Speech]:
        self.knew.append(len(self.told))
        return super().stream(text)

    def remember(self, party: int, text: str, samples: np.ndarray) -> None:
        self.told.append((party, text, samples))

    def forget(self) -> None:
        self.told = []
