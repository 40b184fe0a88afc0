"""Operating points of an agent: which are worth having, as a table and as a picture; used by `endpointing_curve.py`.

    python scripts/operating_points.py runs/endpointing_curve/points.csv

Draws and judges the points again; it plays nothing. Prints a table and a last line of JSON.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from curve_picture import draw
from rich.console import Console
from rich.table import Table
from sweep import FALSE_STARTS, AtRate, as_list, gain_at, latency_at

from eval.observations import read_observations

PRESETS: Final = ("cascade_pipecat", "cascade_livekit", "cascade_unmute", "cascade_speech_to_speech")
REFERENCE, TUNED = "incremental", "tuned"
SILENCES: Final = tuple(f"silence-{round(0.1 * tenth, 1)}" for tenth in range(2, 13))
THRESHOLDS: Final = tuple(f"two_stage-{threshold}-0.24-0.8"
                          for threshold in (0.005, 0.015, 0.02, 0.03, 0.06, 0.12, 0.2, 0.36, 0.45, 0.6))
TURN_MODELS: Final = tuple(f"turn_model-{threshold}-0.24-1.2"
                           for threshold in (0.012, 0.018, 0.025, 0.038, 0.06, 0.12, 0.25, 0.45))
SWEEPS: Final = {"silence": SILENCES, "turn_model": TURN_MODELS, "threshold": THRESHOLDS}  # from hasty to patient
SHOWN: Final = (("switch_latency", "latency", "s"), ("switch_latency_p95", "p95", "s"),
                ("pause_false_start", "false starts", "%"), ("response_rate", "answered", "%"),
                ("task_success", "tasks", "%"), ("prepared_in_vain", "in vain", ""), ("stop_latency", "stop", "s"),
                ("yield_rate", "yields", "%"), ("recovery_rate", "recovers", "%"),
                ("backchannel_continue", "goes on", "%"), ("cough_continue", "cough", "%"))
SAME_SECONDS: Final = 0.02  # two steps of the segmentation
ROUNDING: Final = 1e-9
NO_WORSE: Final = ("response_rate", "task_success")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", type=Path)
    parser.add_argument("--clock", default="cloud_typical")
    options = parser.parse_args()
    points = pd.read_csv(options.points)
    observed = read_observations(options.points.with_name("observations.parquet"))
    picture = options.points.with_name("curve.png")
    print(json.dumps(report(points, observed, options.clock, picture, Console())))


def report(points: pd.DataFrame, observed: pd.DataFrame, clock: str, path: Path, console: Console) -> dict[str, Any]:
    """Prints the table, draws the picture, and says what was found."""
    show(points, clock, console)
    played = {name: sweep for name, sweep in SWEEPS.items() if set(sweep) <= set(points["point"])}
    at_rate = {name: latency_at(observed, sweep) for name, sweep in played.items()}
    gains = {name: gain_at(observed, sweep, REFERENCE) for name, sweep in played.items()
             if REFERENCE in set(points["point"])}
    for name, found in at_rate.items():
        console.print(f"{name}: {sentence(found, gains.get(name))}")
    picture = draw(points, played, at_rate, path, clock)
    return {"points": len(points), "frontier": sorted(points["point"][points["frontier"]]), "best": best(points),
            "closest_rival": closest(points), "false_starts": FALSE_STARTS,
            "latency_at_false_starts": {name: as_list(found) for name, found in at_rate.items()},
            "gain_at_false_starts": {name: as_list(found) for name, found in gains.items()},
            "picture": picture and str(picture)}


def sentence(found: AtRate, gain: AtRate | None) -> str:
    """The latency of a sweep at so many false starts, in words."""
    if found.value is None:
        return f"no point has as few as {FALSE_STARTS:.0%} false starts"
    most = "" if found.reached else "at most "
    text = f"{most}{found.value:.2f} s {ends(found)} at {FALSE_STARTS:.0%} false starts"
    return text if gain is None or gain.value is None else (
        f"{text}; the {REFERENCE} agent answers {gain.value:.2f} s {ends(gain)} sooner")


def ends(found: AtRate) -> str:
    low, high = ("open" if end is None else f"{end:.2f}" for end in (found.low, found.high))
    return f"\\[{low}, {high}]"


def cascades(points: pd.DataFrame) -> pd.DataFrame:
    return points[points["point"] != REFERENCE]


def with_frontier(points: pd.DataFrame) -> pd.DataFrame:
    """Marks the cascade's points of which no other is as good in latency and false starts, and better in one."""
    rivals = cascades(points)
    frontier = set(rivals["point"][is_frontier(rivals)])
    return points.assign(frontier=points["point"].isin(frontier))


def is_frontier(points: pd.DataFrame) -> list[bool]:
    pairs = points[["switch_latency", "pause_false_start"]].to_numpy(float)
    return [bool(not np.isnan(pair).any() and not ((pairs <= pair).all(axis=1) & (pairs < pair).any(axis=1)).any())
            for pair in pairs]


def best(points: pd.DataFrame) -> dict[str, Any] | None:
    """The cascade's soonest answers among points that nothing says are worse in false starts, tasks or response.

    Nothing says so when the point's interval meets that of the best value of all. Of medians within 20 ms of the
    soonest the one with the fewest false starts is taken, then that of the lowest 95th percentile.
    """
    rivals = cascades(points)
    starts, fewest = rivals["pause_false_start"], rivals["pause_false_start"].min()
    sound = rivals["pause_false_start_low"].fillna(1.0) <= rivals["pause_false_start_high"][starts == fewest].min()
    for measure in NO_WORSE:
        if rivals[measure].notna().any():  # else no scenario asks for it
            most = rivals[f"{measure}_low"][rivals[measure] == rivals[measure].max()].max()
            sound &= rivals[f"{measure}_high"].fillna(0.0) >= most
    rivals = rivals[sound]
    rivals = rivals[rivals["switch_latency"] <= rivals["switch_latency"].min() + SAME_SECONDS + ROUNDING]
    ranked = rivals.sort_values(["pause_false_start", "switch_latency_p95", "switch_latency", "prepared_in_vain"])
    return None if ranked.empty else record(ranked.iloc[0], "")


def closest(points: pd.DataFrame) -> dict[str, Any] | None:
    """The cascade point with no more false starts than the incremental agent to which it gains least, and the gain."""
    reference = points.loc[points["point"] == REFERENCE, "pause_false_start"]
    if reference.empty or "switch_latency_gain" not in points:
        return None
    rivals = cascades(points)
    rivals = rivals[rivals["pause_false_start"] <= reference.iloc[0] + ROUNDING]
    ranked = rivals.sort_values("switch_latency_gain", ascending=False)
    return None if ranked.empty else {**record(ranked.iloc[0], "_gain"), "of": len(ranked),
                                      "highest_bound": round(float(ranked["switch_latency_gain_high"].max()), 3)}


def record(row: pd.Series, kind: str) -> dict[str, Any]:
    measures = ("switch_latency", "switch_latency_p95", "pause_false_start", *NO_WORSE)
    return {"point": row["point"], **{
        f"{measure}{kind}": [None if pd.isna(row[key]) else round(float(row[key]), 3) for key in (
            f"{measure}{kind}", f"{measure}{kind}_low", f"{measure}{kind}_high")] for measure in measures}}


def show(points: pd.DataFrame, clock: str, console: Console) -> None:
    """Points by latency, the frontier with a star; columns that nobody has a value for are left out."""
    columns = [column for column in SHOWN if points[column[0]].notna().any()]
    table = Table(title=f"operating points, {clock} clock; * nobody is sooner with as few false starts; "
                        "[] 95 % interval", title_justify="left")
    table.add_column("point", no_wrap=True)
    for _, title, _ in columns:
        table.add_column(title, justify="right", no_wrap=True)
    for _, row in points.sort_values("switch_latency").iterrows():
        style = "bold green" if row["point"] == REFERENCE else "bold" if row["frontier"] else ""
        table.add_row(f"{row['point']}{' *' if row['frontier'] else ''}",
                      *(number(row, measure, unit) for measure, _, unit in columns), style=style)
    if not console.is_terminal:
        console = Console(width=max(console.width, 200))
    console.print(table)


def number(row: pd.Series, measure: str, unit: str) -> str:
    value, low, high = (row[key] for key in (measure, f"{measure}_low", f"{measure}_high"))
    if pd.isna(value):
        return "–"
    if unit == "%":
        bounds = "" if pd.isna(low) or low == high else f" [{100 * low:.0f} {100 * high:.0f}]"
        return f"{100 * value:.0f}{bounds}"
    bounds = "" if pd.isna(low) or measure != "switch_latency" else f" [{low:.2f} {high:.2f}]"
    return f"{value:.2f}{bounds}"


if __name__ == "__main__":
    main()
