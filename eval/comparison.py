"""Whether the difference of two systems may be chance: a randomisation test, and a correction for testing several metrics.

How large the difference is stands in `eval.statistics`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from eval.bootstrap import Sample, statistics
from eval.metrics.metric import Statistic
from eval.statistics import shared_conversations, usable, within
from eval.survival import BLOCK_NUMBERS

SWAPS: Final = 1_999  # with the one that was observed, 2,000


def p_value(first: Sample, second: Sample, statistic: Statistic,
            conversations: Sequence[str] | Sequence[int] | np.ndarray | None = None, seed: int = 0) -> float | None:
    """How often a difference at least as large, either way, comes of systems that are no different (Fisher, 1935).

    If it does not matter which system held a conversation, the two recordings of a scenario and seed may be swapped. Each
    pair is, or is not, at random, SWAPS times, and the statistic of the table, Kaplan-Meier's median included, is computed
    anew. Returns the share of differences as large as the observed one, itself among them (Phipson & Smyth, 2010). A swap
    that leaves a system without an occasion, or one with a median and the other without, counts as as large; two medians
    neither of which is reached do not differ. None where there is no difference to test: a system has no occasion, or its
    median is not reached.

    Args:
        conversations: what both recorded, occasions or not; None for those with occasions of both.
    """
    common = shared_conversations(first, second, conversations)
    first, second = (within(usable(sample, statistic), common) for sample in (first, second))
    if not len(first.values) or not len(second.values):
        return None
    pooled = both(first, second)
    members = np.concatenate([np.searchsorted(common, first.conversations),
                              np.searchsorted(common, second.conversations) + len(common)])
    rng, rows = np.random.default_rng(seed), max(1, BLOCK_NUMBERS // (2 * len(common)))
    observed = differences(pooled, members, np.zeros((1, len(common)), bool), statistic)[0]
    if not math.isfinite(observed):
        return None
    as_large = 1
    for row in range(0, SWAPS, rows):
        swapped = rng.random((min(rows, SWAPS - row), len(common))) < 0.5
        found = np.abs(differences(pooled, members, swapped, statistic))
        as_large += int(np.sum(~(found < abs(observed) - 1e-12)))
    return as_large / (1 + SWAPS)


def both(first: Sample, second: Sample) -> Sample:
    starts, per = (None if ours is None or theirs is None else np.concatenate([ours, theirs])
                   for ours, theirs in ((first.starts, second.starts), (first.per, second.per)))
    return Sample(np.concatenate([first.values, second.values]), np.concatenate([first.censored, second.censored]),
                  np.concatenate([first.conversations, second.conversations]), starts, per)


def differences(pooled: Sample, members: np.ndarray, swapped: np.ndarray, statistic: Statistic) -> np.ndarray:
    """The statistic of what counts as the first system minus that of the rest, (num_swaps,).

    Infinite where only one median is reached, and, if nothing is swapped, where neither is; not a number where a system has
    no occasion.

    Args:
        members: (num_occasions,) index of the conversation, the second system's after all of the first's.
        swapped: (num_swaps, num_conversations) bool.
    """
    kept = np.concatenate([~swapped, swapped], axis=1).astype(np.uint8)
    ours, theirs = (statistics(pooled, members, weights, statistic) for weights in (kept, 1 - kept))
    both_open = np.isinf(ours) & np.isinf(theirs)
    same = np.where(swapped.any(axis=1), 0.0, math.inf)
    return np.where(both_open, same, np.where(both_open, 0.0, ours) - np.where(both_open, 0.0, theirs))


def holm(p_values: Mapping[str, float | None], num_tests: int) -> dict[str, float | None]:
    """The p values adjusted so that one in twenty families of tests that show nothing says something (Holm, 1979).

    The smallest counts `num_tests` times, the next once less, and none less than one before it.

    Args:
        p_values: None for a test that could not be made; it still is one of the family.
        num_tests: how many were chosen beforehand.
    """
    adjusted: dict[str, float | None] = dict.fromkeys(p_values)
    least = 0.0
    made = sorted((p, name) for name, p in p_values.items() if p is not None)
    for rank, (p, name) in enumerate(made):
        least = max(least, min(1.0, (num_tests - rank) * p))
        adjusted[name] = least
    return adjusted
