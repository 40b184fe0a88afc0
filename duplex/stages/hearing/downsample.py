"""24 kHz frames to 16 kHz for the models of recognisers and detectors, 0.7 ms late.

soxr's streams answer in uneven blocks up to 50 ms late, which an endpoint would have to wait for.
"""

from typing import Final

import numpy as np

from duplex.frame import SAMPLE_RATE

MODEL_RATE: Final = 16_000
UP, DOWN = 2, 3  # 24 000 * 2 / 3 = 16 000
TAPS: Final = 65  # at 48 kHz; 32 of them are its delay
CUTOFF: Final = 7_200 / (SAMPLE_RATE * UP)  # cycles per sample; -6 dB, below the new Nyquist frequency of 8 kHz


def _lowpass() -> np.ndarray:
    """Windowed sinc, (TAPS,) float32, gain UP to make good for the inserted zeros."""
    time = np.arange(TAPS) - (TAPS - 1) / 2
    taps = np.sinc(2 * CUTOFF * time) * np.blackman(TAPS)
    return (UP * taps / taps.sum()).astype(np.float32)


LOWPASS: Final = _lowpass()


class Downsampler:
    """Keeps the filter's memory from one piece of sound to the next."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.past: np.ndarray = np.zeros(TAPS - 1, np.float32)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Samples (3 * n,) at 24 kHz -> (2 * n,) at 16 kHz, float32."""
        spread = np.zeros(len(samples) * UP, np.float32)
        spread[::UP] = samples
        known = np.concatenate([self.past, spread])
        self.past = known[-(TAPS - 1):]
        return np.convolve(known, LOWPASS, "valid")[::DOWN]
