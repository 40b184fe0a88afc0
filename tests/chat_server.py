"""Chat models that follow a script: one in this process, and a server that speaks OpenAI's interface over real HTTP."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, TypeAlias

from duplex.stages.language.chat_model import Function, FunctionCall, Message, Piece


class Scripted:
    """A chat model in this process: each call brings the next line of its script, word by word.

    Attributes:
        asked: the messages of each call.
        offered: the functions of each call.
        unread: calls whose answer nobody read to the end.
    """

    name = "scripted"

    def __init__(self, *script: str | Sequence[Piece | Exception]):
        self.script = list(script)
        self.asked: list[tuple[Message, ...]] = []
        self.offered: list[tuple[Function, ...]] = []
        self.unread = 0

    def stream(self, messages: Sequence[Message], functions: Sequence[Function], seed: int) -> Iterator[Piece]:
        self.asked.append(tuple(messages))
        self.offered.append(tuple(functions))
        line = self.script[min(len(self.asked), len(self.script)) - 1]
        pieces: list[Piece | Exception] = list(line.split(" ")) if isinstance(line, str) else list(line)
        whole = False
        try:
            for number, piece in enumerate(pieces):
                if isinstance(piece, Exception):
                    raise piece
                yield f" {piece}" if isinstance(line, str) and number else piece
            whole = True
        finally:
            self.unread += not whole


def calls(name: str, number: int = 1, **arguments: Any) -> FunctionCall:
    return FunctionCall(f"call_{number}", name, json.dumps(arguments))


class Wire:
    """One answer of the server on its way."""

    def __init__(self, handler: BaseHTTPRequestHandler):
        self.handler = handler

    def head(self, status: int = 200, kind: str = "text/event-stream") -> None:
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", kind)
        self.handler.send_header("Transfer-Encoding", "chunked")
        self.handler.send_header("Connection", "close")  # its thread ends with the answer
        self.handler.end_headers()

    def raw(self, content: str) -> None:
        data = content.encode()
        self.handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.handler.wfile.flush()

    def data(self, content: object) -> None:
        self.raw(f"data: {content if isinstance(content, str) else json.dumps(content)}\n\n")

    def delta(self, finish: str | None = None, **delta: object) -> None:
        self.data({"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "scripted",
                   "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    def usage(self, read: int, written: int) -> None:
        self.data({"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "scripted", "choices": [],
                   "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}})

    def done(self) -> None:
        self.data("[DONE]")
        self.end()

    def end(self) -> None:
        self.handler.wfile.write(b"0\r\n\r\n")

    def cut(self) -> None:
        self.handler.close_connection = True


Answer: TypeAlias = Callable[[Wire], None]


def says(text: str, usage: tuple[int, int] | None = None, wait: float = 0.0) -> Answer:
    """`text` word by word, `wait` seconds before each."""
    def answer(wire: Wire) -> None:
        wire.head()
        for number, word in enumerate(text.split(" ")):
            time.sleep(wait)
            wire.delta(content=f"{' ' if number else ''}{word}")
        wire.delta("stop")
        if usage is not None:
            wire.usage(*usage)
        wire.done()
    return answer


def calls_tools(*made: tuple[str, str], text: str = "", indexed: bool = True) -> Answer:
    """Calls of functions, (name, arguments), each split over many deltas as servers do it."""
    def answer(wire: Wire) -> None:
        wire.head()
        if text:
            wire.delta(content=text)
        for index, (name, arguments) in enumerate(made):
            place = {"index": index} if indexed else {}
            opening = {**place, "id": f"id_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
            wire.delta(tool_calls=[opening])
            for start in range(0, len(arguments), 3):
                wire.delta(tool_calls=[{**place, "function": {"arguments": arguments[start: start + 3]}}])
        wire.delta("tool_calls")
        wire.done()
    return answer


def fails(status: int, message: str) -> Answer:
    def answer(wire: Wire) -> None:
        wire.head(status, "application/json")
        wire.raw(json.dumps({"error": {"message": message, "type": "error", "code": None}}))
        wire.end()
    return answer


class ChatServer:
    """Answers each request with the next line of the script, the last one for ever.

    Attributes:
        requests: what was asked, as JSON.
        keys: with which authorisation.
        left: clients that went before they had heard it all.
    """

    def __init__(self, *script: Answer):
        self.script = script
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.left = Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                server.keys.append(self.headers["Authorization"])
                try:
                    server.script[min(len(server.requests), len(server.script)) - 1](Wire(self))
                except OSError:
                    server.left.set()
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"


@contextmanager
def chat_server(*script: Answer) -> Iterator[ChatServer]:
    server = ChatServer(*script)
    thread = Thread(target=server.http.serve_forever, args=(0.02,), name="chat server")
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()
