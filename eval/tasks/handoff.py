"""The part of a call that should not be automated: whether a person took over, in time, and knowing what was said.

Whether one should have is the scenario's to say; what that person does with the packet, `eval.tasks.desk`'s.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from duplex.frame import Detail
from duplex.recording import moment
from eval.metrics.occasions import Observation
from eval.tasks.announcement import announcement
from eval.tasks.call import CALLS_KEPT, Call
from eval.tasks.desk import Desk, desk
from eval.tasks.normal import facts_said


class Handoff(NamedTuple):
    """A person takes over.

    Attributes:
        start: when the agent begins to say so.
        packet: what that person reads; None where there is nothing to read.
    """

    start: float
    packet: Mapping[str, Detail] | None = None


@lru_cache(maxsize=CALLS_KEPT)
def handoff(call: Call) -> Handoff | None:
    """The first handoff of a call, or None.

    It is what the agent logs as one. Of an agent that has no tools and logs none, it is what it announces ("I will connect you
    to a person"), and no packet comes along. One that has tools and only says so has handed off nobody.
    """
    logged = next((deed for deed in call.deeds if deed.kind == "handoff"), None)
    if logged is not None:
        return Handoff(logged.start, logged.detail)
    said = None if call.has_tools else announcement(call.timeline.words)
    return None if said is None else Handoff(said[0])


def escalation(call: Call) -> list[Observation]:
    """Whether it is the right calls that a person takes over.

    `escalation_recall`: of the calls that a person should take over, the share that one does. `escalation_precision`: of the
    calls that one takes over, the share that one should. `containment`: of all calls of which the scenario says either, the
    share that no person takes over and that does not break off with an error; no value judgement by itself, as some should.
    """
    label = call.task.handoff
    if not label:
        return []
    done, should = handoff(call) is not None, label == "should"
    found = [Observation("containment", 0.0, float(not done and not call.failed))]
    if should:
        found.append(Observation("escalation_recall", 0.0, float(done)))
    if done:
        found.append(Observation("escalation_precision", 0.0, float(should)))
    return found


def handoff_seconds(call: Call) -> list[Observation]:
    """Seconds from the end of the act from which a handoff is due to the agent's announcement of it.

    Signed: an agent that hands off before it is due has a negative one. Censored at the end of the recording where no person
    takes over. Of the calls that one should take over; one in which that act was not said is no occasion.
    """
    if call.task.handoff != "should" or not call.triggers:
        return []
    due, done = call.triggers[0].end, handoff(call)
    until = call.timeline.seconds if done is None else done.start
    return [Observation("handoff_seconds", due, moment(until - due), done is None)]


def passed_on(call: Call) -> list[Observation]:
    """What the person who takes over knows of what they need to know (the scenario's `needs`).

    `packet_complete`: of all that is needed, the share that the packet has right. `facts_asked_again`: how many of the needed
    facts that the caller had said before the handoff must be said again, as the packet lacks them or has them wrong.
    `repeats_everything`: the share of the handoffs after which the caller must say again all of them; a handoff before the
    caller had said any is no occasion of the last two. Without a packet nothing is known.
    """
    done = handoff(call)
    if done is None or not call.task.needs:
        return []
    person = answered(call, done)
    num_needs = len(call.task.needs)
    told = told_before(call, done.start)
    found = [Observation("packet_complete", done.start, float(num_needs - len(person.asked_again)), per=float(num_needs))]
    if told:
        again = told & person.asked_again
        found += [Observation("facts_asked_again", done.start, float(len(again))),
                  Observation("repeats_everything", done.start, float(again == told))]
    return found


def answered(call: Call, done: Handoff) -> Desk:
    """What the person at the desk says to a handoff."""
    return desk(done.packet, call.task.needs)


def told_before(call: Call, time: float) -> frozenset[str]:
    """The names of the needed facts that the caller had begun to say by then."""
    return frozenset(name for name, value in call.task.needs.items()
                     if any(start < time for start, _ in facts_said(call.caller_words, value)))
