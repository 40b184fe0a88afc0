"""dGSLM's corpus statistics: what they count, and how a generated corpus compares with a real one."""

import pytest
from drawing import drawn
from test_known_answers import conversation

from duplex.agents.simple import Responder
from duplex.frame import Event
from eval.compat.dgslm import MEASURES, METRICS, duration_correlations
from eval.metrics.turn_taking import per_minute
from eval.timeline import Timeline, timeline


def totals(of: Timeline) -> dict[str, float]:
    """What each metric counts in a conversation."""
    found = per_minute(of)
    return {metric.name.removeprefix("dgslm_"): sum(one.value for one in found if one.metric == metric.observed)
            for metric in METRICS}


def talk(unit: int, gap: int) -> Timeline:
    """Two of each party's units of so many tenths of a second, with gaps between."""
    turn, silence = "#" * unit, "." * (unit + 2 * gap)
    return drawn((turn + silence) * 2, ("." * (unit + gap) + turn + "." * gap) * 2)


def test_each_metric_summarises_what_is_measured_anyway() -> None:
    names = {one.metric for one in per_minute(talk(10, 3))}
    assert {metric.observed for metric in METRICS} <= names
    assert not MEASURES
    assert {(metric.family, metric.statistic) for metric in METRICS} == {("dGSLM", "ratio")}


def test_counts_and_seconds_of_a_drawing() -> None:
    """Three units of the one, two of the other, a pause of 0.5 s, gaps of 0.4 and 0.3 s, an overlap of 0.2 s."""
    of = drawn("#####.....######.........#########",
               "....................#######.......")
    assert totals(of) == pytest.approx({
        "ipus": 4, "ipu_seconds": 2.7, "pauses": 1, "pause_seconds": 0.5, "gaps": 1, "gap_seconds": 0.4,
        "overlaps": 1, "overlap_seconds": 0.2})


@pytest.mark.parametrize("delay", [0.16, 0.3, 0.5, 0.777, 1.2345, 2.0])
def test_a_responder_is_a_gap_of_its_delay(delay: float) -> None:
    found = totals(timeline(conversation(Responder(delay, 1.5), Event("turn", 0.5, 2.0), seconds=8.0)))
    assert (found["ipus"], found["gaps"], found["pauses"], found["overlaps"]) == (2, 1, 0, 0)
    assert found["gap_seconds"] == pytest.approx(delay, abs=0.01 + 1e-9)
    assert found["ipu_seconds"] == pytest.approx(3.0, abs=0.02 + 1e-9)


def test_a_corpus_correlates_with_itself_and_with_its_reverse() -> None:
    real = [talk(10, 3), talk(15, 4), talk(20, 5)]
    assert duration_correlations(real, real) == {"ipu": 1.0, "pause": None, "gap": 1.0, "overlap": None}
    assert duration_correlations(real[::-1], real)["gap"] == -1.0


def test_units_and_gaps_are_correlated_apart() -> None:
    """Units 1, 2, 3 s against 2, 3, 1 s: -0.5; gaps alike."""
    generated, real = [talk(10, 3), talk(20, 4), talk(30, 5)], [talk(20, 3), talk(30, 4), talk(10, 5)]
    found = duration_correlations(generated, real)
    assert (found["ipu"], found["gap"]) == (pytest.approx(-0.5, abs=1e-6), 1.0)


def test_a_pair_without_a_gap_is_left_out() -> None:
    real = [talk(10, 3), talk(15, 4), talk(20, 5), talk(25, 6)]
    silent = drawn("#####" + "." * 20)
    generated = [talk(10, 3), silent, talk(20, 5), talk(25, 6)]
    assert duration_correlations(generated, real)["gap"] == 1.0
    assert duration_correlations([silent, *real[1:3]], real[:3])["gap"] is None  # two pairs are left


def test_what_does_not_vary_has_no_correlation() -> None:
    assert duration_correlations([talk(10, 3)] * 3, [talk(10, 3), talk(15, 4), talk(20, 5)])["ipu"] is None


def test_corpora_of_different_length_make_no_pairs() -> None:
    with pytest.raises(ValueError, match="2 generated and 1 real conversations make no pairs"):
        duration_correlations([talk(10, 3)] * 2, [talk(10, 3)])
