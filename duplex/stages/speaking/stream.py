"""A sentence on its way from a synthesiser to the mouth: whole, or piece by piece while it is made.

Each piece is work of its own, asked for while the ones before it are said, so that the rest is never made of a sentence that
nobody wants. When it is said is the answer's decision.
"""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock
from typing import Final, TypeVar

from duplex.frame import FRAME_SECONDS
from duplex.speech import Speech
from duplex.stages.speaking.pieces import NOTHING, heard, joined, without_lead
from duplex.stages.speaking.tts import TTS, StreamsSpeech
from duplex.workers import Job, Worker

T = TypeVar("T")
U = TypeVar("U")

AHEAD_SECONDS: Final = 2.0  # of sound made and not said yet, after which no more is asked for
AHEAD_PIECES: Final = 2  # asked for at a time: the next one begins when this one is ready, not at the next frame


class Stream:
    """One sentence as it comes.

    Attributes:
        first: its first piece, or all of it where the synthesiser makes it whole.
        whole: it comes in one piece, since its synthesiser makes it so.
        over: all of it has come.
    """

    first: Job[Speech]

    def __init__(self, tts: TTS, worker: Worker):
        self.tts = tts
        self.worker = worker
        self.whole = not isinstance(tts, StreamsSpeech)
        self.text = ""
        self.over = False
        self.jobs: deque[Job[Speech]] = deque()  # not handed over yet, in order
        self.num_asked = 0
        self.guard = Lock()  # stages work in threads
        self.pieces: Iterator[Speech] | None = None
        self.busy = False
        self.stopped = False

    def begin(self, text: str) -> Job[Speech]:
        """Has `text` spoken from now on."""
        return self.begun(self.worker.run("tts", text, partial(self.open, text)))

    def begin_after(self, job: Job[T], text: Callable[[T], str]) -> Job[Speech]:
        """Has spoken what a job brings, from the moment it is ready; a job that is ready for a while holds nothing up."""
        return self.begun(following(job, self.worker, "tts", lambda result: self.open(text(result)), text))

    def begun(self, first: Job[Speech]) -> Job[Speech]:
        self.first = first
        self.jobs.append(first)
        self.num_asked = 1
        return first

    def arrived(self, ahead: float) -> Iterator[Speech]:
        """The pieces that have come since; more are asked for while less than AHEAD_SECONDS wait to be said.

        Args:
            ahead: seconds of sound that wait already.

        Raises:
            Exception: what making a piece raised.
        """
        while not self.over:
            self.ask(ahead)
            if not self.jobs or not self.jobs[0].done:
                return
            self.last = self.jobs.popleft()
            piece = self.last.result
            self.over = self.whole or piece is NOTHING
            if piece is not NOTHING:
                ahead += piece.seconds
                yield piece

    def ask(self, ahead: float) -> None:
        """Has further pieces made, each from the moment at which the one before it is there."""
        while not self.whole and len(self.jobs) < AHEAD_PIECES and ahead < AHEAD_SECONDS:
            before = self.jobs[-1] if self.jobs else self.last
            self.jobs.append(following(before, self.worker, "tts_piece", lambda _: self.pull(), self.request))
            self.num_asked += 1

    def request(self, _: Speech) -> str:
        """Of the piece that is asked for next."""
        return f"{self.text} #{self.num_asked}"

    def stop(self) -> None:
        """Nobody wants the rest: closes the synthesiser's stream, or has whoever is pulling at it close it after its piece."""
        with self.guard:
            self.stopped = self.over = True
            pieces = None if self.busy else self.pieces
            self.jobs.clear()
        close(pieces)

    # In the worker

    def open(self, text: str) -> Speech:
        self.text = text
        if not isinstance(self.tts, StreamsSpeech):
            return self.tts.synthesise(text)
        with self.guard:
            if not self.stopped:
                self.pieces = iter(self.tts.stream(text))
        first = self.pull()
        if first is NOTHING and not self.stopped:
            raise OSError(f"{self.tts.name} said nothing that can be heard to {text!r}; "
                          "a synthesiser says every text that has a word in it")
        return without_lead(first)

    def pull(self) -> Speech:
        """What comes next, with the silence before it; NOTHING behind the last sound, and once nobody wants it."""
        with self.guard:
            if self.stopped or self.pieces is None:
                return NOTHING
            self.busy = True
        try:
            return self.next_sound(self.pieces)
        finally:
            with self.guard:
                self.busy = False
                stopped = self.stopped
            if stopped:
                close(self.pieces)

    def next_sound(self, pieces: Iterator[Speech]) -> Speech:
        """Silence waits for what comes after it: who says it at the end only seems to be speaking still."""
        held: list[Speech] = []
        while not self.stopped and (piece := next(pieces, None)) is not None:
            held.append(piece)
            if heard(piece):
                return joined(held)
        return joined(held) if any(piece.words for piece in held) else NOTHING


def following(job: Job[T], worker: Worker, stage: str, work: Callable[[T], U], request: Callable[[T], str]) -> Job[U]:
    """Work on what a job brings, from the moment it is ready; from now on, where that was in an earlier frame already."""
    if job.done and job.span[1] <= worker.now - FRAME_SECONDS + 1e-9:
        result = job.result
        return worker.run(stage, request(result), lambda: work(result))
    return job.then(stage, work, request)


def close(pieces: Iterator[Speech] | None) -> None:
    """Stops whoever makes them; a generator does it at once."""
    stop = getattr(pieces, "close", None)
    if stop is not None:
        stop()
