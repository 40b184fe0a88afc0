"""What chat models write between tags: thoughts, which nobody hears, and calls of functions.

A server may have taken both out already; a local model writes them into its text, as Qwen's and Hermes' templates teach it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from duplex.stages.language.chat_model import ChatModel, FunctionCall, Message
from duplex.stages.language.llm import Usage

TAGS: Final = ("think", "tool_call")
OPENING: Final = re.compile(rf"<({'|'.join(TAGS)})>")


def parted(pieces: Iterable[str | FunctionCall]) -> Iterator[str | FunctionCall]:
    """`pieces` less `<think>…</think>`, and with `<tool_call>{"name": …, "arguments": {…}}</tool_call>` as calls.

    What is not closed when the text ends counts as closed there.
    """
    unread, tag, number = "", "", 0
    for piece in pieces:
        if not isinstance(piece, str):
            yield piece
            continue
        unread += piece
        while mark := closing(unread, tag) if tag else OPENING.search(unread):
            before, unread = unread[:mark.start()], unread[mark.end():]
            if tag == "tool_call":
                number += 1
                yield call_in(before, number)
            elif not tag and before:
                yield before
            tag = "" if tag else mark[1]
        if not tag:
            kept = begun(unread)
            ready, unread = unread[: len(unread) - kept], unread[len(unread) - kept:]
            if ready:
                yield ready
    if tag == "tool_call":
        yield call_in(unread, number + 1)
    elif not tag and unread:
        yield unread


def written(model: ChatModel, messages: Sequence[Message], seed: int = 0) -> str:
    """All that a model says to these messages, in one piece, without its thoughts and calls.

    Raises:
        ModelFailed: it gave no answer.
    """
    pieces = (piece for piece in model.stream(messages, (), seed) if not isinstance(piece, Usage))
    return "".join(piece for piece in parted(pieces) if isinstance(piece, str))


def closing(text: str, tag: str) -> re.Match[str] | None:
    return re.search(f"</{tag}>", text)


def begun(text: str) -> int:
    """How many characters at the end of `text` may be the beginning of a tag."""
    start = text.rfind("<")
    return len(text) - start if start >= 0 and any(f"<{tag}>".startswith(text[start:]) for tag in TAGS) else 0


def call_in(text: str, number: int) -> FunctionCall:
    """The call that is written; one without a name where it can not be read, for the model to be told so."""
    try:
        written = json.loads(text)
        return FunctionCall(f"call_{number}", str(written["name"]), json.dumps(written.get("arguments", {})))
    except (ValueError, KeyError, TypeError, AttributeError):
        return FunctionCall(f"call_{number}", "", text.strip())
