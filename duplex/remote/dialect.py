"""What servers that speak Moshi's protocol want to be told, and what they do not listen to.

Ours is told everything and answers what it applied. Kyutai's takes a call as it comes. NVIDIA's wants both prompts in the
query and not a word before its handshake. What is told is made here and sent elsewhere.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Final, Literal, Protocol, TypeAlias

from duplex.conversation import Prompt
from duplex.wire.coders import Coder, coder
from duplex.wire.messages import Kind, message
from duplex.wire.wishes import SETTINGS

Setting: TypeAlias = str | int | float
DialectName: TypeAlias = Literal["duplex", "moshi", "personaplex"]

KEYS: Final = {setting: key for key, (setting, *_) in SETTINGS.items()}  # an agent's setting -> the key in a query
ROLE: Final = "You enjoy having a good conversation."  # NVIDIA's own, for calls that bring none
VOICE: Final = "NATF0.pt"


@dataclass(frozen=True)
class Asks:
    """What one call asks a server for.

    Attributes:
        settings: of the agent, by their names in its config; what is not set is left to the server.
        clock: in lockstep, the latency profile by which the server charges what it computes.
    """

    prompt: Prompt
    seed: int
    settings: Mapping[str, Setting]
    clock: str | None = None
    lockstep: bool = False


class Dialect(Protocol):
    """How to talk to one kind of server.

    Attributes:
        speaks_first: its first frame comes with the handshake, before it has heard anything.
        writes: what it says comes as text, fragment by fragment; else words come with their frames.
        counts_callers: it says itself when it has no place; else it must be left alone while somebody talks to it.
        hangs_up: a normal close means that the agent is done; else that the server failed and did not say so.
    """

    speaks_first: bool
    writes: bool
    counts_callers: bool
    hangs_up: bool

    def query(self, asks: Asks) -> dict[str, str]: ...

    def opening(self, asks: Asks) -> bytes | None:
        """The message before the handshake, if the server waits for one."""

    def coder(self) -> Coder: ...

    def complaint(self, asks: Asks) -> str | None:
        """What of `asks` this server does not listen to, for a warning."""


class OwnServer:
    """`duplex-serve`."""

    speaks_first, writes, counts_callers, hangs_up = True, False, True, True

    def query(self, asks: Asks) -> dict[str, str]:
        settings = {KEYS[name]: str(value) for name, value in asks.settings.items()}
        return {"ext": "1", "audio": "pcm", **({"mode": "lockstep"} if asks.lockstep else {}), **settings}

    def opening(self, asks: Asks) -> bytes | None:
        told: dict[str, object] = {"seed": asks.seed, "clock": asks.clock}
        if asks.prompt != Prompt():
            told["prompt"] = asdict(asks.prompt)
        return message(Kind.METADATA, json.dumps(told, default=dict))

    def coder(self) -> Coder:
        return coder(pcm=True)

    def complaint(self, asks: Asks) -> str | None:
        return None  # it says what it applied, see `unapplied`


class MoshiServer:
    """Kyutai's: `python -m moshi.server`, which takes no settings, and the Rust server, which takes those of sampling.

    It drops the first frame that it hears, so it is sent the silence before the call.
    """

    speaks_first, writes, counts_callers, hangs_up = False, True, False, False

    def query(self, asks: Asks) -> dict[str, str]:
        settings = {KEYS[name]: str(value) for name, value in asks.settings.items() if name != "voice"}
        return {**settings, "text_seed": str(asks.seed), "audio_seed": str(asks.seed)}

    def opening(self, asks: Asks) -> bytes | None:
        return None

    def coder(self) -> Coder:
        return coder(pcm=False)

    def complaint(self, asks: Asks) -> str | None:
        wanted = ["role"] if asks.prompt.text else []
        return (f"Kyutai's server takes no {' and no '.join([*wanted, *asks.settings, 'seed'])} (its Rust version takes seed and "
                "sampling): every call with it is another one")


class PersonaPlexServer:
    """NVIDIA's. Without either prompt, or with an empty one, or with a seed, it breaks off before the handshake."""

    speaks_first, writes, counts_callers, hangs_up = False, True, False, False

    def query(self, asks: Asks) -> dict[str, str]:
        voice = str(asks.settings.get("voice", VOICE))
        return {"text_prompt": asks.prompt.text.strip() or ROLE, "voice_prompt": voice_file(voice)}

    def opening(self, asks: Asks) -> bytes | None:
        return None  # it throws away what comes before the handshake, and the beginning of an Opus stream with it

    def coder(self) -> Coder:
        return coder(pcm=False)

    def complaint(self, asks: Asks) -> str | None:
        wanted = [name for name in asks.settings if name != "voice"]
        return f"the PersonaPlex server takes no {' and no '.join([*wanted, 'seed'])}: every call with it is another one"


DIALECTS: Final[Mapping[str, Dialect]] = {
    "duplex": OwnServer(), "moshi": MoshiServer(), "personaplex": PersonaPlexServer()}


def voice_file(name: str) -> str:
    """What PersonaPlex calls a voice: "NATF0" or a path to it -> "NATF0.pt"."""
    file = PurePosixPath(name)
    return file.name if file.suffix else f"{file.name}.pt"


def unapplied(asks: Asks, applied: Mapping[str, object]) -> str | None:
    """The first of what was asked that our server did not do, with what it did instead; None if it did all."""
    for name, value in {"seed": asks.seed, **asks.settings}.items():
        wanted = value.removesuffix(".pt") if isinstance(value, str) else value
        if name not in applied:
            return f"{name}={value}: its agent has no such setting"
        if applied[name] != wanted:
            return f"{name}={value}: it has {applied[name]!r}"
    return None
