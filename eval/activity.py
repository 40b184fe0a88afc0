"""Where a channel holds speech: the only code that listens.

It knows levels and times; whose speech it is and what it means are decided elsewhere.
"""

from collections.abc import Callable
from functools import wraps
from typing import Final, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from duplex.frame import SAMPLE_RATE
from duplex.recording import AGENT, USER, Recording
from duplex.speech import AUDIBLE_DECIBELS, HOP_SAMPLES

HOP_SECONDS: Final = HOP_SAMPLES / SAMPLE_RATE  # 0.01
MERGED_SECONDS: Final = 0.20  # shorter silences lie within an inter-pausal unit (Nguyen et al., 2023)
DROPPED_SECONDS: Final = 0.08  # shorter sounds are clicks
ONSET_HOPS: Final = 3  # so many loud hops in a row are speech, fewer are a click
ABOVE_FLOOR_DECIBELS: Final = 12.0
BELOW_SPEECH_DECIBELS: Final = 12.0
LOUDEST_QUIET_DECIBELS: Final = -34.0
SILENT_POWER: Final = 1e-12  # -120 dB full scale, which digital silence counts as; see `duplex.speech.levels`
CLIPPED: Final = 0.999
Found = TypeVar("Found")


class Segment(NamedTuple):
    """A stretch of time, seconds from the first sample; speech of one party where nothing else is said."""

    start: float
    end: float


def once(measure: Callable[[Recording], Found]) -> Callable[[Recording], Found]:
    """`measure`, which looks at a recording only the first time it is asked about it; several ask the same."""
    known: WeakKeyDictionary[Recording, Found] = WeakKeyDictionary()

    @wraps(measure)
    def remembered(recording: Recording) -> Found:
        if recording not in known:
            known[recording] = measure(recording)
        return known[recording]

    return remembered


@once
def units(recording: Recording) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
    """The inter-pausal units of the user and of the agent."""
    return activity(recording.audio[USER]), activity(recording.audio[AGENT])


def activity(samples: np.ndarray) -> tuple[Segment, ...]:
    """The inter-pausal units of one channel, samples (num_samples,).

    A 10 ms hop is loud above the threshold of the channel. A unit begins with the first of three loud hops in a row and
    ends with the last loud hop before 0.20 s without any; units shorter than 0.08 s are none. Its edges stand within
    10 ms, always on the outside of the sound.
    """
    channel = channel_levels(samples)
    if not len(channel):
        return ()
    starts, ends = runs(channel > threshold(channel))
    if not len(starts):
        return ()
    parted = starts[1:] - ends[:-1] >= hops(MERGED_SECONDS)
    unit = np.r_[0, np.cumsum(parted)]  # of each run
    steady = np.flatnonzero(ends - starts >= ONSET_HOPS)
    found, first = np.unique(unit[steady], return_index=True)
    starts, ends = starts[steady[first]], ends[np.r_[parted, True]][found]
    kept = ends - starts >= hops(DROPPED_SECONDS)
    return tuple(Segment(seconds(start), seconds(end)) for start, end in zip(starts[kept], ends[kept], strict=True))


def threshold(channel: np.ndarray) -> float:
    """The level above which a channel with hops of these levels is loud, dB full scale.

    12 dB above the floor, which is the 10th percentile, and at least -50 dB: digital silence has no floor to speak of.
    A party who hardly pauses has speech in its 10th percentile. The floor therefore never lifts the threshold closer
    than 12 dB to the loudest speech, nor, where all is of one level, above -34 dB: steadier and louder than that is a
    party who talks without a pause, quieter is noise.
    """
    floor, loudest = np.percentile(channel, [10.0, 95.0])
    most = max(LOUDEST_QUIET_DECIBELS, float(loudest) - BELOW_SPEECH_DECIBELS)
    return max(AUDIBLE_DECIBELS, min(float(floor) + ABOVE_FLOOR_DECIBELS, most))


def channel_levels(samples: np.ndarray) -> np.ndarray:
    """Level of each 10 ms of a channel in dB full scale, (num_samples,) -> (num_hops,), the last hop filled with zeros."""
    whole = len(samples) // HOP_SAMPLES * HOP_SAMPLES
    energy = hop_energy(samples[:whole].reshape(-1, HOP_SAMPLES))
    if whole < len(samples):
        energy = np.append(energy, hop_energy(samples[np.newaxis, whole:]))
    return 10.0 * np.log10(energy.astype(np.float64) / HOP_SAMPLES + SILENT_POWER)


def hop_energy(hops: np.ndarray) -> np.ndarray:
    """Sum of squares of each row, without a copy of the sound."""
    return np.einsum("ij,ij->i", hops, hops)


def clipped_share(samples: np.ndarray) -> float:
    """Share of the samples of a channel that stand at full scale."""
    return float(np.mean(np.abs(samples) >= CLIPPED)) if len(samples) else 0.0


def runs(loud: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First hop of each run of true values, and the hop behind its last."""
    edges = np.diff(np.r_[False, loud, False].astype(np.int8))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def hops(duration: float) -> int:
    return round(duration / HOP_SECONDS)


def seconds(hop: int) -> float:
    return round(int(hop) * HOP_SECONDS, 2)
