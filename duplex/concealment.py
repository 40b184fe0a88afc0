"""Concealment of lost packets: the last pitch period again and again, quieter and quieter.

After ITU-T G.711 Appendix I (1999), with its times and less care: nothing is held back to smooth the start of a loss, so
no delay is added, and one period is repeated where it takes up to three. What was lost is not known here.
"""

from typing import Final

import numpy as np

from duplex.frame import SAMPLE_RATE

SHORTEST_LAG: Final = round(0.005 * SAMPLE_RATE)  # a pitch of 200 Hz
LONGEST_LAG: Final = round(0.015 * SAMPLE_RATE)  # 66 Hz
WINDOW: Final = round(0.020 * SAMPLE_RATE)  # compared with itself a lag earlier
REMEMBERED: Final = WINDOW + LONGEST_LAG
FULL: Final = round(0.010 * SAMPLE_RATE)  # repeated as loud as it was
FADED: Final = round(0.060 * SAMPLE_RATE)  # and silent from here on: 20 % less for every 10 ms
MERGED: Final = round(0.004 * SAMPLE_RATE)  # over which what comes again takes over


class Concealer:
    """A stream of sound with holes in it; never louder than what came before the hole.

    Attributes:
        missing: samples of the hole so far, 0 outside one.
    """

    def __init__(self) -> None:
        self.past: np.ndarray = np.zeros(REMEMBERED, np.float32)
        self.period: np.ndarray = np.zeros(0, np.float32)
        self.missing = 0

    def hear(self, samples: np.ndarray) -> np.ndarray:
        """What came, (num_samples,); behind a hole it takes over gradually."""
        heard = samples
        if self.missing:
            num_merged = min(MERGED, len(samples))
            rising = np.arange(1, num_merged + 1, dtype=np.float32) / (num_merged + 1)
            heard = samples.copy()
            heard[:num_merged] = rising * heard[:num_merged] + (1.0 - rising) * self.repeated(num_merged)
            self.missing = 0
        self.past = np.concatenate([self.past, heard])[-REMEMBERED:]
        return heard

    def conceal(self, num_samples: int) -> np.ndarray:
        """In place of what did not come, (num_samples,)."""
        if not self.missing:
            self.period = self.past[-pitch_lag(self.past):]
        made_up = self.repeated(num_samples)
        self.missing += num_samples
        return made_up

    def repeated(self, num_samples: int) -> np.ndarray:
        """The hole's sound from where it is now."""
        position = self.missing + np.arange(num_samples)
        gain = np.clip((FADED - position) / (FADED - FULL), 0.0, 1.0).astype(np.float32)
        return self.period[position % len(self.period)] * gain


def pitch_lag(past: np.ndarray) -> int:
    """Samples after which the end of (REMEMBERED,) is most like itself."""
    last = past[-WINDOW:]
    earlier = np.lib.stride_tricks.sliding_window_view(past, WINDOW)[LONGEST_LAG - SHORTEST_LAG:: -1]
    energy = np.sqrt(np.einsum("ij,ij->i", earlier, earlier)) + 1e-9
    return SHORTEST_LAG + int(np.argmax(earlier @ last / energy))
