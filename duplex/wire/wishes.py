"""What a client wishes for in the query of its connection: Kyutai's and PersonaPlex's keys, all optional, and ours.

Names and types are checked here; what of it an agent can honour is `duplex.server.agents`' business.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

MOST_CHARACTERS: Final = 4_000  # of a role; PersonaPlex's page allows 1,000
VOICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.pt)?")  # a name, never a path
SEEDS: Final = ("seed", "audio_seed", "text_seed")  # Kyutai's pages send the last two, PersonaPlex's clients the first


def whole(text: str) -> int:
    return int(text)


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError("below 1")
    return number


def temperature(text: str) -> float:
    if not 0.0 <= (number := float(text)) <= 10.0:
        raise ValueError("outside 0 to 10")
    return number


def voice(text: str) -> str:
    if not VOICE.fullmatch(text):
        raise ValueError("no name of a voice")
    return text.removesuffix(".pt")


# Query key -> the agents' own setting, how it is read, and what it should be.
SETTINGS: Final[Mapping[str, tuple[str, Callable[[str], object], str]]] = {
    "audio_temperature": ("temperature", temperature, "a number from 0 to 10"),
    "audio_topk": ("top_k", positive, "a whole number from 1"),
    "text_temperature": ("text_temperature", temperature, "a number from 0 to 10"),
    "text_topk": ("text_top_k", positive, "a whole number from 1"),
    "voice_prompt": ("voice", voice, "the name of one of the checkpoint's voices, such as NATF0"),
}


@dataclass(frozen=True)
class Wishes:
    """What one connection asks for.

    Attributes:
        role: text of the prompt; None leaves it to the server.
        seed: None leaves it to the server.
        settings: of the agent, by their names in its config.
        extended: metadata messages are exchanged (`duplex.wire.messages`).
        pcm: audio messages hold samples instead of Opus.
        lockstep: one frame in, one frame out.
    """

    role: str | None = None
    seed: int | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    extended: bool = False
    pcm: bool = False
    lockstep: bool = False


def wished(query: Mapping[str, str]) -> Wishes:
    """The wishes in a query; keys that nobody here knows are ignored, empty values are as good as none.

    Raises:
        ValueError: naming the key whose value is none, and what would be one.
    """
    given = {key: text for key, text in query.items() if text.strip()}
    settings = {setting: read(given, key, parse, what) for key, (setting, parse, what) in SETTINGS.items() if key in given}
    seeds = [int(str(read(given, key, whole, "a whole number"))) for key in SEEDS if key in given]
    role = given.get("text_prompt")
    if role is not None and len(role) > MOST_CHARACTERS:
        raise ValueError(f"text_prompt has {len(role)} characters, at most {MOST_CHARACTERS} are heard")
    wishes = Wishes(role, abs(seeds[0]) if seeds else None, settings, chosen(given, "ext", ("0", "1")) == "1",
                    chosen(given, "audio", ("opus", "pcm")) == "pcm", chosen(given, "mode", ("live", "lockstep")) == "lockstep")
    if wishes.lockstep and not (wishes.extended and wishes.pcm):
        raise ValueError("mode=lockstep goes with ext=1 and audio=pcm")
    return wishes


def read(given: Mapping[str, str], key: str, parse: Callable[[str], object], what: str) -> object:
    try:
        return parse(given[key])
    except ValueError as error:
        raise ValueError(f"{key} is {what}, not {given[key]!r}") from error


def chosen(given: Mapping[str, str], key: str, choices: tuple[str, ...]) -> str:
    """One of `choices`, the first where nothing is said."""
    if (found := given.get(key, choices[0])) not in choices:
        raise ValueError(f"{key} is one of {', '.join(choices)}, not {found!r}")
    return found
