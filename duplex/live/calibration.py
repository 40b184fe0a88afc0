"""The chirp: a sweep that is played and listened for, to the sample, so that delays and echoes are measured and not believed.

It needs a participant that plays and hears, a microphone or a simulated room. It decides nothing; who asked does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from duplex.conversation import Participant, Prompt, leave
from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame, frozen
from duplex.schedule import samples_in

CHIRP_SECONDS: Final = 0.4  # five frames
CHIRP_HERTZ: Final = (300.0, 6_000.0)  # what small loudspeakers play
CHIRP_PEAK: Final = 0.2  # -17 dB RMS, as loud as loud speech
FADE_SECONDS: Final = 0.03
LEAD_FRAMES: Final = 4  # 0.32 s: what a loudspeaker plays first is often lost
CHIRP_FRAMES: Final = round(CHIRP_SECONDS * SAMPLE_RATE) // FRAME_SAMPLES  # 5
LISTEN_FRAMES: Final = 15  # 1.2 s after the chirp's end: the longest delay that is found
ALIKE_SECONDS: Final = 0.05  # around the peak, where reflections and the chirp's own sidelobes are
SURE_DECIBELS: Final = 20.0  # noise alone reaches 13 dB, speech 16
AUDIBLE_ECHO: Final = -40.0  # dB; beneath it a detector at -50 dB full scale does not hear speech at -17 dB


@dataclass(frozen=True)
class Echo:
    """A chirp that came back.

    Attributes:
        seconds: from its place in what was played to its place in what was heard, the same frames side by side.
        decibels: its level relative to what was played, with all its reflections, as far as it rises above the noise.
        confidence: dB by which the matched filter's peak stands above the rest of what the filter finds.
    """

    seconds: float
    decibels: float
    confidence: float


@dataclass(frozen=True)
class Calibration:
    """Chirps that were sent round.

    Attributes:
        echoes: of those that came back.
        num_chirps: that were sent.
        promised: `device_seconds` by the sound card's own account, or None.
    """

    echoes: tuple[Echo, ...]
    num_chirps: int
    promised: float | None = None

    @property
    def seconds(self) -> float | None:
        """The device's delay, the median; None when fewer than half of the chirps came back."""
        return median(echo.seconds for echo in self.echoes) if 2 * len(self.echoes) > self.num_chirps else None

    def line(self) -> str:
        """The result in one line."""
        heard = f"{len(self.echoes)} of {self.num_chirps} chirps were heard"
        if self.seconds is None:
            return f"{heard}: no delay was measured; turn the loudspeaker up, or join output and input by a cable"
        delays = [echo.seconds for echo in self.echoes]
        promised = "" if self.promised is None else f"; the sound card says {1_000.0 * self.promised:.1f} ms"
        return (f"{heard}: the device's delay is {1_000.0 * self.seconds:.1f} ms "
                f"({1_000.0 * min(delays):.1f} to {1_000.0 * max(delays):.1f}), level "
                f"{median(echo.decibels for echo in self.echoes):.0f} dB{promised}")


def calibrate(user: Participant, num_chirps: int = 5) -> Calibration:
    """Measures `device_seconds` (see `duplex.live.microphone`), through the air or a cable: a conversation of chirps.

    Args:
        user: who plays what it hears and returns what its microphone catches, without a check of its own.
    """
    try:
        user.reset(Prompt(), 0)
        echoes = [sent_round(user.step) for _ in range(num_chirps)]
        tally = getattr(user, "tally", None)
        promised = None if tally is None else tally()["device_seconds"]
    finally:
        leave(user)
    return Calibration(tuple(echo for echo in echoes if echo is not None), num_chirps, promised)


def sent_round(step: Callable[[Frame], Frame | None]) -> Echo | None:
    """Plays one chirp through `step` of a user and listens; None when nothing was heard."""
    num_frames = LEAD_FRAMES + CHIRP_FRAMES + LISTEN_FRAMES
    played = np.zeros((num_frames, FRAME_SAMPLES), np.float32)
    played[LEAD_FRAMES:LEAD_FRAMES + CHIRP_FRAMES] = chirp().reshape(-1, FRAME_SAMPLES)
    answers = [step(Frame(frozen(samples))) or SILENCE for samples in played]
    return found(np.concatenate([answer.samples for answer in answers]), LEAD_FRAMES * FRAME_SAMPLES)


def chirp() -> np.ndarray:
    """(num_samples,) float32: a linear sweep with faded edges."""
    time = np.arange(samples_in(CHIRP_SECONDS)) / SAMPLE_RATE
    low, high = CHIRP_HERTZ
    sweep = np.sin(2.0 * np.pi * (low + (high - low) / (2.0 * CHIRP_SECONDS) * time) * time)
    edge = np.minimum(time, time[::-1]) / FADE_SECONDS
    return (CHIRP_PEAK * sweep * np.sin(np.pi / 2.0 * np.minimum(edge, 1.0)) ** 2).astype(np.float32)


def found(heard: np.ndarray, played: int) -> Echo | None:
    """The chirp in `heard` (num_samples,) that was played at sample `played`; None where no peak stands out."""
    pattern = chirp().astype(np.float64)
    similarity = matched(heard, pattern)
    late_enough = np.abs(similarity[played:])
    peak = int(np.argmax(late_enough))
    elsewhere = np.abs(np.arange(len(similarity)) - (played + peak)) > samples_in(ALIKE_SECONDS)
    rest = np.sqrt(np.mean(np.square(similarity[elsewhere])))
    confidence = decibels(late_enough[peak]) - decibels(float(rest))
    if confidence < SURE_DECIBELS:
        return None
    before = np.asarray(heard[:played], np.float64)
    within = np.asarray(heard[played + peak:played + peak + len(pattern)], np.float64)
    power = np.mean(np.square(within)) - np.mean(np.square(before))  # all paths together, without the noise
    level = max(np.sqrt(max(power, 0.0) / np.mean(np.square(pattern))), late_enough[peak])
    return Echo(peak / SAMPLE_RATE, round(decibels(level), 1), round(confidence, 1))


def matched(heard: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """How much of `pattern` there is in `heard` at each lag: 1 where it stands as it is. (num_samples - len + 1,)."""
    size = len(heard) + len(pattern)
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(pattern, size))
    return np.fft.irfft(spectrum, size)[:len(heard) - len(pattern) + 1] / np.sum(np.square(pattern))


def decibels(gain: float) -> float:
    return 20.0 * float(np.log10(max(gain, 1e-9)))
