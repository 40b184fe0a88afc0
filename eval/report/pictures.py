"""What the pictures of the report page show: dots from the observations, means and intervals from the table.

How they are drawn is decided in `html/`. No statistic is computed here but the distance to people.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from duplex.frame import FRAME_SECONDS
from eval.report.numbers import shown, uncapitalised
from eval.report.table import MAIN_METRIC, Row, Value
from eval.scores import FEW
from eval.statistics.human_distance import Closeness, closeness

ROLES: Final = ("agent", "baseline")
CONTEXT_FRAMES: Final = 3_000  # what Moshi and PersonaPlex remember, 240 s
DRIFT: Final = "switch_latency_drift"
PART: Final = "part_"  # of a latency; see `eval.metrics.stages`
SHOWN_ALWAYS: Final = frozenset(("part_endpointing", "part_unexplained"))  # the others where somebody spends time on them
POSSESSIVE: Final = "\u2019s"


def identity(folder: str) -> str:
    """clock/system/scenario-seed: where a conversation lies below `conversations/`, whatever stands before it."""
    return "/".join(folder.split("/")[-3:])


def systems(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(role, name) of those that were compared."""
    return [(role, manifest[role]) for role in ROLES if manifest.get(role)]


def latencies(clock: str, manifest: Mapping[str, Any], table: Sequence[Row], observations: pd.DataFrame) -> dict[str, Any]:
    """The dots of the latency pictures on one clock, and the medians with their intervals as the table has them."""
    of_metric = observations[(observations["clock"] == clock) & (observations["metric"] == MAIN_METRIC)]
    row = row_of(table, clock, MAIN_METRIC)
    found = []
    for role, name in systems(manifest):
        mine = of_metric[of_metric["system"] == name]
        answered = mine[~mine["censored"].astype(bool)]
        value: Value | None = getattr(row, role) if row else None
        found.append({
            "name": name, "role": role,
            "dots": [[round(float(seconds), 3), identity(conversation), round(float(start), 2)]
                     for seconds, conversation, start
                     in zip(answered["value"], answered["conversation"], answered["start"], strict=True)],
            "n": value.count if value else "0", "unanswered": len(mine) - len(answered),
            "median": None if value is None or value.is_few or not value.exists else [value.value, value.low, value.high],
        })
    return {"title": row.title if row else "Switch latency", "systems": found}


def row_of(table: Sequence[Row], clock: str, metric: str) -> Row | None:
    return next((row for row in table if row.clock == clock and row.metric == metric), None)


@dataclass(frozen=True)
class Likeness:
    """How far a system's floor transfers lie from people's.

    Attributes:
        found: None below ten of them.
        most: end of the scale that it is drawn on, seconds.
    """

    role: str
    system: str
    n: int
    found: Closeness | None
    most: float = 1.0

    @property
    def sentence(self) -> str:
        if self.found is None:
            return f"n/a, of {self.n} floor transfers where {FEW} are needed"
        excess = self.found.distance - self.found.null_mean
        if excess <= 0.0:
            return "closer to people than chance"
        amount = f"{shown(excess, 's')} further from people than chance"
        return amount if self.found.distance > self.found.null_p95 else f"{amount}, which chance does 1 time in {self.odds}"

    @property
    def odds(self) -> int:
        assert self.found is not None
        return max(1, round(1.0 / self.found.share_as_far))

    def x(self, seconds: float) -> float:
        """Percent of the scale."""
        return round(100.0 * seconds / self.most, 2)


def likenesses(clock: str, manifest: Mapping[str, Any], observations: pd.DataFrame) -> list[Likeness]:
    """The distance of each system's floor transfers to people's, beside what chance does to as many."""
    of_metric = observations[(observations["clock"] == clock) & (observations["metric"] == "floor_transfer")]
    found = []
    for role, name in systems(manifest):
        offsets = of_metric.loc[of_metric["system"] == name, "value"].to_numpy(float)
        found.append(Likeness(role, name, len(offsets), closeness(offsets) if len(offsets) >= FEW else None))
    reached = [seconds for one in found if one.found for seconds in (one.found.distance, one.found.null_p95)]
    most = math.ceil(10.0 * max(reached, default=1.0) * 1.05) / 10.0
    return [Likeness(one.role, one.system, one.n, one.found, most) for one in found]


@dataclass(frozen=True)
class Wrap:
    """When a model's context is full and what it heard first is forgotten.

    Attributes:
        whose: of which system the setting is; "" for the usual one.
    """

    frames: int
    whose: str = ""

    @property
    def seconds(self) -> float:
        return self.frames * FRAME_SECONDS

    @property
    def words(self) -> str:
        return f"{self.whose + POSSESSIVE if self.whose else 'a'} context of {self.frames:,} frames wraps"


def wraps(manifest: Mapping[str, Any]) -> list[Wrap]:
    """Of each system whose configuration sets a context; of the family's usual one where none does."""
    configs = manifest.get("config", {})
    set_here = [Wrap(int(configs[role]["context"]), name) for role, name in systems(manifest)
                if isinstance(configs.get(role), Mapping) and configs[role].get("context")]
    return set_here or [Wrap(CONTEXT_FRAMES)]


def drifts(clock: str, manifest: Mapping[str, Any], table: Sequence[Row]) -> list[tuple[str, str, Value]]:
    """(role, system, seconds that a latency gains with every minute of a conversation)."""
    row = row_of(table, clock, DRIFT)
    return [] if row is None else [(role, name, getattr(row, role)) for role, name in systems(manifest)]


@dataclass(frozen=True)
class Part:
    """A stretch of a stacked bar.

    Attributes:
        title: of the stage.
        left, width: percent of the bar's scale.
    """

    name: str
    title: str
    value: Value
    left: float
    width: float


@dataclass(frozen=True)
class Stack:
    """The mean parts of a system's latency, beside each other.

    Attributes:
        n: answers that they were logged for.
        total: seconds; their sum, which is the mean latency of those answers.
        zero: where 0 s lies, percent.
    """

    role: str
    system: str
    parts: tuple[Part, ...]
    n: int
    total: float
    zero: float

    @property
    def is_few(self) -> bool:
        """Whether too few answers were logged to draw a mean."""
        return any(part.value.is_few for part in self.parts)


def stacks(clock: str, manifest: Mapping[str, Any], table: Sequence[Row]) -> list[Stack]:
    """A bar for each system that logs where its time goes; what comes before zero is stacked to the left of it."""
    of_clock = [row for row in table if row.clock == clock and row.metric.startswith(PART)]
    logged = [(role, name, [(row, getattr(row, role)) for row in of_clock if getattr(row, role).exists])
              for role, name in systems(manifest)]
    used = {row.metric for *_, parts in logged for row, value in parts if value.value} | SHOWN_ALWAYS
    logged = [(role, name, [(row, value) for row, value in parts if row.metric in used]) for role, name, parts in logged if parts]
    before = max((sum(-value.value for _, value in parts if value.value < 0.0) for *_, parts in logged), default=0.0)
    after = max((sum(value.value for _, value in parts if value.value > 0.0) for *_, parts in logged), default=1.0)
    scale = 100.0 / ((before + after) or 1.0)
    return [Stack(role, name, tuple(stacked(parts, before, scale)), min(value.n for _, value in parts),
                  sum(value.value for _, value in parts), round(before * scale, 2)) for role, name, parts in logged]


def stacked(parts: Sequence[tuple[Row, Value]], before: float, scale: float) -> list[Part]:
    ends, found = [before, before], []  # of what is stacked to the left and to the right
    for row, value in parts:
        is_positive = value.value >= 0.0
        start = ends[is_positive] if is_positive else ends[0] + value.value
        ends[is_positive] += value.value
        found.append(Part(row.metric, uncapitalised(row.title.partition(": ")[2] or row.title), value,
                          round(start * scale, 2), round(abs(value.value) * scale, 2)))
    return found
