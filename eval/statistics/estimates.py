"""Numbers about many occasions, and how far to trust them.

The rules were chosen by how often they hold the truth (`scripts/interval_coverage.py`): percentiles of a bootstrap over
conversations, as far out as Student's t is beyond the normal; Wilson's interval for rates. Whether a difference may be
chance is tested in `eval.statistics.comparison`. No files, no metrics.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from eval.metrics.metric import Statistic
from eval.statistics.bootstrap import QUANTILES, Sample, only, resamples, sides, statistics, sums
from eval.statistics.branches import Branches
from eval.statistics.human_distance import excess
from eval.statistics.proportions import (
    NORMAL,
    TAIL,
    covariance,
    difference_interval,
    effective_size,
    rate_interval,
    student,
)
from eval.statistics.reading import read, read_both

Interval = tuple[float | None, float | None]


class Estimate(NamedTuple):
    """A statistic with its 95 % interval.

    Attributes:
        value: None without occasions, or where a Kaplan-Meier curve does not come down to its quantile: too many
            occasions are censored to say.
        low: None where the interval is open below, or where there is none: of fewer than two conversations, and of a ratio
            that counted nothing, as nothing tells how much was missed.
        high: None where it is open above, or where there is none.
        n: occasions; in a difference, those of the first system.
        n_conversations: with at least one occasion; in a difference, those of both systems.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_conversations: int


def estimate(sample: Sample, statistic: Statistic, seed: int = 0) -> Estimate:
    """`statistic` of a sample with its interval.

    Medians and percentiles are Kaplan-Meier's; a rate and a mean are over occasions, a ratio is one of sums, and a rate where
    it counts chances taken. A drift is in
    units per minute: least squares of the value on its start, with a level for each conversation, so that only what changes
    within conversations counts; censored occasions are left out, and without two in one conversation there is none. A
    human distance is the excess of Wasserstein-1 over chance, see `eval.statistics.human_distance`. pass^k and pass@k are
    rates over tasks, and n counts tasks. A contrast is the difference between its sides over the groups that have both; n
    counts the occasions of both, and groups stand for conversations. The share of the five commonest values is what it is.
    """
    sample, statistic = read(sample, statistic)
    if statistic == "contrast":
        return contrast(sample, seed)
    names, members = np.unique(sample.conversations, return_inverse=True)
    if not len(names):
        return Estimate(None, None, None, 0, 0)
    value = once([sample], [members], len(names), statistic)[0]
    low, high = None, None
    if len(names) > 1 and not counts_nothing(sample, statistic):
        if statistic == "rate":
            low, high = rate_interval(*sums(sample, members, len(names), statistic))
        elif statistic == "top_five":
            low, high = branches(sample, members)
        else:
            drawn = np.concatenate([statistics(sample, members, weights, statistic)
                                    for weights in resamples(len(names), seed)])
            low, high = interval(*centred(value, drawn, drawn, statistic), len(names))
        if statistic in QUANTILES:
            low, high = opened((low, high), sample, members, value, QUANTILES[statistic])
    return Estimate(finite(value), low, high, len(sample.values), len(names))


def paired_difference(first: Sample, second: Sample, statistic: Statistic,
                      conversations: Sequence[str] | Sequence[int] | np.ndarray | None = None, seed: int = 0) -> Estimate:
    """`statistic` of the first minus that of the second system, on the conversations that both had.

    Both are resampled by the same conversations, so that what makes a scenario hard for both cancels; of rates, the
    intervals are put together by how they go along (Zou & Donner, 2008).

    Args:
        conversations: what both recorded, occasions or not; None for those with occasions of both.
    """
    samples, common, statistic = read_both(first, second, statistic, conversations)
    num_occasions = len(samples[0].values)
    if not all(len(sample.values) for sample in samples):
        return Estimate(None, None, None, num_occasions, len(common))
    members = [np.searchsorted(common, sample.conversations) for sample in samples]
    ours, theirs = once(samples, members, len(common), statistic)
    value = ours - theirs if math.isfinite(ours) or math.isfinite(theirs) else math.nan
    low, high = None, None
    if len(common) > 1 and not all(counts_nothing(sample, statistic) for sample in samples):
        if statistic == "rate":
            low, high = rate_difference(*(sums(sample, own, len(common), statistic)
                                          for sample, own in zip(samples, members, strict=True)))
        elif statistic == "top_five":
            ends = [branches(sample, own) for sample, own in zip(samples, members, strict=True)]
            low, high = difference_interval((ours, theirs), (ends[0], ends[1]), 0.0)
        else:
            lows, highs = zip(*differences(samples, members, statistic, len(common), seed), strict=True)
            low, high = interval(*centred(value, np.concatenate(lows), np.concatenate(highs), statistic), len(common))
    return Estimate(finite(value), low, high, num_occasions, len(common))


def branches(sample: Sample, members: np.ndarray) -> tuple[float, float]:
    assert sample.groups is not None
    names, who = np.unique(members, return_inverse=True)
    return Branches(sample.values, sample.groups).interval(who, len(names)) if len(names) > 1 else (0.0, 1.0)


def contrast(sample: Sample, seed: int) -> Estimate:
    """Its sides are compared like two systems on the same conversations."""
    above, below = (only(sample, side) for side in sides(sample))
    is_rate = bool(np.isin(sample.values, (0.0, 1.0)).all())
    found = paired_difference(above, below, "rate" if is_rate else "mean", seed=seed)
    return found._replace(n=len(sample.values))


def once(samples: Sequence[Sample], members: Sequence[np.ndarray], num_conversations: int,
         statistic: Statistic) -> list[float]:
    """The statistic of each sample as it is."""
    found = [float(statistics(sample, own, np.ones((1, num_conversations), np.uint8), statistic)[0])
             for sample, own in zip(samples, members, strict=True)]
    if statistic == "human_distance":
        return [float(excess(distance, len(sample.values))) for distance, sample in zip(found, samples, strict=True)]
    return found


def counts_nothing(sample: Sample, statistic: Statistic) -> bool:
    return statistic == "ratio" and not sample.values.any()


def differences(samples: Sequence[Sample], members: Sequence[np.ndarray], statistic: Statistic, num_conversations: int,
                seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The least and the greatest they may be, in blocks: apart where neither curve comes down to its quantile."""
    for weights in resamples(num_conversations, seed):
        ours, theirs = (statistics(sample, own, weights, statistic) for sample, own in zip(samples, members, strict=True))
        both_open = np.isinf(ours) & np.isinf(theirs)
        known = np.where(both_open, 0.0, ours) - np.where(both_open, 0.0, theirs)
        yield np.where(both_open, -math.inf, known), np.where(both_open, math.inf, known)


def centred(value: float, lows: np.ndarray, highs: np.ndarray, statistic: Statistic) -> tuple[np.ndarray, np.ndarray]:
    """A sample drawn from a sample is farther from everything, so a distance takes from its resamples only their spread."""
    if statistic != "human_distance":
        return lows, highs
    return lows - np.nanmean(lows) + value, highs - np.nanmean(highs) + value


def interval(lows: np.ndarray, highs: np.ndarray, num_conversations: int) -> Interval:
    """The 95 % expanded percentile interval (Hesterberg, 2015, section 5.3); resamples without an occasion are left out.

    The tails are those at which a normal interval is as wide as Student's with one degree of freedom fewer than
    conversations, as resamples of few conversations vary too little.
    """
    tail = NORMAL.cdf(-math.sqrt(num_conversations / (num_conversations - 1)) * student(num_conversations - 1))
    lows, highs = np.sort(lows[~np.isnan(lows)]), np.sort(highs[~np.isnan(highs)])
    if not len(lows):
        return None, None
    return (finite(lows[math.floor(tail * len(lows))]),
            finite(highs[math.ceil((1.0 - tail) * len(highs)) - 1]))


def opened(ends: Interval, sample: Sample, members: np.ndarray, value: float, share: float) -> Interval:
    """An end is open where so few occasions may all lie on one side of the true quantile: a 95th percentile needs 72."""
    happened = (sample.values <= value) & ~sample.censored.astype(bool)
    occasions = np.bincount(members).astype(float)
    worth = effective_size(np.bincount(members, happened), occasions)
    return (None if (1.0 - share) ** worth > TAIL else ends[0], None if share ** worth > TAIL else ends[1])


def rate_difference(ours: np.ndarray, theirs: np.ndarray) -> Interval:
    """Interval of the difference of two rates from what happened (0) and could have happened (1) in each conversation."""
    counted = [counts[:, counts[1] > 0] for counts in (ours, theirs)]
    if min(counts.shape[1] for counts in counted) < 2:
        return None, None
    variances = [covariance(*counts, *counts) for counts in (ours, theirs)]
    together = covariance(*ours, *theirs) / math.sqrt(variances[0] * variances[1]) if min(variances) > 0.0 else 0.0
    first, second = (float(counts[0].sum() / counts[1].sum()) for counts in counted)
    return difference_interval((first, second), (rate_interval(*counted[0]), rate_interval(*counted[1])), together)


def finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
