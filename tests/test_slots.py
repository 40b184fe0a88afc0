"""Slots: conversations in threads of their own that share an engine."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("moshi")

from talking import DRAWN, LOST, alone, heard, tokens  # noqa: E402  # after the skip

from duplex.frame import FRAME_SAMPLES  # noqa: E402
from duplex.speech_lm.engine import Engine, Input, Output  # noqa: E402
from duplex.speech_lm.sampling import GREEDY, Sampling  # noqa: E402
from duplex.speech_lm.slots import Seat, Slots  # noqa: E402

MakeEngine = Callable[..., Engine]
NOT_A_NUMBER = Input(samples=np.full(FRAME_SAMPLES, np.nan, np.float32))


def call(slots: Slots, inputs: Sequence[Input], seed: int, sampling: Sampling = GREEDY) -> list[Output]:
    """A conversation, from joining to leaving."""
    seat = slots.sit(seed, sampling)
    try:
        return [seat.step(one) for one in inputs]
    finally:
        seat.leave()


def test_conversations_in_threads_are_what_they_are_alone(engine: MakeEngine) -> None:
    calls = [(heard(length, seed), seed) for seed, length in enumerate((14, 5, 9, 11, 3, 8))]
    slots = Slots(engine(slots=3))
    with ThreadPoolExecutor(3) as threads:
        said = list(threads.map(lambda one: call(slots, *one, DRAWN), calls))
    single = engine()
    assert [tokens(one) for one in said] == [tokens(alone(single, *one, DRAWN)) for one in calls]
    assert slots.free and not slots.seats


def test_a_snapshot_is_taken_up_again(engine: MakeEngine) -> None:
    inputs, slots = heard(10, 1), Slots(engine(slots=2))
    first = slots.sit(4, DRAWN)
    before = [first.step(one) for one in inputs[:6]]
    kept = first.snapshot()
    first.leave()
    for _ in range(2):  # as often as one likes
        again = slots.resume(kept)
        assert tokens(before + [again.step(one) for one in inputs[6:]]) == tokens(alone(engine(), inputs, 4, DRAWN))
        again.leave()


def test_nobody_sits_where_all_seats_are_taken(engine: MakeEngine) -> None:
    slots = Slots(engine(slots=1))
    seat = slots.sit(0, GREEDY)
    with pytest.raises(ValueError, match="all 1 slots are taken; agent.slots=2 has one more"):
        slots.sit(1, GREEDY)
    seat.leave()
    seat.leave()
    slots.sit(1, GREEDY).leave()


def test_two_conversations_in_one_thread_are_refused(engine: MakeEngine) -> None:
    slots = Slots(engine(slots=2))
    one, _ = slots.sit(0, GREEDY), slots.sit(1, GREEDY)
    with pytest.raises(ValueError, match="give each a thread of its own, or an engine of its own"):
        one.step(LOST)


def test_a_frame_that_is_not_a_number_stops_its_conversation_only(engine: MakeEngine) -> None:
    slots = Slots(engine(slots=2))
    broken = [*heard(3, 5), NOT_A_NUMBER, *heard(3, 6)]
    with ThreadPoolExecutor(2) as threads:
        failing = threads.submit(call, slots, broken, 5, DRAWN)
        unharmed = threads.submit(call, slots, heard(12, 1), 1, DRAWN)
        with pytest.raises(ValueError, match="frame 4 has samples that are not finite"):
            failing.result()
    assert tokens(unharmed.result()) == tokens(alone(engine(), heard(12, 1), 1, DRAWN))


def test_a_model_that_answers_nonsense_is_named(engine: MakeEngine) -> None:
    made = engine()
    slots = Slots(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made.mimi, "decode", lambda codes: codes[:, :1, :1].float().expand(-1, -1, FRAME_SAMPLES) * np.nan)
        with pytest.raises(ValueError, match="the model's sound is not finite in frame 1"):
            call(slots, heard(3, 0), 0)
    assert tokens(call(slots, heard(3, 0), 0)) == tokens(alone(engine(), heard(3, 0), 0))


def test_a_failing_engine_fails_every_conversation_and_serves_the_next(engine: MakeEngine) -> None:
    made = engine(slots=2)
    slots = Slots(made)

    def out_of_memory(codes: object) -> None:
        raise RuntimeError("CUDA out of memory")

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as threads:
        patch.setattr(made.mimi, "encode", out_of_memory)
        calls = [threads.submit(call, slots, heard(3, seed), seed) for seed in range(2)]
        for one in calls:
            with pytest.raises(RuntimeError, match="out of memory"):
                one.result()
    assert tokens(call(slots, heard(3, 0), 0)) == tokens(alone(engine(), heard(3, 0), 0))


def paced(seat: Seat, inputs: Sequence[Input], pause: float) -> list[Output]:
    """Somebody at a sound card who brings a frame every `pause` seconds."""
    said = []
    for one in inputs:
        time.sleep(pause)
        said.append(seat.step(one))
    seat.leave()
    return said


def test_live_nobody_waits_for_one_who_is_late(engine: MakeEngine) -> None:
    slots = Slots(engine(slots=2), period=0.15)
    punctual, late = slots.sit(1, DRAWN), slots.sit(2, DRAWN)
    with ThreadPoolExecutor(2) as threads:
        quick = threads.submit(paced, punctual, heard(9, 1), 0.0)
        slow = threads.submit(paced, late, heard(2, 2), 0.6)
        answers = quick.result(), slow.result()
    assert late.missed >= 3
    assert [tokens(said) for said in answers] == [
        tokens(alone(engine(), inputs, seed, DRAWN)) for inputs, seed in ((heard(9, 1), 1), (heard(2, 2), 2))]


def test_live_a_tick_begins_when_all_are_there(engine: MakeEngine) -> None:
    slots = Slots(engine(slots=2), period=60.0)  # nobody would wait that long
    seats = [slots.sit(seed, GREEDY) for seed in range(2)]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda seat: paced(seat, heard(4, 0), 0.0), seats))
    assert [seat.missed for seat in seats] == [0, 0] and slots.overrun == 0.0


def test_live_an_engine_that_cannot_keep_up_says_so(engine: MakeEngine) -> None:
    slots = Slots(engine(), period=0.001)
    said = paced(slots.sit(0, GREEDY), heard(4, 0), 0.0)
    assert slots.overrun > 0.01
    assert tokens(said) == tokens(alone(engine(), heard(4, 0), 0))  # late, but nothing is skipped
