"""pass@k and pass^k against the numbers of their papers' formulas."""

import math

import pytest

from eval.statistics.repeats import mean_over_tasks, pass_at_k, pass_hat_k


@pytest.mark.parametrize(("k", "chance"), [(1, 0.75), (2, 0.5), (3, 0.25), (4, 0.0)])
def test_three_of_four_tries_all_succeed_this_often(k: int, chance: float) -> None:
    assert pass_hat_k(4, 3, k) == chance


@pytest.mark.parametrize(("successes", "k", "chance"), [(3, 2, 1.0), (3, 1, 0.75), (1, 2, 0.5), (0, 4, 0.0)])
def test_one_of_k_tries_succeeds_this_often(successes: int, k: int, chance: float) -> None:
    assert pass_at_k(4, successes, k) == chance


def test_tasks_count_alike_however_often_they_were_tried() -> None:
    tasks, succeeded = ["a"] * 4 + ["b"] * 2, [True, True, True, False, True, True]
    assert mean_over_tasks(tasks, succeeded, 2) == (1.0, 0.75)
    assert mean_over_tasks(tasks, succeeded, 1) == (0.875, 0.875)


def test_no_task_has_no_chance() -> None:
    assert all(math.isnan(chance) for chance in mean_over_tasks([], [], 1))


def test_more_tries_than_were_made_are_refused() -> None:
    with pytest.raises(ValueError, match="k is from 1 to the number of tries, 4, not 5"):
        pass_hat_k(4, 3, 5)
    with pytest.raises(ValueError, match="7 successes in 4 tries: give from 0 to 4"):
        pass_at_k(4, 7, 2)
