"""A language model says whether the caller's turn is over, one word of it, beside the conversation.

After Pipecat's turn completion (pipecat-ai 1.12.0), where a marker comes first in the model's answer; here it is a question
of its own, so that any language stage can be behind it. A model that fails, or says neither, leaves the long silence to end
the turn.
"""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from duplex.frame import Event, Frame
from duplex.stages.language.chat import ChatDialogue
from duplex.stages.language.chat_model import ChatModel, Message, ModelFailed, Piece, estimated
from duplex.stages.language.llm import Dialogue, Usage
from duplex.stages.language.manager import Manager
from duplex.stages.turns.endpoint import Hears
from duplex.stages.turns.pause import Question
from duplex.workers import Worker

LOG: Final = logging.getLogger(__name__)
WHOLE: Final = frozenset(("yes", "●"))  # Pipecat's markers, for models that were taught them
UNFINISHED: Final = frozenset(("no", "◐", "○"))
MARKERS: Final = "●◐○"
REMEMBERED: Final = 4  # turns before this one that the model is shown
TASK: Final = (
    "You listen to a telephone call between a caller and an agent. The caller's words come from a speech recogniser: without "
    "punctuation, perhaps misheard. The caller has just paused. Is the caller's turn over, so that the agent should answer now? "
    "Answer yes or no, one word. Say yes when the last turn asks, tells, answers, refuses or agrees to something, however short. "
    "Say no when it stops where more must follow: in a phrase that is left open, a number of which digits are missing, a list, "
    "a hesitation, or when the caller asks for a moment.")


class Verdict(NamedTuple):
    """What became of a question; `failed` says why there is no answer."""

    heard: str
    whole: bool
    failed: str = ""


class ChatTurn:
    """A short silence when the model says that the turn is over, a long one when it does not, fails or is too slow.

    Args:
        model: is asked in the worker as stage "llm", for a chat model's first word costs what a chat model costs.
        fast: seconds of silence when over.
        slow: seconds of silence when not, or not known yet.
        ask_after: seconds of silence after which it is asked, once the words are there; again where they change.

    Attributes:
        spent: on the calls of its model in this conversation.
        num_failed: questions without an answer in this conversation; the first is logged as a warning, each as an event.
    """

    def __init__(self, model: ChatModel, fast: float = 0.2, slow: float = 3.0, ask_after: float = 0.2):
        self.model = model
        self.fast = fast
        self.slow = slow
        self.question: Question[Verdict] = Question(ask_after)
        self.reset(0)

    def attend(self, domain: str) -> None:
        """Changes nothing: it knows no domain."""

    def reset(self, seed: int) -> None:
        self.seed = seed
        self.spent: list[Usage] = []
        self.num_failed = 0
        self.worker: Worker | None = None
        self.asked = ""
        self.settled = False
        self.question.reset()

    def listen(self, frame: Frame, ears: Hears, worker: Worker) -> Sequence[Event]:
        self.worker = worker
        self.settled = ears.settled
        self.question.follow(ears)
        verdict = self.question.news()
        if verdict is None:
            return ()
        if not verdict.failed:
            return (Event("turn_detection", detail={"heard": verdict.heard, "whole": verdict.whole}),)
        self.num_failed += 1
        if self.num_failed == 1:
            LOG.warning("no turn detection, so turns end after %g s of silence: %s", self.slow, verdict.failed)
        return (Event("turn_detection", detail={"heard": verdict.heard, "whole": None, "failed": verdict.failed}),)

    def patience(self, heard: str, dialogue: Dialogue) -> float:
        """Asks the model where `heard` is news; whoever has heard nothing needs no model to say that it is not whole."""
        known = self.question.job is not None and self.asked == heard
        if self.question.long_enough and self.settled and heard and not known:
            assert self.worker is not None, "who asks for its patience lets it listen first"
            self.asked = heard
            work = partial(self.judged, heard, question(heard, dialogue))
            self.question.ask(self.worker.run("llm", f"over? {heard}", work))
            known = True
        verdict = self.question.answer if known else None
        return self.fast if verdict is not None and verdict.whole else self.slow

    def judged(self, heard: str, messages: Sequence[Message]) -> Verdict:
        """The slow part: reads no further than the first word."""
        said, usage = "", None
        stream = self.model.stream(messages, (), self.seed)
        try:
            for piece in stream:
                if isinstance(piece, Usage):
                    usage = piece
                elif isinstance(piece, str):
                    said += piece
                    if first_word(said):
                        break
        except ModelFailed as error:
            return Verdict(heard, False, str(error))
        finally:
            closed(stream)
            self.spent.append(usage or estimated(messages, (), len(said)))
        word = first_word(f"{said} ")
        if word in WHOLE or word in UNFINISHED:
            return Verdict(heard, word in WHOLE)
        return Verdict(heard, False, f"{self.model.name} was asked whether a turn is over and said {said!r}, neither yes nor no")


def question(heard: str, dialogue: Dialogue) -> tuple[Message, Message]:
    turns = [*said_before(dialogue), f"Caller: {heard}"]
    return Message("system", TASK), Message("user", "\n".join(turns))


def said_before(dialogue: Dialogue) -> list[str]:
    """What was said last, where the language stage remembers it: "tuesday" is whole as an answer only."""
    if isinstance(dialogue, ChatDialogue):
        names = {"assistant": "Agent", "user": "Caller"}
        turns = [f"{names[one.role]}: {one.text}" for one in dialogue.state.messages if one.role in names and one.text]
        return turns[-REMEMBERED:]
    if isinstance(dialogue, Manager) and dialogue.state.last:
        return [f"Agent: {' '.join(dialogue.state.last)}"]
    return []


def first_word(said: str) -> str:
    """The first word of what was said so far, or "" before it is whole; a marker is whole by itself."""
    text = said.lstrip(" \n\t\"'*(")
    if text[:1] and text[0] in MARKERS:
        return text[0]
    length = next((index for index, letter in enumerate(text) if not letter.isalpha()), len(text))
    if length == len(text):
        return ""
    return text[:length].lower() or text[0]


def closed(stream: Iterator[Piece]) -> None:
    """Stops a model that would go on: what it would say is not wanted."""
    close = getattr(stream, "close", None)
    if close is not None:
        close()
