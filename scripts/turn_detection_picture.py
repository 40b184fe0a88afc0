"""Turn detectors' curves as a picture: latency against pauses taken for the end. Used by `turn_detection_curve.py`.

Judges nothing and needs matplotlib (extra `plot`); where it is missing there is no picture.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito (2008); each with a marker of its own too
LOOKS: Final = {"silence": ("#000000", "o", "a fixed silence"),
                "silero": ("#56B4E9", "v", "Silero's silence, Pipecat's threshold"),
                "turn_model": ("#CC79A7", "s", "words alone (n-gram turn model)"),
                "two_stage": ("#0072B2", "D", "words and dialogue, two stages"),
                "completion": ("#009E73", "^", "completion (incremental agent's)"),
                "smart_turn": ("#E69F00", "P", "Smart Turn v3.2 (synthetic voices: near chance)"),
                "chat": ("#D55E00", "X", "a language model")}
AGENT: Final = "#444444"
GREY: Final = "#999999"
PANELS: Final = (("latency", "median"), ("p95", "95th percentile"))


def draw(table: pd.DataFrame, path: Path, clock: str) -> Path | None:
    """None where matplotlib is missing or nothing has both a latency and pauses."""
    table = table.dropna(subset=["latency", "cut"])
    if find_spec("matplotlib") is None or table.empty:
        return None
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(9.6, 5.4), sharey=True, layout="constrained", facecolor="white")
    for axes, (measure, title) in zip(panels, PANELS, strict=True):
        draw_panel(axes, table.dropna(subset=[measure]), measure)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("true end of the turn to its being called over (s)")
    panels[0].set_ylabel("pauses inside turns taken for the end (%)")
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, fontsize=8, ncols=3, loc="outside lower center")
    figure.suptitle(f"Turn detectors on the same phrases, {clock} clock; upper end of a curve: its hastiest setting", fontsize=10)
    figure.savefig(path, dpi=200)
    pyplot.close(figure)
    return path


def draw_panel(axes: "Axes", table: pd.DataFrame, measure: str) -> None:
    for name, (colour, marker, title) in LOOKS.items():
        swept = table[table["detector"] == name]
        if len(swept):
            axes.plot(swept[measure], 100.0 * swept["cut"], color=colour, marker=marker, markersize=5, linewidth=1.3, label=title)
    for number, (_, row) in enumerate(table[~table["detector"].isin(LOOKS)].iterrows()):
        axes.errorbar(row[measure], 100.0 * row["cut"], xerr=bar(row, measure, 1.0), yerr=bar(row, "cut", 100.0), color=AGENT,
                      marker="*<>hd"[number % 5], markersize=10, markerfacecolor="white", capsize=2, elinewidth=0.8,
                      linestyle="none", zorder=3, label=f"agent: {row['detector']}, {row['setting']}")
    axes.set_xlim(left=0.0)
    axes.set_ylim(-3.0, 103.0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=GREY, alpha=0.2)


def bar(row: "pd.Series[float]", measure: str, scale: float) -> np.ndarray:
    """How far the interval's ends lie from the number, (2, 1); 0 for one that is open."""
    ends = np.array([[row[measure] - row[f"{measure}_low"]], [row[f"{measure}_high"] - row[measure]]], float)
    return np.nan_to_num(scale * np.maximum(ends, 0.0))
