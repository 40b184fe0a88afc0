"""Many conversations on several cores: every scenario and seed with every system on every clock.

Recognisers hold the interpreter's lock, so each core gets a process. What a conversation sounds like never depends on
which process plays it, nor on what was played there before.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from duplex.conversation import ConversationFailed, Participant, converse
from duplex.recording import Recording, save
from eval.cast import Cast
from eval.scenario import Scenario, drawn
from eval.scores import rows


@dataclass(frozen=True)
class Conversation:
    """One conversation to be simulated.

    Attributes:
        role: "agent" or "baseline": which config plays it.
        system: its name in the results.
        clock: which of the config's clocks charges it.
    """

    role: str
    system: str
    clock: str
    scenario: Scenario
    seed: int

    @property
    def folder(self) -> Path:
        """Relative to the run."""
        return Path("conversations", self.clock, self.system, f"{self.scenario.name}-{self.seed}")


class Played(NamedTuple):
    """What became of it."""

    conversation: Conversation
    seconds: float
    failure: str | None
    rows: list[dict[str, Any]]


def simulate(config: DictConfig, conversations: Sequence[Conversation], run: Path, processes: int) -> Iterator[Played]:
    """Plays, saves and scores; yields in the order of completion."""
    workers = min(processes or os.cpu_count() or 1, len(conversations))
    with ProcessPoolExecutor(workers, get_context("spawn"), begin, (OmegaConf.to_yaml(config), run)) as pool:
        for future in as_completed([pool.submit(play, conversation) for conversation in conversations]):
            yield future.result()


class Stage(NamedTuple):
    """What a process plays with."""

    config: DictConfig
    run: Path


STAGE: list[Stage] = []  # one per process, set by `begin`


def begin(config: str, run: Path) -> None:
    """Prepares this process to play; `config` as YAML, which travels between processes and keeps interpolations."""
    made = OmegaConf.create(config)
    assert isinstance(made, DictConfig)
    STAGE[:] = [Stage(made, run)]


def play(conversation: Conversation) -> Played:
    """Plays one conversation in this process; a failing participant is a counted failure, not the end of the run."""
    config, run = STAGE[0]
    cast = the_cast()
    scenario = drawn(conversation.scenario, conversation.seed)
    voice, rate = cast.part(scenario, conversation.seed)
    facts = {
        "scenario": scenario.name, "category": scenario.category, "domain": scenario.domain,
        "system": conversation.system, "clock": conversation.clock, "voice": voice, "rate": rate,
        "expect": {"said": list(scenario.said), "not_said": list(scenario.not_said)}}
    try:
        recording = converse(
            cast.caller(scenario, conversation.seed), system(conversation.role, conversation.clock),
            prompt=scenario.prompt, seed=conversation.seed, max_seconds=config.max_seconds, facts=facts)
    except ConversationFailed as failed:
        recording = failed.recording
    return kept(conversation, recording, run)


def kept(conversation: Conversation, recording: Recording, run: Path) -> Played:
    save(recording, run / conversation.folder)
    return Played(conversation, recording.seconds, recording.failure, rows(recording, conversation.folder))


@lru_cache(maxsize=None)
def system(role: str, clock: str) -> Participant:
    """The agent or the baseline on a clock; loaded once per process."""
    return participant(STAGE[0].config, role, clock)


@lru_cache(maxsize=1)
def the_cast() -> Cast:
    cast: Cast = instantiate(STAGE[0].config.user)
    return cast


def participant(config: DictConfig, role: str, clock: str) -> Participant:
    """Makes what the config calls `role`, charged by `clock`, behind the configured perturbation."""
    charged = config.copy()
    charged.latency = config.clocks[clock]
    agent = instantiate(charged[role])
    perturbed: Participant = instantiate(charged.perturb)(agent)
    return perturbed
