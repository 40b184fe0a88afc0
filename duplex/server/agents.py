"""Agents for a server: one for each conversation at a time, made as its client wishes and used again afterwards.

Who may speak with them, and over what, is not decided here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, TypeAlias

from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from duplex.build import built
from duplex.conversation import Participant, layers, warm_up
from duplex.wire.wishes import Wishes

MOST_IDLE: Final = 8  # of all kinds; what is made in moments is not worth more memory

Key: TypeAlias = tuple[tuple[tuple[str, object], ...], str]


@dataclass(frozen=True)
class Hired:
    """An agent for the length of a conversation.

    Attributes:
        applied: the wishes that it honours, by their names in its config.
        key: what it is used again for.
    """

    agent: Participant
    applied: Mapping[str, Any]
    key: Key


class Agents:
    """Makes agents of one config.

    Args:
        config: with `agent` and what its interpolations need: `worker` and `latency`, for live conversations.
        clocks: name -> latency profile, for lockstep conversations, whose slow work is charged and not waited for.
        charged: the worker of lockstep conversations, which is charged by `latency`.
    """

    def __init__(self, config: DictConfig, clocks: Mapping[str, DictConfig], charged: DictConfig):
        self.config = config
        self.clocks = clocks
        self.charged = charged
        self.lock = Lock()  # copying a config takes it apart for a moment, and a model is loaded by the first who needs it
        self.idle: list[tuple[Key, Participant]] = []  # whoever was released last is the last
        self.voices: list[str] = []  # names that a client may wish for

    def warm_up(self) -> None:
        """Makes the first agent: whatever is wrong with the config is said, and a model loaded, before anybody calls."""
        first = self.hire(Wishes())
        *_, innermost = layers(first.agent)
        self.voices = list(getattr(innermost, "voices", ()))
        self.release(first)

    def check(self, wishes: Wishes, clock: str | None) -> None:
        """Complains about a clock that is not there; wishes that this agent has no setting for are ignored."""
        if clock is not None and clock not in self.clocks:
            raise ValueError(f"there is no clock {clock!r}; there are {', '.join(self.clocks)}")
        if clock is not None and not wishes.lockstep:
            raise ValueError("a clock charges what is computed, which goes with mode=lockstep; a live call takes what it takes")

    def hire(self, wishes: Wishes, clock: str | None = None) -> Hired:
        """An agent as `wishes` has it. A wish that does not fit the agent's settings fails here, before anybody is greeted."""
        self.check(wishes, clock)
        applied = {name: value for name, value in wishes.settings.items() if name in self.config.agent}
        key = tuple(sorted(applied.items())), (clock or "ideal") if wishes.lockstep else ""
        with self.lock:
            for place, (its_key, agent) in enumerate(self.idle):
                if its_key == key:
                    del self.idle[place]
                    return Hired(agent, applied, key)
            return Hired(self.made(*key), applied, key)

    def release(self, hired: Hired) -> None:
        """The conversation is over; whoever comes next resets the agent."""
        with self.lock:
            self.idle = [*self.idle, (hired.key, hired.agent)][-MOST_IDLE:]

    def made(self, settings: tuple[tuple[str, object], ...], clock: str) -> Participant:
        """A new agent; `clock` "" for a live one."""
        config = self.config.copy()
        OmegaConf.set_struct(config, False)
        for name, value in settings:
            config.agent[name] = value
        if clock:
            config.worker, config.latency = self.charged, self.clocks[clock]
        try:
            agent: Participant = built(config.agent)
        except InstantiationException as error:  # which only says where; its cause says what is wrong
            raise error.__cause__ or error from None
        warm_up(agent)
        return agent


