"""The end of a run, the same for playing it and for scoring it again: table, report page, and what they say in a sentence."""

from pathlib import Path

import pandas as pd
from rich.console import Console

from duplex.manifest import read_manifest
from eval.observations import read_observations
from eval.printed_readiness import print_readiness
from eval.printed_table import print_table
from eval.readiness import readiness
from eval.report.page import clock_words, write_report
from eval.report.table import rows as report_rows
from eval.report.table import verdict
from eval.scores import seed_of, table, write_table


def summarised(run: Path, console: Console, report: bool = True, every_metric: bool = False) -> tuple[str, Path | None]:
    """Writes `table.csv` and `report.html` of a run from its observations, prints the table and, of calls to customer
    service, what they say about shipping.

    A clock on which the agent has not played yet, in a run that was cut short, has no table.

    Args:
        every_metric: whether all are printed, or the headline alone.

    Returns:
        The headline of the first clock in a sentence, and the page's path if there is one.
    """
    about = read_manifest(run)
    observations = read_observations(run / "observations.parquet")
    agent, baseline = about["agent"], about.get("baseline")
    played = set(observations.loc[observations["system"] == agent, "clock"])
    clocks = [clock for clock in about["clocks"] if clock in played] or about["clocks"][:1]
    seed = seed_of(str(about.get("name") or run.name))
    tables = [table(observations, agent, baseline, clock, seed) for clock in clocks]
    write_table(tables, run / "table.csv")
    print_table(pd.concat(tables, ignore_index=True), console, every_metric)
    if (found := readiness(tables[0])) is not None:
        print_readiness(found, console)
    if missing := [clock for clock in about["clocks"] if clock not in clocks]:
        console.print(f"no conversation of {agent} on the clocks {', '.join(missing)}: the run was cut short", markup=False)
    says = verdict(report_rows(tables[0]), clocks[0], agent, baseline or "")
    where = clock_words(clocks[0], about)["inline"]
    return f"{where[:1].upper()}{where[1:]}: {says.opening}", write_report(run) if report else None


def say(console: Console, line: str) -> None:
    """Prints a line as it is: not wrapped, so that paths can be copied."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)
