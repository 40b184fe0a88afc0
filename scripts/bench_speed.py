"""How many times faster than its audio the bench simulates on this machine, and where the time goes.

    python scripts/bench_speed.py                 a quarter of the default bench, with 1 and with 2 processes
    python scripts/bench_speed.py --every 1       all of it
    python scripts/bench_speed.py --profile 25    also the 25 functions that cost most, by cProfile

Speeds are audio over wall time, with and without the start of the processes, and audio over processor time, which other
programs on the machine do not slow down. Prints tables and a last line of JSON.
"""

import argparse
import cProfile
import json
import pstats
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from stopwatch import Stopwatch

from duplex.agents.cascade import Cascade
from duplex.agents.incremental import Incremental
from duplex.manifest import CHECKOUT
from duplex.recording import Recorder
from duplex.stages.hearing.stt import Sphinx
from duplex.stages.hearing.vad import SileroVad
from duplex.stages.language.manager import Manager
from duplex.stages.speaking.tts import Espeak
from eval import simulation
from eval.callers.caller import Caller
from eval.callers.scenario import suite

LEAST: Final = 10.0  # times faster than the audio
AIM: Final = 20.0
PARTS: Final = (
    (SileroVad, ("hear",), "voice activity"), (Sphinx, ("start", "hear", "finish"), "recogniser"),
    (Espeak, ("synthesise",), "synthesiser (espeak)"), (Caller, ("step",), "caller"),
    (Manager, ("reply", "meaning", "completeness", "continuations"), "dialogue"),
    (Cascade, ("step",), "the agents' own decisions"), (Incremental, ("step",), "the agents' own decisions"),
    (Recorder, ("write", "finish"), "recording"), (simulation, ("save",), "saving"),
    (simulation, ("converse",), "the loop"), (simulation, ("play",), "the rest"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=4, help="plays every so manieth scenario")
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--profile", type=int, default=0, metavar="FUNCTIONS")
    options = parser.parse_args()
    console = Console()
    with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
        config = compose("bench")
    planned = [simulation.Conversation(role, role, clock, scenario, 0) for clock in config.clocks
               for role in ("agent", "baseline") for scenario in suite(list(config.scenarios.files))[::options.every]]
    speeds = {str(count): speed(config, planned, count) for count in options.processes}
    show_speeds(speeds, console)
    parts, profile = profiled(config, planned, options.profile > 0)
    show_parts(parts, console)
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(options.profile)
    fastest = max(found["steady"] for found in speeds.values())
    print(json.dumps({"conversations": len(planned), "speeds": speeds, "parts": parts,
                      "target_met": fastest >= LEAST, "aim_met": fastest >= AIM}))


def speed(config: DictConfig, planned: list[simulation.Conversation], processes: int) -> dict[str, float]:
    """Audio per second of wall time, from the start and from the first conversation on, and of processor time."""
    before, started, first, audio, first_audio = used(), perf_counter(), 0.0, 0.0, 0.0
    with TemporaryDirectory() as folder:
        for one in simulation.simulate(config, planned, Path(folder), processes):
            audio += one.seconds
            if not first:
                first, first_audio = perf_counter(), one.seconds
    ended = perf_counter()
    return {"audio_seconds": round(audio, 1), "wall_seconds": round(ended - started, 1),
            "first_conversation_seconds": round(first - started, 1), "whole": round(audio / (ended - started), 1),
            "steady": round((audio - first_audio) / (ended - first), 1),
            "per_processor_second": round(audio / (used() - before), 1)}


def used() -> float:
    """Processor seconds of the processes that have ended."""
    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def profiled(config: DictConfig, planned: list[simulation.Conversation],
             in_detail: bool) -> tuple[dict[str, dict[str, float]], cProfile.Profile | None]:
    """Processor seconds of each part and its share, over the same conversations in this process, once it is warm."""
    watch = Stopwatch()
    with TemporaryDirectory() as warm, TemporaryDirectory() as timed, TemporaryDirectory() as detailed:
        simulation.begin(OmegaConf.to_yaml(config), Path(warm))
        for role in ("agent", "baseline"):  # loads models and decoders
            simulation.play(next(one for one in planned if one.role == role))
        for owner, names, part in PARTS:
            for name in names:
                watch.put_on(owner, name, part)
        simulation.begin(OmegaConf.to_yaml(config), Path(timed))  # what a folder holds is not played again
        audio = sum(simulation.play(one).seconds for one in planned)
        seconds = {part: sum(calls) for part, calls in watch.seconds.items()}
        whole = sum(seconds.values())
        parts: dict[str, dict[str, float]] = {
            part: {"share": round(cost / whole, 4), "ms_per_audio_second": round(1_000.0 * cost / audio, 3)}
            for part, cost in sorted(seconds.items(), key=lambda item: -item[1])}
        if not in_detail:
            return parts, None
        simulation.begin(OmegaConf.to_yaml(config), Path(detailed))
        profile = cProfile.Profile()
        for one in planned[:: max(1, len(planned) // 24)]:
            profile.runcall(simulation.play, one)
    return parts, profile


def show_speeds(speeds: dict[str, dict[str, float]], console: Console) -> None:
    table = Table("processes", "audio s", "wall s", "of that to the first", "times real time", "once started",
                  "per processor second", title=f"speed of the bench (at least {LEAST:.0f}, aim {AIM:.0f})",
                  title_justify="left")
    for count, found in speeds.items():
        table.add_row(count, *(f"{number:.1f}" for number in found.values()))
    console.print(table)


def show_parts(parts: dict[str, Any], console: Console) -> None:
    table = Table("part", "share", "ms per second of audio", title="where the processor time goes, one process",
                  title_justify="left")
    for part, found in parts.items():
        table.add_row(part, f"{100 * found['share']:.1f} %", f"{found['ms_per_audio_second']:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
