"""Agents of exactly known behaviour: the instruments by which metrics are checked.

They hear energy at 10 ms and speak a buzz; they understand nothing. A turn of the user begins with its first audible
10 ms, ends with its last (as in `duplex.speech.audible`), and is over after `pause` seconds of silence. Every audible
sound of the user is a turn to them, a backchannel too. All times are kept to the sample.
"""

from typing import Final, NamedTuple

import numpy as np

from duplex.conversation import Prompt
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, SILENCE, Frame
from duplex.schedule import Schedule, samples_in
from duplex.speech import AUDIBLE_DECIBELS, HOP_SAMPLES, levels

VOICE_DECIBELS: Final = -23.0  # RMS of full scale, a usual speech level
TURN_PAUSE: Final = 0.6  # seconds; longer than the pauses within a turn (two synthesised sentences leave 0.45 s)


class Echo:
    """Says back what it heard, words and events too, `delay` seconds after it was said.

    Raises:
        ValueError: for a delay below one frame.
    """

    def __init__(self, delay: float = FRAME_SECONDS):
        if samples_in(delay) < FRAME_SAMPLES:
            raise ValueError(f"an echo of {delay} s is impossible: an agent says frame n having heard the user up to "
                             f"frame n-1, so the least delay is one frame, {FRAME_SECONDS} s")
        self.delay = samples_in(delay)
        self.reset(Prompt(), 0)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.mouth = Schedule()

    def step(self, heard: Frame) -> Frame:
        heard_from = self.mouth.now - FRAME_SAMPLES
        self.mouth.place(heard_from + self.delay, heard.samples, heard.words, heard.events)
        return self.mouth.read()


class Responder:
    """Answers every turn: begins `delay` seconds after the end of the user's speech and speaks `seconds`.

    It keeps talking when spoken to, and answers that as well; an answer that falls due during the one before takes its
    place without a gap.

    Args:
        pause: seconds of silence after which a turn is over; None for 0.6 s, or less where `delay` leaves less.

    Raises:
        ValueError: when `delay` ends before the pause can have been heard.
    """

    def __init__(self, delay: float = 0.5, seconds: float = 1.5, pause: float | None = None):
        self.pause = possible_pause(delay, pause)
        self.delay = samples_in(delay)
        self.seconds = positive(seconds)
        self.reset(Prompt(), 0)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.ear = Ear(self.pause)
        self.mouth = Schedule()
        self.answer = buzz(self.seconds, seed)

    def step(self, heard: Frame) -> Frame:
        for edge in self.ear.hear(heard):
            if not edge.is_onset:
                replace(self.mouth, edge.sample + self.delay, self.answer)
        return self.mouth.read()


class Interrupter:
    """Speaks `seconds` beginning `after` seconds into each turn that is not over by then; it answers nothing."""

    def __init__(self, after: float = 1.0, seconds: float = 1.5, pause: float = TURN_PAUSE):
        self.after = at_least_a_frame(after, "after")
        self.pause = samples_in(positive(pause))
        self.seconds = positive(seconds)
        self.reset(Prompt(), 0)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.ear = Ear(self.pause)
        self.mouth = Schedule()
        self.interruption = buzz(self.seconds, seed)
        self.start = 0  # sample at which the last interruption begins

    def step(self, heard: Frame) -> Frame:
        for edge in self.ear.hear(heard):
            if edge.is_onset:
                self.start = edge.sample + self.after
                replace(self.mouth, self.start, self.interruption)
            elif self.start >= self.mouth.now:  # the turn was over before
                self.mouth.cut(self.start)
        return self.mouth.read()


class Backchanneller:
    """Makes a sound of `seconds` at every multiple of `every` seconds into a turn, and answers it like a `Responder`.

    It leaves out a sound that falls due when it heard only silence in the last 80 ms, so that no backchannel begins
    later than two frames after the user's last sound.

    Args:
        delay: of the answer, as in `Responder`.
        answer_seconds: length of the answer.
        pause: as in `Responder`.
    """

    def __init__(self, every: float = 2.0, seconds: float = 0.4, delay: float = 0.5, answer_seconds: float = 1.5,
                 pause: float | None = None):
        self.every = at_least_a_frame(every, "every")
        self.seconds = positive(seconds)
        self.pause = possible_pause(delay, pause)
        self.delay = samples_in(delay)
        self.answer_seconds = positive(answer_seconds)
        self.reset(Prompt(), 0)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.ear = Ear(self.pause)
        self.mouth = Schedule()
        self.backchannel = buzz(self.seconds, seed)
        self.answer = buzz(self.answer_seconds, seed)
        self.next = 0  # sample at which the next backchannel falls due

    def step(self, heard: Frame) -> Frame:
        for edge in self.ear.hear(heard):
            if edge.is_onset:
                self.next = edge.sample + self.every
            else:
                replace(self.mouth, edge.sample + self.delay, self.answer)
        if self.ear.in_turn and self.next < self.mouth.now + FRAME_SAMPLES:
            if self.ear.hears_sound:
                self.mouth.place(self.next, self.backchannel)
            self.next += self.every
        return self.mouth.read()


class NeverYields:
    """Talks through everything: a `Responder` whose answers are long enough to be interrupted."""

    def __init__(self, delay: float = 0.5, seconds: float = 6.0, pause: float | None = None):
        self.responder = Responder(delay, seconds, pause)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.responder.reset(prompt, seed)

    def step(self, heard: Frame) -> Frame:
        return self.responder.step(heard)


class Yields:
    """Answers like a `Responder`, but is silent from `stop` seconds after the user begins to speak.

    It then answers the interruption. An answer that has not begun by then is never given.
    """

    def __init__(self, delay: float = 0.5, seconds: float = 6.0, stop: float = 0.3, pause: float | None = None):
        self.pause = possible_pause(delay, pause)
        self.delay = samples_in(delay)
        self.seconds = positive(seconds)
        self.stop = at_least_a_frame(stop, "stop")
        self.reset(Prompt(), 0)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.ear = Ear(self.pause)
        self.mouth = Schedule()
        self.answer = buzz(self.seconds, seed)

    def step(self, heard: Frame) -> Frame:
        for edge in self.ear.hear(heard):
            if edge.is_onset:
                self.mouth.cut(edge.sample + self.stop)
            else:
                replace(self.mouth, edge.sample + self.delay, self.answer)
        return self.mouth.read()


class NeverAnswers:
    """Silence."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        pass

    def step(self, heard: Frame) -> Frame:
        return SILENCE


class Late:
    """A `Responder` that begins beyond every window in which an answer counts."""

    def __init__(self, delay: float = 8.0, seconds: float = 1.5, pause: float = TURN_PAUSE):
        self.responder = Responder(delay, seconds, pause)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.responder.reset(prompt, seed)

    def step(self, heard: Frame) -> Frame:
        return self.responder.step(heard)


class Edge(NamedTuple):
    """Where the user's speech begins or ends.

    Attributes:
        is_onset: True where a turn begins, False where one that is now over ended.
        sample: from the first sample of the conversation, a multiple of 10 ms.
    """

    is_onset: bool
    sample: int


class Ear:
    """Follows the user's turns from energy at 10 ms.

    Args:
        pause: samples of silence after which a turn is over.

    Attributes:
        in_turn: whether the user speaks, or paused for less than `pause`.
        hears_sound: whether anything in the last frame was audible.
    """

    def __init__(self, pause: int):
        self.pause = pause
        self.now = -FRAME_SAMPLES  # the first frame heard lies before the conversation
        self.in_turn = False
        self.hears_sound = False
        self.end = 0  # sample behind the last audible 10 ms

    def hear(self, heard: Frame) -> list[Edge]:
        """The edges that this frame reveals, in order; an end is known only `pause` after it was."""
        edges = []
        loud = levels(heard.samples) > AUDIBLE_DECIBELS
        self.hears_sound = bool(loud.any())
        for hop, is_loud in enumerate(loud):
            hop_end = self.now + (hop + 1) * HOP_SAMPLES
            if is_loud:
                if not self.in_turn:
                    edges.append(Edge(True, hop_end - HOP_SAMPLES))
                self.in_turn = True
                self.end = hop_end
            elif self.in_turn and hop_end - self.end >= self.pause:
                edges.append(Edge(False, self.end))
                self.in_turn = False
        self.now += FRAME_SAMPLES
        return edges


def replace(mouth: Schedule, start: int, sound: np.ndarray) -> None:
    """Says `sound` from sample `start` on, and nothing else from there on."""
    mouth.cut(start)
    mouth.place(start, sound)


def buzz(seconds: float, seed: int) -> np.ndarray:
    """A steady voice at VOICE_DECIBELS, (num_samples,) float32; `seed` chooses its pitch.

    Eight harmonics of 100-200 Hz. It begins and ends hard and no sample of it is 0, so its edges are exact.
    """
    pitch = np.random.default_rng(seed).uniform(100.0, 200.0)
    phase = 2.0 * np.pi * pitch * np.arange(samples_in(seconds)) / SAMPLE_RATE
    wave = np.sum([np.cos(harmonic * phase) / harmonic for harmonic in range(1, 9)], axis=0)
    wave *= 10.0 ** (VOICE_DECIBELS / 20.0) / np.sqrt(np.mean(np.square(wave)))
    return np.where(np.abs(wave) < 1e-3, 1e-3, wave).astype(np.float32)


def possible_pause(delay: float, pause: float | None) -> int:
    """`pause` in samples, or the most that `delay` leaves up to TURN_PAUSE."""
    most = samples_in(delay) - FRAME_SAMPLES
    wanted = min(most, samples_in(TURN_PAUSE)) if pause is None else samples_in(pause)
    if wanted > most or wanted < HOP_SAMPLES:
        raise ValueError(f"cannot answer {delay} s after the end of a turn that is over after "
                         f"{'any' if pause is None else pause} s of silence: delay must be at least pause + one frame "
                         f"({FRAME_SECONDS} s), and pause at least 0.01 s")
    return wanted


def at_least_a_frame(seconds: float, argument: str) -> int:
    if samples_in(seconds) < FRAME_SAMPLES:
        raise ValueError(f"{argument}={seconds} s is impossible: no agent reacts within one frame, {FRAME_SECONDS} s")
    return samples_in(seconds)


def positive(seconds: float) -> float:
    if samples_in(seconds) < 1:
        raise ValueError(f"a duration is positive, not {seconds} s")
    return seconds
