"""Pauses, gaps, overlaps, turns and floor transfers of a timeline, by the definitions of the field.

Nothing here knows what the caller meant: units of speech are all there is.
"""

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Final, NamedTuple

import numpy as np

from duplex.recording import AGENT, PARTIES, USER, moment
from eval.activity import HOP_SECONDS, Segment, runs
from eval.timeline import Timeline

BACKCHANNEL_SECONDS: Final = 1.0
BACKCHANNEL_CLEAR_SECONDS: Final = 1.0


class Interval(NamedTuple):
    """A pause, gap or overlap.

    Attributes:
        party: USER or AGENT: who spoke before it; in an overlap, who was joined.
        start: seconds.
        end: seconds.
    """

    party: int
    start: float
    end: float


class Transfer(NamedTuple):
    """A change of the floor.

    Attributes:
        party: USER or AGENT: who takes the floor.
        start: seconds, its onset.
        offset: floor transfer offset in seconds, negative in overlap.
    """

    party: int
    start: float
    offset: float


def pauses(timeline: Timeline) -> tuple[Interval, ...]:
    """Silences between two units of one party without speech of the other (Nguyen et al., 2023)."""
    return tuple(silence for silence, next_party in silences(timeline) if silence.party == next_party)


def gaps(timeline: Timeline) -> tuple[Interval, ...]:
    """Silences between units of different parties."""
    return tuple(silence for silence, next_party in silences(timeline) if silence.party != next_party)


def silences(timeline: Timeline) -> list[tuple[Interval, int]]:
    """Silences of both with who speaks next; those at the edges, or with both parties on a side, are no one's."""
    active = grid(timeline)
    found = []
    for start, end in zip(*runs(~(active[USER] | active[AGENT])), strict=True):
        if 0 < start and end < active.shape[1]:
            before, after = active[:, start - 1], active[:, end]
            if before.sum() == 1 and after.sum() == 1:
                found.append((Interval(int(before.argmax()), *times(start, end)), int(after.argmax())))
    return found


def overlaps(timeline: Timeline) -> tuple[Interval, ...]:
    """Stretches in which both speak; where both began at once, the user counts as joined."""
    active = grid(timeline)
    return tuple(Interval(int(active[AGENT, start - 1] and not active[USER, start - 1]) if start else USER,
                          *times(start, end))
                 for start, end in zip(*runs(active[USER] & active[AGENT]), strict=True))


def turns(timeline: Timeline) -> tuple[Interval, ...]:
    """Units without backchannels, by onset; units of one party in a row are one turn."""
    units = [Interval(party, *unit) for party, own in ((USER, timeline.user), (AGENT, timeline.agent))
             for index, unit in enumerate(own) if not is_backchannel(own, index)]
    by_party = groupby(sorted(units, key=lambda unit: (unit.start, unit.party)), key=lambda unit: unit.party)
    held = [(party, list(own)) for party, own in by_party]
    return tuple(Interval(party, own[0].start, max(unit.end for unit in own)) for party, own in held)


def is_backchannel(own: Sequence[Segment], index: int) -> bool:
    """Whether a unit lasts at most 1.0 s, with 1.0 s of its speaker's silence on both sides (Ekstedt & Skantze, 2022)."""
    start, end = own[index]
    return (moment(end - start) <= BACKCHANNEL_SECONDS
            and (index == 0 or moment(start - own[index - 1].end) >= BACKCHANNEL_CLEAR_SECONDS)
            and (index == len(own) - 1 or moment(own[index + 1].start - end) >= BACKCHANNEL_CLEAR_SECONDS))


def transfers(timeline: Timeline) -> tuple[Transfer, ...]:
    """Floor transfer offsets: onset of each turn minus the end of the turn before (Heldner & Edlund, 2010)."""
    held = turns(timeline)
    return tuple(Transfer(turn.party, turn.start, moment(turn.start - before.end))
                 for before, turn in pairwise(held))


def grid(timeline: Timeline) -> np.ndarray:
    """Who speaks in each 10 ms, (2, num_hops) bool."""
    active = np.zeros((len(PARTIES), round(timeline.seconds / HOP_SECONDS)), bool)
    for party, own in ((USER, timeline.user), (AGENT, timeline.agent)):
        for start, end in own:
            active[party, round(start / HOP_SECONDS):round(end / HOP_SECONDS)] = True
    return active


def times(start: int, end: int) -> tuple[float, float]:
    return moment(start * HOP_SECONDS), moment(end * HOP_SECONDS)
