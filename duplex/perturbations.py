"""Perturbations: participants around an agent, standing between the two parties.

They change what the agent hears and, for lines, what the caller hears of it; a recording keeps the caller's clean voice
and what the caller really heard. They nest: the outermost is nearest to the caller, and each keeps what it is around as
`agent`, where `converse` finds who must be told that the conversation is over. Wrapping an agent does not reset it, which
may load or connect; all state begins with `reset`. Packets, their jitter and their loss are `duplex.packet_line`'s.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from duplex.conversation import Participant, Prompt
from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame, frozen, num_frames
from duplex.schedule import Schedule, samples_in
from duplex.sound_file import read_sound, sound_files
from duplex.telephone import DELAY_SAMPLES, Line, law_of_g711

LOOP_SAMPLES: Final = 2**18  # 10.9 s of noise, then the same again without a seam
SPEECH_DECIBELS: Final = -23.0  # RMS of full scale; the level to which signal-to-noise ratios refer
SYLLABLE_SAMPLES: Final = LOOP_SAMPLES // 64  # 0.17 s, a syllable


def clean(agent: Participant) -> Participant:
    """The agent as it is: no perturbation."""
    return agent


class SelfEcho:
    """The agent also hears its own voice: a loudspeaker leaking into a microphone.

    Args:
        decibels: level of the echo relative to the voice.
        delay: seconds from the voice to its echo, 0 or more.
    """

    def __init__(self, agent: Participant, decibels: float = -20.0, delay: float = 0.1):
        self.agent = agent
        self.gain = np.float32(10.0 ** (decibels / 20.0))
        self.delay = not_negative(delay)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.agent.reset(prompt, seed)
        self.leak = Schedule(first_frame=-1)

    def step(self, heard: Frame) -> Frame | None:
        said = self.agent.step(added(heard, self.leak.read().samples))
        if said is not None:
            self.leak.place(self.leak.now + self.delay, said.samples * self.gain)
        return said


class Noise:
    """The agent hears steady noise under the caller; it repeats after 10.9 s.

    Args:
        snr: decibels by which `level` lies above the noise, both RMS from 0 to 12 kHz.
        level: nominal level of speech, dB of full scale.
        colour: "white", or "pink" (3 dB less per octave, above 20 Hz).
    """

    def __init__(self, agent: Participant, snr: float = 20.0, level: float = SPEECH_DECIBELS,
                 colour: Literal["white", "pink"] = "white"):
        if colour not in ("white", "pink"):
            raise ValueError(f"noise is 'white' or 'pink', not {colour!r}")
        self.agent = agent
        self.decibels = level - snr
        self.colour = colour

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.agent.reset(prompt, seed)
        noise = white(np.random.default_rng([seed, 1]))
        self.noise = Loop(at_level(noise if self.colour == "white" else pink(noise), self.decibels))

    def step(self, heard: Frame) -> Frame | None:
        return self.agent.step(added(heard, self.noise.read()))


class Babble:
    """The agent hears other people talk behind the caller.

    Without a folder nobody really talks: each talker is noise and a buzz with syllables, vowel-like formants and
    pauses, which has the spectrum and the rhythm of speech but no words. It misleads no recogniser as real talk does.

    Args:
        snr: decibels by which `level` lies above the babble, both RMS.
        level: nominal level of speech, dB of full scale.
        num_talkers: how many talk at a time.
        folder: of sound files with speech, at least one, dealt to the talkers and repeated; None synthesises.
    """

    def __init__(self, agent: Participant, snr: float = 10.0, level: float = SPEECH_DECIBELS, num_talkers: int = 6,
                 folder: str | Path | None = None):
        if num_talkers < 1:
            raise ValueError(f"babble needs a talker, not {num_talkers}")
        self.agent = agent
        self.decibels = level - snr
        self.num_talkers = num_talkers
        self.sounds = None if folder is None else [read_sound(path) for path in sound_files(Path(folder))]

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.agent.reset(prompt, seed)
        random = np.random.default_rng([seed, 2])
        talkers = [talker(random) if self.sounds is None else reader(self.sounds, random)
                   for _ in range(self.num_talkers)]
        self.babble = Loop(at_level(np.sum(talkers, axis=0), self.decibels))

    def step(self, heard: Frame) -> Frame | None:
        return self.agent.step(added(heard, self.babble.read()))


class Delay:
    """A line that delays both directions; words and events come with the sound, and so does hanging up.

    What a step cost (`Frame.seconds`) is told in the frame of the step: it belongs to the computing, not to the sound.

    Args:
        seconds: one way, 0 or more, to the sample. The caller waits twice as long for an answer.
    """

    def __init__(self, agent: Participant, seconds: float = 0.1):
        self.agent = agent
        self.delay = not_negative(seconds)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.agent.reset(prompt, seed)
        self.to_agent = Schedule(first_frame=-1)
        self.from_agent = Schedule()
        self.frames_left: int | None = None  # on the line after the agent hung up

    def step(self, heard: Frame) -> Frame | None:
        if self.frames_left is None:
            said = self.agent.step(sent(self.to_agent, self.delay, heard))
            if said is not None:
                return sent(self.from_agent, self.delay, over_line(said, 2 * self.delay / SAMPLE_RATE))
            self.frames_left = num_frames(self.delay)
        if self.frames_left == 0:
            return None
        self.frames_left -= 1
        return self.from_agent.read()


class TelephoneLine:
    """A telephone line in both directions: 300-3400 Hz, 8 kHz, G.711.

    Its filters delay each direction by 10 ms (`duplex.telephone.DELAY_SAMPLES`), words and events included.

    Args:
        law: "mu" (North America, Japan) or "a" (elsewhere).
    """

    def __init__(self, agent: Participant, law: str = "mu"):
        self.agent = agent
        self.law = law_of_g711(law)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.agent.reset(prompt, seed)
        self.to_agent, self.from_agent = Line(self.law), Line(self.law)
        self.marks_to_agent, self.marks_from_agent = Schedule(first_frame=-1), Schedule()

    def step(self, heard: Frame) -> Frame | None:
        said = self.agent.step(carried(self.to_agent, self.marks_to_agent, heard))
        if said is None:
            return None
        return carried(self.from_agent, self.marks_from_agent, over_line(said, 2 * DELAY_SAMPLES / SAMPLE_RATE))


class Loop:
    """Endless sound.

    Args:
        samples: (num_samples,) float32, longer than a frame, repeated.
    """

    def __init__(self, samples: np.ndarray):
        self.samples = samples
        self.next = 0

    def read(self) -> np.ndarray:
        """The next (FRAME_SAMPLES,)."""
        indices = np.arange(self.next, self.next + FRAME_SAMPLES) % len(self.samples)
        self.next = (self.next + FRAME_SAMPLES) % len(self.samples)
        return self.samples[indices]


def added(heard: Frame, samples: np.ndarray) -> Frame:
    """`heard` with `samples` (FRAME_SAMPLES,) on top, clipped."""
    return replace(heard, samples=frozen(np.clip(heard.samples + samples, -1.0, 1.0)))


def sent(line: Schedule, delay: int, frame: Frame) -> Frame:
    """What comes out of a line of `delay` samples while `frame` goes in, and what `frame` cost."""
    line.place(line.now + delay, frame.samples, frame.words, frame.events)
    return replace(line.read(), seconds=frame.seconds)


def over_line(frame: Frame, seconds: float) -> Frame:
    """`frame` whose answers tell how many seconds a line adds to the wait for them, there and back; lines behind one
    another add up."""
    if not any(event.kind == "answer" for event in frame.events):
        return frame
    return replace(frame, events=tuple(
        replace(event, detail={**event.detail, "line": float(str(event.detail.get("line", 0.0))) + seconds})
        if event.kind == "answer" else event for event in frame.events))


def carried(line: Line, marks: Schedule, frame: Frame) -> Frame:
    """What comes out of a telephone line while `frame` goes in."""
    marked = sent(marks, DELAY_SAMPLES, replace(frame, samples=SILENCE.samples))
    return replace(marked, samples=frozen(line.carry(frame.samples)))


def at_level(samples: np.ndarray, decibels: float) -> np.ndarray:
    """`samples` as float32 with an RMS of `decibels` of full scale."""
    return (samples * 10.0 ** (decibels / 20.0) / np.sqrt(np.mean(np.square(samples)))).astype(np.float32)


def white(random: np.random.Generator) -> np.ndarray:
    return random.standard_normal(LOOP_SAMPLES)


def pink(noise: np.ndarray) -> np.ndarray:
    """White (num_samples,) -> pink, still without a seam when repeated."""
    hertz = np.fft.rfftfreq(len(noise), 1.0 / SAMPLE_RATE)
    return np.fft.irfft(np.fft.rfft(noise) * (hertz > 20.0) / np.sqrt(np.maximum(hertz, 20.0)), len(noise))


def talker(random: np.random.Generator) -> np.ndarray:
    """A loop of speech-like noise, (LOOP_SAMPLES,) with an RMS of 1: syllables of a buzz and breath, some missing."""
    per_syllable = (LOOP_SAMPLES // SYLLABLE_SAMPLES, 1)
    time = np.arange(2 * SYLLABLE_SAMPLES) / SAMPLE_RATE  # a syllable overlaps half of each neighbour
    pitch = random.uniform(90.0, 230.0) * random.uniform(0.9, 1.1, per_syllable)
    pulses = (time * pitch) % 1.0 < 0.1
    source = 3.0 * pulses + 0.3 * random.standard_normal(pulses.shape)
    loudness = random.uniform(0.4, 1.0, per_syllable) * (random.random(per_syllable) > 0.2)
    syllables = vowels(source, random) * loudness * np.hanning(len(time))
    halves = syllables.reshape(-1, 2, SYLLABLE_SAMPLES)
    sound = (halves[:, 0] + np.roll(halves[:, 1], 1, axis=0)).ravel()
    return np.roll(sound / np.sqrt(np.mean(np.square(sound))), random.integers(LOOP_SAMPLES))


def vowels(source: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """`source` (num_syllables, num_samples) through three formants per syllable, each 200 Hz wide and 6 dB below the
    one before."""
    hertz = np.fft.rfftfreq(source.shape[1], 1.0 / SAMPLE_RATE)
    formants = random.uniform([300.0, 900.0, 2200.0], [850.0, 2100.0, 3200.0], (len(source), 3))
    distance = (hertz - formants[:, :, None]) / 100.0
    gains = (np.array([1.0, 0.5, 0.25])[:, None] / (1.0 + np.square(distance))).sum(axis=1)
    return np.fft.irfft(np.fft.rfft(source) * gains * (hertz > 80.0), source.shape[1])


def reader(sounds: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """A loop of recorded speech, (LOOP_SAMPLES,) with an RMS of 1: `sounds` in random order from a random place."""
    shuffled = [sounds[index] for index in random.permutation(len(sounds))]
    sound = np.resize(np.roll(np.concatenate(shuffled), random.integers(LOOP_SAMPLES)), LOOP_SAMPLES)
    return sound / np.sqrt(np.mean(np.square(sound)))


def not_negative(seconds: float) -> int:
    """`seconds` in samples."""
    if not seconds >= 0.0:
        raise ValueError(f"a delay is 0 s or more, not {seconds} s")
    return samples_in(seconds)
