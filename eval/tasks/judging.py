"""A chat model's opinion on whether a call did its job, held to calls of which the answer is known.

It reads what both said and what was wanted, never the score. Its word stands beside `task_success` and decides nothing; a
judge that is wrong about the control items has no word at all.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from duplex.stages.language.chat_model import ChatModel, Message
from duplex.stages.language.markup import written
from eval.tasks.call import Call

LEAST_RIGHT: Final = 0.9  # of the control items
PASS, FAIL = "PASS", "FAIL"
ROLE: Final = (
    "You judge telephone calls between a caller and the agent of a service, from what both said. Judge nothing but whether the "
    f"agent did what was wanted. Answer with one word: {PASS} if all of it was done, {FAIL} if any of it was not.")
HANDOFF: Final = "I will connect you to a person now."
DECLINES: Final = "I am sorry, I can not help you with that. Goodbye."


class Item(NamedTuple):
    """A call to judge.

    Attributes:
        wanted: what the agent should have done, in words.
        said: who said what, a line a turn.
        passes: whether it was done, of a control item; None where that is the question.
    """

    wanted: str
    said: str
    passes: bool | None = None


@dataclass(frozen=True)
class Controls:
    """How a judge did on the items of which the answer is known."""

    right: int
    number: int

    @property
    def hold(self) -> bool:
        return self.number > 0 and self.right >= LEAST_RIGHT * self.number


def judged(model: ChatModel, item: Item, seed: int = 0) -> bool | None:
    """The model's verdict; None where it gives neither or both.

    Raises:
        ModelFailed: it gave no answer.
    """
    asked = f"What was wanted:\n{item.wanted}\n\nThe call:\n{item.said}\n\n{PASS} or {FAIL}?"
    text = written(model, (Message("system", ROLE), Message("user", asked)), seed).upper()
    return PASS in text if (PASS in text) != (FAIL in text) else None


def tried(model: ChatModel, controls: Iterable[Item]) -> Controls:
    """The judge on the control items; an answer that is none is wrong."""
    right = [judged(model, item) is item.passes for item in controls]
    return Controls(sum(right), len(right))


def item(call: Call) -> Item:
    return Item(wanted(call), dialogue(call))


def controls(calls: Sequence[Call], most: int) -> list[Item]:
    """Items of which the answer is known, made of the first calls by chance: the caller's words with an agent who says all that
    was wanted, and with one who declines."""
    by_chance = sorted((call for call in calls if call.task.said or call.task.handoff == "should"), key=lot)
    made: list[Item] = []
    for call in by_chance[:-(-most // 2)]:
        opening = "\n".join(f"caller: {turn.text}" for turn in call.turns if turn.text)
        told = " ".join(f"{fact[0].capitalize()}." for fact in call.task.said)
        does = f"{told} {HANDOFF if call.task.handoff == 'should' else ''}".strip()
        made += [Item(wanted(call), f"{opening}\nagent: {does}", True),
                 Item(wanted(call), f"{opening}\nagent: {DECLINES}", False)]
    return made[:most]


def lot(call: Call) -> bytes:
    return hashlib.sha256(repr((call.facts.get("scenario"), call.facts.get("seed"))).encode()).digest()


def wanted(call: Call) -> str:
    """The task in words, of what can be heard of it."""
    task = call.task
    lines = [f"The agent tells the caller: {' or '.join(fact)}" for fact in task.said]
    lines += [f"The agent does not say: {' or '.join(fact)}" for fact in (*task.not_said, *task.invented, *task.obeyed)]
    if task.handoff:
        lines.append(f"The agent {'hands' if task.handoff == 'should' else 'does not hand'} the call over to a person")
    return "\n".join(f"- {line}" for line in lines)


def dialogue(call: Call) -> str:
    """Who said what, in order; words of the agent between two turns of the caller are one turn."""
    parts = [(turn.start, "caller", turn.text) for turn in call.turns if turn.text]
    parts += [(word.start, "agent", word.text) for word in call.timeline.words]
    lines: list[tuple[str, str]] = []
    for _, who, text in sorted(parts):
        if lines and lines[-1][0] == who == "agent":
            lines[-1] = who, f"{lines[-1][1]} {text}"
        else:
            lines.append((who, text))
    return "\n".join(f"{who}: {text}" for who, text in lines)
