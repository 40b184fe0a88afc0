"""How far from people: against areas computed by hand, and against what chance does."""

import math

import numpy as np
import pytest

from eval.metrics import human
from eval.statistics import human_distance
from eval.statistics.bootstrap import Sample
from eval.statistics.estimates import estimate, paired_difference
from eval.statistics.human_distance import closeness, distance, null, quantile, share_below


def of_people(number: int, seed: int = 0) -> np.ndarray:
    edges = human_distance.histogram().edges
    return np.interp(np.random.default_rng(seed).random(number), share_below(edges), edges)


def alone(offsets: np.ndarray) -> Sample:
    return Sample(offsets, np.zeros(len(offsets), bool), np.arange(len(offsets)))


# people


def test_the_histogram_holds_all_transfers() -> None:
    people = human_distance.histogram()
    assert human_distance.num_transfers(people) == 106_193
    assert (people.edges[0], people.edges[-1], len(people.counts)) == (-3.0, 3.0, 120)


def test_the_reference_values_follow_from_the_histogram() -> None:
    assert round(quantile(0.5), 2) == human.FLOOR_TRANSFER_MEDIAN
    assert round(quantile(0.95), 2) == human.FLOOR_TRANSFER_P95
    below_zero, early, natural, machine = share_below(np.array([0.0, -0.2, 0.8, 1.5]))
    assert round(float(below_zero), 2) == human.BELOW_ZERO
    assert round(float(early), 2) == human.EARLY
    assert round(float(natural), 2) == human.NATURAL
    assert round(float(machine - natural), 2) == human.SLOW
    assert round(float(1.0 - machine), 2) == human.MACHINE


def test_the_mean_of_clamped_offsets_follows_but_for_those_beyond_3_s() -> None:
    people = human_distance.histogram()
    within = float(np.maximum((people.edges[:-1] + people.edges[1:]) / 2.0, 0.0) @ people.counts)
    beyond = human.CLAMPED_MEAN * human_distance.num_transfers(people) - within
    assert 3.0 < beyond / people.above < 5.0  # seconds, the mean of the 2 % above


def test_the_quantiles_of_the_notes_are_met() -> None:
    for share, seconds in ((0.05, -1.78), (0.1, -1.08), (0.25, -0.37), (0.75, 0.416), (0.9, 1.056)):
        assert quantile(share) == pytest.approx(seconds, abs=0.01)


def test_the_page_gets_shares_of_all_transfers() -> None:
    bins = human_distance.bins()
    shares = bins["shares"]
    assert isinstance(shares, list) and len(shares) == 120
    assert sum(shares) == pytest.approx(1.0 - 4_497 / 106_193, abs=1e-3)
    assert (bins["start"], bins["step"]) == (-3.0, pytest.approx(0.05))


# distance


def test_people_lie_at_no_distance_from_themselves() -> None:
    edges = human_distance.histogram().edges
    evenly = np.interp((np.arange(20_000) + 0.5) / 20_000, share_below(edges), edges)
    assert distance(evenly) == pytest.approx(0.0, abs=1e-3)


def test_all_at_the_far_end_are_the_mean_of_people_away() -> None:
    people = np.clip(np.interp((np.arange(100_000) + 0.5) / 100_000, share_below(human_distance.histogram().edges),
                               human_distance.histogram().edges), -2.0, 2.0).mean()
    assert distance(np.array([2.0])) == pytest.approx(2.0 - people, abs=1e-3)
    assert distance(np.array([-2.0])) == pytest.approx(2.0 + people, abs=1e-3)


def test_offsets_beyond_2_s_count_as_2_s() -> None:
    assert distance(np.array([2.0, -7.0])) == distance(np.array([30.0, -2.0]))


def test_the_area_is_exact() -> None:
    offsets = np.array([-0.31, 0.02, 0.44, 0.44, 1.9])
    fine = np.linspace(-2.0, 2.0, 400_001)
    stair = np.searchsorted(np.sort(offsets), fine, side="right") / 5.0
    assert distance(offsets) == pytest.approx(float(np.abs(stair - share_below(fine)).mean() * 4.0), abs=2e-5)


def test_weights_repeat_offsets() -> None:
    offsets = np.array([0.5, -0.1, 1.2])
    weighted = human_distance.distances(offsets, np.array([[2, 0, 1], [0, 0, 0]]))
    assert weighted[0] == pytest.approx(distance(np.array([0.5, 0.5, 1.2])))
    assert math.isnan(weighted[1])


# chance


@pytest.mark.parametrize(("number", "mean", "high"), [(119, 0.095, 0.159), (200, 0.074, 0.125)])
def test_chance_puts_people_this_far_from_themselves(number: int, mean: float, high: float) -> None:
    assert null(number).mean() == pytest.approx(mean, abs=0.002)
    assert np.quantile(null(number), 0.95) == pytest.approx(high, abs=0.006)


def test_drawing_shares_of_people_is_drawing_offsets() -> None:
    shares = np.random.default_rng(1).random((20, 30))
    offsets = np.interp(shares, share_below(human_distance.histogram().edges), human_distance.histogram().edges)
    assert human_distance.drawn_distances(shares) == pytest.approx([distance(row) for row in offsets])


def test_chance_shrinks_with_the_root_of_the_number() -> None:
    assert null(4_000).mean() == pytest.approx(null(1_000).mean() / 2.0)
    assert null(250).mean() == pytest.approx(2.0 * null(1_000).mean(), rel=0.05)


def test_people_are_as_far_as_chance_makes_it() -> None:
    found = np.array([closeness(of_people(60, seed)) for seed in range(200)])
    assert np.mean(found[:, 3] < 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean(found[:, 0] - found[:, 1]) == pytest.approx(0.0, abs=0.012)


def test_a_machine_that_always_waits_is_farther_than_chance() -> None:
    found = closeness(np.full(100, 1.2))
    assert found.distance > found.null_p95 and found.share_as_far == pytest.approx(1 / 2_001)
    assert estimate(alone(np.full(100, 1.2)), "human_distance").value == pytest.approx(found.distance - found.null_mean)


def test_no_offset_has_no_distance() -> None:
    with pytest.raises(ValueError, match="no floor transfer offset"):
        closeness(np.empty(0))


# intervals


def test_the_interval_is_about_the_excess_itself() -> None:
    found = estimate(alone(of_people(150, 3)), "human_distance")
    assert found.value is not None and found.low is not None and found.high is not None
    assert found.low < found.value < found.high and found.low < 0.0 < found.high


def test_a_difference_of_distances_takes_off_each_systems_own_chance() -> None:
    few, many = np.full(20, 1.2), np.full(200, 1.2)
    first = Sample(few, np.zeros(20, bool), np.arange(20))
    second = Sample(many, np.zeros(200, bool), np.repeat(np.arange(20), 10))
    assert paired_difference(first, second, "human_distance").value == pytest.approx(null(200).mean() - null(20).mean())
