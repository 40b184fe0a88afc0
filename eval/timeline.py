"""Who spoke when and what the caller meant by it: a recording without its sound.

Everything a metric may know is here, with the arithmetic on times that several need. What is good is decided elsewhere.
Times are seconds from the first sample.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from duplex.frame import Event, Word
from duplex.recording import AGENT, USER, Recording, moment
from eval.activity import Segment, units

FLOOR_KINDS: Final = ("turn", "interruption", "correction")  # claim the floor
ASIDE_KINDS: Final = ("backchannel", "cough", "noise", "side_talk", "background_talk")  # heard, and claim nothing
PAUSE: Final = "pause"  # a silent span inside a turn
OPPORTUNITY: Final = "opportunity"  # a moment inside a turn at which a listener may say "uh huh"
TURN_GAP_SECONDS: Final = 1.0  # a party that goes on sooner, with nobody else heard in between, goes on with its turn


class Act(NamedTuple):
    """What the caller did.

    Attributes:
        kind: one of FLOOR_KINDS, ASIDE_KINDS, PAUSE or OPPORTUNITY.
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
        without: the same conversation as it goes when the caller leaves an act out, by the onset of that act, where the
            agent speaks at that moment in both; see `eval.counterfactual`.
    """

    seconds: float
    user: tuple[Segment, ...] = ()
    agent: tuple[Segment, ...] = ()
    acts: tuple[Act, ...] = ()
    words: tuple[Word, ...] = ()
    events: tuple[Event, ...] = ()
    agent_ended: bool = False
    without: Mapping[float, "Timeline"] = field(default_factory=dict)

    @property
    def known_until(self) -> float:
        """Up to when it is known what the agent did; infinite if the agent brought about the end."""
        return math.inf if self.agent_ended else self.seconds


def timeline(recording: Recording, without: Mapping[float, Recording] | None = None) -> Timeline:
    """What was said when; acts come from the caller's log, or from the user's speech where nobody logged any.

    Args:
        without: recordings of the same conversation as it goes without one of its acts, by the onset of that act.
    """
    user, agent = units(recording)
    otherwise = [(onset, timeline(other)) for onset, other in (without or {}).items()]
    return Timeline(
        seconds=moment(recording.seconds),
        user=user,
        agent=agent,
        acts=acts(recording.events[USER]) or derived_acts(user, agent),
        words=tuple(sorted(recording.words[AGENT], key=lambda word: word.start)),
        events=recording.events[AGENT],
        agent_ended=recording.failure is not None or recording.ended_by in ("agent", "failure"),
        without={onset: other for onset, other in otherwise if speaking(agent, onset) and speaking(other.agent, onset)},
    )


def acts(events: Iterable[Event]) -> tuple[Act, ...]:
    """The acts among the caller's events, by onset."""
    found = [
        Act(event.kind, event.start, event.end, str(event.detail.get("text") or ""), phrases(event),
            event.kind in FLOOR_KINDS and event.detail.get("answer") is not False)
        for event in events if event.kind in (*FLOOR_KINDS, *ASIDE_KINDS, PAUSE, OPPORTUNITY)]
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
        if spans and moment(unit.start - spans[-1].end) < TURN_GAP_SECONDS and not overlap(agent, spans[-1].end, unit.start):
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
