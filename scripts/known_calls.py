"""Random conversations whose every number is known: drawn, held as programs hold them, measured and compared.

A conversation follows from its seed. The user commits acts at random and keeps to them; the agent is one of the instruments
of `known_agents`. What should be measured is said by `known_acts` and `known_floor`.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from known_acts import Found, about_acts
from known_agents import (
    Instrument,
    backchanneller,
    echo,
    interrupter,
    never_answers,
    responder,
    scripted,
)
from known_floor import about_the_call, about_the_floor, about_the_log
from known_scripts import GRIDS, TELLING, Dice, Writer, draw, phrase, samples, users_acts
from known_truth import (
    ASIDES,
    FLOOR,
    FRAME,
    SECOND,
    Act,
    Expected,
    Span,
    Spoken,
    Truth,
    common,
    inward,
    outward,
    speaks,
    units,
)

from duplex.conversation import ConversationFailed, Participant, Prompt, converse
from duplex.frame import Event, Frame, frozen
from duplex.recording import Recording, load, save
from duplex.schedule import Schedule
from eval.counterfactual import Witness, load_otherwise, save_otherwise
from eval.metrics.occasions import Observation
from eval.observations import rows

COSTS: Final = (1 / 64, 1 / 32, 3 / 64, 7 / 64)  # seconds of a step, exact in 32 bits
QUIET: Final = 5 * SECOND // 2  # after which whoever hears an agent without an act hangs up
LOOK: Final = 8 * SECOND
Moved: Final[tuple[Callable[[Sequence[Span]], Sequence[Span]], ...]] = (lambda sounds: sounds, outward, inward)


@dataclass(frozen=True)
class Call:
    """A conversation that is known before it is held.

    Attributes:
        grid: a key of GRIDS.
        sounds: of the user.
        num_frames: that are recorded.
        ended: whether the agent hangs up or fails then.
        fails: whether it fails then.
        expect: what the agent must say and must not.
        costs: seconds of each step, where that is measured.
        overdriven: whether the agent's sound is spoiled.
        logged: whether the user logs its acts; else they are turns, by its speech.
        witnessed: whether it is held again without each act that meets the agent's speech.
    """

    seed: int
    grid: str
    acts: tuple[Act, ...]
    sounds: tuple[Span, ...]
    instrument: Instrument
    num_frames: int
    ended: bool = False
    fails: bool = False
    expect: Mapping[str, Sequence[str]] | None = None
    costs: tuple[float, ...] | None = None
    overdriven: bool = False
    logged: bool = True
    witnessed: bool = True

    @property
    def length(self) -> int:
        return self.num_frames * FRAME


# Drawing.


def drawn(seed: int) -> Call:
    random = Random(seed)
    grid = list(GRIDS)[seed % len(GRIDS)]
    dice = Dice(random, *GRIDS[grid])
    is_long = dice.happens(0.04)
    acts, sounds = users_acts(dice, random.randint(22, 30) if is_long else random.randint(2, 6))
    cues = Writer(dice).write(acts) if dice.happens(0.6) else []
    acts = [act._replace(expects=(phrase(dice, cues, act),)) if act.kind in (*FLOOR, *ASIDES) and dice.happens(0.7) else act
            for act in acts]
    frames = max(acts[-1].start // FRAME + 1, -(-length(dice, acts[-1].end) // FRAME))
    if frames > 700 and frames % 375 == 0:
        frames += 1  # a number of minutes and a half has no parts as close to a minute as can be
    stops = random.randint(frames // 2, frames - 1) if cues and dice.happens(0.1) else None
    instrument = scripted(cues, None if stops is None else stops * FRAME) if cues else reactive(dice)
    while speaks_twice(instrument.says(sounds, frames * FRAME).sounds):
        instrument = reactive(dice)
    call = Call(seed, grid, tuple(acts), tuple(sounds), instrument, stops or frames, ended=stops is not None,
                witnessed=dice.happens(0.85))
    return with_circumstances(call, dice, [cue.said for cue in cues])


def length(dice: Dice, end: int) -> int:
    """Of a recording whose last act ends then: any, sometimes shorter than that, or as long as definitions ask for."""
    telling = [end + samples(seconds) for seconds in TELLING if (end + samples(seconds)) % FRAME == 0]
    if telling and dice.happens(0.2):
        return dice.random.choice(telling)
    return end + draw(dice.random, 0.0, 8.0, FRAME) - (SECOND // 4 if dice.happens(0.1) else 0)


def reactive(dice: Dice) -> Instrument:
    random = dice.random
    delay, duration = dice.agent(0.09, random.choice((0.8, 2.5))), dice.agent(0.1, random.choice((1.5, 5.0)))
    every = dice.agent(0.1, 0.9)
    return random.choice((
        lambda: echo(dice.agent(0.08, 1.5)), lambda: responder(delay, duration),
        lambda: responder(delay, dice.agent(3.0, 9.0), "never yields"),
        lambda: responder(delay, dice.agent(2.0, 8.0), "yields", dice.agent(0.08, random.choice((0.6, 2.0)))),
        lambda: responder(dice.agent(5.1, 9.0), duration, "late"), never_answers,
        lambda: interrupter(dice.agent(0.08, 2.5), duration),
        lambda: backchanneller(every + dice.agent(0.1, 2.0), every, delay, duration)))()


def speaks_twice(sounds: Sequence[Span]) -> bool:
    """Whether an agent sounds over itself: a backchanneller may, and the sum of its voices is at times taken for clipped."""
    in_order = sorted(sounds)
    return any(after[0] < before[1] for before, after in zip(in_order, in_order[1:]))


def with_circumstances(call: Call, dice: Dice, said: Sequence[Spoken]) -> Call:
    """The same, perhaps with a task, costs, a failure or a spoiled sound."""
    random = dice.random
    if dice.happens(0.5):
        texts = [" ".join(text for text, _, _ in one.words[:2]) for one in said if one.words] or ["amber birch"]
        call = replace(call, expect={"said": random.sample(texts, 1), "not_said": random.sample(texts, int(dice.happens(0.5)))})
    if dice.happens(0.15):
        call = replace(call, costs=tuple(random.choices(COSTS, (5, 5, 5, 1), k=call.num_frames)))
    if dice.happens(0.06):
        call = replace(call, logged=False, witnessed=False)
    if dice.happens(0.05) and not call.ended:
        return replace(call, num_frames=random.randint(call.num_frames // 2, call.num_frames - 1), ended=True, fails=True,
                       witnessed=False)
    spoken = call.instrument.says(call.sounds, call.length).sounds
    if dice.happens(0.03) and sum(end - start for start, end in spoken) > SECOND:
        return replace(call, overdriven=True, witnessed=False)
    return call


# What should be measured.


def expected(call: Call, moved: Callable[[Sequence[Span]], Sequence[Span]]) -> Found:
    """What should be measured of a call whose agent's edges are seen where `moved` puts them."""
    if call.overdriven:
        return {"conversation_failed": [Expected(0.0, 1.0)], "recording_refused": [Expected(0.0, 1.0)]}
    truth = truth_of(call, moved)
    return {**about_acts(truth), **about_the_floor(truth), **about_the_log(truth),
            **about_the_call(truth, call.fails, call.costs)}


def truth_of(call: Call, moved: Callable[[Sequence[Span]], Sequence[Span]]) -> Truth:
    known = math.inf if call.ended else call.length
    main = truth_from(call, call.instrument.says(call.sounds, call.length), call.length, known, moved)
    without = {act.start: without_act(call, act, moved) for act in main.acts
               if call.witnessed and act.kind in ("interruption", *ASIDES) and speaks(main.agent, act.start)}
    return replace(main, without={onset: other for onset, other in without.items() if speaks(other.agent, onset)})


def truth_from(call: Call, said: Spoken, length: int, known: float, moved: Callable[[Sequence[Span]], Sequence[Span]]) -> Truth:
    user = units((start, min(end, length)) for start, end in call.sounds if start < length)
    agent = units(moved([span for span in said.sounds if span[0] < span[1]]))
    acts = tuple(act for act in call.acts if act.start < length) if call.logged else turns_by_speech(user, agent)
    return Truth(length, known, acts, user, agent, tuple(sorted(said.words, key=lambda word: word[1])),
                 tuple(sorted(said.events, key=lambda event: event[1])))


def turns_by_speech(user: Sequence[Span], agent: Sequence[Span]) -> tuple[Act, ...]:
    """Units of the user less than 1.0 s apart, with nothing of the agent's in between, are one turn."""
    turns: list[Act] = []
    for start, end in user:
        if turns and start - turns[-1].end < SECOND and not common(agent, turns[-1].end, start):
            turns[-1] = turns[-1]._replace(end=end)
        else:
            turns.append(Act("turn", start, end, answer_due=True))
    return tuple(turns)


def without_act(call: Call, act: Act, moved: Callable[[Sequence[Span]], Sequence[Span]]) -> Truth:
    """The call up to an act, from where on the user is silent until the agent has been so for 2.5 s, at most 8 s."""
    sounds = [(start, min(end, act.start)) for start, end in call.sounds if start < act.start]
    most = (act.end + LOOK) // FRAME
    if call.ended:
        most = min(most, call.num_frames)
    said = call.instrument.says(sounds, most * FRAME)
    quiet_since = 0
    for frame in range(most):
        now = (frame + 1) * FRAME
        if any(start < now and end > frame * FRAME for start, end in said.sounds):
            quiet_since = now
        if frame > act.start // FRAME and now >= act.end + QUIET and now - quiet_since >= QUIET:
            return truth_from(call, call.instrument.says(sounds, frame * FRAME), frame * FRAME, frame * FRAME, moved)
    known = math.inf if call.ended and most == call.num_frames else most * FRAME
    return truth_from(call, said, most * FRAME, known, moved)


# Holding and measuring.


class User:
    """Commits acts, whatever it hears."""

    def __init__(self, call: Call):
        self.call = call

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.mouth = Schedule()
        for start, end in self.call.sounds:
            self.mouth.place(start, 0.1 * (-1.0) ** np.arange(end - start, dtype=np.float32))
        for act in self.call.acts if self.call.logged else ():
            detail: dict[str, Any] = {"expects": list(act.expects), **({} if act.answer_due else {"answer": False})}
            event = Event(act.kind, 0.0, (act.end - act.start) / SECOND, detail)
            self.mouth.place(act.start, np.zeros(0, np.float32), (), [event])

    def step(self, heard: Frame) -> Frame | None:
        return self.mouth.read()


class Circumstances:
    """An agent that costs what it must, fails when it must, and is too loud if it must."""

    def __init__(self, agent: Participant, call: Call):
        self.agent, self.call = agent, call

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.agent.reset(prompt, seed)
        self.frame = 0

    def step(self, heard: Frame) -> Frame | None:
        if self.call.fails and self.frame == self.call.num_frames:
            raise RuntimeError("as planned")
        said = self.agent.step(heard)
        self.frame += 1
        if said is not None and self.call.costs and self.frame <= len(self.call.costs):
            said = replace(said, seconds=self.call.costs[self.frame - 1])
        if said is not None and self.call.overdriven:
            said = replace(said, samples=frozen(np.clip(100.0 * said.samples, -1.0, 1.0)))
        return said


def held(call: Call, folder: Path) -> tuple[Recording, dict[float, Recording]]:
    """A call as it was held, saved and loaded, and the same without some of its acts."""
    facts = {"system": call.instrument.name, "clock": "ideal" if call.costs is None else "measured", "expect": call.expect}
    agent = Circumstances(call.instrument.make(), call)
    witness = Witness(agent, Prompt(), call.seed, {}) if call.witnessed else None
    max_seconds = (call.num_frames + call.ended) * FRAME / SECOND
    try:
        recording = converse(User(call), agent, seed=call.seed, max_seconds=max_seconds, watch=witness, facts=facts)
    except ConversationFailed as failed:
        recording = failed.recording
    save(recording, folder / "call")
    save_otherwise(witness.otherwise() if witness else [], folder / "otherwise")
    again = load(folder / "call")
    return again, load_otherwise(again, folder / "otherwise")


def measured(recording: Recording, without: Mapping[float, Recording]) -> Found:
    """What `duplex-score` says of it."""
    return by_metric(Observation(row["metric"], row["start"], row["value"], row["censored"], row["per"])
                     for row in rows(recording, Path("call"), without=without))


def by_metric(observed: Iterable[Observation]) -> Found:
    found: Found = {}
    for one in observed:
        found.setdefault(one.metric, []).append(Expected(one.start, one.value, one.censored, one.per))
    return found
