"""A conversation written to disk as it is held, so that a killed process loses next to nothing.

For live calls, which last as long as they please: nothing of them is kept in memory. `audio.wav` is whole after every
write; words and events stand line by line in `journal.jsonl`, the times of frames in `times.f64`, which takes no parsing: an
hour of a call that is over must not keep other calls waiting. From both the log of a recording is made when the call is
over, or by `recover` when nobody was there to finish it. Simulated conversations are `duplex.recording`'s.
"""

import json
import os
import struct
import wave
from collections.abc import Mapping, Sequence
from errno import ENOSPC
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, Final

import numpy as np

from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Event, Frame, Word
from duplex.recording import (
    FULL_SCALE,
    PARTIES,
    Recording,
    checksums,
    event_as_json,
    save_beside,
    second_clock,
    timed,
    writable,
)
from duplex.wav import read_pcm16

NAME: Final = "journal.jsonl"
TIMES: Final = "times.f64"  # of each frame: when the user's and the agent's came (NaN: nobody knows), and the agent's step
SAMPLE_BYTES: Final = 2 * len(PARTIES)
FRAME_BYTES: Final = FRAME_SAMPLES * SAMPLE_BYTES
HEADER: Final = struct.Struct("<4sI8sIHHIIHH4sI")  # of a WAV file: RIFF, and its chunks "fmt " and "data"
CUT_OFF: Final = "the process was killed; the recording was recovered from its journal"


class Journal:
    """What `converse` would keep in a `Recorder`, on disk.

    Args:
        folder: of the recording, made if need be.
        facts: as in a `Recording`.

    Raises:
        OSError: naming the folder, when the disk is full or not writable; also from `write`.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any]):
        self.folder = folder
        self.num_frames = 0
        self.crc32: tuple[int, ...] = (0,) * len(PARTIES)  # of the sound so far
        with writable(folder):
            # Unbuffered: what has been written stays when this process is killed.
            self.sound = (folder / "audio.wav").open("wb", buffering=0)
            self.sound.write(header(0))
            self.times = (folder / TIMES).open("wb", buffering=0)
            self.lines = (folder / NAME).open("wb", buffering=0)  # the last: what has it can be recovered
            locked(self.lines)
            self.note({"facts": facts})

    def write(self, from_user: Frame, from_agent: Frame, step_seconds: float) -> None:
        self.write_all([(from_user, from_agent, step_seconds)])

    def write_all(self, frames: Sequence[tuple[Frame, Frame, float]]) -> None:
        """Several at once, which takes no more calls of the system than one."""
        lines, sounds = [], []
        for number, (from_user, from_agent, _) in enumerate(frames, self.num_frames):
            line: dict[str, Any] = {}
            for party, frame in zip(PARTIES, (from_user, from_agent), strict=True):
                words, events = timed(frame, number * FRAME_SECONDS)
                if words or events:
                    line[party] = [words, [event_as_json(event) for event in events]]
            if line:
                lines.append(line)
            sounds.append(np.stack([from_user.samples, from_agent.samples], axis=1))
        samples = np.rint(np.concatenate(sounds) * FULL_SCALE).astype("<i2")
        with writable(self.folder):
            append(self.sound, samples.tobytes())
            self.sound.seek(0)
            self.sound.write(header(self.num_frames + len(frames)))
            self.sound.seek(0, os.SEEK_END)
            self.crc32 = checksums(samples.T, self.crc32)
            append(self.times, np.array([(user.at, agent.at, seconds) for user, agent, seconds in frames], "<f8").tobytes())
            if lines:
                self.note(*lines)
        self.num_frames += len(frames)

    def tell(self, facts: Mapping[str, Any]) -> None:
        with writable(self.folder):
            self.note({"facts": facts})

    def note(self, *lines: Mapping[str, Any]) -> None:
        append(self.lines, b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    def finish(self, ended_by: str, failure: str | None = None) -> None:
        """Makes the recording whole: `duplex.recording.load` reads it."""
        with writable(self.folder):
            self.sound.close()
            self.times.close()
            complete(self.folder, ended_by, failure, self.crc32)  # while it is locked
            self.lines.close()
            remove(self.folder)


def append(file: FileIO, data: bytes) -> None:
    """Writes all or nothing: a disk that is nearly full takes a part, and says so only the next time."""
    taken = file.write(data)
    if taken < len(data):
        file.truncate(file.tell() - taken)
        file.seek(0, os.SEEK_END)
        raise OSError(ENOSPC, os.strerror(ENOSPC))


def recover(folder: Path) -> bool:
    """Makes a recording of a call whose process was killed; false where there is nothing to recover, or nobody was killed.

    Raises:
        ValueError: the journal is damaged before its last line.
    """
    if (folder / "log.json").is_file() or not (folder / NAME).is_file():
        return False
    with (folder / NAME).open("rb") as lines:
        if not locked(lines):  # the call is being held
            return False
        whole_frames(folder / "audio.wav")
        complete(folder, "failure", CUT_OFF, checksums(read_pcm16(folder / "audio.wav")))
    remove(folder)
    return True


def locked(file: FileIO | BufferedReader) -> bool:
    """Locks a file for as long as it is open, as its process's; false if another has it.

    Where there are no such locks, on Windows, nobody ever has it.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def recordings(path: Path) -> list[Path]:
    """The folders of all recordings at or below `path`, in order, those of killed processes recovered, none in progress."""
    for journal in path.glob(f"**/{NAME}"):
        recover(journal.parent)
    return sorted(log.parent for log in path.glob("**/log.json"))


def complete(folder: Path, ended_by: str, failure: str | None, crc32: Sequence[int]) -> None:
    """Turns a journal into what stands beside the sound, whose channels have these checksums."""
    lines = read_lines(folder / NAME)
    facts: dict[str, Any] = {}
    for line in lines:
        facts |= line.get("facts", {})
    told = [[line[party] for line in lines if party in line] for party in PARTIES]
    user_words, agent_words = (tuple(Word(*word) for words, _ in of for word in words) for of in told)
    user_events, agent_events = (tuple(Event(**event) for _, events in of for event in events) for of in told)
    with wave.open(str(folder / "audio.wav"), "rb") as sound:
        length = np.broadcast_to(np.float32(0.0), (len(PARTIES), sound.getnframes()))  # all that the log wants of it
    times = read_times(folder / TIMES)
    save_beside(Recording(
        length, (user_words, agent_words), (user_events, agent_events), facts, ended_by, failure,
        times[:, 2].astype(np.float32), second_clock(times[:, :2].tolist())), folder, crc32)


def remove(folder: Path) -> None:
    """Removes a journal that has become a recording."""
    for name in (NAME, TIMES):
        (folder / name).unlink()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All lines but one that was cut off in the middle."""
    lines: list[dict[str, Any]] = []
    *complete_lines, _ = path.read_bytes().split(b"\n")
    for number, line in enumerate(complete_lines, 1):
        try:
            lines.append(json.loads(line))
        except ValueError as error:
            raise ValueError(f"{path} is damaged in line {number}: {error}; delete its folder to go on without this "
                             "call") from error
    return lines


def read_times(path: Path) -> np.ndarray:
    """(num_frames, 3) float64, without one that was cut off in the middle."""
    numbers = np.fromfile(path, "<f8")
    return numbers[:len(numbers) // 3 * 3].reshape(-1, 3)


def whole_frames(path: Path) -> None:
    """Sets a killed process's sound file right: its header tells of whole frames only, and so must its length."""
    with path.open("r+b") as file:
        num_frames = max(0, path.stat().st_size - HEADER.size) // FRAME_BYTES
        file.truncate(HEADER.size + num_frames * FRAME_BYTES)
        file.write(header(num_frames))


def header(num_frames: int) -> bytes:
    """What a WAV file with so many frames of both parties begins with."""
    size = num_frames * FRAME_BYTES
    return HEADER.pack(b"RIFF", HEADER.size - 8 + size, b"WAVEfmt ", 16, 1, len(PARTIES), SAMPLE_RATE,
                       SAMPLE_RATE * SAMPLE_BYTES, SAMPLE_BYTES, 16, b"data", size)
