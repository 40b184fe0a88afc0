"""Numbers about many occasions, and how far to trust them.

Intervals are percentile bootstraps over conversations, as occasions of one conversation are alike (Efron & Tibshirani,
1993). A rate that never varied has no bootstrap; its interval is Wilson's (1927), with conversations as trials: 0 of 12
is not "0 % for sure". No files, no metrics.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np

from eval.metrics.metric import Statistic

RESAMPLES: Final = 2_000
COVERAGE: Final = 0.95
MOST_NUMBERS: Final = 4_000_000  # in one block of resampled survival curves, 32 MB


class Sample(NamedTuple):
    """Observations of one metric.

    Attributes:
        values: (num_occasions,) float.
        censored: (num_occasions,) bool; the true value is larger.
        conversations: (num_occasions,) the conversation each belongs to, names or numbers.
        starts: (num_occasions,) when each was, seconds into its conversation; for a drift.
        per: (num_occasions,) what each value is counted over; for a ratio.
    """

    values: np.ndarray
    censored: np.ndarray
    conversations: np.ndarray
    starts: np.ndarray | None = None
    per: np.ndarray | None = None


class Estimate(NamedTuple):
    """A statistic with its 95 % interval.

    Attributes:
        value: None without occasions, or where a Kaplan-Meier curve does not come down to its quantile: too many
            occasions are censored to say.
        low: None where the interval is open below, or from fewer than two conversations.
        high: None where it is open above, or from fewer than two conversations.
        n: occasions; in a difference, those of the first system.
        n_conversations: with at least one occasion; in a difference, those of both systems.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_conversations: int


def estimate(sample: Sample, statistic: Statistic, seed: int = 0) -> Estimate:
    """`statistic` of a sample with the bootstrap over its conversations."""
    names, members = np.unique(sample.conversations, return_inverse=True)
    if not len(names):
        return Estimate(None, None, None, 0, 0)
    value = statistics(sample, members, np.ones((1, len(names))), statistic)[0]
    low, high = None, None
    if len(names) > 1:
        resampled = statistics(sample, members, resamples(len(names), seed), statistic)
        low, high = interval(resampled, resampled)
        if statistic == "rate" and value in (0.0, 1.0):
            low, high = wilson(value, len(names))
    return Estimate(finite(value), low, high, len(sample.values), len(names))


def paired_difference(first: Sample, second: Sample, statistic: Statistic,
                      conversations: Sequence[str] | Sequence[int] | None = None, seed: int = 0) -> Estimate:
    """`statistic` of the first minus that of the second system, on the conversations that both had.

    Both are resampled by the same conversations, so that what makes a scenario hard for both cancels.

    Args:
        conversations: what both recorded, occasions or not; None for those with occasions of both.
    """
    common = np.intersect1d(first.conversations, second.conversations) if conversations is None else np.unique(
        np.array(conversations))
    first, second = within(first, common), within(second, common)
    if not len(first.values) or not len(second.values):
        return Estimate(None, None, None, len(first.values), len(common))
    members = [np.searchsorted(common, sample.conversations) for sample in (first, second)]

    def differences(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest they may be: apart where neither curve comes down to its quantile."""
        ours, theirs = (statistics(sample, own, weights, statistic)
                        for sample, own in zip((first, second), members, strict=True))
        both_open = np.isinf(ours) & np.isinf(theirs)
        known = np.where(both_open, 0.0, ours) - np.where(both_open, 0.0, theirs)
        return np.where(both_open, -math.inf, known), np.where(both_open, math.inf, known)

    value = differences(np.ones((1, len(common))))[0][0]
    low, high = interval(*differences(resamples(len(common), seed))) if len(common) > 1 else (None, None)
    if statistic == "rate" and value == low == high == 0.0:
        # Neither was ever better than the other, in as many conversations as had an occasion.
        high = wilson(0.0, len(np.union1d(first.conversations, second.conversations)))[1]
        low = -high
    return Estimate(finite(value), low, high, len(first.values), len(common))


def kaplan_meier_quantile(values: np.ndarray, censored: np.ndarray, share: float) -> float | None:
    """The smallest value by which at least `share` of the occasions have happened; None if the curve ends before.

    The product-limit estimate for values censored on the right (Kaplan & Meier, 1958): an occasion censored at c
    counts among those at risk up to c. Without censoring this is the lower empirical quantile.
    """
    if not len(values):
        return None
    return finite(survival_quantiles(values, censored, np.ones((1, len(values))), share)[0])


def statistics(sample: Sample, members: np.ndarray, weights: np.ndarray, statistic: Statistic) -> np.ndarray:
    """`statistic` of every resample, (num_resamples,).

    Infinite where a quantile is not reached, not a number where no occasion was drawn.

    Args:
        members: (num_occasions,) index of the conversation of each.
        weights: (num_resamples, num_conversations) how often each conversation was drawn.
    """
    if statistic in ("rate", "mean"):
        num_conversations = weights.shape[1]
        sums = np.bincount(members, sample.values, num_conversations)
        counts = np.bincount(members, minlength=num_conversations)
        with np.errstate(invalid="ignore"):
            averages = (weights @ sums) / (weights @ counts)
        return np.round(averages, 12)  # what a sum in another order would change is no width
    share = {"median": 0.5, "p95": 0.95}[statistic]
    rows = max(1, MOST_NUMBERS // len(members))
    return np.concatenate([
        survival_quantiles(sample.values, sample.censored, weights[row:row + rows][:, members], share)
        for row in range(0, len(weights), rows)])


def survival_quantiles(values: np.ndarray, censored: np.ndarray, weights: np.ndarray, share: float) -> np.ndarray:
    """The Kaplan-Meier quantile under each row of weights (num_rows, num_occasions)."""
    order = np.lexsort((censored, values))  # at equal values those that happened come before those censored
    weights = weights[:, order]
    at_risk = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]
    happened = weights * ~censored[order].astype(bool)
    survival = np.cumprod(1.0 - happened / np.maximum(at_risk, 1.0), axis=1)
    reached = survival <= 1.0 - share + 1e-9
    quantiles = np.where(reached.any(axis=1), values[order][reached.argmax(axis=1)], math.inf)
    return np.where(at_risk[:, 0] > 0, quantiles, math.nan)


@lru_cache(maxsize=64)
def resamples(num_conversations: int, seed: int) -> np.ndarray:
    """How often each resample draws each conversation, (RESAMPLES, num_conversations)."""
    even = np.full(num_conversations, 1.0 / num_conversations)
    return np.random.default_rng(seed).multinomial(num_conversations, even, size=RESAMPLES).astype(np.float64)


def interval(lows: np.ndarray, highs: np.ndarray) -> tuple[float | None, float | None]:
    """The 95 % percentile interval; resamples without an occasion are left out."""
    tail = (1.0 - COVERAGE) / 2.0
    lows, highs = np.sort(lows[~np.isnan(lows)]), np.sort(highs[~np.isnan(highs)])
    if not len(lows):
        return None, None
    return (finite(lows[math.floor(tail * len(lows))]),
            finite(highs[math.ceil((1.0 - tail) * len(highs)) - 1]))


def wilson(rate: float, num_trials: int) -> tuple[float, float]:
    """Wilson's score interval of `rate` out of `num_trials`."""
    z = NormalDist().inv_cdf(0.5 + COVERAGE / 2.0)
    centre = (rate + z * z / (2.0 * num_trials)) / (1.0 + z * z / num_trials)
    spread = z / (1.0 + z * z / num_trials) * math.sqrt(
        rate * (1.0 - rate) / num_trials + z * z / (4.0 * num_trials * num_trials))
    return max(0.0, centre - spread), min(1.0, centre + spread)


def within(sample: Sample, conversations: np.ndarray) -> Sample:
    kept = np.isin(sample.conversations, conversations)
    return Sample(*(None if column is None else column[kept] for column in sample))  # type: ignore[arg-type]  # the first three are there


def finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
