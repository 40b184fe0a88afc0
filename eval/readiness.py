"""Whether an agent is ready for customers: each criterion answered by its interval, and a verdict with its reasons.

Which criteria there are, and why, stands in `configs/readiness.yaml`; what was measured, in the table of a run. Nothing is
measured here, and nothing drawn.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import pandas as pd
import yaml

from duplex.manifest import CHECKOUT
from eval.metrics.catalogue import BY_NAME
from eval.report.numbers import bare, joined, number, shown, uncapitalised
from eval.scores import FEW, is_few
from eval.statistics.proportions import wilson

CRITERIA: Final = CHECKOUT / "configs" / "readiness.yaml"
KEYS: Final = {"metric", "question", "most", "least", "why", "suite"}
ROLES: Final = ("agent", "baseline")
OF_SERVICE: Final = ("policy_invented", "jailbreak_obeyed", "path_top_five")  # only scenarios of customer service have them
MOST_CALLS: Final = 100_000  # beyond, a value is too close to its bound to be told from it

Answer: TypeAlias = Literal["yes", "no", "open"]
Word: TypeAlias = Literal["ship", "do not ship", "not known yet"]


@dataclass(frozen=True)
class Criterion:
    """What must be true of a metric.

    Attributes:
        metric: its name.
        bound: the most or the least it may be, itself included.
        is_most: which of the two.
        why: a sentence.
        suite: the scenarios that give it occasions.
        question: that it answers, if it is one of the four; "" for the others.
    """

    metric: str
    bound: float
    is_most: bool
    why: str
    suite: str
    question: str = ""

    @property
    def title(self) -> str:
        return BY_NAME[self.metric].title

    @property
    def unit(self) -> str:
        return BY_NAME[self.metric].unit

    @property
    def words(self) -> str:
        return f"{'at most' if self.is_most else 'at least'} {shown(self.bound, self.unit)}"

    def is_met(self, value: float) -> bool:
        return value <= self.bound if self.is_most else value >= self.bound


@dataclass(frozen=True)
class Line:
    """What a system's number says about a criterion.

    Attributes:
        value: NaN without one, as low and high where the interval is open or there is none.
        n: occasions.
        num_calls: that had one.
        num_conversations: of the system in the run.
    """

    criterion: Criterion
    value: float
    low: float
    high: float
    n: int
    num_calls: int
    num_conversations: int

    @property
    def answer(self) -> Answer:
        """ "yes" where the whole interval is on the right side of the bound, "no" where it is on the wrong one, else "open"."""
        if self.is_few or not math.isfinite(self.value):
            return "open"
        ends = [self.criterion.is_met(end) for end in (self.low, self.high) if math.isfinite(end)]
        if len(ends) == 2 and all(ends):
            return "yes"
        return "no" if not any(ends) and math.isfinite(self.low if self.criterion.is_most else self.high) else "open"

    @property
    def is_few(self) -> bool:
        return self.n == 0 or is_few(self.n, self.num_conversations)

    @property
    def more_calls(self) -> int | None:
        """About how many more calls with an occasion would close an open line, if its value stays; None where that cannot be
        said. An interval narrows as one of so many times the calls would: Wilson's of a rate, others with their root."""
        if self.is_few or not math.isfinite(self.value) or not self.num_calls:
            return None
        end = self.high if self.value <= self.criterion.bound else self.low
        if not math.isfinite(end) or self.value == self.criterion.bound:
            return None
        is_rate = BY_NAME[self.criterion.metric].statistic == "rate"
        times = times_of_a_rate(self) if is_rate else ((end - self.value) / (self.criterion.bound - self.value)) ** 2
        more = (times - 1.0) * self.num_calls
        return two_digits(more) if more < MOST_CALLS else None

    @property
    def needs(self) -> str:
        """What would close an open line."""
        if not self.n:
            return f"never tried: play the suite {self.criterion.suite}"
        if self.is_few:
            return f"{self.n} of the {FEW} occasions that a number takes"
        more = self.more_calls
        return "too close to the bound" if more is None else f"about {more:,} more calls"

    @property
    def interval(self) -> str:
        ends = (bare(self.low, self.criterion.unit), bare(self.high, self.criterion.unit))
        return "" if not math.isfinite(self.low) and not math.isfinite(self.high) else f"{ends[0]} to {ends[1]}"


@dataclass(frozen=True)
class Verdict:
    """What the lines of a system come to.

    Attributes:
        reasons: sentences without their full stops; the first says it all, the others why.
    """

    system: str
    word: Word
    reasons: tuple[str, ...]

    @property
    def sentence(self) -> str:
        return f"{self.system}: {self.word}. {'. '.join(self.reasons)}."


@dataclass(frozen=True)
class Readiness:
    """A run's lines on one clock, by system, in the order of the criteria."""

    clock: str
    lines: Mapping[str, tuple[Line, ...]]

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return tuple(verdict(system, lines) for system, lines in self.lines.items())


def readiness(table: pd.DataFrame, asked: Sequence[Criterion] | None = None) -> Readiness | None:
    """What a table of one clock says; None where no scenario of customer service was played.

    Args:
        asked: None for those of the checkout.
    """
    rows = {str(record["metric"]): record for record in table.to_dict("records")}
    first = next(iter(rows.values()))
    systems = {role: str(first[f"{role}_name"]) for role in ROLES if first[f"{role}_conversations"]}
    if not any(rows[name][f"{role}_n"] for name in OF_SERVICE if name in rows for role in systems):
        return None
    wanted = criteria() if asked is None else asked
    return Readiness(str(first["clock"]), {
        system: tuple(line(one, rows[one.metric], role) for one in wanted) for role, system in systems.items()})


def line(criterion: Criterion, row: Mapping[Any, Any], role: str) -> Line:
    value, low, high = (number(row[f"{role}{end}"]) for end in ("", "_low", "_high"))
    return Line(criterion, value, low, high, int(row[f"{role}_n"]), int(row[f"{role}_n_conversations"]),
                int(row[f"{role}_conversations"]))


@lru_cache
def criteria(path: Path = CRITERIA) -> tuple[Criterion, ...]:
    """The criteria of a file.

    Raises:
        ValueError: one names no metric, or not one bound.
    """
    return tuple(criterion(given, f"{path.name}, criterion {place}") for place, given in enumerate(
        yaml.safe_load(path.read_text(encoding="utf-8"))["criteria"], 1))


def criterion(given: Mapping[str, Any], where: str) -> Criterion:
    if unknown := set(given) - KEYS:
        raise ValueError(f"{where}: unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(KEYS))}")
    if given.get("metric") not in BY_NAME:
        raise ValueError(f"{where}: no metric {given.get('metric')!r}; `eval/definitions/README.md` lists them")
    bounds = [given[side] for side in ("most", "least") if side in given]
    if len(bounds) != 1 or isinstance(bounds[0], bool) or not isinstance(bounds[0], int | float):
        raise ValueError(f"{where}: give one of most and least, a number, not {bounds}")
    return Criterion(given["metric"], float(bounds[0]), "most" in given, str(given.get("why", "")), str(given.get("suite", "")),
                     str(given.get("question", "")))


def verdict(system: str, lines: Sequence[Line]) -> Verdict:
    """Ship if every line says yes; do not if one says no; else it is not known yet."""
    against = [one for one in lines if one.answer == "no"]
    unknown = [one for one in lines if one.answer == "open"]
    if against:
        reasons = [f"{counted(len(against), len(lines))} not met", *map(complaint, against)]
    elif unknown:
        reasons = [f"No criterion is failed, but {counted(len(unknown), len(lines))} open"]
    else:
        reasons = [f"All {len(lines)} criteria are met"]
    if unknown:
        reasons.append(f"Open: {joined([f'{uncapitalised(one.criterion.title)} ({one.needs})' for one in unknown])}")
    return Verdict(system, "do not ship" if against else "not known yet" if unknown else "ship", tuple(reasons))


def counted(number_of: int, of: int) -> str:
    return f"{number_of} of {of} criteria {'is' if number_of == 1 else 'are'}"


def complaint(one: Line) -> str:
    unit = one.criterion.unit
    return (f"{one.criterion.title}: {shown(one.value, unit)} ({one.interval}), where it may be {one.criterion.words}: "
            f"{uncapitalised(one.criterion.why.rstrip('.'))}")


def times_of_a_rate(one: Line) -> float:
    """How many times the calls take Wilson's interval off the bound."""
    def width(trials: float) -> float:
        low, high = wilson(one.value, trials)
        return high - low

    def is_told(trials: float) -> bool:
        low, high = wilson(one.value, trials)
        return one.criterion.is_met(low) == one.criterion.is_met(high)

    worth = least(lambda trials: width(trials) <= one.high - one.low)
    return least(is_told) / worth


def least(is_enough: Callable[[float], bool]) -> float:
    """The least number of trials that is enough, to a thousandth."""
    low, high = 1e-3, 1e9
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def two_digits(more: float) -> int:
    """Rounded up, since nobody knows it better."""
    step = 10 ** max(0, math.floor(math.log10(max(more, 1.0))) - 1)
    return max(1, math.ceil(more / step - 1e-9) * step)
