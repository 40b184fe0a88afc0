"""The table on a terminal: values with intervals and counts, differences coloured where they can be told from none.

Nothing is computed here but colours and widths; below ten occasions no number is printed, which `table.csv` keeps.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eval.report.numbers import p_words
from eval.scores import FEW, is_few

ROLES: Final = ("agent", "baseline")
ZONES: Final = (("zone_natural", "natural", "green"), ("zone_slow", "slow", "yellow"), ("zone_machine", "machine", "red"))
ZONE_COLUMNS: Final = 40
WIDE: Final = 140  # columns of a terminal that holds a value and its interval in one line


def print_table(tables: pd.DataFrame, console: Console, every_metric: bool = True) -> None:
    """Prints the metrics that had an occasion, one table a clock; a difference has a colour if its interval leaves out 0.

    The headline metrics first, those by other people's rules last, under the name of whose they are.

    Args:
        every_metric: false for the headline alone, and how many more there are.
    """
    for clock, of_clock in tables.groupby("clock", sort=False):
        records = [{str(column): cell for column, cell in record.items()} for record in of_clock.to_dict("records")]
        first = records[0]
        roles, between = ROLES if first["baseline_conversations"] else ROLES[:1], " " if console.width >= WIDE else "\n"
        names = [first[f"{role}_name"] for role in roles]
        shown = Table(title=f"{' and '.join(names)}, {clock} clock", caption=caption(first, roles), title_justify="left",
                      caption_justify="left")
        shown.add_column("", min_width=20)
        for name in (*names, *(["difference"] if len(roles) > 1 else []), "people", "n"):
            shown.add_column(name, justify="right", no_wrap=True)
        family = ""
        found = arranged(records, roles)
        kept = [record for record in found if every_metric or record["headline"]]
        for record in kept:
            if record["family"] != family:
                family = record["family"]
                shown.add_section()
                shown.add_row(Text(family, style="bold italic"))
            shown.add_row(Text(record["title"], style="bold" if record["headline"] else ""), *values(record, roles, between),
                          Text(printed(record["human"], record["unit"])), Text(counts(record, roles), style="dim"))
        console.print(shown)
        for role in roles:
            console.print(zone_bar(records, role))
        if len(kept) < len(found):
            console.print(f"{len(found) - len(kept)} more metrics in table.csv (every_metric=true prints them)", style="dim")


def arranged(records: Sequence[Mapping[str, Any]], roles: Sequence[str]) -> list[dict[str, Any]]:
    """Those with an occasion, or where something happened that was none, in the order they are printed in."""
    known = [{**record, "family": record["family"] if isinstance(record["family"], str) else ""} for record in records]
    families = ["", *dict.fromkeys(record["family"] for record in known if record["family"])]
    return sorted((record for record in known
                   if any(record[f"{role}_n"] or record[f"{role}_n_of"] > 0 for role in roles)),
                  key=lambda record: (families.index(record["family"]), not record["headline"]))


def values(record: Mapping[str, Any], roles: Sequence[str], between: str) -> list[Text]:
    found = [with_interval(record, role, between) for role in roles]
    if len(roles) > 1:
        difference = with_interval(record, "difference", between)
        difference.stylize(colour(record))
        if not too_few(record, "difference") and (p := p_words(record["p_holm"])):
            difference.append(f"{between}{p}", "dim")
        found.append(difference)
    return found


def caption(record: Mapping[str, Any], roles: Sequence[str]) -> str:
    parts = [f"{record[f'{role}_name']}: {record[f'{role}_conversations']} conversations, {record[f'{role}_failed']} failed"
             for role in roles]
    tested = ["p of a randomisation test, adjusted for five tests (Holm)"] if len(roles) > 1 else []
    return "; ".join([*parts, "in brackets 95 % intervals", *tested, "n: occasions measured/that happened",
                      f"n/a: fewer than {FEW}"])


def with_interval(record: Mapping[str, Any], name: str, between: str) -> Text:
    if too_few(record, name):
        return Text("n/a" if name == "difference" else f"n/a ({count(record, name, ' of ')})", style="dim")
    value, low, high = (record[f"{name}{end}"] for end in ("", "_low", "_high"))
    if pd.isna(value) and pd.isna(low) and pd.isna(high):
        return Text("–" if name == "difference" or record["statistic"] not in ("median", "p95") else "not reached")
    unit, sign = record["unit"], "+" if name == "difference" else ""
    ends = "" if pd.isna(low) and pd.isna(high) else f"{between}[{bare(low, unit, sign)}, {bare(high, unit, sign)}]"
    return Text(f"{printed(value, unit, sign)}{ends}")


def too_few(record: Mapping[str, Any], name: str) -> bool:
    roles = ROLES if name == "difference" else (name,)
    return any(is_few(record[f"{role}_n"], record[f"{role}_conversations"]) for role in roles) or (
        name == "difference" and is_few(record["difference_n"], record["agent_conversations"]))


def counts(record: Mapping[str, Any], roles: Sequence[str]) -> str:
    """Occasions of each system, once where they are the same."""
    return ", ".join(dict.fromkeys(count(record, role, "/") for role in roles))


def count(record: Mapping[str, Any], role: str, of: str) -> str:
    """How many occasions, of how many where some could not be measured."""
    measured, happened = record[f"{role}_n"], record[f"{role}_n_of"]
    return str(measured) if pd.isna(happened) else f"{measured}{of}{happened:.0f}"


def printed(value: float, unit: str, sign: str = "") -> str:
    """`value` with its unit; `sign` "+" for a difference, which in shares is in percentage points."""
    if pd.isna(value):
        return "–"
    if unit.startswith("share"):
        return f"{bare(value, unit, sign)} {'pp' if sign else '%'}{unit.removeprefix('share')}"
    return f"{bare(value, unit, sign)} {unit}"


def bare(value: float, unit: str, sign: str = "") -> str:
    """`value` as in `printed`, without the unit."""
    if pd.isna(value):
        return "–"
    return f"{100 * value:{sign}.0f}" if unit.startswith("share") else f"{value:{sign}.2f}"


def colour(record: Mapping[str, Any]) -> str:
    """Green where the agent is better, red where it is worse, none where the interval does not tell or nothing is better."""
    low, high = record["difference_low"], record["difference_high"]
    if too_few(record, "difference") or pd.isna(low) or pd.isna(high) or low <= 0.0 <= high or record["better"] == "neither":
        return ""
    if record["better"] == "human":
        ours, theirs = (abs(record[role] - record["human"]) for role in ROLES)
        if math.isnan(ours) or math.isnan(theirs) or ours == theirs:
            return ""
        return "green" if ours < theirs else "red"
    return "green" if (record["difference"] < 0.0) == (record["better"] == "lower") else "red"


def zone_bar(records: Sequence[Mapping[str, Any]], role: str) -> Text:
    """The shares of natural, slow and machine-like answers as one bar."""
    of_metric = {record["metric"]: record for record in records}
    bar = Text(f"{records[0][f'{role}_name']}: ")
    for zone, title, style in ZONES:
        record = of_metric.get(zone)
        if record is not None and not too_few(record, role) and not pd.isna(record[role]):
            bar.append("█" * round(record[role] * ZONE_COLUMNS), style)
            bar.append(f" {title} {100 * record[role]:.0f} %  ")
    return bar
