"""The replayed caller: sound files or a recorded conversation, played to an agent as they are.

It hears nothing, so it cannot react. A caller that reacts is `eval.callers.caller`.
"""

from pathlib import Path

import numpy as np

from duplex.conversation import Prompt
from duplex.frame import FRAME_SAMPLES, Event, Frame, num_frames
from duplex.recording import USER, load
from duplex.schedule import Schedule, samples_in
from duplex.sound_file import read_sound, sound_files
from duplex.speech import Speech, audible


class Replay:
    """Plays `path` as the caller, stays silent for `tail` seconds and hangs up.

    Args:
        path: a sound file; a folder of them, played in sorted order; or a folder of one of our recordings, whose words
            and events are said again at their times.
        act: what the caller does by each sound file ("turn", "interruption", ...), said as an event from its first
            audible 10 ms to its last; None says nothing, and then a timeline derives turns from activity. Recordings
            bring their own.
        gap: seconds of silence between files.
        tail: seconds of silence before hanging up.
        channel: which channel; None for the first, where our recordings keep the user.

    Raises:
        ValueError: when `path` cannot be played; see `duplex.sound_file.read_sound`.
    """

    def __init__(self, path: str | Path, act: str | None = None, gap: float = 1.0, tail: float = 5.0,
                 channel: int | None = None):
        if gap < 0.0 or tail < 0.0:
            raise ValueError(f"gap and tail are 0 s or more, not {gap} s and {tail} s")
        self.sounds = sounds(Path(path), act, channel)
        self.gap = samples_in(gap)
        self.tail = samples_in(tail)
        self.reset(Prompt(), 0)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.mouth = Schedule()
        start = 0
        for sound in self.sounds:
            self.mouth.place(start, sound.samples, sound.words, sound.events)
            start += len(sound.samples) + self.gap
        self.num_frames = num_frames(start - self.gap + self.tail)

    def step(self, heard: Frame) -> Frame | None:
        if self.mouth.now >= self.num_frames * FRAME_SAMPLES:
            return None
        return self.mouth.read()


def sounds(path: Path, act: str | None, channel: int | None) -> list[Speech]:
    """What is at `path`, in the order in which it is played."""
    if (path / "log.json").is_file():
        recording = load(path)
        party = USER if channel is None else channel
        if not 0 <= party < len(recording.audio):
            raise ValueError(f"{path} is a recording: channel 0 is its user and 1 its agent, there is no {party}")
        return [Speech(recording.audio[party], recording.words[party], recording.events[party])]
    if path.is_dir():
        return [speech(read_sound(file, channel), act) for file in sound_files(path)]
    return [speech(read_sound(path, channel), act)]


def speech(samples: np.ndarray, act: str | None) -> Speech:
    """`samples` with what is done by saying them, if that is known."""
    return Speech(samples) if act is None else Speech(samples, events=(Event(act, *audible(samples)),))
