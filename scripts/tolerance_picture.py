"""What an agent tolerates as a picture: heat maps of echo, curves of noise. Used by `tolerance_curve.py`.

Judges nothing and needs matplotlib (extra `plot`); where it is missing there is no picture.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from matplotlib.patches import Rectangle

LOOKS: Final = (("#D55E00", "o"), ("#0072B2", "s"), ("#009E73", "^"), ("#CC79A7", "v"))  # Okabe & Ito (2008)
MAPS: Final = (("self_stop", "answers broken off (%)", "cividis_r"), ("task_success", "tasks achieved (%)", "cividis"))
CURVES: Final = (("switch_latency", "median switch\nlatency (s)", 1.0), ("response_rate", "turns\nanswered (%)", 100.0),
                 ("pause_false_start", "pauses talked\ninto (%)", 100.0),
                 ("task_success", "tasks\nachieved (%)", 100.0))
KINDS: Final = {"white": "white noise", "babble": "babble, without words"}
LEGEND: Final = "filled: 95 % intervals\ncross: worse than clean by a\ntenth or more, beyond chance"
CLEAN_STEP: Final = 5.0  # dB beyond the best ratio, where no noise is drawn


def draw(table: pd.DataFrame, what: str, path: Path, clock: str) -> Path | None:
    """None where matplotlib is missing."""
    if find_spec("matplotlib") is None:
        return None
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    agents = list(dict.fromkeys(table["agent"]))
    if what == "echo":
        maps = [one for one in MAPS if table[one[0]].notna().any()]
        figure, grid = pyplot.subplots(len(maps), len(agents), figsize=(1.0 + 3.4 * len(agents), 3.3 * len(maps)),
                                       squeeze=False, layout="constrained")
        draw_maps(figure, grid, table, agents, maps, clock)
    else:
        figure, grid = pyplot.subplots(len(CURVES), len(KINDS), figsize=(7.2, 7.6), sharex=True, sharey="row",
                                       squeeze=False, layout="constrained")
        draw_curves(grid, table, agents, clock)
    figure.savefig(path, dpi=200)
    pyplot.close(figure)
    return path


def draw_maps(figure: "Figure", grid: np.ndarray, table: pd.DataFrame, agents: list[str],
              maps: list[tuple[str, str, str]], clock: str) -> None:
    for row, (measure, title, colours) in enumerate(maps):
        for column, agent in enumerate(agents):
            axes, ours = grid[row, column], table[table["agent"] == agent]
            shown = draw_map(axes, ours[ours["kind"] == "echo"], measure, colours)
            clean = ours.loc[ours["kind"] == "clean", measure].iloc[0]
            axes.set_title(f"{agent}\n{title}; without echo {100.0 * clean:.0f}", fontsize=9)
            if column == 0:
                axes.set_ylabel("echo, relative to the agent's voice (dB)", fontsize=8)
            if row == len(maps) - 1:
                axes.set_xlabel("delay of the echo (ms)", fontsize=8)
        figure.colorbar(shown, ax=list(grid[row]), shrink=0.8, label=title)
    figure.suptitle(f"Self-echo, {clock} clock; framed in red: the agent fails", fontsize=10)


def draw_map(axes: "Axes", echoes: pd.DataFrame, measure: str, colours: str) -> "AxesImage":
    """One square a point, with its number, framed where the agent fails."""
    wide = 100.0 * echoes.pivot(index="level", columns="delay", values=measure).sort_index()
    fails = echoes.pivot(index="level", columns="delay", values="fails").sort_index().to_numpy(bool)
    shown = axes.imshow(wide.to_numpy(float), cmap=colours, vmin=0.0, vmax=100.0, origin="lower", aspect="auto")
    for (row, column), value in np.ndenumerate(wide.to_numpy(float)):
        shade = np.mean(shown.cmap(shown.norm(value))[:3])
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8,
                  color="white" if shade < 0.5 else "black")
        if fails[row, column]:
            axes.add_patch(frame(column, row))
    axes.set_xticks(range(wide.shape[1]), [f"{delay:g}" for delay in wide.columns], fontsize=8)
    axes.set_yticks(range(wide.shape[0]), [f"{level:g}" for level in wide.index], fontsize=8)
    return shown


def frame(column: int, row: int) -> "Rectangle":
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor="#D55E00", linewidth=1.6)


def draw_curves(grid: np.ndarray, table: pd.DataFrame, agents: list[str], clock: str) -> None:
    for row, (measure, title, scale) in enumerate(CURVES):
        for column, (kind, name) in enumerate(KINDS.items()):
            axes = grid[row, column]
            for agent, (colour, marker) in zip(agents, LOOKS, strict=False):
                ours = table[(table["agent"] == agent) & table["kind"].isin(("clean", kind))]
                draw_curve(axes, ours, measure, scale, colour, marker, agent)
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(color="#999999", alpha=0.2)
            if row == 0:
                axes.set_title(name, fontsize=10)
            if column == 0:
                axes.set_ylabel(title, fontsize=9)
        grid[row, 0].set_ylim(*((-4.0, 104.0) if scale == 100.0 else (0.0, None)))  # when both are drawn: they share it
    for axes in grid[-1]:
        axes.set_xlabel(f"signal-to-noise ratio (dB), {clock} clock", fontsize=9)
    grid[1, 0].legend(frameon=False, fontsize=8, title=LEGEND, title_fontsize=7, loc="lower left")


def draw_curve(axes: "Axes", ours: pd.DataFrame, measure: str, scale: float, colour: str, marker: str,
               name: str) -> None:
    """From no noise, on the left, to the loudest."""
    ours = ours.sort_values("level", ascending=False, na_position="first")
    best = ours["level"].max() + CLEAN_STEP
    x = ours["level"].fillna(best).to_numpy(float)
    y, low, high = (scale * ours[f"{measure}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(x, y, marker=marker, markersize=4, linewidth=1.2, color=colour, label=name)
    lost = np.array([measure in str(names).split() for names in ours["lost"]])
    axes.plot(x[lost], y[lost], marker="x", markersize=9, linestyle="none", color=colour)
    axes.set_xticks(x, ["clean" if tick == best else f"{tick:g}" for tick in x], fontsize=8)
    axes.set_xlim(best + 2.0, x.min() - 1.0)
