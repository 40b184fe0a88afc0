"""Operating points: agents by name, each with what it changes in the bench's config, played and kept.

Which points there are, and what is made of them, is said by `endpointing_curve.py` and `tolerance_curve.py`. What was
played before is not played again, unless its config has changed.
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from shutil import rmtree
from typing import Any, Final, NamedTuple, TypeAlias

import pandas as pd
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from duplex.manifest import CHECKOUT
from duplex.recording import load
from eval.callers.scenario import suite
from eval.metrics.metric import Metric
from eval.metrics.occasions import Observation
from eval.observations import read_observations, write_observations
from eval.scores import pair_keys, summary
from eval.scoring import Listening, scored
from eval.simulation import Conversation, Played, simulate
from eval.timeline import Timeline, timeline

CLOCKS: Final = ("cloud_typical", "measured", "ideal")
KEYS: Final = ["system", "scenario", "seed"]
Measure: TypeAlias = Callable[[Timeline], list[Observation]]


class Point(NamedTuple):
    """An agent as it is played.

    Attributes:
        name: holds its numbers, so that it can be asked for again.
        overrides: what Hydra is told to make it.
        clock: that it is played on, for which the overrides bring a profile; "" for the one that is asked for.
    """

    name: str
    overrides: tuple[str, ...]
    clock: str = ""


class Staged(NamedTuple):
    """A point with its config.

    Attributes:
        config: the bench's.
        settings: all that a point's observations depend on, as YAML.
    """

    point: Point
    config: DictConfig
    settings: str


def add_arguments(parser: ArgumentParser, out: str, scenarios: Sequence[str], clocks: Sequence[str] = CLOCKS) -> None:
    """What all sweeps are told.

    Args:
        clocks: of which one may be asked for; none where every point has its own.
    """
    if clocks:
        parser.add_argument("--clock", default=clocks[0], choices=clocks)
    parser.add_argument("--scenarios", nargs="+", default=list(scenarios))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--max-seconds", type=float, default=90.0, help="of a conversation")
    parser.add_argument("--processes", type=int, default=0, help="0: one per core")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "runs" / out)


def observations(points: Sequence[Point], options: Namespace, console: Console,
                 measures: Sequence[Measure] = ()) -> pd.DataFrame:
    """The observations of all points on the given scenarios and seeds, after playing what is missing.

    Args:
        measures: what is observed beside the catalogue's metrics; a share.
    """
    staged = composed(points, options)
    observed = known(staged, options.out)
    done = set(observed[KEYS].itertuples(index=False, name=None)) if len(observed) else set()
    scenarios = suite(options.scenarios)
    for seed in options.seeds:
        for _, group in groupby(sorted(staged, key=circumstances), circumstances):  # one at a time: the config has but one
            behind = list(group)
            names, [clock] = [one.point.name for one in behind], behind[0].config.clocks
            missing = [Conversation(name, name, clock, scenario, seed) for name in names
                       for scenario in scenarios if (name, scenario.name, seed) not in done]
            if missing:
                title = f"seed {seed}, {len(behind)} points"
                conversations = play(together(behind), missing, options, console, title, measures)
                observed = kept(observed, conversations, options.out)
    asked = {(one.name, scenario.name, seed) for one in points for scenario in scenarios for seed in options.seeds}
    return observed[[key in asked for key in observed[KEYS].itertuples(index=False, name=None)]]


def circumstances(staged: Staged) -> str:
    """The line and the clock of a point, as YAML."""
    return OmegaConf.to_yaml(OmegaConf.create({"perturb": staged.config.perturb, "clocks": staged.config.clocks}))


def composed(points: Sequence[Point], options: Namespace) -> list[Staged]:
    staged = []
    with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
        for point in points:
            config = compose("bench", list(point.overrides))
            OmegaConf.set_struct(config, False)
            clock = point.clock or options.clock
            config.clocks = {clock: config.clocks[clock]}
            config.max_seconds = options.max_seconds
            told = {key: config[key] for key in ("agent", "perturb", "clocks", "max_seconds", "user")}
            staged.append(Staged(point, config, OmegaConf.to_yaml(OmegaConf.create(told))))
    return staged


def together(staged: Sequence[Staged]) -> DictConfig:
    """One config with every point as a role of its own."""
    config = staged[0].config.copy()
    for one in staged:
        config[one.point.name] = one.config.agent
    return config


def known(staged: Sequence[Staged], out: Path) -> pd.DataFrame:
    """Observations of earlier calls, less those of points that mean something else by now."""
    out.mkdir(parents=True, exist_ok=True)
    path, made = out / "observations.parquet", out / "configs.json"
    before: dict[str, str] = json.loads(made.read_text()) if made.is_file() else {}
    now = {one.point.name: one.settings for one in staged}
    stale = {name for name, settings in now.items() if before.get(name, settings) != settings}
    try:
        observed = read_observations(path) if path.is_file() else pd.DataFrame(columns=KEYS)
    except ValueError as error:
        raise ValueError(f"{error}. Their sound was not kept: delete {out}, or give another --out") from error
    if stale:
        observed = observed[~observed["system"].isin(stale)]
        write(observed, out)  # before the new settings are: whoever is killed in between does not take old for new
    made.write_text(json.dumps({**before, **now}, indent=1))
    return observed


def write(observed: pd.DataFrame, out: Path) -> None:
    rows = observed.to_dict("records")
    write_observations(rows, out / "observations.parquet")  # type: ignore[arg-type]  # the keys are strings


def kept(observed: pd.DataFrame, conversations: Iterator[list[dict[str, Any]]], out: Path) -> pd.DataFrame:
    """Writes what is observed, also when somebody stops it."""
    found: list[dict[str, Any]] = []
    try:
        for rows in conversations:
            found += rows
    finally:
        frames = [frame for frame in (observed, pd.DataFrame(found)) if len(frame)]
        observed = pd.concat(frames, ignore_index=True) if frames else observed
        write(observed, out)
    return observed


def play(config: DictConfig, conversations: Sequence[Conversation], options: Namespace, console: Console, title: str,
         measures: Sequence[Measure]) -> Iterator[list[dict[str, Any]]]:
    """The rows of each conversation; the sound is thrown away, there would be gigabytes of it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    run = options.out / "playing"
    rmtree(run, ignore_errors=True)  # of somebody who was killed, perhaps with another config
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task(title, total=len(conversations))
            for one in simulate(config, conversations, run, options.processes):
                progress.advance(task)
                if one.failure:
                    progress.console.print(f"[red]failed[/] {one.conversation.folder}: {one.failure}")
                yield measured(one, run, measures)
                rmtree(run / one.conversation.folder)
    finally:
        rmtree(run, ignore_errors=True)


def measured(one: Played, run: Path, measures: Sequence[Measure]) -> list[dict[str, Any]]:
    """The rows of a conversation, and what the catalogue does not have; of a recording that is refused, no more than that."""
    found = scored(run, one.conversation.folder, Listening())
    rows: list[dict[str, Any]] = found.table.to_pylist()
    if found.wrong or not measures:
        return rows
    heard = timeline(load(run / one.conversation.folder))
    return rows + [{**rows[0], "unit": "share", **observation._asdict()} for measure in measures
                   for observation in measure(heard)]


def summarised(ours: pd.DataFrame, reference: pd.DataFrame, metrics: Sequence[Metric]) -> dict[str, Any]:
    """Each metric of a point with its interval and number of occasions, and under `_gain` the reference minus the
    point, on what both played."""
    common = sorted(set(pair_keys(ours)) & set(pair_keys(reference)))
    row: dict[str, Any] = {}
    for metric in metrics:
        found = summary(metric, reference, ours, common)
        row |= {metric.name: found["baseline"], **{f"{metric.name}_{end}": found[f"baseline_{end}"]
                                                   for end in ("low", "high", "n")}}
        row |= {f"{metric.name}_gain{end}": found[f"difference{end}"] for end in ("", "_low", "_high")}
    return row
