"""A frame-based (slot-filling) dialogue manager: the language stage that runs anywhere.

It reads a domain and the caller's records, spots intents and values, asks for what is missing, confirms, uses its tools,
answers, and hands off to a person where its domain says so. It is no language model, understands only its domain, and
never sees what a scenario expects.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from duplex.conversation import Prompt
from duplex.frame import Event
from duplex.stages.language.domain import SLOT, Domain, Intent, domain
from duplex.stages.language.llm import ANSWERED, HALF_SPOKEN, UNDERSTOOD, UNKNOWN, Reply
from duplex.stages.language.tools import Records, arguments_of, call
from duplex.stages.language.understanding import FOR_A_PERSON, NO, REPAIRS, Meaning, trailing_digits, understood

MAX_CONTINUATIONS: Final = 2  # answers prepared on the chance; beyond that it is anybody's guess
MAX_LOST: Final = 3  # times in a row that nothing was understood, after which a person takes over
SENTENCE_END: Final = re.compile(r"(?<=[.?!])\s+")
REASONS: Final = {"person": "asked for a person", "distress": "distressed", "lost": "not understood"}


@dataclass(frozen=True)
class State:
    """Where the dialogue is.

    Attributes:
        intent: what is being talked about, or "".
        slots: what is known of it.
        asked: the slots asked for, or ("confirm",), or ().
        last: the sentences said last, for callers who want them again.
        goal: what the caller wants, where `intent` is only required for it.
        done: the intents that were completed.
        told: every value that the caller gave, by slot.
        tried: the tools that were used.
        lost: how often in a row nothing was understood, or nothing that there is.
        handed_off: a person is on the way.
        records: as the tools left them.
    """

    intent: str = ""
    slots: tuple[tuple[str, str], ...] = ()
    asked: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    goal: str = ""
    done: tuple[str, ...] = ()
    told: tuple[tuple[str, str], ...] = ()
    tried: tuple[str, ...] = ()
    lost: int = 0
    handed_off: bool = False
    records: Records = field(default_factory=dict, compare=False)


class Move(NamedTuple):
    """What is said, where that leaves the dialogue, and what is done by it."""

    sentences: tuple[str, ...]
    state: State
    events: tuple[Event, ...] = ()

    def after(self, *events: Event) -> "Move":
        return self._replace(events=(*events, *self.events))


class Manager:
    """Frame-based dialogue manager over one domain.

    Args:
        domain_name: name of a domain or path of its YAML, for calls whose prompt names none.
    """

    def __init__(self, domain_name: str = "optician"):
        self.own: Domain = domain(domain_name)
        self.reset(Prompt(), 0)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.domain = domain(prompt.domain) if prompt.domain else self.own
        self.state = self.before = State(records=prompt.records)

    @property
    def has_tools(self) -> bool:
        """Whether it can do something, beside saying so."""
        return bool(self.domain.tools)

    def reply(self, heard: str) -> Reply:
        sentences, state, events = self.answer(self.understood(heard))
        return Reply(sentences, replace(state, last=sentences), events)

    def commit(self, reply: Reply) -> None:
        assert isinstance(reply.state, State), "a manager commits its own replies"
        self.before, self.state = self.state, reply.state

    def retract(self) -> None:
        self.state = self.before

    def meaning(self, heard: str) -> Meaning | None:
        meaning = self.understood(heard)
        return None if meaning == Meaning() else meaning

    def understood(self, heard: str) -> Meaning:
        return understood(self.domain, heard)

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

    def answer(self, meaning: Meaning) -> Move:
        state = replace(self.state, told=tuple({**dict(self.state.told), **dict(meaning.slots)}.items()))
        if state.handed_off:
            return Move(sentences(self.domain.say["handoff"]), state)
        if meaning.talk in FOR_A_PERSON and "handoff" in self.domain.say:
            return self.handed_off(state, REASONS[meaning.talk], meaning.intent, distressed=meaning.talk == "distress")
        if meaning.talk:
            state = replace(state, lost=0)
            if meaning.talk == "repeat" and state.last:
                return Move(state.last, state)
            return Move(sentences(self.domain.say.get(meaning.talk, self.domain.say["offer"])), state)
        if meaning.intent and not self.is_task(meaning.intent):
            return Move(sentences(self.domain.intents[meaning.intent].answer), replace(state, lost=0))
        task = meaning.intent or state.intent or self.task_of(dict(meaning.slots))
        if not task:
            return self.lost(state, sentences(self.domain.say["lost"]))
        if state.asked and {*state.asked} <= {slot for slot, _ in meaning.slots}:
            task = state.intent  # what was asked for is answered, however it is put
        if task not in (state.intent, state.goal):
            state = replace(state, intent=task, slots=(), asked=(), goal="")
        return self.advance(state, meaning)

    def advance(self, state: State, meaning: Meaning) -> Move:
        """The next step of a task, by what was understood."""
        intent, wanted = self.domain.intents[state.intent], self.wanted(state)
        given = {slot: value for slot, value in meaning.slots if slot in wanted}
        known = {**dict(state.slots), **given}
        if state.asked == ("confirm",) and not given:
            if meaning.answer == "yes":
                return self.completed(replace(state, lost=0), intent, known)
            if meaning.answer == "no":
                return self.refused(replace(state, lost=0), intent)
            if not meaning.intent:  # neither yes nor no: ask again
                return self.lost(state, sentences(self.filled(intent.confirm, intent, known, state)))
        if not given and not meaning.intent:
            asked = self.question(intent, known)
            if asked:
                return self.lost(state, (f"Sorry. {asked[0]}", *asked[1:]))
            return self.lost(state, sentences(self.domain.say["lost"]) if not state.asked else ())
        return self.proceed(state, intent, known)

    def wanted(self, state: State) -> set[str]:
        """The slots that are of use now: of what is talked about, of what it is for, and of what is required first."""
        names = {state.intent, state.goal, self.domain.intents[state.intent].requires} - {""}
        return {slot for name in names for slot in self.domain.intents[name].slots}

    def proceed(self, state: State, intent: Intent, known: Mapping[str, str]) -> Move:
        """The next step of a task, by what is known."""
        if intent.requires and intent.requires not in state.done:
            required = self.domain.intents[intent.requires]
            return self.proceed(replace(state, intent=required.name, goal=intent.name), required, known)
        slots = tuple(known.items())
        if intent.key and intent.key in known and known[intent.key] not in state.records.get(intent.table, {}):
            kept = tuple((slot, value) for slot, value in slots if slot != intent.key and state.goal)
            return self.lost(replace(state, intent=intent.name, slots=kept, asked=(intent.key,)),
                             sentences(self.filled(intent.unknown, intent, known, state)))
        state = replace(state, lost=0)
        missing = tuple(slot for slot in intent.slots if slot not in known)
        if missing:
            return Move(self.question(intent, known), replace(state, intent=intent.name, slots=slots, asked=missing))
        if intent.confirm:
            return Move(sentences(self.filled(intent.confirm, intent, known, state)),
                        replace(state, intent=intent.name, slots=slots, asked=("confirm",)))
        return self.completed(state, intent, known)

    def question(self, intent: Intent, known: Mapping[str, str]) -> tuple[str, ...]:
        missing = [slot for slot in intent.slots if slot not in known]
        return sentences(intent.ask["+".join(missing)]) if missing else ()

    def completed(self, state: State, intent: Intent, known: Mapping[str, str]) -> Move:
        """All is known: the tool is used, and the answer rests on what came of it."""
        if not intent.tool:
            return self.closed(state, intent, known)
        tool = self.domain.tools[intent.tool]
        arguments = {slot: known[slot] for slot in arguments_of(tool)}
        outcome = call(self.domain.tools, state.records, intent.tool, arguments)
        used = Event("tool_call", detail={"tool": intent.tool, "refused": outcome.refused, **arguments})
        state = replace(state, records=outcome.records, tried=(*state.tried, intent.tool))
        if outcome.handoff:
            return self.handed_off(state, outcome.handoff, state.goal or intent.name).after(used)
        if outcome.refused:
            return self.declined(state, intent, {**known, **outcome.facts}, outcome.refused).after(used)
        return self.closed(state, intent, {**known, **outcome.facts}).after(used)

    def closed(self, state: State, intent: Intent, known: Mapping[str, str]) -> Move:
        if intent.handoff:
            return self.handed_off(state, intent.handoff, state.goal or intent.name)
        said = sentences(self.filled(intent.answer, intent, known, state))
        state = replace(state, intent="", slots=(), asked=(), done=(*state.done, intent.name))
        if not state.goal:
            is_a_step = any(one.requires == intent.name for one in self.domain.intents.values())
            return Move((*said, *sentences(self.domain.say["offer"])) if is_a_step else said, state)
        goal = self.domain.intents[state.goal]
        kept = {slot: value for slot, value in known.items() if slot in goal.slots}
        move = self.proceed(replace(state, intent=goal.name, goal=""), goal, kept)
        return move._replace(sentences=(*said, *move.sentences))

    def declined(self, state: State, intent: Intent, known: Mapping[str, str], why: str) -> Move:
        """The tool refused: what must be asked again is asked, else the matter is closed."""
        if why not in intent.refusals:
            raise ValueError(f"domain {self.domain.name!r}, intent {intent.name!r}: its tool {intent.tool} refuses with {why!r}, "
                             f"and there is no such refusal, only {', '.join(intent.refusals) or 'none'}")
        refusal = intent.refusals[why]
        said = sentences(self.filled(refusal.say, intent, known, state))
        if not refusal.ask:
            return Move(said, replace(state, intent="", slots=(), asked=(), goal=""))
        kept = tuple((slot, value) for slot, value in known.items() if slot in self.wanted(state) and slot not in refusal.ask)
        return Move(said, replace(state, intent=intent.name, slots=kept, asked=refusal.ask))

    def refused(self, state: State, intent: Intent) -> Move:
        """The caller said no: what was confirmed is asked for again."""
        again = self.domain.intents[intent.refused] if intent.refused else intent
        question = self.question(again, {})
        kept = tuple((slot, value) for slot, value in state.slots if slot not in again.slots and state.goal)
        return Move((f"Sorry. {question[0]}", *question[1:]),
                    replace(state, intent=again.name, slots=kept, asked=again.slots))

    def lost(self, state: State, said: tuple[str, ...]) -> Move:
        """Nothing was understood, or nothing that there is."""
        state = replace(state, lost=state.lost + 1)
        if state.lost >= MAX_LOST and "handoff" in self.domain.say:
            return self.handed_off(state, REASONS["lost"])
        return Move(said, state)

    def handed_off(self, state: State, reason: str, wants: str = "", distressed: bool = False) -> Move:
        """A person goes on, with all that is known."""
        told = dict(state.told)
        packet = Event("handoff", detail={
            "reason": reason, "who": told.get("name", ""), "wants": (wants or state.goal or state.intent).replace("_", " "),
            "mood": "distressed" if distressed else "calm",
            "verified": [f"{slot}={value}" for slot, value in told.items()], "tried": list(state.tried)})
        return Move(sentences(self.domain.say["handoff"]), replace(state, handed_off=True, asked=()), (packet,))

    def filled(self, text: str, intent: Intent, known: Mapping[str, str], state: State) -> str:
        records = state.records.get(intent.table, {})
        record = records.get(known.get(intent.key, ""), {}) if intent.key else next(iter(records.values()), {})
        facts = {**record, **known}
        return SLOT.sub(lambda slot: facts.get(slot[1], "unknown"), text)

    def is_task(self, name: str) -> bool:
        """Whether it takes more than an answer."""
        one = self.domain.intents[name]
        return bool(one.slots or one.confirm or one.tool or one.requires or one.handoff)

    def task_of(self, slots: Collection[str]) -> str:
        """The task that a bare value belongs to, or ""."""
        return next((name for name, intent in self.domain.intents.items() if not set(slots).isdisjoint(intent.slots)), "")


def sentences(text: str) -> tuple[str, ...]:
    """`text` by sentence, each with its punctuation."""
    return tuple(SENTENCE_END.split(text.strip()))
