"""A chat model as the language stage uses it: messages and functions in; text, calls and what they cost out, as they come.

Whose model it is stands in `openai_chat` and `transformers_chat`; what is said with it in `chat`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from duplex.stages.language.llm import Usage

CHARACTERS_PER_TOKEN: Final = 4  # of English, by the rule of thumb of OpenAI's tokenizer page; where nobody counted


class ModelFailed(OSError):
    """A chat model gave no answer that can be used; the message says why, and what would be right."""


class FunctionCall(NamedTuple):
    """A function that a model wants called.

    Attributes:
        id: by which the result is told from others.
        arguments: JSON as the model wrote it, which may be none.
    """

    id: str
    name: str
    arguments: str


class Message(NamedTuple):
    """One turn of a chat.

    Attributes:
        calls: of an assistant.
        call_id: of a tool's message: which call it answers.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[FunctionCall, ...] = ()
    call_id: str = ""


@dataclass(frozen=True)
class Function:
    """What a model may call; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


Piece: TypeAlias = str | FunctionCall | Usage


class ChatModel(Protocol):
    """A chat model.

    Attributes:
        name: as an error names it.
    """

    name: str

    def stream(self, messages: Sequence[Message], functions: Sequence[Function], seed: int) -> Iterator[Piece]:
        """The next message, as it comes; whoever reads no further stops it.

        Text in any pieces, each call once and whole, and what it cost where that is known, last.

        Raises:
            ModelFailed: there is no answer, or only half of one.
        """


def message_as_json(message: Message, arguments: Callable[[str], Any] = str) -> dict[str, Any]:
    """A message as OpenAI's interface has it; chat templates want the `arguments` of calls parsed."""
    made: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.calls:
        made["tool_calls"] = [{"id": call.id, "type": "function",
                               "function": {"name": call.name, "arguments": arguments(call.arguments)}}
                              for call in message.calls]
    if message.call_id:
        made["tool_call_id"] = message.call_id
    return made


def function_as_json(function: Function) -> dict[str, Any]:
    return {"type": "function", "function": {"name": function.name, "description": function.description,
                                             "parameters": dict(function.parameters)}}


def estimated(messages: Sequence[Message], functions: Sequence[Function], num_characters: int) -> Usage:
    """What a call cost of which nobody counted the tokens, after `num_characters` of answer."""
    asked = sum(len(message.text) + sum(map(len, (part for call in message.calls for part in call))) for message in messages)
    asked += sum(len(str(function_as_json(function))) for function in functions)
    return Usage(-(-asked // CHARACTERS_PER_TOKEN), -(-num_characters // CHARACTERS_PER_TOKEN), estimated=True)
