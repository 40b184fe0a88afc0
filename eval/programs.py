"""What the programs share: one clear line for what went wrong, and the summary at the end of a run."""

import os
from pathlib import Path

from hydra.errors import HydraException
from rich.console import Console

from eval.manifest import read_manifest
from eval.report import write_report
from eval.scores import print_table, read_observations, table, write_table

import pandas as pd


def complaint(error: BaseException) -> str:
    """What went wrong, without the layers it passed through; with DUPLEX_TRACE=1 the error is raised instead."""
    if os.environ.get("DUPLEX_TRACE"):
        raise error
    while isinstance(error, HydraException) and error.__cause__ is not None:
        error = error.__cause__  # hydra says where it was instantiating, its cause says what is wrong
    return f"{type(error).__name__}: {error}"


def summarised(run: Path, console: Console, report: bool = True) -> Path | None:
    """Writes `table.csv` and `report.html` of a run from its observations and prints the table; the page's path."""
    about = read_manifest(run)
    observations = read_observations(run / "observations.parquet")
    tables = [table(observations, about["agent"], about["baseline"], clock) for clock in about["clocks"]]
    write_table(tables, run / "table.csv")
    print_table(pd.concat(tables, ignore_index=True), console)
    return write_report(run) if report else None
