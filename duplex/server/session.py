"""One conversation behind a connection, from the client's wishes to the reason why it ended; runs in a thread of its own.

The loop is the one that everybody uses (`duplex.conversation.hold`), the user is a `Visitor`, and what was said goes to
disk as it is said. Sockets are `duplex.server.server`'s business.
"""

import logging
import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from queue import Empty
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np

from duplex.conversation import Prompt, complaint, described, facts_of, hold
from duplex.frame import Frame
from duplex.journal import Journal
from duplex.manifest import installed
from duplex.server.agents import Agents, Hired
from duplex.server.disk import Disk, Kept
from duplex.server.visitor import BadMessage, Vanished, Visitor
from duplex.wire.messages import Kind, Line, json_object, message, opened
from duplex.wire.wishes import Wishes

log = logging.getLogger(__name__)

OPENING_PATIENCE: Final = 10.0  # seconds for the first message where `ext=1`


class Code(IntEnum):
    """Why a websocket is closed (RFC 6455 and its registry)."""

    OVER = 1000
    GOING_AWAY = 1001
    BAD_REQUEST = 1008
    TOO_BIG = 1009
    FAILED = 1011
    FULL = 1013


class Ending(NamedTuple):
    """How a conversation ended; what is told as an error is not `Code.OVER`.

    Attributes:
        step_p95: 95th percentile of how long the agent's steps took, seconds; None where there was none.
    """

    code: Code
    reason: str
    step_p95: float | None = None


class Opening(NamedTuple):
    """What a conversation is about, where the client says so in a first message."""

    prompt: Prompt
    seed: int
    clock: str | None


@dataclass(frozen=True)
class House:
    """What all conversations of a server have in common.

    Attributes:
        name: of the agent.
        agents: who can be spoken with.
        prompt: what an agent is told where the client says nothing.
        seed: of the first conversation where the client says none; the n-th has n more.
        max_seconds: after which a conversation ends.
        folder: where recordings go; None keeps none.
        disk: that writes them.
    """

    name: str
    agents: Agents
    prompt: Prompt
    seed: int
    max_seconds: float
    folder: Path | None
    disk: Disk = field(default_factory=Disk)


class Nowhere:
    """Keeps nothing of a conversation."""

    def write(self, from_user: Frame, from_agent: Frame, step_seconds: float) -> None:
        pass

    def tell(self, facts: Mapping[str, Any]) -> None:
        pass

    def finish(self, ended_by: str, failure: str | None = None) -> None:
        pass


class Steps:
    """Passes on what is written, and knows how long the steps took: for the last line about a conversation."""

    def __init__(self, keeps: Kept | Nowhere):
        self.keeps = keeps
        self.seconds = array("f")  # a list would take eight times the memory, for an hour

    def write(self, from_user: Frame, from_agent: Frame, step_seconds: float) -> None:
        self.seconds.append(step_seconds)
        self.keeps.write(from_user, from_agent, step_seconds)

    def tell(self, facts: Mapping[str, Any]) -> None:
        self.keeps.tell(facts)


def converse_with(line: Line, wishes: Wishes, house: House, number: int, identity: str) -> Ending:
    """Holds the conversation `number`, called `identity`, and says how it ended; never raises."""
    try:
        opening = opened_by(line, wishes, house, number)
        hired = house.agents.hire(wishes, opening.clock)
    except (BadMessage, ValueError) as error:
        return Ending(Code.BAD_REQUEST, str(error))
    except Exception as error:  # the session's edge: whoever called is told, and the server goes on
        log.exception("conversation %s could not begin", identity)
        return Ending(Code.FAILED, complaint(error))
    try:
        return held(line, wishes, opening, hired, house, identity)
    except OSError as error:  # where the server's disk is, is not the client's business
        log.error("%s: %s: %s", identity, error.strerror, error.filename)
        return Ending(Code.FAILED, str(error.strerror))
    finally:
        house.agents.release(hired)


def held(line: Line, wishes: Wishes, opening: Opening, hired: Hired, house: House, identity: str) -> Ending:
    greeting = {
        "server": "duplex-harness", "version": installed("duplex-harness"), "agent": house.name,
        "facts": dict(facts_of(hired.agent)), "applied": {**hired.applied, "seed": opening.seed}, "conversation": identity,
        "kept": None if house.folder is None else "/".join([*house.folder.parts[-2:], identity])}
    visitor = Visitor(line, greeting, wishes.extended, wishes.pcm, wishes.lockstep)
    facts = {"scenario": identity, "category": "live", "system": house.name,
             "clock": (opening.clock or "ideal") if wishes.lockstep else "live", "applied": greeting["applied"]}
    keeps = Nowhere() if house.folder is None else house.disk.keep(Journal(
        house.folder / identity, described(hired.agent, opening.prompt, opening.seed, facts)))
    steps = Steps(keeps)
    began = perf_counter()
    ended_by, failure = hold(visitor, hired.agent, steps, opening.prompt, opening.seed, house.max_seconds)
    keeps.finish(ended_by, None if failure is None else complaint(failure))
    ending = ending_of(ended_by, failure)
    p50, p95, p99 = np.quantile(steps.seconds or [0.0], [0.5, 0.95, 0.99]).tolist()
    log.info("%s: %.1f s, %d frames, step p50 %.1f ms, p99 %.1f ms; %s", identity, perf_counter() - began,
             len(steps.seconds), 1e3 * p50, 1e3 * p99, ending.reason)
    return ending._replace(step_p95=p95 if steps.seconds else None)


def opened_by(line: Line, wishes: Wishes, house: House, number: int) -> Opening:
    """What the conversation is about: by the first message where `ext=1`, else by the query.

    Raises:
        BadMessage: the first message is another one, or says nonsense.
    """
    seed = house.seed + number if wishes.seed is None else wishes.seed
    prompt = house.prompt if wishes.role is None else replace(house.prompt, text=wishes.role)
    if not wishes.extended:
        return Opening(prompt, seed, None)
    wanted = ("the first message of ext=1 is kind 4 with {\"prompt\": {\"text\": …, \"records\": {…}}, \"seed\": …, "
              "\"clock\": …}, each if there is any")
    try:
        received = line.receive(OPENING_PATIENCE)
    except Empty:
        raise BadMessage(f"{wanted}; none came in {OPENING_PATIENCE:.0f} s") from None
    if received is None:
        raise BadMessage("the client left before it said anything")
    try:
        found = opened(received[1])
        if found is None or found[0] != Kind.METADATA:
            raise ValueError(f"not kind {received[1][0]}")
        told = json_object(found[1])
        given, clock = told.get("prompt") or {}, told.get("clock")
        about = Prompt(str(given.get("text", prompt.text)), records(given["records"]) if "records" in given else prompt.records,
                       domain_name(given.get("domain", prompt.domain)))
        return Opening(about, abs(int(told.get("seed", seed))), None if clock is None else str(clock))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise BadMessage(f"{wanted}: {error}") from error


def domain_name(given: object) -> str:
    """`Prompt.domain` from JSON: a name and no path, since what a path leads to is run."""
    if not re.fullmatch(r"\w*", str(given)):
        raise ValueError(f"a domain is called by its name, not {given!r}")
    return str(given)


def records(given: Any) -> dict[str, dict[str, dict[str, str]]]:
    """`Prompt.records` from JSON."""
    return {str(table): {str(key): {str(field): str(value) for field, value in row.items()} for key, row in rows.items()}
            for table, rows in given.items()}


def ending_of(ended_by: str, failure: Exception | None) -> Ending:
    if isinstance(failure, BadMessage | Vanished):
        return Ending(Code.BAD_REQUEST, str(failure))
    if failure is not None:
        return Ending(Code.FAILED, complaint(failure))
    return Ending(Code.OVER, {"user": "you hung up", "agent": "the agent hung up"}.get(ended_by, "the longest time is over"))


def refusal(reason: str) -> bytes:
    return message(Kind.ERROR, reason)
