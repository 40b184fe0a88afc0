"""duplex-score: scores the recordings of a run again, without agents.

    duplex-score run=runs/2026-01-31_12-00-00-incremental
    duplex-score run=... words=recognised            by the words that one recogniser hears every agent say
    duplex-score run=... prices=self_hosted          what its calls cost at other prices
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import track

from duplex import programs
from duplex.journal import recordings
from duplex.manifest import read_manifest, write_manifest
from eval.observations import written
from eval.scoring import CONVERSATIONS, Listening, score_all
from eval.tasks.cost import Prices, prices
from eval.transcript import Source
from eval.trust import second_opinion

MOST_SHOWN: Final = 5  # refused recordings; the manifest lists all


@dataclass
class Settings:
    """The plain settings in configs/score.yaml."""

    run: str
    report: bool
    every_metric: bool
    words: str
    prices: dict[str, Any]
    listen_twice: int
    processes: int


def score(run: Path, console: Console, report: bool, every_metric: bool = False, words: Source = "spoken",
          recogniser: str = "", listen_twice: int = second_opinion.CONVERSATIONS, processes: int = 0,
          priced_by: Prices | None = None) -> None:
    """Observations, table and report of a run, from its recordings alone; arguments as of `summarised` and `measure`."""
    from eval.programs import say, summarised  # pandas, which every process that scores would load with this file

    read_manifest(run)
    num = measure(run, console, words, recogniser, listen_twice, processes, priced_by)
    headline, page = summarised(run, console, report, every_metric)
    for line in (*trust(run), headline, f"{num} conversations scored"):
        say(console, line)
    if page is not None:
        say(console, f"report: {page}")


def measure(run: Path, console: Console, words: Source = "spoken", recogniser: str = "",
            listen_twice: int = second_opinion.CONVERSATIONS, processes: int = 0, priced_by: Prices | None = None) -> int:
    """Writes the observations of a run and, into its manifest, which recordings were refused and whose prices were taken;
    returns how many recordings there are.

    Args:
        words: whose words of the agents metrics read: their own, or a recogniser's.
        recogniser: its config as YAML, for recordings without a transcript of it.
        listen_twice: how many conversations Silero hears as well.
        processes: 0 for one per core.
        priced_by: what calls cost; None where that is not asked.
    """
    folders = [folder.relative_to(run) for folder in recordings(run / CONVERSATIONS)]
    if not folders:
        raise FileNotFoundError(f"no recordings in {run / CONVERSATIONS}")
    twice = second_opinion.sample(folders, listen_twice) if second_opinion.is_available() else set()
    wrong = observe(run, folders, Listening(words, recogniser, frozenset(twice), priced_by), console, processes)
    write_manifest({**read_manifest(run), "refused": wrong, "prices": priced_by.name if priced_by else ""}, run)
    return len(folders)


def trust(run: Path) -> list[str]:
    """What to print after the table of a run that was measured: recordings refused, and doubt about who speaks when."""
    return [*refused_lines(read_manifest(run).get("refused", [])), *second_opinion.lines(run)]


def observe(run: Path, folders: Sequence[Path], listening: Listening, console: Console,
            processes: int = 0) -> list[dict[str, str]]:
    """Writes `observations.parquet`; returns the refused recordings, each with what is wrong with it."""
    wrong = []
    with written(run / "observations.parquet") as write:
        for one in track(score_all(run, folders, listening, processes), "scoring", len(folders), console=console,
                         disable=not console.is_terminal):
            write(one.table)
            if one.wrong:
                wrong.append({"conversation": one.conversation.as_posix(), "wrong": one.wrong})
    return wrong


def refused_lines(wrong: Sequence[dict[str, str]]) -> list[str]:
    """What to print about recordings that were not scored."""
    if not wrong:
        return []
    shown = [f"  {one['conversation']}: {one['wrong']}" for one in wrong[:MOST_SHOWN]]
    more = [f"  … and {len(wrong) - MOST_SHOWN} more, in manifest.json"] if len(wrong) > MOST_SHOWN else []
    return [f"REFUSED {len(wrong)} recordings, which count as failed conversations:", *shown, *more]


def heard_by(words: str, recogniser: DictConfig) -> tuple[Source, str]:
    """Whose words are read, and the recogniser's config as YAML where it is its.

    Raises:
        ValueError: `words` is nobody's.
    """
    if words not in get_args(Source):
        raise ValueError(f"words is {' or '.join(get_args(Source))}, not {words!r}")
    source: Source = "recognised" if words == "recognised" else "spoken"
    return source, OmegaConf.to_yaml(recogniser, resolve=True) if source == "recognised" else ""


def act(config: DictConfig) -> None:
    settings = programs.settings(config, Settings)
    source, recogniser = heard_by(settings.words, config.recogniser)
    score(Path(settings.run), programs.console(), settings.report, settings.every_metric, source, recogniser,
          settings.listen_twice, settings.processes, prices(settings.prices))


def main() -> None:
    programs.run(act, "score")


if __name__ == "__main__":
    main()
