"""The readiness page of a run: may this agent be let at customers, each criterion's interval drawn against its bound.

It says what `eval.readiness` says; nothing is decided here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from eval.readiness import Line, Readiness, readiness
from eval.report.definitions import page_names
from eval.report.pages import filled

PAGE: Final = "readiness.html"
STYLES: Final = ("page.css", "table.css", "readiness.css")
MOST_BOUNDS: Final = 6.0  # an interval that reaches so many times the bound is cut off there, so that the bound is seen
SIGNS: Final = {"yes": "\u2713", "no": "\u2715", "open": "?"}


@dataclass(frozen=True)
class Scale:
    """The part of the axis that a criterion's picture shows."""

    low: float
    high: float

    def x(self, value: float) -> float:
        """From 0 to 100; what lies beyond is at the end."""
        return round(100.0 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low))), 2)


@dataclass(frozen=True)
class Drawn:
    """A criterion with what each system's number says, and where everything is drawn, from 0 to 100.

    Attributes:
        lines: (role, system, line) of each.
    """

    lines: tuple[tuple[str, str, Line], ...]
    scale: Scale

    @property
    def criterion(self) -> Any:
        return self.lines[0][2].criterion

    @property
    def bound(self) -> float:
        return self.scale.x(self.criterion.bound)

    def span(self, line: Line) -> tuple[float, float]:
        """Where an interval begins and how wide it is; an open end goes as far as the picture."""
        low, high = (self.scale.x(end) if math.isfinite(end) else beyond
                     for end, beyond in ((line.low, 0.0), (line.high, 100.0)))
        return low, round(high - low, 2)


def write_readiness(run_folder: Path, manifest: Mapping[str, Any], clock_words: str) -> Readiness | None:
    """Writes `readiness.html` beside the report of a run, by its first clock, and returns what it says; None, and no page,
    where no scenario of customer service was played.

    Args:
        clock_words: how that clock is named in a sentence.
    """
    table = pd.read_csv(run_folder / "table.csv")
    found = readiness(table[table["clock"] == manifest["clocks"][0]])
    page = run_folder / PAGE
    if found is None:
        page.unlink(missing_ok=True)
        return None
    page.write_text(rendered(found, manifest, clock_words), encoding="utf-8")
    return found


def rendered(found: Readiness, manifest: Mapping[str, Any], clock_words: str) -> str:
    every = drawn(found)
    return filled(
        "readiness.html", STYLES, ("theme.js",),
        manifest={"started": "", "name": "", **manifest}, clock=clock_words, verdicts=found.verdicts, systems=list(found.lines),
        parts=(("The four questions", [one for one in every if one.criterion.question]),
               ("And what callers and the desk would live with", [one for one in every if not one.criterion.question])),
        signs=SIGNS, pages=page_names())


def drawn(found: Readiness) -> list[Drawn]:
    systems = list(zip(("agent", "baseline"), found.lines, strict=False))
    return [Drawn(tuple((role, system, line) for (role, system), line in zip(systems, lines, strict=True)), scale(lines))
            for lines in zip(*found.lines.values(), strict=True)]


def scale(lines: Sequence[Line]) -> Scale:
    """From 0 to beyond the intervals where the criterion is a most, from below them to all where it is a least."""
    criterion = lines[0].criterion
    told = [line for line in lines if not line.is_few and math.isfinite(line.value)]
    ends = [end for line in told for end in (line.low, line.value, line.high) if math.isfinite(end)]
    if criterion.is_most:
        widest = max([MOST_BOUNDS * criterion.bound, *(2.0 * line.value for line in told)])
        reach = criterion.bound * math.ceil(min(max([2.0 * criterion.bound, *ends]), widest) / criterion.bound - 1e-9)
        return Scale(0.0, min(1.0, reach) if criterion.unit == "share" else reach)
    if criterion.unit == "share":
        return Scale(max(0.0, math.floor(10.0 * min([2.0 * criterion.bound - 1.0, *ends]) + 1e-9) / 10.0), 1.0)
    return Scale(0.0, max([2.0 * criterion.bound, *ends]))
