"""Sound files of any format, rate and width, as the harness hears them. Needs soundfile and soxr, of the base install.

Recordings are written and read by `duplex.wav`, which needs neither.
"""

from pathlib import Path
from typing import Final

import numpy as np

from duplex.frame import SAMPLE_RATE
from duplex.speech import AUDIBLE_DECIBELS, levels

SUFFIXES: Final = (".flac", ".ogg", ".wav")
CLIPPED_SHARE: Final = 0.01


def read_sound(path: str | Path, channel: int | None = None) -> np.ndarray:
    """(num_samples,) float32 in [-1, 1] at SAMPLE_RATE.

    Args:
        path: of a wav, flac or ogg file of any rate and width.
        channel: which channel; None for the first, which is the left, where our recordings keep the user.

    Raises:
        ValueError: when there is no such file or channel, or it is not sound, empty, silent, clipped (more than 1 % of
            its samples at full scale) or contains NaN.
        ImportError: naming what to install.
    """
    samples, rate, full_scale = decode(Path(path), channel or 0)
    if not len(samples):
        raise ValueError(f"{path} is empty: it has no samples")
    if not np.isfinite(samples).all():
        raise ValueError(f"{path} has {np.count_nonzero(~np.isfinite(samples))} samples that are NaN or infinite")
    clipped = float(np.mean(np.abs(samples) >= full_scale))
    if clipped > CLIPPED_SHARE:
        raise ValueError(f"{path} is clipped: {clipped:.1%} of its samples are at full scale, at most "
                         f"{CLIPPED_SHARE:.0%} may be; record it at a lower level")
    sound = resample(samples, rate)
    loudest = float(levels(sound).max())
    if loudest <= AUDIBLE_DECIBELS:
        raise ValueError(f"{path} is silent in channel {channel or 0}: its loudest 10 ms are at {loudest:.0f} dB of "
                         f"full scale, audible is above {AUDIBLE_DECIBELS:.0f} dB")
    return sound


def sound_files(folder: Path) -> list[Path]:
    """The sound files of `folder` in sorted order.

    Raises:
        ValueError: when it has none.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(f"{folder} has no sound files ({', '.join(SUFFIXES)})")
    return paths


def decode(path: Path, channel: int) -> tuple[np.ndarray, int, float]:
    """One channel (num_samples,) float32 as it is in the file, its rate in Hz, and the amplitude of full scale."""
    try:
        import soundfile
    except ImportError as error:
        raise ImportError("reading sound files needs soundfile and soxr: pip install soundfile soxr") from error
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    if not path.stat().st_size:
        raise ValueError(f"{path} is empty: it has no bytes")
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate, subtype = file.samplerate, file.subtype
            channels = file.read(dtype="float32", always_2d=True).T
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path} is not a sound file: {error}") from error
    if not 0 <= channel < len(channels):
        raise ValueError(f"{path} has {len(channels)} channel(s), so there is no channel {channel} (the first is 0)")
    return channels[channel], rate, 127 / 128 if subtype in ("PCM_U8", "PCM_S8") else 32_767 / 32_768


def resample(samples: np.ndarray, rate: int) -> np.ndarray:
    """`samples` at SAMPLE_RATE; filters overshoot, so the result is clipped to [-1, 1]."""
    if rate != SAMPLE_RATE:
        try:
            import soxr
        except ImportError as error:
            raise ImportError(f"hearing {rate} Hz at {SAMPLE_RATE} Hz needs soxr: pip install soxr") from error
        samples = soxr.resample(samples, rate, SAMPLE_RATE, quality="VHQ")
    return np.clip(samples, -1.0, 1.0).astype(np.float32)
