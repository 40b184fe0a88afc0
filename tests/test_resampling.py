"""Whatever rate a sound card has, a block in is a block out: the same sound, later by what the converter says."""

import numpy as np
import pytest

from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from duplex.live.resampling import Converter

DEVICE_RATES = (16_000, 44_100, 48_000)


def tone(rate: int, num_blocks: int, hertz: float = 1_000.0, delay: float = 0.0) -> np.ndarray:
    """(num_blocks, block_samples) float32 that begins `delay` seconds late."""
    time = np.arange(num_blocks * round(rate * FRAME_SECONDS)) / rate - delay
    return (0.5 * np.sin(2.0 * np.pi * hertz * time)).astype(np.float32).reshape(num_blocks, -1)


def level(samples: np.ndarray) -> float:
    return 10.0 * float(np.log10(np.mean(np.square(samples)) / 0.125 + 1e-15))


@pytest.mark.parametrize("rate", DEVICE_RATES)
def test_every_block_is_one_block_of_the_other_rate(rate: int) -> None:
    to_card, from_card = Converter(SAMPLE_RATE, rate), Converter(rate, SAMPLE_RATE)
    for block in tone(SAMPLE_RATE, 50):
        at_card = to_card.convert(block)
        assert at_card.shape == (round(rate * FRAME_SECONDS),) and at_card.dtype == np.float32
        assert from_card.convert(at_card).shape == (FRAME_SAMPLES,)


@pytest.mark.parametrize("rate", DEVICE_RATES)
def test_sound_comes_out_as_much_later_as_the_converter_says(rate: int) -> None:
    to_card, from_card = Converter(SAMPLE_RATE, rate), Converter(rate, SAMPLE_RATE)
    heard = np.concatenate([from_card.convert(to_card.convert(block)) for block in tone(SAMPLE_RATE, 50)])
    late = to_card.seconds + from_card.seconds
    expected = tone(SAMPLE_RATE, 50, delay=late).ravel()
    phase = np.arcsin(np.mean(heard[4_800:] * tone(SAMPLE_RATE, 50, delay=late + 0.25e-3).ravel()[4_800:]) / 0.125)
    assert abs(phase) / (2.0 * np.pi * 1_000.0) < 0.15e-3  # its filters are centred to 0.12 ms
    assert np.corrcoef(heard[4_800:], expected[4_800:])[0, 1] > 0.5


@pytest.mark.parametrize("rate, most", [(16_000, 0.025), (44_100, 0.016), (48_000, 0.015)])
def test_there_and_back_costs_milliseconds(rate: int, most: float) -> None:
    assert Converter(SAMPLE_RATE, rate).seconds + Converter(rate, SAMPLE_RATE).seconds <= most


@pytest.mark.parametrize("rate", DEVICE_RATES)
def test_speech_keeps_its_level(rate: int) -> None:
    for hertz in (100.0, 1_000.0, 4_000.0, 7_000.0):
        converter = Converter(SAMPLE_RATE, rate)
        out = np.concatenate([converter.convert(block) for block in tone(SAMPLE_RATE, 25, hertz)])
        assert abs(level(out[len(out) // 2:])) < 0.1


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_what_24_khz_cannot_hold_is_not_folded_back(rate: int) -> None:
    for hertz in (13_000.0, 15_000.0, 20_000.0):
        converter = Converter(rate, SAMPLE_RATE)
        out = np.concatenate([converter.convert(block) for block in tone(rate, 25, hertz)])
        assert level(out[len(out) // 2:]) < -90.0


def test_the_same_rate_costs_nothing() -> None:
    converter, block = Converter(SAMPLE_RATE, SAMPLE_RATE), tone(SAMPLE_RATE, 1)[0]
    assert converter.convert(block) is block and converter.seconds == 0.0


def test_loud_sound_stays_in_range() -> None:
    converter = Converter(SAMPLE_RATE, 48_000)
    square = np.sign(tone(SAMPLE_RATE, 10, 300.0) + 1e-6)
    assert max(np.abs(converter.convert(block)).max() for block in square) <= 1.0


def test_a_block_that_is_no_whole_number_of_samples_is_named() -> None:
    with pytest.raises(ValueError, match="1001 samples at 24000 Hz are no whole number at 16000 Hz"):
        Converter(SAMPLE_RATE, 16_000).convert(np.zeros(1_001, np.float32))


def test_a_converter_without_variable_rates_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def older(in_rate: float, out_rate: float, num_channels: int, dtype: str, quality: str) -> None: ...

    monkeypatch.setattr("soxr.ResampleStream", older)
    with pytest.raises(ImportError, match="converting 16000 Hz to 24000 Hz needs soxr 1.1, not .*: pip install"):
        Converter(16_000, SAMPLE_RATE)
