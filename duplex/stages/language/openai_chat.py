"""A chat model behind an OpenAI-compatible interface: vLLM, Ollama, llama.cpp, or hosted. Needs the extra `llm`.

Whatever goes wrong there is one error that says what would be right. Nothing is tried again unless that is asked for: a second
try is time that a caller waits.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from duplex.stages.language.chat_model import (
    Function,
    FunctionCall,
    Message,
    ModelFailed,
    Piece,
    function_as_json,
    message_as_json,
)
from duplex.stages.language.llm import Usage
from duplex.stages.served import Server, Serves

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk

SERVES: Final = Serves(
    ModelFailed, "model", "answer", "first_token_seconds", "lower max_tokens",
    {400: "does it serve chat with tools, and take these settings?", 404: "is there such a model, and does base_url end in /v1?"},
    {ValueError: "this is no stream of chat completions"})


class OpenAIChat:
    """One model of one server.

    Args:
        model: its name there.
        base_url: of the server, as in http://localhost:8000/v1; None for OpenAI's own, or what OPENAI_BASE_URL says.
        api_key_env: the environment variable that holds the key; it may be unset where the server wants none.
        temperature: None where the model takes none.
        max_tokens: of one answer; None for the server's own limit.
        first_token_seconds: how long it may be silent, at first and between any two pieces.
        total_seconds: how long one answer may take.
        max_retries: of a request that failed before anything came.
        seeded: passes the seed of the conversation on.
        extra: put into the request as it is, as in {chat_template_kwargs: {enable_thinking: false}}.

    Raises:
        ImportError: openai is missing.
    """

    def __init__(self, model: str, base_url: str | None = None, api_key_env: str = "OPENAI_API_KEY",
                 temperature: float | None = 0.0, max_tokens: int | None = None, first_token_seconds: float = 10.0,
                 total_seconds: float = 30.0, max_retries: int = 0, seeded: bool = True,
                 extra: Mapping[str, Any] | None = None):
        self.server = Server(SERVES, model, base_url, api_key_env, first_token_seconds, total_seconds, max_retries)
        self.model = model
        self.name = self.server.name
        self.seeded = seeded
        self.settings: dict[str, Any] = {name: value for name, value in (
            ("temperature", temperature), ("max_tokens", max_tokens), ("extra_body", dict(extra or {}) or None))
            if value is not None}

    def stream(self, messages: Sequence[Message], functions: Sequence[Function], seed: int) -> Iterator[Piece]:
        answer = Arriving(self.name)
        for chunk in self.chunks(messages, functions, seed):
            yield from answer.read(chunk)
        yield from answer.whole()

    def chunks(self, messages: Sequence[Message], functions: Sequence[Function], seed: int) -> "Iterator[ChatCompletionChunk]":
        """What the server sends, as long as it comes in time."""
        request: dict[str, Any] = {
            "model": self.model, "messages": [message_as_json(message) for message in messages], "stream": True,
            "stream_options": {"include_usage": True}, **({"seed": seed} if self.seeded else {}), **self.settings}
        if functions:
            request["tools"] = [function_as_json(function) for function in functions]
        return self.server.streamed(lambda: self.server.client.chat.completions.create(**request), iter)


class Arriving:
    """One answer as it comes in chunks: calls are put together of their pieces."""

    def __init__(self, name: str):
        self.name = name
        self.calls: dict[int, list[str]] = {}  # index -> id, name, arguments
        self.usage: Usage | None = None
        self.finished = ""
        self.refusal = ""

    def read(self, chunk: "ChatCompletionChunk") -> Iterator[str]:
        """The text of a chunk, if there is any; the rest is kept."""
        try:
            if chunk.usage is not None:
                self.usage = Usage(chunk.usage.prompt_tokens or 0, chunk.usage.completion_tokens or 0)
            for choice in chunk.choices or ():
                self.finished = choice.finish_reason or self.finished
                self.refusal += choice.delta.refusal or ""
                for call in choice.delta.tool_calls or ():
                    self.add(call.index, call.id, call.function)
                if choice.delta.content:
                    yield str(choice.delta.content)
        except (AttributeError, TypeError) as error:  # the client library checks nothing
            raise ModelFailed(f"{self.name}: this is no chunk of a chat completion: {str(chunk)[:200]!r}") from error

    def add(self, index: int | None, call_id: str | None, function: Any) -> None:
        """A piece of a call; servers that give no index give each call an id, or whole calls."""
        place = index if index is not None else len(self.calls) if call_id or not self.calls else len(self.calls) - 1
        if call_id and place in self.calls and self.calls[place][0] not in ("", call_id):
            place = len(self.calls)
        kept = self.calls.setdefault(place, ["", "", ""])
        kept[0] = call_id or kept[0]
        if function is not None:
            kept[1] += function.name or ""
            kept[2] += function.arguments or ""

    def whole(self) -> Iterator[Piece]:
        """What is known once nothing more comes."""
        if self.refusal:
            raise ModelFailed(f"{self.name} refused: {self.refusal!r}; tell it another role, or use another model")
        if self.finished == "content_filter":
            raise ModelFailed(f"{self.name}: the answer was stopped by the server's filter")
        if not self.finished:
            raise ModelFailed(f"{self.name}: the stream ended in mid-answer: is base_url right? else see the server's log")
        for place, (call_id, name, arguments) in sorted(self.calls.items()):
            yield FunctionCall(call_id or f"call_{place}", name, arguments)
        if self.usage is not None:
            yield self.usage
