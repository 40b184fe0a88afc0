"""duplex-bench: an agent against a baseline on a suite of scenarios, on every clock; the table and the report.

    duplex-bench                                     the embedded full-duplex agent against the tuned cascade
    duplex-bench agent=cascade_livekit seeds=[0,1]   another agent, more seeds
    duplex-bench scenarios=interruptions perturb=noise perturb.snr=15
    duplex-bench hydra.run.dir=runs/monday           once more: goes on where it was stopped
"""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from duplex import programs
from duplex.build import built
from duplex.conversation import facts_of
from duplex.manifest import manifest, read_manifest, write_manifest
from eval.callers.cast import Cast, check_one_of, check_voice
from eval.callers.recorded import BringsScenarios, cast_of
from eval.callers.scenario import Scenario, suite
from eval.manifest import check_resumable, suite_digest
from eval.programs import say, summarised
from eval.score import heard_by, measure, trust
from eval.simulation import Conversation, Played, participant, simulate
from eval.tasks.cost import prices

ROLES: Final = ("agent", "baseline")


@dataclass
class Suite:
    """See configs/scenarios."""

    files: list[str]
    only: list[str]


@dataclass
class Settings:
    """The plain settings in configs/bench.yaml."""

    scenarios: Suite
    seeds: list[int]
    max_seconds: float
    processes: int
    report: bool
    every_metric: bool
    counterfactuals: bool
    words: str
    prices: dict[str, Any]


def scenarios_of(settings: Settings, cast: Cast | BringsScenarios) -> tuple[Scenario, ...]:
    scenarios = cast.scenarios if isinstance(cast, BringsScenarios) else suite(settings.scenarios.files)
    only = settings.scenarios.only
    for name in only:
        check_one_of(name, {scenario.name: scenario for scenario in scenarios}, "scenario")
    if not scenarios or not settings.seeds or not settings.max_seconds > 0.0 or settings.processes < 0:
        raise ValueError("nothing to play: it takes scenarios, seeds, max_seconds above 0 and processes of 0 or more, not "
                         f"seeds={settings.seeds} max_seconds={settings.max_seconds} processes={settings.processes}")
    return tuple(scenario for scenario in scenarios if not only or scenario.name in only)


def system_names(config: DictConfig) -> dict[str, str]:
    """What the systems are called: their configs' names; a baseline that is the agent's twin gets a tick."""
    choices = HydraConfig.get().runtime.choices
    names = {"agent": str(choices["agent"]), "baseline": str(choices["agent@baseline"])}
    if names["agent"] == names["baseline"]:
        names["baseline"] += "'"
    return names


def rehearse(config: DictConfig, names: dict[str, str], cast: Cast | BringsScenarios, scenarios: tuple[Scenario, ...],
             seeds: list[int]) -> dict[str, dict[str, Any]]:
    """Makes everything once: whatever is wrong with the config is said before anything runs, and caches are filled.

    Returns:
        What the systems say of themselves, by role; see `duplex.conversation.facts_of`.
    """
    for clock in config.clocks:
        built(config.clocks[clock])
    known = {role: dict(facts_of(participant(config, role, next(iter(config.clocks))))) for role in names}
    voices = cast.voices_of(scenarios, seeds)
    for role, name in names.items():
        check_voice(str(config[role].get("tts", {}).get("voice", "")), voices, name)
    return {role: facts for role, facts in known.items() if facts}


def play_all(config: DictConfig, planned: list[Conversation], run: Path, console: Console) -> list[Played]:
    played: list[Played] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("conversations", total=len(planned))
        try:
            for one in simulate(config, planned, run, config.processes):
                played.append(one)
                progress.advance(task)
                if one.failure:
                    progress.console.print(f"failed {one.conversation.folder}: {one.failure}", markup=False, soft_wrap=True)
        except KeyboardInterrupt:
            kept = sum((run / one.folder / "log.json").is_file() for one in planned)
            raise programs.Stopped(
                f"stopped: {kept} of {len(planned)} conversations are kept; the same command with hydra.run.dir={run} goes "
                f"on, duplex-score run={run} scores what there is") from None
    return played


def bench(config: DictConfig, run: Path, console: Console) -> None:
    settings, names = programs.settings(config, Settings), system_names(config)
    words, recogniser = heard_by(settings.words, config.recogniser)
    priced_by = prices(settings.prices)
    cast = cast_of(config.user)
    scenarios = scenarios_of(settings, cast)
    planned = [Conversation(role, names[role], str(clock), scenario, seed)  # cut short, it still compares like with like
               for seed in settings.seeds for scenario in scenarios for clock in config.clocks for role in names]
    about = manifest({
        "name": run.name, **names, "clocks": list(config.clocks), "seeds": settings.seeds,
        "suite": [str(cast.path)] if isinstance(cast, BringsScenarios) else settings.scenarios.files,
        "suite_digest": cast.digest() if isinstance(cast, BringsScenarios) else suite_digest(scenarios),
        "command": "duplex-bench " + " ".join(HydraConfig.get().overrides.task),
        "config": OmegaConf.to_container(config, resolve=False)})
    check_resumable(run, about)
    if weights := rehearse(config, names, cast, scenarios, settings.seeds):
        about = {**about, "weights": weights}
        check_resumable(run, about)  # the same settings may find other weights by now
    if (run / "manifest.json").is_file():
        about = {**about, "started": read_manifest(run)["started"]}
    write_manifest(about, run)
    started = perf_counter()
    played = play_all(config, planned, run, console)
    wall = perf_counter() - started
    audio = sum(one.seconds for one in played if not one.resumed)
    write_manifest({
        **about, "conversations": len(played), "failures": sum(bool(one.failure) for one in played),
        "audio_seconds": round(audio, 2), "wall_seconds": round(wall, 2), "speed": round(audio / wall, 2)}, run)
    measure(run, console, words, recogniser, processes=settings.processes, priced_by=priced_by)
    headline, page = summarised(run, console, settings.report, settings.every_metric)
    for line in (*trust(run), headline):
        say(console, line)
    say(console, speed(played, audio, wall, settings.processes))
    if page is not None:
        say(console, f"report: {page}")


def speed(played: list[Played], audio: float, wall: float, processes: int) -> str:
    if resumed := sum(one.resumed for one in played):
        before = f" ({resumed} of them were there already)"
    else:
        before = ""
    return (f"{len(played)} conversations{before}, {audio / 60:.1f} min of audio in {wall:.0f} s: "
            f"{audio / wall:.1f} times faster than real time on {processes or 'all'} cores")


def act(config: DictConfig) -> None:
    bench(config, Path(HydraConfig.get().runtime.output_dir), programs.console())


def main() -> None:
    programs.run(act, "bench")


if __name__ == "__main__":
    main()
