"""What an agent says while it listens: its own backchannels, and the floor it takes from the caller.

What it makes of the caller's backchannels is `eval.metrics.aside`'s.
"""

from collections.abc import Sequence
from typing import Final

from duplex.recording import moment
from eval.metrics.occasions import Observation
from eval.timeline import FLOOR_KINDS, OPPORTUNITY, PAUSE, Act, Segment, Timeline, overlap

LONGEST_SECONDS: Final = 1.0  # 98.4 % of the backchannels in Switchboard are shorter
CLEAR_SECONDS: Final = 0.8  # of the agent's own silence around it
WINDOW_SECONDS: Final = 0.5  # either side of an opportunity
THEFT_MARGIN_SECONDS: Final = 0.2  # who begins so shortly before the end has not taken anything away


def agent_backchannels(timeline: Timeline) -> list[Observation]:
    """Backchannels of the agent per minute that the caller holds the floor.

    A backchannel lasts at most 1.0 s, has 0.8 s of the agent's own silence on both sides, and begins and ends within a
    turn, interruption or correction of the caller. People have 4.55 per minute of the other's speech (Switchboard Dialog
    Act Corpus: 4.55 per minute of both, each of whom listens half of the time), so match, do not maximise.
    """
    return [Observation("agent_backchannels", act.start, float(len(backchannels(timeline, act))), per=minutes(act))
            for act in held(timeline)]


def floor_theft(timeline: Timeline) -> list[Observation]:
    """How often, per minute that the caller holds the floor, the agent begins to speak other than a backchannel, more
    than 0.2 s before the caller's end."""
    observations = []
    for act in held(timeline):
        latest = moment(act.end - THEFT_MARGIN_SECONDS)
        begun = [unit for unit in timeline.agent if act.start <= unit.start < latest]
        thefts = len(begun) - sum(unit in begun for unit in backchannels(timeline, act))
        observations.append(Observation("floor_theft", act.start, float(thefts), per=minutes(act)))
    return observations


def backchannel_timing(timeline: Timeline) -> list[Observation]:
    """Whether the agent's backchannels come where a listener may say one.

    Opportunities are marked in the caller's script, and every pause within its turn begins with one. A backchannel meets
    an opportunity when it begins within 0.5 s of it; each is met once. `backchannel_precision`: share of the backchannels
    that meet one. `backchannel_recall`: share of the opportunities that are met. `backchannel_skill`: hits beyond those
    that as many backchannels placed at random in the same turns would have, over the most there could be; 0 is chance, 1
    is perfect, so that saying more cannot buy it (those at random are let meet an opportunity twice, so the skill is, if
    anything, too low). Turns without an opportunity are no occasion.
    """
    observations = []
    for act in held(timeline):
        marks = opportunities(timeline, act)
        if not marks:
            continue
        said = backchannels(timeline, act)
        hits = met(said, marks)
        observations += [Observation("backchannel_precision", unit.start, float(unit in hits)) for unit in said]
        observations += [Observation("backchannel_recall", mark, float(mark in hits.values())) for mark in marks]
        chance = covered(act, marks) * len(said)
        most = min(len(said), len(marks))
        if chance < most:
            observations.append(
                Observation("backchannel_skill", act.start, moment(len(hits) - chance), per=moment(most - chance)))
    return observations


def held(timeline: Timeline) -> list[Act]:
    """The acts during which the caller holds the floor, as far as the recording shows them whole."""
    return [act for act in timeline.acts if act.kind in FLOOR_KINDS and act.start < act.end <= timeline.seconds]


def minutes(act: Act) -> float:
    return moment((act.end - act.start) / 60.0)


def backchannels(timeline: Timeline, act: Act) -> list[Segment]:
    """The agent's within an act."""
    return [unit for unit in timeline.agent
            if act.start <= unit.start and unit.end <= act.end and moment(unit.end - unit.start) <= LONGEST_SECONDS
            and not overlap(timeline.agent, unit.start - CLEAR_SECONDS, unit.start)
            and not overlap(timeline.agent, unit.end, unit.end + CLEAR_SECONDS)]


def opportunities(timeline: Timeline, act: Act) -> list[float]:
    """Where a listener may say a backchannel within an act, in order; two marks of one moment are one opportunity."""
    return sorted({mark.start for mark in timeline.acts
                   if mark.kind in (OPPORTUNITY, PAUSE) and act.start <= mark.start < act.end})


def met(said: Sequence[Segment], marks: Sequence[float]) -> dict[Segment, float]:
    """Which backchannel meets which opportunity: the earliest that is left, which leaves most for those that follow."""
    hits: dict[Segment, float] = {}
    for unit in said:
        mark = next((mark for mark in marks if mark not in hits.values()
                     and abs(moment(unit.start - mark)) <= WINDOW_SECONDS), None)
        if mark is not None:
            hits[unit] = mark
    return hits


def covered(act: Act, marks: Sequence[float]) -> float:
    """The share of an act that lies within the window of an opportunity."""
    total, until = 0.0, act.start
    for mark in marks:
        start, end = max(until, mark - WINDOW_SECONDS), min(act.end, mark + WINDOW_SECONDS)
        total, until = total + max(0.0, end - start), max(until, end)
    return total / (act.end - act.start)
