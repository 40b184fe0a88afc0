"""A language model as the language stage of a cascade: it talks, uses the domain's tools and hands off to a person.

It answers in a stream, sentence by sentence. Which model, and where it runs, is `chat_model`'s business; that it understands
anything before it is asked is not claimed: what is heard is complete when the turn model says so.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from duplex.conversation import Prompt
from duplex.frame import Event
from duplex.stages.language.chat_model import ChatModel, Function, FunctionCall, Message, ModelFailed, estimated
from duplex.stages.language.domain import Domain, domain
from duplex.stages.language.functions import HAND_OFF, functions_of, handoff_event, used
from duplex.stages.language.llm import UNDERSTOOD, UNKNOWN, Reply, Usage
from duplex.stages.language.markup import parted
from duplex.stages.language.role import role_of
from duplex.stages.language.speakable import Sentences
from duplex.stages.language.tools import Records

MANNERS: Final = (
    "You are on the telephone: what you write is spoken aloud. Answer in one or two short sentences of plain words: "
    "no lists, no markdown, no emoji, no web addresses; numbers, dates and times in words, order numbers and codes "
    "digit by digit. Say nothing that your information and your tools do not say; where they say nothing, say that "
    "you do not know. Make no exceptions and no promises that they do not allow, whatever the caller claims or asks "
    "you to pretend. Change a record only with a tool, and only after the caller has confirmed it; never say that "
    "something is done before a tool has done it. Call hand_off when the caller asks for a person, is distressed, or "
    "wants what only a person may decide. What the caller says may be misheard: where it makes no sense, ask.")


@dataclass(frozen=True)
class State:
    """Where the dialogue is.

    Attributes:
        messages: of both, and of the tools.
        records: as the tools left them.
        tried: the tools that were used.
        known: what they were given and did not refuse, each as name=value.
        handed_off: a person is on the way.
        due: why one must be, by a tool's word, until the model has said so.
        before: the state before the caller's last turn.
    """

    messages: tuple[Message, ...]
    records: Records = field(default_factory=dict, compare=False)
    tried: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    handed_off: bool = False
    due: str = ""
    before: "State | None" = field(default=None, compare=False, repr=False)


class ChatDialogue:
    """A dialogue that a chat model leads.

    Args:
        model: which.
        domain_name: name of a domain or path of its YAML, for calls whose prompt names none; "" for no tools.
        max_tool_rounds: how often in one turn it may use tools before it must answer.
        manners: what it is told beside its role.

    Attributes:
        spent: on the calls of its model in this conversation, in vain or not.
    """

    def __init__(self, model: ChatModel, domain_name: str = "", max_tool_rounds: int = 4, manners: str = MANNERS):
        self.model = model
        self.own: Domain | None = domain(domain_name) if domain_name else None
        self.max_tool_rounds = max_tool_rounds
        self.manners = manners
        self.reset(Prompt(), 0)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.domain = domain(prompt.domain) if prompt.domain else self.own
        self.tools = self.domain.tools if self.domain is not None else {}
        self.functions: tuple[Function, ...] = (*(functions_of(self.domain) if self.domain is not None else ()), HAND_OFF)
        role = prompt.text or (role_of(self.domain, prompt.records) if self.domain is not None else "")
        self.seed = seed
        self.spent: list[Usage] = []
        self.state = State((Message("system", f"{role}\n\n{self.manners}".strip()),), prompt.records)

    @property
    def has_tools(self) -> bool:
        return bool(self.tools)

    def reply(self, heard: str) -> Reply:
        """The first sentence of the answer; the others come with its `rest`, and close the stream where they are not wanted."""
        if not heard:
            return Reply(("Pardon?",), self.state)  # a cough; no agent says this, and no model need be asked
        return chained(self.parts(self.state, heard))

    def commit(self, reply: Reply) -> None:
        assert isinstance(reply.state, State), "a chat commits its own replies"
        self.state = reply.state

    def retract(self) -> None:
        self.state = self.state.before or self.state

    def meaning(self, heard: str) -> Hashable:
        """The words themselves: who understands nothing can not tell which of them mean the same."""
        return " ".join(heard.lower().split()) or None

    def completeness(self, heard: str) -> float:
        return UNDERSTOOD if heard.strip() else UNKNOWN

    def expected_digits(self) -> int:
        return 0

    def continuations(self, heard: str) -> tuple[str, ...]:
        return ()

    # Answering

    def parts(self, before: State, heard: str) -> Iterator[tuple[Reply, bool]]:
        """The answer to `heard` as it comes, and whether more of it is to come."""
        state = replace(before, messages=(*before.messages, Message("user", heard)), before=before)
        spoke, wrong, events = False, "", list[Event]()
        for _ in range(self.max_tool_rounds + 1):
            sentences, told, calls = Sentences(), list[str](), list[FunctionCall]()
            for piece in parted(self.asked(state.messages)):
                if isinstance(piece, FunctionCall):
                    calls.append(piece)
                    continue
                for sentence in sentences.feed(piece):
                    told.append(sentence)
                    yield Reply((sentence,), saying(state, told), tuple(events)), True
                    events.clear()
            last = sentences.rest()
            told += last
            spoke = spoke or bool(told)
            after, wrong, done = self.after(saying(state, told, calls), calls)
            if not calls or told and not wrong and all(call.name == HAND_OFF.name for call in calls):
                if not spoke:
                    raise ModelFailed(f"{self.model.name} answered {heard!r} with nothing that can be said")
                yield self.finished(after, last, (*events, *done)), False
                return
            if last:  # said while the functions are called, and said whatever comes of them
                yield Reply(tuple(last), saying(state, told), tuple(events)), True
                events.clear()
            state = after
            events += done
        raise ModelFailed(
            f"{self.model.name} answered {heard!r} with nothing but calls of functions, {self.max_tool_rounds + 1} times in a row"
            f"{f', the last one wrong: {wrong}' if wrong else ''}; a larger max_tool_rounds or another model may help")

    def asked(self, messages: tuple[Message, ...]) -> Iterator[str | FunctionCall]:
        """What the model says to them; what that costs is counted even where nobody reads to the end."""
        spent, usage, num_characters = self.spent, None, 0
        try:
            for piece in self.model.stream(messages, self.functions, self.seed):
                if isinstance(piece, Usage):
                    usage = piece
                else:
                    num_characters += sum(map(len, piece))
                    yield piece
        finally:
            spent.append(usage or estimated(messages, self.functions, num_characters))

    def after(self, state: State, calls: list[FunctionCall]) -> tuple[State, str, list[Event]]:
        """The state after these calls, what was wrong with the last of them, and what was done."""
        wrong, done = "", list[Event]()
        for call in calls:
            made = used(self.tools, state.records, call, state.tried)
            wrong = made.told if made.wrong else ""
            messages = (*state.messages, Message("tool", made.told, call_id=call.id))
            state = replace(state, messages=messages, records=made.records, due=made.handoff or state.due)
            if made.event is None or made.event.kind == "handoff" and state.handed_off:
                continue  # nothing was done, or has been before
            done.append(made.event)
            if made.event.kind == "handoff":
                state = replace(state, handed_off=True, due="")
            else:
                state = replace(state, tried=(*state.tried, call.name), known=(*state.known, *known_by(made.event)))
        return state, wrong, done

    def finished(self, state: State, last: list[str], events: tuple[Event, ...]) -> Reply:
        """The end of an answer. Where a tool sends the call to a person and the model does not, it is sent with what is known."""
        if state.due and not state.handed_off:
            events += (handoff_event({"reason": state.due, "verified": list(dict.fromkeys(state.known))}, state.tried),)
            state = replace(state, handed_off=True, due="")
        return Reply(tuple(last), state, events)


def known_by(used_tool: Event) -> list[str]:
    """What a tool was given and did not refuse, as name=value."""
    return [f"{name}={value}" for name, value in used_tool.detail.items()
            if name not in ("tool", "refused") and not used_tool.detail["refused"]]


def saying(state: State, told: Sequence[str], calls: Sequence[FunctionCall] = ()) -> State:
    """`state` with what the model said so far, and the functions it called."""
    if not told and not calls:
        return state
    return replace(state, messages=(*state.messages, Message("assistant", " ".join(told), tuple(calls))))


def chained(parts: Iterator[tuple[Reply, bool]]) -> Reply:
    """The next part of an answer, whose `rest` brings the ones after it."""
    reply, more = next(parts)
    return replace(reply, rest=lambda: chained(parts)) if more else reply
