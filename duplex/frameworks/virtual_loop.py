"""An asyncio event loop whose time is moved, not waited for: timers fire in order, and nobody sleeps.

What runs in it may read `time.time`, `monotonic` or `perf_counter` and sees this loop's time, as long as it looks the function
up in the module; everybody else's time is left alone. Sockets are served, but time does not pass while they are waited for.
"""

import asyncio
import selectors
import time
from asyncio.events import _get_running_loop  # C, and asked at every look at a clock
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

EPOCH: Final = 1_700_000_000  # seconds: any date that looks like one, in every run the same
UPTIME: Final = 1_000  # seconds: 0 means "never" to many who remember when something happened
NANOSECONDS: Final = 1_000_000_000
MOST_AT_ONCE: Final = 1_000_000  # rounds of the loop at one moment; an 80 ms frame takes a few hundred
real_seconds: Final = time.perf_counter  # before anybody is told another time
T = TypeVar("T")


class Stuck(RuntimeError):
    """Nothing is left that could ever happen."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop at a moment of its own.

    `run_in_executor` runs at once, in this thread, and its result is there without any time having passed: what work
    costs is for its caller to sleep. So the order of everything follows from the timers alone.
    """

    def __init__(self) -> None:
        self.nanoseconds = 0  # an integer: no sum of frames drifts
        self.looked = 0  # at the clock last, by who puts things in order by `perf_counter_ns`
        self.jumps = Jumps(selectors.SelectSelector(), self)
        super().__init__(self.jumps)
        self._clock_resolution = 1e-9  # asyncio's own name
        tell_virtual_time()

    def time(self) -> float:
        return self.nanoseconds / NANOSECONDS

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T],  # type: ignore[override]
                        *arguments: Any) -> "asyncio.Future[T]":
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*arguments))
        except Exception as error:  # kept for whoever awaits it, as an executor's future keeps it
            future.set_exception(error)
        return future

    @property
    def has_waited_for_sockets(self) -> bool:
        """Whether something came, or was to come, from outside, so that nothing is repeatable any more."""
        return self.jumps.num_registered > 1  # one wakes the loop itself

    def advance(self, until: float) -> None:
        """Lets happen whatever is due up to `until` seconds, and leaves the loop at that moment."""
        self.call_at(until, self.stop)
        self.run_forever()


class Jumps(selectors.BaseSelector):
    """A selector that does not wait: where a loop would sleep, its time jumps to the next timer."""

    def __init__(self, real: selectors.BaseSelector, loop: VirtualLoop):
        self.real, self.loop = real, loop
        self.num_rounds = 0  # since time last moved
        self.num_registered = 0  # sockets ever waited for, the loop's own with them

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self.real.select(0)
        self.num_rounds += 1
        if self.num_rounds > MOST_AT_ONCE:
            raise Stuck(f"a task goes round without end at {self.loop.time():.3f} s of virtual time: nothing in it takes time")
        if ready:
            return ready
        if timeout is None:
            raise Stuck("the event loop waits for something that no timer brings; sockets and threads need the clock on the wall")
        if timeout > 0.0:
            self.loop.nanoseconds += max(1, round(timeout * NANOSECONDS))
            self.num_rounds = 0
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self.num_registered += 1
        return self.real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.modify(fileobj, events, data)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self.real.get_key(fileobj)

    def get_map(self) -> Any:
        return self.real.get_map()

    def close(self) -> None:
        self.real.close()


def nanoseconds_there() -> int | None:
    """The time of the virtual loop that runs in this thread, if one does."""
    loop = _get_running_loop()
    return loop.nanoseconds if isinstance(loop, VirtualLoop) else None


def tell_virtual_time() -> None:
    """From now on the functions of `time` tell a virtual loop's time to whoever runs in one."""
    if hasattr(time.monotonic, "of_virtual_loop"):
        return
    for name, origin in (("time", EPOCH), ("monotonic", UPTIME), ("perf_counter", UPTIME)):
        for function, unit in ((name, NANOSECONDS), (f"{name}_ns", 1)):
            setattr(time, function, told(getattr(time, function), origin * NANOSECONDS, unit))
    time.perf_counter_ns = ordered(time.perf_counter_ns)


def told(real: Callable[[], Any], origin: int, unit: int) -> Callable[[], Any]:
    """A clock that is the loop's inside a virtual loop, and `real` elsewhere."""
    def now() -> Any:
        there = nanoseconds_there()
        if there is None:
            return real()
        return origin + there if unit == 1 else (origin + there) / unit

    now.of_virtual_loop = True  # type: ignore[attr-defined]
    return now


def ordered(told: Callable[[], int]) -> Callable[[], int]:
    """The same clock, which two looks never find at the same nanosecond: LiveKit queues its speeches by it."""
    def now() -> int:
        loop = _get_running_loop()
        if not isinstance(loop, VirtualLoop):
            return told()
        loop.looked = max(loop.looked + 1, told())
        return loop.looked

    return now
