"""duplex-talk: one conversation, watched, recorded and ready to be scored.

    duplex-talk user.path=me.wav                                    a recording of a person talks to the embedded agent
    duplex-talk agent=cascade user.path=runs/…/hours-then-parking-0 a recorded caller talks to another agent
    duplex-talk user=scenario user.name=hours-then-parking          a simulated caller

Ctrl-C hangs up. Scoring is left to duplex-score.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, default_int_handler, signal
from typing import Any, Final

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from duplex import programs
from duplex.build import built
from duplex.conversation import ConversationFailed, Participant, Prompt, converse, facts_of, leave
from duplex.frame import Frame
from duplex.manifest import manifest, write_manifest
from duplex.recording import Recording, save
from duplex.watch import watching

ENDED: Final = {"user": "the user hung up", "agent": "the agent hung up", "limit": "max_seconds had passed"}


@dataclass
class PromptSettings:
    """What the agent is told by default; see `duplex.conversation.Prompt`."""

    text: str
    records: dict[str, dict[str, dict[str, str]]]


@dataclass
class Settings:
    """The plain settings in configs/talk.yaml."""

    seed: int
    max_seconds: float
    speed: float
    prompt: PromptSettings


class HangUp:
    """The user, who also hangs up when told to by Ctrl-C; a second Ctrl-C does not wait for the next frame."""

    def __init__(self, user: Participant):
        self.user = user
        self.told = False

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.user.reset(prompt, seed)

    def step(self, heard: Frame) -> Frame | None:
        return None if self.told else self.user.step(heard)

    def leave(self) -> None:
        leave(self.user)

    @contextmanager
    def on_interrupt(self) -> Iterator[None]:
        def tell(*_: object) -> None:
            self.told = True
            signal(SIGINT, default_int_handler)

        before = signal(SIGINT, tell)
        try:
            yield
        finally:
            signal(SIGINT, before)


def talk(config: DictConfig, run: Path, console: Console) -> Recording:
    """Holds the conversation and keeps it, whatever became of it."""
    settings, choices = programs.settings(config, Settings), HydraConfig.get().runtime.choices
    if not settings.max_seconds > 0.0 or settings.speed < 0.0:
        raise ValueError(f"max_seconds is above 0 and speed 0 or more, not {settings.max_seconds} and {settings.speed}")
    agent_name, clock = str(choices["agent"]), str(choices["latency"])
    user = built(config.user)
    if not callable(getattr(user, "step", None)):
        raise ValueError(f"user={choices['user']} is no single caller; use user=replay user.path=... or user=scenario "
                         "user.name=...")
    agent: Participant = built(config.perturb)(built(config.agent))
    told: Prompt | None = getattr(user, "prompt", None)  # a scenario's caller knows what its agent must know
    about: Mapping[str, Any] = getattr(user, "facts", None) or {
        "scenario": Path(str(config.user.get("path", choices["user"]))).stem, "category": str(choices["user"])}
    write_manifest(described(config, run, agent_name, clock, settings.seed, facts_of(agent)), run)
    hang_up = HangUp(user)
    try:
        with watching(console, settings.speed) as watch, hang_up.on_interrupt():
            recording = converse(
                hang_up, agent, prompt=told or Prompt(settings.prompt.text, settings.prompt.records), seed=settings.seed,
                max_seconds=settings.max_seconds, watch=watch, facts={**about, "system": agent_name, "clock": clock})
    except ConversationFailed as failed:
        recording = failed.recording
    folder = run / "conversations" / clock / agent_name / f"{about['scenario']}-{settings.seed}"
    save(recording, folder)
    console.print(f"{recording.seconds:.2f} s, {ENDED.get(recording.ended_by, 'failed')}; the recording is in {folder}",
                  markup=False, soft_wrap=True)
    console.print(f"duplex-score run={run} scores it", markup=False, soft_wrap=True)
    return recording


def described(config: DictConfig, run: Path, agent_name: str, clock: str, seed: int,
              known: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a run with one conversation and nobody to compare with."""
    made_of = OmegaConf.to_container(config, resolve=False)
    assert isinstance(made_of, dict)
    return manifest({
        "name": run.name, "agent": agent_name, "baseline": None, "clocks": [clock], "seeds": [seed],
        "command": "duplex-talk " + " ".join(HydraConfig.get().overrides.task),
        "config": {**made_of, "clocks": {clock: made_of["latency"]}},
        **({"weights": {"agent": dict(known)}} if known else {})})


def act(config: DictConfig) -> None:
    run = Path(HydraConfig.get().runtime.output_dir)
    recording = talk(config, run, programs.console())
    if recording.failure:
        raise ValueError(f"the conversation broke off: {recording.failure}")


def main() -> None:
    programs.run(act, "talk")


if __name__ == "__main__":
    main()
