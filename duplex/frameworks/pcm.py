"""Sound as frameworks hand it on: 16 bit, mono, as bytes."""

from typing import Final

import numpy as np

FULL_SCALE: Final = 32_767


def pcm(samples: np.ndarray) -> bytes:
    """(num_samples,) float32 in [-1, 1] -> 16 bit."""
    return np.rint(np.clip(samples, -1.0, 1.0) * FULL_SCALE).astype(np.int16).tobytes()


def samples_of(sound: "bytes | memoryview") -> np.ndarray:
    """16 bit -> (num_samples,) float32."""
    return np.frombuffer(sound, np.int16).astype(np.float32) / FULL_SCALE
