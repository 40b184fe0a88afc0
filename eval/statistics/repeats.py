"""How often a task succeeds when it is tried again and again: pass@k and pass^k.

Both are estimated without bias from n tries of a task of which c succeeded, by counting the ways to choose k of them.
How sure one can be is a matter of tasks: see `eval.statistics.estimates`.
"""

from collections.abc import Callable, Mapping
from math import comb
from typing import Final

import numpy as np

from eval.metrics.metric import Statistic
from eval.statistics.bootstrap import PASSES, Sample


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


CHANCES: Final[Mapping[str, tuple[Callable[[int, int, int], float], int]]] = {
    name: (pass_hat_k if "hat" in name else pass_at_k, int(name.rpartition("_")[2])) for name in PASSES}


def tasks(sample: Sample, statistic: Statistic) -> Sample:
    """The chance of each task, as one occasion of a conversation called like the task: its mean is pass^k or pass@k.

    A task is a group of the sample, a try one of its occasions; one with fewer than k tries is left out. Tasks are what is
    drawn for an interval, and not conversations: a try drawn twice is no second try, and would make k successes of one.
    """
    assert sample.groups is not None
    chance, k = CHANCES[statistic]
    names, members = np.unique(sample.groups, return_inverse=True)
    tries, successes = np.bincount(members, minlength=len(names)), np.bincount(members, sample.values > 0.5, len(names))
    kept = tries >= k
    counted, which = np.unique(np.stack([tries[kept], successes[kept].astype(int)], axis=1), axis=0, return_inverse=True)
    chances = np.array([chance(int(n), int(c), k) for n, c in counted])
    values = chances[which.ravel()] if len(chances) else np.empty(0)
    return Sample(values, np.zeros(len(values), bool), names[kept])
