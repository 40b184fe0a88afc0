"""Sound of a Qwen-Omni while it is generated: a library call that runs in turns with whoever waits for its pieces.

The codes of Qwen3-Omni are decoded as they come, since its decoder looks back alone; that of Qwen2.5-Omni wants all of them. What
is said in them is not known here, and when it is said in words is a guess by a constant pace.
"""

from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Any, Final, TypeVar

import numpy as np
import torch

from duplex.frame import Word
from duplex.stages.end_to_end.omni_progress import NobodyListens
from duplex.stages.speaking.tts import plain_words

T = TypeVar("T")

LEFT_CONTEXT: Final = 25  # codes that are decoded again in front of new ones; `chunked_decode` of transformers 4.57 takes as many
LETTERS_PER_SECOND: Final = 165 * 4.7 / 60.0  # 12.9, of 165 words a minute; an English word as spoken has 4.7 letters


class Draws:
    """Random numbers that are nobody else's: torch's generators are everybody's, and are lent out only while this draws."""

    def __init__(self, seed: int, device: torch.device):
        self.device = device
        theirs = self.states()
        torch.manual_seed(seed)
        self.mine = self.states()
        self.restore(theirs)

    def __enter__(self) -> None:
        self.theirs = self.states()
        self.restore(self.mine)

    def __exit__(self, *error: object) -> None:
        self.mine = self.states()
        self.restore(self.theirs)

    @contextmanager
    def given_back(self) -> Generator[None, None, None]:
        """While it draws nothing."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def states(self) -> list[torch.Tensor]:
        on_gpu = [torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else []
        return [torch.get_rng_state(), *on_gpu]

    def restore(self, states: list[torch.Tensor]) -> None:
        torch.set_rng_state(states[0])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(states[1], self.device)


class Wave:
    """Sound of codes that come one after the other.

    Args:
        decoder: codes (1, num_codebooks, num_codes) to sound (1, 1, num_samples).
        code_samples: samples for one code.
        num_codes: how many make a piece.
    """

    def __init__(self, decoder: Callable[[torch.Tensor], torch.Tensor], code_samples: int, num_codes: int):
        self.decoder = decoder
        self.code_samples = code_samples
        self.num_codes = num_codes
        self.codes: list[torch.Tensor] = []  # each (1, num_codebooks)
        self.num_decoded = 0
        self.num_samples = 0

    def take(self, code: torch.Tensor) -> np.ndarray | None:
        """A further code; (num_samples,) of sound where that makes a piece."""
        self.codes.append(code)
        return self.rest() if len(self.codes) - self.num_decoded >= self.num_codes else None

    def rest(self) -> np.ndarray:
        """Sound of all codes that are not decoded yet, perhaps none."""
        begin = max(0, self.num_decoded - LEFT_CONTEXT)
        if len(self.codes) == self.num_decoded:
            return np.zeros(0, np.float32)
        sound = self.decoder(torch.stack(self.codes[begin:], dim=-1)).reshape(-1).float().cpu().numpy()
        new: np.ndarray = sound[self.num_samples - begin * self.code_samples:]  # fewer at first: the decoder trims its ends
        self.num_decoded = len(self.codes)
        self.num_samples += len(new)
        return new


class Paced:
    """Words of a text whose sound comes in pieces, guessed by a constant pace; what is left belongs to the last piece."""

    def __init__(self) -> None:
        self.words: deque[str] | None = None
        self.start = 0.0  # of the piece, seconds from the start of the answer
        self.next = 0.0  # when the next word begins

    def words_of(self, text: str, seconds: float, last: bool) -> tuple[Word, ...]:
        """The words that begin in a piece of so many seconds, the next one of an answer that reads `text`."""
        if self.words is None:
            self.words = deque(plain_words(text))
        begun, left = self.next - self.start, sum(map(len, self.words))
        pace = max(LETTERS_PER_SECOND, left / max(seconds - begun, 0.01)) if last else LETTERS_PER_SECOND
        found = []
        while self.words and begun < seconds:
            word = self.words.popleft()
            found.append(Word(word, begun, begun + len(word) / pace))
            begun = found[-1].end
        self.start += seconds
        self.next = self.start - seconds + begun
        return tuple(found)


def in_turns(work: Callable[[Callable[[T], None]], None]) -> Generator[T, None, None]:
    """What `work` gives, piece by piece: it runs in a thread of its own, and only while somebody waits for the next piece.

    Where nobody wants more, `NobodyListens` is raised in it, and the thread is waited for.
    """
    given: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()
    wanted, unwanted = Semaphore(0), Event()

    def give(piece: T) -> None:
        given.put((piece, None))
        wait()

    def wait() -> None:
        wanted.acquire()
        if unwanted.is_set():
            raise NobodyListens

    def run() -> None:
        try:
            wait()
            work(give)
            given.put((None, None))
        except BaseException as error:  # raised where the pieces are waited for
            given.put((None, error))

    thread = Thread(target=run, name="stage-omni", daemon=True)
    thread.start()
    try:
        while True:
            wanted.release()
            piece, error = given.get()
            if error is not None:
                raise error
            if piece is None:
                return
            yield piece
    finally:
        unwanted.set()
        wanted.release()
        thread.join()


def residual_codes(made: Any) -> torch.Tensor | None:
    """All codes of the frame before, (1, num_codebooks), as Qwen3-Omni's talker hands them on with its output; none at first."""
    codes: torch.Tensor | None = made.hidden_states[1]
    return codes
