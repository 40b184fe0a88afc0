"""A frame is checked where it enters the loop, and the message says what would be right."""

import numpy as np
import pytest

from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, SILENCE, Frame, Word, checked, frozen, num_frames
from duplex.speech import Speech, frames


def test_a_frame_is_80_ms_at_24_khz() -> None:
    assert (SAMPLE_RATE, FRAME_SAMPLES, FRAME_SECONDS) == (24_000, 1_920, 0.08)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 1e-30])
def test_full_scale_and_silence_are_frames(value: float) -> None:
    frame = Frame(np.full(FRAME_SAMPLES, value, np.float32))
    assert checked(frame, "Agent") is frame


@pytest.mark.parametrize("samples, message", [
    (np.zeros(1_919, np.float32), r"Agent: a frame is \(1920,\) samples, not \(1919,\)"),
    (np.zeros((1, FRAME_SAMPLES), np.float32), r"not \(1, 1920\)"),
    (np.zeros(0, np.float32), r"not \(0,\)"),
    (np.zeros(FRAME_SAMPLES), r"float32 in \[-1, 1\], not float64$"),
    (np.zeros(FRAME_SAMPLES, np.int16), r"not int16 \(divide by 32768\?\)"),
    (np.full(FRAME_SAMPLES, np.nan, np.float32), "found nan"),
    (np.full(FRAME_SAMPLES, np.inf, np.float32), "found inf"),
    (np.full(FRAME_SAMPLES, -np.inf, np.float32), "found inf"),
    (np.full(FRAME_SAMPLES, 1.001, np.float32), r"must lie in \[-1, 1\], found 1.00"),
])
def test_what_is_no_frame_is_named(samples: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked(Frame(samples), "Agent")


def test_one_nan_among_many_samples_is_found() -> None:
    samples = np.zeros(FRAME_SAMPLES, np.float32)
    samples[1234] = np.nan
    with pytest.raises(ValueError, match="found nan"):
        checked(Frame(samples), "Agent")


@pytest.mark.parametrize("answer, kind", [(None, "NoneType"), (np.zeros(FRAME_SAMPLES, np.float32), "ndarray"),
                                          (b"", "bytes"), (Frame([0.0] * FRAME_SAMPLES), "Frame")])  # type: ignore
def test_another_type_is_named(answer: Frame, kind: str) -> None:
    with pytest.raises(ValueError, match=f"Agent returned {kind}, not a Frame"):
        checked(answer, "Agent")


def test_silence_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        SILENCE.samples[0] = 1.0


def test_frozen_is_read_only() -> None:
    assert not frozen(np.zeros(3)).flags.writeable


@pytest.mark.parametrize("num_samples, whole", [(0, 0), (1, 1), (1_920, 1), (1_921, 2), (24_000, 13)])
def test_a_part_of_a_frame_takes_a_frame(num_samples: int, whole: int) -> None:
    assert num_frames(num_samples) == whole


def test_a_word_that_begins_with_a_frame_is_said_once() -> None:
    words = tuple(Word(str(index), round(index * 0.08, 6), round(index * 0.08 + 0.05, 6)) for index in range(1500))
    spoken = frames(Speech(np.zeros(1500 * FRAME_SAMPLES, np.float32), words))
    assert [[word.text for word in frame.words] for frame in spoken] == [[str(index)] for index in range(1500)]
