"""Agents that decide for themselves when a turn is over, from the logs of finished bench runs; used by `turn_detection_curve.py`.

Any agent that logs "endpoint" events can be read: the cascade, the incremental agent, those of the frameworks. Reads no sound.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from turn_phrases import ACTS, TAIL_SECONDS, Outcome, Said, outcome
from turn_points import Point

from duplex.frame import Event
from duplex.recording import read_log
from eval.scoring import CONVERSATIONS
from eval.timeline import FLOOR_KINDS, PAUSE, Act, acts


def recorded(runs: Sequence[Path]) -> Iterator[Point]:
    """One point for each system on each clock.

    Raises:
        FileNotFoundError: a folder is no finished run.
    """
    outcomes: dict[tuple[str, str], list[tuple[str, Outcome]]] = defaultdict(list)
    for run in runs:
        logs = sorted((run / CONVERSATIONS).rglob("log.json"))
        if not logs:
            raise FileNotFoundError(f"no conversations in {run}: give the folder of a bench run, as in runs/2026-11-24_10-00-00")
        for path in logs:
            log = read_log(path.parent)
            facts = log["facts"]
            outcomes[str(facts.get("system")), str(facts.get("clock"))] += [
                (str(facts.get("scenario")), one) for one in turns_of(log)]
    for (system, clock), found in outcomes.items():
        yield Point(system, f"as run, {clock}", found)


def turns_of(log: Mapping[str, Any]) -> Iterator[Outcome]:
    """What became of each turn to which an answer is due; one after which the recording ends too soon was not judged."""
    events = [Event(**row) for row in log["events"]["agent"]]
    calls = [event.start for event in events if event.kind == "endpoint"]
    told = acts(Event(**row) for row in log["events"]["user"])
    if not calls:
        return
    for act in told:
        if act.kind not in ACTS or not act.answer_due:
            continue
        until = min([other.start for other in told if other.kind in FLOOR_KINDS and other.start > act.start]
                    + [act.end + TAIL_SECONDS, float(log["seconds"])])
        pauses = tuple((one.start, one.end) for one in told if one.kind == PAUSE and within(one, act))
        found = outcome(Said(act.start, act.end, pauses), [call for call in calls if act.start < call <= until])
        yield found._replace(latency=max(0.0, until - act.end)) if found.censored else found


def within(pause: Act, act: Act) -> bool:
    return act.start <= pause.start and pause.end <= act.end
