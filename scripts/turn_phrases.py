"""Callers' turns, each said once and heard once, for `turn_detection_curve.py`: which there are, and when they were called over.

A phrase is a turn of a scenario in its place: the dialogue has been led up to it by text. Nothing here detects anything.
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

import numpy as np

from duplex.conversation import Prompt
from duplex.frame import FRAME_SECONDS, SAMPLE_RATE, Frame
from duplex.speech import Speech, frames
from duplex.stages.language.llm import Reply
from duplex.stages.language.manager import Manager
from duplex.stages.speaking.tts import plain_words
from duplex.stages.speaking.voices import voice
from eval.callers.caller import in_words, rendered
from eval.callers.scenario import Response, Scenario, drawn, suite
from eval.timeline import PAUSE

ACTS: Final = ("turn", "correction")
MOST_TURNS: Final = 8  # of one scenario
LEAD_SECONDS: Final = 0.64  # of silence before a phrase, and up to one frame more
TAIL_SECONDS: Final = 3.6  # after it: who has not called it over by then never did
RECOVERY_SECONDS: Final = 0.2  # after a pause, in which nobody could have heard yet that the caller went on
NEAR_END_SECONDS: Final = 0.1  # of the last sound: dying away, it is no speech to a detector


class Phrase(NamedTuple):
    """A turn to be said.

    Attributes:
        name: scenario and place in it; the same in every voice and with all values.
        say: words, and pauses as "<0.8>".
        before: what the caller had said until then.
    """

    name: str
    say: str
    before: tuple[str, ...]
    prompt: Prompt
    voice: str
    seed: int


class Said(NamedTuple):
    """A turn as times, in seconds.

    Attributes:
        pauses: (start, end) of those inside it.
    """

    start: float
    end: float
    pauses: tuple[tuple[float, float], ...]


class Outcome(NamedTuple):
    """What became of a turn.

    Attributes:
        latency: from its true end until it was called over; of a turn that never was, how long that was waited for.
        censored: it never was.
        cut: of each pause, whether it was taken for the end.
        early: it was called over before its end, in a pause or between words.
    """

    latency: float
    censored: bool
    cut: tuple[bool, ...]
    early: bool


def phrases(scenarios: Sequence[str], seeds: Sequence[int], voices: Sequence[str]) -> list[Phrase]:
    """Every turn of the scenarios with the values of each seed, each in one of the voices: with the next seed, in the next."""
    found: list[Phrase] = []
    for seed in seeds:
        for number, template in enumerate(suite(list(scenarios))):
            one = drawn(template, seed)
            speaker = voices[(number + seed) % len(voices)]
            turns = said_in(one)
            found += [Phrase(f"{one.name}/{place}", say, tuple(in_words(other) for other in turns[:place]), one.prompt,
                             speaker, seed) for place, say in enumerate(turns)]
    return found


def said_in(one: Scenario) -> list[str]:
    """What its caller says to a `Manager` that reads along."""
    turns = [line.say for line in one.lines if line.act in ACTS]
    uses: dict[Response, int] = {}
    dialogue = Manager()
    dialogue.reset(one.prompt, 0)
    reply = Reply(("",))
    for turn in turns:
        reply = told(dialogue, turn)
    while len(turns) < MOST_TURNS and (asked := wanted(one, uses, reply)) is not None:
        turns.append(asked.say[uses.get(asked, 0) % len(asked.say)])
        uses[asked] = uses.get(asked, 0) + 1
        reply = told(dialogue, turns[-1])
    return turns


def told(dialogue: Manager, say: str) -> Reply:
    reply = dialogue.reply(in_words(say))
    dialogue.commit(reply)
    return reply


def wanted(one: Scenario, uses: dict[Response, int], reply: Reply) -> Response | None:
    """The caller's answer to a reply."""
    said = " ".join(plain_words(" ".join(reply.sentences)))
    return next((response for response in one.responses if response.act in ACTS and uses.get(response, 0) < response.times
                 and any(phrase in said for phrase in response.to)), None)


def led_to(phrase: Phrase) -> Manager:
    """The dialogue in which the phrase is said."""
    dialogue = Manager()
    dialogue.reset(phrase.prompt, phrase.seed)
    for turn in phrase.before:
        told(dialogue, turn)
    return dialogue


def spoken(phrase: Phrase) -> tuple[Iterator[Frame], Said]:
    """Its frames with the silence around it, and when it is said in them."""
    random = Random(f"{phrase.name} {phrase.seed}")
    lead = round((LEAD_SECONDS + random.uniform(0.0, FRAME_SECONDS)) * SAMPLE_RATE)
    speech = rendered(phrase.say, "turn", voice(phrase.voice), random)
    said = said_by(speech, lead / SAMPLE_RATE)
    tail = round(TAIL_SECONDS * SAMPLE_RATE)
    sound = np.concatenate([np.zeros(lead, np.float32), speech.samples, np.zeros(tail, np.float32)])
    return frames(Speech(sound)), said


def said_by(speech: Speech, lead: float) -> Said:
    turn = next(event for event in speech.events if event.kind == "turn")
    pauses = tuple((event.start + lead, event.end + lead) for event in speech.events if event.kind == PAUSE)
    return Said(turn.start + lead, turn.end + lead, pauses)


def outcome(said: Said, calls: Sequence[float]) -> Outcome:
    """What became of a turn that was called over at these times, in order.

    The call that counts for the latency is the first one no sooner than 0.1 s before the end; where there is none, the last one
    in the last stretch of speech, which nothing that followed could undo: its latency is negative. A pause is cut by a call
    between its start and 0.2 s after its end.
    """
    cut = tuple(any(start < call <= end + RECOVERY_SECONDS for call in calls) for start, end in said.pauses)
    ended = said.end - NEAR_END_SECONDS
    stretch = said.pauses[-1][1] + RECOVERY_SECONDS if said.pauses else said.start
    counted = [call for call in calls if call >= ended][:1] or [call for call in calls if call > stretch][-1:]
    early = any(call < ended for call in calls)
    if not counted:
        return Outcome(TAIL_SECONDS, True, cut, early)
    return Outcome(counted[0] - said.end, False, cut, early)
