"""A recording comes back from disk as it was, or says what is wrong with it."""

import json
from pathlib import Path

import numpy as np
import pytest

from duplex.frame import FRAME_SAMPLES, Event, Frame, Word
from duplex.recording import FULL_SCALE, Recorder, Recording, checksums, load, save
from duplex.wav import read_pcm16, write_pcm16


def conversation(num_frames: int = 20, seed: int = 0) -> Recording:
    random = np.random.default_rng(seed)
    recorder = Recorder({"scenario": "shoes", "seed": 3, "clock": {"name": "ideal"}, "tags": ["a", None, 1.5]})
    for index in range(num_frames):
        samples = random.uniform(-1.0, 1.0, (2, FRAME_SAMPLES)).astype(np.float32)
        recorder.write(
            Frame(samples[0], (Word(f"wört{index}", 0.01, 0.1234567),)),
            Frame(samples[1], events=(Event("endpoint", 0.079, 0.079, {"text": "né", "delays": [0.1, 0.2]}),)),
            step_seconds=0.001 * index)
    return recorder.finish(ended_by="user")


def test_a_recording_comes_back_exactly(tmp_path: Path) -> None:
    before = conversation()
    save(before, tmp_path / "run" / "one")
    after = load(tmp_path / "run" / "one")
    np.testing.assert_array_equal(after.audio, before.audio)
    np.testing.assert_array_equal(after.step_seconds, before.step_seconds)
    assert (after.audio.dtype, after.audio.shape) == (np.float32, (2, 20 * FRAME_SAMPLES))
    assert (after.words, after.events) == (before.words, before.events)
    assert (after.facts, after.ended_by, after.failure) == (before.facts, "user", None)


def test_an_empty_recording_comes_back(tmp_path: Path) -> None:
    save(Recorder({}).finish("failure", "KeyError: 'model'"), tmp_path)
    after = load(tmp_path)
    assert after.audio.shape == (2, 0)
    assert (after.ended_by, after.failure) == ("failure", "KeyError: 'model'")


def test_full_scale_does_not_wrap_round(tmp_path: Path) -> None:
    save(Recording(np.array([[1.0, -1.0], [-1.0, 1.0]], np.float32)), tmp_path)
    np.testing.assert_array_equal(load(tmp_path).audio, [[1.0, -1.0], [-1.0, 1.0]])


def test_audio_is_on_the_16_bit_grid_before_it_is_saved() -> None:
    audio = conversation().audio.astype(np.float64) * FULL_SCALE
    assert np.abs(audio - np.rint(audio)).max() < 0.01


def test_times_count_from_the_first_sample_to_the_microsecond() -> None:
    recording = conversation(3)
    assert recording.words[0] == (Word("wört0", 0.01, 0.123457), Word("wört1", 0.09, 0.203457),
                                  Word("wört2", 0.17, 0.283457))
    assert [event.start for event in recording.events[1]] == [0.079, 0.159, 0.239]


def test_saving_again_replaces_what_was_there(tmp_path: Path) -> None:
    save(conversation(20), tmp_path)
    save(conversation(5, seed=1), tmp_path)
    np.testing.assert_array_equal(load(tmp_path).audio, conversation(5, seed=1).audio)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audio.wav", "log.json", "step_seconds.npy"]


def test_step_times_may_be_missing(tmp_path: Path) -> None:
    save(conversation(), tmp_path)
    (tmp_path / "step_seconds.npy").unlink()
    assert load(tmp_path).step_seconds.shape == (0,)


def test_a_folder_without_a_log_was_never_finished(tmp_path: Path) -> None:
    save(conversation(), tmp_path)
    (tmp_path / "log.json").unlink()
    with pytest.raises(FileNotFoundError, match="no recording in .*log.json"):
        load(tmp_path)


def test_another_schema_is_named(tmp_path: Path) -> None:
    save(conversation(), tmp_path)
    log = json.loads((tmp_path / "log.json").read_text())
    (tmp_path / "log.json").write_text(json.dumps({**log, "schema": 99}))
    with pytest.raises(ValueError, match="schema 99, this version reads 1"):
        load(tmp_path)


def test_a_log_cut_off_is_named(tmp_path: Path) -> None:
    save(conversation(), tmp_path)
    text = (tmp_path / "log.json").read_text()
    (tmp_path / "log.json").write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match="log.json is not JSON"):
        load(tmp_path)


def test_a_log_without_its_sound_is_named(tmp_path: Path) -> None:
    save(conversation(), tmp_path)
    (tmp_path / "audio.wav").unlink()
    with pytest.raises(FileNotFoundError, match="audio.wav"):
        load(tmp_path)


@pytest.mark.parametrize("missing_bytes", [
    4, 5_000,
    1,
    2,
])
def test_a_wav_cut_off_is_named(tmp_path: Path, missing_bytes: int) -> None:
    save(conversation(), tmp_path)
    path = tmp_path / "audio.wav"
    path.write_bytes(path.read_bytes()[:-missing_bytes])
    with pytest.raises(ValueError, match="audio.wav"):
        load(tmp_path)


def test_the_log_of_another_conversation_is_noticed(tmp_path: Path) -> None:
    save(conversation(20), tmp_path / "one")
    save(conversation(21), tmp_path / "other")
    (tmp_path / "other" / "log.json").replace(tmp_path / "one" / "log.json")
    with pytest.raises(ValueError, match="lasts 1.600 s.*says 1.680 s.*not from the same conversation"):
        load(tmp_path / "one")


def test_a_mono_file_is_no_conversation(tmp_path: Path) -> None:
    save(conversation(), tmp_path)
    write_pcm16(tmp_path / "audio.wav", np.zeros((1, 20 * FRAME_SAMPLES), np.int16))
    with pytest.raises(ValueError, match="needs two channels, left user and right agent, not 1"):
        load(tmp_path)


def test_something_else_than_a_wav_is_named(tmp_path: Path) -> None:
    save(conversation(), tmp_path)
    (tmp_path / "audio.wav").write_bytes(b"ID3 this is an mp3")
    with pytest.raises(ValueError, match="audio.wav is not a WAV file"):
        load(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")  # works for root too, whom permissions do not stop
    with pytest.raises(OSError, match="cannot save the recording .*choose another folder.*file/run"):
        save(conversation(), tmp_path / "file" / "run")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("part", ["audio.wav", "step_seconds.npy", "log.json.part"])
def test_a_full_disk_is_named_and_leaves_no_log(tmp_path: Path, part: str) -> None:
    (tmp_path / part).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device.*free space"):
        save(conversation(), tmp_path)
    with pytest.raises(FileNotFoundError, match="no recording"):
        load(tmp_path)


def change(path: Path, samples: np.ndarray) -> None:
    """Puts another sound of the same length in the place of the recorded one."""
    write_pcm16(path / "audio.wav", samples)


def test_another_sound_of_the_same_length_is_noticed(tmp_path: Path) -> None:
    save(conversation(20), tmp_path)
    recorded = read_pcm16(tmp_path / "audio.wav")
    change(tmp_path, np.stack([recorded[0], np.roll(recorded[1], 1)]))
    with pytest.raises(ValueError, match=r"not the one that was recorded \(the agent's channel has another checksum"):
        load(tmp_path)


def test_swapped_channels_are_noticed_by_their_checksums(tmp_path: Path) -> None:
    save(conversation(20), tmp_path)
    change(tmp_path, read_pcm16(tmp_path / "audio.wav")[::-1])
    with pytest.raises(ValueError, match="has its channels swapped: left is the user"):
        load(tmp_path)


def test_a_single_bit_is_noticed(tmp_path: Path) -> None:
    save(conversation(20), tmp_path)
    recorded = read_pcm16(tmp_path / "audio.wav").copy()
    recorded[0, 100] ^= 1
    change(tmp_path, recorded)
    with pytest.raises(ValueError, match="the user's channel has another checksum"):
        load(tmp_path)


def test_a_log_from_before_there_were_checksums_is_read(tmp_path: Path) -> None:
    save(conversation(20), tmp_path)
    log = json.loads((tmp_path / "log.json").read_text())
    del log["crc32"]
    (tmp_path / "log.json").write_text(json.dumps(log))
    np.testing.assert_array_equal(load(tmp_path).audio, conversation(20).audio)


def test_checksums_go_on_from_where_they_were() -> None:
    samples = np.random.default_rng(0).integers(-9, 9, (2, 100), np.int16)
    assert checksums(samples[:, 40:], checksums(samples[:, :40])) == checksums(samples)
