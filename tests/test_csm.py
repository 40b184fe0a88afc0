"""CSM on tiny random weights: what it hears, what it says, how its frames become sound, and what is cut from its memory."""

from pathlib import Path
from typing import Final

import numpy as np
import pytest

pytest.importorskip("transformers")
pytest.importorskip("espeakng_loader")

import torch
from exact import Costs, after, call, cascade, events, heard_from_agent, incremental
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from piped import ROOT
from test_cascade import NEW_REQUEST, PARKING, PRICE, REQUEST
from tiny_csm import CODEBOOKS, SIZE, make

from duplex.agents.cascade import Cascade
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from duplex.recording import AGENT, USER
from duplex.stages.speaking.csm import CALLER, OWN, Csm, as_written
from duplex.stages.speaking.csm_model import CsmModel, Sampling, Segment
from duplex.stages.speaking.mimi_sound import MimiSound
from duplex.stages.speaking.tts import Remembers, StreamsSpeech
from duplex.wav import write_pcm16
from duplex.workers import Charged

HELLO: Final = "Hello there."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("csm"))


@pytest.fixture(scope="module")
def model(folder: Path) -> CsmModel:
    return CsmModel("", "main", str(folder), "cpu", "auto")


@pytest.fixture
def voice(folder: Path) -> Csm:
    return Csm(path=str(folder), device="cpu", max_seconds=2.4)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE)) * 0.1).astype(np.float32)


# The model


@pytest.mark.parametrize("seconds", [1.0, 0.5], ids=["whole frames", "half a frame"])
def test_its_frames_are_those_of_the_library(model: CsmModel, seconds: float) -> None:
    sound = noise(seconds)
    heard = Segment(1, "hello", model.codes_of(sound))
    ours = torch.stack(list(model.frames([heard], 0, "how are you", 12, Sampling(0.0, 1, 0))))
    tokens = [*model.text_tokens(1, "hello"), *[model.config.audio_token_id] * len(heard.codes), model.config.audio_eos_token_id,
              *model.text_tokens(0, "how are you")]
    ids = torch.tensor([tokens])
    theirs = model.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), input_values=torch.from_numpy(sound)[None, None],
        input_values_cutoffs=torch.tensor([[len(sound)]]), max_new_tokens=12, do_sample=False, depth_decoder_do_sample=False)
    assert ours.tolist() == theirs[0].clamp(max=SIZE - 1).tolist()


def test_a_turn_is_written_as_the_checkpoint_was_taught(model: CsmModel) -> None:
    assert model.tokenizer.decode(model.text_tokens(1, "hi")) == "<|begin_of_text|>[1]hi<|end_of_text|>"


@pytest.mark.parametrize("at_a_time", [1, 2, 7])
def test_sound_frame_by_frame_is_the_sound_of_the_whole(model: CsmModel, at_a_time: int) -> None:
    codes = torch.randint(0, SIZE, (CODEBOOKS, 60), generator=torch.Generator().manual_seed(1))  # longer than it attends to
    with torch.inference_mode():
        whole = model.codec.decode(codes[None]).audio_values[0, 0].numpy()
    sound = MimiSound(model.codec)
    pieces = [sound.spoken(codes[:, start: start + at_a_time]) for start in range(0, 60, at_a_time)]
    assert len(pieces[0]) == at_a_time * FRAME_SAMPLES
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-4)
    assert np.abs(whole).max() > 0.1


def test_what_is_drawn_follows_from_the_seed() -> None:
    logits = torch.randn(60, generator=torch.Generator().manual_seed(0))
    draws = [[Sampling(0.9, 50, seed).chosen(logits) for _ in range(1)] + [seed] for seed in range(40)]
    assert len({code for code, _ in draws}) > 5
    again = Sampling(0.9, 50, 7), Sampling(0.9, 50, 7)
    assert [again[0].chosen(logits) for _ in range(9)] == [again[1].chosen(logits) for _ in range(9)]
    assert Sampling(0.9, 1, 0).chosen(logits) == Sampling(0.0, 50, 0).chosen(logits) == int(logits.argmax())


# The voice


def test_it_streams_frames_of_eighty_milliseconds_and_remembers(voice: Csm) -> None:
    assert isinstance(voice, StreamsSpeech) and isinstance(voice, Remembers)
    first = next(iter(voice.stream(HELLO)))
    assert len(first.samples) == FRAME_SAMPLES
    assert first.words[0].text == "hello"


def test_every_word_is_said_within_the_longest_time(voice: Csm) -> None:
    said = voice.synthesise("One two three four five six seven eight nine ten eleven twelve.")
    assert [word.text for word in said.words] == "one two three four five six seven eight nine ten eleven twelve".split()
    assert said.seconds == pytest.approx(2.4 + 0.01)


def test_the_same_seed_says_a_text_the_same_and_another_one_another_way(folder: Path, voice: Csm) -> None:
    first = voice.synthesise(HELLO).samples
    np.testing.assert_array_equal(Csm(path=str(folder), device="cpu", max_seconds=2.4).synthesise(HELLO).samples, first)
    other = Csm(path=str(folder), device="cpu", max_seconds=2.4, seed=1).synthesise(HELLO).samples
    assert not np.array_equal(other[: len(first)], first[: len(other)])


def test_how_the_caller_sounded_changes_how_it_speaks(voice: Csm) -> None:
    said = []
    for seed in (0, 1):
        voice.forget()
        voice.remember(USER, "hello", noise(0.8, seed))
        said.append(voice.synthesise(HELLO).samples)
    assert not np.array_equal(said[0], said[1])


def past(voice: Csm) -> list[tuple[int, str, int]]:
    """Speaker, text and number of frames of what it hears before it speaks."""
    return [(segment.speaker, segment.text, len(segment.codes)) for segment in voice.past(1000)]


def test_it_hears_the_last_turns_of_both_sides_in_order(voice: Csm) -> None:
    for number in range(5):
        voice.remember(USER, f"question {number}", noise(0.8))
        voice.remember(AGENT, f"answer {number}", noise(0.4))
    assert past(voice) == [turn for number in (2, 3, 4) for turn in
                           ((CALLER, f"question {number}", 10), (OWN, f"answer {number}", 5))]


def test_it_hears_no_more_seconds_than_it_was_given(folder: Path) -> None:
    voice = Csm(path=str(folder), device="cpu", context_seconds=1.0)
    voice.remember(USER, "long ago", noise(0.8))
    voice.remember(USER, "just now", noise(0.8))
    assert past(voice) == [(CALLER, "just now", 10)]


def test_it_hears_no_more_than_its_context_holds(tmp_path: Path) -> None:
    short = Csm(path=str(make(tmp_path, longest=80)), device="cpu", max_seconds=1.6)
    for _ in range(6):
        short.remember(USER, "hello", noise(0.8))
    assert len(short.past(short.model.room(HELLO, short.max_frames))) == 2  # 80 positions, 20 of sound, 17 of text, 20 a turn
    assert short.synthesise(HELLO).seconds > 0.5


def test_a_text_that_is_longer_than_the_context_is_refused(tmp_path: Path) -> None:
    short = Csm(path=str(make(tmp_path, longest=60)), device="cpu", max_seconds=1.6)
    with pytest.raises(ValueError, match="leaves no room for 20 frames of sound .* lower max_seconds"):
        short.synthesise("word " * 20)


def test_its_own_sentences_are_heard_with_the_next_one_until_it_is_known_what_was_heard(voice: Csm) -> None:
    voice.remember(USER, "hello", noise(0.8))
    voice.synthesise("How are you?")
    assert [(speaker, text) for speaker, text, _ in past(voice)] == [(CALLER, "hello"), (OWN, "How are you?")]
    voice.remember(AGENT, "how are", noise(0.4))
    assert past(voice) == [(CALLER, "hello", 10), (OWN, "How are", 5)]


def test_a_sentence_that_nobody_heard_is_forgotten(voice: Csm) -> None:
    voice.synthesise("How are you?")
    voice.remember(USER, "wait", noise(0.4))
    assert past(voice) == [(CALLER, "wait", 5)]


def test_a_sentence_that_is_stopped_leaves_nothing_behind(voice: Csm) -> None:
    stream = voice.stream("How are you?")
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]  # a generator
    assert past(voice) == []


def test_what_was_heard_is_remembered_as_it_was_written() -> None:
    said = "Yes, it is thirty-five dollars. Thank you."
    assert as_written(said, "yes it is thirty five dollars") == "Yes, it is thirty-five dollars."
    assert as_written("Yes, it is.", "it was") == "it was"


def test_a_prompt_gives_it_a_voice_and_stays_in_front(folder: Path, tmp_path: Path) -> None:
    write_pcm16(tmp_path / "anna.wav", (noise(0.8)[np.newaxis] * 32_767).astype(np.int16))
    voice = Csm(path=str(folder), device="cpu", prompt=str(tmp_path / "anna.wav"), prompt_text="I am Anna.", context_turns=1)
    voice.remember(USER, "hello", noise(0.4))
    assert past(voice) == [(OWN, "I am Anna.", 10), (CALLER, "hello", 5)]
    with pytest.raises(ValueError, match="give prompt and prompt_text, or neither"):
        Csm(path=str(folder), device="cpu", prompt="anna.wav")


def test_it_says_whose_weights_these_are(voice: Csm, folder: Path) -> None:
    assert voice.facts == {"source": str(folder), "revision": None, "licence": "apache-2.0", "device": "cpu",
                           "kind": "cascade with a context-conditioned voice"}


def test_a_folder_with_other_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    with pytest.raises(ValueError, match="it is no CSM as transformers has it"):
        Csm(path=str(tmp_path), device="cpu")


# In an agent


@pytest.mark.slow
@pytest.mark.parametrize("make_agent", [cascade, incremental])
def test_an_agent_speaks_with_it_and_again_the_same(voice: Csm, make_agent: type) -> None:
    recordings = [call(make_agent(tts=voice), (0.4, REQUEST), seconds=9.0) for _ in range(2)]
    np.testing.assert_array_equal(recordings[0].audio, recordings[1].audio)
    assert heard_from_agent(recordings[0]) == PRICE
    assert not events(recordings[0], "underrun")


def test_barge_in_stops_it_and_what_was_not_heard_is_cut_from_its_context(voice: Csm) -> None:
    agent = cascade(tts=voice, worker=Charged(Costs(tts=0.1, tts_piece=0.05)))
    recording = call(agent, (0.4, REQUEST), (3.4, NEW_REQUEST), seconds=12.0)
    over = after(3.4, NEW_REQUEST)
    assert heard_from_agent(recording, over) == PARKING
    first, own, second = voice.turns
    assert (first.text, second.text) == (REQUEST, NEW_REQUEST)
    said = [word.text for word in recording.words[AGENT] if word.start < over]
    assert own.text.lower().replace(".", "").split() == said != PRICE.split()
    assert len(own.samples) / SAMPLE_RATE < over - 2.0
    assert len(own.samples) % FRAME_SAMPLES == 0 and FRAME_SECONDS == 0.08


def test_the_agent_of_the_config_is_a_cascade_with_this_voice(folder: Path) -> None:
    with initialize_config_dir(version_base=None, config_dir=str(ROOT / "configs")):
        config = compose("bench", ["agent=csm", f"agent.tts.path={folder}", "agent.tts.device=cpu", "stt@agent.recogniser=oracle",
                                   "vad@agent.vad=energy"])
    config.latency = config.clocks.ideal
    agent = instantiate(config.agent)
    assert isinstance(agent, Cascade)
    assert agent.facts["tts"]["kind"] == "cascade with a context-conditioned voice"
