"""Statistics of conversations drawn again and again: the cluster bootstrap (Efron & Tibshirani, 1993).

Conversations are drawn, never occasions, as occasions of one conversation are alike. Which interval is made of the draws
is decided in `eval.statistics`.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from eval.metrics.metric import Statistic
from eval.statistics.branches import Branches
from eval.statistics.human_distance import distances
from eval.statistics.survival import BLOCK_NUMBERS, survival_quantiles

RESAMPLES: Final = 2_000
MOST_KEPT: Final = 16_384  # conversations; draws of more, 32 MB, are made again whenever they are needed
QUANTILES: Final = {"median": 0.5, "p95": 0.95}
PASSES: Final = ("pass_hat_2", "pass_hat_3", "pass_at_2", "pass_at_3")


class Sample(NamedTuple):
    """Observations of one metric.

    Attributes:
        values: (num_occasions,) float.
        censored: (num_occasions,) bool; the true value is larger.
        conversations: (num_occasions,) the conversation each belongs to, names or numbers.
        starts: (num_occasions,) when each was, seconds into its conversation; for a drift.
        per: (num_occasions,) what each value is counted over; for a ratio and for the drift of one; of a contrast the sign
            says on which side it stands. None for 1.
        groups: (num_occasions,) what each belongs to beside its conversation, names or numbers; for the statistics that say
            so (`eval.metrics.metric.GROUPED`).
    """

    values: np.ndarray
    censored: np.ndarray
    conversations: np.ndarray
    starts: np.ndarray | None = None
    per: np.ndarray | None = None
    groups: np.ndarray | None = None


def statistics(sample: Sample, members: np.ndarray, weights: np.ndarray, statistic: Statistic) -> np.ndarray:
    """`statistic` of every resample, (num_resamples,).

    Infinite where a quantile is not reached, not a number where nothing was drawn to compute it from. A distance to people
    is the distance itself, not the excess over chance.

    Args:
        members: (num_occasions,) index of the conversation of each.
        weights: (num_resamples, num_conversations) how often each conversation was drawn.
    """
    if statistic in QUANTILES:
        return survival_quantiles(sample.values, sample.censored, members, weights, QUANTILES[statistic])
    if statistic == "human_distance":
        return in_blocks(weights, len(sample.values) + 2 * weights.shape[1],
                         lambda block: distances(sample.values, block[:, members]))
    if statistic == "top_five":
        assert sample.groups is not None
        counted = Branches(sample.values, sample.groups)
        return in_blocks(weights, len(sample.values), lambda block: counted.shares(block[:, members]))
    if statistic == "contrast":
        arms = [sums(only(sample, side), members[side], weights.shape[1], "mean") for side in sides(sample)]
        return in_blocks(weights, weights.shape[1],
                         lambda block: np.round(quotients(block, *arms[0]) - quotients(block, *arms[1]), 12))
    assert statistic not in PASSES, "a rate of tasks by now: eval.statistics.repeats"
    numerators, denominators = sums(sample, members, weights.shape[1], statistic)
    return in_blocks(weights, weights.shape[1], lambda block: quotients(block, numerators, denominators))


def sides(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Which occasions stand on either side of a contrast."""
    assert sample.per is not None
    return sample.per > 0.0, sample.per < 0.0


def only(sample: Sample, kept: np.ndarray) -> Sample:
    starts, per, groups = (None if column is None else column[kept] for column in (sample.starts, sample.per, sample.groups))
    return Sample(sample.values[kept], sample.censored[kept], sample.conversations[kept], starts, per, groups)


def sums(sample: Sample, members: np.ndarray, num_conversations: int, statistic: Statistic) -> np.ndarray:
    """Two numbers of each conversation, (2, num_conversations): the statistic is the sum of the first over that of the second.

    A rate and a mean are the values over the occasions; a ratio, the values over what they are counted over. A drift is the
    slope of least squares with a level for each conversation: products of the distances of start and value from their
    conversation's means, over the squares of the start's.
    """
    values, per = sample.values, np.ones(len(members)) if sample.per is None else sample.per
    if statistic == "drift":
        assert sample.starts is not None
        values = values / per
        minutes = sample.starts / 60.0
        minutes = minutes - means(minutes, members, num_conversations)
        values, per = minutes * (values - means(values, members, num_conversations)), minutes ** 2
    elif statistic != "ratio":
        per = np.ones(len(members))
    return np.stack([np.bincount(members, column, num_conversations) for column in (values, per)])


def means(values: np.ndarray, members: np.ndarray, num_conversations: int) -> np.ndarray:
    """Of each occasion, the mean of its conversation."""
    counts = np.bincount(members, minlength=num_conversations)
    return (np.bincount(members, values, num_conversations) / np.maximum(counts, 1))[members]


def quotients(weights: np.ndarray, numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    above, below = (weights.astype(np.float64) @ np.stack([numerators, denominators], axis=1)).T
    with np.errstate(invalid="ignore", divide="ignore"):  # something for nothing, a price without a success, is without bound
        found = np.where(below > 1e-12, above / below, np.where(above > 1e-12, np.inf, np.nan))
    return np.round(found, 12)  # what a sum in another order would change is no width


def in_blocks(weights: np.ndarray, row_numbers: int, compute: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    rows = max(1, BLOCK_NUMBERS // row_numbers)
    return np.concatenate([compute(weights[row:row + rows]) for row in range(0, len(weights), rows)])


def resamples(num_conversations: int, seed: int) -> Iterator[np.ndarray]:
    """How often each resample draws each conversation, in blocks (num_rows, num_conversations) of RESAMPLES in all."""
    if num_conversations <= MOST_KEPT:
        yield kept(num_conversations, seed)
    else:
        yield from draws(num_conversations, seed)


@lru_cache(maxsize=2)
def kept(num_conversations: int, seed: int) -> np.ndarray:
    found, row = np.empty((RESAMPLES, num_conversations), np.uint8), 0
    for block in draws(num_conversations, seed):
        found[row:row + len(block)] = block
        row += len(block)
    return found


def draws(num_conversations: int, seed: int) -> Iterator[np.ndarray]:
    """Whole numbers of 8 bits: no conversation is drawn 256 times."""
    rng, rows = np.random.default_rng(seed), max(1, BLOCK_NUMBERS // num_conversations)
    for row in range(0, RESAMPLES, rows):
        num_rows = min(rows, RESAMPLES - row)
        drawn = rng.integers(num_conversations, size=(num_rows, num_conversations))
        drawn += np.arange(num_rows)[:, None] * num_conversations
        counts = np.bincount(drawn.ravel(), minlength=num_rows * num_conversations)
        yield counts.reshape(num_rows, num_conversations).astype(np.uint8)
