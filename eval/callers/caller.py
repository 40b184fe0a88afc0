"""The simulated caller: speaks a scenario on cue, with real voices, and hears the agent as a person would.

What it says carries its true onset and offset. It follows the agent by sound and words alone and never looks inside.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from random import Random
from typing import Final, Protocol

import numpy as np

from duplex.conversation import Prompt
from duplex.frame import FRAME_SECONDS, SAMPLE_RATE, SILENCE, Event, Frame, Word
from duplex.speech import AUDIBLE_DECIBELS, Speech, audible, frames, levels
from eval.callers.asides import SIDE_TALK_GAIN, cough, from_behind, horn
from eval.callers.scenario import MARK, PAUSE, TURN_GAP, Line, Response, Scenario
from eval.timeline import OPPORTUNITY

PATIENCE: Final = 6.0  # seconds without an answer after which a caller goes on, asks once more, or hangs up
JITTER: Final = 0.24  # callers do not react at the same speed twice
TRAIL: Final = 0.4  # seconds of silence that part the agent's interrupted turn from its next one
TAIL: Final = 1.2  # seconds of silence after which a caller with nothing left to say hangs up
MAX_REPEATS: Final = 2
SOUNDS: Final = {"cough": cough, "noise": horn}  # acts without words
LOST: Final = ("did not understand", "say it again", "repeat that", "did not catch")


class Voice(Protocol):
    """A synthesiser, or anything else that turns text into speech with word times."""

    def synthesise(self, text: str) -> Speech: ...


class Caller:
    """Plays one drawn scenario.

    Args:
        scenario: with all values filled in.
        voice: says its lines.
        careful: says them once more, when they were not understood: slower, as people do. None for `voice` again.
        other: who talks in the background; None for `voice` again.
    """

    def __init__(self, scenario: Scenario, voice: Voice, careful: Voice | None = None, other: Voice | None = None):
        self.scenario = scenario
        self.voice = voice
        self.careful = voice if careful is None else careful
        self.other = voice if other is None else other
        self.reset(Prompt(), 0)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.random = Random(f"{self.scenario.name} {seed}")
        self.frame = -1
        self.lines = deque(self.scenario.lines)
        self.uses = {one: 0 for one in self.scenario.responses}
        self.playing: Iterator[Frame] = iter(())
        self.last: Line | Response | None = None  # what an answer is due to
        self.repeats = 0
        self.jitter = 0.0
        self.quiet_since = 0.0  # when either side was last heard
        self.agent_quiet_since = -TRAIL  # when the agent was last heard
        self.forget_agent()

    def forget_agent(self) -> None:
        """From now on, the agent's turn is the one after the caller's."""
        self.onset: float | None = None  # of the agent's turn
        self.trailing = self.now - self.agent_quiet_since < TRAIL  # its last turn is dying away and is not the next
        self.words: list[str] = []

    @property
    def now(self) -> float:
        """Seconds, at the start of the frame that is being made."""
        return self.frame * FRAME_SECONDS

    def step(self, heard: Frame) -> Frame | None:
        self.frame += 1
        self.listen(heard)
        frame = next(self.playing, None)
        if frame is None:
            if self.done:
                return None
            frame = self.speak()
        if frame is not SILENCE:
            self.quiet_since = self.now + FRAME_SECONDS
        return frame

    def listen(self, heard: Frame) -> None:
        loud = np.flatnonzero(levels(heard.samples) > AUDIBLE_DECIBELS)
        if self.trailing and self.now - self.agent_quiet_since >= TRAIL:
            self.trailing = False
            self.words.clear()
        self.words += [word.text for word in heard.words]
        if len(loud):
            if self.onset is None and not self.trailing:
                self.onset = self.now + loud[0] * 0.01
            self.quiet_since = self.agent_quiet_since = self.now + (loud[-1] + 1) * 0.01

    @property
    def agent_turn_over(self) -> bool:
        return self.onset is not None and self.now - self.agent_quiet_since >= TURN_GAP

    @property
    def waited(self) -> bool:
        """Nobody said anything for longer than a caller waits."""
        return self.now - self.quiet_since >= PATIENCE

    @property
    def done(self) -> bool:
        """Nothing left to say, and nothing left to hear."""
        if self.lines or self.now - self.quiet_since < TAIL:
            return False
        if self.onset is None and self.last is not None:
            return self.waited and self.repeats >= MAX_REPEATS
        return self.next_response() is None

    def speak(self) -> Frame:
        """The first frame of what is due now, or silence."""
        line: Line | Response | None = None
        while self.lines and line is None:
            due = self.due(self.lines[0])
            if due is None:  # the moment has passed: who would say "uh huh" to nobody?
                self.lines.popleft()
                continue
            if not due:
                break
            line = self.lines.popleft()
        if line is None and not self.lines:
            line = self.due_response()
        if line is None:
            return SILENCE
        return self.begin(line)

    def due(self, line: Line) -> bool | None:
        """Whether it is time for `line`; None when its time has passed for good."""
        if line.cue == "at":
            return self.now >= line.seconds
        if line.cue == "after_silence":
            return self.now - self.quiet_since >= line.seconds
        if line.cue == "after_agent_turn":
            over = self.agent_turn_over and self.now - self.agent_quiet_since >= line.seconds + self.jitter
            return over or self.waited
        if self.onset is None:
            return self.waited and line.act == "interruption" or (None if self.waited else False)
        if self.agent_turn_over:  # shorter than expected
            return True if line.act == "interruption" else None
        return self.now >= self.onset + line.seconds

    def due_response(self) -> Response | None:
        """What to say now that all lines were said: an answer to the agent, or the last thing again."""
        if self.agent_turn_over:
            reacted = self.now - self.agent_quiet_since >= TURN_GAP + self.jitter
            return self.next_response() if reacted else None
        return self.repeated() if self.waited and self.onset is None else None

    def next_response(self) -> Response | None:
        """What the caller answers to the agent's last turn, or None when nothing was asked."""
        said = " ".join(self.words)
        for response in self.scenario.responses:
            if self.uses[response] < response.times and any(phrase in said for phrase in response.to):
                return response
        lost = any(phrase in said for phrase in LOST)
        return self.repeated() if lost else None

    def repeated(self) -> Response | None:
        """The last thing said, once more."""
        if self.last is None or self.repeats >= MAX_REPEATS:
            return None
        said = self.last.say if isinstance(self.last, Line) else self.last.say[-1]
        return Response((), (in_words(said),), "turn", expects=self.last.expects, branch=self.last.branch)

    def begin(self, line: Line | Response) -> Frame:
        claims_floor = line.act in ("turn", "interruption", "correction")
        voice, answer = self.other if line.act == "background_talk" else self.voice, True
        if isinstance(line, Line):
            say, answer = line.say, line.answer
        elif line in self.uses:
            use = self.uses[line]
            say, voice = line.say[use % len(line.say)], self.careful if use else self.voice
            self.uses[line] += 1
        else:
            say, voice = line.say[0], self.careful
            self.repeats += 1
        if claims_floor:
            self.last = line
            self.forget_agent()
        self.jitter = self.random.uniform(0.0, JITTER)
        speech = rendered(say, line.act, voice, self.random, line.expects, answer)
        speech = replace(speech, events=tuple(
            replace(event, detail={**event.detail, "branch": line.branch, **({"trigger": True} if line.trigger else {})})
            if event.kind == line.act else event for event in speech.events))
        self.playing = frames(speech)
        return next(self.playing)


def rendered(say: str, act: str, voice: Voice, random: Random, expects: tuple[str, ...] = (),
             answer: bool = True) -> Speech:
    """`say` as speech with its act, and the pauses and opportunities inside it; times are taken from the sound."""
    if act in SOUNDS:
        return with_act(Speech(SOUNDS[act](random)), act, "", expects, answer, ())
    parts = PAUSE.split(say)  # text, seconds, text, seconds, ... text
    samples: list[np.ndarray] = []
    words: list[Word] = []
    inside: list[Event] = []
    length = 0
    for index, text in enumerate(parts[::2]):
        speech = voice.synthesise(plain(text))
        onset = audible(speech.samples)[0]
        if index:
            silent = float(parts[2 * index - 1])
            before = audible(np.concatenate(samples))[1]
            gap = max(0, round((before + silent - onset) * SAMPLE_RATE) - length)
            samples.append(np.zeros(gap, np.float32))
            length += gap
            inside.append(Event("pause", before, length / SAMPLE_RATE + onset))
        marks = [length / SAMPLE_RATE + end for end in opportunities(text, speech)]
        inside += [Event(OPPORTUNITY, mark, mark) for mark in marks]
        words += [Word(word.text, word.start + length / SAMPLE_RATE, word.end + length / SAMPLE_RATE)
                  for word in speech.words]
        samples.append(speech.samples)
        length += len(speech.samples)
    sound = np.concatenate(samples)
    if act == "side_talk":
        sound *= np.float32(SIDE_TALK_GAIN)
    elif act == "background_talk":
        sound = from_behind(sound)
    return with_act(Speech(sound, tuple(words)), act, in_words(say), expects, answer, tuple(inside))


def in_words(say: str) -> str:
    """A line without its pauses and marks."""
    return plain(PAUSE.sub(" ", say))


def plain(text: str) -> str:
    """A text without its marks."""
    return " ".join(text.replace(MARK, " ").split())


def opportunities(text: str, speech: Speech) -> list[float]:
    """Where the words before each mark in `text` end, as `speech` says them."""
    numbers = accumulate(len(piece.split()) for piece in text.split(MARK)[:-1])
    return [speech.words[number - 1].end for number in numbers if 0 < number <= len(speech.words)]


def with_act(speech: Speech, act: str, text: str, expects: tuple[str, ...], answer: bool,
             inside: tuple[Event, ...]) -> Speech:
    onset, offset = audible(speech.samples)
    event = Event(act, onset, offset, {"text": text, "expects": list(expects), "answer": answer})
    return Speech(speech.samples, speech.words, (event, *inside))
