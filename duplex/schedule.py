"""The schedule: sound, words and events placed at a moment exact to the sample, read frame by frame.

Agents of known behaviour speak through it and lines delay through it. Nothing here decides when to speak.
"""

from collections.abc import Iterable

import numpy as np

from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, Event, Frame, Word, frozen


class Schedule:
    """What will be said, on an absolute clock of samples; what overlaps is added and clipped to [-1, 1].

    Args:
        first_frame: index of the frame that the first `read` returns; -1 for what an agent hears, because its first
            step hears the silence before the first frame.
    """

    def __init__(self, first_frame: int = 0):
        self.frame = first_frame
        self.sounds: dict[int, np.ndarray] = {}
        self.words: dict[int, list[tuple[int, Word]]] = {}
        self.events: dict[int, list[tuple[int, Event]]] = {}

    @property
    def now(self) -> int:
        """First sample that is still to be read."""
        return self.frame * FRAME_SAMPLES

    def place(self, start: int, samples: np.ndarray, words: Iterable[Word] = (), events: Iterable[Event] = ()) -> None:
        """Adds (num_samples,) float32 at sample `start`, with words and events in seconds from its first sample.

        Raises:
            ValueError: when `start` has been read already.
        """
        if start < self.now:
            raise ValueError(f"sample {start} is {(self.now - start) / SAMPLE_RATE:.3f} s in the past")
        done = 0
        while done < len(samples):
            index, offset = divmod(start + done, FRAME_SAMPLES)
            part = samples[done: done + FRAME_SAMPLES - offset]
            sound = self.sounds.setdefault(index, np.zeros(FRAME_SAMPLES, np.float32))
            sound[offset: offset + len(part)] += part
            done += len(part)
        for word in words:
            self.words.setdefault(self.due(start, word.start), []).append((start, word))
        for event in events:
            self.events.setdefault(self.due(start, event.start), []).append((start, event))

    def due(self, start: int, seconds: float) -> int:
        """Frame in which something begins `seconds` after sample `start`; what begins in the past is said next."""
        return max(self.frame, (start + samples_in(seconds)) // FRAME_SAMPLES)

    def cut(self, start: int) -> None:
        """Silence from sample `start` on; words and events that begin later are never said."""
        index, offset = divmod(max(start, self.now), FRAME_SAMPLES)
        if index in self.sounds:
            self.sounds[index][offset:] = 0.0
        self.sounds = {frame: sound for frame, sound in self.sounds.items() if frame <= index}
        for words in self.words.values():
            words[:] = [(at, word) for at, word in words if at + samples_in(word.start) < start]
        for events in self.events.values():
            events[:] = [(at, event) for at, event in events if at + samples_in(event.start) < start]

    def read(self) -> Frame:
        """The next frame."""
        index = self.frame
        self.frame += 1
        samples = self.sounds.pop(index, None)
        if samples is None:
            samples = np.zeros(FRAME_SAMPLES, np.float32)
        words = tuple(word_later(word, seconds_from(index, at)) for at, word in self.words.pop(index, ()))
        events = tuple(event_later(event, seconds_from(index, at)) for at, event in self.events.pop(index, ()))
        return Frame(frozen(np.clip(samples, -1.0, 1.0)), words, events)


def seconds_from(frame: int, sample: int) -> float:
    """Seconds from the start of `frame` to `sample`."""
    return (sample - frame * FRAME_SAMPLES) / SAMPLE_RATE


def samples_in(seconds: float) -> int:
    """`seconds` to the nearest sample."""
    return round(seconds * SAMPLE_RATE)


def word_later(word: Word, seconds: float) -> Word:
    return Word(word.text, word.start + seconds, word.end + seconds)


def event_later(event: Event, seconds: float) -> Event:
    return Event(event.kind, event.start + seconds, event.end + seconds, event.detail)
