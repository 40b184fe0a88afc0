"""Does every metric measure what it says it does?

    python scripts/known_answers.py --conversations 10000 --processes 2
    python scripts/known_answers.py --seed 4711 --conversations 1 -v

Random conversations with agents of exactly known behaviour are held, saved, loaded and scored as programs do it, and every
observation is compared with what follows from the plan alone (`known_calls`). Where both parties keep to frames of 80 ms,
or to the 10 ms of the segmentation, times must be exact. Where the agent begins and ends on any sample, each of its edges
may be seen up to 10 ms off: a time must lie between those of edges that are moved out, and in, to the next 10 ms, so within
10 ms for each edge in it; a metric that a threshold decides within these 10 ms is not compared, and counted.

Who commits the sin, and who the virtue:

    answers, zones, decisions   never answers, late, interrupter (early); responder, echo and scripted in time
    pauses                      responder whose patience is shorter; one whose patience is longer
    interruptions               never yields; yields, and scripted, who also goes on as before or comes to the point
    asides                      yields, and scripted that stops or answers; never yields, and scripted that holds its breath
    backchannels, floor theft   interrupter, backchanneller at any time; scripted near opportunities
    floor transfers, shares     everybody; the truth is a sweep over the planned edges
    parts, tasks, costs         scripted, who logs what it likes; some fail, some are too slow, some are overdriven
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from known_acts import Found
from known_calls import Call, Moved, drawn, expected, held, measured
from known_truth import Expected
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from eval.metrics.catalogue import METRICS
from eval.tasks import catalogue as tasks
from eval.tasks.cost import METRICS as COSTS

EXACT: Final = 5e-6  # seconds; a log keeps microseconds, a sample lasts 42 of them
EDGE: Final = 0.01
ELSEWHERE: Final = {  # what is measured with a model's help or of a task, and where that is tested
    **{metric.observed: "tests/test_task_*.py: needs service calls" for group in tasks.GROUPS.values() for metric in group},
    **{metric.observed: "tests/test_cost.py: needs prices" for metric in COSTS},
    "segmentation_disagreement_agent": "tests/test_second_opinion.py: needs Silero",
    "segmentation_disagreement_user": "tests/test_second_opinion.py: needs Silero",
    "text_audio_word_error": "tests/test_transcript.py: needs a recogniser"}
UNITS: Final = {metric.observed: metric.unit for metric in METRICS if not metric.family and metric.observed not in ELSEWHERE}
TIMES: Final = frozenset(name for name, unit in UNITS.items() if unit in ("s", "s/min")) | {"talk_share"}
SUMS: Final = frozenset({"ipu_seconds", "pause_seconds", "gap_seconds", "overlap_seconds", "talk_share", "double_talk"})
TWO_EDGES: Final = frozenset({"ipu_length", "pause_length", "gap_length", "overlap_length"})


@dataclass
class Tally:
    """What became of a metric.

    Attributes:
        compared: observations.
        exact: of these, the ones that had to be exact.
        undecided: conversations in which an edge within 10 ms decides.
        least, most: values that were expected.
        error: the largest, seconds or whatever the metric counts.
        failures: seed and what was wrong.
    """

    compared: int = 0
    exact: int = 0
    undecided: int = 0
    least: float = float("inf")
    most: float = float("-inf")
    error: float = 0.0
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.compared += other.compared
        self.exact += other.exact
        self.undecided += other.undecided
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)
        self.error = max(self.error, other.error)
        self.failures += other.failures


Tallies = dict[str, Tally]


def proven(seed: int) -> Tallies:
    """Holds the conversation of a seed and compares what is measured of it with what is known."""
    call = drawn(seed)
    with TemporaryDirectory() as folder:
        return judged(call, measured(*held(call, Path(folder))))


def judged(call: Call, found: Found) -> Tallies:
    """What was found of a call, metric by metric, against what is known of it."""
    bounds = [expected(call, moved) for moved in (Moved if call.grid == "samples" else Moved[:1])]
    edges = 2 * len(bounds[0].get("ipu_length", ())) + 1
    return {metric: compared(call, metric, edges, [bound.get(metric, []) for bound in bounds], found.get(metric, []))
            for metric in UNITS if any(metric in one for one in (*bounds, found))}


def compared(call: Call, metric: str, edges: int, bounds: Sequence[Sequence[Expected]], found: Sequence[Expected]) -> Tally:
    """What is measured of a metric against what follows for edges as they are, moved out, and moved in.

    Args:
        edges: how many of the agent's are in a sum of them all.
    """
    wanted = [sorted(bound) for bound in bounds]
    edges = edges if metric in SUMS else 2 if metric in TWO_EDGES else 1
    if not all(decides_nothing(metric, edges, wanted[0], other) for other in wanted[1:]):
        return Tally(undecided=1)
    values = [one.value for one in wanted[0]] or [0.0]
    tally = Tally(len(wanted[0]), len(wanted[0]) if len(wanted) == 1 else 0, 0, min(values), max(values))
    got = sorted(found)
    if len(got) != len(wanted[0]):
        tally.failures = [(call.seed, f"{metric}: {len(wanted[0])} observations are right, not {len(got)}: "
                                      f"{shown(wanted[0])}, not {shown(got)}")]
        return tally
    for one, *others in zip(got, *wanted):
        tally.error = max(tally.error, abs(one.value - others[0].value))
        if not lies_within(one, others):
            tally.failures.append((call.seed, f"{metric}: {shown(others)} is right, not {shown([one])}"))
    return tally


def decides_nothing(metric: str, edges: int, wanted: Sequence[Expected], other: Sequence[Expected]) -> bool:
    """Whether it makes no difference to a metric, but to a time, where edges are seen."""
    if len(wanted) != len(other) or [one.censored for one in wanted] != [one.censored for one in other]:
        return False
    if metric not in TIMES:
        return all(abs(one.value - two.value) < EXACT for one, two in zip(wanted, other))
    return all(abs(one.value - two.value) < edges * EDGE + EXACT for one, two in zip(wanted, other))


def lies_within(found: Expected, wanted: Sequence[Expected]) -> bool:
    return found.censored == wanted[0].censored and all(
        min(allowed) - EXACT <= value <= max(allowed) + EXACT
        for value, allowed in ((found.start, [one.start for one in wanted]), (found.value, [one.value for one in wanted]),
                               (found.per, [one.per for one in wanted])))


def shown(found: Iterable[Expected]) -> str:
    return "; ".join(f"{one.value:.6g} at {one.start:.6g} s" + (" or more" if one.censored else "")
                     + (f" per {one.per:.6g}" if one.per != 1.0 else "") for one in found) or "none"


def proofs(seeds: Sequence[int], processes: int) -> Iterator[Tallies]:
    if processes == 1:
        yield from map(proven, seeds)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(proven, seeds, chunksize=20)


def added(tallies: Iterable[Tallies]) -> Tallies:
    total: Tallies = {metric: Tally() for metric in UNITS}
    for tally in tallies:
        for metric, one in tally.items():
            total[metric].add(one)
    return total


def card(total: Tallies) -> Table:
    table = Table(Column("metric", no_wrap=True), "compared", "exact", "undecided", "from", "to", "error", "failures", box=None)
    for metric, one in total.items():
        table.add_row(metric, f"{one.compared:,}", f"{one.exact:,}", f"{one.undecided:,}",
                      *(("", "") if not one.compared else (f"{one.least:.4g}", f"{one.most:.4g}")),
                      f"{one.error:.6f}", str(len(one.failures) or ""))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the first conversation")
    parser.add_argument("-v", "--verbose", action="store_true", help="what each conversation is, and all that is wrong")
    chosen = parser.parse_args()
    logging.getLogger("eval.counterfactual").setLevel(logging.ERROR)
    console = Console()
    seeds = range(chosen.seed, chosen.seed + chosen.conversations)
    if chosen.verbose:
        for seed in seeds:
            describe(drawn(seed), console)
    started = time.perf_counter()
    found = proofs(seeds, chosen.processes)
    total = added(track(found, "conversations", total=len(seeds), console=console, disable=not console.is_terminal))
    seconds = time.perf_counter() - started
    console.print(card(total))
    failures = [(metric, *failure) for metric, one in total.items() for failure in one.failures]
    for _, seed, what in failures if chosen.verbose else failures[:20]:
        console.print(f"seed {seed}: {what}", style="red", highlight=False)
    never = [metric for metric, one in total.items() if not one.compared]
    print(json.dumps({
        "conversations": len(seeds), "seconds": round(seconds, 1), "metrics": len(total), "never_observed": never,
        "compared": sum(one.compared for one in total.values()), "exact": sum(one.exact for one in total.values()),
        "undecided": sum(one.undecided for one in total.values()), "failures": len(failures),
        "seeds": sorted({seed for _, seed, _ in failures})[:20],
        "largest_error_seconds": round(max(total[metric].error for metric in TIMES - SUMS), 6)}))
    sys.exit(bool(failures))


def describe(call: Call, console: Console) -> None:
    what = "hangs up" if call.ended else "is heard to the end"
    console.print(f"seed {call.seed}: {call.instrument.name} on {call.grid}, {call.num_frames} frames, "
                  f"{'fails' if call.fails else what}{', overdriven' if call.overdriven else ''}", style="bold")
    for act in call.acts:
        console.print(f"  {act.kind:16} {act.start / 24_000:8.3f} {act.end / 24_000:8.3f} "
                      f"{'answer due' if act.answer_due else ''} {list(act.expects) or ''}", highlight=False)
    said = call.instrument.says(call.sounds, call.length)
    for start, end in said.sounds:
        console.print(f"  agent sounds     {start / 24_000:8.4f} {end / 24_000:8.4f}", highlight=False)
    for text, start, end in said.words:
        console.print(f"  agent says       {start / 24_000:8.4f} {end / 24_000:8.4f} {text}", highlight=False)
    for kind, start, detail in said.events:
        console.print(f"  agent logs       {start / 24_000:8.4f} {kind} {detail}", highlight=False)


if __name__ == "__main__":
    main()
