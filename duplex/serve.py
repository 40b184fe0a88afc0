"""duplex-serve: an agent behind a websocket, for web pages, Moshi's clients and `agent=remote`.

    duplex-serve agent=moshi agent.slots=8               on the machine with the GPU; then, on the laptop:
    duplex-talk --ssh gpu-box                            a microphone through a tunnel, or http://localhost:8998 in a browser
    duplex-serve agent=echo host=0.0.0.0 tls=true        for other machines: a token is asked, and https spoken

Ctrl-C ends all conversations; their recordings are whole.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from signal import SIGINT, SIGTERM
from typing import Any, Final

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from duplex import programs
from duplex.manifest import manifest, write_manifest
from duplex.server.agents import Agents
from duplex.server.certificate import context, self_signed
from duplex.server.server import PAGE, Doors, Server, is_loopback, served
from duplex.server.session import House
from duplex.talk import PromptSettings

PLACES: Final = 8


@dataclass
class Settings:
    """The plain settings in configs/serve.yaml."""

    host: str
    port: int
    places: int | None
    token: str | None
    origins: list[str]
    page: str | None
    record: bool
    seed: int
    max_seconds: float
    prompt: PromptSettings


def server(config: DictConfig, run: Path, settings: Settings) -> Server:
    """Everything that is served, with the first agent made."""
    if settings.places is not None and settings.places < 1 or not settings.max_seconds > 0.0:
        raise ValueError(f"places is 1 or more and max_seconds above 0, not {settings.places} and {settings.max_seconds}")
    if settings.page is not None and not (Path(settings.page) / "index.html").is_file():
        raise ValueError(f"page={settings.page} is no folder with an index.html")
    if config.agent.get("live") is False:
        config.agent.live = True  # an engine that ticks on a deadline; in lockstep nobody is late, so nobody waits for it
    agents = Agents(config, config.clocks, config.charged)
    agents.warm_up()
    places = settings.places or int(config.agent.get("slots") or PLACES)
    house = House(str(HydraConfig.get().runtime.choices["agent"]), agents,
                  settings.prompt.prompt, settings.seed, settings.max_seconds,
                  run / "conversations" / "live" if settings.record else None)
    return Server(house, Doors(settings.token, tuple(settings.origins), places),
                  PAGE if settings.page is None else Path(settings.page))


def certificate(tls: object, host: str) -> ssl.SSLContext | None:
    if isinstance(tls, bool):
        return self_signed(host) if tls else None
    files = [Path(str(file)) for file in tls] if isinstance(tls, list) else []
    if len(files) != 2:
        raise ValueError(f"tls is true, false or [certificate, key], not {tls!r}")
    return context(*files)


async def serve(it: Server, settings: Settings, tls: ssl.SSLContext | None, console: Console) -> None:
    stop = asyncio.Event()
    for signal in (SIGINT, SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal, stop.set)

    def ready(port: int) -> None:
        where = f"{settings.host}:{port}"
        pages = f"{'https' if tls else 'http'}://{where}/{f'?token={settings.token}' if settings.token else ''}"
        console.print(f"{it.house.name}, {it.doors.places} at a time: {'wss' if tls else 'ws'}://{where}/api/chat", markup=False,
                      soft_wrap=True)
        console.print(f"from a browser: {pages}", markup=False, soft_wrap=True)
        if it.house.folder is not None:
            console.print(f"every conversation is recorded in {it.house.folder}; record=false keeps none", markup=False,
                          soft_wrap=True)

    await served(it, settings.host, settings.port, tls, ready, stop)


def described(config: DictConfig, run: Path, name: str) -> Mapping[str, Any]:
    """The manifest of what is served; a token is nobody's business."""
    made_of = OmegaConf.to_container(config, resolve=False)
    assert isinstance(made_of, dict)
    made_of["token"] = None
    return manifest({"name": run.name, "agent": name, "baseline": None, "clocks": ["live"], "seeds": [config.seed],
                     "command": "duplex-serve " + " ".join(
                         one for one in HydraConfig.get().overrides.task if not one.startswith("token=")),
                     "config": {**made_of, "clocks": {**made_of["clocks"], "live": made_of["latency"]}}})


def act(config: DictConfig) -> None:
    run, settings = Path(HydraConfig.get().runtime.output_dir), programs.settings(config, Settings)
    if not is_loopback(settings.host) and settings.token is None:
        settings.token = token_urlsafe(12)
    it = server(config, run, settings)
    if it.house.folder is not None:
        write_manifest(described(config, run, it.house.name), run)
    tls = certificate(OmegaConf.to_object(config.tls) if OmegaConf.is_config(config.tls) else config.tls, settings.host)
    asyncio.run(serve(it, settings, tls, programs.console()))


def main() -> None:
    programs.run(act, "serve")


if __name__ == "__main__":
    main()
