"""Every metric measures what instruments of known behaviour do, in hundreds of random conversations.

`scripts/known_answers.py` says how, and does it by the ten thousand.
"""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from known_answers import EDGE, ELSEWHERE, EXACT, SUMS, TIMES, TWO_EDGES, UNITS, Tallies, added, judged
from known_calls import Call, by_metric, drawn, held, measured

from eval import turn_taking
from eval.metrics import agent_backchannel, aside, decision, interruption, occasions, pause, stages, switch
from eval.metrics.catalogue import MEASURES, METRICS
from eval.timeline import Timeline, timeline

CONVERSATIONS = 260
BESIDE = ("conversation_failed", "recording_refused", "late_steps", "realtime_factor")
RATES = sorted({metric.observed for metric in METRICS if metric.observed in UNITS and metric.statistic == "rate"})


class Proof(NamedTuple):
    call: Call
    timeline: Timeline
    tallies: Tallies


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> list[Proof]:
    return [proof(drawn(seed), tmp_path_factory.mktemp("call")) for seed in range(CONVERSATIONS)]


def proof(call: Call, folder: Path) -> Proof:
    recording, without = held(call, folder)
    return Proof(call, timeline(recording, without), judged(call, measured(recording, without)))


@pytest.fixture(scope="module")
def total(proofs: list[Proof]) -> Tallies:
    return added(one.tallies for one in proofs)


def test_everything_is_measured_as_it_was_planned(total: Tallies) -> None:
    assert [failure for one in total.values() for failure in one.failures] == []


def test_every_metric_of_ours_was_observed(total: Tallies) -> None:
    assert [metric for metric, one in total.items() if not one.exact] == []


def test_every_rate_has_seen_the_sin_and_the_virtue(total: Tallies) -> None:
    assert {metric: (total[metric].least, total[metric].most) for metric in RATES} == {
        metric: (0.0, 1.0) for metric in RATES}


def test_a_time_is_10_ms_off_at_most_for_each_edge_in_it(total: Tallies) -> None:
    off = {metric: total[metric].error for metric in TIMES - SUMS}
    assert {metric: error for metric, error in off.items()
            if error > EDGE * (2 if metric in TWO_EDGES else 1) + EXACT} == {}


def test_few_conversations_come_too_close_to_a_threshold_to_tell(total: Tallies) -> None:
    compared, undecided = (sum(getattr(one, what) for one in total.values()) for what in ("compared", "undecided"))
    assert undecided < 0.02 * compared


def test_what_is_measured_with_a_models_help_or_of_a_task_is_all_that_is_left_out() -> None:
    ours = {metric.observed for metric in METRICS if not metric.family}
    assert ours == set(UNITS) | set(ELSEWHERE)


def test_a_conversation_follows_from_its_seed() -> None:
    one, other = drawn(11), drawn(11)
    assert (one.acts, one.sounds, one.num_frames) == (other.acts, other.sounds, other.num_frames)
    assert one.instrument.says(one.sounds, one.length) == other.instrument.says(other.sounds, other.length)


@pytest.mark.parametrize(("module", "constant", "value"), [
    (occasions, "ANSWER_SECONDS", 5.1), (occasions, "TURN_GAP_SECONDS", 0.9), (switch, "EARLY_SECONDS", -0.1),
    (switch, "NATURAL_SECONDS", 0.9), (switch, "MACHINE_SECONDS", 1.6), (pause, "AFTER_START_SECONDS", 0.2),
    (pause, "AFTER_END_SECONDS", 0.3), (decision, "REST_SECONDS", 0.6), (stages, "MATCH_SECONDS", 0.1),
    (interruption, "STOP_SILENCE_SECONDS", 0.5), (interruption, "YIELD_WINDOWS", {"yield_rate": 1.1}),
    (interruption, "LEFT_SECONDS", 0.6), (interruption, "STALE_WORDS", 3), (aside, "CONTINUE_SECONDS", 1.1),
    (aside, "FALSE_RESPONSE_SECONDS", 2.1), (aside, "SILENT_SECONDS", 1.1), (agent_backchannel, "LONGEST_SECONDS", 0.9),
    (agent_backchannel, "CLEAR_SECONDS", 0.9), (agent_backchannel, "WINDOW_SECONDS", 0.6),
    (turn_taking, "BACKCHANNEL_SECONDS", 0.9), (turn_taking, "BACKCHANNEL_CLEAR_SECONDS", 1.1),
], ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_definition_that_is_a_tenth_off_is_found(proofs: list[Proof], module: Any, constant: str, value: object,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, constant, value)
    assert any(map(wrong_by_the_timeline, proofs))


def test_nothing_is_found_in_the_definitions_as_they_are(proofs: list[Proof]) -> None:
    assert not any(map(wrong_by_the_timeline, proofs))


def wrong_by_the_timeline(known: Proof) -> list[tuple[int, str]]:
    """What is wrong with a conversation that is measured again, but for what takes more than a timeline."""
    if known.call.overdriven:
        return []
    found = by_metric(observation for measure in MEASURES for observation in measure(known.timeline))
    return [failure for metric, one in judged(known.call, found).items() if metric not in BESIDE for failure in one.failures]
