"""How a framework's loop keeps time with the frames, virtually and by the wall; what is done when a sample is played."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from threading import active_count

import numpy as np
import pytest
from exact import Costs

from duplex.frame import FRAME_SECONDS, SAMPLE_RATE
from duplex.frameworks.clock import INSTANT, Clock, VirtualClock, WallClock
from duplex.frameworks.speaker import Speaker
from duplex.latency import Ideal, Measured
from duplex.speech import Speech


async def nothing() -> None:
    pass


@pytest.fixture(params=["virtual", "wall"])
def clock(request: pytest.FixtureRequest) -> Iterator[Clock]:
    made: Clock = VirtualClock(Ideal()) if request.param == "virtual" else WallClock()
    yield made
    made.end()


def run(clock: Clock, work: Callable[[], Awaitable[None]]) -> list[asyncio.Task[None]]:
    """Has something done in the loop in this frame; returns its task."""
    tasks: list[asyncio.Task[None]] = []
    clock.act(lambda: tasks.append(asyncio.ensure_future(work())))
    return tasks


def test_it_begins_before_the_first_frame_with_what_is_given(clock: Clock) -> None:
    seen: list[float] = []

    async def main() -> None:
        await asyncio.sleep(0.01)
        seen.append(clock.now)

    clock.begin(0, main)
    assert len(seen) == 1 and seen[0] <= 0.01 + 1e-9


def test_what_fails_at_the_beginning_is_raised(clock: Clock) -> None:
    async def main() -> None:
        raise ValueError("not today")

    with pytest.raises(ValueError, match="not today"):
        clock.begin(0, main)


def test_at_the_end_every_task_is_over_and_no_thread_is_left(clock: Clock) -> None:
    threads, ended = active_count(), []

    async def endless() -> None:
        try:
            await asyncio.sleep(1e9)
        finally:
            ended.append("cancelled")

    async def last() -> None:
        ended.append("last")

    clock.begin(0, nothing)
    clock.tick()
    run(clock, endless)
    clock.tick()
    clock.end(last)
    assert ended == ["last", "cancelled"] and active_count() == threads


def test_beginning_anew_ends_what_ran(clock: Clock) -> None:
    ended = []

    async def endless() -> None:
        try:
            await asyncio.sleep(1e9)
        finally:
            ended.append(True)

    clock.begin(0, nothing)
    clock.tick()
    run(clock, endless)
    clock.begin(0, nothing)
    assert ended == [True]


def test_ending_twice_is_ending_once(clock: Clock) -> None:
    clock.begin(0, nothing)
    clock.end()
    clock.end()


# In virtual time


def frames(clock: Clock, number: int) -> None:
    for _ in range(number):
        clock.tick()
        clock.act(lambda: None)


def test_a_frame_finds_done_what_was_due_before_it() -> None:
    clock, seen = VirtualClock(Ideal()), []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for seconds in (0.05, 0.079, 0.16, 0.17):
            loop.call_later(seconds, seen.append, seconds)

    clock.begin(0, main)
    found = []
    for _ in range(4):
        clock.tick()
        found.append(list(seen))
    assert found == [[], [0.05, 0.079], [0.05, 0.079, 0.16], [0.05, 0.079, 0.16, 0.17]]
    clock.end()


def test_what_follows_from_an_act_without_delay_is_done_before_it_returns() -> None:
    clock, seen = VirtualClock(Ideal()), []

    async def chain() -> None:
        for number in range(50):
            await asyncio.sleep(0)
            seen.append(number)

    clock.begin(0, nothing)
    clock.tick()
    run(clock, chain)
    assert seen == list(range(50)) and clock.now == pytest.approx(INSTANT)
    clock.end()


@pytest.mark.parametrize(("costs", "seconds"), [({}, 0.0), ({"llm": 0.3}, 0.3)])
def test_work_is_done_at_once_and_its_result_comes_when_it_is_paid_for(costs: dict[str, float], seconds: float) -> None:
    clock, seen, worked = VirtualClock(Costs(**costs)), [], []

    async def ask() -> None:
        answer = await clock.charge("llm", "request", lambda: worked.append(clock.now) or "answer")
        seen.append((answer, clock.now))

    clock.begin(0, nothing)
    clock.tick()
    run(clock, ask)
    assert worked == [0.0]
    frames(clock, 6)
    assert seen == [("answer", pytest.approx(seconds, abs=1e-6))]
    clock.end()


def test_a_stream_lags_by_what_its_stage_is_charged() -> None:
    clock, seen = VirtualClock(Costs(stt_partial=0.2)), []

    async def ask() -> None:
        await clock.lag("stt_partial", "words")
        seen.append(clock.now)

    clock.begin(0, nothing)
    clock.tick()
    run(clock, ask)
    frames(clock, 5)
    assert seen == [pytest.approx(0.2, abs=1e-6)]
    clock.end()


def test_what_nobody_waits_for_any_more_is_given_up() -> None:
    clock, seen = VirtualClock(Costs(llm=1.0)), []

    async def ask() -> None:
        try:
            await clock.charge("llm", "request", lambda: "answer")
        finally:
            seen.append(clock.now)

    clock.begin(0, nothing)
    clock.tick()
    (task,) = run(clock, ask)
    frames(clock, 2)
    clock.act(task.cancel)
    assert task.cancelled() and seen == [pytest.approx(2 * FRAME_SECONDS, abs=1e-5)]
    clock.end()


def test_measured_work_costs_what_it_really_took() -> None:
    clock, seen = VirtualClock(Measured()), []

    async def ask() -> None:
        await clock.charge("llm", "request", lambda: time.sleep(0.05))
        seen.append(clock.now)

    clock.begin(0, nothing)
    clock.tick()
    run(clock, ask)
    frames(clock, 40)
    assert 0.05 <= seen[0] < 2.0
    clock.end()


# By the wall


@pytest.mark.slow
@pytest.mark.alone
def test_by_the_wall_work_takes_what_it_takes_and_the_loop_goes_on() -> None:
    clock, seen = WallClock(), []

    async def ask() -> None:
        await clock.charge("llm", "request", lambda: time.sleep(0.3))
        seen.append(("answer", clock.now))

    async def count() -> None:
        await asyncio.sleep(0.1)
        seen.append(("meanwhile", clock.now))

    clock.begin(0, nothing)
    clock.tick()
    run(clock, ask)
    run(clock, count)
    time.sleep(0.6)
    clock.end()
    assert [what for what, _ in seen] == ["meanwhile", "answer"]
    assert [at for _, at in seen] == pytest.approx([0.1, 0.3], abs=0.1)


def test_the_wall_needs_somebody_who_keeps_time_and_virtual_time_does_not() -> None:
    assert WallClock().needs_time and not VirtualClock(Ideal()).needs_time


# What is done when a sample is played


def sound(seconds: float) -> Speech:
    return Speech(np.full(round(seconds * SAMPLE_RATE), 0.1, np.float32))


def test_a_deed_is_done_with_the_frame_that_plays_its_sample() -> None:
    speaker, done = Speaker(), []
    for sample in (0, 1_919, 1_920, 4_000):
        speaker.when_played(sample, lambda sample=sample: done.append(sample))
    speaker.read()
    assert not done  # nothing is played yet
    speaker.write(sound(0.24))
    for expected in ([0, 1_919], [0, 1_919, 1_920], [0, 1_919, 1_920, 4_000]):
        speaker.read()
        assert done == expected


def test_a_deed_behind_the_last_sample_is_done_when_all_was_played() -> None:
    speaker, done = Speaker(), []
    speaker.write(sound(0.16))
    speaker.when_played(speaker.num_written, lambda: done.append(True), sound=False)
    speaker.read()
    assert not done
    speaker.read()
    assert done


def test_what_is_dropped_is_never_done() -> None:
    speaker, done = Speaker(), []
    speaker.write(sound(0.24))
    speaker.when_played(4_000, lambda: done.append(True))
    speaker.read()
    speaker.clear()
    speaker.write(sound(0.24))
    for _ in range(4):
        speaker.read()
    assert not done and speaker.num_played == 1_920 + 5_760


def test_what_a_deed_logs_stands_in_the_frame_that_plays_it() -> None:
    speaker = Speaker()
    speaker.write(sound(0.16))
    speaker.when_played(1_920, lambda: speaker.note("answer"))
    assert [[event.kind for event in speaker.read().events] for _ in range(2)] == [[], ["answer"]]
