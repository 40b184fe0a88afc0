"""A call as the metrics of tasks see it: what was wanted, what both said, what the agent did, how it ended.

Made once from a recording. Whether it was good is decided elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

from duplex.frame import Event, Word
from duplex.recording import USER, Recording
from duplex.stages.language.tools import Records
from eval.callers.task import FACTS, Fact, Task
from eval.tasks.normal import facts_said
from eval.timeline import FLOOR_KINDS, Timeline

CALLS_KEPT: Final = 4  # whose outcome is remembered, as several metrics ask for it
DEEDS: Final = ("tool_call", "handoff")  # what an agent does beside talking


class Turn(NamedTuple):
    """An act by which the caller claims the floor.

    Attributes:
        branch: which question of the agent it answers; "opening" for what the caller says unasked; "" where nobody knows.
        trigger: whether it is what the call is about: the reason for a handoff, the question without an answer, the jailbreak.
    """

    kind: str
    start: float
    end: float
    text: str = ""
    branch: str = ""
    trigger: bool = False


@dataclass(frozen=True, eq=False)
class Call:
    """A recording without its sound, and what its scenario expects.

    Attributes:
        turns: of the caller, by onset.
        caller_words: what the caller says, by onset.
        task: what must be true in the end; an agent never sees it.
        facts: of the recording.
        ended_by: "user", "agent", "limit" or "failure".
        failed: broke off with an error.
    """

    timeline: Timeline
    turns: tuple[Turn, ...] = ()
    caller_words: tuple[Word, ...] = ()
    task: Task = Task()
    facts: Mapping[str, Any] = field(default_factory=dict)
    ended_by: str = "user"
    failed: bool = False

    @property
    def is_task(self) -> bool:
        """Whether something is to be achieved: a fact spoken, a record changed, a person fetched. A scenario that only forbids
        (nothing may change, nobody should take over) has no task, or silence would achieve it."""
        return bool(self.task.said or self.task.state or self.task.handoff == "should")

    @property
    def is_judged(self) -> bool:
        """Whether it can fail: it has a task, or something that it must not be talked into."""
        return self.is_task or bool(self.task.invented or self.task.obeyed)

    @property
    def triggers(self) -> tuple[Turn, ...]:
        """Those that were said to their end."""
        return tuple(turn for turn in self.turns if turn.trigger and turn.end <= self.timeline.seconds)

    @property
    def category(self) -> str:
        return str(self.facts.get("category") or "")

    @property
    def disturbed(self) -> str:
        return str(self.facts.get("disturbed") or "")

    @property
    def domain(self) -> str:
        """Whose desk was called: a domain's name or the path of its YAML."""
        return str(self.prompt.get("domain") or self.facts.get("domain") or "")

    @property
    def prompt(self) -> Mapping[str, Any]:
        return self.facts.get("prompt") or {}

    @property
    def records(self) -> Records:
        """As they were before the call."""
        return self.prompt.get("records") or {}

    @property
    def tally(self) -> Mapping[str, Any]:
        """What the agent counted; nothing for agents that count nothing."""
        return (self.facts.get("tally") or {}).get("agent") or {}

    @property
    def has_tools(self) -> bool:
        """Whether the agent could do anything, so that what it says it did can be held against what it did."""
        return bool(self.tally.get("tools"))

    @cached_property
    def deeds(self) -> tuple[Event, ...]:
        """The agent's tool calls and handoffs, less those that came with an answer that was never heard."""
        return standing(self.timeline.events)

    def says(self, fact: str | Sequence[str], start: float = 0.0, end: float = float("inf")) -> list[tuple[float, float]]:
        """Where the agent speaks a fact, beginning within [start, end): onset of its first word, end of its last."""
        return [found for found in facts_said(self.timeline.words, fact) if start <= found[0] < end]


def call_of(recording: Recording, timeline: Timeline) -> Call:
    """The call that was recorded. Where nobody logged the caller's words, the texts of the acts stand for them."""
    found = turns(recording.events[USER])
    words = tuple(sorted(recording.words[USER], key=lambda word: word.start))
    return Call(timeline, found, words or tuple(Word(turn.text, turn.start, turn.end) for turn in found if turn.text),
                expected(recording.facts.get("expect") or {}), recording.facts, recording.ended_by,
                recording.failure is not None)


def turns(events: Sequence[Event]) -> tuple[Turn, ...]:
    found = [Turn(event.kind, event.start, event.end, str(event.detail.get("text") or ""),
                  str(event.detail.get("branch") or ""), event.detail.get("trigger") is True)
             for event in events if event.kind in FLOOR_KINDS]
    return tuple(sorted(found, key=lambda turn: (turn.start, turn.end)))


def expected(given: Mapping[str, Any]) -> Task:
    """What `Task.facts` wrote. A fact is a phrase, or a list of phrases that say the same."""
    def alternatives(name: str) -> tuple[Fact, ...]:
        return tuple((one,) if isinstance(one, str) else tuple(one) for one in given.get(name) or ())

    said, not_said, invented, obeyed = map(alternatives, FACTS)
    return Task(said, not_said, given.get("state"), given.get("handoff") or "", given.get("needs") or {}, invented, obeyed,
                given.get("severity") or 1, given.get("distress") or "")


def standing(events: Sequence[Event]) -> tuple[Event, ...]:
    """What was done, in order. A "retract" takes back what was logged since the last "answer" began, which nobody heard."""
    kept: list[Event] = []
    begun = float("inf")
    for event in events:
        if event.kind == "answer":
            begun = event.start
        elif event.kind == "retract":
            kept = [deed for deed in kept if deed.start < begun]
            begun = float("inf")
        elif event.kind in DEEDS:
            kept.append(event)
    return tuple(kept)
