"""Intervals of rates against published and hand computed ones."""

import math

import numpy as np
import pytest

from eval.statistics.bootstrap import Sample
from eval.statistics.estimates import estimate, paired_difference
from eval.statistics.proportions import Z, covariance, difference_interval, effective_size, student, wilson


def rates(happened: list[int], occasions: list[int]) -> Sample:
    members = np.repeat(np.arange(len(occasions)), occasions)
    values = np.concatenate([np.arange(number) < events for events, number in zip(happened, occasions, strict=True)])
    return Sample(values.astype(float), np.zeros(len(values), bool), members)


def counts(happened: list[int], occasions: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(happened, float), np.array(occasions, float)


def test_wilson_is_the_published_interval() -> None:
    """Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for events, trials, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605),
                                      (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)):
        assert wilson(events / trials, trials) == pytest.approx((low, high), abs=5e-5)


def test_a_difference_is_the_published_interval() -> None:
    """Newcombe (1998), method 10, two independent rates: 56 of 70 less 48 of 80."""
    found = difference_interval((56 / 70, 48 / 80), (wilson(56 / 70, 70), wilson(48 / 80, 80)), 0.0)
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize(("degrees", "quantile"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (9, 2.2622), (29, 2.0452)])
def test_students_quantiles_are_the_tables(degrees: int, quantile: float) -> None:
    assert student(degrees) == pytest.approx(quantile, rel=0.0013)


def test_independent_occasions_are_worth_themselves() -> None:
    found = effective_size(*counts([1, 0] * 50, [1] * 100))
    assert found == pytest.approx(99 * (Z / student(99)) ** 2)


def test_copies_within_a_conversation_are_worth_one() -> None:
    once = effective_size(*counts([1, 0, 0, 1, 0, 0], [1] * 6))
    assert effective_size(*counts([10, 0, 0, 10, 0, 0], [10] * 6)) == pytest.approx(once)


def test_conversations_more_alike_than_chance_are_worth_no_more_than_their_occasions() -> None:
    assert effective_size(*counts([1] * 12, [2] * 12)) == pytest.approx(24 * (Z / student(11)) ** 2)


def test_a_rate_that_never_varied_is_worth_its_conversations() -> None:
    assert effective_size(*counts([0] * 12, [2] * 12)) == 12.0


def test_the_variance_of_a_rate_is_that_of_a_ratio() -> None:
    """By hand: rate 4 / 8; residuals 1, -1, 0 over 8 occasions; 3 / 2 times their squares."""
    happened, occasions = counts([2, 0, 2], [2, 2, 4])
    assert covariance(happened, occasions, happened, occasions) == pytest.approx(1.5 * (1 + 1 + 0) / 64)


def test_a_rate_that_never_varied_is_not_certain() -> None:
    found = estimate(rates([0] * 12, [2] * 12), "rate")
    assert (found.value, found.low, found.high) == (0.0, 0.0, pytest.approx(0.2425, abs=1e-4))  # 0 of 12


def test_the_interval_of_a_rate_stays_within_it() -> None:
    found = estimate(rates([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], [4] * 10), "rate")
    assert found.low is not None and found.high is not None
    assert 0.0 < found.low < 1 / 40 < 0.15 < found.high < 0.25


def test_clusters_widen_the_interval_of_a_rate() -> None:
    apart, together = estimate(rates([1, 0] * 20, [1] * 40), "rate"), estimate(rates([10, 0] * 2, [10] * 4), "rate")
    assert apart.low == pytest.approx(0.352, abs=0.01) and together.low == pytest.approx(0.07, abs=0.01)


def test_two_clusters_of_0_and_1_span_nearly_everything() -> None:
    found = estimate(rates([0, 1], [1, 1]), "rate")
    assert (found.value, found.low, found.high) == (0.5, pytest.approx(0.0, abs=0.002), pytest.approx(1.0, abs=0.002))


# differences


def test_two_rates_that_never_varied_may_still_differ() -> None:
    always = rates([1] * 12, [1] * 12)
    found = paired_difference(always, always, "rate")
    assert (found.value, found.low, found.high) == (0.0, pytest.approx(-0.2425, abs=1e-4), pytest.approx(0.2425, abs=1e-4))


def test_opposite_rates_that_never_varied_are_not_a_certain_difference() -> None:
    found = paired_difference(rates([1] * 12, [1] * 12), rates([0] * 12, [1] * 12), "rate")
    assert found.value == found.high == 1.0
    assert found.low == pytest.approx(1.0 - 0.2425 * math.sqrt(2), abs=1e-4)


def test_rates_that_go_along_differ_more_surely() -> None:
    up, down = rates([1, 1, 1, 1, 0, 0] * 4, [1] * 24), rates([1, 1, 1, 0, 0, 0] * 4, [1] * 24)
    other = rates([0, 0, 0, 1, 1, 1] * 4, [1] * 24)
    together, against = paired_difference(up, down, "rate"), paired_difference(up, other, "rate")
    assert together.value == against.value == pytest.approx(1 / 6)
    assert together.low is not None and against.low is not None and together.low > against.low + 0.2
    assert together.low > 0.0


def test_a_difference_of_rates_stays_within_one() -> None:
    found = paired_difference(rates([1] * 3, [1] * 3), rates([0] * 3, [1] * 3), "rate")
    assert found.high == 1.0 and found.low is not None and found.low > -1.0


def test_rates_of_one_conversation_have_no_interval() -> None:
    ours, theirs = rates([1, 0], [1, 1]), Sample(np.zeros(1), np.zeros(1, bool), np.zeros(1, int))
    assert paired_difference(ours, theirs, "rate", [0, 1])[:3] == (0.5, None, None)
