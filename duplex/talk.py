"""duplex-talk: one call, watched, and recorded as it is held.

    duplex-talk                                                     you, and the embedded agent
    duplex-talk agent=remote agent.url=ws://127.0.0.1:8998          you, and an agent elsewhere
    duplex-talk --ssh gpu-box                                       the same, through a tunnel
    duplex-talk --list-devices                                      what you can speak into and hear from
    duplex-talk --calibrate                                         how long the sound card takes, by chirps
    duplex-talk user=replay user.path=me.wav                        a recording of you
    duplex-talk user=scenario user.name=hours-then-parking          a simulated caller

Ctrl-C hangs up. What the call is worth is measured by `eval.talk`, whose program this is.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, signal
from typing import Any, Final, NamedTuple

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from duplex import programs
from duplex.build import built
from duplex.conversation import Participant, Prompt, complaint, counted, facts_of, hold, warm_up
from duplex.conversation import described as kept
from duplex.frame import FRAME_SECONDS, Frame
from duplex.journal import Journal
from duplex.manifest import manifest, write_manifest
from duplex.pace import keeps_time, needs_time, paced
from duplex.stages.language.domain import domain
from duplex.stages.language.role import role_of
from duplex.watch import watching

ENDED: Final = {"user": "the user hung up", "agent": "the agent hung up", "limit": "max_seconds had passed"}


@dataclass
class PromptSettings:
    """What the agent is told by default; see `duplex.conversation.Prompt`."""

    text: str
    records: dict[str, dict[str, dict[str, str]]]
    domain: str

    @property
    def prompt(self) -> Prompt:
        """With the role of the domain, where one is named and nothing else is said."""
        role = role_of(domain(self.domain), self.records) if self.domain and not self.text else self.text
        return Prompt(role, self.records, self.domain)


@dataclass
class Settings:
    """The plain settings in configs/talk.yaml."""

    seed: int
    max_seconds: float
    speed: float
    prompt: PromptSettings


class HangUp:
    """The user, who also hangs up when told to by Ctrl-C; while nobody has spoken, or the second time, it ends at once."""

    def __init__(self, user: Participant):
        self.user = user
        self.told = False
        self.begun = False

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.user.reset(prompt, seed)

    def step(self, heard: Frame) -> Frame | None:
        self.begun = True
        return None if self.told else self.user.step(heard)

    @contextmanager
    def on_interrupt(self) -> Iterator[None]:
        def tell(*_: object) -> None:
            if self.told or not self.begun:
                raise KeyboardInterrupt
            self.told = True

        before = signal(SIGINT, tell)
        try:
            yield
        finally:
            signal(SIGINT, before)


class Ended(NamedTuple):
    """A call that is over, and where it is kept."""

    folder: Path
    seconds: float
    ended_by: str
    failure: str | None


def talk(config: DictConfig, run: Path, console: Console) -> Ended:
    """Holds the conversation and keeps it, whatever became of it."""
    settings, choices = programs.settings(config, Settings), HydraConfig.get().runtime.choices
    if not settings.max_seconds > 0.0 or settings.speed < 0.0:
        raise ValueError(f"max_seconds is above 0 and speed 0 or more, not {settings.max_seconds} and {settings.speed}")
    agent_name, user = str(choices["agent"]), caller(config)
    if keeps_time(user):  # slow work runs beside the call instead of being charged to it
        config.worker, config.latency = config.live.worker, config.live.latency
    else:
        config.clock = str(choices["latency"])
    agent = paced(built(config.perturb)(built(config.agent)), user, settings.speed if console.is_terminal else 0.0)
    clock = "live" if keeps_time(user) or needs_time(agent) else str(choices["latency"])
    if clock == "live":
        warm_up(agent)
    told: Prompt | None = getattr(user, "prompt", None)  # a scenario's caller knows what its agent must know
    prompt = told or settings.prompt.prompt
    about: Mapping[str, Any] = getattr(user, "facts", None) or {
        "scenario": Path(str(config.user.get("path", choices["user"]))).stem, "category": str(choices["user"])}
    write_manifest(described(config, run, agent_name, clock, facts_of(agent)), run)
    folder = run / "conversations" / clock / agent_name / f"{about['scenario']}-{settings.seed}"
    keeps = Journal(folder, kept(agent, prompt, settings.seed, {**about, "system": agent_name, "clock": clock}))
    hang_up = HangUp(user)
    try:
        with watching(console, lambda: counted(user, agent)) as watch, hang_up.on_interrupt():
            ended_by, failure = hold(hang_up, agent, keeps, prompt, settings.seed, settings.max_seconds, watch)
    except KeyboardInterrupt:
        keeps.finish("user")
        raise programs.Stopped(f"stopped; {folder} holds what was said") from None
    ended = Ended(folder, keeps.num_frames * FRAME_SECONDS, ended_by, None if failure is None else complaint(failure))
    keeps.finish(ended.ended_by, ended.failure)
    console.print(f"{ended.seconds:.2f} s, {ENDED.get(ended.ended_by, 'failed')}; the recording is in {folder}",
                  markup=False, soft_wrap=True)
    return ended


def caller(config: DictConfig) -> Participant:
    user = built(config.user)
    if not callable(getattr(user, "step", None)):
        raise ValueError(f"user={HydraConfig.get().runtime.choices['user']} is no single caller; use user=microphone, "
                         "user=replay user.path=... or user=scenario user.name=...")
    participant: Participant = user
    return participant


def described(config: DictConfig, run: Path, agent_name: str, clock: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a run with one conversation and nobody to compare with."""
    made_of = OmegaConf.to_container(config, resolve=False)
    assert isinstance(made_of, dict)
    charged = made_of["live"]["latency"] if clock == "live" else made_of["latency"]
    return manifest({
        "name": run.name, "agent": agent_name, "baseline": None, "clocks": [clock], "seeds": [config.seed],
        "command": "duplex-talk " + " ".join(HydraConfig.get().overrides.task),
        "config": {**made_of, "clocks": {clock: charged}}, **({"weights": {"agent": dict(known)}} if known else {})})
