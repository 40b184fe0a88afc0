"""The loudspeaker of a framework's agent: what was written is played frame by frame, from the next frame on.

A mouth that one thread fills and another empties. It knows how far it got; pacing whoever writes is the writer's business.
"""

from collections import deque
from collections.abc import Callable, Iterable
from threading import RLock
from typing import NamedTuple

from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, Event, Frame
from duplex.speech import Speech
from duplex.stages.speaking.mouth import Mouth


class Due(NamedTuple):
    """Something to do when a sample is played.

    Attributes:
        sample: of all that was written.
        sound: with the sample itself; False once all before it was played.
    """

    sample: int
    act: Callable[[], None]
    sound: bool


class Speaker:
    """Plays what it is given.

    Attributes:
        num_played: samples of `write` that were heard, since `reset`.
    """

    def __init__(self) -> None:
        self.lock = RLock()  # what is done when a sample is played may log
        self.mouth = Mouth()
        self.num_played = 0
        self.due: deque[Due] = deque()

    def reset(self) -> None:
        with self.lock:
            self.mouth.reset()
            self.num_played = 0
            self.due.clear()

    @property
    def num_written(self) -> int:
        """Samples of `write` that were played or wait."""
        with self.lock:
            return self.num_played + self.num_waiting

    @property
    def num_waiting(self) -> int:
        """Samples not played yet."""
        return sum(len(speech.samples) for speech in self.mouth.queue) - self.mouth.position

    @property
    def waiting_seconds(self) -> float:
        with self.lock:
            return self.num_waiting / SAMPLE_RATE

    def write(self, speech: Speech) -> None:
        """Appends sound, with the words that begin in it on its own time; none of it waits for the rest of a sentence."""
        with self.lock:
            self.mouth.queue.append(speech)  # not joined: nobody goes back to where a sentence began

    def when_played(self, sample: int, act: Callable[[], None], sound: bool = True) -> None:
        """Has something done with the frame in which a sample of all that is written is played, and never if it is dropped.

        Args:
            sample: counted from `reset`; in order.
            sound: False does it as soon as all before the sample was played, whether more comes or not.
        """
        with self.lock:
            self.due.append(Due(sample, act, sound))

    def clear(self) -> None:
        """Drops what was not played, within 5 ms."""
        with self.lock:
            self.mouth.stop()
            self.due.clear()

    def pause(self) -> None:
        with self.lock:
            self.mouth.pause()

    def resume(self) -> None:
        """Goes on at the very sample at which it was paused, as a framework's output does."""
        with self.lock:
            self.mouth.paused = False
            self.mouth.rising = self.mouth.position > 0

    def note(self, kind: str, **detail: str | int | float | bool | None | list[str] | list[float]) -> None:
        """Logs a decision with the frame that is played next."""
        with self.lock:
            self.mouth.note(kind, **detail)

    def add(self, events: Iterable[Event]) -> None:
        """Logs what is done with the frame that is played next."""
        with self.lock:
            self.mouth.events += events

    def note_at(self, seconds: float, kind: str,
                **detail: str | int | float | bool | None | list[str] | list[float]) -> None:
        """The same of what happened `seconds` after the beginning of that frame; before it, where negative."""
        with self.lock:
            self.mouth.events.append(Event(kind, seconds, seconds, detail))

    def read(self) -> Frame:
        """The next 80 ms."""
        with self.lock:
            before = self.num_waiting
            now = 0 if self.mouth.paused else min(before, FRAME_SAMPLES)
            while self.due and self.due[0].sample < self.num_played + now + (not self.due[0].sound):
                self.due.popleft().act()
            frame = self.mouth.frame()
            self.num_played += before - self.num_waiting
            return frame
