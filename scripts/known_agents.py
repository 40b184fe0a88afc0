"""What the instruments say, by what their docstrings promise: from the user's sound alone, without a frame being played.

Each is written anew here, on whole numbers. How a conversation with them is drawn is `known_calls`'.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from known_truth import FRAME, HOP, SECOND, Span, Spoken

from duplex.agents.scripted import Line, Scripted
from duplex.agents.simple import Backchanneller, Echo, Interrupter, Late, NeverAnswers, NeverYields, Responder, Yields
from duplex.conversation import Participant
from duplex.frame import Event, Word


@dataclass(frozen=True)
class Instrument:
    """An agent, and what it must say.

    Attributes:
        make: the agent that is played.
        says: what it says to a user who sounds like that in a conversation of that length.
    """

    name: str
    make: Callable[[], Participant]
    says: Callable[[Sequence[Span], int], Spoken]


class Mouth:
    """Sounds as they are said one after another."""

    def __init__(self) -> None:
        self.sounds: list[Span] = []

    def say(self, start: int, duration: int) -> None:
        self.sounds.append((start, start + duration))

    def cut(self, at: int) -> None:
        self.sounds = [(start, min(end, at)) for start, end in self.sounds if start < at]

    def spoken(self, length: int) -> Spoken:
        return Spoken(tuple((start, min(end, length)) for start, end in sorted(self.sounds) if start < length))


def turns(sounds: Sequence[Span], pause: int, length: int) -> list[tuple[int, int | None]]:
    """Onset and end of each turn that the instruments hear: one is over after `pause` of silence, else its end is None."""
    found: list[list[int]] = []
    for start, end in sorted(sounds):
        if found and start - found[-1][1] < pause:
            found[-1][1] = end
        else:
            found.append([start, end])
    return [(start, end if end + pause <= length else None) for start, end in found]


def default_pause(delay: int) -> int:
    return min(delay - FRAME, 6 * SECOND // 10)


def echo(delay: int) -> Instrument:
    def says(sounds: Sequence[Span], length: int) -> Spoken:
        return Spoken(tuple((start + delay, min(end + delay, length)) for start, end in sounds if start + delay < length))

    return Instrument("echo", lambda: Echo(delay / SECOND), says)


def responder(delay: int, duration: int, name: str = "responder", stop: int | None = None) -> Instrument:
    """`Responder`, `NeverYields`, `Late`, and with `stop` `Yields`."""
    pause = 6 * SECOND // 10 if name == "late" else default_pause(delay)

    def says(sounds: Sequence[Span], length: int) -> Spoken:
        mouth = Mouth()
        for onset, end in turns(sounds, pause, length):
            if stop is not None:
                mouth.cut(onset + stop)
            if end is not None:
                mouth.cut(end + delay)
                mouth.say(end + delay, duration)
        return mouth.spoken(length)

    how = delay / SECOND, duration / SECOND
    makers: dict[str, Callable[[], Participant]] = {
        "responder": lambda: Responder(*how), "never yields": lambda: NeverYields(*how), "late": lambda: Late(*how),
        "yields": lambda: Yields(*how, stop=(stop or 0) / SECOND)}
    return Instrument(name, makers[name], says)


def never_answers() -> Instrument:
    return Instrument("never answers", NeverAnswers, lambda sounds, length: Spoken(()))


def interrupter(after: int, duration: int) -> Instrument:
    pause = 6 * SECOND // 10

    def says(sounds: Sequence[Span], length: int) -> Spoken:
        mouth = Mouth()
        for onset, end in turns(sounds, pause, length):
            mouth.cut(onset + after)
            last_heard = None if end is None else end + pause - HOP  # the 10 ms by which the turn is over
            heard_in_frame = None if last_heard is None else last_heard // FRAME
            if heard_in_frame is None or onset + after < (heard_in_frame + 1) * FRAME:
                mouth.say(onset + after, duration)
        return mouth.spoken(length)

    return Instrument("interrupter", lambda: Interrupter(after / SECOND, duration / SECOND), says)


def backchanneller(every: int, duration: int, delay: int, answer: int) -> Instrument:
    pause = default_pause(delay)

    def says(sounds: Sequence[Span], length: int) -> Spoken:
        mouth = Mouth()
        for onset, end in turns(sounds, pause, length):
            due = onset + every
            while due < length:
                frame = due // FRAME
                if end is not None and end + -(-pause // HOP) * HOP <= frame * FRAME:
                    break
                if any(start < frame * FRAME and stop > (frame - 1) * FRAME for start, stop in sounds):
                    mouth.say(due, duration)
                due += every
            if end is not None:
                mouth.cut(end + delay)
                mouth.say(end + delay, answer)
        return mouth.spoken(length)

    how: dict[str, Any] = {"every": every / SECOND, "seconds": duration / SECOND, "delay": delay / SECOND,
                           "answer_seconds": answer / SECOND}
    return Instrument("backchanneller", lambda: Backchanneller(**how), says)


@dataclass(frozen=True)
class Cue:
    """A `Line` in samples: what is said `at` a moment if the user sounds at `if_heard`; offsets from `at`."""

    at: int
    said: Spoken
    if_heard: int | None = None

    @property
    def line(self) -> Line:
        words = [Word(text, start / SECOND, end / SECOND) for text, start, end in self.said.words]
        events = [Event(kind, start / SECOND, start / SECOND, detail) for kind, start, detail in self.said.events]
        return Line(self.at / SECOND, [(start / SECOND, end / SECOND) for start, end in self.said.sounds], words, events,
                    None if self.if_heard is None else self.if_heard / SECOND)


def scripted(cues: Sequence[Cue], hang_up: int | None = None) -> Instrument:
    in_order = sorted(cues, key=lambda cue: cue.at)

    def says(sounds: Sequence[Span], length: int) -> Spoken:
        said = [cue for cue in in_order if cue.at < length and
                (cue.if_heard is None or any(start <= cue.if_heard < end for start, end in sounds))]
        spoken: list[Spoken] = []
        for index, cue in enumerate(said):
            until = min([length, *(later.at for later in said[index + 1:])])
            spoken.append(Spoken(
                tuple((cue.at + start, min(cue.at + end, until)) for start, end in cue.said.sounds if cue.at + start < until),
                tuple((text, cue.at + start, cue.at + end) for text, start, end in cue.said.words if cue.at + start < until),
                tuple((kind, cue.at + start, detail) for kind, start, detail in cue.said.events if cue.at + start < until)))
        return Spoken(tuple(sound for one in spoken for sound in one.sounds),
                      tuple(word for one in spoken for word in one.words),
                      tuple(event for one in spoken for event in one.events))

    lines = [cue.line for cue in in_order]
    return Instrument("scripted", lambda: Scripted(lines, None if hang_up is None else hang_up / SECOND), says)
