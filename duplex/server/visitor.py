"""The visitor: whoever is at the other end of a connection, as a participant.

It runs in the thread of its conversation; all that it shares with a socket is a `Line` of messages. Sound comes when it
comes, so the visitor's own frames keep the time: the agent is stepped when 80 ms of them are complete.

After a hiccup of the network frames come at once, and an agent that is quicker than they are catches up with them, which
costs nobody anything. One that does not would stay behind for the rest of the call: frames that go on waiting are dropped
and counted, so that the delay cannot grow (the standing queue of Nichols and Jacobson, "Controlling queue delay", 2012).
"""

import json
from collections.abc import Mapping
from queue import Empty
from time import perf_counter
from typing import Any, Final

import numpy as np

from duplex.conversation import Prompt
from duplex.frame import FRAME_SAMPLES, Frame, frozen
from duplex.wire.coders import coder
from duplex.wire.messages import (
    LOCKSTEP_PATIENCE,
    Kind,
    Line,
    about,
    frame_of,
    json_object,
    message,
    opened,
)

STANDING_FRAMES: Final = 8  # steps in a row, 0.64 s, after each of which a whole frame waited: nobody is catching up
MOST_FRAMES: Final = 25  # 2 s; whoever was away for longer has been away
PATIENCE: Final = 10.0  # seconds without a word, after which somebody has vanished; clients hang up after as many
PING_EVERY: Final = 4.0  # seconds of silence on the wire; web clients give up after 10


class BadMessage(ValueError):
    """The other end said what it must not; the message says what would be right."""


class Vanished(TimeoutError):
    """The other end is still connected and says nothing."""


class Visitor:
    """A user who speaks and hears through a `Line`.

    Args:
        greeting: what is said before the handshake, when both sides are ready.
        extended: words and events travel too, in metadata messages.
        pcm: samples travel instead of Opus.
        lockstep: nothing is ever dropped, and nobody is in a hurry.
    """

    def __init__(self, line: Line, greeting: Mapping[str, Any] | None = None, extended: bool = False, pcm: bool = False,
                 lockstep: bool = False):
        self.line = line
        self.greeting = greeting
        self.extended = extended
        self.lockstep = lockstep
        self.coder = coder(pcm)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.greeted = False
        self.writes = False  # the agent's text comes token by token, so its words are not sent once more
        self.sound: np.ndarray = np.zeros(0, np.float32)  # has come and is not a frame yet
        self.told: dict[str, Any] | None = None  # about the frame that comes next
        self.at = 0.0  # when the last message with sound came
        self.standing = 0  # steps in a row after which frames waited
        self.dropped = 0  # samples, of which the other end was not told yet
        self.counts = {"frames": 0, "dropped_samples": 0, "before_handshake_samples": 0, "pings": 0}
        self.most_waiting = 0  # samples

    def step(self, heard: Frame) -> Frame | None:
        if not self.greeted:
            self.greet()
        self.say(heard)
        return self.listen()

    def tally(self) -> dict[str, Any]:
        return {**self.counts, "most_waiting_frames": round(self.most_waiting / FRAME_SAMPLES, 2)}

    # What the agent says.

    def greet(self) -> None:
        """The handshake. Sound that came before it is forgotten, but it was decoded: its stream goes on."""
        deadline = perf_counter() + PATIENCE
        while self.behind:
            self.take(deadline)
        self.counts["before_handshake_samples"] = len(self.sound)
        self.sound = self.sound[:0]
        if self.greeting is not None and self.extended:
            self.line.send(message(Kind.METADATA, as_json(self.greeting)))
        self.line.send(message(Kind.HANDSHAKE))
        self.greeted = True

    def say(self, heard: Frame) -> None:
        if self.extended and (told := {**(about(heard) or {}), **self.forgotten()}):
            self.line.send(message(Kind.METADATA, as_json(told)))
        elif not self.extended and (text := self.written(heard)):
            self.line.send(message(Kind.TEXT, text))
        self.line.send(message(Kind.AUDIO, self.coder.encode(heard.samples)))

    def forgotten(self) -> dict[str, int]:
        """How many of the visitor's samples were dropped before the frame that is answered, if any were."""
        dropped, self.dropped = self.dropped, 0
        return {"dropped_samples": dropped} if dropped else {}

    def written(self, heard: Frame) -> str:
        """What the agent writes in a frame: the letters of its tokens, or its words where it has no tokens."""
        tokens = [str(event.detail.get("text", "")) for event in heard.events if event.kind == "text_token"]
        self.writes = self.writes or bool(tokens)
        return "".join(tokens) if self.writes else "".join(f" {word.text}" for word in heard.words)

    # What the visitor says.

    def listen(self) -> Frame | None:
        """The visitor's next 80 ms; None when the line was closed."""
        deadline = perf_counter() + (LOCKSTEP_PATIENCE if self.lockstep else PATIENCE)
        while len(self.sound) < FRAME_SAMPLES or self.behind:
            if not self.take(deadline):
                return None
        self.most_waiting = max(self.most_waiting, len(self.sound))
        self.drop_what_stands()
        samples, self.sound = frozen(self.sound[:FRAME_SAMPLES].copy()), self.sound[FRAME_SAMPLES:]
        told, self.told = self.told, None
        self.counts["frames"] += 1
        try:
            return frame_of(samples, told, self.at)
        except ValueError as error:
            raise BadMessage(str(error)) from error

    @property
    def behind(self) -> bool:
        """Whether more has come already; who floods the line is not listened to for ever."""
        return not self.lockstep and self.line.waiting() and len(self.sound) < 2 * MOST_FRAMES * FRAME_SAMPLES

    def drop_what_stands(self) -> None:
        """Forgets all but the newest frame where the agent does not catch up."""
        waiting = len(self.sound) // FRAME_SAMPLES - 1  # frames behind the one that is heard now
        self.standing = self.standing + 1 if waiting > 0 else 0
        if not self.lockstep and (self.standing > STANDING_FRAMES or waiting >= MOST_FRAMES):
            late = waiting * FRAME_SAMPLES
            self.sound, self.standing = self.sound[late:], 0
            self.dropped += late
            self.counts["dropped_samples"] += late

    def take(self, deadline: float) -> bool:
        """Takes the next message; false when there will be none."""
        received = self.received(deadline)
        if received is None:
            return False
        at, data = received
        try:
            if (found := opened(data)) is None:
                return True
            kind, payload = found
            if kind == Kind.AUDIO:
                self.sound = np.concatenate([self.sound, self.coder.decode(payload)])
                self.at = at
            elif kind == Kind.METADATA and self.extended:
                self.told = json_object(payload)
        except ValueError as error:
            raise BadMessage(str(error)) from error
        return True

    def received(self, deadline: float) -> tuple[float, bytes] | None:
        """The next message, with a ping now and then for whoever waits at the other end."""
        while (patience := deadline - perf_counter()) > 0.0:  # whoever sends this and that, and no sound, has vanished too
            try:
                return self.line.receive(min(PING_EVERY, patience))
            except Empty:
                self.counts["pings"] += 1
                self.line.send(message(Kind.PING))
        raise Vanished(f"no sound came for {LOCKSTEP_PATIENCE if self.lockstep else PATIENCE:.0f} s")


def as_json(told: Mapping[str, Any]) -> str:
    return json.dumps(told, separators=(",", ":"))
