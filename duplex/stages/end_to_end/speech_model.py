"""An end-to-end speech model: sound of a turn in, sound of the answer out, after what both sides said before.

What any such model must be able to do, whatever stands behind it. When a turn is over, who may interrupt and what was heard
of an answer is the agent's affair.
"""

from collections.abc import Callable, Generator, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, Protocol, TypeAlias

import numpy as np

from duplex.conversation import Prompt
from duplex.frame import Word
from duplex.speech import Speech, audible
from duplex.stages.speaking.tts import plain_words

Stopped: TypeAlias = Callable[[], bool]


@dataclass(frozen=True, eq=False)
class Turn:
    """What one party said, as far as the other heard it.

    Attributes:
        party: `duplex.recording`'s USER or AGENT.
        speech: the sound, with the words that its speaker knows. Those of a user are the truth: an oracle may read them, and
            nothing that is measured.
        text: what was said as it is written, "" where nobody knows.
        state: of an agent's turn, what the model wrote on the last piece that was heard.
    """

    party: int
    speech: Speech
    text: str = ""
    state: Hashable = None


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of an answer, that follows the one before without a gap.

    Attributes:
        speech: its sound with the words that begin in it; its events are done once somebody hears it, so it is said only when
            all before it has been.
        text: what it says as it is written, "" where the model does not know.
        state: where the dialogue stands once this was heard, to the model that made it and to nobody else.
    """

    speech: Speech
    text: str = ""
    state: Hashable = None


class SpeechReply(Iterator[Piece]):
    """An answer that is being made, piece by piece, each when it is asked for.

    Args:
        made: yields the pieces; asks in between whether anybody still wants them, as often as it can.
    """

    def __init__(self, made: Callable[[Stopped], Generator[Piece, None, None]]):
        self.stopped = Event()
        self.busy = Lock()
        self.made = made(self.stopped.is_set)

    def __next__(self) -> Piece:
        with self.busy:
            piece = None if self.stopped.is_set() else next(self.made, None)
        if self.stopped.is_set():
            self.close()  # whoever stopped it left it to this one
        if piece is None or self.stopped.is_set():
            raise StopIteration
        return piece

    def close(self) -> None:
        """Nobody wants the rest; from any thread, and while a piece is being made in another. Does not wait for that one."""
        self.stopped.set()
        if self.busy.acquire(blocking=False):
            try:
                self.made.close()
            finally:
                self.busy.release()


class SpeechModel(Protocol):
    """An end-to-end speech model, in one conversation at a time.

    Attributes:
        name: as an error names it.
        facts: JSON-like, kept in the recording: of weights their source, revision and licence.
    """

    name: str
    facts: Mapping[str, Any]

    def warm_up(self) -> None:
        """Does what the first answer would otherwise wait for."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        """A new conversation, in this role; everything random follows from `seed`."""

    def answer(self, turns: Sequence[Turn]) -> SpeechReply:
        """The answer to the last of `turns`, a user's, after the others. No piece at all is silence that the model chose.

        Asking changes nothing: what was answered is history only once it comes back among the turns.
        """

    def tally(self) -> Mapping[str, Any]:
        """What it counted in this conversation, JSON-like; `tools`: whether it can do anything beside talking."""


def spaced(text: str, samples: np.ndarray) -> Speech:
    """Speech of a model that does not tell when it says which word: they share what is audible of it, by their letters."""
    words, (start, end) = plain_words(text), audible(samples)
    edges = start + (end - start) * np.cumsum([0, *map(len, words)]) / max(1, sum(map(len, words)))
    return Speech(samples, tuple(Word(word, float(left), float(right)) for word, left, right in zip(words, edges, edges[1:])))
