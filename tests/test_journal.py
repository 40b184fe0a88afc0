"""What a killed process had said is on disk, and becomes a recording; a whole call is the same as one kept in memory."""

import json
from pathlib import Path

import numpy as np
import pytest
from says import Says, bursts

from duplex.agents.simple import Echo, Responder
from duplex.conversation import Prompt, converse, hold
from duplex.frame import FRAME_SAMPLES, Event, Frame, Word
from duplex.journal import CUT_OFF, NAME, Journal, recordings, recover
from duplex.recording import checksums, load, read_log, save
from duplex.wav import read_pcm16, write_pcm16


def user() -> Says:
    return Says(bursts((0.5, 1.2)), [Word("hello", 0.5, 1.2)], [Event("turn", 0.5, 1.2, {"text": "hello"})])


def journal(folder: Path) -> Journal:
    return Journal(folder, {"scenario": "call", "seed": 0})


def test_a_call_on_disk_is_the_one_in_memory(tmp_path: Path) -> None:
    save(converse(user(), Responder(), max_seconds=4.0, facts={"scenario": "call"}), tmp_path / "memory")
    kept = journal(tmp_path / "disk")
    kept.finish(*hold(user(), Responder(), kept, Prompt(), 0, 4.0))
    for name in ("audio.wav", "log.json"):
        assert (tmp_path / "disk" / name).read_bytes() == (tmp_path / "memory" / name).read_bytes()
    assert not (tmp_path / "disk" / NAME).exists()


def killed(kept: Journal) -> None:
    """What becomes of the files of a process that is no more."""
    for file in (kept.sound, kept.times, kept.lines):
        file.close()


def test_the_sound_is_whole_after_every_frame(tmp_path: Path) -> None:
    import wave
    kept = journal(tmp_path)
    for number in range(1, 4):
        kept.write(Frame(np.full(FRAME_SAMPLES, 0.5, np.float32)), Frame(np.zeros(FRAME_SAMPLES, np.float32)), 0.001)
        with wave.open(str(tmp_path / "audio.wav")) as sound:
            assert sound.getnframes() == number * FRAME_SAMPLES


def test_a_call_that_was_killed_is_recovered(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    hold(user(), Echo(), kept, Prompt(), 0, 2.0)
    killed(kept)
    with (tmp_path / "audio.wav").open("ab") as sound, (tmp_path / NAME).open("ab") as lines:  # in the middle of a frame
        sound.write(b"\x01\x02\x03")
        lines.write(b'{"at": [nu')
    with pytest.raises(FileNotFoundError, match="no recording"):
        load(tmp_path)
    assert recover(tmp_path) and not recover(tmp_path)
    recording = load(tmp_path)
    assert (recording.seconds, recording.ended_by, recording.failure) == (2.0, "failure", CUT_OFF)
    assert recording.words[0] == (Word("hello", 0.5, 1.2),) and recording.words[1] == (Word("hello", 0.58, 1.28),)
    assert len(recording.step_seconds) == 25 and recording.facts["scenario"] == "call"


def test_a_call_that_is_being_held_is_left_alone(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    hold(user(), Echo(), kept, Prompt(), 0, 0.8)
    assert not recover(tmp_path) and recordings(tmp_path) == []
    kept.write(Frame(np.zeros(FRAME_SAMPLES, np.float32)), Frame(np.zeros(FRAME_SAMPLES, np.float32)), 0.0)
    kept.finish("user")
    assert recordings(tmp_path) == [tmp_path] and load(tmp_path).seconds == pytest.approx(0.88)


def test_a_header_that_was_not_patched_is_set_right(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    hold(user(), Echo(), kept, Prompt(), 0, 0.8)
    with (tmp_path / "audio.wav").open("r+b") as sound:
        sound.seek(40)
        sound.write(bytes(4))
    killed(kept)
    recover(tmp_path)
    assert load(tmp_path).seconds == pytest.approx(0.8)


def test_what_is_known_at_the_end_is_kept(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    kept.write(Frame(np.zeros(FRAME_SAMPLES, np.float32), at=100.5), Frame(np.zeros(FRAME_SAMPLES, np.float32)), 0.0)
    kept.write(Frame(np.zeros(FRAME_SAMPLES, np.float32), at=100.58), Frame(np.zeros(FRAME_SAMPLES, np.float32), at=100.6), 0.0)
    kept.tell({"tally": {"user": {"late": 1}}})
    kept.finish("user")
    recording = load(tmp_path)
    assert recording.facts["tally"] == {"user": {"late": 1}}
    np.testing.assert_allclose(recording.clock, [[0.0, 0.08], [np.nan, 0.1]], atol=1e-9)


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    hold(user(), Echo(), kept, Prompt(), 0, 0.8)
    killed(kept)
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes().replace(b'"user"', b"user", 1))
    with pytest.raises(ValueError, match=r"journal.jsonl is damaged in line 2.*delete its folder"):
        recover(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="cannot save the recording"):
        journal(tmp_path / "file" / "call")


def test_lines_are_json(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    hold(user(), Echo(), kept, Prompt(), 0, 0.8)
    assert all(json.loads(line) for line in (tmp_path / NAME).read_text().splitlines())


def test_a_recovered_call_knows_its_sound(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    hold(user(), Echo(), kept, Prompt(), 0, 2.0)
    at_hand = kept.crc32
    killed(kept)
    recover(tmp_path)
    assert tuple(read_log(tmp_path)["crc32"].values()) == at_hand == checksums(read_pcm16(tmp_path / "audio.wav"))


def test_a_call_that_was_changed_after_it_was_over_is_noticed(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    kept.finish(*hold(user(), Echo(), kept, Prompt(), 0, 2.0))
    write_pcm16(tmp_path / "audio.wav", np.roll(read_pcm16(tmp_path / "audio.wav"), 960, axis=1))
    with pytest.raises(ValueError, match="the sound is not the one that was recorded"):
        load(tmp_path)
