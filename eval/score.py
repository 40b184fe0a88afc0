"""duplex-score: scores the recordings of a run again, without agents.

    duplex-score run=runs/2026-01-31_12-00-00-incremental
"""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track

from duplex import programs
from duplex.journal import recordings
from duplex.manifest import read_manifest
from duplex.recording import load
from eval.observations import rows, write_observations
from eval.programs import say, summarised


def score(run: Path, console: Console, report: bool) -> None:
    """Observations, table and report of a run, from its recordings alone."""
    read_manifest(run)
    folders = recordings(run / "conversations")
    if not folders:
        raise FileNotFoundError(f"no recordings in {run / 'conversations'}")
    shown = track(folders, "scoring", console=console, disable=not console.is_terminal)
    observed = [row for folder in shown for row in rows(load(folder), folder.relative_to(run))]
    write_observations(observed, run / "observations.parquet")
    headline, page = summarised(run, console, report)
    say(console, headline)
    say(console, f"{len(folders)} conversations scored")
    if page is not None:
        say(console, f"report: {page}")


def act(config: DictConfig) -> None:
    score(Path(str(config.run)), programs.console(), bool(config.report))


def main() -> None:
    programs.run(act, "score")


if __name__ == "__main__":
    main()
