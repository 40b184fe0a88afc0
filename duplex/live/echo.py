"""Echo cancellation: WebRTC's, around a user whose microphone hears the agent's loudspeaker.

The agent's own voice is the reference, so nothing is guessed but the room. Headphones need none of this and lose nothing;
a canceller takes some of you away while both talk (`scripts/echo_gain.py` measures how much).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from duplex.conversation import Participant, Prompt
from duplex.frame import SAMPLE_RATE, SILENCE, Frame, frozen
from duplex.live.resampling import Converter
from duplex.perturbations import sent
from duplex.schedule import Schedule, samples_in
from duplex.speech import AUDIBLE_DECIBELS, levels

if TYPE_CHECKING:
    from livekit import rtc

CANCELLER_RATE: Final = 48_000  # of the rates it knows, what is quickest to convert to and from
CANCELLER_SECONDS: Final = 430 / CANCELLER_RATE  # 0.009, of its filter bank and blocks, measured with noise
PIECE_SAMPLES: Final = CANCELLER_RATE // 100  # it takes exactly 10 ms at a time
FULL_SCALE: Final = 32_767
CAUSAL_SECONDS: Final = 0.04  # kept between the reference and its echo: whatever is early cannot be found


class Cancelled:
    """A user without the agent's voice in its microphone; everything the user says comes `seconds` later.

    Of a user that knows them, `played` (what really came out of the loudspeaker) is the reference instead of what the
    agent said, and `echo_seconds` (after how long it comes back) tells the canceller where to look.

    Args:
        user: anybody who returns what a microphone catches.

    Attributes:
        seconds: the canceller's own delay with converting to its rate and back, 0.024.

    Raises:
        ImportError: when livekit is missing.
    """

    def __init__(self, user: Participant):
        self.user = user
        self.keeps_time = bool(getattr(user, "keeps_time", False))
        self.seconds = CANCELLER_SECONDS + sum(Converter(*rates).seconds for rates in both_ways())
        canceller()

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.user.reset(prompt, seed)
        echo_seconds: float | None = getattr(self.user, "echo_seconds", None)
        up, down = both_ways()
        self.near, self.far, self.cleaned = Converter(*up), Converter(*up), Converter(*down)
        self.marks, self.reference = Schedule(), Schedule()
        self.lag = samples_in(max(0.0, (echo_seconds or 0.0) - CAUSAL_SECONDS))
        self.canceller = canceller()
        if echo_seconds is not None:
            self.canceller.set_stream_delay_ms(round(1_000.0 * (echo_seconds - self.lag / SAMPLE_RATE)))
        self.power = np.zeros(2)  # before and after, while the agent sounds

    def step(self, heard: Frame) -> Frame | None:
        said = self.user.step(heard)
        if said is None:
            return None
        reference = sent(self.reference, self.lag, Frame(getattr(self.user, "played", heard.samples))).samples
        samples = self.clean(said.samples, reference)
        if levels(reference).max() > AUDIBLE_DECIBELS:
            self.power += np.sum(np.square(said.samples)), np.sum(np.square(samples))
        marked = sent(self.marks, samples_in(self.seconds), replace(said, samples=SILENCE.samples))
        return replace(marked, samples=frozen(samples), at=None if said.at is None else said.at - self.seconds)

    def clean(self, samples: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """(FRAME_SAMPLES,) of the microphone without (FRAME_SAMPLES,) of the loudspeaker."""
        near, far = sixteen_bits(self.near.convert(samples)), sixteen_bits(self.far.convert(reference))
        cleaned = np.empty_like(near)
        for start in range(0, len(near), PIECE_SAMPLES):
            piece = slice(start, start + PIECE_SAMPLES)
            self.canceller.process_reverse_stream(as_audio_frame(far[piece]))
            caught = as_audio_frame(near[piece])
            self.canceller.process_stream(caught)
            cleaned[piece] = np.frombuffer(caught.data, np.int16)
        return self.cleaned.convert((cleaned / FULL_SCALE).clip(-1.0, 1.0).astype(np.float32))

    def tally(self) -> Mapping[str, Any]:
        """The user's, with `removed_decibels`: by how much the microphone became quieter while the agent spoke."""
        tally = getattr(self.user, "tally", None)
        counted: dict[str, Any] = {} if tally is None else dict(tally())
        if counted.get("device_seconds") is not None:
            counted["device_seconds"] = round(counted["device_seconds"] + self.seconds, 6)
        if moves := counted.get("device_seconds_from"):
            counted["device_seconds_from"] = [[frame, round(delay + self.seconds, 6)] for frame, delay in moves]
        removed = None if not self.power.all() else round(10.0 * float(np.log10(self.power[0] / self.power[1])), 1)
        return {**counted, "echo": {**counted.get("echo", {}), "cancelled": True, "removed_decibels": removed,
                                    "canceller_seconds": round(self.seconds, 6)}}


def both_ways() -> tuple[tuple[int, int], tuple[int, int]]:
    return (SAMPLE_RATE, CANCELLER_RATE), (CANCELLER_RATE, SAMPLE_RATE)


def canceller() -> "rtc.AudioProcessingModule":
    """WebRTC's audio processing, only the canceller and the high-pass that it wants."""
    return livekit().AudioProcessingModule(
        echo_cancellation=True, noise_suppression=False, high_pass_filter=True, auto_gain_control=False)


def as_audio_frame(piece: np.ndarray) -> "rtc.AudioFrame":
    """10 ms, int16, in memory of its own, which the canceller changes in place."""
    return livekit().AudioFrame(bytearray(piece.tobytes()), CANCELLER_RATE, 1, len(piece))


def sixteen_bits(samples: np.ndarray) -> np.ndarray:
    return np.rint(samples * FULL_SCALE).astype(np.int16)


def livekit() -> Any:  # the module
    try:
        from livekit import rtc
    except ImportError as error:
        raise ImportError('cancelling echo needs livekit: pip install "duplex-harness[echo]"; headphones need none of it '
                          "(user.echo=none)") from error
    return rtc
