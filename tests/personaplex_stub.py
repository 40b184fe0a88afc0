"""NVIDIA's PersonaPlex server without its model: what a client has to know about it, and an echo (see the notes on the protocol).

* Both prompts must be in the query, and the voice must be a file that it has; a seed is looked up where it is not. Whatever
  is wrong raises after the upgrade, so that the connection breaks without a word.
* The prompts are heard before the handshake. Messages that come meanwhile are thrown away, and with them the head of an
  Opus stream, without which none of the rest is decoded: the session ends, and nobody says why.
* What it says begins with one more frame of silence.
* Sampling settings are read by nobody.
"""

import asyncio
from asyncio import wait_for
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from typing import Final

import numpy as np
from aiohttp import WSMsgType, web

from duplex.frame import FRAME_SAMPLES
from duplex.wire.opus import OpusDecoder, OpusEncoder

VOICES: Final = ("NATF0.pt", "NATM1.pt")
TEXT: Final = (" Hi", " there", ".")


class PersonaPlexStub:
    """The server's side of it.

    Attributes:
        queries: of everybody who connected.
        thrown_away: messages that came before a handshake.
        frames: that were heard in all.
    """

    def __init__(self, prompt_seconds: float = 0.4):
        self.prompt_seconds = prompt_seconds
        self.lock = asyncio.Lock()
        self.queries: list[Mapping[str, str]] = []
        self.thrown_away = 0
        self.frames = 0
        self.url = ""

    async def chat(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.queries.append(dict(request.query))
        if request.query["voice_prompt"] not in VOICES:
            raise FileNotFoundError(request.query["voice_prompt"])
        text = request.query["text_prompt"] or None
        if "seed" in request.query:
            int(request["seed"])  # the request is no query: KeyError
        async with self.lock:
            for _ in text:  # type: ignore[union-attr]  # None cannot be iterated over, there neither
                pass
            await self.hear_prompts(socket)
            await socket.send_bytes(b"\x00")
            await self.talk(socket)
        return socket

    async def hear_prompts(self, socket: web.WebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self.prompt_seconds
        while loop.time() < until:
            await asyncio.sleep(0.02)
            try:
                await wait_for(socket.receive(), 0.01)  # is anybody there? and if so, what was said?
                self.thrown_away += 1
            except TimeoutError:
                pass

    async def talk(self, socket: web.WebSocketResponse) -> None:
        encoder, decoder, headed = OpusEncoder(), OpusDecoder(), False
        late = [np.zeros(FRAME_SAMPLES, np.float32)]
        pieces = iter(TEXT)
        async for received in socket:
            if received.type != WSMsgType.BINARY or received.data[:1] != b"\x01":
                continue
            headed = headed or received.data[1:].find(b"OpusHead") >= 0
            if not headed:
                return
            heard = decoder.decode(received.data[1:])
            for start in range(0, len(heard), FRAME_SAMPLES):
                late.append(heard[start:start + FRAME_SAMPLES])
                self.frames += 1
                if (piece := next(pieces, None)) is not None:
                    await socket.send_bytes(b"\x02" + piece.encode())
                await socket.send_bytes(b"\x01" + encoder.encode(late.pop(0)))


@contextmanager
def personaplex_stub(prompt_seconds: float = 0.4) -> Iterator[PersonaPlexStub]:
    """A running one."""
    ready = SimpleQueue[tuple[PersonaPlexStub, asyncio.AbstractEventLoop, asyncio.Event]]()

    async def serve() -> None:
        stub, stop = PersonaPlexStub(prompt_seconds), asyncio.Event()
        app = web.Application()
        app.router.add_get("/api/chat", stub.chat)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        stub.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
        ready.put((stub, asyncio.get_running_loop(), stop))
        await stop.wait()
        await runner.cleanup()

    thread = Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    stub, loop, stop = ready.get(timeout=20)
    try:
        yield stub
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=20)
