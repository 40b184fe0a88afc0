"""Intervals of rates whose occasions come in conversations: Wilson's, at as many trials as the occasions are worth.

Wilson (1927); at the effective sample size, Korn & Graubard (1998) and Franco, Little, Louis & Slud (2019), who find it the
best of the simple ones for clustered samples. No other statistics.
"""

import math
from statistics import NormalDist
from typing import Final

import numpy as np

COVERAGE: Final = 0.95
TAIL: Final = (1.0 - COVERAGE) / 2.0
NORMAL: Final = NormalDist()
Z: Final = NORMAL.inv_cdf(1.0 - TAIL)  # 1.96


def rate_interval(happened: np.ndarray, occasions: np.ndarray) -> tuple[float, float]:
    """95 % interval of the rate of conversations with (num_conversations,) happenings among (num_conversations,) occasions."""
    rate = float(happened.sum() / occasions.sum())
    return wilson(rate, effective_size(happened, occasions))


def difference_interval(rates: tuple[float, float], intervals: tuple[tuple[float, float], tuple[float, float]],
                        correlation: float) -> tuple[float, float]:
    """95 % interval of the first rate minus the second from the intervals of both (MOVER, Zou & Donner, 2008).

    Args:
        correlation: of the two estimated rates; 0 for independent ones.
    """
    (first, second), ((low, high), (other_low, other_high)) = rates, intervals

    def reach(ours: float, theirs: float) -> float:
        return math.sqrt(max(0.0, ours * ours - 2.0 * correlation * ours * theirs + theirs * theirs))

    difference = first - second
    return (max(-1.0, difference - reach(first - low, other_high - second)),
            min(1.0, difference + reach(high - first, second - other_low)))


def wilson(rate: float, num_trials: float) -> tuple[float, float]:
    """Wilson's score interval of `rate` out of `num_trials`, which need not be whole."""
    centre = (rate + Z * Z / (2.0 * num_trials)) / (1.0 + Z * Z / num_trials)
    spread = Z / (1.0 + Z * Z / num_trials) * math.sqrt(
        rate * (1.0 - rate) / num_trials + Z * Z / (4.0 * num_trials * num_trials))
    return max(0.0, centre - spread), min(1.0, centre + spread)


def effective_size(happened: np.ndarray, occasions: np.ndarray) -> float:
    """How many independent occasions would tell as much as these, which are alike within conversations.

    p (1 - p) over the variance of p between conversations, at most the number of occasions (Dean & Pagano, 2015) where each
    happened or did not, and not a part of it, times
    (1.96 / t)^2, t of one degree of freedom fewer than conversations, as that variance is itself estimated (Korn &
    Graubard, 1998). A rate that never varied shows no variance: it is worth one trial a conversation.
    """
    rate, num_conversations = happened.sum() / occasions.sum(), len(occasions)
    if rate in (0.0, 1.0):
        return float(num_conversations)
    variance = covariance(happened, occasions, happened, occasions)
    most = float(occasions.sum()) if (happened == np.round(happened)).all() else math.inf
    worth = min(most, rate * (1.0 - rate) / variance) if variance > 0.0 else float(occasions.sum())
    return float(worth * (Z / student(num_conversations - 1)) ** 2)


def covariance(happened: np.ndarray, occasions: np.ndarray, others_happened: np.ndarray,
               others_occasions: np.ndarray) -> float:
    """Covariance of two rates over the same conversations; of one with itself, its variance.

    That of ratios of sums, linearised (Cochran, 1977, section 6.13).
    """
    ours, theirs = ((events - events.sum() / trials.sum() * trials) / trials.sum()
                    for events, trials in ((happened, occasions), (others_happened, others_occasions)))
    return float(len(ours) / (len(ours) - 1) * (ours @ theirs))


def student(degrees: int) -> float:
    """The 97.5 % quantile of Student's t: exact for 1 and 2 degrees of freedom, to 0.1 % beyond (Abramowitz & Stegun, 26.7.5)."""
    if degrees == 1:
        return math.tan(math.pi * COVERAGE / 2.0)
    if degrees == 2:
        return math.sqrt(2.0 / ((1.0 - COVERAGE) * (1.0 + COVERAGE)) - 2.0)
    terms = (Z, (Z ** 3 + Z) / 4.0, (5.0 * Z ** 5 + 16.0 * Z ** 3 + 3.0 * Z) / 96.0,
             (3.0 * Z ** 7 + 19.0 * Z ** 5 + 17.0 * Z ** 3 - 15.0 * Z) / 384.0,
             (79.0 * Z ** 9 + 776.0 * Z ** 7 + 1482.0 * Z ** 5 - 1920.0 * Z ** 3 - 945.0 * Z) / 92160.0)
    return sum(term / degrees ** power for power, term in enumerate(terms))
