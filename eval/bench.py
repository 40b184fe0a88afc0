"""duplex-bench: an agent against a baseline on a suite of scenarios, on every clock; the table and the report.

    duplex-bench                                     the embedded full-duplex agent against the tuned cascade
    duplex-bench agent=cascade_livekit seeds=[0,1]   another agent, more seeds
    duplex-bench scenarios=interruptions perturb=noise perturb.snr=15
"""

import sys
from pathlib import Path
from time import perf_counter
from typing import Final

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from eval.manifest import CHECKOUT, manifest, write_manifest
from eval.programs import complaint, summarised
from eval.scenario import Scenario, suite
from eval.simulation import Conversation, Played, begin, participant, simulate, the_cast
from eval.scores import write_observations

ROLES: Final = ("agent", "baseline")


def conversations(config: DictConfig, names: dict[str, str]) -> list[Conversation]:
    """Every scenario and seed with every system on every clock."""
    scenarios = suite(list(config.scenarios.files))
    if only := set(config.scenarios.only):
        if unknown := only - {scenario.name for scenario in scenarios}:
            raise ValueError(f"no scenario {', '.join(sorted(unknown))} in {', '.join(config.scenarios.files)}")
        scenarios = tuple(scenario for scenario in scenarios if scenario.name in only)
    return [Conversation(role, names[role], clock, scenario, seed)
            for clock in config.clocks for role in names for seed in config.seeds for scenario in scenarios]


def system_names(config: DictConfig) -> dict[str, str]:
    """What the systems are called: their configs' names; a baseline that is the agent's twin gets a tick."""
    choices = HydraConfig.get().runtime.choices
    names = {"agent": str(choices["agent"]), "baseline": str(choices["agent@baseline"])}
    if names["agent"] == names["baseline"]:
        names["baseline"] += "'"
    return names


def rehearse(config: DictConfig, names: dict[str, str]) -> None:
    """Makes everything once: whatever is wrong with the config is said before anything runs, and caches are filled."""
    begin(OmegaConf.to_yaml(config), Path())
    the_cast()
    for role in names:
        participant(config, role, next(iter(config.clocks)))


def play_all(config: DictConfig, planned: list[Conversation], run: Path, console: Console) -> list[Played]:
    played: list[Played] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("conversations", total=len(planned))
        for one in simulate(config, planned, run, config.processes):
            played.append(one)
            progress.advance(task)
            if one.failure:
                progress.console.print(f"[red]failed[/] {one.conversation.folder}: {one.failure}")
    return played


def bench(config: DictConfig, run: Path, console: Console) -> None:
    names = system_names(config)
    planned = conversations(config, names)
    rehearse(config, names)
    about = manifest({
        "name": run.name, **names, "clocks": list(config.clocks), "seeds": list(config.seeds),
        "suite": list(config.scenarios.files), "command": "duplex-bench " + " ".join(HydraConfig.get().overrides.task),
        "config": OmegaConf.to_container(config, resolve=False)})
    write_manifest(about, run)
    started = perf_counter()
    played = play_all(config, planned, run, console)
    wall, audio = perf_counter() - started, sum(one.seconds for one in played)
    write_manifest({
        **about, "conversations": len(played), "failures": sum(bool(one.failure) for one in played),
        "audio_seconds": round(audio, 2), "wall_seconds": round(wall, 2), "speed": round(audio / wall, 2)}, run)
    write_observations((row for one in played for row in one.rows), run / "observations.parquet")
    page = summarised(run, console, report=config.report)
    console.print(f"{len(played)} conversations, {audio / 60:.1f} min of audio in {wall:.0f} s: "
                  f"{audio / wall:.1f} times faster than real time on {config.processes or 'all'} cores")
    if page is not None:
        console.print(f"report: {page}")


@hydra.main(version_base=None, config_path=str(CHECKOUT / "configs"), config_name="bench")
def program(config: DictConfig) -> None:
    console = Console()
    try:
        bench(config, Path(HydraConfig.get().runtime.output_dir), console)
    except Exception as error:  # the program's edge: a person reads this, and one line says what would be right
        console.print(complaint(error), style="red", highlight=False)
        sys.exit(2)


def main() -> None:
    program()
