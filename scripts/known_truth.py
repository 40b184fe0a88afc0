"""What is known of a conversation from its plan alone: the truth that measurements are held against.

Nothing here, nor in `known_agents`, `known_acts` and `known_floor`, calls the code that it proves: not the loop, not the
segmenter, not a metric. All times are samples, whole numbers, so that nothing is ever rounded.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

SECOND: Final = 24_000
FRAME: Final = 1_920  # 80 ms
HOP: Final = 240  # 10 ms, to which the segmentation knows an edge
FLOOR: Final = ("turn", "interruption", "correction")
ASIDES: Final = ("backchannel", "cough", "noise", "side_talk", "background_talk")

Span: TypeAlias = tuple[int, int]


class Act(NamedTuple):
    """What the user does, as it stands in the user's log; `answer_due` of a claim of the floor."""

    kind: str
    start: int
    end: int
    expects: tuple[str, ...] = ()
    answer_due: bool = False


class Spoken(NamedTuple):
    """What an agent says: stretches of sound by onset, words (text, start, end), decisions (kind, start, detail)."""

    sounds: tuple[Span, ...]
    words: tuple[tuple[str, int, int], ...] = ()
    events: tuple[tuple[str, int, Mapping[str, Any]], ...] = ()


@dataclass(frozen=True)
class Truth:
    """A conversation as it was planned.

    Attributes:
        length: of the recording.
        known: up to when it is known what the agent does: the length, or for ever where the agent ended it.
        acts: of the user, by onset.
        user, agent: inter-pausal units.
        words, events: of the agent, by onset.
        without: what would have happened without an act, by its onset, where that was tried.
    """

    length: int
    known: float
    acts: tuple[Act, ...]
    user: tuple[Span, ...]
    agent: tuple[Span, ...]
    words: tuple[tuple[str, int, int], ...] = ()
    events: tuple[tuple[str, int, Mapping[str, Any]], ...] = ()
    without: Mapping[int, "Truth"] = field(default_factory=dict)


class Expected(NamedTuple):
    """An observation that must come out, in seconds."""

    start: float
    value: float
    censored: bool = False
    per: float = 1.0


def units(sounds: Iterable[Span]) -> tuple[Span, ...]:
    """Inter-pausal units: silences under 0.2 s lie within one, sounds under 0.08 s are clicks, and none begins with a click
    of less than 30 ms."""
    runs: list[list[int]] = []  # of sound, without a gap
    for start, end in sorted(sounds):
        if runs and start <= runs[-1][1]:
            runs[-1][1] = max(runs[-1][1], end)
        else:
            runs.append([start, end])
    groups: list[list[list[int]]] = []
    for run in runs:
        if groups and run[0] - groups[-1][-1][1] < SECOND // 5:
            groups[-1].append(run)
        else:
            groups.append([run])
    found = []
    for group in groups:
        steady = [start for start, end in group if end - start >= 3 * HOP]
        if steady and group[-1][1] - steady[0] >= FRAME:
            found.append((steady[0], group[-1][1]))
    return tuple(found)


def outward(sounds: Iterable[Span]) -> list[Span]:
    """As they are seen at most on a grid of 10 ms."""
    return [(start // HOP * HOP, -(-end // HOP) * HOP) for start, end in sounds]


def inward(sounds: Iterable[Span]) -> list[Span]:
    """As they are seen at least."""
    moved = [(-(-start // HOP) * HOP, end // HOP * HOP) for start, end in sounds]
    return [(start, end) for start, end in moved if start < end]


def speaks(own: Sequence[Span], at: float) -> bool:
    return any(start <= at < end for start, end in own)


def common(own: Sequence[Span], start: float, end: float) -> int:
    """How much is spoken within a stretch."""
    return int(sum(max(0, min(unit[1], end) - max(unit[0], start)) for unit in own))


def falls_silent(truth: Truth, at: int) -> float:
    """Where the first silence of 0.4 s of an agent who speaks at `at` begins; infinite if nobody saw it."""
    onsets = [start for start, _ in truth.agent] + [truth.known]
    ends = [end for _, end in truth.agent if end > at and min(onset for onset in onsets if onset >= end) - end >= 0.4 * SECOND]
    return min(ends, default=math.inf)


def next_claim(truth: Truth, act: Act) -> float:
    return min((other.start for other in truth.acts if other.kind in FLOOR and other.start > act.start), default=math.inf)


def seconds(samples: float) -> float:
    return samples / SECOND
