"""Voices: whose are taken, what a file of one must hold, and that all ways to give one are the same voice."""

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("moshi")

import make_voice
import soundfile
import torch
from small_moshi import CARD, small_lm, small_mimi

from duplex.frame import SAMPLE_RATE
from duplex.speech_lm.checkpoint import find, load
from duplex.speech_lm.engine import Engine, Input, Output
from duplex.speech_lm.prompt import opening, prefix, system_prompt
from duplex.speech_lm.sampling import GREEDY
from duplex.speech_lm.voice import (
    VoicePrompt,
    levelled,
    named_voice,
    recorded_voice,
    save_voice,
    saved_voice,
    to_pt,
    voice_names,
    voice_prompt,
)

CODES = np.random.default_rng(5).integers(0, CARD, (8, 14))
ROLE = [11, 12, 13, 14]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(small_lm(), small_mimi(), slots=2)


@pytest.fixture(scope="module")
def voices(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive like the one that comes with the weights, and what one might hide in it."""
    archive = tmp_path_factory.mktemp("checkpoint") / "voices.tgz"
    voice = pt(to_pt(CODES, engine.lm))
    with tarfile.open(archive, "w:gz") as members:
        for name in ("voices/ANNA.pt", "voices/BERT.pt", "../EVIL.pt", "/voices/EVIL.pt", "voices/../EVIL.pt",
                     "voices/deep/EVIL.pt", "voices/._ANNA.pt", "voices/readme.txt"):
            member = tarfile.TarInfo(name)
            member.size = len(voice)
            members.addfile(member, io.BytesIO(voice))
        link = tarfile.TarInfo("voices/LINK.pt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        members.addfile(link)
    return archive


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2.5 s of noise with a rhythm; 31.25 frames."""
    path = tmp_path_factory.mktemp("speaker") / "carla.wav"
    seconds = np.arange(int(2.5 * SAMPLE_RATE)) / SAMPLE_RATE
    soundfile.write(path, np.random.default_rng(1).normal(0.0, 0.1, len(seconds)) * np.sin(3.0 * seconds) ** 2, SAMPLE_RATE)
    return path


# By name.


def test_allow_list_is_the_plain_voices_of_the_archive(voices: Path) -> None:
    assert voice_names(voices) == ["ANNA", "BERT"]


def test_allow_list_is_the_voices_of_the_folder(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "ANNA.pt").write_bytes(pt(to_pt(CODES, engine.lm)))
    (tmp_path / "readme.txt").write_text("not a voice")
    assert voice_names(tmp_path) == ["ANNA"]
    assert named_voice("ANNA", tmp_path, engine.lm).name == "ANNA"


def test_voice_of_the_archive_is_read_in_memory(engine: Engine, voices: Path) -> None:
    voice = named_voice("ANNA", voices, engine.lm)
    assert voice.heard is not None and voice.heard.embeddings.shape == (13, 64)
    assert [path.name for path in voices.parent.iterdir()] == ["voices.tgz"]


def test_name_may_end_like_its_file(engine: Engine, voices: Path) -> None:
    assert named_voice("ANNA.pt", voices, engine.lm).digest == named_voice("ANNA", voices, engine.lm).digest


@pytest.mark.parametrize("name", ["CARLA", "../EVIL", "../../etc/passwd", "/etc/passwd", "LINK", "._ANNA", "voices/ANNA", ""])
def test_unknown_names_are_refused_with_the_known_ones(engine: Engine, voices: Path, name: str) -> None:
    with pytest.raises(ValueError, match="there is no voice .*; there are ANNA, BERT"):
        named_voice(name, voices, engine.lm)


def test_absolute_path_of_a_real_voice_is_no_name(engine: Engine, voices: Path, tmp_path: Path) -> None:
    save_voice(tmp_path / "carla.pt", CODES, engine.lm)
    with pytest.raises(ValueError, match="there is no voice"):
        named_voice(str(tmp_path / "carla.pt"), voices, engine.lm)


def test_checkpoint_without_voices_says_so(engine: Engine) -> None:
    with pytest.raises(ValueError, match="there is no voice 'ANNA'; there are none with this checkpoint"):
        named_voice("ANNA", None, engine.lm)


def test_broken_archive_is_named(engine: Engine, voices: Path, tmp_path: Path) -> None:
    (tmp_path / "voices.tgz").write_bytes(voices.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"voices.tgz cannot be read as an archive of voices"):
        voice_names(tmp_path / "voices.tgz")


def test_config_may_ask_for_a_name_a_pt_or_a_recording(engine: Engine, voices: Path, recording: Path, tmp_path: Path) -> None:
    save_voice(tmp_path / "dora.pt", CODES, engine.lm)
    wanted = ["ANNA", str(tmp_path / "dora.pt"), str(recording)]
    found = [voice_prompt(one, voices, engine.lm, engine.mimi, consent=True).name for one in wanted]
    assert found == ["ANNA", "dora", "carla"]


# By file.


def test_pt_is_its_codes(engine: Engine, tmp_path: Path) -> None:
    save_voice(tmp_path / "both.pt", CODES, engine.lm)
    torch.save(to_pt(CODES, engine.lm), tmp_path / "embeddings.pt")
    codes, embeddings = (saved_voice(tmp_path / name, engine.lm) for name in ("both.pt", "embeddings.pt"))
    assert embeddings.codes is None and np.array_equal(codes.codes, CODES)
    assert np.array_equal(said(engine, codes), said(engine, embeddings))


def test_pt_with_codes_serves_another_model(engine: Engine, tmp_path: Path) -> None:
    save_voice(tmp_path / "carla.pt", CODES, engine.lm)
    assert np.array_equal(saved_voice(tmp_path / "carla.pt", small_lm(seed=1, dim=32)).codes, CODES)


def test_pt_without_codes_does_not_serve_another_model(engine: Engine, tmp_path: Path) -> None:
    torch.save(to_pt(CODES, engine.lm), tmp_path / "carla.pt")
    with pytest.raises(ValueError, match="for another model: its embeddings have 64 numbers, this model's have 32"):
        saved_voice(tmp_path / "carla.pt", small_lm(dim=32))


def test_pt_of_other_weights_is_warned_about(engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.save(to_pt(CODES, engine.lm), tmp_path / "carla.pt")
    saved_voice(tmp_path / "carla.pt", engine.lm)
    assert not caplog.records
    saved_voice(tmp_path / "carla.pt", small_lm(seed=1))
    assert "carla was probably made for other weights" in caplog.text


def test_pt_in_bfloat16_is_not_warned_about(engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    voice = to_pt(CODES, engine.lm)
    torch.save(voice | {"embeddings": voice["embeddings"].bfloat16()}, tmp_path / "carla.pt")
    saved_voice(tmp_path / "carla.pt", engine.lm)
    assert not caplog.records


@pytest.mark.parametrize(("change", "complaint"), [
    (lambda voice: {"embeddings": voice["embeddings"]}, r"it has \['embeddings'\], a voice has embeddings and cache"),
    (lambda voice: voice | {"embeddings": voice["embeddings"][:, 0]}, r"its embeddings are \(13, 1, 64\) of float32"),
    (lambda voice: voice | {"embeddings": voice["embeddings"].long()}, r"its embeddings are \(13, 1, 1, 64\) of int64"),
    (lambda voice: voice | {"embeddings": voice["embeddings"][:0]}, r"its embeddings are \(0, 1, 1, 64\)"),
    (lambda voice: voice | {"embeddings": voice["embeddings"] * float("nan")}, "its embeddings are not all finite"),
    (lambda voice: voice | {"cache": voice["cache"][..., :3]}, r"its cache is \(1, 17, 3\) of int64"),
    (lambda voice: voice | {"cache": voice["cache"].float()}, r"its cache is \(1, 17, 4\) of float32"),
    (lambda voice: voice | {"cache": voice["cache"] + 5_000}, "its last tokens are not among this model's"),
    (lambda voice: voice | {"codes": torch.full((8, 3), 2048)}, "made for another model: its codes are"),
    (lambda voice: voice | {"codes": torch.zeros(4, 3, dtype=torch.long)}, r"its codes are \(4, 3\) of int64"),
    (lambda voice: voice | {"name": "carla"}, "a voice is a dictionary of tensors"),
    (lambda voice: voice["cache"], "a voice is a dictionary of tensors")])
def test_pt_of_something_else_says_what_is_wrong(engine: Engine, tmp_path: Path, change: Callable[..., object],
                                                 complaint: str) -> None:
    torch.save(change(to_pt(CODES, engine.lm)), tmp_path / "carla.pt")
    with pytest.raises(ValueError, match=complaint):
        saved_voice(tmp_path / "carla.pt", engine.lm)


class Code:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("code-was-run",)


def test_pt_with_code_is_not_run(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"embeddings": Code()}, "carla.pt")
    with pytest.raises(ValueError, match="it holds more than tensors .such a file can run code."):
        saved_voice("carla.pt", engine.lm)
    assert os.listdir() == ["carla.pt"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.99])
def test_truncated_pt_is_one_line_of_complaint(engine: Engine, tmp_path: Path, share: float) -> None:
    whole = pt(to_pt(CODES, engine.lm))
    (tmp_path / "carla.pt").write_bytes(whole[:int(share * len(whole))])
    with pytest.raises(ValueError, match="the voice carla cannot be read: the file is cut short") as complaint:
        saved_voice(tmp_path / "carla.pt", engine.lm)
    assert "\n" not in str(complaint.value)


def test_other_file_is_not_a_voice(engine: Engine, recording: Path) -> None:
    with pytest.raises(ValueError, match="the voice carla .* not a .pt file"):
        saved_voice(recording, engine.lm)


# By recording.


def test_recording_needs_its_speakers_consent(engine: Engine, recording: Path) -> None:
    with pytest.raises(ValueError, match="needs its speaker's consent; if you have it, say so with agent.consent=true"):
        voice_prompt(str(recording), None, engine.lm, engine.mimi)


def test_recording_and_the_pt_made_of_it_are_the_same_voice(engine: Engine, recording: Path, tmp_path: Path) -> None:
    heard = recorded_voice(recording, engine.mimi, consent=True)
    save_voice(tmp_path / "carla.pt", heard.codes, engine.lm)
    saved = saved_voice(tmp_path / "carla.pt", engine.lm)
    assert heard.codes.shape == (8, 32)  # the last frame is filled up
    assert saved.digest == heard.digest
    assert np.array_equal(said(engine, heard), said(engine, saved))


def test_recording_is_encoded_as_by_a_codec_of_its_own(engine: Engine, recording: Path) -> None:
    samples = levelled(soundfile.read(recording, dtype="float32")[0], recording)
    with torch.no_grad():
        alone = small_mimi().encode(torch.from_numpy(np.pad(samples, (0, -len(samples) % 1920)))[None, None])[0]
    assert np.array_equal(recorded_voice(recording, engine.mimi, consent=True).codes, alone.numpy())


def test_conversation_does_not_notice_that_a_voice_is_encoded(engine: Engine, recording: Path) -> None:
    users = np.random.default_rng(2).normal(0.0, 0.1, (8, 1920)).astype(np.float32)

    def talk(encode: bool) -> list[Output]:
        engine.open(0, seed=0, sampling=GREEDY)
        outputs = []
        for frame, samples in enumerate(users):
            if encode and frame == 4:
                recorded_voice(recording, engine.mimi, consent=True)
            outputs.append(engine.tick({0: Input(samples)})[0])
        return outputs

    for undisturbed, disturbed in zip(talk(encode=False), talk(encode=True), strict=True):
        assert np.array_equal(undisturbed.codes, disturbed.codes)
        assert np.array_equal(undisturbed.samples, disturbed.samples)


def test_loudness_of_a_recording_does_not_matter(engine: Engine, recording: Path, tmp_path: Path) -> None:
    loud, _ = soundfile.read(recording)
    soundfile.write(tmp_path / "quiet.flac", 0.25 * loud, SAMPLE_RATE, subtype="PCM_24")
    meter = pytest.importorskip("pyloudnorm").Meter(SAMPLE_RATE)
    for path in (recording, tmp_path / "quiet.flac"):
        samples, _ = soundfile.read(path, dtype="float32")
        assert meter.integrated_loudness(levelled(samples, path)) == pytest.approx(-24.0, abs=0.01)


def test_script_makes_the_voice_of_a_recording(tiny: Callable[[str], Path], recording: Path, tmp_path: Path) -> None:
    made = make_voice.make(recording, tmp_path / "carla.pt", tiny("personaplex"), dtype="float32")
    model = load(find("personaplex", path=tiny("personaplex")), dtype="float32")
    heard = recorded_voice(recording, model.mimi, consent=True)
    assert made["frames"] == 32 and made["seconds"] == 2.56
    assert made["digest"] == heard.digest == saved_voice(tmp_path / "carla.pt", model.lm).digest


def test_script_asks_for_consent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["make_voice.py", "carla.wav", "carla.pt"])
    with pytest.raises(SystemExit):
        make_voice.main()
    assert "needs its speaker's consent; if you have it, say so with --consent" in capsys.readouterr().err


def test_voices_of_a_checkpoint_are_voices(tiny: Callable[[str], Path], caplog: pytest.LogCaptureFixture) -> None:
    model = load(find("personaplex", path=tiny("personaplex")), dtype="float32")
    names = voice_names(model.checkpoint.voices)
    assert names and all(named_voice(name, model.checkpoint.voices, model.lm).heard for name in names)
    assert not caplog.records


def test_recording_too_short_for_a_meter_says_how_short(engine: Engine, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.random.default_rng(3).normal(0.0, 0.1, 9_000), SAMPLE_RATE)
    with pytest.raises(ValueError, match=r"short.wav has 0.38 s of sound, a voice needs 0.4 s or more"):
        recorded_voice(tmp_path / "short.wav", engine.mimi, consent=True)


def test_silent_recording_is_refused(engine: Engine, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(48_000), SAMPLE_RATE)
    with pytest.raises(ValueError, match="silent.wav is silent"):
        recorded_voice(tmp_path / "silent.wav", engine.mimi, consent=True)


def test_rumble_below_hearing_is_too_quiet_for_a_voice(engine: Engine, tmp_path: Path) -> None:
    rumble = 0.02 * np.sin(2.0 * np.pi * 3.0 * np.arange(48_000) / SAMPLE_RATE) * np.hanning(48_000)
    soundfile.write(tmp_path / "rumble.wav", rumble, SAMPLE_RATE, subtype="FLOAT")
    with pytest.raises(ValueError, match="rumble.wav is too quiet for a voice"):
        recorded_voice(tmp_path / "rumble.wav", engine.mimi, consent=True)


def pt(content: object) -> bytes:
    """What torch.save writes."""
    data = io.BytesIO()
    torch.save(content, data)
    return data.getvalue()


def said(engine: Engine, voice: VoicePrompt) -> np.ndarray:
    """(20, 9) tokens after the voice and a role."""
    script = system_prompt(ROLE, voice.codes)
    engine.open(1, seed=0, sampling=GREEDY, prefix=engine.prefill(*prefix(engine.lm, script, voice.heard)))
    users = np.random.default_rng(7).integers(0, CARD, (19, 8))
    outputs = [engine.tick({1: one})[1] for one in [opening(script), *(Input(codes=codes) for codes in users)]]
    return np.array([[output.text, *output.codes] for output in outputs])
