"""From observations to `table.csv`: what was measured, summarised and printed.

What is measured is defined in `eval.metrics`, how it is summarised in `eval.statistics`. The file is the same to the byte
for the same observations.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eval.metrics.catalogue import METRIC_VERSION, METRICS
from eval.metrics.metric import Metric
from eval.statistics import Estimate, Sample, estimate, paired_difference

FEW: Final = 10  # occasions, below which a number is flagged
ZONES: Final = (("zone_natural", "natural", "green"), ("zone_slow", "slow", "yellow"), ("zone_machine", "machine", "red"))
ZONE_COLUMNS: Final = 40


def table(observations: pd.DataFrame, agent: str, baseline: str | None, clock: str) -> pd.DataFrame:
    """One row per metric: the agent, the baseline, and the agent minus the baseline on the scenarios both had.

    Raises:
        ValueError: when the agent has no conversation on that clock.
    """
    on_clock = observations[observations["clock"] == clock]
    if agent not in set(on_clock["system"]):
        found = sorted(map(" on ".join, set(zip(observations["system"], observations["clock"], strict=True))))
        raise ValueError(f"no conversation of {agent!r} on the clock {clock!r}; there are {', '.join(found) or 'none'}")
    ours, theirs = (on_clock[on_clock["system"] == name] for name in (agent, baseline))
    common = sorted(set(pair_keys(ours)) & set(pair_keys(theirs)))
    return pd.DataFrame([
        {"clock": clock, **summary(metric, ours, theirs, common),
         "agent_name": agent, **conversation_counts(ours, "agent"),
         "baseline_name": baseline or "", **conversation_counts(theirs, "baseline"), "metric_version": METRIC_VERSION}
        for metric in METRICS])


def summary(metric: Metric, ours: pd.DataFrame, theirs: pd.DataFrame, common: Sequence[str]) -> dict[str, Any]:
    ours, theirs = (frame[frame["metric"] == metric.observed] for frame in (ours, theirs))
    estimates = {
        "agent": estimate(sample(ours, conversation_keys(ours)), metric.statistic),
        "baseline": estimate(sample(theirs, conversation_keys(theirs)), metric.statistic),
        "difference": paired_difference(
            sample(ours, pair_keys(ours)), sample(theirs, pair_keys(theirs)), metric.statistic, common),
    }
    return {
        "metric": metric.name, "title": metric.title, "unit": metric.unit, "better": metric.better,
        "statistic": metric.statistic, "headline": metric.headline,
        **{column: number for name, found in estimates.items() for column, number in columns(name, found).items()},
        "human": np.nan if metric.human is None else metric.human,
        "few": estimates["agent"].n < FEW or (bool(common) and estimates["baseline"].n < FEW),
    }


def columns(name: str, found: Estimate) -> dict[str, Any]:
    value, low, high = (np.nan if number is None else number for number in (found.value, found.low, found.high))
    return {name: value, f"{name}_low": low, f"{name}_high": high, f"{name}_n": found.n,
            f"{name}_n_conversations": found.n_conversations}


def conversation_counts(frame: pd.DataFrame, name: str) -> dict[str, int]:
    failed = frame.loc[frame["metric"] == "conversation_failed", "value"]
    return {f"{name}_conversations": len(failed), f"{name}_failed": int(failed.sum())}


def conversations(observations: pd.DataFrame) -> pd.DataFrame:
    """How many conversations each system had on each clock, and how many of them failed."""
    failed = observations[observations["metric"] == "conversation_failed"]
    counted = failed.groupby(["clock", "system"])["value"].agg(["count", "sum"]).reset_index()
    return counted.set_axis(["clock", "system", "conversations", "failed"], axis=1).astype({"failed": int})


def sample(frame: pd.DataFrame, keys: np.ndarray) -> Sample:
    return Sample(frame["value"].to_numpy(float), frame["censored"].to_numpy(bool), keys,
                  frame["start"].to_numpy(float), frame["per"].to_numpy(float))


def conversation_keys(frame: pd.DataFrame) -> np.ndarray:
    return np.array([f"{run}\t{name}" for run, name in zip(frame["run"], frame["conversation"], strict=True)], str)


def pair_keys(frame: pd.DataFrame) -> np.ndarray:
    """What makes conversations of two systems the same: the scenario and the seed."""
    return np.array([f"{scenario}\t{seed}" for scenario, seed in zip(frame["scenario"], frame["seed"], strict=True)], str)


def write_table(tables: Sequence[pd.DataFrame], path: Path) -> None:
    """Writes the tables of all clocks as one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(tables, ignore_index=True).to_csv(path, index=False, float_format="%.6f", lineterminator="\n")


def print_table(tables: pd.DataFrame, console: Console) -> None:
    """Prints the metrics that had an occasion, one table a clock; a difference has a colour if its interval leaves out 0."""
    for clock, of_clock in tables.groupby("clock", sort=False):
        records = [{str(column): cell for column, cell in record.items()} for record in of_clock.to_dict("records")]
        first = records[0]
        compared = bool(first["baseline_conversations"])
        shown = Table(title=f"{first['agent_name']}{' and ' + first['baseline_name'] if compared else ''}, "
                            f"{clock} clock", caption=caption(first, compared), title_justify="left",
                      caption_justify="left")
        shown.add_column("")
        names = [first["agent_name"], *([first["baseline_name"], "difference"] if compared else [])]
        for name in (*names, "people"):
            shown.add_column(name, justify="right", no_wrap=True)
        for record in sorted(records, key=lambda record: not record["headline"]):
            if record["agent_n"] or record["baseline_n"]:
                values = [Text(with_interval(record, "agent"))]
                if compared:
                    values += [Text(with_interval(record, "baseline")),
                               Text(with_interval(record, "difference"), style=colour(record))]
                title = f"{record['title']}{' *' if record['few'] else ''}"
                shown.add_row(Text(title, style="bold" if record["headline"] else ""), *values,
                              Text(printed(record["human"], record["unit"])))
        console.print(shown)
        for name in ("agent", "baseline"):
            if first[f"{name}_conversations"]:
                console.print(zone_bar(records, name))


def caption(record: Mapping[str, Any], compared: bool) -> str:
    parts = [f"{record[f'{name}_name']}: {record[f'{name}_conversations']} conversations, "
             f"{record[f'{name}_failed']} failed" for name in ("agent", *(["baseline"] if compared else []))]
    return "; ".join([*parts, "in brackets 95 % intervals", f"* fewer than {FEW} occasions"])


def with_interval(record: Mapping[str, Any], name: str) -> str:
    value, low, high = (record[f"{name}{end}"] for end in ("", "_low", "_high"))
    if pd.isna(value) and pd.isna(low) and pd.isna(high):
        return "not reached" if record[f"{name}_n"] and name != "difference" else "–"
    unit, sign = record["unit"], "+" if name == "difference" else ""
    ends = "" if pd.isna(low) and pd.isna(high) else f" [{printed(low, unit, sign)}, {printed(high, unit, sign)}]"
    return f"{printed(value, unit, sign)}{ends}"


def printed(value: float, unit: str, sign: str = "") -> str:
    """`value` with its unit; `sign` "+" for a difference, which in shares is in percentage points."""
    if pd.isna(value):
        return "–"
    if unit == "share":
        return f"{100 * value:{sign}.0f} {'pp' if sign else '%'}"
    return f"{value:{sign}.2f} {unit}"


def colour(record: Mapping[str, Any]) -> str:
    """Green where the agent is better, red where it is worse, none where the interval does not tell."""
    low, high = record["difference_low"], record["difference_high"]
    if pd.isna(low) or pd.isna(high) or low <= 0.0 <= high:
        return ""
    if record["better"] == "human":
        is_better = abs(record["agent"] - record["human"]) < abs(record["baseline"] - record["human"])
    else:
        is_better = (record["difference"] < 0.0) == (record["better"] == "lower")
    return "green" if is_better else "red"


def zone_bar(records: Sequence[Mapping[str, Any]], name: str) -> Text:
    """The shares of natural, slow and machine-like answers as one bar."""
    shares = {record["metric"]: record[name] for record in records}
    bar = Text(f"{records[0][f'{name}_name']}: ")
    for zone, title, style in ZONES:
        share = shares.get(zone)
        if share is not None and not pd.isna(share):
            bar.append("█" * round(share * ZONE_COLUMNS), style)
            bar.append(f" {title} {100 * share:.0f} %  ")
    return bar
