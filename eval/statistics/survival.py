"""Quantiles where some values are only known to be larger: the product-limit estimate (Kaplan & Meier, 1958).

No intervals: each row of weights has its own curve, and what the weights mean is decided elsewhere.
"""

import math
from typing import Final

import numpy as np

BLOCK_NUMBERS: Final = 1 << 18  # in one block of weighted curves, 2 MB: what a processor keeps at hand


def kaplan_meier_quantile(values: np.ndarray, censored: np.ndarray, share: float) -> float | None:
    """The smallest value by which at least `share` of the occasions have happened; None if the curve ends before.

    The product-limit estimate for values censored on the right (Kaplan & Meier, 1958): an occasion censored at c
    counts among those at risk up to c. Without censoring this is the lower empirical quantile.
    """
    if not len(values):
        return None
    found = survival_quantiles(values, censored, np.arange(len(values)), np.ones((1, len(values)), np.uint8), share)[0]
    return float(found) if math.isfinite(found) else None


def survival_quantiles(values: np.ndarray, censored: np.ndarray, members: np.ndarray, weights: np.ndarray,
                       share: float) -> np.ndarray:
    """The quantile under each row of weights; infinite where it is not reached, not a number where a row is empty.

    Args:
        values: (num_occasions,) float.
        censored: (num_occasions,) bool.
        members: (num_occasions,) which column of weights each has.
        weights: (num_rows, num_columns) whole numbers, how often each column counts.
    """
    order = np.lexsort((censored, values))  # at equal values those that happened come before those censored
    values, happened, members = values[order], ~censored[order].astype(bool), members[order]
    first = np.flatnonzero(happened & ~np.append(False, happened[:-1]))  # of each run of occasions that happened
    last = np.flatnonzero(happened & ~np.append(happened[1:], False))
    quantiles = np.full(len(weights), math.nan)
    rows = max(1, BLOCK_NUMBERS // len(values))
    for row in range(0, len(weights), rows):
        seen = np.cumsum(weights[row:row + rows, members], axis=1, dtype=np.int32)
        places = crossings(seen, first, last, share) if len(first) else np.full(len(seen), -1)
        found = np.where(places >= 0, values[places], math.inf)
        quantiles[row:row + rows] = np.where(seen[:, -1] > 0, found, math.nan)
    return quantiles


def crossings(seen: np.ndarray, first: np.ndarray, last: np.ndarray, share: float) -> np.ndarray:
    """Which occasion takes each curve down to its quantile, (num_rows,); -1 where none does.

    Over a run of occasions that happened, with none censored in between, the product telescopes: it is what is left at risk
    after them over what was before. So the curve is known at the ends of runs, and within one, it falls as the count rises.

    Args:
        seen: (num_rows, num_occasions) how many were drawn up to each, in the order of time.
        first: (num_runs,) where runs of occasions that happened begin.
        last: (num_runs,) where they end.
    """
    left, every = 1.0 - share + 1e-9, np.arange(len(seen))
    total = seen[:, -1:]
    before = total - np.where(first > 0, seen[:, first - 1], 0)
    survival = np.cumprod(np.where(before > 0, (total - seen[:, last]) / np.maximum(before, 1), 1.0), axis=1)
    reached = survival <= left
    run = reached.argmax(axis=1)
    at_start = np.where(run > 0, survival[every, run - 1], 1.0)
    needed = np.ceil(total[:, 0] - left / at_start * before[every, run]).astype(np.int32)
    return np.where(reached.any(axis=1), (seen >= needed[:, None]).argmax(axis=1), -1)
