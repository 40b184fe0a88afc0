"""From what became of each turn to the points of a curve, with intervals over phrases; used by `turn_detection_curve.py`.

The same words in another voice or with other numbers are the same phrase: they are drawn together. Plays and draws nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from sweep import FALSE_STARTS, AtRate, crossings, curves, estimated, once
from turn_detectors import SWEEPS, Found
from turn_phrases import Outcome, Said

from eval.statistics.bootstrap import Sample, resamples
from eval.statistics.estimates import Estimate, estimate

MEASURES: Final = ("latency", "p95", "cut", "early")


class Point(NamedTuple):
    """A detector at one setting, or an agent as it is.

    Attributes:
        outcomes: phrase and what became of it, one for each time it was said.
    """

    detector: str
    setting: str
    outcomes: Sequence[tuple[str, Outcome]]


def settings_of(found: Sequence[Found]) -> Iterator[Point]:
    """Every setting of every detector, each detector's from hasty to patient."""
    for detector, value in (found[0].outcomes if found else ()):
        sweep = SWEEPS[detector]
        yield Point(detector, f"{sweep.parameter} {value:g}{f' {sweep.unit}' if sweep.unit else ''}",
                    [(one.phrase.name, one.outcomes[detector, value]) for one in found])


def table_of(points: Sequence[Point]) -> pd.DataFrame:
    """One row a point: each measure with the ends of its 95 % interval, and the counts behind it."""
    table = pd.DataFrame([{"detector": point.detector, "setting": point.setting, **measured(point.outcomes)} for point in points])
    bounds = [f"{measure}{end}" for measure in MEASURES for end in ("", "_low", "_high")]
    return table.astype({column: float for column in bounds if column in table})


def measured(outcomes: Sequence[tuple[str, Outcome]]) -> dict[str, Any]:
    latency, cut = latencies(outcomes), cuts(outcomes)
    early = sample_of([(name, float(one.early)) for name, one in outcomes])
    estimates = (estimate(latency, "median"), estimate(latency, "p95"), estimate(cut, "rate"), estimate(early, "rate"))
    row = {key: value for name, found in zip(MEASURES, estimates, strict=True) for key, value in numbers(name, found).items()}
    never = float(np.mean(latency.censored)) if outcomes else float("nan")
    return {**row, "never": never, "turns": len(outcomes), "pauses": len(cut.values)}


def latencies(outcomes: Sequence[tuple[str, Outcome]]) -> Sample:
    return Sample(np.array([one.latency for _, one in outcomes]), np.array([one.censored for _, one in outcomes], bool),
                  np.array([name for name, _ in outcomes], str))


def cuts(outcomes: Sequence[tuple[str, Outcome]]) -> Sample:
    return sample_of([(name, float(cut)) for name, one in outcomes for cut in one.cut])


def sample_of(occasions: Sequence[tuple[str, float]]) -> Sample:
    return Sample(np.array([value for _, value in occasions], float), np.zeros(len(occasions), bool),
                  np.array([name for name, _ in occasions], str))


def numbers(name: str, found: Estimate) -> Mapping[str, float | None]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def at_rate(points: Sequence[Point], rate: float = FALSE_STARTS) -> AtRate:
    """Median latency at which a detector cuts `rate` of the pauses, interpolated between its settings as `sweep.latency_at` does.

    Args:
        points: of one detector, from hasty to patient, on the same phrases.
    """
    pairs = np.unique([name for name, _ in points[0].outcomes])
    sampled = [(latencies(point.outcomes), cuts(point.outcomes)) for point in points]
    every = [curves(sampled, pairs, weights) for weights in (once(pairs), *resamples(len(pairs), seed=0))]
    return estimated([crossings(found, rate) for found in every], every[0], rate, len(pairs))


def separation(found: Sequence[Found]) -> str:
    """How well Smart Turn's probability tells ends from pauses here, in words: the share of pairs it puts in order."""
    inside, ends = [], []
    for one in found:
        for when, probability in one.probabilities:
            if when > one.said.end:
                ends.append(probability)
            elif in_a_pause(one.said, when):
                inside.append(probability)
    if not inside or not ends:
        return "It was not asked about both pauses and ends."
    return (f"It puts {100.0 * ordered(inside, ends):.0f} % of the pairs of a pause and an end in the right order "
            f"(50 is chance; {len(inside)} pauses, {len(ends)} ends).")


def in_a_pause(said: Said, when: float) -> bool:
    return any(start < when <= end for start, end in said.pauses)


def ordered(lower: Sequence[float], higher: Sequence[float]) -> float:
    """Area under the receiver operating characteristic: ties count half."""
    difference = np.asarray(higher)[:, np.newaxis] - np.asarray(lower)
    return float(np.mean((difference > 0.0) + 0.5 * (difference == 0.0)))
