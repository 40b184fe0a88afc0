"""What must be observed about the floor and the agent's own log: how the two share the time, decisions, parts, the task.

Written from the definitions in the docstrings of `eval.metrics` and `eval.turn_taking`, without their code.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from known_acts import Found, answers, see
from known_truth import FRAME, SECOND, Act, Expected, Span, Truth, common, seconds

USER: Final = 0
AGENT: Final = 1
STAGES: Final = ("line", "transport", "stt_final", "llm", "tts", "speech_reply", "frame", "lead")


class Stretch(NamedTuple):
    """A stretch of time in which the same parties speak."""

    start: int
    end: int
    who: frozenset[int]


def about_the_floor(truth: Truth) -> Found:
    """By metric, in order of time."""
    found: Found = defaultdict(list)
    stretches = sweep(truth)
    overlaps = [(one.start, one.end) for one in stretches if len(one.who) == 2]
    pauses, gaps = silences(stretches)
    spans = {"ipu": [*truth.user, *truth.agent], "pause": [span for spans in pauses for span in spans], "gap": gaps,
             "overlap": overlaps}
    for start, end in truth.agent:
        see(found, "ipu_length", start, seconds(end - start))
    for name, own in (("pause_length", pauses[AGENT]), ("gap_length", gaps), ("overlap_length", overlaps)):
        for start, end in own:
            see(found, name, start, seconds(end - start))
    turns = held(truth)
    for (_, _, ended), (party, start, _) in zip(turns, turns[1:]):
        see(found, "floor_transfer" if party == AGENT else "caller_transfer", start, seconds(start - ended))
        if party == AGENT:
            see(found, "floor_transfer_below_zero", start, start < ended)
    parts(truth, spans, [start for _, start, _ in turns], found)
    return found


def sweep(truth: Truth) -> list[Stretch]:
    """The conversation from one edge of a unit to the next, neighbours with the same speakers joined."""
    edges = sorted({0, truth.length, *(edge for unit in (*truth.user, *truth.agent) for edge in unit)})
    found: list[Stretch] = []
    for start, end in zip(edges, edges[1:]):
        who = frozenset(party for party, own in ((USER, truth.user), (AGENT, truth.agent)) if common(own, start, end))
        if found and found[-1].who == who:
            found[-1] = Stretch(found[-1].start, end, who)
        else:
            found.append(Stretch(start, end, who))
    return found


def silences(stretches: Sequence[Stretch]) -> tuple[tuple[list[Span], list[Span]], list[Span]]:
    """Pauses of the user and of the agent, and gaps; a silence beside an overlap or at the edge is nobody's."""
    pauses: tuple[list[Span], list[Span]] = ([], [])
    gaps: list[Span] = []
    for before, one, after in zip(stretches, stretches[1:], stretches[2:]):
        if not one.who and len(before.who) == len(after.who) == 1:
            if before.who == after.who:
                pauses[min(before.who)].append((one.start, one.end))
            else:
                gaps.append((one.start, one.end))
    return pauses, gaps


def held(truth: Truth) -> list[tuple[int, int, int]]:
    """Turns (party, start, end): units but backchannels, those of one party in a row joined."""
    speech = sorted((start, party, end) for party, own in ((USER, truth.user), (AGENT, truth.agent))
                    for start, end in own
                    if end - start > SECOND or common(own, start - SECOND, start) or common(own, end, end + SECOND))
    found: list[tuple[int, int, int]] = []
    for start, party, end in speech:
        if found and found[-1][0] == party:
            found[-1] = (party, found[-1][1], max(end, found[-1][2]))
        else:
            found.append((party, start, end))
    return found


def parts(truth: Truth, spans: dict[str, list[Span]], turns: list[int], found: Found) -> None:
    """Counts by parts of about a minute."""
    number = max(1, round(truth.length / (60 * SECOND)))
    for index in range(number):
        first, last = truth.length * index / number, truth.length * (index + 1) / number
        minutes = seconds(last - first) / 60
        counts = {"turns": float(sum(first <= start < last for start in turns))}
        for name, own in spans.items():
            begun = [end - start for start, end in own if first <= start < last]
            counts |= {f"{name}s": float(len(begun)), f"{name}_seconds": seconds(sum(begun))}
        for name, value in counts.items():
            found[name].append(Expected(seconds(first), value, per=minutes))
        user, agent = (within(own, first, last) for own in (truth.user, truth.agent))
        if user + agent:
            found["talk_share"].append(Expected(seconds(first), seconds(agent), per=seconds(user + agent)))


def within(own: Sequence[Span], start: float, end: float) -> float:
    return sum(max(0.0, min(unit[1], end) - max(unit[0], start)) for unit in own)


# What the agent logs.


def about_the_log(truth: Truth) -> Found:
    found: Found = defaultdict(list)
    tokens = sorted(start for kind, start, detail in truth.events if kind == "text_token" and detail["text"])
    ends = [start for kind, start, _ in truth.events if kind == "endpoint"]
    for act, onset in answers(truth):
        decided = ([start for index, start in enumerate(tokens)
                    if act.start <= start <= onset + SECOND // 2
                    and (index == 0 or start - tokens[index - 1] - FRAME >= SECOND // 2)] if tokens else
                   [start for start in ends if act.start <= start <= onset])
        if decided:
            see(found, "decision_latency", act.end, seconds(max(decided) - act.end))
            see(found, "decision_to_sound", act.end, seconds(onset - max(decided)))
        latency_parts(truth, act, onset, ends, found)
    spoken = [detail for kind, _, detail in truth.events if kind == "answer"]
    prepared = sum(kind == "prepare" for kind, _, _ in truth.events)
    if spoken:
        used = sum(bool(detail.get("prepared")) for detail in spoken)
        see(found, "prepared_in_vain", 0, prepared - used, per=len(spoken))
    return found


def latency_parts(truth: Truth, act: Act, onset: int, ends: list[int], found: Found) -> None:
    logged = [(start, detail) for kind, start, detail in truth.events if kind == "answer" and abs(start - onset) < SECOND // 5]
    if not logged:
        return
    at, detail = logged[0]
    endpointing = max((start for start in ends if act.start <= start <= at), default=at) - act.end
    explained = {stage: float(detail.get(stage, 0.0)) for stage in STAGES}
    see(found, "part_endpointing", act.end, seconds(endpointing) - explained["line"])
    for stage, took in explained.items():
        see(found, f"part_{stage}", act.end, took)
    see(found, "part_unexplained", act.end, seconds(onset - act.end - endpointing) + explained["line"] - sum(explained.values()))


def about_the_call(truth: Truth, failed: bool, costs: Sequence[float] | None) -> Found:
    """Whether the conversation failed, and what its frames cost where that is measured."""
    found: Found = defaultdict(list)
    see(found, "conversation_failed", 0, failed)
    see(found, "recording_refused", 0, False)
    if costs is not None:
        played: Any = costs[:truth.length // FRAME]
        see(found, "late_steps", 0, sum(cost > seconds(FRAME) for cost in played), per=len(played))
        see(found, "realtime_factor", 0, sum(played), per=seconds(len(played) * FRAME))
    return found
