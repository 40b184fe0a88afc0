"""duplex-score: scores the recordings of a run again, without agents.

    duplex-score run=runs/2026-01-31_12-00-00-incremental
"""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track

from duplex.recording import load
from eval.manifest import CHECKOUT, read_manifest
from eval.programs import complaint, summarised
from eval.scores import rows, write_observations


def score(run: Path, console: Console, report: bool) -> Path | None:
    """Observations, table and report of a run, from its recordings alone."""
    read_manifest(run)
    folders = sorted(path.parent for path in run.glob("conversations/**/log.json"))
    if not folders:
        raise FileNotFoundError(f"no recordings in {run / 'conversations'}")
    shown = track(folders, "scoring", console=console, disable=not console.is_terminal)
    observed = [row for folder in shown for row in rows(load(folder), folder.relative_to(run))]
    write_observations(observed, run / "observations.parquet")
    return summarised(run, console, report)


@hydra.main(version_base=None, config_path=str(CHECKOUT / "configs"), config_name="score")
def program(config: DictConfig) -> None:
    console = Console()
    try:
        page = score(Path(config.run), console, config.report)
    except Exception as error:  # the program's edge: a person reads this, and one line says what would be right
        console.print(complaint(error), style="red", highlight=False)
        sys.exit(2)
    if page is not None:
        console.print(f"report: {page}")


def main() -> None:
    program()
