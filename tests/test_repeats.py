"""pass@k and pass^k against the numbers of their papers' formulas."""

from collections.abc import Sequence

import numpy as np
import pytest

from eval.statistics.bootstrap import Sample
from eval.statistics.estimates import Estimate, estimate, paired_difference
from eval.statistics.repeats import pass_at_k, pass_hat_k


def sample(tasks: Sequence[str] | Sequence[int], succeeded: Sequence[float], tries: Sequence[int] | None = None) -> Sample:
    return Sample(np.array(succeeded, float), np.zeros(len(tasks), bool), np.array(tries or range(len(tasks))),
                  groups=np.array(tasks))


@pytest.mark.parametrize(("k", "chance"), [(1, 0.75), (2, 0.5), (3, 0.25), (4, 0.0)])
def test_three_of_four_tries_all_succeed_this_often(k: int, chance: float) -> None:
    assert pass_hat_k(4, 3, k) == chance


@pytest.mark.parametrize(("successes", "k", "chance"), [(3, 2, 1.0), (3, 1, 0.75), (1, 2, 0.5), (0, 4, 0.0)])
def test_one_of_k_tries_succeeds_this_often(successes: int, k: int, chance: float) -> None:
    assert pass_at_k(4, successes, k) == chance


def test_tasks_count_alike_however_often_they_were_tried() -> None:
    """One with 3 of 4 successes, one with 2 of 2: pass^2 of 0.5 and 1, pass@2 of 1 and 1."""
    tried = sample(["a"] * 4 + ["b"] * 2, [1, 1, 1, 0, 1, 1])
    assert estimate(tried, "pass_hat_2").value == 0.75
    assert estimate(tried, "pass_at_2").value == 1.0


def test_a_task_with_fewer_than_k_tries_is_left_out() -> None:
    tried = sample(["a"] * 3 + ["b"] * 2, [1, 1, 0, 1, 1])
    assert (estimate(tried, "pass_hat_3").value, estimate(tried, "pass_hat_3").n) == (0.0, 1)
    assert (estimate(tried, "pass_at_3").value, estimate(tried, "pass_at_2").n) == (1.0, 2)


def test_without_a_task_tried_often_enough_there_is_no_value() -> None:
    assert estimate(sample(["a", "a", "b"], [1, 1, 1]), "pass_hat_3") == Estimate(None, None, None, 0, 0)


def test_tasks_are_what_an_interval_is_drawn_of() -> None:
    """Three tries of each of 20 tasks, of which 15 always succeed: as sure as 15 of 20, and not as 45 of 60."""
    tried = sample([task for task in range(20) for _ in range(3)], [float(task < 15) for task in range(20) for _ in range(3)])
    found = estimate(tried, "pass_hat_3")
    assert found == estimate(Sample(np.arange(20.0) < 15, np.zeros(20, bool), np.arange(20)), "rate")
    assert (found.value, found.n, found.n_conversations) == (0.75, 20, 20)


def test_parts_of_chances_tell_more_than_as_many_successes() -> None:
    """Twenty tasks of ten tries each, all with 8 successes but one: nothing varies but that."""
    tries = [float(number < (8 if task else 6)) for task in range(20) for number in range(10)]
    found = estimate(sample([task for task in range(20) for _ in range(10)], tries), "pass_hat_2")
    assert found.value == pytest.approx((19 * 28 / 45 + 15 / 45) / 20)
    assert found.low is not None and found.high is not None and found.high - found.low < 0.1


def test_two_systems_are_compared_on_the_tries_of_both() -> None:
    """Task a: the third try is the first system's alone, so both have two; task b stands only with one."""
    ours = sample(["a", "a", "a", "b", "b"], [1, 1, 0, 1, 1], [0, 1, 2, 3, 4])
    theirs = sample(["a", "a", "b"], [1, 0, 1], [0, 1, 3])
    found = paired_difference(ours, theirs, "pass_hat_2")
    assert (found.value, found.n, found.n_conversations) == (1.0, 1, 1)


def test_more_tries_than_were_made_are_refused() -> None:
    with pytest.raises(ValueError, match="k is from 1 to the number of tries, 4, not 5"):
        pass_hat_k(4, 3, 5)
    with pytest.raises(ValueError, match="7 successes in 4 tries: give from 0 to 4"):
        pass_at_k(4, 7, 2)
