"""The table of a run as people read it: what may be said of each metric, and a verdict in sentences.

Nothing here computes a statistic; every number comes from `table.csv`, and no sentence says more than its interval, its
number of occasions and, where it was tested, its p value carry.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from eval.metrics.catalogue import METRICS
from eval.report.numbers import bare, joined, number, p_words, shown, signed, uncapitalised
from eval.scores import FEW, is_few

MAIN_METRIC: Final = "switch_latency"  # the verdict opens with it
PRICE_METRIC: Final = "pause_false_start"  # and never leaves out what speed may have cost
TESTED: Final = tuple(metric.name for metric in METRICS if metric.tested)
SIGNIFICANT: Final = 0.05  # of the adjusted p, below which a tested difference is one
NICE_BOUNDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
DIRECTIONS: Final = {"lower": "lower is better", "higher": "higher is better", "human": "closer to people is better",
                     "neither": "describes, neither is better"}
OUTCOMES: Final = {"better": "better", "worse": "worse", "differs": "differs", "open": "no clear difference", "none": ""}


@dataclass(frozen=True)
class Value:
    """A number with its 95 % interval; NaN where there was none.

    Attributes:
        n: how many occasions it rests on.
        of: how many there were, those that could not be measured among them; NaN where that is not counted.
        num_conversations: of the system.
    """

    value: float
    low: float
    high: float
    n: int = 0
    of: float = math.nan
    num_conversations: int = 2

    @property
    def exists(self) -> bool:
        return math.isfinite(self.value)

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def is_few(self) -> bool:
        """Whether it rests on too few occasions to be printed."""
        return is_few(self.n, self.num_conversations)

    @property
    def count(self) -> str:
        return f"{self.n} of {self.of:.0f}" if math.isfinite(self.of) else str(self.n)


@dataclass(frozen=True)
class Row:
    """One metric on one clock.

    Attributes:
        better: "lower", "higher", "human" or "neither".
        human: what people do, in the metric's unit; NaN if unknown.
        p_holm: of the difference, adjusted for the metrics that were chosen to be tested; NaN where none was tested.
        family: whose rule it is, "" for ours.
        bound: the difference is drawn from `-bound` to `bound`, common to the rows of a unit.
    """

    clock: str
    metric: str
    title: str
    unit: str
    better: str
    headline: bool
    human: float
    agent: Value
    baseline: Value
    difference: Value
    p_holm: float = math.nan
    family: str = ""
    statistic: str = ""
    bound: float = 1.0

    @property
    def had_occasions(self) -> bool:
        return any(value.n > 0 or value.of > 0 for value in (self.agent, self.baseline))

    @property
    def is_few(self) -> bool:
        """Whether a system had too few occasions for the two to be compared."""
        return self.agent.is_few or self.baseline.is_few or self.difference.is_few

    @property
    def is_tested(self) -> bool:
        return self.metric in TESTED

    @property
    def direction(self) -> str:
        return DIRECTIONS.get(self.better, self.better)

    @property
    def outcome(self) -> str:
        """ "better", "worse" or, where neither is better, "differs", only where the whole interval lies on one side of zero
        and, for those that were tested, chance is ruled out as well; "open" where not; "none" where there is nothing to say.
        """
        if self.is_few or not self.difference.exists or not self.difference.has_interval:
            return "none"
        if self.difference.low <= 0.0 <= self.difference.high or (self.is_tested and not self.p_holm < SIGNIFICANT):
            return "open"
        if self.better == "neither":
            return "differs"
        if self.better == "human":
            ours, theirs = (abs(value.value - self.human) for value in (self.agent, self.baseline))
            if not math.isfinite(ours - theirs) or ours == theirs:
                return "differs"
            return "better" if ours < theirs else "worse"
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


def rows(table: pd.DataFrame) -> list[Row]:
    """The rows of `table.csv` in its order."""
    return [row_of({str(column): cell for column, cell in record.items()}) for record in table.to_dict("records")]


def scaled(of_group: Sequence[Row]) -> list[Row]:
    """Rows that are drawn beneath each other, on a scale that those of a unit share, so that the eye can compare them."""
    return [replace(row, bound=bound(other for other in of_group if other.unit == row.unit)) for row in of_group]


def row_of(record: Mapping[str, object]) -> Row:
    def value(name: str) -> Value:
        return Value(number(record.get(name)), number(record.get(f"{name}_low")), number(record.get(f"{name}_high")),
                     int(number(record.get(f"{name}_n"), missing=0.0)), number(record.get(f"{name}_n_of")),
                     int(number(record.get(f"{name}_conversations"), missing=2.0)))
    family = record.get("family")
    return Row(
        clock=str(record["clock"]), metric=str(record["metric"]), title=str(record["title"]),
        unit=str(record["unit"]), better=str(record["better"]), headline=is_true(record["headline"]),
        human=number(record.get("human")), agent=value("agent"), baseline=value("baseline"),
        difference=value("difference"), p_holm=number(record.get("p_holm")),
        family=family if isinstance(family, str) else "", statistic=str(record["statistic"]))


def is_true(cell: object) -> bool:
    return str(cell).lower() in ("true", "1", "1.0")


def bound(of: Iterable[Row]) -> float:
    """The next nice number beyond all intervals that are drawn, so that rows of one unit can be compared by eye."""
    reached = [abs(end) for row in of if not row.is_few
               for end in (row.difference.low, row.difference.high, row.difference.value) if math.isfinite(end)]
    most = max(reached, default=0.0)
    return next((nice for nice in NICE_BOUNDS if nice >= most), most)


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
    """Sentences that claim a difference only where its interval excludes zero, enough occasions stand behind it, and the
    test, of those that are tested, rules out chance."""
    headline = [row for row in of_clock if row.headline and row.had_occasions]
    if not headline:
        return Verdict(clock, "There was no occasion to measure anything.", "")
    main = next((row for row in headline if row.metric == MAIN_METRIC), headline[0])
    if not baseline:
        return Verdict(clock, f"{alone(main, agent)}.", "")
    price = next((row for row in headline if row.metric == PRICE_METRIC and row is not main), None)
    others = [row for row in headline if row is not main and row is not price]
    return Verdict(clock, f"{compared(main, agent, baseline)}{at_the_price_of(price)}.", besides(others))


def alone(row: Row, system: str) -> str:
    value = row.agent
    if value.is_few:
        return f"{system}: too few occasions to measure {uncapitalised(row.title)} ({value.count})"
    if not value.exists:
        return f"{system}: {uncapitalised(row.title)} not reached in {value.count}"
    interval = f" (95 % interval {bare(value.low, row.unit)} to {bare(value.high, row.unit)})" if value.has_interval else ""
    return f"{system}: {uncapitalised(row.title)} {shown(value.value, row.unit)}{interval}"


def compared(row: Row, agent: str, baseline: str) -> str:
    """The main metric in words; what cannot be told apart is said to be so."""
    is_floor = row.metric == MAIN_METRIC
    what = "when they take the floor" if is_floor else uncapitalised(row.title)
    if row.is_few:
        return (f"Too few occasions to tell {agent} and {baseline} apart in {what}: "
                f"{row.agent.count} and {row.baseline.count}, where {FEW} are needed")
    if not row.difference.exists:
        return (f"There is no difference to tell in {what}: {reached(row, row.agent, agent)}, "
                f"{reached(row, row.baseline, baseline)}")
    if row.outcome in ("open", "none"):
        return (f"{agent} and {baseline} cannot be told apart in {what}: difference "
                f"{signed(row.difference.value, row.unit)}{evidence(row)}")
    low, high = sorted((abs(row.difference.low), abs(row.difference.high)))
    amount = signed(abs(row.difference.value), row.unit).removeprefix("+")
    is_below = row.difference.value < 0
    claim = (f"takes the floor {amount} {'sooner' if is_below else 'later'} than {baseline}" if is_floor else
             f"is {amount} {'below' if is_below else 'above'} {baseline} in {uncapitalised(row.title)}")
    return f"{agent} {claim} (95 % interval {bare(low, row.unit)} to {bare(high, row.unit)})"


def reached(row: Row, value: Value, system: str) -> str:
    return f"{system} {shown(value.value, row.unit) if value.exists else 'does not reach it'}"


def at_the_price_of(row: Row | None) -> str:
    """False starts, which a system can trade for speed: always named beside it."""
    if row is None:
        return ""
    title = uncapitalised(row.title)
    if row.is_few:
        return f"; for {title} there were too few occasions ({row.agent.count} and {row.baseline.count})"
    if not row.difference.exists:
        return ""
    amount = f"{signed(row.difference.value, row.unit)}{evidence(row)}"
    if row.outcome in ("open", "none"):
        return f", with no clear difference in {title} ({amount})"
    return f", {'and with fewer' if row.outcome == 'better' else 'but with more'} {title} ({amount})"


def besides(others: Sequence[Row]) -> str:
    """The other headline metrics: those that differ by name, the worse first, the rest by number."""
    parts = []
    for outcome, words in (("worse", "It is worse in"), ("better", "It is better in")):
        found = [f"{uncapitalised(row.title)} ({signed(row.difference.value, row.unit)})"
                 for row in others if row.outcome == outcome]
        if found:
            parts.append(f"{words} {joined(found)}")
    num_open = sum(row.outcome == "open" for row in others)
    if num_open:
        parts.append(f"No clear difference in the other {num_open} headline metrics" if num_open > 1 else
                     "No clear difference in the other headline metric")
    if few := [uncapitalised(row.title) for row in others if row.is_few]:
        parts.append(f"Too few occasions for {joined(few)}")
    text = "; ".join(part if index == 0 else uncapitalised(part) for index, part in enumerate(parts))
    return f"{text}." if text else ""


def evidence(row: Row) -> str:
    """What a difference rests on: its interval and, where that alone would claim it, the p value that does not."""
    if not row.difference.has_interval:
        return ", no interval"
    interval = f", 95 % interval {signed(row.difference.low, row.unit)} to {signed(row.difference.high, row.unit)}"
    is_unproven = row.outcome == "open" and not row.difference.low <= 0.0 <= row.difference.high
    return f"{interval}, {p_words(row.p_holm) or 'not tested'} after Holm" if is_unproven else interval
