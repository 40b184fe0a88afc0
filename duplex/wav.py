"""16-bit WAV files at the harness's own rate, with the standard library alone.

Other rates, widths and formats are read by `duplex.sound_file`, which needs soundfile and soxr.
"""

import wave
from pathlib import Path

import numpy as np

from duplex.frame import SAMPLE_RATE


def write_pcm16(path: Path, samples: np.ndarray) -> None:
    """Writes samples (num_channels, num_samples) int16 at SAMPLE_RATE."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[0])
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.ascontiguousarray(samples.T).tobytes())


def read_pcm16(path: Path) -> np.ndarray:
    """(num_channels, num_samples) int16.

    Raises:
        ValueError: when the file is not a 16-bit WAV at SAMPLE_RATE, with what it is.
    """
    try:
        with wave.open(str(path), "rb") as file:
            if (file.getframerate(), file.getsampwidth()) != (SAMPLE_RATE, 2):
                raise ValueError(f"{path} is {8 * file.getsampwidth()} bit at {file.getframerate()} Hz; "
                                 f"a recording is 16 bit at {SAMPLE_RATE} Hz")
            raw = file.readframes(file.getnframes())
            if len(raw) % (2 * file.getnchannels()):
                raise ValueError(f"{path} is cut off in the middle of a sample; record this conversation again")
            return np.frombuffer(raw, np.int16).reshape(-1, file.getnchannels()).T
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path} is not a WAV file: {error}") from error
