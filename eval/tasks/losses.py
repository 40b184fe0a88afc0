"""Where failed tasks were lost, from the agent's own log: in recognition, in timing, or in understanding.

An attribution by the first divergence, not a cause proven: what came after it might have failed as well. Agents that log
nothing of what they heard are not told apart.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from duplex.frame import Event, Word
from duplex.stages.language.domain import domain
from duplex.stages.language.understanding import understood
from eval.metrics.occasions import Observation
from eval.tasks.call import Call, Turn
from eval.tasks.forms import canonical
from eval.tasks.normal import joined
from eval.tasks.pieces import pieces
from eval.tasks.policy import harm
from eval.tasks.state import differences, drift, state_after, state_wanted
from eval.tasks.success import missing, spoken, verdict
from eval.timeline import TURN_GAP_SECONDS

PLACES: Final = ("recognition", "timing", "understanding", "other")
TAKEN: Final = "answer"  # what was heard, and answered
LET_PASS: Final = ("backchannel", "resume")  # what was heard, and taken for nothing
EARLY_SECONDS: Final = 0.2  # an agent that answers so shortly before the end of a turn has heard it
LATE_SECONDS: Final = 6.0  # an answer that begins later after a turn is none to it
EMPTY_WORDS: Final = frozenset(
    "a an the i you it is am are be to of for and or on in at my me that this please um uh with do does can could would will "
    "yes no okay so just".split())


class Divergence(NamedTuple):
    """A turn of the caller that did not arrive as it was said.

    Attributes:
        place: "recognition" or "timing".
        turn: which.
        what: in words.
    """

    place: str
    turn: Turn
    what: str


class Loss(NamedTuple):
    """Where a failed task was lost, one of PLACES, and what shows it."""

    place: str
    evidence: str


def losses(call: Call) -> list[Observation]:
    """Shares of the tasks that were lost in recognition (`lost_recognition`), in timing (`lost_timing`), in understanding
    (`lost_understanding`), or elsewhere (`lost_other`); with the tasks achieved they add up to 1.

    The caller's turns are followed in order. A turn that was answered in pieces, together with another one, or not at all, is
    lost in timing. One of which the agent logs another meaning than its text has is lost in recognition; for a dialogue
    manager the meaning is what it would understand of either, for a language model the words less the empty ones, with
    numbers in one form. The first such turn decides, unless the caller answered the same question again and that arrived. A
    task that fails though all turns arrived is lost in understanding: by the manager, the model, or the tools. One of an
    agent that logs nothing of what it heard, or that broke off with an error, is lost elsewhere.
    """
    if not call.is_task:
        return []
    found = loss(call)
    return [Observation(f"lost_{place}", 0.0, float(found is not None and found.place == place)) for place in PLACES]


def loss(call: Call) -> Loss | None:
    """Where a task was lost, with the evidence in words; None for one that was achieved."""
    if verdict(call).success:
        return None
    if call.failed:
        return Loss("other", "the call broke off with an error")
    if changed := drift(call):
        return Loss("other", changed)
    if not logs_what_it_hears(call):
        return Loss("other", f"the agent does not log what it hears; {unmet(call)}")
    found = divergences(call)
    if found:
        return Loss(found[0].place, f"{found[0].what}; {unmet(call)}")
    return Loss("understanding", f"all that the caller said was heard; {unmet(call)}")


def logs_what_it_hears(call: Call) -> bool:
    if "speech_replies" in call.tally:  # an end-to-end model: it hears sound, and logs that it heard ""
        return False
    return "stt_seconds" in call.tally or any(event.kind in (TAKEN, "endpoint") for event in call.timeline.events)


def divergences(call: Call) -> list[Divergence]:
    """The turns that did not arrive, in order; without those that the caller made good, unless there are no others."""
    arrived: dict[str, float] = {}  # branch -> the onset of its last turn that did
    found = []
    for turn, until in spans(call):
        divergence = diverged(call, turn, until)
        if divergence is None:
            arrived[turn.branch] = turn.start
        else:
            found.append(divergence)
    lasting = [one for one in found if not one.turn.branch or arrived.get(one.turn.branch, -1.0) < one.turn.start]
    return lasting or found


def spans(call: Call) -> Iterator[tuple[Turn, float]]:
    """The caller's turns that have words, each with the time up to which an answer is one to it."""
    found = whole_turns(call)
    for turn, following in zip(found, (*found[1:], None), strict=False):
        if turn.text:
            yield turn, turn.end + LATE_SECONDS if following is None else following.end - EARLY_SECONDS


def whole_turns(call: Call) -> list[Turn]:
    """The caller's turns; one that goes on within 1.0 s, before any answer, is one with what follows."""
    found: list[Turn] = []
    for turn in call.turns:
        goes_on = found and turn.start < found[-1].end + TURN_GAP_SECONDS and not any(
            event.kind == TAKEN and found[-1].start < event.start < turn.start for event in call.timeline.events)
        if goes_on:
            found[-1] = found[-1]._replace(end=turn.end, text=f"{found[-1].text} {turn.text}".strip(), branch=turn.branch)
        else:
            found.append(turn)
    return found


def diverged(call: Call, turn: Turn, until: float) -> Divergence | None:
    """What became of a turn on its way into the agent, or None where it arrived."""
    events = [event for event in call.timeline.events if turn.start < event.start < until]
    heard = [said(event) for event in events if event.kind == TAKEN and said(event)]
    if not heard:
        passed = [said(event) for event in events if event.kind in LET_PASS]
        took = f"was taken for nothing ({passed[-1]!r})" if passed else "was not answered"
        return Divergence("timing", turn, f"{turn.text!r} {took}")
    if any(alike(call, turn.text, one) for one in heard):
        return None
    before = [other.text for other in call.turns if other.end <= turn.start]
    if before and alike(call, f"{before[-1]} {turn.text}", heard[-1]) and heard[-1].split() != turn.text.split():
        return Divergence("timing", turn, f"{turn.text!r} was taken together with what came before: {heard[-1]!r}")
    if len(heard) > 1 and alike(call, turn.text, " ".join(heard)):
        return Divergence("timing", turn, f"{turn.text!r} was cut in pieces: {', '.join(map(repr, heard))}")
    if is_part(turn.text, heard[-1]):
        return Divergence("timing", turn, f"of {turn.text!r} only {heard[-1]!r} was waited for")
    return Divergence("recognition", turn, f"said {turn.text!r}, heard {heard[-1]!r}")


def said(event: Event) -> str:
    return str(event.detail.get("heard") or "")


def is_part(text: str, heard: str) -> bool:
    """Whether `heard` is the beginning or the end of `text`, and not all of it."""
    whole, part = words_of(text), words_of(heard)
    return 0 < len(part) < len(whole) and (whole[:len(part)] == part or whole[-len(part):] == part)


def alike(call: Call, text: str, heard: str) -> bool:
    """Whether two texts mean the same to the agent."""
    if call.tally.get("llm_calls") or not call.domain:
        return content(text) == content(heard)
    about = domain(call.domain)
    return understood(about, " ".join(words_of(text))) == understood(about, " ".join(words_of(heard)))


def words_of(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower())


def content(text: str) -> list[str]:
    """The words that mean something, numbers in one form."""
    form = [piece.text for piece in canonical(pieces([Word(text, 0.0, 0.0)])) if piece.text not in EMPTY_WORDS]
    return joined(form)


def unmet(call: Call) -> str:
    """What the task wanted and did not get, in words."""
    found, told = verdict(call), []
    told += [f"did not say {fact[0]!r}" for fact in missing(call)]
    told += [f"said {fact!r}" for fact in (*(fact[0] for fact in spoken(call, call.task.not_said)), *harm(call))]
    if found.state_right is False:
        told += differences(state_after(call), state_wanted(call))
    if found.handoff_right is False:
        told.append("did not hand off" if call.task.handoff == "should" else "handed off")
    if not found.ended_well:
        told.append(f"ended by the {call.ended_by}")
    return "; ".join(told)
