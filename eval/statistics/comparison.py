"""Whether the difference of two systems may be chance: a randomisation test, and a correction for testing several metrics.

How large the difference is stands in `eval.statistics`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from eval.metrics.metric import Statistic
from eval.statistics.bootstrap import QUANTILES, Sample, statistics
from eval.statistics.reading import read_both
from eval.statistics.survival import BLOCK_NUMBERS

SWAPS: Final = 1_999  # with the one that was observed, 2,000


def p_value(first: Sample, second: Sample, statistic: Statistic,
            conversations: Sequence[str] | Sequence[int] | np.ndarray | None = None, seed: int = 0) -> float | None:
    """How often a difference at least as large, either way, comes of systems that are no different (Fisher, 1935).

    If it does not matter which system held a conversation, the two recordings of a scenario and seed may be swapped. Each
    pair is, or is not, at random, SWAPS times, and the statistic is computed anew. Of medians and percentiles the statistic
    is the mean score of Gehan (1965), as the median of what two systems said jumps from one to the other; of all else it is
    that of the table. Returns the share of differences as large as the observed one, itself among them (Phipson & Smyth,
    2010). A swap that leaves a system without an occasion counts as as large. None where a system has no occasion, or
    nothing that the statistic could be computed of.

    Args:
        conversations: what both recorded, occasions or not; None for those with occasions of both.
    """
    (first, second), common, statistic = read_both(first, second, statistic, conversations)
    if not len(first.values) or not len(second.values):
        return None
    pooled = both(first, second)
    if statistic in QUANTILES:
        pooled, statistic = pooled._replace(values=gehan_scores(pooled.values, pooled.censored)), "mean"
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
        as_large += int(np.sum(~(found < abs(observed) - 1e-9)))
    return as_large / (1 + SWAPS)


def both(first: Sample, second: Sample) -> Sample:
    starts, per, groups = (
        None if ours is None or theirs is None else np.concatenate([ours, theirs])
        for ours, theirs in ((first.starts, second.starts), (first.per, second.per), (first.groups, second.groups)))
    return Sample(np.concatenate([first.values, second.values]), np.concatenate([first.censored, second.censored]),
                  np.concatenate([first.conversations, second.conversations]), starts, per, groups)


def gehan_scores(values: np.ndarray, censored: np.ndarray) -> np.ndarray:
    """Of each occasion, how many of all are surely sooner minus how many are surely later, (num_occasions,) float.

    One censored at c is later than whatever happened by c, and nothing is surely later than it (Gehan, 1965).
    """
    censored = censored.astype(bool)
    happened, lost, every = np.sort(values[~censored]), np.sort(values[censored]), np.sort(values)
    sooner = np.where(censored, np.searchsorted(happened, values, "right"), np.searchsorted(happened, values, "left"))
    tied = np.searchsorted(lost, values, "right") - np.searchsorted(lost, values, "left")
    later = np.where(censored, 0, len(every) - np.searchsorted(every, values, "right") + tied)
    return (sooner - later).astype(float)


def differences(pooled: Sample, members: np.ndarray, swapped: np.ndarray, statistic: Statistic) -> np.ndarray:
    """The statistic of what counts as the first system minus that of the rest, (num_swaps,); not a number where a system
    has no occasion.

    Args:
        members: (num_occasions,) index of the conversation, the second system's after all of the first's.
        swapped: (num_swaps, num_conversations) bool.
    """
    kept = np.concatenate([~swapped, swapped], axis=1).astype(np.uint8)
    ours, theirs = (statistics(pooled, members, weights, statistic) for weights in (kept, 1 - kept))
    return ours - theirs


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
