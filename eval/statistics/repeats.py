"""How often a task succeeds when it is tried again and again: pass@k and pass^k.

Both are estimated without bias from n tries of a task of which c succeeded, by counting the ways to choose k of them.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from math import comb

import numpy as np


def pass_at_k(num_tries: int, num_successes: int, k: int) -> float:
    """The chance that at least one of k tries succeeds: 1 - C(n - c, k) / C(n, k) (Chen et al., 2021).

    Raises:
        ValueError: when there are not at least k tries, or more successes than tries.
    """
    check(num_tries, num_successes, k)
    return 1.0 - comb(num_tries - num_successes, k) / comb(num_tries, k)


def pass_hat_k(num_tries: int, num_successes: int, k: int) -> float:
    """The chance that all of k tries succeed, pass^k: C(c, k) / C(n, k) (tau-bench, Yao et al., 2024).

    Raises:
        ValueError: when there are not at least k tries, or more successes than tries.
    """
    check(num_tries, num_successes, k)
    return comb(num_successes, k) / comb(num_tries, k)


def check(num_tries: int, num_successes: int, k: int) -> None:
    if not 1 <= k <= num_tries:
        raise ValueError(f"k is from 1 to the number of tries, {num_tries}, not {k}")
    if not 0 <= num_successes <= num_tries:
        raise ValueError(f"{num_successes} successes in {num_tries} tries: give from 0 to {num_tries}")


def mean_over_tasks(tasks: Sequence[Hashable], succeeded: Sequence[bool] | np.ndarray, k: int) -> tuple[float, float]:
    """pass@k and pass^k, each the mean over tasks; not a number without a task.

    Args:
        tasks: the task of each try; seeds of one scenario are tries of one task.
        succeeded: whether each try succeeded.

    Raises:
        ValueError: when a task was tried fewer than k times.
    """
    tries: dict[Hashable, list[bool]] = defaultdict(list)
    for task, success in zip(tasks, succeeded, strict=True):
        tries[task].append(bool(success))
    if not tries:
        return float("nan"), float("nan")
    found = [(pass_at_k(len(own), sum(own), k), pass_hat_k(len(own), sum(own), k)) for own in tries.values()]
    at_k, hat_k = np.mean(found, axis=0)
    return float(at_k), float(hat_k)
