"""What our stages know of one conversation inside LiveKit Agents: what was answered, what was heard of it, what is history.

A dialogue's answer is history once it begins to be heard, and what it does is done then, as in the cascade.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from livekit.agents import llm

from duplex.frame import Event
from duplex.stages.answer import HASTY_SECONDS
from duplex.stages.language.llm import Dialogue, Reply


class Part(NamedTuple):
    """A sentence of an answer, with the reply that it begins."""

    sentence: str
    begins: Reply | None


class Due(NamedTuple):
    """A sentence that is heard from `start` seconds of its segment on."""

    sentence: str
    start: float


class Line:
    """One conversation.

    Args:
        dialogue: the language stage.
        log: takes what is done by an answer.
    """

    def __init__(self, dialogue: Dialogue, log: Callable[[Event], None]):
        self.dialogue = dialogue
        self.log = log
        self.parts: deque[Part] = deque()  # of the answer that was asked for last, not heard yet
        self.due: deque[Due] = deque()  # sentences of the segment that was synthesised last, not heard yet
        self.unheard: set[str] = set()  # messages of the agent that were talked over before they were heard
        self.onset = 0.0  # of the user's last speech, seconds on the clock
        self.fresh = True  # nothing was heard of the answer that was asked for last
        self.spoken_at: float | None = None  # when the last answer that was heard began

    def unanswered(self, said: llm.ChatContext) -> str:
        """What the user said since an answer was heard."""
        waiting: list[str] = []
        for item in said.items:
            if item.type == "message" and item.role == "user":
                waiting.append(item.text_content or "")
            elif item.type == "message" and item.role == "assistant" and item.id not in self.unheard:
                waiting.clear()
        return " ".join(" ".join(waiting).split())

    def begin_answer(self) -> None:
        """An answer is asked for: the one before it will not be spoken, or is over."""
        self.parts.clear()
        self.fresh = True

    def expect(self, reply: Reply) -> None:
        """A reply, or the rest of one, is going to be spoken."""
        begun = not self.parts
        self.parts += [Part(sentence, reply if number == 0 else None) for number, sentence in enumerate(reply.sentences)]
        if not reply.sentences:
            self.parts.append(Part("", reply))
            if begun:  # all before it is being said already
                self.pass_silent()

    def will_say(self, sentence: str, start: float) -> None:
        if not start:
            self.due.clear()
        self.due.append(Due(sentence, start))

    def heard_until(self, seconds: float, now: float) -> None:
        """The segment was played to `seconds`."""
        while self.due and self.due[0].start < seconds:
            sentence = self.due.popleft().sentence
            if not any(part.sentence == sentence for part in self.parts):
                continue
            while (part := self.parts.popleft()).sentence != sentence:
                pass
            if part.begins is not None:
                self.begin(part.begins, now)
            self.pass_silent()

    def begin(self, reply: Reply, now: float) -> None:
        self.dialogue.commit(reply)
        if self.fresh:
            self.spoken_at, self.fresh = now, False
        for event in reply.events:
            self.log(event)

    def pass_silent(self) -> None:
        """What follows without a word of its own is done with the sentence before it."""
        while self.parts and not self.parts[0].sentence:
            reply = self.parts.popleft().begins
            assert reply is not None
            self.dialogue.commit(reply)
            for event in reply.events:
                self.log(event)

    def broken_off(self, message: str) -> bool:
        """The agent was interrupted; true where nothing of that answer was heard, and it never happened."""
        if self.spoken_at is None or self.onset - self.spoken_at >= HASTY_SECONDS:
            return False
        self.spoken_at = None
        self.unheard.add(message)
        self.dialogue.retract()
        return True
