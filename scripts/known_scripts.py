"""Random users and random scripts of agents: who says what when is drawn here, and known from then on.

Whole numbers of samples: on frames of 80 ms, on the 10 ms of the segmentation, or an agent on any sample.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from known_agents import Cue
from known_floor import STAGES
from known_truth import ASIDES, FLOOR, FRAME, HOP, SECOND, Act, Span, Spoken

GRIDS: Final = {"frames": (FRAME, FRAME), "hops": (HOP, HOP), "samples": (HOP, 1)}  # of the user, of the agent
KINDS: Final = {"turn": 8, "interruption": 8, "correction": 2, **{kind: 2 for kind in ASIDES}}
TELLING: Final = (0.08, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.4, 1.5, 1.6, 2.0, 2.4, 3.0, 4.0, 5.0)  # seconds
WORDS: Final = ("amber birch cedar delta ember fjord grove haven inlet jasper kettle lemon maple nectar olive pepper quartz "
                "raven sable tulip umber velvet walnut yarrow zephyr anchor basil copper dune elm").split()


class Dice:
    """Random lengths on a grid.

    Args:
        own, others: grids of the user and of the agent, samples.
    """

    def __init__(self, random: Random, own: int, others: int):
        self.random, self.own, self.others = random, own, others

    def user(self, least: float, most: float) -> int:
        return draw(self.random, least, most, self.own)

    def agent(self, least: float, most: float) -> int:
        return draw(self.random, least, most, self.others)

    def happens(self, chance: float) -> bool:
        return self.random.random() < chance


def draw(random: Random, least: float, most: float, step: int) -> int:
    """A length between two of so many seconds, on a grid; now and then one by which definitions decide."""
    low, high = -(-round(least * SECOND) // step), round(most * SECOND) // step
    telling = [length for length in map(samples, TELLING) if length % step == 0 and low <= length // step <= high]
    if telling and random.random() < 0.15:
        return random.choice(telling)
    return step * random.randint(low, max(low, high))


def samples(seconds: float) -> int:
    return round(seconds * SECOND)


def users_acts(dice: Dice, number: int) -> tuple[list[Act], list[Span]]:
    """What a user does, by onset, and where it sounds; the agent's script may yet say what the acts expect."""
    acts: list[Act] = []
    sounds: list[Span] = []
    at = 0 if dice.happens(0.1) else dice.user(0.0, 1.5)
    for index in range(number):
        [kind] = ["turn"] if index == 0 and dice.happens(0.7) else dice.random.choices(list(KINDS), list(KINDS.values()))
        parts = said_in_parts(dice, at, kind)
        end = parts[-1][1]
        acts.append(Act(kind, at, end, answer_due=kind in FLOOR and not dice.happens(0.12)))
        acts += [Act("pause", before[1], after[0]) for before, after in zip(parts, parts[1:])]
        if kind in FLOOR:
            marks = [at + dice.user(0.0, (end - at) / SECOND) for _ in range(dice.random.choice((0, 0, 1, 2, 3)))]
            acts += [Act("opportunity", mark, mark) for mark in sorted(set(marks)) if mark < end]
        sounds += parts
        at = end + dice.user(*dice.random.choice(((0.05, 0.95), (0.5, 3.0), (0.5, 3.0), (3.0, 7.0))))
    return sorted(acts, key=lambda act: (act.start, act.end)), sounds


def said_in_parts(dice: Dice, at: int, kind: str) -> list[Span]:
    """Where an act sounds: only turns have pauses."""
    longest = {"turn": 3.0, "correction": 2.0, "interruption": 2.0, "background_talk": 2.0, "side_talk": 2.0}.get(kind, 0.7)
    parts = [(at, at + dice.user(0.16, longest))]
    while kind == "turn" and dice.happens(0.35):
        start = parts[-1][1] + dice.user(0.08, 1.6)
        parts.append((start, start + dice.user(0.16, 2.0)))
    return parts


class Writer:
    """Writes what an agent does about each act of the user's.

    Attributes:
        cues: its script.
    """

    def __init__(self, dice: Dice):
        self.dice = dice
        self.log = dice.random.choice(("endpoints", "endpoints", "tokens", "nothing"))
        self.cues: list[Cue] = []

    def write(self, acts: Sequence[Act]) -> list[Cue]:
        if self.dice.happens(0.2):
            self.say(self.dice.random.choice((0, self.dice.agent(0.0, 2.0))), None, 2.0)
        for act in acts:
            if act.kind in FLOOR:
                self.about_claim(act)
            elif act.kind in ASIDES:
                self.about_aside(act)
            elif act.kind == "opportunity" and self.dice.happens(0.6):
                self.backchannel(act.start + self.dice.agent(0.0, 0.9))
            elif act.kind == "pause" and self.dice.happens(0.3):
                self.say(act.start + self.dice.agent(0.0, 0.6), None, 1.5)
        return self.cues

    def about_claim(self, act: Act) -> None:
        dice = self.dice
        if act.kind == "interruption":
            what = dice.random.choice(("ignore", "stop", "answer", "answer", "resume"))
            if what == "ignore":
                return
            self.stop(act, dice.agent(0.08, dice.random.choice((0.9, 0.9, 2.5))))
            if what == "resume":
                self.resume(act.end + dice.agent(0.0, 2.0), act)
            if what != "answer":
                return
        at = dice.random.choice((
            act.start + dice.agent(0.08, max(0.09, (act.end - act.start) / SECOND)), act.end - dice.agent(0.08, 0.9),
            act.end + dice.agent(0.0, 1.6), act.end + dice.agent(0.0, 1.6), act.end + dice.agent(1.0, 6.0), None))
        if at is not None:
            self.say(at, act, dice.random.choice((1.5, 6.0, 9.0)))

    def about_aside(self, act: Act) -> None:
        dice = self.dice
        what = dice.random.choice(("nothing", "nothing", "stop", "breath", "answer"))
        if what in ("stop", "breath"):
            self.stop(act, dice.agent(0.08, 1.5))
        if what == "breath":
            self.resume(self.cues[-1].at + dice.agent(0.1, 1.2), act)
        if what == "answer":
            self.say(act.end + dice.agent(0.1, 2.6), act, 2.0)

    def stop(self, act: Act, after: int) -> None:
        self.cues.append(Cue(later(act.start + after, act), Spoken(()), act.start))

    def resume(self, at: int, act: Act) -> None:
        """What the line before was still to say."""
        before = max((cue for cue in self.cues if cue.said.sounds and cue.at < act.start), key=lambda cue: cue.at, default=None)
        left = [] if before is None else [text for text, start, _ in before.said.words if before.at + start >= act.start]
        self.say(at, act, 3.0, left)

    def backchannel(self, at: int) -> None:
        self.cues.append(Cue(at, Spoken(((0, self.dice.agent(0.1, 1.1)),))))

    def say(self, at: int, act: Act | None, longest: float, texts: Sequence[str] = ()) -> None:
        """A line of one to three stretches of sound with words in them, and with what the agent logs of it."""
        dice = self.dice
        at = at if act is None else later(at, act)
        lead = dice.agent(0.0, 0.5) if dice.happens(0.3) else 0
        sounds = [(lead, lead + dice.agent(0.2, longest))]
        while len(sounds) < 3 and dice.happens(0.3):
            start = sounds[-1][1] + dice.agent(0.05, 1.3)
            sounds.append((start, start + dice.agent(0.2, longest / 2)))
        words = worded(dice, sounds, texts or dice.random.sample(WORDS, len(WORDS)))
        said = Spoken(tuple(sounds), tuple(words), tuple(self.logged(at, lead)))
        self.cues.append(Cue(at, said, None if act is None else act.start))

    def logged(self, at: int, lead: int) -> list[tuple[str, int, dict[str, Any]]]:
        dice = self.dice
        found: list[tuple[str, int, dict[str, Any]]] = []
        if self.log == "endpoints":
            if dice.happens(0.8):
                found.append(("endpoint", dice.agent(0.0, lead / SECOND), {}))
            prepared = dice.random.choice((0, 0, 1, 2))
            found += [("prepare", 0, {})] * prepared
            if dice.happens(0.8):
                parts = {stage: dice.random.randint(0, 40) / 100 for stage in STAGES}
                found.append(("answer", lead + dice.agent(0.0, 0.3), {**parts, "prepared": prepared > 0 and dice.happens(0.5)}))
        if self.log == "tokens":
            frame = (FRAME - at % FRAME) % FRAME
            for _ in range(dice.random.randint(1, 6)):
                found.append(("text_token", frame, {"text": dice.random.choice(("yes", "well", ""))}))
                frame += FRAME * dice.random.choice((1, 1, 2, 7, 8, 9))
        return sorted(found, key=lambda event: event[1])


def worded(dice: Dice, sounds: Sequence[Span], texts: Sequence[str]) -> list[tuple[str, int, int]]:
    """Words one after another, as far as the sound goes."""
    found: list[tuple[str, int, int]] = []
    left = list(reversed(texts))
    for start, end in sounds:
        at = start
        while left and at < end:
            until = at + dice.agent(0.15, 0.5)
            until = end if end - until < SECOND // 5 else until
            found.append((left.pop(), at, until))
            at = until
    return found


def later(at: int, act: Act) -> int:
    """A moment at which an agent may have heard the act begin: a frame after the one in which it does."""
    return max(at, (act.start // FRAME + 1) * FRAME)


def phrase(dice: Dice, cues: Sequence[Cue], act: Act) -> str:
    """Two words that the agent is likely to say after an act, in answer to it if it asks for one; or not."""
    asked = [cue for cue in cues if act.kind in ASIDES or cue.if_heard == act.start]
    coming = [[text for text, start, _ in cue.said.words if act.start <= cue.at + start < act.end + 5 * SECOND] for cue in asked]
    pairs = [" ".join(words[first:first + 2]) for words in coming for first in range(len(words) - 1)]
    return dice.random.choice(pairs) if pairs and dice.happens(0.8) else " ".join(dice.random.sample(WORDS, 2))
