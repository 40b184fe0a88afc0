"""From the name of a server to a call that has begun: takes the lease, opens the tunnel, dials, and undoes all three.

Which servers there are and what they are asked is the agent's; a call that is lost can be dialled again in the background.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from typing import Final
from urllib.parse import urlsplit

from duplex.remote.address import Access, shown
from duplex.remote.call import Call
from duplex.remote.dialect import Asks, Dialect
from duplex.remote.pool import Lease, Server, leased
from duplex.remote.traffic import Traffic
from duplex.remote.tunnel import Tunnel

log = logging.getLogger(__name__)

PORTS: Final = {"ws": 80, "wss": 443}


@dataclass(frozen=True)
class Reach:
    """How to get at servers.

    Attributes:
        urls: of their conversations; any will do.
        places: conversations at a time that each has; None where the servers say so themselves.
        ssh: a machine from which the urls can be reached; None for this one.
        patience: seconds for a free server, and again for its handshake.
    """

    urls: Sequence[str]
    dialect: Dialect
    access: Access = Access()
    places: int | None = 1
    ssh: str | None = None
    patience: float = 60.0

    @property
    def servers(self) -> list[Server]:
        return [Server(url, shown(url) if self.ssh is None else f"{shown(url)} at {self.ssh}", place)
                for place in range(self.places or 1) for url in self.urls]


class Switchboard:
    """The call of one conversation, and the second one if the first is lost; calls are closed by whoever has them."""

    def __init__(self, reach: Reach):
        self.reach = reach
        self.lease: Lease | None = None
        self.tunnel: Tunnel | None = None
        self.server: Server | None = None

    def call(self, asks: Asks, traffic: Traffic) -> Call:
        """A call to the first server that is free and answers.

        Raises:
            TimeoutError: all are taken.
            ConnectionError: none answers; this is what the last one said.
            ValueError: what is asked is wrong.
        """
        servers = self.reach.servers
        while True:
            if self.reach.places is not None:
                self.lease = leased(servers, self.reach.patience)
            self.server = server = servers[0] if self.lease is None else self.lease.server
            try:
                return self.dial(server, asks, traffic)
            except ConnectionError as error:
                self.close()
                servers = [other for other in servers if other.url != server.url]
                if not servers:
                    raise
                log.warning("%s; trying %s", error, servers[0].name)
            except BaseException:
                self.close()
                raise

    def again(self, asks: Asks, traffic: Traffic) -> Future[Call]:
        """A second call to the same server, dialled in the background."""
        assert self.server is not None, "again comes after call"
        server = self.server
        return in_background(lambda: self.dial(server, asks, traffic))

    def dial(self, server: Server, asks: Asks, traffic: Traffic) -> Call:
        through, reach = None, self.reach
        if reach.ssh is not None:
            if self.tunnel is not None and not self.tunnel.is_open:
                self.tunnel.close()
                self.tunnel = None
            self.tunnel = self.tunnel or Tunnel(reach.ssh, address(server.url))
            through = self.tunnel.port
        try:
            return Call(server.url, reach.dialect, asks, reach.access, through, reach.patience, traffic)
        except ConnectionError as error:
            if self.tunnel is None or not (complaint := self.tunnel.complaint):
                raise
            raise ConnectionError(f"{error}; ssh {reach.ssh} says: {complaint}") from error

    def close(self) -> None:
        """Closes the tunnel and gives the lease back; again is as good as once."""
        if self.tunnel is not None:
            self.tunnel.close()
        if self.lease is not None:
            self.lease.give_back()
        self.tunnel = self.lease = None


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or PORTS[parts.scheme]


def in_background(dial: Callable[[], Call]) -> Future[Call]:
    """What `dial` returns, once it does; its thread keeps no program from ending."""
    future: Future[Call] = Future()

    def run() -> None:
        try:
            future.set_result(dial())
        except Exception as error:  # told to whoever waits for the result
            future.set_exception(error)

    Thread(target=run, daemon=True, name="redial").start()
    return future
