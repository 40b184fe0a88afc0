"""What a call costs, from what it used and a table of prices.

Prices are somebody's, of some day: a table says whose and when (`configs/prices`). What is used is counted by the agents.
"""

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from duplex.recording import Recording
from eval.metrics.metric import Metric
from eval.metrics.occasions import Observation

UNITS: Final = {  # of a table, in dollars
    "telephone_minute": "a minute of the line",
    "stt_minute": "a minute of sound given to the recogniser",
    "llm_input_million": "a million tokens read",
    "llm_output_million": "a million tokens written",
    "tts_thousand": "a thousand characters given to the synthesiser",
    "gpu_hour": "an hour of a GPU",
}
CENTS: Final = 100.0  # of a dollar
PARTS: Final = ("line", "stt", "llm", "tts", "gpu")

METRICS: Final = (
    Metric("cost_per_minute", "Cost per minute", "¢/min", "lower", "ratio",
           "line, recognition, language, synthesis and GPU, by the table of prices", headline=True),
    Metric("cost_per_resolved_call", "Cost per resolved call", "¢", "lower", "ratio",
           "what all calls with a task cost, over those in which it was achieved", headline=True),
    *(Metric(f"cost_{part}", f"Of the cost: {title}", "¢/min", "lower", "ratio", f"cents per minute for {title}")
      for part, title in zip(PARTS, ("the line", "recognition", "language", "synthesis", "GPU"), strict=True)),
)


@dataclass(frozen=True)
class Price:
    """A price.

    Attributes:
        dollars: for one of what UNITS says.
        source: who asks for it and where that is written.
        read: the day on which it was read there, as 2026-11-24.
    """

    dollars: float
    source: str
    read: str


@dataclass(frozen=True)
class Prices:
    """A table of prices, one for each of UNITS."""

    name: str
    of: Mapping[str, Price]

    def cents(self, unit: str, amount: float) -> float:
        return CENTS * self.of[unit].dollars * amount


def prices(table: Mapping[str, Any]) -> Prices:
    """A table as in configs/prices.

    Raises:
        ValueError: a price is missing, below zero, or without a source and a day.
    """
    name, where = str(table.get("name", "")), f"the prices {table.get('name') or '(no name)'}"
    if missing := set(UNITS) - set(table):
        raise ValueError(f"{where} lack {', '.join(sorted(missing))}; each has dollars, a source and the day it was read there")
    if unknown := set(table) - {*UNITS, "name"}:
        raise ValueError(f"{where} know no {', '.join(sorted(unknown))}; there are {', '.join(UNITS)}")
    return Prices(name, {unit: price(table[unit], f"{where}, {unit}") for unit in UNITS})


def price(given: Mapping[str, Any], where: str) -> Price:
    if not isinstance(given, Mapping) or set(given) != {"dollars", "source", "read"} or not str(given["source"]).strip():
        raise ValueError(f"{where}: a price has dollars, a source and the day it was read there, not {given!r}")
    dollars, read = given["dollars"], str(given["read"])
    if isinstance(dollars, bool) or not isinstance(dollars, int | float) or not 0.0 <= dollars < math.inf:
        raise ValueError(f"{where}: dollars is a number from 0 on, not {dollars!r}")
    try:
        datetime.date.fromisoformat(read)
    except ValueError:
        raise ValueError(f"{where}: read is a day as 2026-11-24, not {read!r}") from None
    return Price(float(dollars), str(given["source"]), read)


def costs(recording: Recording, table: Prices, success: bool | None) -> list[Observation]:
    """Cents that a call costs, and of what: `cost_per_minute` over its minutes, `cost_per_resolved_call` over whether its task
    was achieved, `cost_line`, `cost_stt`, `cost_llm`, `cost_tts` and `cost_gpu` over its minutes.

    Both divide sums: cents of all calls, failed ones too, over their minutes or over the achieved ones among them. A call
    without a task costs by the minute only. An agent that does not say what it used has no cost.

    Args:
        success: whether the task was achieved; None where there was none.
    """
    found = spent(recording, table)
    if found is None or not recording.seconds:
        return []
    minutes, total = recording.seconds / 60.0, sum(found.values())
    cents = {"per_minute": total, **found}
    resolved = [] if success is None else [Observation("cost_per_resolved_call", 0.0, rounded(total), per=float(success))]
    return [*(Observation(f"cost_{name}", 0.0, rounded(value), per=rounded(minutes)) for name, value in cents.items()), *resolved]


def spent(recording: Recording, table: Prices) -> dict[str, float] | None:
    """Cents by part: what a cascade tallies, priced as if each stage were bought; the steps of a speech model, priced as time
    of the GPU, which its conversations share. None where the agent tells neither."""
    tally = recording.facts.get("tally", {}).get("agent", {})
    model = recording.facts.get("agent", {})
    line = {"line": table.cents("telephone_minute", recording.seconds / 60.0)}
    if "stt_seconds" in tally:
        return {**line,
                "stt": table.cents("stt_minute", tally["stt_seconds"] / 60.0),
                "llm": table.cents("llm_input_million", tally.get("llm_input_tokens", 0) / 1e6)
                + table.cents("llm_output_million", tally.get("llm_output_tokens", 0) / 1e6),
                "tts": table.cents("tts_thousand", tally.get("tts_characters", 0) / 1e3)}
    if "device" in model:
        hours = float(recording.step_seconds.sum(dtype=float)) / 3600.0 / max(1, int(model.get("slots", 1)))
        return {**line, "gpu": table.cents("gpu_hour", hours) if str(model["device"]).startswith("cuda") else 0.0}
    return None


def rounded(value: float) -> float:
    """To a ten-thousandth of a cent."""
    return round(value, 6)
