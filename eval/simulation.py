"""Many conversations at a time: every scenario and seed with every system on every clock.

Recognisers hold the interpreter's lock, so each core gets a process. A model that many conversations share lives in one
process: a role whose config has `slots` is played in this one, in so many threads. What a conversation sounds like never
depends on which process or thread plays it, nor on what was played there before.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from signal import SIG_IGN, SIGINT, signal
from threading import Lock, current_thread, local, main_thread
from typing import Any, Final, NamedTuple

from omegaconf import DictConfig, OmegaConf

from duplex.build import built
from duplex.conversation import ConversationFailed, Participant, converse
from duplex.pace import paced
from duplex.perturbations import Noise
from duplex.recording import read_log, save
from eval.callers.cast import Cast
from eval.callers.recorded import BringsScenarios, cast_of
from eval.callers.scenario import Scenario
from eval.counterfactual import FOLDER, Witness, save_otherwise
from eval.scoring import CONVERSATIONS


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
        return CONVERSATIONS / self.below

    @property
    def below(self) -> Path:
        """Relative to the folders of a run."""
        return Path(self.clock, self.system, f"{self.scenario.name}-{self.seed}")


class Played(NamedTuple):
    """What became of it; `resumed` if it had been played before."""

    conversation: Conversation
    seconds: float
    failure: str | None
    resumed: bool = False


def simulate(config: DictConfig, conversations: Sequence[Conversation], run: Path, processes: int) -> Iterator[Played]:
    """Plays and saves; yields in the order of completion. What lies in `run` already is not played again.

    Raises:
        OSError: a recording cannot be saved; what was saved before stays, and nothing more is played.
    """
    context, written = get_context("spawn"), OmegaConf.to_yaml(config)
    stop = context.Event()
    slots = {role: num_slots(config, role) for role in {one.role for one in conversations}}
    here = [one for one in conversations if slots[one.role]]
    elsewhere = [one for one in conversations if not slots[one.role]]
    pools: list[Executor] = []
    futures: list[Future[Played]] = []
    try:
        with deaf_to_interrupts():  # what it starts stays deaf: this process decides when all stop
            if elsewhere:
                workers = min(processes or os.cpu_count() or 1, len(elsewhere))
                pools.append(ProcessPoolExecutor(workers, context, begin, (written, run, stop)))
                futures += [pools[-1].submit(play, one) for one in elsewhere]
            if here:  # one pool, also for two models: none of them has more conversations at a time than slots
                stage = Stage(written, run, stop)
                pools.append(ThreadPoolExecutor(min(slots[one.role] for one in here), "conversation"))
                futures += [pools[-1].submit(stage.play, one) for one in here]
        for future in as_completed(futures):
            yield future.result()
    except BaseException:  # also Ctrl-C, and whoever reads no further
        stop.set()
        raise
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def num_slots(config: DictConfig, role: str) -> int:
    """How many conversations a role's model holds at a time, in one process; 0 for a role that any process can play."""
    return int(config[role].get("slots") or 0)


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


class Own(local):
    """What a thread has made for itself: a participant holds one conversation at a time."""

    def __init__(self) -> None:
        self.systems: dict[tuple[str, str, str], Participant] = {}


OWN: Final = Own()
MAKING: Final = Lock()  # copying a config takes it apart for a moment, and a model is loaded by the first who needs it


class Stage:
    """What conversations are played with, by any number of threads at a time.

    Args:
        config: as YAML, which travels between processes and keeps interpolations.
        stop: set when the run stops; whoever is playing then ends with its frame.
    """

    def __init__(self, config: str, run: Path, stop: Event | None = None):
        made = OmegaConf.create(config)
        assert isinstance(made, DictConfig)
        self.written, self.config, self.run, self.stop = config, made, run, stop
        self.max_seconds: float = made.max_seconds

    @cached_property
    def cast(self) -> Cast | BringsScenarios:
        return cast_of(self.config.user)

    def play(self, conversation: Conversation) -> Played:
        """Plays one conversation in this thread; a failing participant is a counted failure, not the end of the run."""
        self.stop_when_told()
        folder, beside = self.run / conversation.folder, self.run / FOLDER / conversation.below
        if (folder / "log.json").is_file():
            log = read_log(folder)
            return Played(conversation, log["seconds"], log["failure"], resumed=True)
        with MAKING:
            cast, agent = self.cast, self.system(conversation.role, conversation.clock)
        caller = cast.caller(conversation.scenario, conversation.seed)
        agent = on_line(agent, caller.facts)
        facts = {**caller.facts, "system": conversation.system, "clock": conversation.clock}
        witness = Witness(agent, caller.prompt, conversation.seed, facts, self.stop_when_told)
        watch = witness if self.config.counterfactuals else self.stop_when_told
        try:
            recording = converse(caller, agent, prompt=caller.prompt, seed=conversation.seed, max_seconds=self.max_seconds,
                                 watch=watch, facts=facts)
            save_otherwise(witness.otherwise(), beside)
        except ConversationFailed as failed:
            recording = failed.recording
        save(recording, folder)  # the last, so that a conversation that is there is there with all that belongs to it
        return Played(conversation, recording.seconds, recording.failure)

    def stop_when_told(self, *_: object) -> None:
        if self.stop is not None and self.stop.is_set():
            raise KeyboardInterrupt  # no failure of this conversation, which will be played anew

    def system(self, role: str, clock: str) -> Participant:
        """This thread's agent or baseline on a clock, made once."""
        key = self.written, role, clock
        if key not in OWN.systems:
            OWN.systems[key] = participant(self.config, role, clock)
        return OWN.systems[key]


STAGE: list[Stage] = []  # one per process, set by `begin`


def begin(config: str, run: Path, stop: Event | None = None) -> None:
    """Prepares this process to play."""
    STAGE[:] = [Stage(config, run, stop)]


def play(conversation: Conversation) -> Played:
    """`Stage.play` in a process that was told to begin."""
    return STAGE[0].play(conversation)


def on_line(agent: Participant, facts: Mapping[str, Any]) -> Participant:
    """The agent behind the line that a scenario asks for. The recording has the caller without the noise."""
    noise = (facts.get("line") or {}).get("noise")
    return agent if noise is None else Noise(agent, noise)


def participant(config: DictConfig, role: str, clock: str) -> Participant:
    """Makes what the config calls `role`, charged by `clock`, behind the configured perturbation."""
    charged = config.copy()
    charged.latency, charged.clock = config.clocks[clock], clock
    agent = built(charged[role])
    return paced(built(charged.perturb)(agent))
