"""Service calls written down as who says what, for tests that need to know what came of them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sounds import sound

from duplex.frame import Event, Word
from duplex.recording import Recording
from eval.metrics.catalogue import observations
from eval.tasks.call import Call, call_of
from eval.timeline import timeline

WORD_SECONDS = 0.3
GAP_SECONDS = 0.5  # between turns
ORDER, OTHER = "one two three four five", "nine nine nine nine nine"
RECORDS = {"orders": {ORDER: {"status": "is being packed", "day": "monday"},
                      OTHER: {"status": "has been shipped", "day": "friday"}}}
MANAGER = {"tools": True, "stt_seconds": 9.0, "llm_calls": 0}  # what a cascade with a dialogue manager counts
NO_TOOLS: Mapping[str, Any] = {}


class Said(NamedTuple):
    """Words of one party, and what is logged with them."""

    who: str
    text: str
    kind: str = "turn"
    detail: Mapping[str, Any] = {}
    events: Sequence[Event] = ()


def caller(text: str, branch: str = "opening", kind: str = "turn", **detail: Any) -> Said:
    return Said("caller", text, kind, {"text": text, "branch": branch, **detail})


def agent(text: str, *events: Event, heard: str | None = None) -> Said:
    """An answer, with what is logged when it begins; `heard` is what it answers, by the agent's own log."""
    answer = () if heard is None else (Event("answer", detail={"heard": heard}),)
    return Said("agent", text, events=(*events, *answer))


def used(tool: str, refused: str = "", **arguments: str) -> Event:
    return Event("tool_call", detail={"tool": tool, "refused": refused, **arguments})


def handed(**packet: Any) -> Event:
    return Event("handoff", detail={"reason": "", "who": "", "wants": "", "mood": "calm", "verified": [], "tried": [], **packet})


def held(*lines: Said, expect: Mapping[str, Any], tally: Mapping[str, Any] = NO_TOOLS, ended_by: str = "user",
         failure: str | None = None, domain: str = "orders", records: Mapping[str, Any] = RECORDS, text: str = "",
         **facts: Any) -> Recording:
    """The call of these lines, one after the other, each word 0.3 s long."""
    words: dict[str, list[Word]] = {"caller": [], "agent": []}
    events: dict[str, list[Event]] = {"caller": [], "agent": []}
    spans: dict[str, list[tuple[float, float]]] = {"caller": [], "agent": []}
    now = GAP_SECONDS
    for who, said, kind, detail, logged in lines:
        end = now + WORD_SECONDS * len(said.split())
        words[who] += [Word(word, round(now + WORD_SECONDS * number, 6), round(now + WORD_SECONDS * (number + 1), 6))
                       for number, word in enumerate(said.split())]
        events[who] += [Event(event.kind, round(now, 6), round(now, 6), event.detail) for event in logged]
        if who == "caller":
            events[who].append(Event(kind, round(now, 6), round(end, 6), detail))
        if said:
            spans[who].append((now, end))
        now = end + GAP_SECONDS
    channels = np.stack([sound(*spans[who], seconds=now + 1.0) for who in ("caller", "agent")])
    about = {"category": "orders", "domain": domain, "expect": dict(expect), "tally": {"agent": dict(tally)},
             "prompt": {"text": text, "records": records, "domain": domain}, **facts}
    parties = "caller", "agent"
    return Recording(channels, tuple(tuple(words[who]) for who in parties),  # type: ignore[arg-type]  # two of each
                     tuple(tuple(events[who]) for who in parties), about, ended_by, failure)  # type: ignore[arg-type]


def call(*lines: Said, **more: Any) -> Call:
    recording = held(*lines, **more)
    return call_of(recording, timeline(recording))


def measured(recording: Recording) -> dict[str, list[float]]:
    """Every number of a recording by metric, through the whole catalogue."""
    found: dict[str, list[float]] = {}
    for observation in observations(recording):
        found.setdefault(observation.metric, []).append(observation.value)
    return found
