"""The telephone: 300-3400 Hz, 8 kHz, G.711, and back to 24 kHz, in numpy and in one stream.

G.711 is bit-exact (ITU-T G.711, tables 1a-2b, as in the Sun reference code): companding of 16-bit samples to 8 bits by
mu-law (North America, Japan) or A-law (elsewhere). Packets, jitter and loss are not modelled.
"""

from typing import Final

import numpy as np

from duplex.frame import SAMPLE_RATE

LINE_RATE: Final = 8_000
FACTOR: Final = SAMPLE_RATE // LINE_RATE  # 3
BAND: Final = (200.0, 3_600.0)  # half-amplitude edges in Hz; 300-3400 Hz pass within 0.1 dB
BAND_TAPS: Final = 385  # 226 Hz from pass to stop at 60 dB, so that nothing folds back below 3.4 kHz
IMAGE_TAPS: Final = 97  # 905 Hz from pass to stop; the images begin at 4.6 kHz
DELAY_SAMPLES: Final = (BAND_TAPS - 1) // 2 + (IMAGE_TAPS - 1) // 2  # 240 samples, 10 ms: what linear phase costs
FULL_SCALE: Final = 32_767
MU_BIAS: Final = 33  # of 14-bit samples
MU_CLIP: Final = 8_159


class Line:
    """One direction of a telephone line; its output lags by DELAY_SAMPLES.

    Args:
        law: "mu" or "a".

    Raises:
        ValueError: for another law.
    """

    def __init__(self, law: str = "mu"):
        self.law = law_of_g711(law)
        self.band = Filter(low_pass(BAND[1], BAND_TAPS) - low_pass(BAND[0], BAND_TAPS))
        self.image = Filter(FACTOR * low_pass(LINE_RATE / 2, IMAGE_TAPS))

    def carry(self, samples: np.ndarray) -> np.ndarray:
        """(num_samples,) float32, a multiple of 3 -> the same shape, as the other end hears it."""
        narrow = self.band.run(samples)[::FACTOR]
        sent = np.rint(np.clip(narrow, -1.0, 1.0) * FULL_SCALE).astype(np.int16)
        codes = mu_law(sent) if self.law == "mu" else a_law(sent)
        received = mu_law_inverse(codes) if self.law == "mu" else a_law_inverse(codes)
        wide = np.zeros(len(samples))
        wide[::FACTOR] = received / FULL_SCALE
        return np.clip(self.image.run(wide), -1.0, 1.0).astype(np.float32)


class Filter:
    """A stream through a finite impulse response; borders between calls leave no trace.

    Args:
        taps: (num_taps,) float64.
    """

    def __init__(self, taps: np.ndarray):
        self.taps = taps
        self.past = np.zeros(len(taps) - 1)

    def run(self, samples: np.ndarray) -> np.ndarray:
        """(num_samples,) -> (num_samples,) float64."""
        stream = np.concatenate([self.past, samples])
        self.past = stream[len(samples):]
        return np.convolve(stream, self.taps, mode="valid")


def law_of_g711(law: str) -> str:
    """`law` if there is such a law."""
    if law not in ("mu", "a"):
        raise ValueError(f"G.711 has the laws 'mu' and 'a', not {law!r}")
    return law


def low_pass(hertz: float, num_taps: int) -> np.ndarray:
    """Linear-phase taps (num_taps,) with half amplitude at `hertz` and 1 at 0 Hz; Kaiser window for 60 dB."""
    time = np.arange(num_taps) - (num_taps - 1) / 2
    taps = np.sinc(2.0 * hertz / SAMPLE_RATE * time) * np.kaiser(num_taps, 5.65)
    return taps / taps.sum()


def mu_law(samples: np.ndarray) -> np.ndarray:
    """int16 samples -> uint8 codes."""
    value = samples.astype(np.int32) >> 2
    mask = np.where(value < 0, 0x7F, 0xFF)
    magnitude = np.minimum(np.abs(value), MU_CLIP) + MU_BIAS
    segment = highest_bit(magnitude) - 5
    code = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0F)
    return (np.where(segment > 7, 0x7F, code) ^ mask).astype(np.uint8)


def mu_law_inverse(codes: np.ndarray) -> np.ndarray:
    """uint8 codes -> int16 samples."""
    inverted = ~codes.astype(np.int32) & 0xFF
    magnitude = ((((inverted & 0x0F) << 3) + 0x84) << ((inverted & 0x70) >> 4)) - 0x84
    return np.where(inverted & 0x80, -magnitude, magnitude).astype(np.int16)


def a_law(samples: np.ndarray) -> np.ndarray:
    """int16 samples -> uint8 codes."""
    value = samples.astype(np.int32) >> 3
    mask = np.where(value < 0, 0x55, 0xD5)  # even bits are inverted on the line
    magnitude = np.where(value < 0, -value - 1, value)
    segment = np.maximum(highest_bit(magnitude) - 4, 0)
    code = (segment << 4) | ((magnitude >> np.maximum(segment, 1)) & 0x0F)
    return (code ^ mask).astype(np.uint8)


def a_law_inverse(codes: np.ndarray) -> np.ndarray:
    """uint8 codes -> int16 samples."""
    plain = codes.astype(np.int32) ^ 0x55
    segment = (plain & 0x70) >> 4
    step = ((plain & 0x0F) << 4) + np.where(segment == 0, 0x08, 0x108)
    magnitude = step << np.maximum(segment - 1, 0)
    return np.where(plain & 0x80, magnitude, -magnitude).astype(np.int16)


def highest_bit(values: np.ndarray) -> np.ndarray:
    """Index of the highest bit set in each integer below 2**31; -1 for 0."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int32) - 1
