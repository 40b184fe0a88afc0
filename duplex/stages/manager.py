"""A frame-based (slot-filling) dialogue manager: the language stage that runs anywhere.

It reads a domain and the caller's records, spots intents and values, asks for what is missing, confirms and answers.
It is no language model, understands only its domain, and never sees what a scenario expects.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final, NamedTuple

from duplex.conversation import Prompt
from duplex.stages.domain import DIGITS, SLOT, Domain, Intent, domain
from duplex.stages.llm import ANSWERED, HALF_SPOKEN, UNDERSTOOD, UNKNOWN, Reply

YES: Final = frozenset("yes yeah yep correct right sure works please".split())
NO: Final = frozenset("no not wrong".split())
REPAIRS: Final = frozenset("sorry no mean meant actually wait hold excuse".split())
MAX_CONTINUATIONS: Final = 2  # answers prepared on the chance; beyond that it is anybody's guess
SENTENCE_END: Final = re.compile(r"(?<=[.?!])\s+")


class Meaning(NamedTuple):
    """What was understood of one thing heard."""

    intent: str = ""
    slots: tuple[tuple[str, str], ...] = ()
    answer: str = ""  # "yes", "no" or ""
    talk: str = ""  # hello, thanks, goodbye, repeat, person


@dataclass(frozen=True)
class State:
    """Where the dialogue is.

    Attributes:
        intent: what the caller wants, or "".
        slots: what is known of it.
        asked: the slots asked for, or ("confirm",), or ().
        last: the sentences said last, for callers who want them again.
    """

    intent: str = ""
    slots: tuple[tuple[str, str], ...] = ()
    asked: tuple[str, ...] = ()
    last: tuple[str, ...] = ()


class Manager:
    """Frame-based dialogue manager over one domain.

    Args:
        domain: name of a domain or path of its YAML.
    """

    def __init__(self, domain_name: str = "optician"):
        self.domain: Domain = domain(domain_name)
        self.reset(Prompt(), 0)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.records = prompt.records
        self.state = self.before = State()

    def reply(self, heard: str) -> Reply:
        sentences, state = self.answer(self.understood(heard))
        return Reply(sentences, replace(state, last=sentences))

    def commit(self, reply: Reply) -> None:
        assert isinstance(reply.state, State), "a manager commits its own replies"
        self.before, self.state = self.state, reply.state

    def retract(self) -> None:
        self.state = self.before

    def meaning(self, heard: str) -> Meaning | None:
        meaning = self.understood(heard)
        return None if meaning == Meaning() else meaning

    def completeness(self, heard: str) -> float:
        meaning, asked = self.understood(heard), self.state.asked
        slots = dict(meaning.slots)
        for slot, wanted in self.domain.values.items():
            needed = 1 if slot in asked else 2  # unasked, "two thirty" begins no number
            if wanted.digits and slot not in slots and trailing_digits(heard) >= needed:
                return HALF_SPOKEN
        wanted_slots = [slot for slot in asked if slot in self.domain.values]
        given = sum(slot in slots for slot in wanted_slots)
        if wanted_slots and given == len(wanted_slots) or asked == ("confirm",) and meaning.answer == "yes":
            return ANSWERED
        if 0 < given or wanted_slots and meaning.intent == self.state.intent:
            return HALF_SPOKEN  # asked for a day and a time, heard the day; or "my order number is"
        words = heard.split()
        if words and words[-1] in REPAIRS and not (words[-1] in NO and meaning.answer == "no") or self.rests(words):
            return HALF_SPOKEN
        if not self.domain.phrases.whole(words) and self.domain.phrases.rests(words):
            return HALF_SPOKEN  # "can you deliver my glasses": what callers say goes on from here
        return UNKNOWN if meaning == Meaning() else UNDERSTOOD

    def expected_digits(self) -> int:
        return max((self.domain.values[slot].digits for slot in self.state.asked if slot in self.domain.values),
                   default=0)

    def continuations(self, heard: str) -> tuple[str, ...]:
        if not heard:
            return ("yes", "no") if self.state.asked == ("confirm",) else ()
        words = heard.split()
        found = [f"{heard} {rest}" for rest in self.rests(words)] or [
            f"{heard} {rest}" for start in range(len(words) - 1) for rest in self.domain.phrases.rests(words[start:])]
        by_meaning = {self.meaning(whole): whole for whole in reversed(found)}
        by_meaning.pop(None, None)
        return tuple(by_meaning.values()) if len(by_meaning) <= MAX_CONTINUATIONS else ()

    def rests(self, words: list[str]) -> list[str]:
        """What is missing of a value that has begun: "morning" of "nine in the"; empty unless it is certain."""
        if len(words) > 1 and trailing_digits(" ".join(words)) > 1:
            return []  # the end of a number, not the beginning of a time
        rests = [" ".join(choice[count:]) for values in self.domain.values.values()
                 for choice in map(str.split, values.choices)
                 for count in range(1, len(choice)) if words[-count:] == choice[:count]]
        return rests if len(rests) == 1 else []

    # Understanding

    def understood(self, heard: str) -> Meaning:
        words = heard.split()
        slots = tuple((slot, value) for slot in self.domain.values if (value := self.value(slot, words)))
        intent = self.spotted(words)
        answer = ""
        if not intent:
            answer = "no" if NO & set(words) else "yes" if YES & set(words) else ""
            if slots and answer == "yes":
                answer = ""  # "nine a m please" is a time
        talk = "" if intent or slots else self.talk(heard)
        if answer and talk != "goodbye":
            talk = ""  # "yes, thank you" answers
        return Meaning(intent, slots, "" if talk else answer, talk)

    def spotted(self, words: list[str]) -> str:
        """The intent with the longest key in the last part between repair words that has one, or in all, or ""."""
        parts = [list(part) for is_repair, part in groupby(words, REPAIRS.__contains__) if not is_repair]
        for heard in map(set, (*reversed(parts), words)):
            found = [(len(key), name) for name, intent in self.domain.intents.items()
                     for key in intent.keys if key <= heard]
            if found:
                return max(found, key=lambda pair: pair[0])[1]
        return ""

    def talk(self, heard: str) -> str:
        """Small talk, or "": the longest of its phrases that is in what was heard."""
        found = [(len(phrase), kind) for kind in ("goodbye", "thanks", "hello", "repeat", "person")
                 for phrase in self.domain.talk.get(kind, ()) if f" {phrase} " in f" {heard} "]
        return max(found)[1] if found else ""

    def value(self, slot: str, words: list[str]) -> str:
        """The value of `slot` mentioned last, or "": who corrects himself means the later one."""
        wanted = self.domain.values[slot]
        if wanted.digits:
            return corrected_digits(words, wanted.digits)
        text = f" {' '.join(words)} "
        ends = [(text.rfind(f" {choice} ") + len(choice), choice) for choice in wanted.choices
                if f" {choice} " in text]
        return max(ends)[1] if ends else ""

    # Answering

    def answer(self, meaning: Meaning) -> tuple[tuple[str, ...], State]:
        state = self.state
        if meaning.talk:
            if meaning.talk == "repeat" and state.last:
                return state.last, state
            return sentences(self.domain.say.get(meaning.talk, self.domain.say["offer"])), state
        if meaning.intent and not self.is_task(meaning.intent):
            return sentences(self.domain.intents[meaning.intent].answer), state
        task = meaning.intent or state.intent or self.task_of(slot for slot, _ in meaning.slots)
        if not task:
            return sentences(self.domain.say["lost"]), state
        if task != state.intent:
            state = State(task)
        return self.advance(state, meaning)

    def advance(self, state: State, meaning: Meaning) -> tuple[tuple[str, ...], State]:
        """The next step of a task."""
        intent = self.domain.intents[state.intent]
        given = {slot: value for slot, value in meaning.slots if slot in intent.slots}
        known = {**dict(state.slots), **given}
        if state.asked == ("confirm",) and not given:
            if meaning.answer == "yes":
                return self.completed(intent, known)
            if meaning.answer == "no":
                return self.refused(intent)
            if not meaning.intent:  # neither yes nor no: ask again
                return sentences(self.filled(intent.confirm, intent, known)), state
        if not given and not meaning.intent:
            lost = sentences(self.domain.say["lost"]) if not state.asked else ()
            asked = self.question(intent, known)
            return ((f"Sorry. {asked[0]}", *asked[1:]) if asked else lost), state
        if intent.key and intent.key in known and known[intent.key] not in self.records.get(intent.table, {}):
            return sentences(self.filled(intent.unknown, intent, known)), State(intent.name, (), (intent.key,))
        missing = tuple(slot for slot in intent.slots if slot not in known)
        if missing:
            return self.question(intent, known), State(intent.name, tuple(known.items()), missing)
        if intent.confirm:
            return (sentences(self.filled(intent.confirm, intent, known)),
                    State(intent.name, tuple(known.items()), ("confirm",)))
        return self.completed(intent, known)

    def question(self, intent: Intent, known: dict[str, str]) -> tuple[str, ...]:
        missing = [slot for slot in intent.slots if slot not in known]
        return sentences(intent.ask["+".join(missing)]) if missing else ()

    def completed(self, intent: Intent, known: dict[str, str]) -> tuple[tuple[str, ...], State]:
        return sentences(self.filled(intent.answer, intent, known)), State()

    def refused(self, intent: Intent) -> tuple[tuple[str, ...], State]:
        again = self.domain.intents[intent.refused] if intent.refused else intent
        question = self.question(again, {})
        return (f"Sorry. {question[0]}", *question[1:]), State(again.name, (), again.slots)

    def filled(self, text: str, intent: Intent, known: dict[str, str]) -> str:
        records = self.records.get(intent.table, {})
        record = records.get(known[intent.key], {}) if intent.key else next(iter(records.values()), {})
        facts = {**record, **known}
        return SLOT.sub(lambda slot: facts.get(slot[1], "unknown"), text)

    def is_task(self, name: str) -> bool:
        return bool(self.domain.intents[name].slots or self.domain.intents[name].confirm)

    def task_of(self, slots: Iterable[str]) -> str:
        """The task that a bare value belongs to, or ""."""
        given = set(slots)
        return next((name for name, intent in self.domain.intents.items() if given & set(intent.slots)), "")


def corrected_digits(words: list[str], count: int) -> str:
    """The last `count` digits between repair words, or "".

    "oh" is a zero among digits. A number started anew after "no" or "sorry" takes back the one before it, even where
    it was not understood in full.
    """
    found = ""
    digits: list[str] = []
    for word in [*words, "sorry"]:
        digit = "zero" if word == "oh" else word
        if digit in DIGITS:
            digits.append(digit)
        elif word in REPAIRS:
            if len(digits) > 1:
                found = " ".join(digits) if len(digits) == count else ""
            digits = []
    return found


def trailing_digits(heard: str) -> int:
    """How many digits `heard` ends with."""
    return next((count for count, word in enumerate(reversed(heard.split())) if word not in DIGITS and word != "oh"),
                len(heard.split()))


def sentences(text: str) -> tuple[str, ...]:
    """`text` by sentence, each with its punctuation."""
    return tuple(SENTENCE_END.split(text.strip()))
