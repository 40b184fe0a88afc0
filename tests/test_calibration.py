"""The chirp finds delay and level of what comes back, to the sample, and says when nothing does."""


import numpy as np
import pytest
from sound_card import SoundCard

from duplex.conversation import Prompt
from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, Frame
from duplex.live.calibration import Calibration, Echo, calibrate, chirp, sent_round
from duplex.perturbations import at_level, talker
from duplex.schedule import Schedule


class Room:
    """A loudspeaker and a microphone: what is played comes back through `response` (num_taps,) `delay` samples later,
    on top of `beside` (num_samples,)."""

    def __init__(self, delay: int, response: np.ndarray, beside: np.ndarray | None = None):
        self.delay, self.response = delay, response
        self.beside = np.zeros(0, np.float32) if beside is None else beside

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.air = Schedule()
        self.air.place(0, self.beside)

    def step(self, heard: Frame) -> Frame:
        self.air.place(self.air.now + self.delay, np.convolve(heard.samples, self.response).astype(np.float32))
        return self.air.read()


def noise(decibels: float, seconds: float = 3.0, seed: int = 0) -> np.ndarray:
    return at_level(np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE)), decibels)


def heard(room: Room) -> Echo | None:
    room.reset(Prompt(), 0)
    return sent_round(room.step)


@pytest.mark.parametrize("delay", [0, 1, 1_919, 5_040, 24_000])
@pytest.mark.parametrize("decibels", [0.0, -18.0, -40.0])
def test_delay_and_level_are_found_to_the_sample_and_half_a_decibel(delay: int, decibels: float) -> None:
    echo = heard(Room(delay, np.array([10.0 ** (decibels / 20.0)]), noise(-75.0)))
    assert echo is not None
    assert (echo.seconds, echo.decibels) == (delay / SAMPLE_RATE, pytest.approx(decibels, abs=0.5))


def test_an_upside_down_loudspeaker_is_found_as_well() -> None:
    echo = heard(Room(960, np.array([-0.5])))
    assert echo is not None and echo.seconds == 0.04


def test_a_room_with_reverberation_counts_with_all_its_paths() -> None:
    decay = np.random.default_rng(1).standard_normal(4_800) * np.exp(-np.arange(4_800) / 960)
    decay[0] = 3.0
    response = 0.5 * decay / np.sqrt(np.sum(np.square(decay)))
    echo = heard(Room(2_400, response, noise(-60.0)))
    assert echo is not None
    assert (echo.seconds, echo.decibels) == (0.1, pytest.approx(-6.0, abs=1.5))


@pytest.mark.parametrize("decibels", [-90.0, -50.0, -20.0])
def test_noise_alone_is_no_echo(decibels: float) -> None:
    for seed in range(5):
        assert heard(Room(0, np.zeros(1), noise(decibels, seed=seed))) is None


def test_somebody_who_talks_is_no_echo() -> None:
    for seed in range(5):
        assert heard(Room(0, np.zeros(1), at_level(talker(np.random.default_rng(seed)), -23.0))) is None


def test_silence_is_no_echo() -> None:
    assert heard(Room(0, np.zeros(1))) is None


def test_the_chirp_is_whole_frames_and_begins_and_ends_softly() -> None:
    samples = chirp()
    assert len(samples) == 5 * FRAME_SAMPLES and np.abs(samples).max() <= 0.2
    assert np.abs(samples[[0, -1]]).max() < 1e-4


def test_calibration_is_one_line() -> None:
    line = calibrate(Room(4_800, np.array([0.1])), num_chirps=3).line()
    assert line == "3 of 3 chirps were heard: the device's delay is 200.0 ms (200.0 to 200.0), level -20 dB"


def test_calibration_says_when_nothing_was_heard() -> None:
    result = calibrate(Room(0, np.zeros(1)), num_chirps=2)
    assert result.seconds is None
    assert result.line().startswith("0 of 2 chirps were heard: no delay was measured; turn the loudspeaker up")


def test_half_of_the_chirps_are_too_few() -> None:
    assert Calibration((), 0).seconds is None


CALIBRATES = """
from duplex.live.calibration import calibrate
from duplex.live.microphone import Microphone
result = calibrate(Microphone(check=False), num_chirps=4)
print(result.line())
print(result.seconds - result.promised)
"""


@pytest.mark.slow
@pytest.mark.alone
def test_what_a_cable_measures_is_what_the_sound_card_says_within_a_frame(card: SoundCard) -> None:
    with card.looped_back():
        done = card.run("-c", CALIBRATES)
    assert done.returncode == 0, done.stderr
    line, difference = done.stdout.splitlines()
    assert "of 4 chirps were heard: the device's delay is " in line
    assert abs(float(difference)) < 0.08


CHECKS = """
import logging
from duplex.agents.simple import NeverAnswers
from duplex.conversation import converse
from duplex.live.microphone import microphone
logging.basicConfig()
user = microphone(echo={echo!r})
tally = converse(user, NeverAnswers(), max_seconds=0.8).facts.get("tally", {{}}).get("user") or user.tally()
print(tally["echo"]["hears_itself"], tally["echo"]["told"])
"""


@pytest.mark.slow
@pytest.mark.alone
def test_one_is_told_that_the_agent_can_hear_itself(card: SoundCard) -> None:
    with card.looped_back():
        done = card.run("-c", CHECKS.format(echo="none"))
    assert "True the agent can hear itself: its voice comes back at " in done.stdout, done.stderr
    assert "wear headphones or set user.echo=cancel" in done.stderr


@pytest.mark.slow
@pytest.mark.alone
def test_headphones_are_left_in_peace(card: SoundCard) -> None:
    done = card.run("-c", CHECKS.format(echo="none"))
    assert done.stdout == "False the agent cannot hear itself\n", done.stderr
    assert "can hear itself" not in done.stderr
