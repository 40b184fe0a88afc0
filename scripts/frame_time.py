"""What a frame costs: the loop without a model, and each embedded part of the agents.

    python scripts/frame_time.py
    python scripts/frame_time.py --frames 50000 --scenarios smooth interruptions

Times the loop with a silent user and an echo: a turn of it, whether turns grow with the length of a conversation,
saving and loading. Then lets both embedded agents hold conversations and times their parts against the 80 ms of a
frame. Processor time, so that other programs do not count, and wall time beside it. Prints tables and a last line of
JSON.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any, Final

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table
from stopwatch import Stopwatch, quantiles

from duplex.agents.simple import Echo, NeverAnswers
from duplex.conversation import converse
from duplex.frame import FRAME_SECONDS, Frame
from duplex.manifest import CHECKOUT
from duplex.recording import Recording, load, save
from eval.callers.cast import Cast
from eval.callers.scenario import drawn, suite
from eval.simulation import participant

TARGET_MS: Final = 0.2
BUDGET_MS: Final = 1_000.0 * FRAME_SECONDS
REPEATS: Final = 3  # of what is timed as a whole; the least counts
PARTS: Final = (  # the agent's attribute, its method, what it is
    ("ears.vad", "hear", "voice activity (Silero)"), ("ears.detector", "hear", "speech detector"),
    ("ears.recogniser", "start", "recogniser, start (Sphinx)"),
    ("ears.recogniser", "hear", "recogniser, frame (Sphinx)"),
    ("ears.recogniser", "finish", "recogniser, finish (Sphinx)"), ("dialogue", "reply", "dialogue, reply"),
    ("dialogue", "meaning", "dialogue, meaning"), ("dialogue", "completeness", "dialogue, completeness"),
    ("dialogue", "continuations", "dialogue, continuations"), ("tts", "synthesise", "synthesiser (espeak)"),
    ("mouth", "frame", "mouth, frame"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--scenarios", nargs="+", default=["smooth", "interruptions"])
    options = parser.parse_args()
    console = Console()
    fresh = loop_times(options.frames)  # a process pays once for every page that it touches
    loop = loop_times(options.frames)
    growth = growth_times(options.frames)
    disk = disk_times(options.frames)
    show_loop(fresh, loop, growth, disk, options.frames, console)
    agents = {name: agent_times(name, options.scenarios) for name in ("cascade", "incremental")}
    for name, parts in agents.items():
        show_agent(name, parts, console)
    print(json.dumps({
        "frames": options.frames, "loop_ms": loop, "loop_ms_in_fresh_memory": fresh, "growth": growth,
        "disk": disk, "agents": agents, "target_met": loop["processor"][1] <= TARGET_MS}))


def talk(num_frames: int, watch: Callable[[int, Frame, Frame], None] | None = None) -> Recording:
    return converse(NeverAnswers(), Echo(), max_seconds=num_frames * FRAME_SECONDS, watch=watch)


def loop_times(num_frames: int) -> dict[str, list[float]]:
    """Milliseconds from one watch callback to the next: a whole turn of the loop with both participants."""
    clocks: list[tuple[float, float]] = []
    talk(num_frames, lambda index, user, agent: clocks.append((process_time(), perf_counter())))
    turns = np.diff(np.array(clocks), axis=0)
    tenth = len(turns) // 10
    ends = [float(np.median(part)) for part in (turns[:tenth, 0], turns[-tenth:, 0])]
    return {"processor": quantiles(turns[:, 0]), "wall": quantiles(turns[:, 1]),
            "last_tenth_to_first": [round(ends[1] / ends[0], 3)]}


def growth_times(num_frames: int) -> dict[str, float]:
    """Milliseconds per frame of whole conversations with the recording's making, at a tenth and at full length."""
    short, long = (1_000.0 * least(partial(talk, frames)) / frames for frames in (num_frames // 10, num_frames))
    return {"short_ms": round(short, 4), "long_ms": round(long, 4), "ratio": round(long / short, 3)}


def disk_times(num_frames: int) -> dict[str, float]:
    """Microseconds per frame to save and to load, and how that grows with ten times the length."""
    found: dict[str, float] = {}
    costs: dict[str, list[float]] = {"save": [], "load": []}
    for frames in (num_frames // 10, num_frames):
        recording = talk(frames)
        with TemporaryDirectory() as folder:
            costs["save"].append(1e6 * least(partial(save, recording, Path(folder))) / frames)
            costs["load"].append(1e6 * least(partial(load, Path(folder))) / frames)
    for name, (short, long) in costs.items():
        found |= {f"{name}_us": round(long, 2), f"{name}_ratio": round(long / short, 3)}
    return found


def least(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        started = process_time()
        work()
        seconds.append(process_time() - started)
    return min(seconds)


def agent_times(name: str, files: list[str]) -> dict[str, Any]:
    """Milliseconds of each part per call and per frame, over real conversations on the ideal clock."""
    with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
        config = compose("bench", [f"agent={name}"])
    OmegaConf.set_struct(config, False)
    agent, watch, cast = participant(config, "agent", "ideal"), Stopwatch(), Cast()
    for path, method, part in PARTS:
        owner: object = agent
        for attribute in path.split("."):
            owner = getattr(owner, attribute)
        watch.put_on(owner, method, part)
    steps: list[float] = []
    whole = agent.step

    def step(heard: Frame) -> Frame | None:
        started = process_time()
        said = whole(heard)
        steps.append(process_time() - started)
        return said

    agent.step = watch.timed(step, "its own decisions")  # type: ignore[method-assign]  # this one agent, not its class
    for template in suite(files)[:1]:  # loads decoders and models, and is not counted
        play(agent, cast, template, seed=1)
    steps.clear()
    watch.seconds.clear()
    for template in suite(files):
        play(agent, cast, template, seed=0)
    parts = {part: {"calls": len(seconds), "ms_p50_p99_max": quantiles(seconds),
                    "ms_per_frame": round(1_000.0 * sum(seconds) / len(steps), 4)}
             for part, seconds in sorted(watch.seconds.items(), key=lambda item: -sum(item[1]))}
    late = sum(seconds > FRAME_SECONDS for seconds in steps)
    return {"frames": len(steps), "step_ms_p50_p99_max": quantiles(steps), "frames_over_budget": late, "parts": parts}


def play(agent: Any, cast: Cast, template: Any, seed: int) -> None:
    scenario = drawn(template, seed)
    converse(cast.caller(scenario, seed), agent, prompt=scenario.prompt, seed=seed, max_seconds=90.0)


def show_loop(fresh: dict[str, list[float]], loop: dict[str, list[float]], growth: dict[str, float],
              disk: dict[str, float], frames: int, console: Console) -> None:
    table = Table("", "p50", "p99", "max", title=f"a turn of the loop without a model, ms over {frames} frames "
                  f"(target: p99 at most {TARGET_MS})", title_justify="left")
    for clock in ("processor", "wall"):
        table.add_row(f"{clock} time", *(f"{number:.3f}" for number in loop[clock]))
        table.add_row(f"{clock} time, in fresh memory", *(f"{number:.3f}" for number in fresh[clock]))
    console.print(table)
    console.print(f"the last tenth of the turns costs {loop['last_tenth_to_first'][0]:.2f} times the first; a whole "
                  f"conversation of ten times the length {growth['ratio']:.2f} times as much per frame with its array "
                  f"({growth['short_ms']:.3f} to {growth['long_ms']:.3f} ms); saving {disk['save_us']:.1f} µs per "
                  f"frame (× {disk['save_ratio']:.2f}), loading {disk['load_us']:.1f} µs (× {disk['load_ratio']:.2f})")


def show_agent(name: str, found: dict[str, Any], console: Console) -> None:
    table = Table("", "calls", "p50 ms", "p99 ms", "max ms", "ms per frame", title_justify="left",
                  title=f"{name}: what a frame of {BUDGET_MS:.0f} ms is spent on, processor time")
    table.add_row("a whole step", str(found["frames"]), *(f"{number:.3f}" for number in found["step_ms_p50_p99_max"]),
                  f"{sum(part['ms_per_frame'] for part in found['parts'].values()):.3f}", style="bold")
    for part, numbers in found["parts"].items():
        table.add_row(part, str(numbers["calls"]), *(f"{number:.3f}" for number in numbers["ms_p50_p99_max"]),
                      f"{numbers['ms_per_frame']:.3f}")
    console.print(table)


if __name__ == "__main__":
    main()
