"""The table of a run as people read it: numbers with units, differences drawn to scale, a verdict in sentences.

Nothing here computes a statistic; every number comes from `table.csv`, and no sentence says more than its interval.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

MAIN_METRIC: Final = "switch_latency"  # the verdict opens with it
PRICE_METRIC: Final = "pause_false_start"  # and never leaves out what speed may have cost
MINUS: Final = "\u2212"
NICE_BOUNDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
DIRECTIONS: Final = {"lower": "lower is better", "higher": "higher is better", "human": "closer to people is better"}
OUTCOMES: Final = {"better": "better", "worse": "worse", "open": "no clear difference", "none": ""}


@dataclass(frozen=True)
class Value:
    """A number with its 95 % interval; NaN where there was none.

    Attributes:
        n: how many occasions it rests on.
    """

    value: float
    low: float
    high: float
    n: int = 0

    @property
    def exists(self) -> bool:
        return math.isfinite(self.value)

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True)
class Row:
    """One metric on one clock.

    Attributes:
        better: "lower", "higher" or "human".
        few: whether it rests on too few occasions to be trusted.
        human: what people do, in the metric's unit; NaN if unknown.
        bound: the difference is drawn from `-bound` to `bound`, common to the rows of a unit.
    """

    clock: str
    metric: str
    title: str
    unit: str
    better: str
    headline: bool
    few: bool
    human: float
    agent: Value
    baseline: Value
    difference: Value
    bound: float = 1.0

    @property
    def had_occasions(self) -> bool:
        return self.agent.n + self.baseline.n > 0

    @property
    def direction(self) -> str:
        return DIRECTIONS.get(self.better, self.better)

    @property
    def outcome(self) -> str:
        """ "better" or "worse" only where the whole interval lies on that side; "open" where it spans zero."""
        if not self.difference.exists or not self.difference.has_interval:
            return "none"
        if self.difference.low <= 0.0 <= self.difference.high:
            return "open"
        if self.better == "human":
            if not math.isfinite(self.human):
                return "none"
            return "better" if abs(self.agent.value - self.human) < abs(self.baseline.value - self.human) else "worse"
        return "better" if (self.difference.value < 0.0) == (self.better == "lower") else "worse"

    @property
    def outcome_words(self) -> str:
        words = OUTCOMES[self.outcome]
        if self.better == "human" and self.outcome in ("better", "worse"):
            return "closer to people" if self.outcome == "better" else "further from people"
        return words

    def x(self, value: float) -> float:
        """Where `value` lies on a scale of 0 to 100, the ends of which are `-bound` and `bound`."""
        return round(50.0 + 50.0 * max(-1.0, min(1.0, value / self.bound)), 2)

    def reaches_beyond(self, value: float) -> bool:
        return abs(value) > self.bound


def rows(table: pd.DataFrame) -> list[Row]:
    """The rows of `table.csv` in its order, each with the scale its difference is drawn on."""
    read = [row_of({str(column): cell for column, cell in record.items()}) for record in table.to_dict("records")]
    return [replace(row, bound=bound([other for other in read
                                      if (other.unit, other.headline) == (row.unit, row.headline)])) for row in read]


def row_of(record: Mapping[str, object]) -> Row:
    def value(name: str) -> Value:
        return Value(number(record.get(name)), number(record.get(f"{name}_low")), number(record.get(f"{name}_high")),
                     int(number(record.get(f"{name}_n"), missing=0.0)))
    return Row(
        clock=str(record["clock"]), metric=str(record["metric"]), title=str(record["title"]),
        unit=str(record["unit"]), better=str(record["better"]), headline=is_true(record["headline"]),
        few=is_true(record["few"]), human=number(record.get("human")),
        agent=value("agent"), baseline=value("baseline"), difference=value("difference"))


def number(cell: object, missing: float = math.nan) -> float:
    """A cell as a number; `missing` where the cell is empty."""
    if isinstance(cell, bool) or not isinstance(cell, int | float) or not math.isfinite(cell):
        return missing
    return float(cell)


def is_true(cell: object) -> bool:
    return str(cell).lower() in ("true", "1", "1.0")


def bound(of: Iterable[Row]) -> float:
    """The next nice number beyond all intervals, so that rows of one unit can be compared by eye."""
    reached = [abs(end) for row in of for end in (row.difference.low, row.difference.high, row.difference.value)
               if math.isfinite(end)]
    most = max(reached, default=0.0)
    return next((nice for nice in NICE_BOUNDS if nice >= most), most)


def shown(value: float, unit: str) -> str:
    """`value` with its unit: seconds to 10 ms, shares in percent."""
    if not math.isfinite(value):
        return "\u2013"
    if unit == "share":
        return f"{minus(f'{100 * value:.0f}')}\u00a0%"
    return f"{minus(f'{value:.2f}')}\u00a0{unit}".rstrip()


def bare(value: float, unit: str) -> str:
    """`value` as in `shown`, without the unit."""
    if not math.isfinite(value):
        return "\u2013"
    return minus(f"{100 * value:.0f}" if unit == "share" else f"{value:.2f}")


def signed(value: float, unit: str) -> str:
    """A difference: with its sign, and shares in percentage points."""
    if not math.isfinite(value):
        return "\u2013"
    text = bare(abs(value), unit)
    sign = "" if float(text) == 0.0 else MINUS if value < 0 else "+"
    return f"{sign}{text}\u00a0{'pp' if unit == 'share' else unit}".rstrip()


def minus(digits: str) -> str:
    return digits.replace("-", MINUS) if float(digits) else digits.replace("-", "")


@dataclass(frozen=True)
class Verdict:
    """What a run says on one clock.

    Attributes:
        opening: one sentence on the main metric, with what its speed may have cost.
        rest: one sentence on the other headline metrics, or "".
    """

    clock: str
    opening: str
    rest: str


def verdict(of_clock: Sequence[Row], clock: str, agent: str, baseline: str) -> Verdict:
    """Sentences that claim a difference only where its interval excludes zero."""
    headline = [row for row in of_clock if row.headline and row.agent.exists]
    if not headline:
        return Verdict(clock, "There was no occasion to measure anything.", "")
    main = next((row for row in headline if row.metric == MAIN_METRIC), headline[0])
    if not baseline or not main.difference.exists:
        return Verdict(clock, f"{alone(main, agent)}.", "")
    price = next((row for row in headline if row.metric == PRICE_METRIC and row.outcome != "none"), None)
    others = [row for row in headline if row not in (main, price)]
    return Verdict(clock, f"{compared(main, agent, baseline)}{at_the_price_of(price)}.", besides(others))


def alone(row: Row, agent: str) -> str:
    interval = (f" (95 % interval {bare(row.agent.low, row.unit)} to {bare(row.agent.high, row.unit)})"
                if row.agent.has_interval else "")
    return f"{agent}: {uncapitalised(row.title)} {shown(row.agent.value, row.unit)}{interval}{few_words(row)}"


def compared(row: Row, agent: str, baseline: str) -> str:
    """The main metric in words; what cannot be told apart is said to be so."""
    is_floor = row.metric == MAIN_METRIC
    if row.outcome == "open" or not row.difference.has_interval:
        what = "when they take the floor" if is_floor else uncapitalised(row.title)
        return (f"{agent} and {baseline} cannot be told apart in {what}: difference "
                f"{signed(row.difference.value, row.unit)}{interval_words(row)}{few_words(row)}")
    low, high = sorted((abs(row.difference.low), abs(row.difference.high)))
    amount = signed(abs(row.difference.value), row.unit).removeprefix("+")
    is_below = row.difference.value < 0
    claim = (f"takes the floor {amount} {'sooner' if is_below else 'later'} than {baseline}" if is_floor else
             f"is {amount} {'below' if is_below else 'above'} {baseline} in {uncapitalised(row.title)}")
    return f"{agent} {claim} (95 % interval {bare(low, row.unit)} to {bare(high, row.unit)}){few_words(row)}"


def at_the_price_of(row: Row | None) -> str:
    """False starts, which a system can trade for speed: always named beside it."""
    if row is None:
        return ""
    title, amount = uncapitalised(row.title), signed(row.difference.value, row.unit)
    if row.outcome == "open":
        return f", with no clear difference in {title} ({amount}{interval_words(row)}{few_words(row)})"
    joint = "and with fewer" if row.outcome == "better" else "but with more"
    return f", {joint} {title} ({amount}{interval_words(row)}{few_words(row)})"


def besides(others: Sequence[Row]) -> str:
    """The other headline metrics: those that differ by name, the worse first, the rest by number."""
    parts = []
    for outcome, words in (("worse", "It is worse in"), ("better", "It is better in")):
        found = [f"{uncapitalised(row.title)} ({signed(row.difference.value, row.unit)}{few_words(row)})"
                 for row in others if row.outcome == outcome]
        if found:
            parts.append(f"{words} {joined(found)}")
    num_open = sum(row.outcome == "open" for row in others)
    if num_open:
        parts.append(f"No clear difference in the other {num_open} headline metrics" if num_open > 1 else
                     "No clear difference in the other headline metric")
    text = "; ".join(part if index == 0 else uncapitalised(part) for index, part in enumerate(parts))
    return f"{text}." if text else ""


def interval_words(row: Row) -> str:
    if not row.difference.has_interval:
        return ", no interval"
    return f", 95 % interval {signed(row.difference.low, row.unit)} to {signed(row.difference.high, row.unit)}"


def few_words(row: Row) -> str:
    if not row.few:
        return ""
    least = min(row.agent.n, row.baseline.n) if row.baseline.exists else row.agent.n
    return f", only {least} occasion{'s' * (least != 1)}"


def uncapitalised(title: str) -> str:
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
