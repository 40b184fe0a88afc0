"""Estimates and intervals against hand computed examples; those of rates are in test_proportions."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.statistics.bootstrap import RESAMPLES, Sample, resamples, statistics
from eval.statistics.estimates import Estimate, estimate, interval, paired_difference
from eval.statistics.survival import kaplan_meier_quantile


def sample(values: list[float], conversations: list[str] | list[int] | None = None, censored: list[int] = []) -> Sample:  # noqa: B006
    are_censored = np.zeros(len(values), bool)
    are_censored[censored] = True
    return Sample(np.array(values, float), are_censored,
                  np.arange(len(values)) if conversations is None else np.array(conversations))


def quantile(values: list[float], censored: list[int], share: float = 0.5) -> float | None:
    drawn = sample(values, censored=censored)
    return kaplan_meier_quantile(drawn.values, drawn.censored, share)


# Kaplan-Meier


def test_the_curve_of_the_leukaemia_trial() -> None:
    """6-MP arm of Freireich et al. (1963), the textbook example: S falls to 0.4482 at 23 weeks, its median."""
    happened = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    lost = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    values = [float(week) for week in happened + lost]
    censored = list(range(len(happened), len(values)))
    assert quantile(values, censored) == 23.0
    assert quantile(values, censored, 1 - 0.858) == 6.0   # S(6) = 18/21 = 0.8571
    assert quantile(values, censored, 1 - 0.63) == 16.0   # S(16) = 0.6275
    assert quantile(values, censored, 0.95) is None


def test_a_hand_computed_curve() -> None:
    # at 1: 4/5; at 2 censored; at 3: 4/5 * 2/3 = 0.533; at 4: 0.267; at 5 censored
    assert quantile([1, 2, 3, 4, 5], censored=[1, 4]) == 4.0
    assert quantile([1, 2, 3, 4, 5], censored=[1, 4], share=0.46) == 3.0
    assert quantile([1, 2, 3, 4, 5], censored=[1, 4], share=0.8) is None


def test_without_censoring_the_median_is_the_lower_one() -> None:
    assert quantile([3, 1, 2], []) == 2.0
    assert quantile([4, 1, 3, 2], []) == 2.0


def test_an_occasion_censored_where_another_happens_was_still_at_risk() -> None:
    assert quantile([1, 1], censored=[0]) == 1.0


def test_the_median_of_silence_is_not_reached() -> None:
    assert quantile([5, 5, 5, 0.3], censored=[0, 1, 2]) is None
    assert quantile([], []) is None


def test_negative_latencies_are_latencies() -> None:
    assert quantile([-0.5, -0.1, 0.2], []) == -0.1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-3, 8), min_size=1, max_size=40), st.sampled_from([0.5, 0.95]))
def test_without_censoring_it_is_the_empirical_quantile(values: list[float], share: float) -> None:
    rank = math.ceil(share * len(values) - 1e-9)
    assert quantile(values, []) is not None
    assert quantile(values, [], share) == sorted(values)[rank - 1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 5), min_size=2, max_size=30), st.data())
def test_silence_never_wins(values: list[float], data: st.DataObject) -> None:
    """An agent that does not answer at all where it answered late has no lower median."""
    latest = values.index(max(values))
    answered, silent = quantile(values, []), quantile(values[:latest] + [5.0] + values[latest + 1:], [latest])
    assert silent is None or (answered is not None and silent >= answered)


# intervals


def test_constant_data_has_no_width() -> None:
    for statistic in ("median", "mean", "ratio"):
        assert estimate(sample([0.4] * 6), statistic) == Estimate(0.4, 0.4, 0.4, 6, 6)  # type: ignore[arg-type]


def test_two_clusters_of_0_and_1_span_everything() -> None:
    assert estimate(sample([0, 1], ["a", "b"]), "mean") == Estimate(0.5, 0.0, 1.0, 2, 2)
    assert estimate(sample([0, 0, 0, 1, 1, 1], list("aaabbb")), "mean") == Estimate(0.5, 0.0, 1.0, 6, 2)


def test_few_occasions_leave_a_95th_percentile_open_above() -> None:
    """All of 71 may lie below it by chance, more often than in one of 40 samples; of 100, seldom."""
    few, many = (estimate(sample(list(np.arange(number) / 100.0)), "p95") for number in (71, 100))
    assert (few.value, few.high) == (0.67, None) and few.low is not None
    assert many.value == 0.94 and many.high is not None


def test_few_conversations_leave_a_median_open_on_both_sides() -> None:
    assert estimate(sample([0.4] * 5), "median") == Estimate(0.4, None, None, 5, 5)


def test_many_occasions_of_one_conversation_are_no_evidence() -> None:
    alone = estimate(sample([0, 1, 0, 1], list("aaaa")), "rate")
    assert alone == Estimate(0.5, None, None, 4, 1)


def test_clusters_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    shared = np.repeat(rng.normal(size=40), 10)
    apart = estimate(Sample(shared, np.zeros(400, bool), np.arange(400)), "mean")
    together = estimate(Sample(shared, np.zeros(400, bool), np.repeat(np.arange(40), 10)), "mean")
    assert apart.low is not None and apart.high is not None and together.low is not None and together.high is not None
    assert together.high - together.low > 2.5 * (apart.high - apart.low)


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    values = np.random.default_rng(1).normal(size=400)
    found = estimate(Sample(values, np.zeros(400, bool), np.arange(400)), "mean")
    half = 1.96 * values.std() / 20
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_an_interval_is_open_where_the_curve_may_not_come_down() -> None:
    found = estimate(sample([0.3] * 11 + [5.0] * 9, censored=list(range(11, 20))), "median")
    assert (found.value, found.low, found.high) == (0.3, 0.3, None)


def test_no_occasion_gives_no_number() -> None:
    assert estimate(sample([]), "median") == estimate(sample([]), "rate") == Estimate(None, None, None, 0, 0)


def test_a_seed_gives_the_same_interval() -> None:
    values = list(np.random.default_rng(2).normal(size=30))
    assert estimate(sample(values), "mean", seed=3) == estimate(sample(values), "mean", seed=3)
    assert estimate(sample(values), "mean", seed=3) != estimate(sample(values), "mean", seed=4)


def test_weighting_a_conversation_is_drawing_it_as_often() -> None:
    rng = np.random.default_rng(3)
    values, censored, members = rng.uniform(0, 5, 40).round(1), rng.random(40) < 0.3, rng.integers(8, size=40)
    drawn = np.concatenate(list(resamples(8, 0)))
    by_hand = []
    for weights in drawn:
        rows = np.concatenate([np.flatnonzero(members == member) for member, count in enumerate(weights)
                               for _ in range(int(count))])
        median = kaplan_meier_quantile(values[rows], censored[rows], 0.5)
        by_hand.append(math.inf if median is None else median)
    assert list(statistics(Sample(values, censored, members), members, drawn, "median")) == by_hand


def test_the_curve_falls_as_the_product_says() -> None:
    """Kaplan and Meier's product, one factor after the other, against the telescoped one."""
    rng = np.random.default_rng(4)
    for _ in range(300):
        number = int(rng.integers(1, 25))
        values, censored = rng.normal(size=number).round(1), rng.random(number) < rng.random()
        survival, found = 1.0, None
        for value in np.unique(values):
            events = np.sum((values == value) & ~censored)
            survival *= 1.0 - events / np.sum(values >= value)
            if found is None and events and survival <= 0.5 + 1e-9:
                found = value
        assert kaplan_meier_quantile(values, censored, 0.5) == found


def test_the_tails_are_those_of_student() -> None:
    """8 conversations: the normal's tail at sqrt(8 / 7) times 2.365 is 0.57 %, rank 11 of 2,000 from either end."""
    drawn = np.arange(float(RESAMPLES))
    assert interval(drawn, drawn, 8) == (11.0, 1988.0)
    assert interval(drawn, drawn, 10_000) == (49.0, 1950.0)


def test_every_conversation_is_drawn_as_often_as_the_others() -> None:
    drawn = np.concatenate(list(resamples(40, 1)))
    assert drawn.shape == (RESAMPLES, 40) and set(drawn.sum(axis=1)) == {40}
    assert drawn.mean(axis=0) == pytest.approx(np.ones(40), abs=5 / math.sqrt(RESAMPLES))


def test_many_conversations_are_drawn_in_blocks_the_same_each_time() -> None:
    first, again = (next(resamples(20_000, 0)) for _ in range(2))
    assert len(first) < 20 and (first == again).all() and set(first.sum(axis=1)) == {20_000}


# ratios and drifts


def test_a_ratio_is_one_of_sums() -> None:
    counted = Sample(np.array([1.0, 5.0]), np.zeros(2, bool), np.arange(2), per=np.array([1.0, 3.0]))
    assert estimate(counted, "ratio") == Estimate(1.5, 1.0, pytest.approx(5 / 3), 2, 2)


def test_a_ratio_over_nothing_is_no_number() -> None:
    nothing = Sample(np.array([1.0, 2.0]), np.zeros(2, bool), np.arange(2), per=np.zeros(2))
    assert estimate(nothing, "ratio")[:3] == (None, None, None)


def test_counting_nothing_does_not_say_how_much_was_missed() -> None:
    nothing = Sample(np.zeros(12), np.zeros(12, bool), np.arange(12), per=np.full(12, 0.5))
    assert estimate(nothing, "ratio") == Estimate(0.0, None, None, 12, 12)
    assert paired_difference(nothing, nothing, "ratio")[:3] == (0.0, None, None)


def drift(values: list[float], starts: list[float], conversations: list[int], censored: list[int] = [],  # noqa: B006
          per: list[float] | None = None) -> Estimate:
    given = sample(values, conversations, censored)
    return estimate(given._replace(starts=np.array(starts), per=None if per is None else np.array(per)), "drift")


def test_a_drift_is_a_slope_per_minute() -> None:
    assert drift([0.1, 0.2, 0.3], [0.0, 60.0, 120.0], [0, 0, 0]).value == pytest.approx(0.1)


def test_a_drift_is_within_conversations() -> None:
    """What differs between conversations, here by 5 at a later start, is none."""
    found = drift([0.1, 0.2, 5.1, 5.2], [0.0, 60.0, 600.0, 660.0], [0, 0, 1, 1])
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))


def test_a_drift_weighs_conversations_by_their_spread() -> None:
    """Slopes of 1 and 0 a minute over 2 and 1 minutes: sums of squares 2 and 0.5."""
    assert drift([0.0, 2.0, 0.0, 0.0], [0.0, 120.0, 0.0, 60.0], [0, 0, 1, 1]).value == pytest.approx(2.0 / 2.5)


def test_a_drift_leaves_out_what_is_censored() -> None:
    found = drift([0.1, 0.2, 5.0], [0.0, 60.0, 120.0], [0, 0, 0], censored=[2])
    assert (found.value, found.n) == (pytest.approx(0.1), 2)


def test_a_drift_of_shares_is_of_quotients() -> None:
    found = drift([1.0, 6.0, 0.0], [0.0, 60.0, 90.0], [0, 0, 0], per=[10.0, 20.0, 0.0])
    assert (found.value, found.n) == (pytest.approx(0.2), 2)


def test_without_two_occasions_in_a_conversation_there_is_no_drift() -> None:
    assert drift([0.1, 0.2], [0.0, 60.0], [0, 1])[:3] == (None, None, None)
    assert drift([0.1, 0.2], [60.0, 60.0], [0, 0]).value is None


# differences


def test_pairs_cancel_what_is_hard_for_both() -> None:
    hard = np.random.default_rng(4).normal(size=50)
    slow, quick = sample(list(hard + 0.5)), sample(list(hard + 0.2))
    assert paired_difference(quick, slow, "mean")[:3] == pytest.approx((-0.3, -0.3, -0.3))


def test_only_conversations_of_both_are_compared() -> None:
    ours, theirs = sample([1, 1, 100], ["a", "b", "c"]), sample([0, 0, -100], ["a", "b", "d"])
    assert paired_difference(ours, theirs, "mean") == Estimate(1.0, 1.0, 1.0, 2, 2)


def test_a_conversation_without_an_occasion_still_pairs() -> None:
    ours, theirs = sample([1, 1], ["a", "b"]), sample([0], ["c"])
    assert paired_difference(ours, theirs, "rate", ["a", "b", "c"]).value == 1.0
    assert paired_difference(ours, theirs, "rate").value is None


def test_a_system_against_itself_differs_by_nothing() -> None:
    ours = sample(list(np.random.default_rng(5).normal(size=30)))
    for statistic in ("median", "mean"):
        assert paired_difference(ours, ours, statistic)[:3] == (0.0, 0.0, 0.0)  # type: ignore[arg-type]


def test_two_silent_systems_cannot_be_told_apart() -> None:
    silent = sample([5.0] * 6, censored=list(range(6)))
    assert paired_difference(silent, silent, "median")[:3] == (None, None, None)
    answering = sample([0.3] * 6)
    assert paired_difference(silent, answering, "median")[:3] == (None, None, None)


def test_a_large_comparison_takes_seconds() -> None:
    rng, started = np.random.default_rng(6), time.perf_counter()
    large = Sample(rng.normal(size=1000), rng.random(1000) < 0.2, np.repeat(np.arange(200), 5))
    for statistic in ("median", "rate"):
        estimate(large, statistic)  # type: ignore[arg-type]
    assert time.perf_counter() - started < 2.0


def test_a_ratio_of_chances_taken_is_a_rate() -> None:
    """Eleven of eleven chances, and one occasion that was none: the interval of a rate, not of nothing that varies."""
    taken = Sample(np.array([1.0] * 11 + [0.0]), np.zeros(12, bool), np.arange(12), None, np.array([1.0] * 11 + [0.0]))
    rate = sample([1.0] * 11)
    assert estimate(taken, "ratio") == estimate(rate, "rate")
    assert estimate(taken._replace(per=np.full(12, 2.0)), "ratio").n == 12
