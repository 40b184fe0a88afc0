"""A recorded conversation: both channels to the sample and a log, on disk as a folder.

Scoring, comparing, replaying and notebooks start here and never need the participants. What the sounds mean is not
decided here.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Event, Frame, Word
from duplex.wav import read_pcm16, write_pcm16

USER: Final = 0
AGENT: Final = 1
PARTIES: Final = ("user", "agent")
FULL_SCALE: Final = 32_767
SCHEMA: Final = 1


@dataclass(frozen=True, eq=False)
class Recording:
    """What both sides said.

    Attributes:
        audio: (2, num_samples) float32 in [-1, 1], rows USER and AGENT, on the 16-bit grid so that disk loses nothing.
        words: (of the user, of the agent), seconds from the first sample.
        events: (of the user, of the agent), seconds from the first sample.
        facts: JSON-like: scenario, system, clock, seed.
        ended_by: "user", "agent", "limit" or "failure".
        failure: what was raised, or None.
        step_seconds: (num_frames,) float32, how long each agent step took: on this machine, or as the agent says itself
            (`Frame.seconds`); the only part that differs between two runs of the same seed on a declared clock, so it is
            kept in a file of its own.
        clock: (2, num_frames) float64, the second clock of a live call: when each frame of each party was caught or came
            (`Frame.at`), seconds from the first of them all; NaN where nobody knows. Empty where nobody ever knew.
    """

    audio: np.ndarray
    words: tuple[tuple[Word, ...], tuple[Word, ...]] = ((), ())
    events: tuple[tuple[Event, ...], tuple[Event, ...]] = ((), ())
    facts: Mapping[str, Any] = field(default_factory=dict)
    ended_by: str = "limit"
    failure: str | None = None
    step_seconds: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    clock: np.ndarray = field(default_factory=lambda: np.zeros((2, 0)))

    @property
    def seconds(self) -> float:
        return self.audio.shape[1] / SAMPLE_RATE


class Keeps(Protocol):
    """Where the loop writes: into memory (`Recorder`), or onto the disk as it goes (`duplex.journal`)."""

    def write(self, from_user: Frame, from_agent: Frame, step_seconds: float) -> None:
        """A frame of both, and how long the agent computed for it."""

    def tell(self, facts: Mapping[str, Any]) -> None:
        """Facts that are known only now."""


class Recorder:
    """Collects frames while a conversation runs."""

    def __init__(self, facts: Mapping[str, Any]):
        self.facts = dict(facts)
        self.channels: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        self.words: tuple[list[Word], list[Word]] = ([], [])
        self.events: tuple[list[Event], list[Event]] = ([], [])
        self.step_seconds: list[float] = []
        self.moments: list[tuple[float | None, float | None]] = []

    def tell(self, facts: Mapping[str, Any]) -> None:
        self.facts |= facts

    def write(self, from_user: Frame, from_agent: Frame, step_seconds: float) -> None:
        start = len(self.step_seconds) * FRAME_SECONDS
        for party, frame in ((USER, from_user), (AGENT, from_agent)):
            self.channels[party].append(frame.samples.copy())  # its maker may use the array again
            words, events = timed(frame, start)
            self.words[party].extend(words)
            self.events[party].extend(events)
        self.step_seconds.append(step_seconds)
        self.moments.append((from_user.at, from_agent.at))

    def finish(self, ended_by: str, failure: str | None = None) -> Recording:
        audio = np.zeros((2, len(self.step_seconds) * FRAME_SAMPLES), np.float32)
        for party in (USER, AGENT):
            if self.channels[party]:
                audio[party] = np.rint(np.concatenate(self.channels[party]) * FULL_SCALE) / FULL_SCALE
        return Recording(
            audio, (tuple(self.words[USER]), tuple(self.words[AGENT])),
            (tuple(self.events[USER]), tuple(self.events[AGENT])),
            self.facts, ended_by, failure, np.array(self.step_seconds, np.float32), second_clock(self.moments))


def timed(frame: Frame, start: float) -> tuple[list[Word], list[Event]]:
    """The words and events of a frame that begins at `start`, in seconds from the first sample of the recording."""
    return ([Word(word.text, moment(start + word.start), moment(start + word.end)) for word in frame.words],
            [Event(event.kind, moment(start + event.start), moment(start + event.end), event.detail)
             for event in frame.events])


def second_clock(moments: Sequence[tuple[float | None, float | None]]) -> np.ndarray:
    """`Recording.clock` from `Frame.at` of each frame of both."""
    clock = np.array(moments, float).T.reshape(len(PARTIES), -1)
    return np.zeros((len(PARTIES), 0)) if np.isnan(clock).all() else clock - np.nanmin(clock)


def moment(seconds: float) -> float:
    """`seconds` to the microsecond: below a sample, and without the tail of binary fractions in the log."""
    return round(float(seconds), 6)


def save(recording: Recording, folder: Path) -> None:
    """Writes `audio.wav`, `log.json`, `step_seconds.npy`, and `clock.npy` of a live call.

    The log comes last, so a folder with a log is whole.

    Raises:
        OSError: naming the folder, when the disk is full or not writable.
    """
    with writable(folder):
        samples = np.rint(recording.audio * FULL_SCALE).astype(np.int16)
        write_pcm16(folder / "audio.wav", samples)
        save_beside(recording, folder, checksums(samples))


def checksums(samples: np.ndarray, before: Sequence[int] = (0, 0)) -> tuple[int, ...]:
    """CRC-32 of each channel of samples (num_channels, num_samples) int16, going on from those of what came before.

    It tells a sound from another, from itself shifted, and from itself with the channels swapped.
    """
    return tuple(zlib.crc32(np.ascontiguousarray(channel, "<i2").data, known)
                 for channel, known in zip(samples, before, strict=True))


def save_beside(recording: Recording, folder: Path, crc32: Sequence[int]) -> None:
    """Writes what stands beside the sound, whose channels have these checksums; the log last."""
    np.save(folder / "step_seconds.npy", recording.step_seconds)
    if recording.clock.size:
        np.save(folder / "clock.npy", recording.clock)
    log = {
        "schema": SCHEMA,
        "facts": recording.facts,
        "ended_by": recording.ended_by,
        "failure": recording.failure,
        "seconds": recording.seconds,
        "crc32": dict(zip(PARTIES, crc32, strict=True)),
        "words": {party: [list(word) for word in recording.words[row]] for row, party in enumerate(PARTIES)},
        "events": {party: [event_as_json(event) for event in recording.events[row]] for row, party in enumerate(PARTIES)},
    }
    part = folder / "log.json.part"
    part.write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / "log.json")


def event_as_json(event: Event) -> dict[str, Any]:
    """What `Event(**…)` reads back."""
    return {"kind": event.kind, "start": event.start, "end": event.end, "detail": dict(event.detail)}


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Makes the folder, and says of what cannot be written there what would help."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OSError(error.errno, f"cannot save the recording ({error.strerror}); free space or choose another "
                                   f"folder", str(folder)) from error


def load(folder: Path) -> Recording:
    """The recording in `folder`.

    Raises:
        FileNotFoundError: when there is none, or it was cut off while being written.
        ValueError: when it was written by another version of the schema, its parts do not belong together, or its sound is
            not the one that was recorded. Logs from before there were checksums tell the length only.
    """
    log = read_log(folder)
    audio = np.ascontiguousarray(read_pcm16(folder / "audio.wav"))
    check_sound(audio, log, folder / "audio.wav")
    steps, clock = folder / "step_seconds.npy", folder / "clock.npy"
    user_words, agent_words = (tuple(Word(*row) for row in log["words"][party]) for party in PARTIES)
    user_events, agent_events = (tuple(Event(**row) for row in log["events"][party]) for party in PARTIES)
    return Recording(
        np.divide(audio, np.float32(FULL_SCALE), dtype=np.float32),
        (user_words, agent_words), (user_events, agent_events), log["facts"], log["ended_by"], log["failure"],
        np.load(steps) if steps.is_file() else np.zeros(0, np.float32),
        np.load(clock) if clock.is_file() else np.zeros((len(PARTIES), 0)))


def read_log(folder: Path) -> dict[str, Any]:
    """What stands in the log of the recording in `folder`, as it stands there.

    Raises:
        FileNotFoundError, ValueError: as `load`.
    """
    path = folder / "log.json"
    if not path.is_file():
        raise FileNotFoundError(f"no recording in {folder}: it needs a log.json beside its audio.wav")
    try:
        log: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); record this conversation again") from error
    if log.get("schema") != SCHEMA:
        raise ValueError(f"{path} has schema {log.get('schema')}, this version reads {SCHEMA}")
    return log


def check_sound(audio: np.ndarray, log: Mapping[str, Any], path: Path) -> None:
    """Looks whether audio (num_channels, num_samples) int16 from `path` is what the log beside it is of."""
    if audio.shape[0] != len(PARTIES):
        raise ValueError(f"{path} needs two channels, left user and right agent, not {audio.shape[0]}")
    if abs(audio.shape[1] / SAMPLE_RATE - log["seconds"]) > 0.5 / SAMPLE_RATE:
        raise ValueError(f"{path} lasts {audio.shape[1] / SAMPLE_RATE:.3f} s, "
                         f"its log says {log['seconds']:.3f} s: they are not from the same conversation")
    recorded = log.get("crc32")
    if recorded is None:
        return
    wanted, found = tuple(recorded[party] for party in PARTIES), checksums(audio)
    if wanted == found:
        return
    if wanted == found[::-1]:
        raise ValueError(f"{path} has its channels swapped: left is the user, right the agent")
    changed = " and ".join(f"the {party}'s" for party, one, other in zip(PARTIES, wanted, found, strict=True) if one != other)
    raise ValueError(f"{path}: the sound is not the one that was recorded ({changed} channel has another checksum than "
                     "its log says); bring back the original, or record this conversation again")
