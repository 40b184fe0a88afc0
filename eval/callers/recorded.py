"""Recorded callers as a suite: each recording is a scenario, in which its user calls another agent.

So a call that went wrong becomes one that every later agent must take. Who was recorded does not react: what they said
into one agent's turn may fall into another's pause, which is why scripted callers (`eval.callers.cast`) are the headline.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from duplex.build import built
from duplex.conversation import Participant, Prompt
from duplex.journal import recordings
from duplex.recording import load
from duplex.replay import Replay
from eval.callers.cast import Cast
from eval.callers.scenario import Scenario

CATEGORY: Final = "replay"  # of sound files, and of calls by a person


class KnowsItsCall(Participant, Protocol):
    """A caller that brings along what one needs to know to play its scenario; see `eval.callers.cast.ScriptedCaller`."""

    @property
    def prompt(self) -> Prompt: ...

    @property
    def facts(self) -> Mapping[str, Any]: ...


@runtime_checkable
class BringsScenarios(Protocol):
    """A cast whose scenarios are what it found at `path`: recordings, or a data set."""

    path: Path
    scenarios: tuple[Scenario, ...]

    def caller(self, scenario: Scenario, seed: int) -> KnowsItsCall:
        """Who plays a scenario."""

    def voices_of(self, scenarios: Iterable[Scenario], seeds: Collection[int]) -> set[str]:
        """Names of the voices that will be heard and that an agent could have as well."""

    def digest(self) -> str:
        """What tells these scenarios from others of the same names."""


class RecordedCaller(Replay):
    """A recorded user, with what the agent was told.

    Attributes:
        prompt: of the recorded call; empty for a sound file.
        facts: as of a `ScriptedCaller`.
    """

    def __init__(self, name: str, path: Path, act: str | None, gap: float, tail: float, channel: int | None):
        super().__init__(path, act, gap, tail, channel)
        known = load(path).facts if (path / "log.json").is_file() else {}
        told = known.get("prompt", {})
        self.prompt = Prompt(told.get("text", ""), told.get("records", {}), told.get("domain", ""))
        self.facts = {"scenario": name, "category": known.get("category", CATEGORY), "voice": known.get("voice", ""),
                      "expect": known.get("expect", {})}


class Recorded:
    """The cast of a bench with `user=replay`.

    Args:
        path: of a recording, of a folder with recordings anywhere below it (a run), of a sound file or a folder of them.
        act, gap, tail, channel: as of a `Replay`.

    Attributes:
        scenarios: one for each recording, by the name of its folder; one for all sound files.
    """

    def __init__(self, path: str, act: str | None = None, gap: float = 1.0, tail: float = 5.0, channel: int | None = None):
        self.path = Path(path)
        self.how = act, gap, tail, channel
        self.paths = named(recordings(self.path) or [self.path])
        self.scenarios = tuple(Scenario(name, CATEGORY, "", ()) for name in self.paths)

    def caller(self, scenario: Scenario, seed: int) -> RecordedCaller:
        """Who plays a scenario; the same for every seed, which only the agent hears of."""
        return RecordedCaller(scenario.name, self.paths[scenario.name], *self.how)

    def voices_of(self, scenarios: Iterable[Scenario], seeds: Collection[int]) -> set[str]:
        """None that an agent could have as well."""
        return set()

    def digest(self) -> str:
        """What tells these recordings from others of the same names."""
        said = hashlib.sha256()
        for scenario in self.scenarios:
            for sound in self.caller(scenario, 0).sounds:
                said.update(sound.samples.tobytes())
        return said.hexdigest()[:16]


def named(paths: list[Path]) -> dict[str, Path]:
    """By their own names, or with those of the folders around them where these are not enough to tell them apart."""
    for parts in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["-".join(path.with_suffix("").parts[-parts:]) for path in paths]
        if len(set(names)) == len(names):
            break
    return dict(zip(names, paths, strict=True))


def cast_of(user: DictConfig) -> Cast | BringsScenarios:
    """Who calls in a bench by its config: a cast, or whoever was recorded where it says `Replay`.

    Raises:
        ValueError: it is neither.
    """
    if get_object(user["_target_"]) is Replay:
        user = OmegaConf.merge(user, {"_target_": f"{__name__}.{Recorded.__name__}"})  # type: ignore[assignment]  # a DictConfig
    found = built(user)
    if not isinstance(found, Cast | BringsScenarios):
        raise ValueError(f"{type(found).__name__} is one caller of one call; a bench takes user=scripted, or user=replay or "
                         "user=full_duplex_bench with user.path=...")
    return found
