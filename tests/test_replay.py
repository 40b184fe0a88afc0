"""Sound files of every kind are heard alike, bad ones are named, and a recorded caller says everything again."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from says import segments

from duplex.agents.simple import Echo, NeverAnswers
from duplex.conversation import converse
from duplex.frame import SAMPLE_RATE, Event, Word
from duplex.recording import AGENT, USER, Recording, load, save
from duplex.replay import Replay
from duplex.sound_file import read_sound


def sine(rate: int, seconds: float = 0.5, hertz: float = 440.0, amplitude: float = 0.5) -> np.ndarray:
    """(num_samples,) float64, the same sound at every rate."""
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def written(path: Path, samples: np.ndarray, rate: int = SAMPLE_RATE, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("kind, subtype, error", [
    ("wav", "PCM_U8", 0.01), ("wav", "PCM_16", 0.001), ("wav", "PCM_24", 0.001), ("wav", "PCM_32", 0.001),
    ("wav", "FLOAT", 0.001), ("wav", "DOUBLE", 0.001), ("wav", "ULAW", 0.03), ("flac", "PCM_24", 0.001),
    ("ogg", "VORBIS", 0.05)])
def test_every_format_rate_and_width_is_the_same_sound(tmp_path: Path, rate: int, kind: str, subtype: str,
                                                       error: float) -> None:
    sound = read_sound(written(tmp_path / f"sound.{kind}", sine(rate), rate, subtype))
    assert (sound.dtype, sound.shape) == (np.float32, (12_000,))
    inner = slice(1_200, -1_200)  # resamplers and codecs ring where sound begins and ends hard
    assert np.abs(sound[inner] - sine(SAMPLE_RATE)[inner]).max() < error


def test_stereo_is_its_left_channel_unless_told_otherwise(tmp_path: Path) -> None:
    both = np.stack([sine(44_100), sine(44_100, hertz=880.0)], axis=1)
    path = written(tmp_path / "sound.wav", both, 44_100, "PCM_U8")
    for channel, hertz in ((None, 440), (0, 440), (1, 880)):
        spectrum = np.abs(np.fft.rfft(read_sound(path, channel)))
        assert np.argmax(spectrum) * SAMPLE_RATE / 12_000 == hertz


def test_a_channel_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "sound.wav", sine(SAMPLE_RATE))
    with pytest.raises(ValueError, match=r"1 channel\(s\), so there is no channel 1"):
        read_sound(path, channel=1)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no file .*gone.wav"):
        read_sound(tmp_path / "gone.wav")


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "no_bytes.wav").write_bytes(b"")
    with pytest.raises(ValueError, match="no_bytes.wav is empty: it has no bytes"):
        read_sound(tmp_path / "no_bytes.wav")
    with pytest.raises(ValueError, match="no_samples.wav is empty: it has no samples"):
        read_sound(written(tmp_path / "no_samples.wav", np.zeros(0)))


def test_something_that_is_no_sound_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.wav").write_text("<html>404 not found</html>" * 50)
    with pytest.raises(ValueError, match="page.wav is not a sound file"):
        read_sound(tmp_path / "page.wav")


def test_silence_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="silent in channel 0: its loudest 10 ms are at -120 dB"):
        read_sound(written(tmp_path / "digital.wav", np.zeros(24_000)))
    with pytest.raises(ValueError, match="silent .* -63 dB"):
        read_sound(written(tmp_path / "hiss.wav", sine(SAMPLE_RATE, amplitude=0.001)))


def test_nan_is_named(tmp_path: Path) -> None:
    broken = sine(SAMPLE_RATE)
    broken[100:103] = np.nan
    with pytest.raises(ValueError, match="3 samples that are NaN"):
        read_sound(written(tmp_path / "nan.wav", broken, subtype="FLOAT"))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
def test_clipping_is_named_and_full_scale_is_not(tmp_path: Path, subtype: str) -> None:
    with pytest.raises(ValueError, match=r"clipped: \d\d.\d% of its samples are at full scale, at most 1%"):
        read_sound(written(tmp_path / "loud.wav", np.clip(sine(SAMPLE_RATE, amplitude=1.5), -1, 1), subtype=subtype))
    peak = 0.98 if subtype == "PCM_U8" else 1.0
    full = written(tmp_path / "full.wav", sine(SAMPLE_RATE, amplitude=peak), subtype=subtype)
    assert np.abs(read_sound(full)).max() <= 1.0


def test_without_soundfile_one_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "sound.wav", sine(SAMPLE_RATE))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ImportError, match="pip install soundfile soxr"):
        read_sound(path)


def test_without_soxr_the_harness_rate_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    assert read_sound(written(tmp_path / "same.wav", sine(SAMPLE_RATE))).shape == (12_000,)
    with pytest.raises(ImportError, match="44100 Hz at 24000 Hz needs soxr"):
        read_sound(written(tmp_path / "other.wav", sine(44_100), 44_100))


def test_a_file_is_played_then_silence_then_hanging_up(tmp_path: Path) -> None:
    path = written(tmp_path / "sound.wav", sine(SAMPLE_RATE, seconds=0.5))
    recording = converse(Replay(path, tail=2.0), NeverAnswers())
    assert (recording.ended_by, recording.seconds) == ("user", 2.56)  # 2.5 s in whole frames
    np.testing.assert_allclose(recording.audio[USER, :12_000], sine(SAMPLE_RATE, 0.5), atol=5e-5)
    assert not recording.audio[USER, 12_000:].any()
    assert recording.events[USER] == () and recording.words[USER] == ()


def test_a_folder_is_played_in_order_with_gaps(tmp_path: Path) -> None:
    written(tmp_path / "b.flac", sine(SAMPLE_RATE, 0.3) + 0.1)
    written(tmp_path / "a.wav", sine(SAMPLE_RATE, 0.2) + 0.1)
    (tmp_path / "notes.txt").write_text("not a sound")
    recording = converse(Replay(tmp_path, gap=0.7, tail=0.5), NeverAnswers())
    assert segments(recording.audio[USER]) == [(0.0, 0.2), (0.9, 1.2)]


def test_a_file_acts_when_one_says_what_it_is(tmp_path: Path) -> None:
    padded = np.concatenate([np.zeros(2_400), sine(SAMPLE_RATE, 0.3), np.zeros(4_800)])
    path = written(tmp_path / "sound.wav", padded)
    assert converse(Replay(path, act="turn"), NeverAnswers()).events[USER] == (Event("turn", 0.1, 0.4),)


def test_a_recorded_caller_says_everything_again(tmp_path: Path) -> None:
    audio = np.rint(np.random.default_rng(0).uniform(-1, 1, (2, 1500 * 1920)) * 32_767) / 32_767
    words = tuple(Word(f"w{index}", round(index * 0.08, 6), round(index * 0.08 + 0.07, 6)) for index in range(1500))
    events = (Event("turn", 0.0, 3.1, {"text": "hello"}), Event("backchannel", 5.6, 6.0))
    save(Recording(audio.astype(np.float32), (words, ()), (events, ())), tmp_path)
    replayed = converse(Replay(tmp_path, tail=0.0), NeverAnswers(), max_seconds=200.0)
    np.testing.assert_array_equal(replayed.audio[USER], load(tmp_path).audio[USER])
    assert replayed.words[USER] == words  # at every frame border too
    assert replayed.events[USER] == events


def test_the_other_party_of_a_recording_is_its_second_channel(tmp_path: Path) -> None:
    save(Recording(np.stack([np.zeros(1920), np.full(1920, 0.5)]).astype(np.float32)), tmp_path)
    assert converse(Replay(tmp_path, tail=0.0, channel=1), Echo()).audio[USER].min() > 0.49
    with pytest.raises(ValueError, match="0 is its user and 1 its agent, there is no 2"):
        Replay(tmp_path, channel=2)


def test_a_replay_of_a_replay_is_the_same(tmp_path: Path) -> None:
    first = converse(Replay(written(tmp_path / "a.wav", sine(SAMPLE_RATE)), tail=1.0), Echo())
    save(first, tmp_path / "run")
    second = converse(Replay(tmp_path / "run", tail=0.0), Echo())
    np.testing.assert_array_equal(second.audio, first.audio)
    assert second.audio[AGENT].any()


def test_what_cannot_be_replayed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no sound files"):
        Replay(tmp_path)
    with pytest.raises(ValueError, match="there is no file"):
        Replay(tmp_path / "gone")
    with pytest.raises(ValueError, match="0 s or more, not -1.0 s"):
        Replay(tmp_path, gap=-1.0)
