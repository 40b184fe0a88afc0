"""Tools: what an agent may do with its records, pure functions from records to records.

A domain's tools stand in the module beside its YAML. Frame-based managers and language models call the same ones, an
evaluation runs the logged calls again; nothing here talks, and nothing is changed in place.
"""

import importlib.util
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from duplex.number_words import ONES

Row: TypeAlias = Mapping[str, str]
Records: TypeAlias = Mapping[str, Mapping[str, Row]]  # table -> key -> field -> value
DIGITS: Final = ONES[:10]


@dataclass(frozen=True)
class Outcome:
    """What came of a call.

    Attributes:
        records: as they are afterwards.
        facts: what the caller may be told, field -> value.
        refused: why nothing was done, a short code; "" where it was done.
        handoff: why a person must go on with the call, or "".
    """

    records: Records
    facts: Row = field(default_factory=dict)
    refused: str = ""
    handoff: str = ""


Tool: TypeAlias = Callable[..., Outcome]


class WrongCall(ValueError):
    """There is no such tool, or not with such arguments; the message says what there is."""


def done(records: Records, **facts: str) -> Outcome:
    return Outcome(records, facts)


def refused(records: Records, why: str, **facts: str) -> Outcome:
    return Outcome(records, facts, refused=why)


def for_a_person(records: Records, why: str, **facts: str) -> Outcome:
    return Outcome(records, facts, handoff=why)


def row(records: Records, table: str, key: str) -> Row | None:
    """A record, or None."""
    return records.get(table, {}).get(key)


def changed(records: Records, table: str, key: str, **fields: str) -> Records:
    """`records` with these fields of one record set; the record is made where there is none."""
    rows = records.get(table, {})
    return {**records, table: {**rows, key: {**rows.get(key, {}), **fields}}}


def without(records: Records, table: str, key: str) -> Records:
    """`records` less one record."""
    return {**records, table: {name: fields for name, fields in records.get(table, {}).items() if name != key}}


@cache
def tools_of(domain: Path) -> Mapping[str, Tool]:
    """The public functions of the module beside a domain's YAML, in its order; none where there is no module.

    Raises:
        ValueError: a tool whose first parameter is not `records`, or that takes anything but words.
    """
    path = domain.with_suffix(".py")
    if not path.is_file():
        return MappingProxyType({})
    spec = importlib.util.spec_from_file_location(f"duplex_domain_{path.stem}", path)
    assert spec is not None and spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = {name: one for name, one in vars(module).items()
             if inspect.isfunction(one) and one.__module__ == module.__name__ and not name.startswith("_")
             and inspect.signature(one).return_annotation is Outcome}
    for name, one in found.items():
        first, *arguments = inspect.signature(one).parameters.values()
        if first.name != "records" or any(argument.annotation is not str for argument in arguments):
            raise ValueError(f"{path}: the tool {name} takes records first, then arguments of type str")
    return MappingProxyType(found)


def arguments_of(tool: Tool) -> tuple[str, ...]:
    """The names of what it takes beside the records."""
    return tuple(inspect.signature(tool).parameters)[1:]


def call(tools: Mapping[str, Tool], records: Records, name: str, arguments: Mapping[str, str]) -> Outcome:
    """Runs one tool.

    Raises:
        WrongCall: naming what is wrong, for whoever wrote the call to read.
    """
    if name not in tools:
        raise WrongCall(f"there is no tool {name!r}; there are {', '.join(tools) or 'none'}")
    takes = arguments_of(tools[name])
    if set(takes) != set(arguments):
        raise WrongCall(f"{name} takes {', '.join(takes) or 'no arguments'}, not {', '.join(arguments) or 'none'}")
    if wrong := [key for key, value in arguments.items() if not isinstance(value, str)]:
        raise WrongCall(f"{name} takes words; {', '.join(wrong)} is none")
    return tools[name](records, **{key: in_words(value) for key, value in arguments.items()})


def in_words(value: str) -> str:
    """An argument as records have it: lower case, digits one by one in words ("12345" is "one two three four five")."""
    spelled = "".join(f" {DIGITS[int(sign)]} " if sign in "0123456789" else sign for sign in value.lower())
    return " ".join(spelled.split())
