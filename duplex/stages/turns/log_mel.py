"""Whisper's log-mel spectrogram in numpy: what models that begin with Whisper's encoder hear.

After Radford et al. (2022), Robust speech recognition via large-scale weak supervision, section 2.2, with Slaney's mel scale
and the normalisation of transformers' WhisperFeatureExtractor. It resamples nothing and pads nothing.
"""

from functools import lru_cache
from typing import Final

import numpy as np

from duplex.stages.hearing.downsample import MODEL_RATE

WINDOW: Final = 400  # 25 ms
HOP: Final = 160  # 10 ms
NUM_MELS: Final = 80
DYNAMIC_RANGE: Final = 8.0  # of the logarithm; what is softer is not heard
LINEAR_HERTZ, LINEAR_MELS = 1_000.0, 15.0  # Slaney's scale is linear up to here
MELS_PER_OCTAVE: Final = 27.0 / np.log2(6.4)


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Features (NUM_MELS, num_samples // HOP) float32 of samples (num_samples,) at 16 kHz, whatever their loudness.

    Raises:
        ValueError: the sound is shorter than a window.
    """
    if samples.ndim != 1 or len(samples) < WINDOW:
        raise ValueError(f"a log-mel spectrogram needs (num_samples,) of at least {WINDOW}, not {samples.shape}")
    level = samples.astype(np.float32)
    level = (level - level.mean()) / np.sqrt(level.var() + 1e-7)
    padded = np.pad(level.astype(np.float64), WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:len(samples) // HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW + 1)[:-1], axis=1)) ** 2
    logarithm = np.log10(np.maximum(power @ filters(), 1e-10))
    logarithm = np.maximum(logarithm, logarithm.max() - DYNAMIC_RANGE)
    return ((logarithm + 4.0) / 4.0).T.astype(np.float32)


@lru_cache(maxsize=1)
def filters() -> np.ndarray:
    """Triangles of equal area, (WINDOW // 2 + 1, NUM_MELS)."""
    edges = hertz(np.linspace(0.0, float(mels(np.array(MODEL_RATE / 2))), NUM_MELS + 2))
    bins = np.linspace(0.0, MODEL_RATE / 2, WINDOW // 2 + 1)[:, np.newaxis]
    left, peak, right = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - left) / (peak - left), (right - bins) / (right - peak))
    return np.maximum(triangles, 0.0) * 2.0 / (right - left)


def mels(frequency: np.ndarray) -> np.ndarray:
    linear = frequency * LINEAR_MELS / LINEAR_HERTZ
    return np.where(frequency < LINEAR_HERTZ, linear,
                    LINEAR_MELS + MELS_PER_OCTAVE * np.log2(np.maximum(frequency, LINEAR_HERTZ) / LINEAR_HERTZ))


def hertz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < LINEAR_MELS, mel * LINEAR_HERTZ / LINEAR_MELS,
                    LINEAR_HERTZ * 2.0 ** ((np.maximum(mel, LINEAR_MELS) - LINEAR_MELS) / MELS_PER_OCTAVE))
