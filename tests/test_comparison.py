"""Swapping systems against exact counts, and Holm against his own rule."""

import math

import numpy as np
import pytest

from eval.statistics.bootstrap import Sample
from eval.statistics.comparison import SWAPS, gehan_scores, holm, p_value


def sample(values: list[float], conversations: list[int] | None = None, censored: list[int] = []) -> Sample:  # noqa: B006
    lost = np.isin(np.arange(len(values)), censored)
    return Sample(np.array(values, float), lost, np.arange(len(values)) if conversations is None else np.array(conversations))


def test_all_pairs_on_one_side_are_as_rare_as_two_in_two_to_the_n() -> None:
    found = p_value(sample([1.0] * 8), sample([0.0] * 8), "mean")
    assert found == pytest.approx(2 / 2 ** 8, abs=4 * math.sqrt(2 / 2 ** 8 / SWAPS))


def test_the_exact_share_of_swaps_is_found() -> None:
    """Differences 1, 2, 3: of 8 sign patterns, those with a sum of 6 or -6 are two; with 4 or more either way, four."""
    ours, theirs = sample([1.0, 2.0, 3.0]), sample([0.0, 0.0, 0.0])
    assert p_value(ours, theirs, "mean") == pytest.approx(2 / 8, abs=0.04)
    assert p_value(sample([0.0, 2.0, 3.0]), sample([1.0, 0.0, 0.0]), "mean") == pytest.approx(4 / 8, abs=0.045)


def test_a_system_against_itself_is_no_evidence() -> None:
    ours = sample(list(np.random.default_rng(0).normal(size=20)))
    for statistic in ("mean", "median", "p95"):
        assert p_value(ours, ours, statistic) == 1.0  # type: ignore[arg-type]


def test_it_does_not_matter_which_system_is_first() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = sample(list(rng.normal(size=20))), sample(list(rng.normal(size=20) + 0.5))
    forth, back = p_value(ours, theirs, "median"), p_value(theirs, ours, "median")
    assert forth is not None and forth == back


def test_occasions_of_a_conversation_are_swapped_together() -> None:
    """Forty occasions of four conversations are four pairs: no p below 2 in 16."""
    members = list(np.repeat(np.arange(4), 10))
    found = p_value(sample([1.0] * 40, members), sample([0.0] * 40, members), "rate")
    assert found == pytest.approx(2 / 16, abs=0.03)


def test_silence_is_later_than_every_answer() -> None:
    silent, answering = sample([5.0] * 8, censored=list(range(8))), sample([0.3] * 8)
    assert p_value(silent, silent, "median") == 1.0
    assert p_value(silent, answering, "median") == pytest.approx(2 / 2 ** 8, abs=0.01)


def test_values_that_never_overlap_are_no_chance_though_their_median_jumps() -> None:
    assert p_value(sample([0.4] * 10), sample([1.0] * 10), "median") == pytest.approx(2 / 2 ** 10, abs=0.003)


def test_scores_count_what_is_surely_sooner_and_later() -> None:
    values, censored = np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, False])
    # 1 has three later ones; 2 has one sooner, and the one lost at 2 and 3 later; the lost one only has two sooner
    assert gehan_scores(values, censored).tolist() == [-3.0, -1.0, 2.0, 2.0]


def test_no_occasion_has_no_p() -> None:
    assert p_value(sample([]), sample([1.0]), "mean") is None


def test_a_seed_gives_the_same_p() -> None:
    rng = np.random.default_rng(2)
    ours, theirs = sample(list(rng.normal(size=15))), sample(list(rng.normal(size=15) + 0.4))
    assert p_value(ours, theirs, "mean", seed=1) == p_value(ours, theirs, "mean", seed=1)
    assert p_value(ours, theirs, "mean", seed=1) != p_value(ours, theirs, "mean", seed=2)


def test_one_in_twenty_tests_of_equals_says_something() -> None:
    rng, found = np.random.default_rng(3), []
    for _ in range(200):
        shared, members = rng.normal(size=12), np.repeat(np.arange(12), 2)
        ours, theirs = (Sample(shared[members] + rng.normal(size=24), rng.random(24) < 0.2, members) for _ in range(2))
        found.append(p_value(ours, theirs, "median"))
    assert np.mean([p is not None and p <= 0.05 for p in found]) == pytest.approx(0.05, abs=0.04)


# Holm


def test_holm_counts_down() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}, 4) == pytest.approx(
        {"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})


def test_holm_never_exceeds_one() -> None:
    assert holm({"a": 0.5, "b": 0.6}, 2) == {"a": 1.0, "b": 1.0}


def test_a_test_that_could_not_be_made_still_counts() -> None:
    assert holm({"a": 0.01, "b": None}, 5) == {"a": 0.05, "b": None}
