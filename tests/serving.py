"""A server in this process, for tests: its event loop runs in a thread of its own, as it does for `duplex-serve`."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from duplex.conversation import Prompt
from duplex.manifest import CHECKOUT
from duplex.server.agents import Agents
from duplex.server.server import PAGE, Doors, Server, served
from duplex.server.session import House

FOUR_PLACES = Doors(places=4)


@dataclass(frozen=True)
class Served:
    """A running server.

    Attributes:
        host_port: "127.0.0.1:12345".
        folder: of its recordings.
    """

    server: Server
    host_port: str
    folder: Path

    @property
    def url(self) -> str:
        return f"ws://{self.host_port}/api/chat"


@contextmanager
def serving(folder: Path, *overrides: str, doors: Doors = FOUR_PLACES, max_seconds: float = 3600.0, page: Path = PAGE,
            tls: ssl.SSLContext | None = None, record: bool = True) -> Iterator[Served]:
    """`duplex-serve *overrides` on a free port of loopback, recording into `folder`."""
    with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
        config = compose("serve", list(overrides))
    OmegaConf.set_struct(config, False)
    agents = Agents(config, config.clocks, config.charged)
    agents.warm_up()
    house = House("agent", agents, Prompt(), 0, max_seconds, folder if record else None)
    server, ready = Server(house, doors, page), SimpleQueue[object]()

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        try:
            await served(server, "127.0.0.1", 0, tls, lambda port: ready.put((port, loop, stop)), stop)
        except BaseException as error:
            ready.put(error)
            raise

    thread = Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    came = ready.get(timeout=20)
    if not isinstance(came, tuple):
        raise RuntimeError("the server did not start") from (came if isinstance(came, BaseException) else None)
    port, loop, stop = came
    try:
        yield Served(server, f"127.0.0.1:{port}", folder)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=20)
        assert not thread.is_alive(), "the server did not stop"
