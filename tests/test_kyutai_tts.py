"""Kyutai's synthesiser on tiny random weights: its frames, its words, sentences side by side, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("moshi")
pytest.importorskip("espeakng_loader")

import torch
from exact import Costs, after, call, cascade, events, heard_from_agent, incremental
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from moshi.utils.compile import no_compile
from piped import ROOT
from test_cascade import NEW_REQUEST, PARKING, PRICE, REQUEST
from tiny_tts import DELAY, VOICE_SUFFIX, make

from duplex.conversation import ConversationFailed
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS
from duplex.stages.speaking.kyutai_tts import SKIPPED, KyutaiTTS, timed
from duplex.stages.speaking.pieces import joined
from duplex.stages.speaking.tts import StreamsSpeech
from duplex.workers import Charged

TEXT = "An eye test is thirty-five dollars."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("tts"))


@pytest.fixture(scope="module")
def voice(folder: Path) -> KyutaiTTS:
    return synthesiser(folder)


def synthesiser(folder: Path, **settings: object) -> KyutaiTTS:
    given = {"path": str(folder), "voice": str(folder / f"anna{VOICE_SUFFIX}"), "device": "cpu", "num_codebooks": 8, **settings}
    return KyutaiTTS(**given)  # type: ignore[arg-type]  # settings of several types


def test_it_streams_frames_of_eighty_milliseconds(voice: KyutaiTTS) -> None:
    assert isinstance(voice, StreamsSpeech)
    assert {len(piece.samples) for piece in voice.stream("Hello there.")} == {FRAME_SAMPLES}


def test_its_sound_is_that_of_the_library(folder: Path) -> None:
    voice = synthesiser(folder, temperature=0.0)
    ours = voice.synthesise(TEXT).samples
    with no_compile():
        theirs = voice.model.simple_generate(TEXT, str(folder / f"anna{VOICE_SUFFIX}"), show_progress=False)[0].numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert np.abs(ours).max() > 0.1


def test_every_word_begins_where_the_model_read_it(folder: Path) -> None:
    voice = synthesiser(folder, temperature=0.0)
    speech = voice.synthesise(TEXT)
    read = voice.sentence.script.transcript
    assert [word.text for word in speech.words] == "an eye test is thirty five dollars".split()
    starts = {word.text: word.start for word in speech.words}
    for text, step in read:
        first = text.lower().strip(".").split("-")[0]
        assert starts[first] == pytest.approx(max(0, step - SKIPPED) * FRAME_SECONDS)


def test_a_word_lasts_until_the_next_one_where_that_is_known() -> None:
    assert timed("thirty-five", 1.0, 2.0) == [("thirty", 1.0, pytest.approx(1.6)), ("five", pytest.approx(1.6), 2.0)]


def test_a_text_is_said_the_same_whatever_was_said_before(voice: KyutaiTTS) -> None:
    first = voice.synthesise(TEXT).samples
    voice.synthesise("Hello there.")
    np.testing.assert_array_equal(voice.synthesise(TEXT).samples, first)


def test_another_seed_says_it_another_way(folder: Path, voice: KyutaiTTS) -> None:
    first, other = voice.synthesise("Hello.").samples, synthesiser(folder, seed=1).synthesise("Hello.").samples
    shorter = min(len(first), len(other))
    assert not np.array_equal(first[:shorter], other[:shorter])


def test_sentences_side_by_side_do_not_hear_each_other(voice: KyutaiTTS) -> None:
    alone = [voice.synthesise(text).samples for text in (TEXT, "Hello there.")]
    one, other = voice.stream(TEXT), voice.stream("Hello there.")
    pieces: tuple[list[np.ndarray], list[np.ndarray]] = [], []
    for first, second in zip(one, other):
        pieces[0].append(first.samples)
        pieces[1].append(second.samples)
    pieces[0].extend(piece.samples for piece in one)
    np.testing.assert_array_equal(np.concatenate(pieces[1]), alone[1][: sum(map(len, pieces[1]))])
    together = np.concatenate(pieces[0])
    np.testing.assert_array_equal(together[: len(pieces[1]) * FRAME_SAMPLES], alone[0][: len(pieces[1]) * FRAME_SAMPLES])


def test_the_draws_of_others_stand_where_they_stood(voice: KyutaiTTS) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    voice.synthesise("Hello.")
    torch.testing.assert_close(torch.rand(3), expected, atol=0.0, rtol=0.0)


def test_a_sentence_that_is_stopped_leaves_its_seat_to_the_next(folder: Path) -> None:
    voice = synthesiser(folder)
    for _ in range(3):
        stream = voice.stream(TEXT)
        next(stream)
        stream.close()  # type: ignore[attr-defined]  # a generator
    assert len(voice.seats) == 1


def test_a_sentence_ends_after_its_longest_time(folder: Path) -> None:
    assert synthesiser(folder, max_seconds=1.2).synthesise("one two three four five six seven eight").seconds <= 1.2


def test_a_voice_is_heard(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file
    save_file({"speaker_wavs": torch.ones(1, 8, 12) * 3.0}, tmp_path / "ben.safetensors")
    ben = synthesiser(folder, temperature=0.0, voice=str(tmp_path / "ben.safetensors"))
    first, other = synthesiser(folder, temperature=0.0).synthesise("Hello.").samples, ben.synthesise("Hello.").samples
    assert not np.array_equal(first[: len(other)], other[: len(first)])


def test_a_model_without_voices_speaks_with_its_own(tmp_path: Path) -> None:
    folder = make(tmp_path, voices=False)
    assert synthesiser(folder, voice=None).synthesise("Hello.").seconds > 0.0
    with pytest.raises(ValueError, match="takes no embedding of a voice: give voice=null"):
        synthesiser(folder)


def test_what_it_can_not_be_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cfg_coef is one of 1.0, 1.5, 2.0 for this model, not 3.0"):
        synthesiser(folder, cfg_coef=3.0)
    with pytest.raises(ValueError, match="there is no file nobody.safetensors"):
        synthesiser(folder, voice="nobody.safetensors")
    with pytest.raises(ValueError, match="nothing to say"):
        synthesiser(folder).synthesise("...")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "moshi"}))
    with pytest.raises(ValueError, match="is of model_type moshi, not tts"):
        synthesiser(tmp_path)


def test_a_file_that_the_config_names_and_nobody_has_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(ValueError, match="has no dsm_tts.safetensors, tokenizer-e351c8d8"):
        synthesiser(tmp_path)


def test_damaged_weights_fail_the_call_and_say_so(folder: Path) -> None:
    voice = synthesiser(folder)
    with torch.no_grad():
        voice.model.lm.text_linear.weight.fill_(float("nan"))
    with pytest.raises(ConversationFailed, match="OSError: kyutai .* wrote no numbers"):
        call(cascade(tts=voice), (0.4, REQUEST))


# In an agent


@pytest.mark.slow
@pytest.mark.parametrize("make_agent", [cascade, incremental])
def test_an_agent_speaks_with_it(folder: Path, make_agent: type) -> None:
    voice = synthesiser(folder, max_seconds=8.0)
    recording = call(make_agent(tts=voice), (0.4, REQUEST), seconds=14.0)
    assert PRICE.startswith(heard_from_agent(recording)[:40])
    assert not events(recording, "underrun")
    assert FRAME_SECONDS * DELAY == pytest.approx(0.32)


@pytest.mark.slow
def test_barge_in_stops_it_and_nothing_stale_is_said(folder: Path) -> None:
    agent = cascade(tts=synthesiser(folder), worker=Charged(Costs(tts=0.1, tts_piece=0.05)))
    recording = call(agent, (0.4, REQUEST), (3.4, NEW_REQUEST), seconds=12.0)
    over = after(3.4, NEW_REQUEST)
    assert events(recording, "barge_in")
    said = heard_from_agent(recording, over)
    assert said and PARKING.startswith(said)


def test_the_config_makes_it(folder: Path) -> None:
    with initialize_config_dir(version_base=None, config_dir=str(ROOT / "configs")):
        config = compose("bench", [
            "agent=cascade_oracle", "vad@agent.vad=energy", "tts@agent.tts=kyutai", f"agent.tts.path={folder}",
            f"agent.tts.voice={folder}/anna{VOICE_SUFFIX}", "agent.tts.device=cpu", "agent.tts.num_codebooks=8"])
    config.latency = config.clocks.ideal
    agent = instantiate(config.agent)
    assert agent.facts["tts"]["licence"] == "cc-by-4.0"
    assert joined([agent.tts.synthesise("Hello.")]).seconds > 0.0
