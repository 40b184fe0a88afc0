"""The cascade's operating points: how soon it answers against how often it talks into a pause.

    python scripts/endpointing_curve.py                              everything, seed 0: 66 points, some 40 min
    python scripts/endpointing_curve.py --groups reference presets silence turn_model threshold --seeds 0 1 2
    python scripts/endpointing_curve.py --groups barge_in --scenarios interruptions backchannels --out runs/barge_in

Three sweeps are curves of their own: a fixed silence of 0.2 to 1.2 s, the threshold of the turn model alone, and that
of the tuned cascade, whose dialogue helps. Of each, the latency at 5 % false starts is interpolated.

Plays what is not in `--out` yet, so that a search goes from coarse to fine; a point whose config has changed is played
again. Writes `points.csv`, `observations.parquet` and `curve.png`; prints a table and a last line of JSON.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import product
from typing import Final

import pandas as pd
from operating_points import PRESETS, REFERENCE, SILENCES, THRESHOLDS, TUNED, TURN_MODELS, report, with_frontier
from points import Point, add_arguments, observations, summarised
from rich.console import Console

from eval.metrics.catalogue import metric

MEASURED: Final = tuple(map(metric, (
    "switch_latency", "switch_latency_p95", "pause_false_start", "early_rate", "response_rate", "task_success",
    "prepared_in_vain", "stop_latency", "yield_rate", "recovery_rate", "backchannel_continue", "backchannel_kept",
    "cough_continue", "conversation_failed")))
GROUPS: Final = ("reference", "presets", "silence", "turn_model", "threshold", "two_stage", "parts")


def main() -> None:
    options = arguments()
    console = Console()
    asked = [Point(name, tuple(overrides(name))) for name in dict.fromkeys(names(options))]
    observed = observations(asked, options, console)
    reference = observed[observed["system"] == REFERENCE]
    points = with_frontier(pd.DataFrame(
        {"point": name, **summarised(ours, reference, MEASURED)} for name, ours in observed.groupby("system")))
    table = options.out / "points.csv"
    points.to_csv(table, index=False, float_format="%.6f")
    found = report(points, observed, options.clock, table.with_name("curve.png"), console)
    conversations = len(observed.groupby(["system", "scenario", "seed"]))
    print(json.dumps({"clock": options.clock, "conversations": conversations, **found, "table": str(table)}))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, "endpointing_curve", ["smooth", "pauses", "paraphrases", "optician"])
    parser.add_argument("--groups", nargs="*", default=list(GROUPS), choices=(*GROUPS, "barge_in"))
    parser.add_argument("--points", nargs="*", default=[], help="further points by name, e.g. two_stage-0.12-0.16-1.2")
    parser.add_argument("--fast", nargs="+", type=float, default=[0.08, 0.16, 0.24, 0.4])
    parser.add_argument("--threshold", nargs="+", type=float, default=[0.06, 0.12, 0.36])
    parser.add_argument("--slow", nargs="+", type=float, default=[0.8, 1.2])
    return parser.parse_args()


def names(options: argparse.Namespace) -> Iterator[str]:
    """A point's name holds its numbers, so that it can be asked for again."""
    if "reference" in options.groups:
        yield from (REFERENCE, TUNED)
    if "presets" in options.groups:
        yield from PRESETS
    if "silence" in options.groups:
        yield from SILENCES
    if "turn_model" in options.groups:
        yield from TURN_MODELS
    if "threshold" in options.groups:
        yield from THRESHOLDS
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
    """What Hydra is told to make the point of that name."""
    kind, *values = name.split("-")
    match kind, values:
        case "silence", [seconds]:
            return ["agent=cascade", "endpointing@agent.endpointing=silence", f"agent.endpointing.seconds={seconds}"]
        case "two_stage", [threshold, fast, slow]:
            return ["agent=cascade", f"agent.endpointing.threshold={threshold}", f"agent.endpointing.fast={fast}",
                    f"agent.endpointing.slow={slow}", f"agent.endpointing.unfinished={max(1.2, float(slow))}"]
        case "turn_model", [threshold, fast, slow]:
            return ["agent=cascade", "agent.endpointing._target_=turn_model_alone.TurnModelAlone",
                    "~agent.endpointing.unfinished", f"agent.endpointing.threshold={threshold}",
                    f"agent.endpointing.fast={fast}", f"agent.endpointing.slow={slow}"]
        case "parts", [after, trust]:
            return ["agent=cascade", f"agent.prepare_after={after}", f"agent.trust_partial={trust}"]
        case "barge_in", [least, windows, resume]:
            return ["agent=cascade", f"agent.barge_in.min_speech={least}", f"agent.detector.start_windows={windows}",
                    f"agent.barge_in.resume_after={resume}"]
        case _, []:
            return [f"agent={'cascade' if kind == TUNED else kind}"]
    raise ValueError(f"no point {name!r}: give silence-SECONDS, two_stage-THRESHOLD-FAST-SLOW, "
                     "turn_model-THRESHOLD-FAST-SLOW, parts-AFTER-TRUST, barge_in-LEAST-WINDOWS-RESUME, tuned, "
                     "or an agent's name")


if __name__ == "__main__":
    main()
