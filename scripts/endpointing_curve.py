"""The cascade's operating points: how soon it answers against how often it talks into a pause.

    python scripts/endpointing_curve.py                              everything, seed 0: 49 points, 15 min on idle cores
    python scripts/endpointing_curve.py --groups presets --seeds 0 1 2
    python scripts/endpointing_curve.py --groups barge_in --scenarios interruptions backchannels --out runs/barge_in

Plays what is not in `--out` yet, so that a search goes from coarse to fine; a point whose config has changed is played
again. Writes `points.csv`, `observations.parquet` and `curve.png`; prints a table and a last line of JSON.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

import pandas as pd
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from operating_points import PRESETS, best, closest, draw, is_frontier, show
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from duplex.manifest import CHECKOUT
from eval.metrics.catalogue import metric
from eval.observations import read_observations, write_observations
from eval.scenario import suite
from eval.scores import pair_keys, summary
from eval.simulation import Conversation, simulate

MEASURED: Final = ("switch_latency", "switch_latency_p95", "pause_false_start", "early_rate", "response_rate",
                   "task_success", "prepared_in_vain", "stop_latency", "yield_rate", "recovery_rate",
                   "backchannel_continue", "backchannel_kept", "cough_continue", "conversation_failed")
SILENCES: Final = tuple(round(0.1 * tenth, 1) for tenth in range(2, 13))
GROUPS: Final = ("reference", "presets", "silence", "two_stage", "parts")
KEYS: Final = ["system", "scenario", "seed"]


def main() -> None:
    options = arguments()
    console = Console()
    config, systems = composed(options)
    observed = played(config, systems, options, console)
    points = pd.DataFrame(summaries(observed))
    cascades = points[points["point"] != "incremental"]
    frontier = set(cascades.loc[is_frontier(cascades), "point"])
    points["frontier"] = points["point"].isin(frontier)
    points.to_csv(options.out / "points.csv", index=False, float_format="%.6f")
    show(points, options.clock, console)
    chosen, rival = best(points), closest(points)
    picture = draw(points, options.out / "curve.png", options.clock)
    print(json.dumps({
        "clock": options.clock, "conversations": len(observed.groupby(KEYS)), "points": len(points),
        "frontier": sorted(frontier), "best": chosen, "closest_rival": rival,
        "table": str(options.out / "points.csv"), "picture": picture and str(picture)}))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clock", default="cloud_typical", choices=("cloud_typical", "measured", "ideal"))
    parser.add_argument("--groups", nargs="*", default=list(GROUPS), choices=(*GROUPS, "barge_in"))
    parser.add_argument("--points", nargs="*", default=[], help="further points by name, e.g. two_stage-0.12-0.16-1.2")
    parser.add_argument("--scenarios", nargs="+", default=["smooth", "pauses", "paraphrases", "service"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--fast", nargs="+", type=float, default=[0.08, 0.16, 0.24, 0.4])
    parser.add_argument("--threshold", nargs="+", type=float, default=[0.06, 0.12, 0.36])
    parser.add_argument("--slow", nargs="+", type=float, default=[0.8, 1.2])
    parser.add_argument("--processes", type=int, default=0, help="0: one per core")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "runs" / "endpointing_curve")
    return parser.parse_args()


def names(options: argparse.Namespace) -> Iterator[str]:
    """A point's name holds its numbers, so that it can be asked for again."""
    if "reference" in options.groups:
        yield from ("incremental", "tuned")
    if "presets" in options.groups:
        yield from PRESETS
    if "silence" in options.groups:
        yield from (f"silence-{seconds}" for seconds in SILENCES)
    if "two_stage" in options.groups:
        yield from (f"two_stage-{threshold}-{fast}-{slow}"
                    for threshold, fast, slow in product(options.threshold, options.fast, options.slow))
    if "parts" in options.groups:
        yield from (f"parts-{after}-{trust}" for after, trust in product(("null", 0.0, 0.08, 0.16), ("true", "false")))
    if "barge_in" in options.groups:
        yield from (f"barge_in-{least}-{windows}-0.3" for least, windows in
                    product((0.1, 0.16, 0.24, 0.32, 0.4), (2, 3)))
    yield from options.points


def overrides(name: str) -> list[str]:
    """What hydra is told to make the point of that name."""
    kind, *values = name.split("-")
    match kind, values:
        case "silence", [seconds]:
            return ["agent=cascade", "endpointing@agent.endpointing=silence", f"agent.endpointing.seconds={seconds}"]
        case "two_stage", [threshold, fast, slow]:
            return ["agent=cascade", f"agent.endpointing.threshold={threshold}", f"agent.endpointing.fast={fast}",
                    f"agent.endpointing.slow={slow}", f"agent.endpointing.unfinished={max(1.2, float(slow))}"]
        case "parts", [after, trust]:
            return ["agent=cascade", f"agent.prepare_after={after}", f"agent.trust_partial={trust}"]
        case "barge_in", [least, windows, resume]:
            return ["agent=cascade", f"agent.barge_in.min_speech={least}", f"agent.detector.start_windows={windows}",
                    f"agent.barge_in.resume_after={resume}"]
        case _, []:
            return [f"agent={'cascade' if kind == 'tuned' else kind}"]
    raise ValueError(f"no point {name!r}: give silence-SECONDS, two_stage-THRESHOLD-FAST-SLOW, parts-AFTER-TRUST, "
                     "barge_in-LEAST-WINDOWS-RESUME, tuned, or an agent's name")


def composed(options: argparse.Namespace) -> tuple[DictConfig, list[str]]:
    """The bench's config with every point as a role of its own."""
    systems = list(dict.fromkeys(names(options)))
    with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
        config = compose("bench")
        OmegaConf.set_struct(config, False)
        config.clocks = {options.clock: config.clocks[options.clock]}
        for name in systems:
            config[name] = compose("bench", overrides(name)).agent
    return config, systems


def played(config: DictConfig, systems: list[str], options: argparse.Namespace, console: Console) -> pd.DataFrame:
    """The observations of all points in the folder, after playing what is missing; saved after every seed."""
    options.out.mkdir(parents=True, exist_ok=True)
    observed = known(config, systems, options.out)
    done = set(observed[KEYS].itertuples(index=False, name=None)) if len(observed) else set()
    scenarios = suite(options.scenarios)
    for seed in options.seeds:
        missing = [Conversation(name, name, options.clock, scenario, seed) for name in systems
                   for scenario in scenarios if (name, scenario.name, seed) not in done]
        if missing:
            rows = list(play(config, missing, options, console, f"seed {seed}"))
            observed = pd.concat([observed, pd.DataFrame(rows)], ignore_index=True)
            write_observations(observed.to_dict("records"), options.out / "observations.parquet")  # type: ignore[arg-type]
    return observed


def known(config: DictConfig, systems: list[str], out: Path) -> pd.DataFrame:
    """Observations of earlier calls, less those of points that mean something else by now."""
    path, made = out / "observations.parquet", out / "configs.json"
    before: dict[str, Any] = json.loads(made.read_text()) if made.is_file() else {}
    now = {name: OmegaConf.to_yaml(config[name]) for name in systems}
    stale = {name for name in systems if name in before and before[name] != now[name]}
    made.write_text(json.dumps({**before, **now}, indent=1))
    if not path.is_file():
        return pd.DataFrame()
    observed = read_observations(path)
    return observed[~observed["system"].isin(stale)]


def play(config: DictConfig, conversations: Sequence[Conversation], options: argparse.Namespace, console: Console,
         title: str) -> Iterator[dict[str, Any]]:
    """Rows of every conversation; the sound is thrown away, there would be gigabytes of it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=len(conversations))
        for one in simulate(config, conversations, options.out, options.processes):
            rmtree(options.out / one.conversation.folder)
            progress.advance(task)
            if one.failure:
                progress.console.print(f"[red]failed[/] {one.conversation.folder}: {one.failure}")
            yield from one.rows
    rmtree(options.out / "conversations")


def summaries(observed: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """One row per point: each metric with its interval, and incremental minus the point on what both played."""
    theirs = observed[observed["system"] == "incremental"]
    for name, ours in observed.groupby("system"):
        common = sorted(set(pair_keys(ours)) & set(pair_keys(theirs)))
        row: dict[str, Any] = {"point": name}
        for measure in MEASURED:
            found = summary(metric(measure), theirs, ours, common)
            row |= {measure: found["baseline"], **{f"{measure}_{end}": found[f"baseline_{end}"]
                                                   for end in ("low", "high", "n")}}
            row |= {f"{measure}_gain{end}": found[f"difference{end}"] for end in ("", "_low", "_high")}
        yield row


if __name__ == "__main__":
    main()
