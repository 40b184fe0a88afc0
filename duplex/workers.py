"""Slow work beside the frame clock: charged to it in a simulation, or in a thread beside a live loop.

A stage never knows which. The agent polls `job.done` once a frame and never waits.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import Generic, Protocol, TypeVar

from duplex.frame import FRAME_SECONDS
from duplex.latency import Charges, Travels

T = TypeVar("T")
U = TypeVar("U")
T_co = TypeVar("T_co", covariant=True)


class Job(ABC, Generic[T_co]):
    """A piece of work under way.

    Attributes:
        stage: which stage of the agent it belongs to.
        transport: seconds of its span that are spent on the way, the first half and the last; 0 where nobody knows.
    """

    stage: str
    transport: float = 0.0

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether the result could be used in this frame."""

    @property
    @abstractmethod
    def result(self) -> T_co:
        """What the work returned; raises what it raised. Only when done."""

    @property
    @abstractmethod
    def span(self) -> tuple[float, float]:
        """When it began and when it was ready, on `Worker.now`'s clock. Only when done."""

    @abstractmethod
    def then(self, stage: str, work: Callable[[T_co], U], request: Callable[[T_co], str] = str) -> "Job[U]":
        """Work that starts the moment this is ready, not at the next frame; `request` says what it is asked, as in `run`."""


class Worker(Protocol):
    """Runs an agent's slow work."""

    @property
    def now(self) -> float:
        """Seconds since the conversation began, at the start of the frame that is being made."""

    def reset(self, seed: int) -> None:
        """A new conversation begins; jobs of the last one are forgotten."""

    def tick(self) -> None:
        """A frame begins. Every agent calls it first in `step`."""

    def run(self, stage: str, request: str, work: Callable[[], T]) -> Job[T]:
        """Starts `work` now; `request` says what is asked of the stage, and is what a declared charge depends on."""

    def lag(self, stage: str, request: str) -> float:
        """Seconds that a streaming stage's output for `request` runs behind the sound."""


class Charged:
    """Runs work at once and holds the result back for as long as it costs.

    Frames are the clock: a stage of 0.9 s started in frame n can be heard in frame n + 12. Stages chained by `then`
    are charged end to end and rounded up once.

    Args:
        charges: what work costs.
        timer: a clock in seconds, read before and after the work; injected so that tests are exact.
    """

    def __init__(self, charges: Charges, timer: Callable[[], float] = perf_counter):
        self.charges = charges
        self.timer = timer
        self.reset(0)

    def reset(self, seed: int) -> None:
        self.frame = -1  # the first tick begins frame 0
        self.charges.reset(seed)

    def tick(self) -> None:
        self.frame += 1

    @property
    def now(self) -> float:
        return self.frame * FRAME_SECONDS

    def run(self, stage: str, request: str, work: Callable[[], T]) -> Job[T]:
        return self.charge(stage, request, work, self.now)

    def lag(self, stage: str, request: str) -> float:
        return self.charges.lag(stage, request)

    def charge(self, stage: str, request: str, work: Callable[[], T], start: float) -> "ChargedJob[T]":
        started = self.timer()
        result: T | None = None
        error: Exception | None = None
        try:
            result = work()
        except Exception as raised:  # kept for whoever asks for the result, as a thread's future keeps it
            error = raised
        seconds = self.charges.seconds(stage, request, self.timer() - started)
        transport = self.charges.transport(stage, request) if isinstance(self.charges, Travels) else 0.0
        return ChargedJob(self, stage, result, error, start, seconds, transport)


class ChargedJob(Job[T]):
    """A result with the moment from which it may be used."""

    def __init__(self, worker: Charged, stage: str, result: T | None, error: Exception | None,
                 start: float, seconds: float, transport: float = 0.0):
        self.worker = worker
        self.stage = stage
        self.value = result
        self.error = error
        self.start = start
        self.cost = seconds
        self.transport = transport

    @property
    def ready(self) -> float:
        return self.start + self.cost

    @property
    def done(self) -> bool:
        return self.worker.now >= self.ready - 1e-9  # 0.1 + 0.2 must not cost a frame

    @property
    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # None only if the work returned None

    @property
    def span(self) -> tuple[float, float]:
        return self.start, self.ready

    def then(self, stage: str, work: Callable[[T], U], request: Callable[[T], str] = str) -> Job[U]:
        asked = request(self.result) if self.error is None else ""
        return self.worker.charge(stage, asked, lambda: work(self.result), self.ready)


class Threaded:
    """Runs work in threads beside a live loop; a job costs what it takes.

    Args:
        num_threads: how many jobs may run at a time; chained stages count once.
    """

    def __init__(self, num_threads: int = 4):
        self.num_threads = num_threads
        self.origin = perf_counter()
        self.pool = ThreadPoolExecutor(num_threads, thread_name_prefix="stage")

    @property
    def now(self) -> float:
        return perf_counter() - self.origin

    def reset(self, seed: int) -> None:
        self.origin = perf_counter()
        # Work of an abandoned conversation cannot be stopped, but nobody waits for it and no queue builds up.
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.pool = ThreadPoolExecutor(self.num_threads, thread_name_prefix="stage")

    def tick(self) -> None:
        pass

    def run(self, stage: str, request: str, work: Callable[[], T]) -> Job[T]:
        return ThreadedJob(self, stage, self.pool.submit(timed, work))

    def lag(self, stage: str, request: str) -> float:
        return 0.0


class ThreadedJob(Job[T]):
    """A future that knows its stage and when it ran."""

    def __init__(self, worker: Threaded, stage: str, future: "Future[tuple[T, float, float]]"):
        self.worker = worker
        self.stage = stage
        self.future = future

    @property
    def done(self) -> bool:
        return self.future.done()

    @property
    def result(self) -> T:
        return self.future.result()[0]

    @property
    def span(self) -> tuple[float, float]:
        _, started, ended = self.future.result()
        return started - self.worker.origin, ended - self.worker.origin

    def then(self, stage: str, work: Callable[[T], U], request: Callable[[T], str] = str) -> Job[U]:
        def wait_then_work() -> tuple[U, float, float]:  # the wait is the earlier stage's cost, not this one's
            value = self.result
            return timed(lambda: work(value))

        # Jobs start in the order of submission, so the one waited for already has its thread.
        return ThreadedJob(self.worker, stage, self.worker.pool.submit(wait_then_work))


def waits(job: Job[object], since: float) -> tuple[float, float]:
    """Seconds of a finished job's span after `since`: in its stage, and on the way there and back."""
    (start, end), half = job.span, job.transport / 2.0
    there = max(0.0, start + half - max(start, since))
    back = end - max(end - half, since) if end > since else 0.0
    return max(0.0, end - max(start, since)) - there - back, there + back


def timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """The result with the moments of its beginning and end."""
    started = perf_counter()
    result = work()
    return result, started, perf_counter()
