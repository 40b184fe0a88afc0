"""A sweep: one number of an agent turned from hasty to patient, and its latency at a given rate of false starts.

Two agents that differ in both latency and false starts can only be compared where they have as much of one. Plays
nothing.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from eval.metrics.metric import Statistic
from eval.scores import occasions
from eval.statistics.bootstrap import Sample, resamples, statistics
from eval.statistics.estimates import interval

FALSE_STARTS: Final = 0.05  # at which sweeps are compared
MEASURES: Final = ("switch_latency", "pause_false_start")


class AtRate(NamedTuple):
    """Latency of a sweep at a rate of false starts.

    Attributes:
        value: seconds; None where no point has so few false starts.
        low, high: 95 % interval; None where it is open.
        reached: whether some point has more false starts. If none has, `value` is that of the hastiest point, and a
            hastier one may still be sooner.
    """

    value: float | None
    low: float | None
    high: float | None
    reached: bool


class Curves(NamedTuple):
    """The points of a sweep, from hasty to patient, each drawn from the same conversations again and again.

    Attributes:
        latencies: (num_points, num_resamples) median switch latency, infinite where most turns have no answer.
        rates: (num_points, num_resamples) share of the pauses talked into.
    """

    latencies: np.ndarray
    rates: np.ndarray


def latency_at(observed: pd.DataFrame, names: Sequence[str], rate: float = FALSE_STARTS, seed: int = 0) -> AtRate:
    """Median switch latency in seconds at which a sweep talks into `rate` of the pauses (`turn.latency_at_fcr5`, after
    LiveKit's end-of-turn bench), with its interval by a bootstrap over the conversations that all points played.

    Between the last point that has more false starts and the next, which has not, both are interpolated linearly.

    Args:
        names: of the points, from the hastiest to the most patient.
    """
    sampled, pairs = samples(observed, names)
    every = [curves(sampled, pairs, weights) for weights in (once(pairs), *resamples(len(pairs), seed))]
    return estimated([crossings(found, rate) for found in every], every[0], rate, len(pairs))


def gain_at(observed: pd.DataFrame, names: Sequence[str], reference: str, rate: float = FALSE_STARTS,
            seed: int = 0) -> AtRate:
    """How many seconds sooner the reference answers, as it is, than a sweep at `rate` false starts: the difference of
    `latency_at` and its median switch latency, on the same conversations."""
    sampled, pairs = samples(observed, [*names, reference])
    found = [curves(sampled, pairs, weights) for weights in (once(pairs), *resamples(len(pairs), seed))]
    swept = [Curves(every.latencies[:-1], every.rates[:-1]) for every in found]
    with np.errstate(invalid="ignore"):
        gains = [crossings(sweep, rate) - every.latencies[-1] for sweep, every in zip(swept, found, strict=True)]
    return estimated(gains, swept[0], rate, len(pairs))


def estimated(found: Sequence[np.ndarray], swept: Curves, rate: float, num_conversations: int) -> AtRate:
    """From the number of the conversations as they are, the first, and of their resamples."""
    value, drawn = float(found[0][0]), np.concatenate(found[1:])
    low, high = interval(drawn, drawn, num_conversations) if num_conversations > 1 else (None, None)
    return AtRate(value if math.isfinite(value) else None, low, high, bool((swept.rates[:, 0] > rate).any()))


def once(pairs: np.ndarray) -> np.ndarray:
    return np.ones((1, len(pairs)), np.uint8)


def samples(observed: pd.DataFrame, names: Sequence[str]) -> tuple[list[tuple[Sample, Sample]], np.ndarray]:
    """Latencies and false starts of every point, on the pairs of scenario and seed that all of them played."""
    ours = [occasions(observed[observed["system"] == name]) for name in names]
    pairs = ours[0].pairs
    for one in ours[1:]:
        pairs = np.intersect1d(pairs, one.pairs)
    found = []
    for name in names:
        point = observed[observed["system"] == name]
        both = [occasions(point[point["metric"] == metric]).by_pairs for metric in MEASURES]
        found.append((shared(both[0], pairs), shared(both[1], pairs)))
    return found, np.unique(pairs)


def shared(sample: Sample, pairs: np.ndarray) -> Sample:
    kept = np.isin(sample.conversations, pairs)
    return Sample(sample.values[kept], sample.censored[kept], sample.conversations[kept])


def curves(sampled: Sequence[tuple[Sample, Sample]], pairs: np.ndarray, weights: np.ndarray) -> Curves:
    def drawn(sample: Sample, statistic: Statistic) -> np.ndarray:
        return statistics(sample, np.searchsorted(pairs, sample.conversations), weights, statistic)

    return Curves(np.array([drawn(latency, "median") for latency, _ in sampled]),
                  np.array([drawn(start, "rate") for _, start in sampled]))


def crossings(found: Curves, rate: float) -> np.ndarray:
    """Latency of each resample (num_resamples,) where its false starts come down to `rate` for good.

    Infinite where they never do, not a number where no pause was drawn.
    """
    return np.array([crossing(latencies, rates, rate)
                     for latencies, rates in zip(found.latencies.T, found.rates.T, strict=True)])


def crossing(latencies: np.ndarray, rates: np.ndarray, rate: float) -> float:
    """From points in order of patience, (num_points,) each."""
    if np.isnan(rates).any():
        return math.nan
    hasty = np.flatnonzero(rates > rate)
    if not len(hasty):
        return float(latencies[0])
    last = int(hasty[-1])
    if last + 1 == len(rates):
        return math.inf
    share = (rates[last] - rate) / (rates[last] - rates[last + 1])
    before, after = float(latencies[last]), float(latencies[last + 1])
    return before + share * (after - before) if math.isfinite(before) and math.isfinite(after) else math.inf


def as_list(found: AtRate) -> list[Any]:
    return [None if number is None else round(number, 3) for number in (found.value, found.low, found.high)]
