"""Many conversations on several cores: every scenario and seed with every system on every clock.

Recognisers hold the interpreter's lock, so each core gets a process. What a conversation sounds like never depends on
which process plays it, nor on what was played there before.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from signal import SIG_IGN, SIGINT, signal
from threading import current_thread, main_thread
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from duplex.build import built
from duplex.conversation import ConversationFailed, Participant, converse
from duplex.frame import Frame
from duplex.recording import Recording, load, save
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
    """What became of it; `resumed` if it had been played before."""

    conversation: Conversation
    seconds: float
    failure: str | None
    rows: list[dict[str, Any]]
    resumed: bool = False


def simulate(config: DictConfig, conversations: Sequence[Conversation], run: Path, processes: int) -> Iterator[Played]:
    """Plays, saves and scores; yields in the order of completion. What lies in `run` already is only scored.

    Raises:
        OSError: a recording cannot be saved; what was saved before stays, and nothing more is played.
    """
    workers = min(processes or os.cpu_count() or 1, len(conversations))
    context = get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(workers, context, begin, (OmegaConf.to_yaml(config), run, stop))
    with deaf_to_interrupts():  # what it starts stays deaf: this process decides when all stop
        futures = [pool.submit(play, conversation) for conversation in conversations]
    try:
        for future in as_completed(futures):
            yield future.result()
    except BaseException:  # also Ctrl-C, and whoever reads no further
        stop.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Ignores Ctrl-C meanwhile, and for good in processes that are started meanwhile."""
    if current_thread() is not main_thread():  # a notebook's other thread hears no Ctrl-C anyway
        yield
        return
    before = signal(SIGINT, SIG_IGN)
    try:
        yield
    finally:
        signal(SIGINT, before)


class Stage(NamedTuple):
    """What a process plays with."""

    config: DictConfig
    run: Path
    stop: Event | None


STAGE: list[Stage] = []  # one per process, set by `begin`


def begin(config: str, run: Path, stop: Event | None = None) -> None:
    """Prepares this process to play; `config` as YAML, which travels between processes and keeps interpolations."""
    made = OmegaConf.create(config)
    assert isinstance(made, DictConfig)
    STAGE[:] = [Stage(made, run, stop)]


def play(conversation: Conversation) -> Played:
    """Plays one conversation in this process; a failing participant is a counted failure, not the end of the run."""
    config, run, _ = STAGE[0]
    folder = run / conversation.folder
    if (folder / "log.json").is_file():
        return scored(conversation, load(folder), resumed=True)
    caller = the_cast().caller(drawn(conversation.scenario, conversation.seed), conversation.seed)
    facts = {**caller.facts, "system": conversation.system, "clock": conversation.clock}
    try:
        recording = converse(
            caller, system(conversation.role, conversation.clock), prompt=caller.prompt, seed=conversation.seed,
            max_seconds=config.max_seconds, watch=stop_when_told, facts=facts)
    except ConversationFailed as failed:
        recording = failed.recording
    save(recording, folder)
    return scored(conversation, recording)


def stop_when_told(frame: int, from_user: Frame, from_agent: Frame) -> None:
    stop = STAGE[0].stop
    if stop is not None and stop.is_set():
        raise KeyboardInterrupt  # no failure of this conversation, which will be played anew


def scored(conversation: Conversation, recording: Recording, resumed: bool = False) -> Played:
    return Played(conversation, recording.seconds, recording.failure, rows(recording, conversation.folder), resumed)


@cache
def system(role: str, clock: str) -> Participant:
    """The agent or the baseline on a clock; loaded once per process."""
    return participant(STAGE[0].config, role, clock)


@lru_cache(maxsize=1)
def the_cast() -> Cast:
    cast: Cast = built(STAGE[0].config.user)
    return cast


def participant(config: DictConfig, role: str, clock: str) -> Participant:
    """Makes what the config calls `role`, charged by `clock`, behind the configured perturbation."""
    charged = config.copy()
    charged.latency = config.clocks[clock]
    agent = built(charged[role])
    perturbed: Participant = built(charged.perturb)(agent)
    return perturbed
