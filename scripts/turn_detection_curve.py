"""Turn detectors' operating curves: how soon each calls a turn over, against how often it does so in a pause inside one.

    python scripts/turn_detection_curve.py                                all that run here, three minutes on two cores
    python scripts/turn_detection_curve.py --runs runs/2026-11-24_10-00-00    with agents that decide themselves, as points
    python scripts/turn_detection_curve.py --chat model.model=qwen3 model.base_url=http://localhost:8000/v1

Every phrase is spoken once and heard once, by Silero and the recogniser; each detector is then asked frame by frame, at
every setting of its main parameter. Latency runs from the true end of the turn to the call, and holds no language model and
no synthesis. Detectors that go by words wait until the last of them have come, as the agents do; the turn model knows the
domain's phrases. Phrases that nobody called over are censored.

Agents enter by the "endpoint" events of finished runs, against the turns and pauses that their callers logged: on what those
runs played, which need not be these phrases. LiveKit's detector may run inside LiveKit's agent only, so it enters this way.

Writes `settings.csv` and `curve.png`; prints a table and a last line of JSON.
"""

import argparse
import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib.util import find_spec
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from typing import Any, Final

import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sweep import FALSE_STARTS, AtRate, as_list
from turn_detection_picture import draw
from turn_detectors import SWEEPS, Bench, Found
from turn_phrases import Phrase, phrases
from turn_points import at_rate, separation, settings_of, table_of
from turn_recordings import recorded

from duplex.manifest import CHECKOUT

SUITES: Final = ("pauses", "smooth", "paraphrases", "optician")
VOICES: Final = ("carl", "eve", "jo", "gus")
COLUMNS: Final = ("detector", "setting", "latency s", "p95 s", "pauses cut %", "turns called early %", "never called %", "turns",
                  "pauses")
CHANCE: Final = ("Smart Turn was trained on people's voices and neural ones; of these synthetic ones it knows little more than "
                 "chance. Its curve says nothing about people.")


def main() -> None:
    options, console = arguments(), Console()
    asked = detectors(options, console)
    found = list(heard(phrases(options.scenarios, options.seeds, options.voices), asked, options, console))
    points = list(settings_of(found))
    table = table_of([*points, *recorded(options.runs)])
    options.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out / "settings.csv", index=False, float_format="%.6f")
    show(table, options.clock, console)
    swept = {name: at_rate([point for point in points if point.detector == name]) for name in asked}
    for name, there in swept.items():
        console.print(f"{name}: {sentence(there)}", markup=False)
    if "smart_turn" in asked:
        console.print(f"{CHANCE} {separation(found)}")
    if num_failed := sum(one.num_failed for one in found):
        console.print(f"The language model had no answer to {num_failed} questions: there its long silence ended the turn.")
    picture = draw(table, options.out / "curve.png", options.clock)
    print(json.dumps({"clock": options.clock, "phrases": len(found), "different": len({one.phrase.name for one in found}),
                      "pauses": sum(len(one.said.pauses) for one in found), "cut": FALSE_STARTS,
                      "latency_at_cut": {name: as_list(there) for name, there in swept.items()},
                      "table": str(options.out / "settings.csv"), "picture": picture and str(picture)}))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detectors", nargs="+", default=[name for name in SWEEPS if name != "chat"], choices=list(SWEEPS))
    parser.add_argument("--chat", nargs="+", default=[], metavar="KEY=VALUE", help="of configs/endpointing/chat.yaml")
    parser.add_argument("--runs", nargs="+", type=Path, default=[], help="folders of finished bench runs")
    parser.add_argument("--clock", default="cloud_typical", choices=("cloud_typical", "ideal"))
    parser.add_argument("--scenarios", nargs="+", default=list(SUITES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--voices", nargs="+", default=list(VOICES))
    parser.add_argument("--processes", type=int, default=0, help="0: one per core")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "runs" / "turn_detection_curve")
    return parser.parse_args()


def detectors(options: argparse.Namespace, console: Console) -> list[str]:
    """Those that can be asked here; says which cannot, and why."""
    asked = [name for name in options.detectors if name != "chat"] + (["chat"] if options.chat else [])
    if "smart_turn" in asked and find_spec("pipecat") is None:
        console.print("no smart_turn: its weights come with pipecat-ai, pip install duplex-harness[pipecat]")
        asked.remove("smart_turn")
    if not options.chat:
        console.print("no chat: say which model, as in --chat model.model=qwen3 model.base_url=http://localhost:8000/v1")
    return asked


def heard(said: Sequence[Phrase], asked: Sequence[str], options: argparse.Namespace, console: Console) -> Iterator[Found]:
    """What each phrase brought, in order; recognisers hold the interpreter's lock, so each core gets a process."""
    with ProcessPoolExecutor(options.processes or cpu_count(), get_context("spawn"), quieten) as pool:
        jobs = [pool.submit(hear, one, tuple(asked), options.clock, tuple(options.chat)) for one in said]
        for job in track(jobs, f"{len(said)} phrases", console=console, disable=not console.is_terminal):
            yield job.result()


def quieten() -> None:
    """A model that fails is counted, and that is said once, not by each setting of each phrase."""
    logging.getLogger("duplex.stages.turns.chat_turn").setLevel(logging.ERROR)


def hear(phrase: Phrase, asked: tuple[str, ...], clock: str, chat: tuple[str, ...]) -> Found:
    return bench(asked, clock, chat).hear(phrase)


@cache
def bench(asked: tuple[str, ...], clock: str, chat: tuple[str, ...]) -> Bench:
    return Bench(asked, clock, chat)


def show(table: pd.DataFrame, clock: str, console: Console) -> None:
    printed = Table(title=f"turn detectors, {clock} clock; [] 95 % interval over phrases", title_justify="left")
    for title in COLUMNS:
        printed.add_column(title, justify="left" if title == "detector" else "right", no_wrap=True)
    for _, row in table.iterrows():
        printed.add_row(str(row["detector"]), str(row["setting"]), seconds(row, "latency"), seconds(row, "p95"),
                        percent(row, "cut"), percent(row, "early"), f"{100.0 * row['never']:.0f}", str(row["turns"]),
                        str(row["pauses"]))
    (console if console.is_terminal else Console(width=max(console.width, 160))).print(printed)


def sentence(there: AtRate) -> str:
    if there.value is None:
        return f"no setting cuts as few as {FALSE_STARTS:.0%} of the pauses"
    low, high = ("open" if end is None else f"{end:.2f}" for end in (there.low, there.high))
    most = "" if there.reached else "at most "
    return f"{most}{there.value:.2f} s [{low} {high}] where it cuts {FALSE_STARTS:.0%} of the pauses"


def seconds(row: "pd.Series[Any]", measure: str) -> str:
    if pd.isna(row[measure]):
        return "not reached"
    return f"{row[measure]:.2f} {ends(row, measure, 1.0, '.2f')}"


def percent(row: "pd.Series[Any]", measure: str) -> str:
    return "–" if pd.isna(row[measure]) else f"{100.0 * row[measure]:.0f} {ends(row, measure, 100.0, '.0f')}"


def ends(row: "pd.Series[Any]", measure: str, scale: float, how: str) -> str:
    low, high = ("open" if pd.isna(row[f"{measure}_{end}"]) else format(scale * row[f"{measure}_{end}"], how)
                 for end in ("low", "high"))
    return f"\\[{low} {high}]"


if __name__ == "__main__":
    main()
