"""A domain's tools as functions that a chat model may call, and the handoff to a person as one more of them.

The tools themselves are the ones that every agent of the domain has (`tools`); what goes wrong in a call is told to the model,
in words that it can mend it by.
"""

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from duplex.frame import Event
from duplex.stages.language.chat_model import Function, FunctionCall
from duplex.stages.language.domain import Domain, Values
from duplex.stages.language.tools import Records, Tool, WrongCall, arguments_of, call, in_words

HAND_OFF: Final = Function(
    "hand_off", "Puts a person in charge of this call, who reads what you give here. Say so to the caller.",
    {"type": "object", "additionalProperties": False, "required": ["reason", "who", "wants", "verified", "mood"], "properties": {
        "reason": {"type": "string", "description": "why: asked for a person, distressed, policy exception, or what a tool says"},
        "who": {"type": "string", "description": "the caller's name, or nothing where it is unknown"},
        "wants": {"type": "string", "description": "what the caller wants, in a few words"},
        "verified": {"type": "array", "items": {"type": "string"},
                     "description": "what you know from the caller, each as name=value: order=one two three four five"},
        "mood": {"type": "string", "enum": ["calm", "hesitant", "upset", "distressed"]}}})


@dataclass(frozen=True)
class Used:
    """What came of one call.

    Attributes:
        records: as they are afterwards.
        told: to the model.
        event: what an agent logs of it; None where nothing was done.
        wrong: the call could not be made.
        handoff: why a person must go on, by the tool's word; "" otherwise.
    """

    records: Records
    told: str
    event: Event | None = None
    wrong: bool = False
    handoff: str = ""


def functions_of(domain: Domain) -> tuple[Function, ...]:
    """Its tools, each with its docstring and the values that its arguments may have."""
    return tuple(Function(name, inspect.getdoc(tool) or name.replace("_", " "), {
        "type": "object", "additionalProperties": False, "required": list(arguments_of(tool)),
        "properties": {argument: schema(domain.values.get(argument)) for argument in arguments_of(tool)}})
        for name, tool in domain.tools.items())


def schema(values: Values | None) -> dict[str, Any]:
    if values is None:
        return {"type": "string"}
    if values.digits:
        return {"type": "string", "description": f"{values.digits} digits, as words or figures"}
    return {"type": "string", "enum": list(values.choices)}


def used(tools: Mapping[str, Tool], records: Records, made: FunctionCall, tried: Sequence[str]) -> Used:
    """Makes a call; `tried` are the tools used before it in this conversation."""
    try:
        arguments = arguments_in(made)
        if made.name == HAND_OFF.name:
            check_handoff(arguments)
            return Used(records, told(done="a person takes over now", next="say so, in one short sentence"),
                        handoff_event(arguments, tried))
        words = {name: in_words(value) if isinstance(value, str) else value for name, value in arguments.items()}
        outcome = call(tools, records, made.name, words)
    except WrongCall as error:
        return Used(records, told(error=str(error)), wrong=True)
    event = Event("tool_call", detail={"tool": made.name, "refused": outcome.refused, **words})
    if outcome.handoff:
        return Used(outcome.records, told(**outcome.facts, a_person_must_go_on=outcome.handoff,
                                          next=f"call {HAND_OFF.name} with this reason"), event, handoff=outcome.handoff)
    what = {"refused": outcome.refused} if outcome.refused else {"done": "yes"}
    return Used(outcome.records, told(**what, **outcome.facts), event)


def told(**facts: str) -> str:
    return json.dumps(facts, ensure_ascii=False)


def arguments_in(made: FunctionCall) -> dict[str, Any]:  # as JSON has them
    """The arguments of a call, whole numbers as the figures that the model meant."""
    if not made.name:
        raise WrongCall(f"this is no call; one is {{\"name\": …, \"arguments\": {{…}}}}: {made.arguments!r}")
    try:
        arguments = json.loads(made.arguments or "{}")
    except ValueError as error:
        raise WrongCall(f"the arguments of {made.name} are not JSON ({error}): {made.arguments!r}") from error
    if not isinstance(arguments, dict):
        raise WrongCall(f"the arguments of {made.name} are an object, as {{\"name\": \"value\"}}, not {made.arguments!r}")
    return {str(name): str(value) if isinstance(value, int) and not isinstance(value, bool) else value
            for name, value in arguments.items()}


def check_handoff(arguments: Mapping[str, Any]) -> None:
    wanted: dict[str, Any] = dict(HAND_OFF.parameters["properties"])
    if unknown := arguments.keys() - wanted.keys():
        raise WrongCall(f"{HAND_OFF.name} takes {', '.join(wanted)}, not {', '.join(sorted(unknown))}")
    for name, value in arguments.items():
        if name == "verified" and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            raise WrongCall(f"{HAND_OFF.name}: verified is a list of name=value, not {value!r}")
        if name != "verified" and not isinstance(value, str):
            raise WrongCall(f"{HAND_OFF.name}: {name} is words, not {value!r}")


def handoff_event(arguments: Mapping[str, Any], tried: Sequence[str]) -> Event:
    """The packet as an agent logs it; what was tried is known better than a model remembers it."""
    return Event("handoff", detail={
        "reason": arguments.get("reason", ""), "who": arguments.get("who", ""), "wants": arguments.get("wants", ""),
        "mood": arguments.get("mood", ""), "verified": [verified(one) for one in arguments.get("verified", [])],
        "tried": list(tried)})


def verified(given: str) -> str:
    """"order = 12345" as records have it: "order=one two three four five"."""
    name, equals, value = given.partition("=")
    return f"{name.strip().lower()}={in_words(value)}" if equals else in_words(given)
