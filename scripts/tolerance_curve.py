"""What an agent tolerates: its own voice coming back, by level and delay, and noise, by its ratio to the caller.

    python scripts/tolerance_curve.py echo --agents incremental cascade
    python scripts/tolerance_curve.py noise --agents incremental cascade --seeds 0 1 2
    python scripts/tolerance_curve.py echo --agents remote --with agent.url=ws://127.0.0.1:8998 agent.mode=lockstep

Every agent is compared with itself on a clean line, on the same scenarios and seeds. It fails where it is worse by a
tenth or more, beyond chance, in one of FAILS_BY. Plays what is not in `--out` (with `_echo` or `_noise` behind it) yet;
a point whose config has changed is played again. Writes `points.csv`, `observations.parquet` and `tolerance.png`;
prints a table and a last line of JSON.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import pandas as pd
from points import Point, add_arguments, observations, summarised
from rich.console import Console
from rich.table import Table
from tolerance_picture import draw

from duplex.recording import moment
from eval.metrics.catalogue import metric
from eval.metrics.metric import Metric
from eval.metrics.occasions import Observation, response
from eval.timeline import Timeline

DECIBELS: Final = (-60.0, -50.0, -40.0, -30.0, -20.0, -10.0, 0.0)
MILLISECONDS: Final = (20.0, 50.0, 100.0, 200.0, 400.0)
RATIOS: Final = (40.0, 30.0, 25.0, 20.0, 15.0, 10.0, 5.0, 0.0)
SILENCE_SECONDS: Final = 0.4  # as of a stop in `eval.metrics.interruption`
LOSS: Final = 0.1  # of a share, from which an agent fails
SELF_STOP: Final = Metric("self_stop", "Answers broken off", "share", "lower", "rate",
                          "the agent stops in its answer and goes on, though nobody spoke")
MEASURED: Final = (SELF_STOP, *map(metric, (
    "switch_latency", "response_rate", "pause_false_start", "task_success", "early_rate")))
FAILS_BY: Final = (SELF_STOP, *map(metric, ("response_rate", "task_success", "pause_false_start")))
SCENARIOS: Final = {"echo": ("smooth", "optician"), "noise": ("smooth", "pauses", "optician")}
KINDS: Final = {"echo": ("echo",), "noise": ("white", "babble")}


class Condition(NamedTuple):
    """An agent on a line.

    Attributes:
        kind: "clean", "echo", "white" or "babble".
        level: of the echo relative to the agent's voice, of the caller's voice relative to the noise, dB.
        delay: of the echo, ms.
    """

    agent: str
    kind: str
    level: float | None = None
    delay: float | None = None

    @property
    def name(self) -> str:
        level = "" if self.level is None else f"{self.level:+g}dB"
        return f"{self.agent}@{self.kind}{level}{'' if self.delay is None else f'{self.delay:g}ms'}"

    @property
    def overrides(self) -> tuple[str, ...]:
        lines = {"clean": (), "white": ("perturb=noise", f"perturb.snr={self.level}"),
                 "babble": ("perturb=babble", f"perturb.snr={self.level}"),
                 "echo": ("perturb=self_echo", f"perturb.decibels={self.level}",
                          f"perturb.delay={(self.delay or 0.0) / 1000.0}")}
        return (f"agent={self.agent}", *lines[self.kind])


def main() -> None:
    options = arguments()
    console = Console()
    conditions = list(asked(options))
    points = [Point(one.name, (*one.overrides, *options.settings)) for one in conditions]
    observed = observations(points, options, console, (self_stop,))
    table = pd.DataFrame(rows(observed, conditions))
    table.to_csv(options.out / "points.csv", index=False, float_format="%.6f")
    show(table, options.clock, console)
    failing = first_failures(table)
    for agent, found in failing.items():
        console.print(f"{agent} fails from: {sentence(found)}")
    picture = draw(table, options.what, options.out / "tolerance.png", options.clock)
    conversations = len(observed.groupby(["system", "scenario", "seed"]))
    print(json.dumps({"clock": options.clock, "conversations": conversations, "fails_from": failing,
                      "table": str(options.out / "points.csv"), "picture": picture and str(picture)}))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=tuple(SCENARIOS))
    parser.add_argument("--agents", nargs="+", default=["incremental", "cascade"])
    parser.add_argument("--with", nargs="*", default=[], dest="settings", help="further settings of the bench")
    parser.add_argument("--decibels", nargs="+", type=float, default=list(DECIBELS))
    parser.add_argument("--milliseconds", nargs="+", type=float, default=list(MILLISECONDS))
    parser.add_argument("--ratios", nargs="+", type=float, default=list(RATIOS))
    add_arguments(parser, "tolerance", ())
    parser.set_defaults(max_seconds=45.0)  # an agent that stutters never comes to the end
    options = parser.parse_args()
    options.scenarios = options.scenarios or list(SCENARIOS[options.what])
    options.out = options.out.with_name(f"{options.out.name}_{options.what}")
    return options


def asked(options: argparse.Namespace) -> Iterator[Condition]:
    for agent in options.agents:
        yield Condition(agent, "clean")
        if options.what == "echo":
            yield from (Condition(agent, "echo", level, delay)
                        for level in sorted(options.decibels) for delay in sorted(options.milliseconds))
        else:
            yield from (Condition(agent, kind, ratio)
                        for kind in KINDS["noise"] for ratio in sorted(options.ratios, reverse=True))


def self_stop(timeline: Timeline) -> list[Observation]:
    """Share of the answers that the agent breaks off by itself: it is silent for 0.4 s or more and speaks again, before
    anything is heard of the caller.

    An answer lasts from its onset to the caller's next sound. One that is given up for good does not count as broken
    off: it looks like a short answer, and costs the task.
    """
    observations = []
    for act in timeline.acts:
        onset = response(timeline, act) if act.answer_due else None
        if onset is not None:
            until = next((unit.start for unit in timeline.user if unit.start > max(onset, act.end)), timeline.seconds)
            units = [unit for unit in timeline.agent if onset <= unit.start < until]
            broken = any(moment(after.start - before.end) >= SILENCE_SECONDS for before, after in pairwise(units))
            observations.append(Observation("self_stop", onset, float(broken)))
    return observations


def rows(observed: pd.DataFrame, conditions: Sequence[Condition]) -> Iterator[dict[str, Any]]:
    """Each condition, from clean to the worst, with what it costs the agent under `_gain`: clean minus this."""
    played = dict(list(observed.groupby("system")))
    for one in conditions:
        found = summarised(played[one.name], played[Condition(one.agent, "clean").name], MEASURED)
        lost = [metric.name for metric in FAILS_BY if is_lost(found, metric)]
        yield {"point": one.name, **one._asdict(), **found, "fails": bool(lost), "lost": " ".join(lost)}


def is_lost(found: dict[str, Any], metric: Metric) -> bool:
    """Whether a share is worse than on a clean line by LOSS or more, with an interval that leaves out no loss."""
    sign, surely = (1.0, "low") if metric.better == "higher" else (-1.0, "high")
    return bool(sign * found[f"{metric.name}_gain"] >= LOSS and sign * found[f"{metric.name}_gain_{surely}"] > 0.0)


def first_failures(table: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Of each agent and each delay, or kind of noise, the least level at which it fails; None where it never does."""
    found: dict[str, dict[str, float | None]] = {}
    disturbed = table[table["kind"] != "clean"]
    where = [kind if pd.isna(delay) else f"{delay:g} ms" for kind, delay in disturbed[["kind", "delay"]].to_numpy()]
    for (agent, line), points in disturbed.assign(where=where).groupby(["agent", "where"], sort=False):
        failed = points.loc[points["fails"], "level"]
        found.setdefault(str(agent), {})[str(line)] = float(failed.iloc[0]) if len(failed) else None
    return found


def sentence(found: dict[str, float | None]) -> str:
    return ", ".join(f"{'nothing' if level is None else f'{level:+g} dB'} ({where})" for where, level in found.items())


def show(table: pd.DataFrame, clock: str, console: Console) -> None:
    printed = Table(title=f"{clock} clock; [] 95 % interval; red: fails", title_justify="left")
    printed.add_column("point", no_wrap=True)
    for one in MEASURED:
        printed.add_column(f"{one.title}, {'%' if one.unit == 'share' else one.unit}", justify="right")
    for _, row in table.iterrows():
        printed.add_row(row["point"], *(cell(row, one) for one in MEASURED), style="red" if row["fails"] else "")
    if not console.is_terminal:
        console = Console(width=max(console.width, 160))
    console.print(printed)


def cell(row: pd.Series, metric: Metric) -> str:
    scale, digits = (100.0, 0) if metric.unit == "share" else (1.0, 2)
    value, low, high = (scale * row[f"{metric.name}{end}"] for end in ("", "_low", "_high"))
    if pd.isna(value):
        return "–"
    return f"{value:.{digits}f}" + ("" if pd.isna(low) or pd.isna(high) else f" [{low:.{digits}f} {high:.{digits}f}]")


if __name__ == "__main__":
    main()
