"""Latency against false starts as a picture: the sweeps, what else was played, and the agents beside them.

Judges nothing and needs matplotlib (extra `plot`); where it is missing there is no picture.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd
from sweep import FALSE_STARTS, AtRate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe & Ito (2008)
GREY, BLACK = "#999999", "#000000"
SWEEP_LOOKS: Final = {"silence": (BLACK, "o", "cascade, fixed silence", "{} s", "left"),
                      "turn_model": (PURPLE, "s", "cascade, turn model's threshold", "{}", "right"),
                      "threshold": (BLUE, ".", "cascade, threshold, dialogue helps", "", "left")}  # points too close
NAMED: Final = {"incremental": (ORANGE, "*", 15, "incremental (full duplex)"),
                "tuned": (BLUE, "D", 8, "cascade, tuned"),
                "cascade_pipecat": (GREEN, "^", 7, "Pipecat's defaults"),
                "cascade_livekit": (GREEN, "v", 7, "LiveKit's defaults"),
                "cascade_unmute": (GREEN, "<", 7, "Unmute's defaults"),
                "cascade_speech_to_speech": (GREEN, ">", 7, "speech-to-speech's defaults")}
LEAST_PERCENT: Final = 15.0  # of the axis
APART: Final = (0.07, 2.5)  # seconds and percent, within which there is room for one number


def draw(points: pd.DataFrame, sweeps: Mapping[str, Sequence[str]], at_rate: Mapping[str, AtRate], path: Path,
         clock: str) -> Path | None:
    """None where matplotlib is missing or nothing has both a latency and false starts."""
    points = points.dropna(subset=["switch_latency", "pause_false_start"]).set_index("point")
    if find_spec("matplotlib") is None or points.empty:
        return None
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.2, 4.6), layout="constrained")
    highest = max(LEAST_PERCENT, 105.0 * points["pause_false_start"].max())
    others = points.drop([*NAMED, *(name for sweep in sweeps.values() for name in sweep)], errors="ignore")
    if len(others):
        percent = 100.0 * others["pause_false_start"]
        axes.plot(others["switch_latency"], percent, ".", color=GREY, label="cascade, other settings")
    for name, sweep in sweeps.items():
        draw_sweep(axes, name, points.reindex(list(sweep)).dropna(subset=["switch_latency"]))
    draw_rate(axes, at_rate)
    for agent, row in points.reindex(list(NAMED)).dropna(subset=["switch_latency"]).iterrows():
        draw_named(axes, str(agent), row)
    axes.set_xlabel(f"median switch latency (s), {clock} clock")
    axes.set_ylabel("pauses talked into (%)")
    axes.set_ylim(-0.05 * highest, highest)
    axes.set_xlim(left=0.0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GREY, alpha=0.2)
    axes.legend(frameon=False, fontsize=8, title="bars: 95 % intervals", title_fontsize=8, loc="upper left")
    figure.savefig(path, dpi=200)
    pyplot.close(figure)
    return path


def draw_sweep(axes: "Axes", name: str, swept: pd.DataFrame) -> None:
    """A line from the hastiest to the most patient point, with the numbers that there is room for."""
    colour, marker, title, text, side = SWEEP_LOOKS[name]
    percent = 100.0 * swept["pause_false_start"]
    axes.plot(swept["switch_latency"], percent, marker=marker, markersize=4, linewidth=1.2, color=colour, label=title)
    labelled: list[tuple[float, float]] = []
    for point, x, y in zip(map(str, swept.index), swept["switch_latency"], percent, strict=True):
        if all(abs(x - other) > APART[0] or abs(y - beside) > APART[1] for other, beside in labelled):
            axes.annotate(text.format(point.split("-")[1]), (x, y), color=colour, fontsize=7, ha=side,
                          xytext=(4, 4) if side == "left" else (-4, -9), textcoords="offset points")
            labelled.append((x, y))


def draw_rate(axes: "Axes", at_rate: Mapping[str, AtRate]) -> None:
    """Where the sweeps have as many false starts, and how sure that is."""
    if not at_rate:
        return
    axes.axhline(100.0 * FALSE_STARTS, color=GREY, linewidth=0.8, linestyle="--")
    for name, found in at_rate.items():
        if found.reached and found.value is not None and found.low is not None and found.high is not None:
            spread = [[found.value - found.low], [found.high - found.value]]
            axes.errorbar(found.value, 100.0 * FALSE_STARTS, xerr=spread, color=SWEEP_LOOKS[name][0], marker="|",
                          markersize=10, capsize=3, elinewidth=2.0, alpha=0.6)


def draw_named(axes: "Axes", name: str, row: pd.Series) -> None:
    colour, marker, size, title = NAMED[name]
    x, low, high = (row[f"switch_latency{end}"] for end in ("", "_low", "_high"))
    y, below, above = (100.0 * row[f"pause_false_start{end}"] for end in ("", "_low", "_high"))
    spread = [[max(0.0, x - low)], [max(0.0, high - x)]] if pd.notna(low) and pd.notna(high) else None
    rise = [[max(0.0, y - below)], [max(0.0, above - y)]] if name in ("incremental", "tuned") else None
    axes.errorbar(x, y, xerr=spread, yerr=rise, color=colour, marker=marker, markersize=size, elinewidth=1.2, capsize=2,
                  linestyle="none", zorder=3, label=f"{title}: {x:.2f} s")
