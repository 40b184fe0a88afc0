"""How an asyncio framework keeps time with the frames: in virtual time, or by the clock on the wall.

A framework's agent asks for a loop, lets it come to the moment of each frame, and has its slow work charged. What is heard and
said is the agent's business.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread
from time import perf_counter
from typing import Any, Final, Protocol, TypeVar

from duplex.frame import FRAME_SECONDS
from duplex.frameworks.virtual_loop import VirtualLoop, real_seconds
from duplex.latency import Charges, Travels

T = TypeVar("T")
INSTANT: Final = 1e-6  # seconds of virtual time in which everything happens that takes none
PATIENCE: Final = 10.0  # seconds of real time that a loop's tasks have to end


class Clock(Protocol):
    """An event loop for one conversation at a time.

    Attributes:
        needs_time: somebody must step the agent in real time.
        now: seconds since the conversation's first frame began; negative before it.
    """

    needs_time: bool

    @property
    def now(self) -> float: ...

    def begin(self, seed: int, main: Callable[[], Awaitable[None]]) -> None:
        """Ends what ran, and runs `main` in a new loop, up to the moment at which the first frame may come.

        Raises:
            Exception: whatever `main` raises.
        """

    def tick(self) -> None:
        """A frame begins: what was due before it has happened."""

    def act(self, work: Callable[[], None]) -> None:
        """Does `work` in the loop, at the beginning of this frame, with all that follows from it without delay."""

    async def charge(self, stage: str, request: str, work: Callable[[], T]) -> T:
        """`work`'s result, after what it costs; to be awaited in the loop. Cancelling it gives up waiting."""

    async def lag(self, stage: str, request: str) -> None:
        """Waits for as long as a streaming stage's output for `request` runs behind the sound."""

    def way(self, stage: str) -> float:
        """Seconds of what the stage was charged last that were spent on the way there and back; 0 where nobody knows."""

    def end(self, last: Callable[[], Awaitable[None]] | None = None) -> None:
        """Runs `last`, then cancels every task; afterwards no task and no thread is left."""


class VirtualClock:
    """A loop whose time is the frames': repeatable, and as fast as the machine.

    Args:
        charges: what work costs.
    """

    needs_time = False

    def __init__(self, charges: Charges):
        self.charges = charges
        self.loop: VirtualLoop | None = None
        self.frame = -1
        self.origin = 0.0
        self.ways: dict[str, float] = {}

    @property
    def now(self) -> float:
        return 0.0 if self.loop is None else self.loop.time() - self.origin

    def begin(self, seed: int, main: Callable[[], Awaitable[None]]) -> None:
        self.end()
        self.charges.reset(seed)
        self.ways.clear()
        self.loop = VirtualLoop()
        self.loop.run_until_complete(main())
        self.origin = self.loop.time()
        self.frame = -1

    def tick(self) -> None:
        self.frame += 1
        self.advance(self.frame * FRAME_SECONDS)

    def act(self, work: Callable[[], None]) -> None:
        assert self.loop is not None, "reset comes before step"
        self.loop.call_soon(work)
        self.advance(self.now + INSTANT)

    def advance(self, until: float) -> None:
        assert self.loop is not None, "reset comes before step"
        self.loop.advance(self.origin + until)
        if self.loop.has_waited_for_sockets:
            raise ValueError("something in the agent waits for a socket, for which virtual time does not wait: "
                             "clock@agent.clock=wall runs it in real time")

    async def charge(self, stage: str, request: str, work: Callable[[], T]) -> T:
        started = real_seconds()
        result = work()
        self.ways[stage] = self.charges.transport(stage, request) if isinstance(self.charges, Travels) else 0.0
        await self.wait(self.charges.seconds(stage, request, real_seconds() - started))
        return result

    async def lag(self, stage: str, request: str) -> None:
        await self.wait(self.charges.lag(stage, request))

    def way(self, stage: str) -> float:
        return self.ways.get(stage, 0.0)

    async def wait(self, seconds: float) -> None:
        if seconds > 0.0:
            await asyncio.sleep(seconds)

    def end(self, last: Callable[[], Awaitable[None]] | None = None) -> None:
        loop, self.loop = self.loop, None
        if loop is None:
            return
        try:
            if last is not None:
                loop.run_until_complete(last())
            loop.run_until_complete(cancelled())
        finally:
            loop.close()


class WallClock:
    """A loop in a thread of its own, in real time: for live calls, and for services over sockets.

    Args:
        num_threads: how much slow work may run at a time.
    """

    needs_time = True

    def __init__(self, num_threads: int = 4):
        self.num_threads = num_threads
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread: Thread | None = None
        self.pool: ThreadPoolExecutor | None = None
        self.origin: float | None = None

    @property
    def now(self) -> float:
        return -1.0 if self.origin is None else perf_counter() - self.origin

    def begin(self, seed: int, main: Callable[[], Awaitable[None]]) -> None:
        self.end()
        self.origin = None
        self.loop = asyncio.new_event_loop()
        self.pool = ThreadPoolExecutor(self.num_threads, thread_name_prefix="stage")
        self.thread = Thread(target=self.loop.run_forever, daemon=True, name="framework")
        self.thread.start()
        asyncio.run_coroutine_threadsafe(whole(main), self.loop).result()

    def tick(self) -> None:
        if self.origin is None:
            self.origin = perf_counter()

    def act(self, work: Callable[[], None]) -> None:
        assert self.loop is not None, "reset comes before step"
        self.loop.call_soon_threadsafe(work)

    async def charge(self, stage: str, request: str, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)

    async def lag(self, stage: str, request: str) -> None:
        pass

    def way(self, stage: str) -> float:
        return 0.0

    def end(self, last: Callable[[], Awaitable[None]] | None = None) -> None:
        loop, self.loop = self.loop, None
        if loop is None or self.thread is None or self.pool is None:
            return
        try:
            for work in (last, cancelled):
                if work is not None:
                    asyncio.run_coroutine_threadsafe(whole(work), loop).result(PATIENCE)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            self.thread.join(PATIENCE)
            self.pool.shutdown(wait=False, cancel_futures=True)
            loop.close()


async def whole(work: Callable[[], Awaitable[None]]) -> None:
    await work()


async def cancelled() -> None:
    """Cancels every other task of the running loop, and waits until they have ended."""
    others: set[asyncio.Task[Any]] = asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    with suppress(RuntimeError):
        await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()  # of `asyncio.to_thread`
