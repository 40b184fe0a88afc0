"""Who keeps the time of a conversation that must take as long as it lasts.

A sound card blocks and so keeps it. Where none is, and an agent lives elsewhere or somebody looks on, `RealTime` does.
A simulation needs nobody.
"""

from collections.abc import Callable
from time import perf_counter, sleep
from typing import Final, Protocol, runtime_checkable

from duplex.conversation import Participant, Prompt, layers
from duplex.frame import FRAME_SECONDS, Frame

BEHIND: Final = 0.5  # seconds, beyond which a schedule that cannot be kept begins anew instead of hurrying after itself


@runtime_checkable
class KeepsTime(Protocol):
    """A participant that blocks for 80 ms in each step, as a sound card does."""

    keeps_time: bool


@runtime_checkable
class NeedsTime(Protocol):
    """An agent that goes on talking whether it is stepped or not, so that somebody must step it in real time."""

    needs_time: bool


def keeps_time(participant: Participant) -> bool:
    return any(isinstance(one, KeepsTime) and one.keeps_time for one in layers(participant))


def needs_time(participant: Participant) -> bool:
    return any(isinstance(one, NeedsTime) and one.needs_time for one in layers(participant))


def paced(agent: Participant, user: Participant | None = None, speed: float = 0.0) -> Participant:
    """`agent`, at real time if it needs that and `user` does not see to it; or at `speed` times real time for a looker-on."""
    if user is not None and keeps_time(user):
        return agent
    if needs_time(agent):
        return RealTime(agent)
    return RealTime(agent, speed) if speed > 0.0 else agent


class RealTime:
    """Keeps real time around an agent, by an absolute schedule: what one frame is late, the next ones make up for.

    Args:
        speed: in times real time.
        now, wait: a clock in seconds and how to wait on it, injected so that tests are exact.
    """

    def __init__(self, agent: Participant, speed: float = 1.0, now: Callable[[], float] = perf_counter,
                 wait: Callable[[float], None] = sleep):
        self.agent = agent
        self.period = FRAME_SECONDS / speed
        self.now = now
        self.wait = wait
        self.due: float | None = None

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.agent.reset(prompt, seed)
        self.due = None  # the schedule begins with the first frame, however long the reset took

    def step(self, heard: Frame) -> Frame | None:
        now = self.now()
        if self.due is None or now - self.due > BEHIND:
            self.due = now
        elif now < self.due:
            self.wait(self.due - now)
        self.due += self.period
        return self.agent.step(heard)
