"""How far floor transfers lie from people's, and how far chance alone would put as many.

People are the callers of Switchboard: strangers on the telephone. Intervals are in `eval.statistics`.
"""

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from eval.statistics.survival import BLOCK_NUMBERS

FILE: Final = Path(__file__).parents[1] / "metrics" / "human_transfers.json"
MOST_SECONDS: Final = 2.0  # an offset beyond is an argument or an absence, and counts as 2 s
NULL_DRAWS: Final = 2_000
NULL_MOST: Final = 1_000  # occasions; beyond, distances by chance shrink with the root of their number


class Histogram(NamedTuple):
    """People's floor transfer offsets.

    Attributes:
        source: where they are from.
        edges: (num_bins + 1,) seconds.
        counts: (num_bins,) in each bin.
        below: how many lie below the first edge.
        above: how many lie above the last.
    """

    source: str
    edges: np.ndarray
    counts: np.ndarray
    below: int
    above: int


class Closeness(NamedTuple):
    """A distance to people beside what chance does.

    Attributes:
        distance: seconds; Wasserstein-1.
        null_mean: seconds; the mean distance of as many offsets of people.
        null_p95: seconds; 19 of 20 times they are closer.
        share_as_far: how often as many offsets of people are at least as far; below 0.05, these are not people's.
        n: number of offsets.
    """

    distance: float
    null_mean: float
    null_p95: float
    share_as_far: float
    n: int


def closeness(offsets: np.ndarray) -> Closeness:
    """The distance of floor transfer offsets (num_offsets,) to people's, with its distribution by chance.

    Raises:
        ValueError: without an offset.
    """
    if not len(offsets):
        raise ValueError("no floor transfer offset, so no distance to people's")
    found, by_chance = distance(offsets), null(len(offsets))
    return Closeness(found, float(by_chance.mean()), float(np.quantile(by_chance, 0.95)),
                     float((1 + np.sum(by_chance >= found)) / (1 + len(by_chance))), len(offsets))


def distance(offsets: np.ndarray) -> float:
    """Wasserstein-1 between offsets (num_offsets,) and people's, both clipped to [-2, 2] s, in seconds.

    The area between the two distribution functions: how far offsets must be moved, on average, to be as people's are.
    """
    return float(distances(offsets, np.ones((1, len(offsets))))[0])


def distances(offsets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The distance under each row of weights (num_rows, num_offsets); not a number where a row is empty.

    People's distribution function is linear within a bin, the offsets' a stair, so that the area is exact.
    """
    order = np.argsort(offsets, kind="stable")
    clipped = np.clip(offsets[order], -MOST_SECONDS, MOST_SECONDS)
    points = np.union1d(inner_edges(), clipped)
    below = np.cumsum(np.pad(weights[:, order], ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        stair = below[:, np.searchsorted(clipped, points[:-1], side="right")] / below[:, -1:]
    people = share_below(points)
    return heights(people[:-1] - stair, people[1:] - stair) @ np.diff(points)


@lru_cache(maxsize=256)
def null(num_offsets: int) -> np.ndarray:
    """Distances of NULL_DRAWS times as many offsets drawn from people's, one by one, (NULL_DRAWS,).

    Beyond NULL_MOST offsets they are those of NULL_MOST, scaled by the root of the number.
    """
    drawn = min(num_offsets, NULL_MOST)
    rng, rows = np.random.default_rng(drawn), max(1, BLOCK_NUMBERS // drawn)
    found = np.concatenate([drawn_distances(rng.random((min(rows, NULL_DRAWS - row), drawn)))
                            for row in range(0, NULL_DRAWS, rows)])
    return found * math.sqrt(drawn / num_offsets)


def drawn_distances(shares: np.ndarray) -> np.ndarray:
    """The distance of each row of offsets, given as the shares of people's that lie below them, (num_rows, num_offsets).

    What `distances` does, with people's distribution function as the axis: every row has points of its own.
    """
    edges = inner_edges()
    people = share_below(edges)
    shares = np.clip(shares, people[0], people[-1])
    points = np.concatenate([shares, np.broadcast_to(people, (len(shares), len(people)))], axis=1)
    order = np.argsort(points, axis=1)
    points = np.take_along_axis(points, order, axis=1)
    stair = np.cumsum(order < shares.shape[1], axis=1)[:, :-1] / shares.shape[1]
    widths = np.diff(np.interp(points, people, edges), axis=1)
    return (heights(points[:, :-1] - stair, points[:, 1:] - stair) * widths).sum(axis=1)


def heights(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Mean height above or below 0 of lines that go from `start` to `end`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(start * end < 0.0, (start ** 2 + end ** 2) / (np.abs(start) + np.abs(end)),
                        np.abs(start + end)) / 2.0


def inner_edges() -> np.ndarray:
    edges = histogram().edges
    return edges[np.abs(edges) <= MOST_SECONDS + 1e-9]


def excess(distance: np.ndarray | float, num_offsets: int) -> np.ndarray | float:
    """How much farther than chance: 0 is as far as as many offsets of people are on average, in seconds."""
    return distance - null(num_offsets).mean()


def share_below(offset: np.ndarray | float) -> np.ndarray:
    """Share of people's transfers with a smaller offset; within the histogram's -3 to 3 s."""
    people = histogram()
    found = people.below + np.interp(offset, people.edges, np.concatenate([[0], np.cumsum(people.counts)]))
    return found / num_transfers(people)


def quantile(share: float) -> float:
    """The offset below which that share of people's transfers lies; within the histogram's -3 to 3 s."""
    edges = histogram().edges
    return float(np.interp(share, share_below(edges), edges))


def num_transfers(people: Histogram) -> int:
    return people.below + int(people.counts.sum()) + people.above


@lru_cache(maxsize=1)
def histogram() -> Histogram:
    read = json.loads(FILE.read_text(encoding="utf-8"))
    edges = np.round(read["start"] + read["step"] * np.arange(len(read["counts"]) + 1), 6)
    return Histogram(read["source"], edges, np.array(read["counts"]), read["below"], read["above"])


def bins() -> dict[str, object]:
    """The histogram as a picture needs it: where it starts, how wide a bin is, the share of all transfers in each."""
    people = histogram()
    shares = people.counts / num_transfers(people)
    return {"source": people.source, "start": float(people.edges[0]), "step": float(people.edges[1] - people.edges[0]),
            "shares": [round(float(share), 5) for share in shares]}
