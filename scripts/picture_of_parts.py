"""The parts of each system's latency as stacked bars, with its zones. Used by `practitioners_picture.py`.

Judges nothing and needs matplotlib (extra `plot`); where it is missing there is no picture.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from eval.metrics.switch import MACHINE_SECONDS, NATURAL_SECONDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS: Final = {  # Okabe & Ito (2008), and greys for what is nobody's work
    "endpointing": ("#0072B2", "endpointing"), "line": ("#CC79A7", "caller's line"), "transport": ("#D55E00", "transport"),
    "stt_final": ("#56B4E9", "recognition"), "llm": ("#009E73", "language"), "tts": ("#F0E442", "synthesis"),
    "speech_reply": ("#E69F00", "speech model"), "frame": ("#999999", "frames"), "lead": ("#CCCCCC", "silence first"),
    "unexplained": ("#000000", "unexplained")}
SMALLEST: Final = 0.055  # seconds of a part that has room for its number
MEDIAN: Final = "median, 95 % interval"
ZONES: Final = (("zone_natural", "#009E73"), ("zone_slow", "#F0E442"), ("zone_machine", "#D55E00"))


def draw(table: pd.DataFrame, parts: Sequence[str], path: Path, title: str) -> Path | None:
    """None where matplotlib is missing or nobody logged any parts."""
    if find_spec("matplotlib") is None or table["part_endpointing"].isna().all():
        return None
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (axes, beside) = pyplot.subplots(
        1, 2, figsize=(10.0, 1.6 + 0.5 * len(table)), width_ratios=(4, 1), sharey=True, layout="constrained")
    for place, (_, row) in enumerate(table.iterrows()):
        draw_bar(axes, place, row, parts)
        draw_zones(beside, place, row)
    finish(axes, beside, table, title)
    figure.savefig(path, dpi=200)
    pyplot.close(figure)
    return path


def draw_bar(axes: "Axes", place: int, row: pd.Series, parts: Sequence[str]) -> None:
    """Parts above zero to the right, those below to the left; the median with its interval on top."""
    right, left = 0.0, 0.0
    for part in parts:
        seconds, (colour, name) = float(row[f"part_{part}"]), LOOKS[part]
        if pd.isna(seconds) or abs(seconds) < 0.0005:
            continue
        start = right if seconds > 0.0 else left
        axes.barh(place, seconds, left=start, color=colour, height=0.62, label=name, edgecolor="white", linewidth=0.5)
        if seconds >= SMALLEST:
            dark = colour in ("#0072B2", "#000000", "#009E73", "#D55E00")
            axes.text(start + seconds / 2.0, place, f"{seconds:.2f}", ha="center", va="center", fontsize=7,
                      color="white" if dark else "black")
        right, left = right + max(seconds, 0.0), left + min(seconds, 0.0)
    low, high, value = (row[f"switch_latency{end}"] for end in ("_low", "_high", ""))
    if not pd.isna(value):
        ends = [[0.0 if pd.isna(low) else value - low], [0.0 if pd.isna(high) else high - value]]
        axes.errorbar(value, place + 0.4, xerr=ends, fmt="D", color="black", markersize=4, capsize=2, linewidth=1.0,
                      label=MEDIAN)


def draw_zones(axes: "Axes", place: int, row: pd.Series) -> None:
    start = 0.0
    for zone, colour in ZONES:
        percent = 100.0 * float(row[zone])
        axes.barh(place, percent, left=start, color=colour, height=0.62, alpha=0.8)
        if percent >= 12.0:
            axes.text(start + percent / 2.0, place, f"{percent:.0f}", ha="center", va="center", fontsize=7)
        start += percent


def finish(axes: "Axes", beside: "Axes", table: pd.DataFrame, title: str) -> None:
    for seconds in (NATURAL_SECONDS, MACHINE_SECONDS):
        axes.axvline(seconds, color="#666666", linestyle="--", linewidth=0.8)
    axes.set_yticks(range(len(table)), list(table["title"]))
    axes.invert_yaxis()
    axes.set_xlabel(f"seconds: {title}", fontsize=8)
    beside.set_xlabel("answers (%) below 0.8 s,\nbelow 1.5 s, later", fontsize=8)
    beside.set_xlim(0.0, 100.0)
    for one in (axes, beside):
        one.spines[["top", "right"]].set_visible(False)
        one.tick_params(labelsize=8)
    drawn = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    names = [*(name for _, name in LOOKS.values() if name in drawn), MEDIAN]
    axes.figure.legend([drawn[name] for name in names], names, frameon=False, fontsize=7, ncols=6, loc="outside upper center")
