"""Stages in regions: exact legs, draws that repeat, and what of a latency is transport."""

from typing import Any, Final

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from duplex.latency import Declared, Ideal
from duplex.manifest import CHECKOUT
from duplex.network import Link
from duplex.packet_line import PacketLine
from duplex.perturbations import clean
from duplex.placement import Placed, RoundTrips
from duplex.recording import Recording
from duplex.workers import Charged, Threaded, waits
from eval.metrics.stages import latency_parts
from eval.metrics.switch import switch_latency
from eval.timeline import timeline

TABLE: Final = RoundTrips("test", 0.001, 0.00025, {"east": {"west": 0.07, "over_there": 0.08}})
STAGES: Final = ("stt_partial", "stt_final", "llm", "tts")
PROFILES: Final = ("three_regions", "virginia", "colocated", "laptop_over_ssh")


def placed(edge: str = "east", jitter: float = 0.0, compute: Any = None, seed: int = 0, **stages: str) -> Placed:
    return Placed("test", compute or Ideal(), edge, stages, TABLE, jitter, seed)


def profile(name: str) -> Placed:
    with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
        found: Placed = instantiate(compose("bench", ["agent=echo", f"+latency@clocks.{name}={name}"]).clocks[name])
    return found


def costs(charges: Placed, stage: str = "llm", requests: int = 2_000) -> np.ndarray:
    return np.array([charges.seconds(stage, str(request), 0.0) for request in range(requests)])


# Where things stand.


def test_a_request_pays_the_round_trip_to_its_region() -> None:
    there = placed(llm="west", tts="over_there", stt_final="east")
    assert [there.seconds(stage, "a", 0.0) for stage in ("llm", "tts", "stt_final")] == [0.07, 0.08, 0.001]


def test_within_a_zone_the_way_is_shorter_than_between_zones() -> None:
    assert [placed("east/a", llm=place).seconds("llm", "", 0.0) for place in ("east/a", "east/b", "east")] == [
        0.00025, 0.001, 0.001]


def test_streamed_hypotheses_run_behind_by_the_way_there_and_back() -> None:
    assert placed(stt_partial="west").lag("stt_partial", "") == 0.07


def test_a_stage_within_the_agent_travels_nowhere_and_a_piece_comes_behind_the_first() -> None:
    there = placed(tts="west", tts_piece="west")
    assert (there.seconds("turn_detection", "", 0.0), there.seconds("tts_piece", "", 0.0)) == (0.0, 0.0)


def test_the_way_comes_on_top_of_what_a_stage_computes() -> None:
    compute = Declared("cloud", {"llm": {"p50": 0.36, "p95": 0.72}})
    there = placed(compute=compute, llm="west")
    for seed in (0, 1):
        there.reset(seed)
        alone = Declared("cloud", {"llm": {"p50": 0.36, "p95": 0.72}})
        alone.reset(seed)
        assert there.seconds("llm", "when", 0.0) == pytest.approx(alone.seconds("llm", "when", 0.0) + 0.07)


def test_a_draw_depends_on_seeds_stage_and_request_alone() -> None:
    def drawn(seed: int, conversation: int, stage: str, request: str) -> float:
        there = placed(jitter=0.01, seed=seed, llm="west", tts="west")
        there.reset(conversation)
        _ = there.seconds("tts", "something else", 0.0)
        return there.seconds(stage, request, 0.0)

    assert drawn(0, 0, "llm", "a") == drawn(0, 0, "llm", "a")
    assert len({drawn(0, 0, "llm", "a"), drawn(1, 0, "llm", "a"), drawn(0, 1, "llm", "a"), drawn(0, 0, "tts", "a"),
                drawn(0, 0, "llm", "b")}) == 5


def test_jitter_is_never_less_than_nothing_and_has_its_mean() -> None:
    found = costs(placed(jitter=0.01, llm="west"))
    assert found.min() >= 0.07 and found.mean() == pytest.approx(0.08, abs=0.001)


def test_an_unknown_region_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="know no region 'mars', only east, over_there, west"):
        placed(llm="mars")
    with pytest.raises(ValueError, match="have no way from west to over_there, only to east"):
        placed("west", llm="over_there")


def test_a_stage_that_cannot_be_placed_is_told() -> None:
    with pytest.raises(ValueError, match="declares no stage 'lm' that could be placed, only llm"):
        placed(compute=Declared("cloud", {"llm": {"p50": 0.36, "p95": 0.72}}), lm="west")
    with pytest.raises(ValueError, match="stands at the end of the caller's line"):
        placed(speech_lm="west")


def test_a_pair_of_regions_has_one_round_trip() -> None:
    with pytest.raises(ValueError, match="each pair of two regions once"):
        RoundTrips("twice", 0.001, 0.001, {"east": {"west": 0.07}, "west": {"east": 0.08}})


# What of the wait is transport.


def test_a_job_knows_what_of_its_span_was_on_the_way() -> None:
    worker = Charged(placed(llm="west", compute=Declared("cloud", {"llm": {"p50": 0.1, "p95": 0.1}})))
    worker.tick()
    job = worker.run("llm", "a", lambda: 1)
    for _ in range(3):
        worker.tick()
    assert job.span == pytest.approx((0.0, 0.17)) and job.transport == 0.07
    assert waits(job, 0.0) == pytest.approx((0.1, 0.07))
    assert waits(job, 0.02) == pytest.approx((0.1, 0.05))  # half of the way there was over
    assert waits(job, 0.1) == pytest.approx((0.035, 0.035))
    assert waits(job, 0.16) == pytest.approx((0.0, 0.01))
    assert waits(job, 0.2) == (0.0, 0.0)


def test_in_threads_nobody_knows_the_way() -> None:
    worker = Threaded(1)
    job = worker.run("llm", "a", lambda: 1)
    assert job.result == 1 and job.transport == 0.0
    worker.reset(0)


def asked(charges: Placed, line: Any = clean) -> Recording:
    """A cascade that prepares nothing and trusts no hypothesis, told the words."""
    pytest.importorskip("espeakng_loader")
    import exact
    agent = exact.cascade(worker=Charged(charges), prepare_after=None, trust_partial=False)
    return exact.call(line(agent), (0.4, "how much is an eye test"))


def parts(recording: Recording) -> dict[str, float]:
    return {found.metric.removeprefix("part_"): found.value for found in latency_parts(timeline(recording))}


def latency(recording: Recording) -> float:
    [found] = switch_latency(timeline(recording))
    return found.value


def test_three_regions_cost_the_legs_that_they_declare_more_than_one() -> None:
    far = placed(stt_final="east", llm="west", tts="over_there")
    near = placed("east/a", stt_final="east/a", llm="east/a", tts="east/a")
    apart, together = asked(far), asked(near)
    assert [parts(found)["transport"] for found in (apart, together)] == pytest.approx([0.001 + 0.07 + 0.08, 3 * 0.00025])
    before_frames = [latency(found) - parts(found)["frame"] for found in (apart, together)]  # which are whole ones of 80 ms
    assert before_frames[0] - before_frames[1] == pytest.approx(0.151 - 0.00075, abs=1e-4)
    assert all(parts(found)[stage] == 0.0 for found in (apart, together) for stage in ("stt_final", "llm", "tts"))


@pytest.mark.parametrize("name", PROFILES)
def test_the_parts_of_a_latency_sum_to_it_on_every_profile_and_behind_a_line(name: str) -> None:
    charges = profile(name)
    recording = asked(charges, lambda agent: PacketLine(agent, Link(0.03), 0.04))
    found = parts(recording)
    assert sum(found.values()) == pytest.approx(latency(recording), abs=1e-4)
    assert abs(found["unexplained"]) < 0.0201 and found["line"] == pytest.approx(0.18)
    assert min(found["stt_final"], found["llm"], found["tts"]) > 0.0
    legs = sum(charges.legs[stage] for stage in ("stt_final", "llm", "tts"))
    assert legs < found["transport"] < legs + 9 * charges.jitter


def test_the_line_takes_nothing_from_the_endpointing_of_its_agent() -> None:
    far = asked(placed(llm="west"), lambda agent: PacketLine(agent, Link(0.13), 0.01))  # 0.16 s, two frames, each way
    near = asked(placed(llm="west"))
    assert latency(far) - latency(near) == pytest.approx(0.32, abs=1e-4)
    assert parts(far) == pytest.approx({**parts(near), "line": 0.32}, abs=1e-4)


def test_three_regions_are_those_of_the_practitioners() -> None:
    far, near = profile("three_regions"), profile("colocated")
    assert [far.legs[stage] for stage in STAGES] == [0.001, 0.001, 0.0727, 0.0805]
    assert set(near.legs.values()) == {0.00025}
    for seed in range(3):
        far.reset(seed)
        near.reset(seed)
        assert far.compute.seconds("llm", "a", 0.0) == near.compute.seconds("llm", "a", 0.0)
