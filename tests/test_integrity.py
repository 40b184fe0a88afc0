"""Recordings that cannot be trusted are found before they are measured."""

import numpy as np
import pytest
from sounds import recording, sound

from duplex.frame import SAMPLE_RATE, Event
from eval.integrity import check


def test_a_sound_recording_passes() -> None:
    check(recording(sound((1, 2), (2.6, 3)), sound((4, 5)), Event("turn", 1, 3), Event("pause", 2, 2.6)))
    check(recording(sound((1, 2)), sound(), Event("turn", 1, 2), Event("turn", 9.5, 11)))


def test_an_act_on_a_silent_channel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"turn at 5\.00-6\.00 s is silent on the user's channel"):
        check(recording(sound((1, 2)), sound((4, 5)), Event("turn", 1, 2), Event("turn", 5, 6)))


@pytest.mark.parametrize(("shift", "what"), [(0.5, "begins silently"), (-0.5, "ends silently")])
def test_a_shifted_channel_is_refused(shift: float, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        check(recording(sound((1 + shift, 3 + shift)), sound(), Event("turn", 1, 3)))


def test_swapped_channels_are_recognised() -> None:
    with pytest.raises(ValueError, match="swapped"):
        check(recording(sound((4, 5)), sound((1, 2)), Event("turn", 1, 2)))


def test_an_echoed_user_is_not_swapped() -> None:
    check(recording(sound((1, 3)), sound((1.08, 3.08)), Event("turn", 1, 3)))


def test_clipping_is_refused() -> None:
    with pytest.raises(ValueError, match=r"10\.0% of the agent's samples are clipped"):
        check(recording(sound(), sound((1, 2), level=1.0)))


def test_an_act_outside_the_recording_is_refused() -> None:
    with pytest.raises(ValueError, match="does not lie within"):
        check(recording(sound(), sound(), Event("turn", 12, 13)))


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="no numbers"):
        check(recording(sound(), np.full(10 * SAMPLE_RATE, np.nan, np.float32)))
