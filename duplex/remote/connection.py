"""The connection to a server, as a `Line`: a websocket that is read and written by threads of its own.

Each message is stamped when it comes, and sending never waits. What the messages mean is not known here, but that an audio
message is one frame sent.
"""

import logging
import socket as sockets
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import CloseCode
from websockets.sync.client import ClientConnection, connect

from duplex.remote.address import TOKEN, Access, shown
from duplex.remote.traffic import Traffic
from duplex.wire.messages import MOST_BYTES, Kind

log = logging.getLogger(__name__)

PING_EVERY: Final = 1.0  # seconds
PONG_PATIENCE: Final = 10.0  # seconds, after which nobody is there
CLOSE_PATIENCE: Final = 1.0
MOST_UNSENT: Final = 25  # messages, 2 s: what the network does not take is dropped before it is encoded
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class Connection:
    """An open websocket; see `duplex.wire.messages.Line`.

    Args:
        url: of the websocket, with its query.
        through: port of loopback that leads to the server, in place of the host that `url` names.
        patience: seconds until the server has answered at all.
        traffic: where everything is counted.

    Raises:
        ConnectionError: nobody is there, or what is there is no such server.
        ValueError: the server lets nobody in who does not ask differently.
    """

    def __init__(self, url: str, access: Access, through: int | None, patience: float, traffic: Traffic):
        with told_plainly(url):
            self.socket: ClientConnection = connect(
                url, ssl=access.tls(url), additional_headers=access.headers, compression=None, max_size=MOST_BYTES,
                open_timeout=patience, close_timeout=CLOSE_PATIENCE, ping_interval=None, max_queue=None,
                sock=None if through is None else sockets.create_connection(("127.0.0.1", through), patience),
                proxy=None if urlsplit(url).hostname in LOOPBACK else True)
        self.inbox: SimpleQueue[tuple[float, bytes] | None] = SimpleQueue()
        self.outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self.closed = False
        self.pinging = False
        self.silent = False  # no answer to a ping
        self.pong: Flag | None = None
        self.pinged = 0.0
        self.traffic = traffic
        self.threads = [Thread(target=target, daemon=True, name=f"connection {target.__name__}")
                        for target in (self.listen, self.speak)]
        for thread in self.threads:
            thread.start()

    def receive(self, timeout: float) -> tuple[float, bytes] | None:
        if self.closed:
            return None
        received = self.inbox.get(timeout=timeout) if timeout > 0.0 else self.inbox.get_nowait()
        self.closed = received is None
        return received

    def waiting(self) -> bool:
        return not self.inbox.empty() and not self.closed

    def send(self, data: bytes) -> None:
        self.outbox.put(data)

    @property
    def is_full(self) -> bool:
        """Whether what was sent lately has not left yet, because the network does not take it."""
        return self.outbox.qsize() > MOST_UNSENT

    @property
    def closing(self) -> tuple[int, str]:
        """Code and reason of the close, once `receive` has returned None."""
        if self.silent:
            return CloseCode.ABNORMAL_CLOSURE, f"no answer to a ping for {PONG_PATIENCE:.0f} s"
        return (self.socket.protocol.close_code or CloseCode.ABNORMAL_CLOSURE,
                self.socket.protocol.close_reason or "")

    def hang_up(self) -> None:
        """Says goodbye after what is still to be sent, without waiting."""
        self.outbox.put(None)

    def close(self) -> None:
        """Says goodbye, and waits for a moment until the server has heard it: it may be another caller's next."""
        self.hang_up()
        for thread in self.threads:
            thread.join(2.0 * CLOSE_PATIENCE)

    # The threads.

    def listen(self) -> None:
        try:
            for data in self.socket:
                at = perf_counter()
                if isinstance(data, bytes):
                    self.traffic.received(data)
                    self.inbox.put((at, data))
        except ConnectionClosed as closed:
            log.debug("closed: %s", closed)
        finally:
            self.inbox.put(None)
            self.outbox.put(None)

    def speak(self) -> None:
        try:
            for data in self.unsent():
                self.socket.send(data)
                self.traffic.sent(data)
                if data[0] == Kind.AUDIO:
                    self.traffic.frames_sent_at.append(perf_counter())
        except ConnectionClosed as closed:  # `listen` sees it too and says so
            log.debug("closed: %s", closed)
        self.socket.close()

    def unsent(self) -> Iterator[bytes]:
        """What is to be sent, until there is nothing more; in between the server is pinged."""
        while True:
            try:
                if (data := self.outbox.get(timeout=PING_EVERY)) is None:
                    return
                yield data
            except Empty:
                pass
            if self.pinging and not self.answers():
                self.silent = True
                self.socket.socket.shutdown(sockets.SHUT_RDWR)  # a close would wait for an answer as well
                return

    def answers(self) -> bool:
        """Measures the way to the server and back; false once a ping has waited too long for its pong."""
        now = perf_counter()
        if self.pong is not None and self.pong.is_set():
            self.traffic.round_trips.append(self.socket.latency)
            self.pong = None
        if self.pong is None and now - self.pinged >= PING_EVERY:
            self.pong, self.pinged = self.socket.ping(), now
        return self.pong is None or now - self.pinged < PONG_PATIENCE


@contextmanager
def told_plainly(url: str) -> Iterator[None]:
    """What goes wrong with connecting, in words of whoever wants to talk."""
    where = shown(url)
    try:
        yield
    except InvalidStatus as error:
        status, text = error.response.status_code, (error.response.body or b"").decode(errors="replace").strip()
        if status in (401, 403):
            raise ValueError(f"{where} lets us not in: {text or f'HTTP {status}'} (export {TOKEN}=…)") from error
        raise ConnectionError(f"{where} is no server of conversations: HTTP {status} {text[:200]}".strip()) from error
    except ssl.SSLCertVerificationError as error:
        raise ConnectionError(f"the certificate of {where} is not trusted: {error.verify_message}; verify=cert.pem trusts one "
                              "that you were given, verify=false any") from error
    except (InvalidHandshake, EOFError) as error:
        raise ConnectionError(f"{where} does not answer as a websocket does: {error}") from error
    except OSError as error:
        raise ConnectionError(f"nobody answers at {where}: {error.strerror or error or type(error).__name__}") from error
