"""The turn-taking events on which voice activity projection models are judged.

Ekstedt & Skantze (2022), by the rules of `vap/events.py`. They are found in a timeline, so that a model can be
evaluated on our recordings and its events counted beside our own. No model is here, nor its scores.

Everything lies on a grid of 50 Hz; a cell of 20 ms holds speech if any of it does. Pauses, that is silences between
speech of one and the same party however long, are filled before contexts are looked at. Nothing counts in the first 3
s, which a model needs to listen.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from duplex.recording import AGENT, PARTIES, USER, moment
from eval.activity import HOP_SECONDS, runs
from eval.metrics import human
from eval.metrics.metric import Metric
from eval.metrics.occasions import Observation
from eval.timeline import Timeline
from eval.turn_taking import BACKCHANNEL_CLEAR_SECONDS, grid, is_backchannel

CELL_SECONDS: Final = 0.02
CELL_HOPS: Final = round(CELL_SECONDS / HOP_SECONDS)  # 2
METRIC_SECONDS: Final = 0.2  # length of the region in which a shift or hold is judged
PAD_SECONDS: Final = 0.05  # from the silence's start to that region
ONSET_SECONDS: Final = 0.2  # length of the region after an onset
PREDICTION_SECONDS: Final = 0.5  # length of the region before an event
SILENT_CELLS: Final = math.ceil((METRIC_SECONDS + PAD_SECONDS) / CELL_SECONDS)  # 13
CONTEXT_SECONDS: Final = 3.0
CONTEXT_CELLS: Final = round(CONTEXT_SECONDS / CELL_SECONDS)
CONDITION_CELLS: Final = round(1.0 / CELL_SECONDS)  # of one party alone, before and after the silence
NEGATIVE_AFTER_CELLS: Final = round(1.0 / CELL_SECONDS)  # from the start of the speech
NEGATIVE_BEFORE_CELLS: Final = round(2.0 / CELL_SECONDS)  # before its end
FAMILY: Final = "VAP events"

METRICS: Final[tuple[Metric, ...]] = (
    Metric("vap_agent_shifts", "Shifts to the agent", "/min", "neither", "ratio",
           "silences of 0.25 s between 1 s of the caller alone and 1 s of the agent alone", family=FAMILY),
    Metric("vap_caller_shifts", "Shifts to the caller", "/min", "neither", "ratio",
           "the other way round", family=FAMILY),
    Metric("vap_agent_holds", "Holds of the agent", "/min", "neither", "ratio",
           "silences of 0.25 s with 1 s of the agent alone on both sides", family=FAMILY),
    Metric("vap_caller_holds", "Holds of the caller", "/min", "neither", "ratio",
           "silences of 0.25 s with 1 s of the caller alone on both sides", family=FAMILY),
    Metric("vap_agent_backchannels", "Short utterances of the agent", "/min", "human", "ratio",
           "up to 1 s, with 1 s of its own silence on both sides", human=human.SHORT_UTTERANCES_PER_MINUTE / 2.0, family=FAMILY),
    Metric("vap_caller_backchannels", "Short utterances of the caller", "/min", "human", "ratio",
           "up to 1 s, with 1 s of its own silence on both sides", human=human.SHORT_UTTERANCES_PER_MINUTE / 2.0, family=FAMILY),
    Metric("vap_shift_after_caller", "Silences after the caller that shift", "share", "neither", "rate",
           "shifts among shifts and holds after the caller's speech", family=FAMILY),
    Metric("vap_shift_after_agent", "Silences after the agent that shift", "share", "neither", "rate",
           "shifts among shifts and holds after the agent's speech", family=FAMILY),
)


class VapEvent(NamedTuple):
    """A row on which a model is judged.

    Attributes:
        kind: "shift", "hold", "long", "short", "before_shift", "before_short" or "negative"; see `events`.
        party: USER or AGENT: who speaks next, and of a negative who goes on.
        start: seconds, of the silence (shift, hold and before_shift) or of the speech.
        end: seconds.
        region: where the model's output is judged, start and end in seconds.
    """

    kind: str
    party: int
    start: float
    end: float
    region: tuple[float, float]


def events(timeline: Timeline) -> list[VapEvent]:
    """All events of a conversation, by the start of their region.

    `shift`: a silence of at least 0.25 s after speech of one party and before speech of the other, where in each cell
    of the 1.0 s before it only the one and of the 1.0 s after it only the other speaks. `hold`: the same with one party
    on both sides. Judged from 0.05 s into the silence for 0.2 s. `before_shift`: the 0.5 s before a shift's silence.
    `long`: the first 0.2 s of the speech that follows a shift, which lasts 1.0 s at least. `short`: a unit of up to 1.0
    s with 1.0 s of its speaker's silence on both sides, a backchannel whether or not the other speaks (the paper has
    2.0 s after it, its code 1.0 s); judged in its first 0.2 s. `before_short`: the 0.5 s before it. `negative`: speech
    of one party alone from 1.0 s after its start until 2.0 s before its end, at least 0.5 s, of which as much as is
    wanted may be drawn.

    VAP draws as many holds as shifts and as many negatives as positives; all are given here.
    """
    active = grid(timeline)
    whole = active.shape[1] // CELL_HOPS * CELL_HOPS
    spoken = np.any(active[:, :whole].reshape(len(PARTIES), -1, CELL_HOPS), axis=2)
    held = filled(spoken)
    found = [*silences(spoken, held), *backchannels(timeline), *negatives(held)]
    return sorted(found, key=lambda event: (event.region, event.kind, event.party))


def per_minute(timeline: Timeline) -> list[Observation]:
    """Shifts, holds and short utterances by party per minute, without the first 3 s; a shift is of who takes the floor.

    One observation each and conversation; none of a conversation of 3 s or less. In a short conversation most turns
    lack the second of context that the rule wants, so these are no turns per minute.
    """
    minutes = moment((timeline.seconds - CONTEXT_SECONDS) / 60.0)
    if minutes <= 0.0:
        return []
    found = [(event.kind, event.party) for event in events(timeline)]
    return [Observation(f"vap_{name}_{plural}", CONTEXT_SECONDS, float(found.count((kind, party))), per=minutes)
            for party, name in ((AGENT, "agent"), (USER, "caller"))
            for kind, plural in (("shift", "shifts"), ("hold", "holds"), ("short", "backchannels"))]


def shift_share(timeline: Timeline) -> list[Observation]:
    """1 for each shift and 0 for each hold, by whose speech the silence follows: `vap_shift_after_caller`,
    `vap_shift_after_agent`."""
    names = {USER: "vap_shift_after_caller", AGENT: "vap_shift_after_agent"}
    return [Observation(names[event.party if event.kind == "hold" else other(event.party)], event.start,
                        float(event.kind == "shift"))
            for event in events(timeline) if event.kind in ("shift", "hold")]


MEASURES: Final[tuple[Callable[[Timeline], list[Observation]], ...]] = (per_minute, shift_share)


def filled(spoken: np.ndarray) -> np.ndarray:
    """Who holds each cell, (2, num_cells) bool: who speaks, with the pauses of either filled."""
    held = spoken.copy()
    for start, end in inner_silences(spoken):
        before, after = spoken[:, start - 1], spoken[:, end]
        if before.sum() == 1 and (before == after).all():
            held[before, start:end] = True
    return held


def silences(spoken: np.ndarray, held: np.ndarray) -> list[VapEvent]:
    """Shifts and holds, with what is judged before and after a shift."""
    alone = held & ~held[::-1]
    found = []
    for start, end in inner_silences(spoken):
        last, following = int(spoken[:, start - 1].argmax()), int(spoken[:, end].argmax())
        before, after = alone[last, start - CONDITION_CELLS:start], alone[following, end:end + CONDITION_CELLS]
        seen = start >= CONTEXT_CELLS and len(after) == CONDITION_CELLS
        if not (seen and end - start >= SILENT_CELLS and before.all() and after.all()):
            continue
        silence = (seconds(start), seconds(end))
        spoken_until = end + int(np.argmin(np.r_[held[following, end:], False]))
        region = (moment(silence[0] + PAD_SECONDS), moment(silence[0] + PAD_SECONDS + METRIC_SECONDS))
        found.append(VapEvent("hold" if last == following else "shift", following, *silence, region))
        if last != following:
            found += [VapEvent("before_shift", following, *silence, leading_to(silence[0])),
                      VapEvent("long", following, silence[1], seconds(spoken_until), from_onset(silence[1]))]
    return found


def inner_silences(spoken: np.ndarray) -> list[tuple[int, int]]:
    """Runs of cells in which nobody speaks, without those at the edges."""
    return [(start, end) for start, end in zip(*runs(~(spoken[USER] | spoken[AGENT])), strict=True)
            if 0 < start and end < spoken.shape[1]]


def backchannels(timeline: Timeline) -> list[VapEvent]:
    """Short utterances, whose silence the recording shows on both sides."""
    found = []
    for party, own in ((USER, timeline.user), (AGENT, timeline.agent)):
        for index, (start, end) in enumerate(own):
            seen = start >= CONTEXT_SECONDS and moment(end + BACKCHANNEL_CLEAR_SECONDS) <= timeline.seconds
            if seen and is_backchannel(own, index):
                found += [VapEvent("short", party, start, end, from_onset(start)),
                          VapEvent("before_short", party, start, end, leading_to(start))]
    return found


def negatives(held: np.ndarray) -> list[VapEvent]:
    found = []
    for party in (USER, AGENT):
        for start, end in zip(*runs(held[party] & ~held[other(party)]), strict=True):
            region = (seconds(max(start + NEGATIVE_AFTER_CELLS, CONTEXT_CELLS)), seconds(end - NEGATIVE_BEFORE_CELLS))
            if moment(region[1] - region[0]) >= PREDICTION_SECONDS:
                found.append(VapEvent("negative", party, seconds(start), seconds(end), region))
    return found


def leading_to(time: float) -> tuple[float, float]:
    return moment(time - PREDICTION_SECONDS), time


def from_onset(time: float) -> tuple[float, float]:
    return time, moment(time + ONSET_SECONDS)


def other(party: int) -> int:
    return AGENT if party == USER else USER


def seconds(cell: int) -> float:
    return moment(cell * CELL_SECONDS)
