"""What has come over a network and was not heard yet: it comes when it comes, and leaves by 80 ms at a time.

Some frames are kept waiting, so that one that is late is not missed. When more wait than that and two, the oldest are
dropped: what a network held back and then hands over at once must not delay the rest of a call. Networks and clocks are
not known here, but for the stamps that are passed through.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np

from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, Event, Frame, Word, frozen
from duplex.remote.traffic import lateness, quantiles

MORE_FRAMES: Final = 2  # than are kept waiting, may wait before the oldest are dropped


class Mark(NamedTuple):
    """Words and events told with the sound from sample `position` of the stream on, in seconds from there."""

    position: int
    words: tuple[Word, ...]
    events: tuple[Event, ...]
    seconds: float | None  # computed for the frame that begins there


class Stamp(NamedTuple):
    """Sound up to sample `end` of the stream came at `at`."""

    end: int
    at: float


class JitterBuffer:
    """Sound in, whenever it comes; a frame out, whenever one is wanted.

    Args:
        frames: kept waiting while sound comes in time.
    """

    def __init__(self, frames: int = 1):
        self.frames = frames
        self.sound: np.ndarray = np.zeros(0, np.float32)
        self.start = 0  # first sample of the stream that waits
        self.marks: deque[Mark] = deque()
        self.stamps: deque[Stamp] = deque()
        self.playing = False
        self.before_first, self.starved, self.dropped = 0, 0, 0  # frames, frames, samples
        self.waiting: list[float] = []  # frames, whenever one was taken
        self.came: list[Stamp] = []

    @property
    def end(self) -> int:
        """Samples that have come."""
        return self.start + len(self.sound)

    def put(self, samples: np.ndarray, at: float) -> None:
        """(num_samples,) float32 that came at `at`."""
        self.sound = np.concatenate([self.sound, samples])
        self.stamps.append(Stamp(self.end, at))
        self.came.append(self.stamps[-1])

    def tell(self, position: int, words: Iterable[Word] = (), events: Iterable[Event] = (), seconds: float | None = None) -> None:
        """What is known of the sound from sample `position` of the stream on, which is not before what was told last."""
        self.marks.append(Mark(position, tuple(words), tuple(events), seconds))

    def take(self) -> Frame | None:
        """The next 80 ms; None where they have not come, or too little waits to begin."""
        self.drop(len(self.sound) - (self.frames + MORE_FRAMES) * FRAME_SAMPLES)
        self.waiting.append(len(self.sound) / FRAME_SAMPLES)
        if len(self.sound) < FRAME_SAMPLES * (1 if self.playing else self.frames + 1):
            self.starved += bool(self.playing or self.start)
            self.before_first += not self.start
            self.playing = False
            return None
        self.playing = True
        return self.next()

    def rest(self) -> Frame | None:
        """The next 80 ms of what will not be followed by anything; None where no whole frame is left."""
        return self.next() if len(self.sound) >= FRAME_SAMPLES else None

    def next(self) -> Frame:
        samples, self.sound = frozen(self.sound[:FRAME_SAMPLES].copy()), self.sound[FRAME_SAMPLES:]
        end = self.start + FRAME_SAMPLES
        words: list[Word] = []
        events: list[Event] = []
        seconds = None
        while self.marks and self.marks[0].position < end:
            mark = self.marks.popleft()
            shift = (mark.position - self.start) / SAMPLE_RATE
            words += [word._replace(start=word.start + shift, end=word.end + shift) for word in mark.words]
            events += [replace(event, start=event.start + shift, end=event.end + shift) for event in mark.events]
            seconds = mark.seconds if mark.seconds is not None else seconds
        at = next((stamp.at for stamp in self.stamps if stamp.end >= end), None)
        self.start = end
        while self.stamps and self.stamps[0].end <= end:
            self.stamps.popleft()
        return Frame(samples, tuple(words), tuple(events), seconds, at)

    def drop(self, too_many: int) -> None:
        """Forgets the oldest sound where there is too much, so that `frames` wait behind the next one again."""
        if too_many <= 0:
            return
        dropped = len(self.sound) - (self.frames + 1) * FRAME_SAMPLES
        self.dropped += dropped
        self.sound, self.start = self.sound[dropped:], self.start + dropped
        # Nobody heard the words of what was dropped; what was decided in it was decided all the same.
        self.marks = deque(mark if mark.position >= self.start else Mark(self.start, (), mark.events, mark.seconds)
                           for mark in self.marks)

    def tally(self) -> dict[str, Any]:
        late = lateness([stamp.at for stamp in self.came], [stamp.end / SAMPLE_RATE for stamp in self.came])
        return {"frames_before_first": self.before_first, "starved": self.starved,
                "dropped": round(self.dropped / FRAME_SAMPLES, 2), "waiting_frames": quantiles(self.waiting),
                "arrival_jitter_seconds": quantiles(late)}
