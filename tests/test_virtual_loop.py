"""The event loop in virtual time: it never sleeps, its timers fire in order, and its clocks are only for who runs in it."""

import asyncio
import queue
import time

import pytest

from duplex.frameworks.virtual_loop import Stuck, VirtualLoop


def test_a_day_of_sleep_takes_no_time() -> None:
    loop, started = VirtualLoop(), time.perf_counter()
    loop.run_until_complete(asyncio.sleep(86_400.0))
    assert loop.time() == pytest.approx(86_400.0, abs=1e-6) and time.perf_counter() - started < 5.0
    loop.close()


def test_timers_fire_in_their_order_and_what_follows_a_timer_comes_before_the_next() -> None:
    loop, seen = VirtualLoop(), []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append(seconds)
        await asyncio.sleep(0.0)
        seen.append(seconds)

    async def all_of_them() -> None:
        await asyncio.gather(*(sleeper(seconds) for seconds in (0.3, 0.1, 0.2, 0.1)))

    loop.run_until_complete(all_of_them())
    assert seen == [0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3]
    loop.close()


def test_it_is_left_at_the_moment_to_which_it_was_advanced() -> None:
    loop, seen = VirtualLoop(), []
    for seconds in (0.08, 0.0800001, 0.16):
        loop.call_at(seconds, seen.append, seconds)
    loop.advance(0.08)
    assert loop.time() == pytest.approx(0.08, abs=1e-9) and seen == [0.08]
    loop.advance(0.16)
    assert seen == [0.08, 0.0800001, 0.16]
    loop.close()


def test_a_hundred_thousand_frames_do_not_drift() -> None:
    loop = VirtualLoop()
    for frame in range(100_000):
        loop.advance(frame * 0.08)
    assert loop.time() == pytest.approx(99_999 * 0.08, abs=1e-6)
    loop.close()


def test_its_clocks_move_with_it_and_those_outside_do_not() -> None:
    loop = VirtualLoop()

    async def read() -> list[float]:
        before = [time.time(), time.monotonic(), time.perf_counter(), time.monotonic_ns() / 1e9]
        await asyncio.sleep(5.0)
        after = [time.time(), time.monotonic(), time.perf_counter(), time.monotonic_ns() / 1e9]
        return [b - a for a, b in zip(before, after, strict=True)]

    started = time.monotonic()
    assert loop.run_until_complete(read()) == pytest.approx([5.0] * 4, abs=1e-6)
    assert time.monotonic() - started < 2.0
    loop.close()


def test_its_clocks_never_tell_zero() -> None:
    """Zero means "never" to who remembers when something was."""
    loop = VirtualLoop()

    async def read() -> tuple[float, float, int]:
        return time.monotonic(), time.perf_counter(), time.monotonic_ns()

    assert min(loop.run_until_complete(read())) > 0
    loop.close()


def test_a_thread_is_not_waited_for_and_its_work_takes_no_time() -> None:
    loop, seen = VirtualLoop(), []

    async def work() -> None:
        seen.append(await asyncio.to_thread(lambda: 3))
        with pytest.raises(ZeroDivisionError):
            await asyncio.get_running_loop().run_in_executor(None, lambda: 1 // 0)

    loop.run_until_complete(work())
    assert seen == [3] and loop.time() == 0.0
    loop.close()


def test_waiting_for_what_never_comes_is_told() -> None:
    loop = VirtualLoop()

    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck, match="no timer brings"):
        loop.run_until_complete(wait())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()


def test_going_round_without_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("duplex.frameworks.virtual_loop.MOST_AT_ONCE", 1_000)
    loop = VirtualLoop()

    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    task = loop.create_task(spin())
    with pytest.raises(Stuck, match="goes round without end at 0.000 s"):
        loop.advance(0.08)
    task.cancel()
    monkeypatch.undo()
    loop.advance(0.08)
    loop.close()


def test_a_timeout_is_as_long_as_it_says() -> None:
    loop = VirtualLoop()

    async def wait() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Queue[int]().get(), 0.35)
        return asyncio.get_running_loop().time()

    assert loop.run_until_complete(wait()) == pytest.approx(0.35, abs=1e-8)
    loop.close()


def test_two_loops_in_turn_have_times_of_their_own() -> None:
    one, other = VirtualLoop(), VirtualLoop()
    one.advance(1.0)
    other.advance(0.5)
    assert (one.time(), other.time()) == pytest.approx((1.0, 0.5))
    one.close()
    other.close()


def test_real_clocks_are_left_to_threads() -> None:
    """A virtual loop runs in this thread; whoever waits in another one waits for real."""
    loop, told = VirtualLoop(), queue.SimpleQueue()

    async def ask() -> None:
        from threading import Thread
        thread = Thread(target=lambda: told.put(time.monotonic()))
        thread.start()
        thread.join()

    before = time.monotonic()
    loop.run_until_complete(ask())
    assert before <= told.get() <= time.monotonic()
    loop.close()
