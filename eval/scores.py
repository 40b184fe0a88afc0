"""From observations to `table.csv`: what was measured, summarised.

What is measured is defined in `eval.metrics`, how it is summarised in `eval.statistics`; it is printed by
`eval.printed_table`. The file is the same to the byte for the same observations of a run.
"""

import hashlib
import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from eval.metrics.catalogue import BY_NAME, METRIC_VERSION, METRICS
from eval.metrics.metric import Metric
from eval.statistics.bootstrap import Sample, only
from eval.statistics.comparison import holm, p_value
from eval.statistics.estimates import Estimate, estimate, paired_difference

FEW: Final = 10  # occasions, below which a number about many conversations is not printed
FAILED: Final = "conversation_failed"  # of every conversation


class Occasions(NamedTuple):
    """What a system did on the occasions of one metric.

    Attributes:
        sample: with a number for each conversation.
        pairs: (num_occasions,) numbers that two systems share for the same scenario and seed.
        happened: on how many occasions it could have been measured; None where the metric does not say.
    """

    sample: Sample
    pairs: np.ndarray
    happened: int | None = None

    @property
    def by_pairs(self) -> Sample:
        return self.sample._replace(conversations=self.pairs)


def table(observations: pd.DataFrame, agent: str, baseline: str | None, clock: str, seed: int = 0) -> pd.DataFrame:
    """One row per metric: the agent, the baseline, and the agent minus the baseline on the scenarios both had.

    Beside the observations it holds two numbers a row and one metric at a time.

    Args:
        seed: of the bootstrap and of the tests; see `seed_of`.

    Raises:
        ValueError: when the agent has no conversation on that clock.
    """
    places = {place: np.asarray(rows) for place, rows in
              observations.groupby(["clock", "system", "metric"], sort=False).indices.items()}
    if (clock, agent, FAILED) not in places:
        found = sorted(set(observations["system"] + " on " + observations["clock"]))
        raise ValueError(f"no conversation of {agent!r} on the clock {clock!r}; there are {', '.join(found) or 'none'}")
    every, none = occasions(observations), np.empty(0, int)

    def observed(system: str | None, metric: Metric) -> Occasions:
        happened = len(places.get((clock, system, metric.among), none)) if metric.among else None
        rows = places.get((clock, system, metric.observed), none)
        return grouped(chosen(every, rows, happened), observations.iloc[rows], metric)

    failed = {"agent": observed(agent, BY_NAME[FAILED]), "baseline": observed(baseline, BY_NAME[FAILED])}
    common = np.intersect1d(failed["agent"].pairs, failed["baseline"].pairs)
    rows = [
        {"clock": clock, **row(metric, observed(agent, metric), observed(baseline, metric), common, seed),
         "agent_name": agent, **conversation_counts(failed["agent"], "agent"), "baseline_name": baseline or "",
         **conversation_counts(failed["baseline"], "baseline"), "metric_version": METRIC_VERSION}
        for metric in METRICS]
    adjusted = holm({row["metric"]: row["p_value"] for row in rows}, sum(metric.tested for metric in METRICS))
    return pd.DataFrame([{**row, "p_holm": adjusted[row["metric"]]} for row in rows]).astype(
        {"p_value": float, "p_holm": float})


def seed_of(run: str) -> int:
    """What the bootstrap of a run is seeded with: the first 8 bytes of SHA-256 of its name."""
    return int.from_bytes(hashlib.sha256(run.encode()).digest()[:8])


def summary(metric: Metric, ours: pd.DataFrame, theirs: pd.DataFrame, common: Collection[Any], seed: int = 0) -> dict[str, Any]:
    """`row` of a metric from all observations of two systems, one of whom may have none.

    Args:
        common: `pair_keys` of the conversations that both had.
    """
    def observed(frame: pd.DataFrame) -> Occasions:
        rows = np.flatnonzero(frame["metric"] == metric.observed)
        happened = int((frame["metric"] == metric.among).sum()) if metric.among else None
        return grouped(chosen(occasions(frame), rows, happened), frame.iloc[rows], metric)

    return row(metric, observed(ours), observed(theirs), np.array(list(common), np.uint64), seed)


def row(metric: Metric, ours: Occasions, theirs: Occasions, common: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """A metric's row of the table, but for what is adjusted over several metrics.

    Args:
        common: numbers of the pairs of conversations that both had.
    """
    pairs = ours.by_pairs, theirs.by_pairs
    estimates = {
        "agent": estimate(ours.sample, metric.statistic, seed),
        "baseline": estimate(theirs.sample, metric.statistic, seed),
        "difference": paired_difference(*pairs, metric.statistic, common, seed),
    }
    return {
        "metric": metric.name, "title": metric.title, "unit": metric.unit, "better": metric.better,
        "statistic": metric.statistic, "headline": metric.headline, "family": metric.family,
        **{column: number for name, found in estimates.items() for column, number in numbers(name, found).items()},
        "agent_n_of": known(ours.happened), "baseline_n_of": known(theirs.happened),
        "p_value": p_value(*pairs, metric.statistic, common, seed) if metric.tested else None,
        "human": known(metric.human),
    }


def is_few(num_occasions: int, num_conversations: int) -> bool:
    """Whether there were too few occasions to say what a system does; what happened in one call is said all the same."""
    return num_occasions < FEW and num_conversations > 1


def numbers(name: str, found: Estimate) -> dict[str, Any]:
    return {name: known(found.value), f"{name}_low": known(found.low), f"{name}_high": known(found.high),
            f"{name}_n": found.n, f"{name}_n_conversations": found.n_conversations}


def known(number: float | None) -> float:
    return math.nan if number is None else number


def conversation_counts(failed: Occasions, name: str) -> dict[str, int]:
    return {f"{name}_conversations": len(failed.pairs), f"{name}_failed": int(failed.sample.values.sum())}


def conversations(observations: pd.DataFrame) -> pd.DataFrame:
    """How many conversations each system had on each clock, and how many of them failed."""
    failed = observations[observations["metric"] == FAILED]
    counted = failed.groupby(["clock", "system"])["value"].agg(["count", "sum"]).reset_index()
    return counted.set_axis(["clock", "system", "conversations", "failed"], axis=1).astype({"failed": int})


def occasions(frame: pd.DataFrame) -> Occasions:
    """Everything that was observed, of whatever metric."""
    return Occasions(Sample(
        frame["value"].to_numpy(float), frame["censored"].to_numpy(bool), conversation_keys(frame),
        frame["start"].to_numpy(float), frame["per"].to_numpy(float)), pair_keys(frame))


def chosen(every: Occasions, rows: np.ndarray, happened: int | None) -> Occasions:
    return Occasions(only(every.sample, rows), every.pairs[rows], happened)


def grouped(of_metric: Occasions, rows: pd.DataFrame, metric: Metric) -> Occasions:
    """With a number for what each occasion belongs to, where the metric's statistic asks for it."""
    if not metric.by:
        return of_metric
    return of_metric._replace(sample=of_metric.sample._replace(groups=hashed(rows[[metric.by]])))


def conversation_keys(frame: pd.DataFrame) -> np.ndarray:
    """A number for each conversation, the same for all its rows."""
    return hashed(frame[["run", "conversation"]])


def pair_keys(frame: pd.DataFrame) -> np.ndarray:
    """What makes conversations of two systems the same, as a number: the scenario and the seed."""
    return hashed(frame[["scenario", "seed"]])


def hashed(frame: pd.DataFrame) -> np.ndarray:
    """64 bits of a row: the chance that two of 10,000 conversations share them is 3 in 10^12, and numbers sort quickly."""
    return pd.util.hash_pandas_object(frame, index=False).to_numpy(np.uint64)


def write_table(tables: Sequence[pd.DataFrame], path: Path) -> None:
    """Writes the tables of all clocks as one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(tables, ignore_index=True).to_csv(path, index=False, float_format="%.6f", lineterminator="\n")
