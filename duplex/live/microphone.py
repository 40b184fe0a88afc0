"""You at a microphone and a loudspeaker, as a participant: one full-duplex stream of 80 ms blocks, which keeps the time.

The sound card's thread copies and counts and nothing else; rates are converted in the conversation's. Sound that goes on
waiting is dropped and counted: the delay at the end of a call is that of its start, or a frame more where the card takes
frames in pairs.
"""

import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from duplex.conversation import Participant, Prompt
from duplex.frame import FRAME_SECONDS, SAMPLE_RATE, SILENCE, Frame, frozen
from duplex.live.calibration import AUDIBLE_ECHO, sent_round
from duplex.live.devices import chosen, rate_of, sounddevice
from duplex.live.echo import Cancelled
from duplex.live.resampling import Converter

if TYPE_CHECKING:
    import sounddevice as portaudio

START_SECONDS: Final = 10.0  # sound servers take up to 2 s to start
WAITING_FRAMES: Final = 2  # of the agent
STANDING_CALLBACKS: Final = 62  # 5 s, in each of which a frame was left waiting: the card takes no pairs any more
STOPPED_SECONDS: Final = 2.0  # without a block: somebody pulled the plug
SETTLING_BLOCKS: Final = 12  # 1 s, in which sound servers stutter
WAITING_BLOCKS: Final = 2  # of the microphone; sound servers bring them in pairs
REMEMBERED_FRAMES: Final = 8  # more than can ever be on their way to the loudspeaker
DRIFT_FRAMES: Final = 125  # 10 s; in less, jitter is larger than what clocks drift
logger = logging.getLogger(__name__)


def microphone(input: int | str | None = None, output: int | str | None = None, rate: int | None = None,
               channel: int = 0, latency: Literal["low", "high"] = "high", check: bool = True,
               echo: Literal["none", "cancel"] = "none") -> Participant:
    """You at a microphone, with the agent's voice taken out of it if `echo` is "cancel"; see `Microphone`."""
    if echo not in ("none", "cancel"):
        raise ValueError(f"echo is 'none' (headphones) or 'cancel', not {echo!r}")
    user = Microphone(input, output, rate, channel, latency, check, cancels=echo == "cancel")
    return Cancelled(user) if echo == "cancel" else user


class Microphone:
    """You. `step` hands the agent's frame to the loudspeaker and blocks for the microphone's next 80 ms.

    When block k of the microphone has come as user frame n-1, the agent says frame n, and the next callback, k+1, both
    plays it and brings block k+1 as user frame n. So the agent is heard `device_seconds` after its place in the
    recording: the time at which block k+1 comes out of the loudspeaker less the time at which block k+1 entered the
    microphone, which is one block (it must be full before the callback comes) and the device's latencies both ways. An
    echo answers you after its own delay and `device_seconds`, which no order of the two could make less.

    Sound servers hand over two blocks at once and then none for 160 ms. So two blocks of the microphone may wait while the
    agent computes, and two frames of the agent for callbacks: a third displaces the first. When a frame of the agent has been
    left waiting for 5 s, as if no pair would come any more, it is displaced as well. So whatever the agent was busy with and
    for how long, its delay is soon what it was.

    Args:
        input, output: devices by index, name or unique part of a name; None for the defaults.
        rate: of the device in Hz; None for the best it can do.
        channel: of the input, the first is 0. The agent is played on the first two of the output.
        latency: of the device: "low" where it can, "high" where sound would stutter.
        check: plays a chirp in `reset` and listens whether the agent can hear itself; takes 2 s.
        cancels: whether somebody around this takes the agent's voice out; changes what the check advises.

    Attributes:
        keeps_time: true: nobody else needs to.
        echo: what the check heard; None without one, or when nothing came back.
        echo_seconds: after how long the agent's voice comes back, if it is known.
        played: (FRAME_SAMPLES,) what was really played in the callback that brought the last frame.
    """

    keeps_time = True

    def __init__(self, input: int | str | None = None, output: int | str | None = None, rate: int | None = None,
                 channel: int = 0, latency: Literal["low", "high"] = "high", check: bool = True, cancels: bool = False):
        self.input, self.output = chosen(input, "input"), chosen(output, "output")
        if not 0 <= channel < self.input.num_inputs:
            raise ValueError(f"{self.input.name!r} has {self.input.num_inputs} input channel(s), so there is no channel "
                             f"{channel} (the first is 0)")
        self.channels = (channel + 1, min(2, self.output.num_outputs))
        self.rate = rate_of(self.input, self.output, rate, self.channels)
        self.channel = channel
        self.latency = latency
        self.check = check
        self.cancels = cancels
        self.stream: portaudio.Stream | None = None

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.leave()
        self.from_card, self.to_card = Converter(self.rate, SAMPLE_RATE), Converter(SAMPLE_RATE, self.rate)
        self.card = Card(self.channel)
        self.open()
        self.next_block(START_SECONDS)
        for _ in range(SETTLING_BLOCKS):
            self.next_block(STOPPED_SECONDS)
        self.begin()
        self.echo = sent_round(self.step) if self.check else None
        self.echo_seconds = None if self.echo is None else self.echo.seconds
        if self.hears_itself():
            logger.warning(self.told())
        self.begin()

    def open(self) -> None:
        module = sounddevice()
        try:
            self.stream = module.Stream(
                samplerate=self.rate, blocksize=round(self.rate * FRAME_SECONDS), dtype="float32",
                device=(self.input.index, self.output.index), channels=self.channels,
                latency=self.latency, callback=self.card.exchange)
            self.stream.start()
        except module.PortAudioError as error:
            raise OSError(f"cannot open {self.input.name!r} and {self.output.name!r} together at {self.rate} Hz: {error}; "
                          "another program may hold them, or one of them is gone") from error

    def begin(self) -> None:
        """Counts from the next step on."""
        self.frame = 0
        self.said: dict[int, tuple[float, np.ndarray]] = {}  # when its user frame was caught, and what was said
        self.delays: list[tuple[int, float]] = []  # of the agent's frames that were played
        self.moments: list[tuple[int, float]] = []

    def step(self, heard: Frame) -> Frame:
        if self.frame == 0:
            self.card.begin()  # what waits is from before
        self.card.say(self.frame, self.to_card.convert(heard.samples))
        block = self.next_block(STOPPED_SECONDS)
        self.said[self.frame] = block.caught, heard.samples
        self.played = SILENCE.samples
        if block.played in self.said:
            caught, self.played = self.said[block.played]
            self.delays.append((block.played, block.sounds - caught + self.from_card.seconds + self.to_card.seconds))
        self.said.pop(self.frame - REMEMBERED_FRAMES, None)
        self.moments.append((block.number, block.caught))
        self.frame += 1
        return Frame(frozen(self.from_card.convert(block.samples)), at=block.caught - self.from_card.seconds)

    def next_block(self, patience: float) -> "Block":
        try:
            return self.card.heard.get(timeout=patience)
        except Empty:
            raise OSError(f"no sound from {self.input.name!r} for {patience:.0f} s: was it unplugged, or does another "
                          "program hold it?") from None

    def leave(self) -> None:
        """Closes the stream; also after a `reset` that failed, and more than once."""
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.close()

    def hears_itself(self) -> bool:
        return self.echo is not None and self.echo.decibels > AUDIBLE_ECHO

    def told(self) -> str:
        """What the check found, in a sentence."""
        if self.echo is None:
            return "the agent cannot hear itself" if self.check else "nobody checked whether the agent can hear itself"
        heard = f"its voice comes back at {self.echo.decibels:.0f} dB after {self.echo.seconds:.2f} s"
        if not self.hears_itself():
            return f"the agent can hardly hear itself: {heard}"
        return f"the agent can hear itself: {heard}; " + (
            "user.echo=cancel takes it away" if self.cancels else "wear headphones or set user.echo=cancel")

    @property
    def device_seconds(self) -> float | None:
        """Of this call by the sound card's own account, the median; None before anything was played."""
        return round(median(delay for _, delay in self.delays), 6) if self.delays else None

    def tally(self) -> dict[str, Any]:
        """What was counted since the conversation began; times in seconds, xruns as PortAudio reports them.

        `late` are callbacks that found no frame of the agent to play, `dropped` what was displaced while it waited.
        """
        latency = None if self.stream is None else [float(one) for one in self.stream.latency]
        return {
            "input": self.input.name, "output": self.output.name, "rate": self.rate, "reported_latency": latency,
            "device_seconds": self.device_seconds,
            "device_seconds_from": moves(self.delays),
            "resampling_seconds": self.from_card.seconds + self.to_card.seconds,
            "callbacks": self.card.callbacks, **self.card.counts, "drift_ppm": drift(self.moments),
            "echo": {"checked": self.check, "hears_itself": self.hears_itself(), "told": self.told(),
                     "decibels": None if self.echo is None else self.echo.decibels, "seconds": self.echo_seconds}}


class Block(NamedTuple):
    """What one callback brought and did.

    Attributes:
        number: of the callback.
        samples: (num_samples,) float32 at the device's rate.
        caught: when the first of them entered the microphone, seconds of `perf_counter`.
        played: the number of the agent's frame that it plays, None for silence.
        sounds: when that comes out of the loudspeaker, same clock.
    """

    number: int
    samples: np.ndarray
    caught: float
    played: int | None
    sounds: float


class Card:
    """Where the sound card's thread and the conversation meet: a few places for frames and for blocks, no lock.

    Attributes:
        heard: at most WAITING_BLOCKS of the microphone wait in it.
        speaker: at most WAITING_FRAMES of the agent, with their numbers.
        standing: callbacks in a row that left a frame of the agent waiting.
    """

    def __init__(self, channel: int):
        self.channel = channel
        self.heard: SimpleQueue[Block] = SimpleQueue()
        self.speaker: deque[tuple[int, np.ndarray]] = deque()
        self.offset = float("inf")  # of perf_counter from PortAudio's clock
        self.callbacks = 0
        self.begin()

    def begin(self) -> None:
        """Forgets what waits and what was counted."""
        while pushed_out(self.heard):
            pass
        self.speaker.clear()
        self.standing = 0
        self.callbacks = 0
        self.counts = {"xruns_input": 0, "xruns_output": 0, "late": 0, "dropped_user": 0, "dropped_agent": 0}

    def say(self, frame: int, samples: np.ndarray) -> None:
        """Puts the agent's frame where the callbacks find it, in the place of the first that waits if too many do."""
        if len(self.speaker) >= WAITING_FRAMES:
            self.drop()
        self.speaker.append((frame, samples))

    def drop(self) -> None:
        with suppress(IndexError):  # it was played in this moment
            self.speaker.popleft()
            self.counts["dropped_agent"] += 1

    def exchange(self, brought: np.ndarray, plays: np.ndarray, num_samples: int, time: Any, status: Any) -> None:
        """PortAudio's callback, in a thread that must not wait: (num_samples, channels) in and out."""
        now = perf_counter()
        self.offset = min(self.offset, now - time.currentTime)  # a callback can only come late: the least is the truth
        self.callbacks += 1
        self.counts["xruns_input"] += bool(status.input_overflow)
        self.counts["xruns_output"] += bool(status.output_underflow)
        frame: int | None = None
        try:
            frame, samples = self.speaker.popleft()
            plays[:] = samples[:, None]
        except IndexError:
            plays.fill(0.0)
            self.counts["late"] += 1
        self.standing = self.standing + 1 if self.speaker else 0
        if self.standing > STANDING_CALLBACKS:
            self.standing = 0
            self.drop()
        while self.heard.qsize() >= WAITING_BLOCKS and pushed_out(self.heard):
            self.counts["dropped_user"] += 1
        self.heard.put(Block(self.callbacks, brought[:, self.channel].copy(), time.inputBufferAdcTime + self.offset, frame,
                              time.outputBufferDacTime + self.offset))


def pushed_out(heard: "SimpleQueue[Block]") -> bool:
    """Takes the oldest block away, if any is left."""
    try:
        heard.get_nowait()
    except Empty:
        return False
    return True


def moves(delays: Sequence[tuple[int, float]]) -> list[list[float]]:
    """From which frame on the agent was heard how much later, [frame, seconds]: it moves by blocks, as frames wait."""
    found: list[list[float]] = []
    for frame, delay in delays:
        if not found or abs(delay - found[-1][1]) > FRAME_SECONDS / 2.0:
            found.append([frame, round(delay, 6)])
    return found


def drift(moments: list[tuple[int, float]]) -> float | None:
    """By how many millionths the sound card's clock is faster than `perf_counter`; None for less than 10 s."""
    if len(moments) < DRIFT_FRAMES:
        return None
    pairs = np.array(moments)
    half = len(pairs) // 2
    blocks, seconds = (pairs[half:] - pairs[:len(pairs) - half]).T
    return round(float(1e6 * (np.median(blocks / seconds) * FRAME_SECONDS - 1.0)), 1)  # the median: starts stutter
