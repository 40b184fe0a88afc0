"""Who waits for whom: conversations in threads of their own, seated in the rows of one engine.

In a simulation the engine waits until every seated conversation has brought its frame, and runs as fast as it can.
Live it has a period, which is its deadline:

* A tick begins when every seated conversation has brought its frame, or one period after the last tick began with those
  who have. So conversations whose sound cards are out of step come to share ticks, and nobody waits longer than a period
  for the others.
* Who comes late is not stepped: its model's time stands still for that tick, and nothing of it is lost or repeated.
  `Seat.missed` counts such ticks.
* When a tick itself takes longer than a period, the next begins as soon as those it answered had a moment to bring their
  next frames. Nothing is skipped, so all conversations fall behind together, by `Slots.overrun` seconds so far; dropping
  sound or shedding a conversation is up to whoever feeds it.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock, get_ident
from time import perf_counter
from typing import Final, TypeVar

import numpy as np

from duplex.speech_lm.engine import Engine, Input, Output, Snapshot
from duplex.speech_lm.sampling import Sampling

GRACE: Final = 0.01  # seconds after a tick in which whoever it answered may bring the next frame
T = TypeVar("T")



class Slots:
    """Seats for as many conversations as `engine` has rows. Any number of threads may use it.

    Args:
        period: seconds between live ticks; None waits for everybody, as a simulation does.

    Attributes:
        overrun: seconds that live ticks have taken beyond their period.
    """

    def __init__(self, engine: Engine, period: float | None = None):
        self.engine = engine
        self.period = period
        self.overrun = 0.0
        self.lock = Lock()
        self.free = list(range(engine.slots))
        self.seats: dict[int, Seat] = {}
        self.brought: dict[int, tuple[Input, Future[tuple[Output, float]]]] = {}
        self.ticking = False
        self.deadline = 0.0
        # All of torch runs in one thread: the rows are shared, and so are CUDA graphs and a CPU's pool of threads.
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="speech_lm")

    def run(self, work: Callable[[], T]) -> T:
        """Does something with the engine between two ticks."""
        return self.thread.submit(work).result()

    def sit(self, seed: int, sampling: Sampling, prefix: Snapshot | None = None) -> "Seat":
        """Begins a conversation in a free row.

        Raises:
            ValueError: all rows are taken.
        """
        return self.seated(lambda row: self.engine.open(row, seed, sampling, prefix))

    def resume(self, snapshot: Snapshot) -> "Seat":
        """Goes on with a conversation from where `snapshot` was taken; any number may go on from the same one.

        Raises:
            ValueError: all rows are taken, or the snapshot is of another model.
        """
        return self.seated(lambda row: self.engine.restore(row, snapshot))

    def seated(self, begin: Callable[[int], None]) -> "Seat":
        with self.lock:
            if not self.free:
                raise ValueError(f"all {self.engine.slots} slots are taken; agent.slots={self.engine.slots + 1} has one more")
            row = min(self.free)
            self.free.remove(row)
        try:
            self.run(lambda: begin(row))
        except BaseException:
            with self.lock:
                self.free.append(row)
            raise
        with self.lock:
            if self.period is not None and not self.seats:  # no tick before: whoever comes first waits as long for the others
                self.deadline = perf_counter() + self.period
            self.seats[row] = seat = Seat(self, row)
        return seat

    def leave(self, row: int) -> None:
        with self.lock:
            del self.seats[row]
            self.brought.pop(row, None)
            self.free.append(row)
            self.begin_if_complete()

    def bring(self, row: int, frame: Input) -> "Future[tuple[Output, float]]":
        """What `row` will hear to its frame, and how long the tick took."""
        answer: Future[tuple[Output, float]] = Future()
        with self.lock:
            self.check_threads(row)
            self.brought[row] = frame, answer
            self.begin_if_complete()
        return answer

    def check_threads(self, row: int) -> None:
        """Refuses to wait for a conversation that cannot go on because this very thread waits."""
        self.seats[row].thread = get_ident()
        others = {self.seats[one].thread for one in self.seats.keys() - self.brought.keys() - {row}}
        if self.period is None and get_ident() in others:
            raise ValueError("two conversations of one engine in one thread would wait for each other: give each a thread of "
                             "its own, or an engine of its own")

    def begin_if_complete(self) -> None:
        if self.brought and len(self.brought) == len(self.seats):
            self.begin()

    def begin(self) -> None:
        """Hands a tick with whoever is here to the engine's thread; the lock is held."""
        brought, self.brought = self.brought, {}
        for row in self.seats.keys() - brought.keys():
            self.seats[row].missed += 1
        self.ticking = True
        self.thread.submit(self.tick, brought)

    def tick(self, brought: "dict[int, tuple[Input, Future[tuple[Output, float]]]]") -> None:
        started = perf_counter()
        said: dict[int, Output] = {}
        failure: Exception | None = None
        try:
            said = self.engine.tick({row: frame for row, (frame, _) in brought.items()})
        except Exception as error:  # everybody who waits gets it, in a conversation of his own
            failure = error
        ended = perf_counter()
        with self.lock:
            self.ticking = False
            if self.period is not None:
                self.overrun += max(0.0, ended - started - self.period)
                self.deadline = max(started + self.period, ended + GRACE)
        for row, (_, answer) in brought.items():
            if failure is not None:
                answer.set_exception(failure)
            else:
                answer.set_result((said[row], ended - started))

    def patience(self) -> float | None:
        """Seconds that somebody who has brought a frame waits before `begin_late`."""
        return None if self.period is None else max(0.001, self.deadline - perf_counter())

    def begin_late(self) -> None:
        """Begins a live tick without those who are late, if it is time."""
        with self.lock:
            if self.brought and not self.ticking and perf_counter() >= self.deadline:
                self.begin()


class Seat:
    """A conversation's place in the engine, from joining to leaving.

    Attributes:
        row: where it sits.
        thread: which thread it is held in.
        missed: live ticks that went on without it.
        seconds: how long its last tick took, without the wait for the others.
    """

    def __init__(self, slots: Slots, row: int):
        self.slots = slots
        self.row = row
        self.thread = get_ident()
        self.missed = 0
        self.seconds = 0.0
        self.frame = 0

    def step(self, frame: Input) -> Output:
        """80 ms; returns when the tick has been done.

        Raises:
            ValueError: the sound is not finite, or what the model makes of it is not; nobody else notices.
        """
        if frame.samples is not None and not np.isfinite(frame.samples).all():
            raise ValueError(f"frame {self.frame} has samples that are not finite, which would stay in the model's memory; "
                             "they lie in [-1, 1]")
        answer = self.slots.bring(self.row, frame)
        while True:
            try:
                output, self.seconds = answer.result(self.slots.patience())
                break
            except TimeoutError:
                if answer.done():  # the engine's own, not the end of patience
                    raise
                self.slots.begin_late()
        if not np.isfinite(output.samples).all():
            raise ValueError(f"the model's sound is not finite in frame {self.frame}: damaged weights, or a dtype that they "
                             "overflow (float16?)")
        self.frame += 1
        return output

    def snapshot(self) -> Snapshot:
        """The conversation at this moment, to be resumed in any slot."""
        return self.slots.run(lambda: self.slots.engine.snapshot(self.row))

    def leave(self) -> None:
        """Gives the row back; the second time nothing happens."""
        if self.row >= 0:
            self.slots.leave(self.row)
            self.row = -1
