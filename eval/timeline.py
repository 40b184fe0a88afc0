"""Who spoke when and what the caller meant by it: a recording without its sound.

Everything a metric may know is here, with the arithmetic on times that several need. What is good is decided elsewhere.
Times are seconds from the first sample.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final, NamedTuple

import numpy as np

from duplex.frame import Event, Word
from duplex.recording import AGENT, PARTIES, USER, Recording, moment
from eval.activity import DROPPED_SECONDS, HOP_SECONDS, Segment, activity, clipped_share, runs

FLOOR_KINDS: Final = ("turn", "interruption", "correction")  # claim the floor
ASIDE_KINDS: Final = ("backchannel", "cough", "side_talk")  # heard, and claim nothing
PAUSE: Final = "pause"  # a silent span inside a turn
TURN_GAP_SECONDS: Final = 1.0  # a party that goes on sooner, with nobody else heard in between, goes on with its turn
BACKCHANNEL_SECONDS: Final = 1.0
BACKCHANNEL_CLEAR_SECONDS: Final = 1.0
MOST_CLIPPED: Final = 0.01
LEAST_COVERED: Final = 0.5
EDGE_SECONDS: Final = 0.3  # noise may swallow the soft edges of a sound, but not more


class Act(NamedTuple):
    """What the caller did.

    Attributes:
        kind: one of FLOOR_KINDS, ASIDE_KINDS or PAUSE.
        start: true audible onset.
        end: true audible offset.
        text: what was said.
        expects: phrases of which one shows that the agent met this act; see `eval.metrics`.
        answer_due: whether the agent should answer.
    """

    kind: str
    start: float
    end: float
    text: str = ""
    expects: tuple[str, ...] = ()
    answer_due: bool = False


@dataclass(frozen=True)
class Timeline:
    """A conversation as times.

    Attributes:
        seconds: how long it lasted.
        user: inter-pausal units of the user, in order.
        agent: inter-pausal units of the agent, in order.
        acts: of the user, by onset.
        words: of the agent, by onset.
        events: the agent's decisions.
        agent_ended: whether the agent hung up or the conversation failed. What it had not done by then it never did;
            in any other recording the end only hides what came after.
    """

    seconds: float
    user: tuple[Segment, ...] = ()
    agent: tuple[Segment, ...] = ()
    acts: tuple[Act, ...] = ()
    words: tuple[Word, ...] = ()
    events: tuple[Event, ...] = ()
    agent_ended: bool = False

    @property
    def known_until(self) -> float:
        """Up to when it is known what the agent did; infinite if the agent brought about the end."""
        return math.inf if self.agent_ended else self.seconds


def timeline(recording: Recording) -> Timeline:
    """What was said when; acts come from the caller's log, or from the user's speech where nobody logged any."""
    user, agent = (activity(recording.audio[party]) for party in (USER, AGENT))
    return Timeline(
        seconds=moment(recording.seconds),
        user=user,
        agent=agent,
        acts=acts(recording.events[USER]) or derived_acts(user, agent),
        words=tuple(sorted(recording.words[AGENT], key=lambda word: word.start)),
        events=recording.events[AGENT],
        agent_ended=recording.failure is not None or recording.ended_by in ("agent", "failure"),
    )


def acts(events: Iterable[Event]) -> tuple[Act, ...]:
    """The acts among the caller's events, by onset."""
    found = [
        Act(event.kind, event.start, event.end, str(event.detail.get("text") or ""), phrases(event),
            event.kind in FLOOR_KINDS and event.detail.get("answer") is not False)
        for event in events if event.kind in (*FLOOR_KINDS, *ASIDE_KINDS, PAUSE)]
    return tuple(sorted(found, key=lambda act: (act.start, act.end)))


def phrases(event: Event) -> tuple[str, ...]:
    expects = event.detail.get("expects") or ()
    return (expects,) if isinstance(expects, str) else tuple(map(str, expects))  # type: ignore[arg-type]  # a list


def derived_acts(user: Sequence[Segment], agent: Sequence[Segment]) -> tuple[Act, ...]:
    """Turns of a user whose acts nobody logged.

    Units less than 1.0 s apart, with no speech of the agent in between, are one turn. Everything counts as a turn, as
    nothing tells what was meant.
    """
    spans: list[Segment] = []
    for unit in user:
        if spans and unit.start - spans[-1].end < TURN_GAP_SECONDS and not overlap(agent, spans[-1].end, unit.start):
            spans[-1] = Segment(spans[-1].start, unit.end)
        else:
            spans.append(unit)
    return tuple(Act("turn", span.start, span.end, answer_due=True) for span in spans)


def speaking(segments: Iterable[Segment], time: float) -> bool:
    return any(start <= time < end for start, end in segments)


def overlap(segments: Iterable[Segment], start: float, end: float) -> float:
    """Seconds of speech within [start, end]."""
    return moment(sum(max(0.0, min(unit.end, end) - max(unit.start, start)) for unit in segments))


def first_start(segments: Iterable[Segment], start: float, end: float) -> float | None:
    """The first onset of speech within [start, end]."""
    return next((unit.start for unit in segments if start <= unit.start <= end), None)


def first_silence(segments: Sequence[Segment], time: float, at_least: float, known_until: float) -> float | None:
    """Where the first silence of `at_least` seconds begins, at `time` or later; None if none is seen to last so long."""
    if not speaking(segments, time):
        onset = next((unit.start for unit in segments if unit.start >= time), known_until)
        if moment(onset - time) >= at_least:
            return time
    for unit, following in zip(segments, (*segments[1:], Segment(known_until, known_until)), strict=True):
        if unit.end >= time and moment(following.start - unit.end) >= at_least:
            return unit.end
    return None


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


def check(recording: Recording) -> None:
    """Looks for recordings that would be measured without an error and wrongly.

    Raises:
        ValueError: naming what is wrong: clipping, acts outside the recording or where the user's channel is silent,
            channels that look swapped.
    """
    for party, channel in zip(PARTIES, recording.audio, strict=True):
        if not np.isfinite(channel).all():
            raise ValueError(f"the {party}'s channel holds values that are no numbers")
        if clipped_share(channel) > MOST_CLIPPED:
            raise ValueError(f"{clipped_share(channel):.1%} of the {party}'s samples are clipped, "
                             f"more than {MOST_CLIPPED:.0%}: lower its level and record again")
    spoken = [act for act in acts(recording.events[USER]) if act.kind != PAUSE and act.end <= recording.seconds]
    user, agent = (activity(recording.audio[party]) for party in (USER, AGENT))
    swapped = sum(overlap(agent, act.start, act.end) > overlap(user, act.start, act.end) for act in spoken)
    for act in acts(recording.events[USER]):
        where = f"the {act.kind} at {act.start:.2f}-{act.end:.2f} s"
        if not 0 <= act.start <= act.end or act.start > recording.seconds:
            raise ValueError(f"{where} does not lie within the recording's {recording.seconds:.2f} s")
    for act in spoken:
        where = f"the {act.kind} at {act.start:.2f}-{act.end:.2f} s"
        silent = silent_part(user, act, recording)
        if silent and swapped > len(spoken) / 2:
            raise ValueError(f"{where} is silent on the user's channel and spoken on the agent's: "
                             f"the channels look swapped (row {USER} is the user, row {AGENT} the agent)")
        if silent:
            raise ValueError(f"{where} {silent} on the user's channel: the log and the sound are not aligned")


def silent_part(user: Sequence[Segment], act: Act, recording: Recording) -> str:
    """Which part of what an act claims to say cannot be heard, in words; empty if none."""
    said = act.end - act.start - sum(
        max(0.0, min(pause.end, act.end) - max(pause.start, act.start))
        for pause in acts(recording.events[USER]) if pause.kind == PAUSE)
    if said < 2 * DROPPED_SECONDS:  # may be taken for a click
        return ""
    if overlap(user, act.start, act.end) < LEAST_COVERED * said:
        return "is silent"
    if not overlap(user, act.start, act.start + EDGE_SECONDS):
        return "begins silently"
    if not overlap(user, act.end - EDGE_SECONDS, act.end):
        return "ends silently"
    return ""
