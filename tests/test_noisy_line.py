"""A scenario's noisy line: the agent hears the noise, the recording has the caller without it."""

import numpy as np
import pytest
from says import Says, bursts

from duplex.conversation import Prompt, converse
from duplex.frame import SILENCE, Frame
from duplex.recording import USER
from eval.simulation import on_line


class Hears:
    """Says nothing and keeps what it hears."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.heard: list[np.ndarray] = []

    def step(self, heard: Frame) -> Frame:
        self.heard.append(heard.samples)
        return SILENCE


def heard(snr: float | None, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What the agent hears and what is recorded of the caller, who speaks for a second of three."""
    agent = Hears()
    line = {} if snr is None else {"noise": snr}
    recording = converse(Says(bursts((0.0, 1.0))), on_line(agent, {"line": line}), prompt=Prompt(), seed=seed, max_seconds=3.0)
    return np.concatenate(agent.heard), recording.audio[USER]


def test_the_recording_of_a_noisy_line_is_that_of_a_quiet_one() -> None:
    assert np.array_equal(heard(10.0)[1], heard(None)[1])


@pytest.mark.parametrize("snr", [5.0, 20.0])
def test_the_noise_lies_so_many_decibels_below_speech_of_nominal_level(snr: float) -> None:
    silent = heard(snr)[0][-24_000:]
    assert 10 * np.log10(np.mean(np.square(silent))) == pytest.approx(-23.0 - snr, abs=0.2)


def test_the_noise_of_a_seed_is_the_same_for_every_agent() -> None:
    assert np.array_equal(heard(10.0, seed=3)[0], heard(10.0, seed=3)[0])
    assert not np.array_equal(heard(10.0, seed=3)[0], heard(10.0, seed=4)[0])


def test_a_quiet_line_leaves_the_agent_alone() -> None:
    agent = Hears()
    assert on_line(agent, {"line": {}}) is agent and on_line(agent, {}) is agent
