"""A domain: what callers say and what an agent can do, read from YAML.

Data only. Who understands and answers is `duplex.stages.language.manager`; what a call must achieve is `eval`'s business.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any, Final

import yaml

from duplex.stages.language.tools import DIGITS, Tool, arguments_of, tools_of

FOLDER: Final = Path(__file__).parents[2] / "domains"
SECTIONS: Final = frozenset(("name", "role", "values", "talk", "intents", "say"))
OPTIONAL: Final = frozenset(("facts", "fields"))
SLOT: Final = re.compile(r"\$(\w+)")  # "$day at $time"; braces would mean something to YAML


@dataclass(frozen=True)
class Values:
    """What a slot may hold: one of `choices`, or a string of `digits` digits."""

    choices: tuple[str, ...] = ()
    digits: int = 0

    def draw(self, random: Random) -> str:
        if self.digits:
            return " ".join(random.choice(DIGITS) for _ in range(self.digits))
        return random.choice(self.choices)


@dataclass(frozen=True)
class Intent:
    """Something a caller can want.

    Attributes:
        phrases: how callers put it, with $slot where a value stands.
        keys: sets of words; all of one must be heard.
        answer: what is said when all slots are known, with $slot and fields of the record, or what the tool found out.
        slots: what must be known first.
        ask: missing slots joined by "+" -> question.
        confirm: said before the answer, or "" where nothing needs confirming.
        table: records that the answer reads from, or "".
        key: the slot that is the record's key; without one, the caller's only record is meant.
        unknown: said when there is no such record.
        refused: the intent that a "no" to `confirm` leads to, or "" to ask for the slots again.
        tool: what is done before the answer, with the slots as arguments; see `duplex.stages.language.tools`.
        refusals: what is said where the tool refuses, by its code.
        requires: the intent that must be completed first, once in a call: who is not verified is told nothing.
        handoff: why a person goes on once all slots are known, in place of an answer.
    """

    name: str
    phrases: tuple[str, ...]
    keys: tuple[frozenset[str], ...]
    answer: str
    slots: tuple[str, ...] = ()
    ask: Mapping[str, str] = field(default_factory=dict)
    confirm: str = ""
    table: str = ""
    key: str = ""
    unknown: str = ""
    refused: str = ""
    tool: str = ""
    refusals: Mapping[str, "Refusal"] = field(default_factory=dict)
    requires: str = ""
    handoff: str = ""


@dataclass(frozen=True)
class Refusal:
    """What is said where a tool refuses.

    Attributes:
        ask: the slots that are asked for again by it; without any, the matter is closed.
    """

    say: str
    ask: tuple[str, ...] = ()


INTENT_KEYS: Final = frozenset(one.name for one in fields(Intent)) - {"name"}


@dataclass(frozen=True)
class Phrases:
    """How callers put things, as a whole.

    Attributes:
        all: with $slot where a value stands.
    """

    all: tuple[str, ...]

    @cached_property
    def fixed(self) -> frozenset[tuple[str, ...]]:
        """The phrases without slots, as words."""
        return frozenset(tuple(phrase.split()) for phrase in self.all if not SLOT.search(phrase))

    @cached_property
    def rests_of(self) -> Mapping[tuple[str, ...], list[str]]:
        """Beginning of a phrase -> what follows, shortest first."""
        rests: dict[tuple[str, ...], list[str]] = {}
        for phrase in sorted(self.fixed, key=lambda words: (len(words), words)):  # a set has an order of its own in each process
            for count in range(2, len(phrase)):  # one word begins too many
                rests.setdefault(phrase[:count], []).append(" ".join(phrase[count:]))
        return rests

    def whole(self, words: list[str]) -> bool:
        """Whether `words` are one of the phrases without slots."""
        return tuple(words) in self.fixed

    def rests(self, words: list[str]) -> list[str]:
        """What may follow `words`, where they begin a phrase without slots."""
        return self.rests_of.get(tuple(words), [])


@dataclass(frozen=True)
class Domain:
    """See the comments of `domains/optician.yaml` and `domains/orders.yaml`.

    Attributes:
        facts: what an agent may tell, by name; an intent of that name is answered by it.
        fields: what the records may hold that an agent reads out and no caller says, for who listens to agents.
        tools: what it may do, by name.
    """

    name: str
    role: str
    values: Mapping[str, Values]
    talk: Mapping[str, tuple[str, ...]]
    intents: Mapping[str, Intent]
    say: Mapping[str, str]
    phrases: "Phrases"
    facts: Mapping[str, str] = field(default_factory=dict)
    tools: Mapping[str, Tool] = field(default_factory=dict)
    fields: Mapping[str, Values] = field(default_factory=dict)

    def sentences(self, copies: int = 20, seed: int = 1) -> list[str]:
        """What callers may say, slots filled in at random: training text of a language model."""
        random = Random(seed)
        return [self.filled(phrase, random) for phrase in self.phrases.all for _ in range(copies)]

    def filled(self, phrase: str, random: Random) -> str:
        return SLOT.sub(lambda slot: (self.values.get(slot[1]) or self.fields[slot[1]]).draw(random), phrase)


@cache
def domain(name: str) -> Domain:
    """The domain called `name` in `duplex/domains`, or in the YAML file that `name` is a path to.

    Raises:
        ValueError: when there is none, or something is missing, unknown or contradictory in it.
    """
    path = Path(name) if name.endswith(".yaml") else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(f"no domain {name!r}: there is {', '.join(shipped())}, or give a path that ends in .yaml")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    if not isinstance(data, dict) or SECTIONS - data.keys():
        raise ValueError(f"{path} needs {', '.join(sorted(SECTIONS))}")
    if unknown := data.keys() - SECTIONS - OPTIONAL:
        raise ValueError(f"{path}: unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(SECTIONS | OPTIONAL))}")
    if missing := {"lost", "offer"} - data["say"].keys():
        raise ValueError(f"{path}: say needs {' and '.join(sorted(missing))}")
    values = {slot: parsed_values(given) for slot, given in data["values"].items()}
    facts, tools = data.get("facts", {}), tools_of(path)
    intents = {key: intent(key, {"answer": facts[key], **given} if key in facts else given, f"{path}: intent {key!r}")
               for key, given in data["intents"].items()}
    for one in intents.values():
        check(one, values, intents, f"{path}: intent {one.name!r}")
        check_tool(one, tools, intents, "handoff" in data["say"], f"{path}: intent {one.name!r}")
    talk = {kind: tuple(phrases) for kind, phrases in data["talk"].items()}
    phrases = [phrase for one in intents.values() for phrase in one.phrases]
    phrases += [phrase for group in talk.values() for phrase in group]
    return Domain(data["name"], data["role"], values, talk, intents, data["say"], Phrases(tuple(phrases)),
                  facts, tools, {name: parsed_values(given) for name, given in data.get("fields", {}).items()})


def shipped() -> tuple[str, ...]:
    """The names of the domains that come with the harness."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.yaml")))


def parsed_values(given: Any) -> Values:  # YAML: {digits: 5} or a list of choices
    return Values(digits=given["digits"]) if isinstance(given, dict) else Values(choices=tuple(given))


def intent(name: str, given: dict[str, Any], where: str) -> Intent:  # YAML holds values of several types
    needed = {"phrases", "keys"} if "handoff" in given else {"phrases", "keys", "answer"}
    if missing := needed - given.keys():
        raise ValueError(f"{where} needs {', '.join(sorted(missing))}")
    if unknown := given.keys() - INTENT_KEYS:
        raise ValueError(f"{where}: unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(INTENT_KEYS))}")
    parsed = {"answer": "", **given, "keys": tuple(frozenset(key.split()) for key in given["keys"])}
    parsed["refusals"] = {code: Refusal(said) if isinstance(said, str) else Refusal(said["say"], tuple(said.get("ask", ())))
                          for code, said in given.get("refusals", {}).items()}
    for listed in ("phrases", "slots"):
        parsed[listed] = tuple(given.get(listed, ()))
    return Intent(name, **parsed)


def check(one: Intent, values: Mapping[str, Values], intents: Mapping[str, Intent], where: str) -> None:
    """That an intent can be spoken, asked for and refused."""
    for phrase in one.phrases:
        if unknown := set(SLOT.findall(phrase)) - values.keys():
            raise ValueError(f"{where} says {phrase!r}, but {', '.join(sorted(unknown))} has no values")
    if unknown := set(one.slots) - values.keys():
        raise ValueError(f"{where} needs {', '.join(sorted(unknown))}, which has no values")
    for count in range(1, len(one.slots) + 1):
        for missing in combinations(one.slots, count):
            if "+".join(missing) not in one.ask:
                raise ValueError(f"{where} does not ask for {'+'.join(missing)}")
    if one.key and (one.key not in one.slots or not one.unknown):
        raise ValueError(f"{where}: its key {one.key!r} must be one of its slots, and unknown says what to say without")
    after_no = one.refused or one.name
    if one.confirm and (after_no not in intents or not intents[after_no].slots):
        raise ValueError(f"{where}: a no to confirm leads to {after_no!r}, which has no slots to ask for")


def check_tool(one: Intent, tools: Mapping[str, Tool], intents: Mapping[str, Intent], hands_off: bool, where: str) -> None:
    """That what an intent does can be done."""
    if one.tool and one.tool not in tools:
        raise ValueError(f"{where}: there is no tool {one.tool!r}; the module beside it has {', '.join(tools) or 'none'}")
    if one.tool and (lacking := set(arguments_of(tools[one.tool])) - set(one.slots)):
        raise ValueError(f"{where}: its tool {one.tool} takes {', '.join(sorted(lacking))}, which are none of its slots")
    for code, refusal in one.refusals.items():
        if unknown := set(refusal.ask) - set(one.slots):
            raise ValueError(f"{where}: the refusal {code!r} asks for {', '.join(sorted(unknown))}, none of its slots")
    if one.requires and (one.requires not in intents or one.requires == one.name or intents[one.requires].requires):
        raise ValueError(f"{where} requires {one.requires!r}, which must be another intent that requires none")
    if one.handoff and not hands_off:
        raise ValueError(f"{where} hands off, but there is no say.handoff")


def caller_sentences(name: str) -> list[str]:
    """Training text of the domain called `name`; what a recogniser's config asks for."""
    return domain(name).sentences()
