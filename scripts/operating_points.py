"""Operating points of an agent: which are worth having, as a table and as a picture; used by `endpointing_curve.py`.

    python scripts/operating_points.py runs/endpointing_curve/points.csv

Draws and judges the points again; it plays nothing. Prints a table and a last line of JSON.
"""

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

PRESETS: Final = ("cascade_pipecat", "cascade_livekit", "cascade_unmute", "cascade_speech_to_speech")
SHOWN: Final = (("switch_latency", "latency", "s"), ("switch_latency_p95", "p95", "s"),
                ("pause_false_start", "false starts", "%"), ("response_rate", "answered", "%"),
                ("task_success", "tasks", "%"), ("prepared_in_vain", "in vain", ""), ("stop_latency", "stop", "s"),
                ("yield_rate", "yields", "%"), ("recovery_rate", "recovers", "%"),
                ("backchannel_continue", "goes on", "%"), ("cough_continue", "cough", "%"))
SAME_SECONDS: Final = 0.02  # two steps of the segmentation
ROUNDING: Final = 1e-9
NO_WORSE: Final = ("response_rate", "task_success")
BLUE, ORANGE, GREEN, GREY, BLACK = "#0072B2", "#D55E00", "#009E73", "#999999", "#000000"  # Okabe & Ito (2008)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", type=Path)
    parser.add_argument("--clock", default="cloud_typical")
    options = parser.parse_args()
    points = pd.read_csv(options.points)
    show(points, options.clock, Console())
    picture = draw(points, options.points.with_name("curve.png"), options.clock)
    print(json.dumps({"best": best(points), "closest_rival": closest(points), "picture": picture and str(picture)}))


def cascades(points: pd.DataFrame) -> pd.DataFrame:
    return points[points["point"] != "incremental"]


def is_frontier(points: pd.DataFrame) -> list[bool]:
    """Whether no other point is at least as good in latency and false starts, and better in one."""
    pairs = points[["switch_latency", "pause_false_start"]].to_numpy(float)
    return [bool(not np.isnan(pair).any() and not ((pairs <= pair).all(axis=1) & (pairs < pair).any(axis=1)).any())
            for pair in pairs]


def best(points: pd.DataFrame) -> dict[str, Any] | None:
    """The cascade's soonest answers among points that nothing says are worse in false starts, tasks or response.

    Nothing says so when the point's interval reaches the best value of all. Of medians within 20 ms of the soonest the
    one with the fewest false starts is taken, then that of the lowest 95th percentile.
    """
    rivals = cascades(points)
    sound = rivals["pause_false_start_low"].fillna(1.0) <= rivals["pause_false_start"].min() + ROUNDING
    for measure in NO_WORSE:
        sound &= rivals[f"{measure}_high"].fillna(0.0) >= rivals[measure].max() - ROUNDING
    rivals = rivals[sound]
    rivals = rivals[rivals["switch_latency"] <= rivals["switch_latency"].min() + SAME_SECONDS + ROUNDING]
    ranked = rivals.sort_values(["pause_false_start", "switch_latency_p95", "switch_latency", "prepared_in_vain"])
    return None if ranked.empty else record(ranked.iloc[0], "")


def closest(points: pd.DataFrame) -> dict[str, Any] | None:
    """The cascade point with no more false starts than the incremental agent to which it gains least, and the gain."""
    reference = points.loc[points["point"] == "incremental", "pause_false_start"]
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
        style = "bold green" if row["point"] == "incremental" else "bold" if row["frontier"] else ""
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
        ends = "" if pd.isna(low) or low == high else f" [{100 * low:.0f} {100 * high:.0f}]"
        return f"{100 * value:.0f}{ends}"
    ends = "" if pd.isna(low) or measure != "switch_latency" else f" [{low:.2f} {high:.2f}]"
    return f"{value:.2f}{ends}"


def draw(points: pd.DataFrame, path: Path, clock: str) -> Path | None:
    """Latency against false starts; None where matplotlib is missing or nothing has both."""
    points = points.dropna(subset=["switch_latency", "pause_false_start"])
    if find_spec("matplotlib") is None or points.empty:
        return None
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8.0, 5.2), layout="constrained")
    named = {"tuned": (BLUE, "D", "tuned cascade"), "incremental": (ORANGE, "*", "incremental agent")}
    kinds = (("silence", GREY, "o", "fixed silence"), ("two_stage", BLUE, ".", "two-stage"),
             ("parts", GREEN, "x", "preparation, final text"), ("barge_in", GREEN, "+", "barge-in"))
    for kind, colour, marker, title in kinds:
        some = points[points["point"].str.startswith(f"{kind}-")].sort_values("switch_latency")
        if len(some):
            axes.plot(some["switch_latency"], 100 * some["pause_false_start"], marker, color=colour, label=title,
                      linestyle=":" if kind == "silence" else "none", linewidth=1)
    frontier = points[points["frontier"]].sort_values("switch_latency")
    axes.step(frontier["switch_latency"], 100 * frontier["pause_false_start"], where="post", color=BLACK, linewidth=0.8,
              label="the cascade's frontier")
    labelled = points[points["point"].isin([*named, *PRESETS])].sort_values("switch_latency")
    highest = max(10.0, 100 * points["pause_false_start"].max())
    for index, (_, row) in enumerate(labelled.iterrows()):
        colour, marker, title = named.get(row["point"], (BLACK, "s", row["point"].removeprefix("cascade_")))
        x, y = row["switch_latency"], 100 * row["pause_false_start"]
        spread = [[max(0.0, x - row["switch_latency_low"])], [max(0.0, row["switch_latency_high"] - x)]]
        rise = [[max(0.0, y - 100 * row["pause_false_start_low"])], [max(0.0, 100 * row["pause_false_start_high"] - y)]]
        axes.errorbar(x, y, xerr=spread, yerr=rise if row["point"] in named else None, ecolor=f"{colour}80",
                      color=colour, marker=marker, markersize=11 if marker == "*" else 7, elinewidth=1.5, zorder=3)
        axes.annotate(f"{title.replace('_', '-')} {x:.2f} s", (x, y), color=colour, fontsize=9, zorder=4,
                      xytext=(x + 0.06, highest * (0.44 - 0.055 * (index % 5))),
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.8},
                      arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "relpos": (0.0, 0.0)})
    axes.set_xlabel(f"median switch latency, s ({clock} clock; bars: 95 % intervals)")
    axes.set_ylabel("pauses talked into, %")
    axes.set_ylim(bottom=-2.0)
    axes.set_xlim(0.0, points["switch_latency"].max() + 0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=160)
    return path


if __name__ == "__main__":
    main()
