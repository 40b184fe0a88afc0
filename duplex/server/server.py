"""The server: any agent behind a websocket that speaks Moshi's protocol, and a page to talk to it from.

The event loop carries messages and nothing else: each conversation computes, encodes and decodes in a thread of its own
(`duplex.server.session`). A conversation takes a place; who finds none is told at once.
"""

import asyncio
import gc
import logging
import ssl
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from ipaddress import ip_address
from pathlib import Path
from queue import SimpleQueue
from secrets import token_hex
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from aiohttp import WSMsgType, web

from duplex.frame import SAMPLE_RATE
from duplex.manifest import installed
from duplex.server.session import Code, Ending, House, converse_with, refusal
from duplex.wire.messages import MOST_BYTES, PATH
from duplex.wire.wishes import wished

log = logging.getLogger(__name__)

PAGE: Final = Path(__file__).parent / "page"
HEARTBEAT: Final = 15.0  # seconds; who does not answer a ping has vanished
MOST_WAITING: Final = 4_096  # messages that nobody has read yet: 160 s of Opus while a prompt is heard
MOST_UNSENT: Final = 50  # messages that the client has not taken: 2 s and more
REMEMBERED: Final = 20  # conversations
REASON_BYTES: Final = 123  # of a close frame
FAREWELL: Final = 5.0  # seconds for whoever is told why


@dataclass(frozen=True)
class Doors:
    """Who may come in.

    Attributes:
        token: asked of everybody, in the header `Authorization: Bearer …` or the query (`token`, or Kyutai's
            `worker_auth_id`); None asks nobody.
        origins: of pages elsewhere that may connect; a page's own server, and loopback where that is all there is, may.
        places: conversations at a time.
    """

    token: str | None = None
    origins: tuple[str, ...] = ()
    places: int = 1

    def check(self, request: web.Request) -> None:
        """Lets in or raises what HTTP says to those who may not."""
        origin = request.headers.get("Origin")
        if origin is not None and not self.knows(origin, request.host):
            raise web.HTTPForbidden(text=f"pages of {origin} may not connect; origins=[{origin}] lets them\n")
        given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip() or request.query.get(
            "token", request.query.get("worker_auth_id", ""))
        if self.token is not None and not compare_digest(given.encode(), self.token.encode()):
            raise web.HTTPUnauthorized(text="this server asks for its token: Authorization: Bearer …, or ?token=…\n")

    def knows(self, origin: str, host: str) -> bool:
        there, here = urlsplit(origin), urlsplit(f"//{host}")
        if is_loopback(here.hostname or ""):
            return origin in self.origins or is_loopback(there.hostname or "")
        # Without a token nobody but loopback may call, and a page whose name was made to mean it says its own name here.
        return origin in self.origins or self.token is not None and there.netloc == host


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine and nobody else can reach it."""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


class Socket:
    """A websocket as a `Line`: the event loop on one side, the thread of a conversation on the other."""

    def __init__(self, socket: web.WebSocketResponse):
        self.socket = socket
        self.loop = asyncio.get_running_loop()
        self.inbox: SimpleQueue[tuple[float, bytes] | None] = SimpleQueue()
        self.outbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.closed = False
        self.complaint: Ending | None = None  # of what the carrier saw

    # The thread's side.

    def receive(self, timeout: float) -> tuple[float, bytes] | None:
        if self.closed and self.inbox.empty():
            return None
        received = self.inbox.get(timeout=timeout)
        self.closed = self.closed or received is None
        return received

    def waiting(self) -> bool:
        return not self.inbox.empty() and not self.closed

    def send(self, data: bytes) -> None:
        with suppress(RuntimeError):  # the loop is gone with the server
            self.loop.call_soon_threadsafe(self.put, data)

    # The event loop's side.

    async def listen(self) -> None:
        """Passes on what comes until the other end closes."""
        try:
            async for received in self.socket:
                if received.type == WSMsgType.ERROR:
                    break
                if len(received.data) > MOST_BYTES:
                    self.complaint = Ending(Code.TOO_BIG, f"a message has at most {MOST_BYTES} bytes, not {len(received.data)}")
                    break
                if received.type == WSMsgType.BINARY:
                    self.inbox.put((perf_counter(), received.data))
                if self.inbox.qsize() > MOST_WAITING:
                    self.complaint = Ending(Code.BAD_REQUEST, f"more than {MOST_WAITING} messages wait; send in real time")
                    break
        finally:
            self.inbox.put(None)

    def put(self, data: bytes) -> None:
        """Will be sent, unless the client takes nothing any more."""
        if self.outbox.qsize() >= MOST_UNSENT:
            self.complaint = Ending(Code.BAD_REQUEST, f"more than {MOST_UNSENT} messages wait to be taken; read in real time")
            self.inbox.put(None)
        else:
            self.outbox.put_nowait(data)

    async def speak(self) -> None:
        """Sends what is to be sent until there is None."""
        while (data := await self.outbox.get()) is not None:
            await self.socket.send_bytes(data)


class Server:
    """Conversations behind `/api/chat`, what is known of the server at `/api/state`, and pages.

    Args:
        house: what all conversations have in common.
        doors: who may come in.
        page: folder of the page at `/`.
    """

    def __init__(self, house: House, doors: Doors = Doors(), page: Path = PAGE):
        self.house = house
        self.doors = doors
        self.page = page
        self.taken: set[Socket] = set()
        self.begun = 0
        self.steps: deque[float] = deque(maxlen=REMEMBERED)  # 95th percentiles of conversations that are over
        self.threads = ThreadPoolExecutor(doors.places, thread_name_prefix="conversation")

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get(PATH, self.chat)
        app.router.add_get("/api/state", self.state)
        app.router.add_get("/api/voices", self.voices)
        app.router.add_get("/", self.index)
        if self.page.is_dir():
            app.router.add_static("/", self.page)
        app.on_shutdown.append(self.shut_down)  # type: ignore[arg-type]  # aiosignal's newer releases say it otherwise
        return app

    async def index(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(self.page / "index.html")

    async def state(self, request: web.Request) -> web.Response:
        self.doors.check(request)
        return web.json_response({
            "server": "duplex-harness", "version": installed("duplex-harness"), "agent": self.house.name,
            "places": self.doors.places, "taken": len(self.taken), "conversations": self.begun, "sample_rate": SAMPLE_RATE,
            "step_p95": max(self.steps, default=None), "utc_seconds": datetime.now(UTC).timestamp()})

    async def voices(self, request: web.Request) -> web.Response:
        self.doors.check(request)
        return web.json_response({"voices": self.house.agents.voices})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.doors.check(request)
        socket = web.WebSocketResponse(max_msg_size=8 * MOST_BYTES, heartbeat=HEARTBEAT, compress=False)
        await socket.prepare(request)
        try:
            wishes = wished(request.query)
        except ValueError as error:
            return await close(request, socket, Ending(Code.BAD_REQUEST, str(error)))
        if len(self.taken) >= self.doors.places:
            return await close(request, socket, Ending(Code.FULL, f"no place of {self.doors.places} is free; try again later"))
        line, number, self.begun = Socket(socket), self.begun, self.begun + 1
        identity = f"{number:05d}-{token_hex(4)}"
        self.taken.add(line)
        try:
            ending = await carried(line, lambda: converse_with(line, wishes, self.house, number, identity), self.threads)
        finally:
            self.taken.discard(line)
        if ending.step_p95 is not None:
            self.steps.append(ending.step_p95)
        return await close(request, socket, ending)

    async def shut_down(self, _: web.Application) -> None:
        """Ends all conversations, and waits until their recordings are whole."""
        for line in list(self.taken):
            line.complaint = Ending(Code.GOING_AWAY, "the server stops")
            line.inbox.put(None)
        while self.taken:
            await asyncio.sleep(0.05)
        self.threads.shutdown()
        self.house.disk.close()


async def carried(line: Socket, work: Callable[[], Ending], threads: ThreadPoolExecutor) -> Ending:
    """Carries messages while `work` is done in a thread."""
    talk = line.loop.run_in_executor(threads, work)
    listening, speaking = asyncio.ensure_future(line.listen()), asyncio.ensure_future(line.speak())
    try:
        ending = await asyncio.shield(talk)
    except asyncio.CancelledError:  # the connection's handler is cancelled; its thread ends by itself
        line.inbox.put(None)
        ending = await talk
    line.outbox.put_nowait(None)
    with suppress(Exception):  # a dead socket cannot be spoken to
        await asyncio.wait_for(speaking, 2.0)
    listening.cancel()
    await asyncio.wait([listening])
    return line.complaint or ending


async def close(request: web.Request, socket: web.WebSocketResponse, ending: Ending) -> web.WebSocketResponse:
    """Tells why in an error message, if it is one, and in the reason of the close frame."""
    try:
        async with asyncio.timeout(FAREWELL):
            if ending.code != Code.OVER:
                await socket.send_bytes(refusal(ending.reason))
            reason = ending.reason.encode()[:REASON_BYTES].decode(errors="ignore").encode()
            await socket.close(code=ending.code, message=reason)
    except Exception:  # whoever has gone, or takes nothing, cannot be told
        if request.transport is not None:
            request.transport.abort()
    return socket


async def served(server: Server, host: str, port: int, certificate: ssl.SSLContext | None,
                 ready: Callable[[int], None], stop: asyncio.Event) -> None:
    """Serves until `stop` is set; `ready` is told the port, which `port` 0 leaves to the machine.

    Raises:
        OSError: the port is taken, or the host is not this machine's.
    """
    runner = web.AppRunner(server.application(), access_log=None, handle_signals=False, shutdown_timeout=10.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=certificate)
        await site.start()
        gc.freeze()  # what was made up to now stays; to look through it again takes all conversations' time
        ready(runner.addresses[0][1])
        await stop.wait()
    finally:
        await runner.cleanup()
