"""Sounds that claim nothing: a cough, a horn in the street, talk behind the caller.

Whether an agent is misled by them is measured in `eval.metrics.aside`.
"""

from random import Random
from typing import Final

import numpy as np

from duplex.frame import SAMPLE_RATE

SIDE_TALK_GAIN: Final = 10.0 ** (-8.0 / 20.0)  # said away from the telephone (Full-Duplex-Bench v1.5 uses -8 dB too)
BACKGROUND_GAIN: Final = 10.0 ** (-15.0 / 20.0)  # of talk behind, as in Full-Duplex-Bench v1.5, so also the next three
BACKGROUND_HERTZ: Final = 3_000.0
ECHO_SECONDS: Final = 0.1
ECHO_GAIN: Final = 10.0 ** (-10.0 / 20.0)
HORN_HERTZ: Final = (420.0, 530.0)  # a car's two horns, about a third apart
HORN_PEAK: Final = 0.3
HORN_SECONDS: Final = 0.6
FADE_SECONDS: Final = 0.01


def cough(random: Random) -> np.ndarray:
    """Two bursts of noise, each decaying over 0.1 s, at speech level; (num_samples,) float32."""
    generator = np.random.default_rng(random.getrandbits(32))
    seconds = np.arange(round(0.18 * SAMPLE_RATE)) / SAMPLE_RATE
    burst = np.exp(-seconds / 0.05) * np.minimum(1.0, seconds / 0.004)
    bursts = [0.3 * burst * generator.standard_normal(len(seconds)) for _ in range(2)]
    return np.clip(np.concatenate(bursts), -0.9, 0.9).astype(np.float32)


def horn(random: Random) -> np.ndarray:
    """A car's horn of 0.6 s, two tones with overtones, no two quite in tune; (num_samples,) float32."""
    seconds = np.arange(round(HORN_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = random.uniform(0.95, 1.05)
    tones = sum(np.sin(2.0 * np.pi * overtone * hertz * pitch * seconds) / overtone
                for hertz in HORN_HERTZ for overtone in (1, 2, 3, 4))
    fade = np.minimum(1.0, np.minimum(seconds, seconds[-1] - seconds) / FADE_SECONDS)
    return (HORN_PEAK * fade * tones / np.abs(tones).max()).astype(np.float32)


def from_behind(samples: np.ndarray) -> np.ndarray:
    """Speech (num_samples,) as it comes from the other end of a room: softer, duller, with an echo."""
    spectrum = np.fft.rfft(samples, 2 * len(samples))
    hertz = np.fft.rfftfreq(2 * len(samples), 1.0 / SAMPLE_RATE)
    dull = np.fft.irfft(spectrum / np.sqrt(1.0 + (hertz / BACKGROUND_HERTZ) ** 8))[:len(samples)]
    late = round(ECHO_SECONDS * SAMPLE_RATE)
    heard = np.concatenate([dull, np.zeros(late)])
    heard[late:] += ECHO_GAIN * dull
    return (BACKGROUND_GAIN * heard).astype(np.float32)
