"""Streaming rate conversion that gives every block its due: as much time comes out as went in, a few milliseconds late.

A sound card that cannot do 24 kHz is heard and fed through it. Whole files are `duplex.sound_file`'s business.
"""

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from duplex.frame import FRAME_SECONDS

if TYPE_CHECKING:
    import soxr

TRIAL_BLOCKS: Final = 16  # how far soxr lags behind is the same at every block from the first on


class Converter:
    """Sound from one rate to another.

    soxr's variable-rate filters hold back 5 ms on the way down to 24 kHz, 10 ms on the way up to 48 kHz and 15 ms from
    16 kHz, flat to 10 kHz with aliases below -100 dB; its other recipes hold back 20 to 76 ms.

    Attributes:
        seconds: by how much later everything comes out; 0 where both rates are the same.
    """

    def __init__(self, rate_in: int, rate_out: int):
        self.rate_in, self.rate_out = rate_in, rate_out
        num_waiting = held_back(rate_in, rate_out)
        self.seconds = num_waiting / rate_out
        self.stream = None if rate_in == rate_out else stream(rate_in, rate_out)
        self.waiting = np.zeros(num_waiting, np.float32)

    def convert(self, block: np.ndarray) -> np.ndarray:
        """The next (num_samples,) float32 in [-1, 1] for as much time as `block` (num_samples,) float32 lasts.

        Raises:
            ValueError: when a block is no whole number of samples at the other rate.
        """
        if self.stream is None:
            return block
        due, rest = divmod(len(block) * self.rate_out, self.rate_in)
        if rest:
            raise ValueError(f"{len(block)} samples at {self.rate_in} Hz are no whole number at {self.rate_out} Hz")
        ready = np.concatenate([self.waiting, self.stream.resample_chunk(block)])
        assert len(ready) >= due, (len(ready), due)
        self.waiting = ready[due:]
        return np.clip(ready[:due], -1.0, 1.0)  # filters overshoot


def stream(rate_in: int, rate_out: int) -> "soxr.ResampleStream":
    try:
        import soxr
    except ImportError as error:
        raise ImportError(f"converting {rate_in} Hz to {rate_out} Hz needs soxr: pip install soxr") from error
    try:
        return soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality="HQ", vr=True)
    except TypeError as error:
        raise ImportError(f"converting {rate_in} Hz to {rate_out} Hz needs soxr 1.1, not {soxr.__version__}: "
                          "pip install 'soxr>=1.1' (pipecat-ai 1.12.0 asks for 1.0, and runs with 1.1)") from error


@cache
def held_back(rate_in: int, rate_out: int) -> int:
    """Samples by which the filter lags at the end of a block at worst, found by trying."""
    if rate_in == rate_out:
        return 0
    trial, block = stream(rate_in, rate_out), np.zeros(round(rate_in * FRAME_SECONDS), np.float32)
    come = np.cumsum([len(trial.resample_chunk(block)) for _ in range(TRIAL_BLOCKS)])
    due = np.arange(1, TRIAL_BLOCKS + 1) * round(rate_out * FRAME_SECONDS)
    return int((due - come).max())
