"""Slow work costs what the clock says: nothing, what it took, or what a profile declares."""

import threading
import time
from typing import Final

import numpy as np
import pytest

from duplex.conversation import Prompt, converse
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SILENCE, Frame, frozen
from duplex.latency import Charges, Declared, Ideal, Measured
from duplex.recording import AGENT
from duplex.workers import Charged, Job, Threaded, Worker

PROFILE: Final[dict[str, dict[str, object]]] = {
    "stt": {"p50": 0.2, "p95": 0.5, "source": "for readers"},
    "llm": {"p50": 0.6, "p95": 1.8},
    "tts": {"p50": 0.3, "p95": 0.3},
}


class Fixed:
    """Charges a fixed cost per stage."""

    name = "fixed"

    def __init__(self, **seconds: float):
        self.costs = seconds

    def reset(self, seed: int) -> None:
        pass

    def seconds(self, stage: str, request: str, measured: float) -> float:
        return self.costs[stage]

    def lag(self, stage: str, request: str) -> float:
        return self.costs[stage]


def frames_until_done(worker: Worker, job: Job[str]) -> int:
    frames = 0
    while not job.done:
        worker.tick()
        frames += 1
    return frames


def test_a_stage_of_900_ms_costs_12_frames() -> None:
    worker = Charged(Fixed(llm=0.9))
    job = worker.run("llm", "hello", lambda: "hi")
    assert (frames_until_done(worker, job), job.result) == (12, "hi")


def test_a_stage_of_900_ms_costs_nothing_on_the_ideal_clock() -> None:
    times = iter([0.0, 0.9])
    worker = Charged(Ideal(), timer=lambda: next(times))
    assert frames_until_done(worker, worker.run("llm", "hello", lambda: "hi")) == 0


def test_a_measured_stage_costs_what_the_timer_says() -> None:
    times = iter([100.0, 100.9])
    worker = Charged(Measured(), timer=lambda: next(times))
    assert frames_until_done(worker, worker.run("llm", "hello", lambda: "hi")) == 12


@pytest.mark.parametrize("seconds, frames", [(0.0, 0), (0.001, 1), (0.08, 1), (0.0801, 2), (0.24, 3), (0.8, 10)])
def test_a_cost_is_rounded_up_to_frames(seconds: float, frames: int) -> None:
    worker = Charged(Fixed(llm=seconds))
    for _ in range(7):
        worker.tick()
    assert frames_until_done(worker, worker.run("llm", "", lambda: "")) == frames


def test_a_chain_is_rounded_up_once() -> None:
    worker = Charged(Fixed(stt=0.1, llm=0.1, tts=0.1))  # 0.3 s: 4 frames, where three roundings would make 6
    job = worker.run("stt", "", lambda: "a").then("llm", lambda text: text + "b").then("tts", lambda text: text + "c")
    assert (frames_until_done(worker, job), job.result, job.stage) == (4, "abc", "tts")


def test_spans_say_when_each_stage_ran_on_the_clock() -> None:
    worker = Charged(Fixed(stt=0.1, llm=0.25))
    for _ in range(3):
        worker.tick()  # the third frame begins at 0.16
    first = worker.run("stt", "", lambda: "a")
    second = first.then("llm", lambda text: text)
    assert first.span == pytest.approx((0.16, 0.26))
    assert second.span == pytest.approx((0.26, 0.51))


def test_a_chain_that_ends_on_a_frame_costs_no_frame_more() -> None:
    worker = Charged(Fixed(stt=0.1, llm=0.2, tts=0.1))  # 0.1 + 0.2 is more than 0.3 in binary fractions
    job = worker.run("stt", "", lambda: "a").then("llm", lambda text: text).then("tts", lambda text: text)
    assert frames_until_done(worker, job) == 5


def fails() -> str:
    raise ConnectionError("no model")


@pytest.mark.parametrize("worker", [Charged(Ideal()), Threaded(1)], ids=["charged", "threaded"])
def test_an_error_surfaces_where_the_result_is_asked_for(worker: Worker) -> None:
    job = worker.run("llm", "", fails)
    with pytest.raises(ConnectionError, match="no model"):
        print(job.result)
    with pytest.raises(ConnectionError, match="no model"):
        print(job.then("tts", lambda text: text).result)


def test_a_declared_cost_does_not_depend_on_the_order_of_requests() -> None:
    one, other = Declared("far", PROFILE), Declared("far", PROFILE)
    one.reset(4)
    other.reset(4)
    requests = [(stage, f"request {index}") for stage in PROFILE for index in range(20)]
    forwards = {request: one.seconds(*request, measured=0.0) for request in requests}
    backwards = {request: other.seconds(*request, measured=9.0) for request in reversed(requests)}
    assert forwards == backwards
    assert forwards["stt", "request 3"] == one.lag("stt", "request 3")


def test_a_declared_cost_depends_on_both_seeds_the_stage_and_the_request() -> None:
    def cost(profile_seed: int = 0, seed: int = 0, stage: str = "stt", request: str = "a") -> float:
        charges = Declared("far", {"stt": PROFILE["stt"], "again": PROFILE["stt"]}, seed=profile_seed)
        charges.reset(seed)
        return charges.seconds(stage, request, 0.0)

    assert len({cost(), cost(profile_seed=1), cost(seed=1), cost(stage="again"), cost(request="b")}) == 5


@pytest.mark.parametrize("stage, p50, p95", [("stt", 0.2, 0.5), ("llm", 0.6, 1.8), ("tts", 0.3, 0.3)])
def test_declared_costs_have_the_declared_quantiles(stage: str, p50: float, p95: float) -> None:
    charges = Declared("far", PROFILE, seed=2)
    costs = [charges.seconds(stage, f"request {index}", 0.0) for index in range(2000)]
    # Standard errors at 2000: the deviation of the logarithm (0.67 for llm) times 0.028 and 0.047.
    assert np.percentile(costs, 50) == pytest.approx(p50, rel=0.06)
    assert np.percentile(costs, 95) == pytest.approx(p95, rel=0.10)


def test_an_undeclared_stage_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'far' declares no stage 'vad', only llm, stt, tts"):
        Declared("far", PROFILE).seconds("vad", "", 0.0)


@pytest.mark.parametrize("quantiles", [{}, {"p50": 0.5}, {"p50": 0.5, "p95": 0.4}, {"p50": 0.0, "p95": 0.4},
                                       {"p50": "fast", "p95": 1.0}])
def test_quantiles_that_make_no_sense_are_named(quantiles: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="'llm' needs 0 < p50 <= p95"):
        Declared("far", {"llm": quantiles})


def test_a_streaming_stage_lags_by_its_charge() -> None:
    assert Charged(Fixed(stt=0.3)).lag("stt", "hello") == 0.3
    assert Charged(Ideal()).lag("stt", "hello") == Charged(Measured()).lag("stt", "hello") == 0.0


class SpeaksWhenDone:
    """Starts `seconds` of work in its fourth step and speaks from when that is done."""

    def __init__(self, worker: Worker, seconds: float):
        self.worker, self.seconds = worker, seconds

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.worker.reset(seed)
        self.index = 0
        self.job: Job[None] | None = None

    def step(self, heard: Frame) -> Frame:
        self.worker.tick()
        if self.index == 3:
            self.job = self.worker.run("llm", "", lambda: time.sleep(self.seconds))
        self.index += 1
        speaks = self.job is not None and self.job.done
        return Frame(frozen(np.full(FRAME_SAMPLES, 0.1, np.float32))) if speaks else SILENCE


class KeepsPace:
    """A silent user who blocks for 80 ms a frame, as a sound card does."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.due = time.perf_counter()

    def step(self, heard: Frame) -> Frame:
        self.due += FRAME_SECONDS
        time.sleep(max(0.0, self.due - time.perf_counter()))
        return SILENCE


def first_frame(worker: Worker) -> int:
    audio = converse(KeepsPace(), SpeaksWhenDone(worker, 0.3), max_seconds=0.96).audio
    return int(np.flatnonzero(audio[AGENT])[0]) // FRAME_SAMPLES


def test_charged_and_threaded_agree_within_a_frame_at_real_pace() -> None:
    charged, threaded = first_frame(Charged(Measured())), first_frame(Threaded())
    assert 7 <= charged <= 8  # step 3, and 0.3 s on the clock are 4 frames
    assert abs(charged - threaded) <= 1


def test_a_thread_does_not_hold_up_the_frame() -> None:
    worker, go = Threaded(), threading.Event()
    job = worker.run("llm", "", lambda: go.wait(5.0))
    assert not job.done
    go.set()
    assert job.result is True


def test_threads_chain_in_order_even_when_there_is_only_one() -> None:
    worker = Threaded(num_threads=1)
    jobs = [worker.run("stt", "", lambda: "a").then("llm", lambda text: text + "b").then("tts", lambda text: text + "c")
            for _ in range(5)]
    assert [job.result for job in jobs] == ["abc"] * 5


def test_a_chained_stage_does_not_count_the_wait_for_the_one_before() -> None:
    worker = Threaded()
    first = worker.run("stt", "", lambda: time.sleep(0.1))
    second = first.then("llm", lambda _: time.sleep(0.02))
    assert second.result is None  # waits
    assert first.span[1] - first.span[0] >= 0.1
    assert 0.02 <= second.span[1] - second.span[0] < 0.09
    assert 0.0 <= second.span[0] - first.span[1] < 0.05


def test_reset_drops_the_jobs_of_the_last_conversation() -> None:
    worker, go, ran = Threaded(num_threads=1), threading.Event(), threading.Event()
    worker.run("llm", "", lambda: go.wait(5.0))
    queued = worker.run("llm", "", ran.set)
    worker.reset(0)
    assert worker.run("llm", "", lambda: "new").result == "new"  # the old one still blocks its own thread
    go.set()
    assert queued.done and not ran.is_set()


def test_reset_turns_the_clock_back() -> None:
    worker = Charged(Fixed(llm=0.9))
    for _ in range(100):
        worker.tick()
    worker.reset(0)
    worker.tick()
    assert worker.now == 0.0
    assert frames_until_done(worker, worker.run("llm", "", lambda: "")) == 12


@pytest.mark.parametrize("charges", [Ideal(), Measured(), Declared("far", PROFILE)])
def test_every_clock_has_a_name(charges: Charges) -> None:
    assert charges.name in ("ideal", "measured", "far")
