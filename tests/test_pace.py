"""Real time is kept by whoever blocks, by an absolute schedule, and only where somebody needs it."""

import numpy as np
import pytest

from duplex.agents.simple import Echo
from duplex.conversation import Prompt
from duplex.frame import SILENCE, Frame
from duplex.pace import RealTime, paced
from duplex.perturbations import Noise


class Clock:
    """A clock that moves when somebody waits, or is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


class Busy(Echo):
    """Computes for as long as it is told."""

    def __init__(self, clock: Clock, seconds: list[float]):
        super().__init__()
        self.clock, self.costs, self.stepped = clock, iter(seconds), list[float]()

    def step(self, heard: Frame) -> Frame:
        self.stepped.append(self.clock.now - 100.0)
        self.clock.now += next(self.costs)
        return super().step(heard)


def stepped(costs: list[float], speed: float = 1.0) -> list[float]:
    clock = Clock()
    agent = Busy(clock, costs)
    real_time = RealTime(agent, speed, clock, clock.wait)
    real_time.reset(Prompt(), 0)
    for _ in costs:
        real_time.step(SILENCE)
    return agent.stepped


def test_frames_are_80_ms_apart_whatever_computing_takes() -> None:
    np.testing.assert_allclose(stepped([0.01, 0.07, 0.0, 0.05]), [0.0, 0.08, 0.16, 0.24])


def test_what_one_frame_is_late_the_next_make_up_for() -> None:
    np.testing.assert_allclose(stepped([0.2, 0.01, 0.01, 0.01, 0.0]), [0.0, 0.2, 0.21, 0.24, 0.32])


def test_a_schedule_that_cannot_be_kept_begins_anew() -> None:
    np.testing.assert_allclose(stepped([2.0, 0.0, 0.0]), [0.0, 2.0, 2.08])


def test_speed_is_in_times_real_time() -> None:
    np.testing.assert_allclose(stepped([0.0, 0.0, 0.0], speed=4.0), [0.0, 0.02, 0.04])


class Elsewhere(Echo):
    needs_time = True


class SoundCard(Echo):
    keeps_time = True


@pytest.mark.parametrize("agent, user, speed, kept", [
    (Echo(), None, 0.0, False), (Echo(), None, 1.0, True), (Elsewhere(), None, 0.0, True), (Elsewhere(), Echo(), 0.0, True),
    (Elsewhere(), SoundCard(), 0.0, False), (Echo(), SoundCard(), 1.0, False), (Noise(Elsewhere()), None, 0.0, True)])
def test_somebody_keeps_the_time_where_it_is_needed(agent: Echo, user: Echo | None, speed: float, kept: bool) -> None:
    assert isinstance(paced(agent, user, speed), RealTime) == kept
