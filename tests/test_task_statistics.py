"""Contrasts and shares of the commonest values: by hand, by simulation, and fast."""

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from eval.metrics.metric import Metric
from eval.scores import summary
from eval.statistics.bootstrap import Sample
from eval.statistics.branches import Branches
from eval.statistics.comparison import p_value
from eval.statistics.estimates import Estimate, estimate, paired_difference


def sample(values: Sequence[float] | np.ndarray, groups: Sequence[int] | np.ndarray,
           per: Sequence[float] | np.ndarray | None = None) -> Sample:
    """Each value a conversation of its own."""
    return Sample(np.array(values, float), np.zeros(len(values), bool), np.arange(len(values)),
                  per=None if per is None else np.array(per, float), groups=np.array(groups))


# contrasts


def test_a_contrast_is_one_mean_less_the_other() -> None:
    found = estimate(sample([1.0, 0.0, 3.5, 0.5], [0, 1, 0, 1], [1, 1, -1, -1]), "contrast")
    assert (found.value, found.n, found.n_conversations) == (-1.5, 4, 2)


def test_a_task_held_one_way_alone_contrasts_with_nothing() -> None:
    found = estimate(sample([1.0, 0.0, 9.0, 9.0], [0, 0, 1, 2], [1, -1, 1, -1]), "contrast")
    assert (found.value, found.n, found.n_conversations) == (1.0, 2, 1)
    assert estimate(sample([1.0, 1.0], [0, 1], [1, -1]), "contrast") == Estimate(None, None, None, 0, 0)


def test_what_makes_a_task_hard_cancels() -> None:
    hard = np.arange(30.0)
    found = estimate(sample([*(hard + 0.3), *hard], [*range(30), *range(30)], [1.0] * 30 + [-1.0] * 30), "contrast")
    assert found[:3] == pytest.approx((0.3, 0.3, 0.3))


def test_a_contrast_of_failures_is_a_difference_of_rates() -> None:
    """Fifteen tasks failed with the disturbance and none without: not as sure as if nothing could vary."""
    found = estimate(sample([1.0] * 15 + [0.0] * 15, [*range(15), *range(15)], [1.0] * 15 + [-1.0] * 15), "contrast")
    assert found.value == 1.0 and found.low is not None and 0.6 < found.low < 0.8 and found.high == 1.0


def test_contrasts_of_two_systems_differ_by_their_difference() -> None:
    groups, per = [*range(12), *range(12)], [1.0] * 12 + [-1.0] * 12
    ours = sample([1.0] * 6 + [0.0] * 18, groups, per)
    theirs = sample([1.0] * 12 + [0.0] * 12, groups, per)
    found = paired_difference(ours, theirs, "contrast")
    assert found.value == -0.5 and found.low is not None and found.high is not None and found.low < -0.5 < found.high < 0.0
    p = p_value(ours, theirs, "contrast")
    assert p is not None and p < 0.05


def test_the_interval_of_a_contrast_holds_the_truth() -> None:
    """Thirty tasks of unequal difficulty, two tries each way, failing at 20 and 35 % on average: 95 % of 400 benches."""
    rng, held = np.random.default_rng(1), 0
    groups = np.repeat(np.arange(30), 4)
    per = np.tile([1.0, 1.0, -1.0, -1.0], 30)
    for _ in range(400):
        ease = np.repeat(rng.uniform(-0.15, 0.15, 30), 4)
        failed = rng.random(120) < np.where(per > 0, 0.35, 0.20) + ease
        found = estimate(sample(failed, groups, per), "contrast")
        assert found.low is not None and found.high is not None
        held += found.low <= 0.15 <= found.high
    assert held / 400 == pytest.approx(0.95, abs=0.03)


# the five commonest


def test_five_of_seven_values_are_counted() -> None:
    values = [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6]
    assert estimate(sample(values, [0] * 13), "top_five").value == pytest.approx(11 / 13)


def test_each_domain_has_five_of_its_own() -> None:
    """Ten values in each of two domains, one of them three times as often: 7 of 12 in each."""
    values = [0, 0, *range(10), 100, 100, *range(100, 110)]
    assert estimate(sample(values, [0] * 12 + [1] * 12), "top_five").value == pytest.approx(14 / 24)


def test_the_same_value_in_two_domains_is_two_branches() -> None:
    assert estimate(sample([*range(6), *range(6)], [0] * 6 + [1] * 6), "top_five").value == pytest.approx(10 / 12)


def test_weights_count_as_copies() -> None:
    rng = np.random.default_rng(2)
    values, groups = rng.integers(0, 12, 60).astype(float), rng.integers(0, 3, 60)
    weights = rng.integers(0, 4, (20, 60)).astype(np.uint8)
    copied = [Branches(np.repeat(values, row), np.repeat(groups, row)).shares(np.ones((1, row.sum()), np.uint8))[0]
              for row in weights]
    assert Branches(values, groups).shares(weights) == pytest.approx(copied)


def test_paths_that_nobody_takes_twice_are_not_known_beforehand() -> None:
    """Twenty calls, twenty paths: a quarter takes the five commonest, but nobody else's."""
    found = estimate(sample(np.arange(20.0), [0] * 20), "top_five")
    assert (found.value, found.low) == (0.25, 0.0) and found.high is not None and found.high > 0.4


@pytest.mark.parametrize("calls", [10, 30, 100])
def test_the_interval_is_no_surer_than_few_calls_allow(calls: int) -> None:
    """Branches by Zipf's law in six domains: five take 53 %, and of ten calls in each, 76 % seem to."""
    shares = 1.0 / np.arange(1, 41)
    shares /= shares.sum()
    rng, held = np.random.default_rng(calls), 0
    for _ in range(200):
        drawn = rng.choice(40, 6 * calls, p=shares)
        found = estimate(sample(drawn, np.repeat(np.arange(6), calls)), "top_five")
        assert found.low is not None and found.high is not None
        held += found.low <= shares[:5].sum() <= found.high
    assert held / 200 >= 0.95


def test_two_systems_on_the_same_paths_differ_by_nothing() -> None:
    ours = sample(np.arange(40.0) % 8, [0] * 40)
    found = paired_difference(ours, ours, "top_five")
    assert found.value == 0.0 and found.low is not None and found.high is not None and found.low < 0.0 < found.high


# all of them


@pytest.mark.parametrize("statistic", ["pass_hat_3", "pass_at_3", "contrast", "top_five"])
def test_a_thousand_conversations_take_no_second(statistic: str) -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 300, 1_000) if statistic == "top_five" else rng.random(1_000) < 0.7
    of = sample(values, np.arange(1_000) // 100 if statistic == "top_five" else np.arange(1_000) // 5,
                np.where(np.arange(1_000) % 2 == 0, 1.0, -1.0))
    started = time.perf_counter()
    estimate(of, statistic)  # type: ignore[arg-type]
    paired_difference(of, of, statistic)  # type: ignore[arg-type]
    assert time.perf_counter() - started < 1.0


def test_a_statistic_of_groups_says_what_they_are() -> None:
    with pytest.raises(ValueError, match="a top_five names what groups its occasions"):
        Metric("paths", "Paths", "share", "higher", "top_five", "")
    with pytest.raises(ValueError, match="a rate groups nothing"):
        Metric("paths", "Paths", "share", "higher", "rate", "", by="domain")


def test_a_table_groups_by_the_column_that_a_metric_names() -> None:
    """Two tries of each of ten scenarios, of which five succeed twice and five once."""
    rows = pd.DataFrame([
        {"run": "", "conversation": f"{scenario}-{seed}", "scenario": f"s{scenario}", "seed": seed, "metric": "task_success",
         "start": 0.0, "value": float(seed == 0 or scenario < 5), "censored": False, "per": 1.0}
        for scenario in range(10) for seed in range(2)])
    twice = Metric("twice", "Twice", "share", "higher", "pass_hat_2", "", of="task_success", by="scenario")
    found = summary(twice, rows, rows.iloc[:0], [])
    assert (found["agent"], found["agent_n"]) == (0.5, 10)


def test_something_for_nothing_is_without_bound() -> None:
    """Two cents spent and nothing achieved: no cost per success, and an open end where conversations drawn anew have none."""
    assert estimate(Sample(np.ones(2), np.zeros(2, bool), np.arange(2), per=np.zeros(2)), "ratio").value is None
    found = estimate(Sample(np.ones(4), np.zeros(4, bool), np.arange(4), per=np.array([1.0, 0.0, 0.0, 0.0])), "ratio")
    assert (found.value, found.low is not None, found.high) == (4.0, True, None)


def test_cents_of_calls_that_all_succeeded_are_no_rate() -> None:
    """Values between 0 and 1 over ones: a mean of amounts, not of what happened."""
    cents = np.linspace(0.2, 0.3, 20)
    found = estimate(Sample(cents, np.zeros(20, bool), np.arange(20), per=np.ones(20)), "ratio")
    assert found.value == pytest.approx(0.25) and found.high is not None and found.high < 0.27
