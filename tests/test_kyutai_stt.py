"""Kyutai's streaming recogniser: when its words were said, the flush, its files, and a cascade around it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from exact import CLOUD, PROMPT, Costs, cascade, events, user

pytest.importorskip("espeakng_loader")
pytest.importorskip("moshi")

import torch  # noqa: E402
from hydra import compose, initialize_config_dir  # noqa: E402
from hydra.utils import instantiate  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from tiny_stt import EPAD, PAD, make  # noqa: E402

from duplex.conversation import converse  # noqa: E402
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, Frame, Word  # noqa: E402
from duplex.recording import Recording  # noqa: E402
from duplex.stages.hearing.catching_up import catching_up  # noqa: E402
from duplex.stages.hearing.kyutai_stt import KyutaiSTT  # noqa: E402
from duplex.stages.meter import MeteredRecogniser  # noqa: E402
from duplex.stages.turns.endpoint import Silence  # noqa: E402
from duplex.stages.turns.pause_head import PauseHead  # noqa: E402
from duplex.workers import Charged  # noqa: E402

CYCLE = (EPAD, "▁parking", 1, "▁good", "▁work", 2, PAD)  # a token for each frame; 1 and 2 are special and say nothing
CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("stt")
    return {"random": make(folder / "random"), "clock": make(folder / "clock", CYCLE),
            "prefix": make(folder / "prefix", CYCLE, prefix=0.24), "no head": make(folder / "no head", CYCLE, heads=0)}


@pytest.fixture
def load(folders: Mapping[str, Path]) -> Callable[[str], KyutaiSTT]:
    return lambda name: KyutaiSTT(path=str(folders[name]), device="cpu")


@pytest.fixture
def copy(folders: Mapping[str, Path], tmp_path: Path) -> Path:
    for file in folders["clock"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def noise(num_frames: int, seed: int = 0) -> list[Frame]:
    samples = np.random.default_rng(seed).normal(0.0, 0.1, (num_frames, FRAME_SAMPLES)).clip(-1.0, 1.0).astype(np.float32)
    return [Frame(one) for one in samples]


def heard(recogniser: KyutaiSTT, frames: list[Frame]) -> list[str]:
    return [recogniser.hear(frame) for frame in frames]


def frames_of(words: list[Word]) -> list[tuple[str, int, int]]:
    return [(word.text, round(word.start / FRAME_SECONDS), round(word.end / FRAME_SECONDS)) for word in words]


# Words


def test_words_come_as_late_as_the_config_says_and_are_dated_back(load: Callable[[str], KyutaiSTT]) -> None:
    """Of 17 frames: written in frames 7, 9 and 10 and, again, 14 and 16; the delay is 0.5 s, 7 frames rounded up."""
    recogniser = load("clock")
    recogniser.start()
    texts = heard(recogniser, noise(17))
    assert recogniser.behind == 0.5 and texts[7] == "" and texts[8] == "parking" and texts[16] == "parking good work parking"
    assert frames_of(recogniser.words) == [("parking", 0, 1), ("good", 2, 3), ("work", 3, 4), ("parking", 7, 8)]


def test_the_flush_brings_the_words_of_the_last_half_second(load: Callable[[str], KyutaiSTT]) -> None:
    """After frame 9 a word is being written; 7 frames of silence bring three more, and two frames more finish the last."""
    recogniser = load("clock")
    recogniser.start()
    assert heard(recogniser, noise(10))[-1] == "parking"
    assert recogniser.finish() == "parking good work parking good work"
    assert frames_of(recogniser.words)[2:5] == [("work", 3, 4), ("parking", 7, 8), ("good", 9, 9)]


def test_silence_that_was_put_in_takes_no_time(load: Callable[[str], KyutaiSTT]) -> None:
    recogniser = load("clock")
    recogniser.start()
    heard(recogniser, noise(4))
    recogniser.catch_up(paused=True)  # steps 4 to 10, and 11: a word was being written
    heard(recogniser, noise(17))
    later = [word for word in frames_of(recogniser.words) if word[1] > 3]
    assert later == [("parking", 6, 7), ("good", 8, 9), ("work", 9, 10)]  # in steps 21, 23 and 24; frame 4 is step 12


def test_the_silence_before_the_first_sound_is_heard_once(load: Callable[[str], KyutaiSTT]) -> None:
    """Its 3 frames are 3 tokens of the cycle of 7: "parking" is written in frame 11 and not 7 or 14, of the first utterance."""
    recogniser = load("prefix")
    recogniser.start()
    heard(recogniser, noise(13))
    assert ("parking", 4, 5) in frames_of(recogniser.words)
    recogniser.finish()
    num_steps = len(recogniser.times)
    recogniser.start()
    heard(recogniser, noise(14))
    assert num_steps == 20 and ("parking", 5, 6) in frames_of(recogniser.words)  # in step 12; (1 + 3 + 20 + 12) % 7 is 1


def test_nothing_of_one_utterance_is_in_the_next(load: Callable[[str], KyutaiSTT]) -> None:
    """The model writes "good work" in the frames that follow the flush; they belong to no sound of the next utterance."""
    recogniser = load("clock")
    recogniser.start()
    heard(recogniser, noise(9))
    recogniser.finish()
    recogniser.start()
    assert set(heard(recogniser, noise(5))) == {""} and not recogniser.words


def test_after_a_reset_the_same_sound_has_the_same_words(load: Callable[[str], KyutaiSTT]) -> None:
    recogniser = load("random")
    said = []
    for seed in (1, 2, 1):
        recogniser.reset()
        recogniser.start()
        texts = heard(recogniser, noise(12, seed))
        said.append((texts, recogniser.finish(), recogniser.pause_probability))
    assert said[0] == said[2] != said[1]


def test_a_reset_waits_for_who_still_catches_up_in_a_thread(load: Callable[[str], KyutaiSTT]) -> None:
    recogniser = load("random")
    recogniser.start()
    alone = heard(recogniser, noise(12, 1))
    abandoned = Thread(target=recogniser.catch_up, args=[True])
    abandoned.start()
    recogniser.reset()
    abandoned.join()
    recogniser.reset()
    recogniser.start()
    assert heard(recogniser, noise(12, 1)) == alone


def test_the_pause_head_is_read_of_real_sound_alone(load: Callable[[str], KyutaiSTT]) -> None:
    recogniser = load("random")
    recogniser.start()
    told = []
    for frame in noise(6):
        recogniser.hear(frame)
        told.append(recogniser.pause_probability)
    recogniser.catch_up(paused=True)
    assert len(set(told)) == 6 and all(0.0 < one < 1.0 for one in told) and recogniser.pause_probability == told[-1]
    assert not hasattr(load("no head"), "pause_probability")


@pytest.mark.parametrize("act", ["hear", "catch_up", "finish", "start"])
def test_out_of_turn_is_a_mistake(load: Callable[[str], KyutaiSTT], act: str) -> None:
    recogniser = load("clock")
    if act == "start":
        recogniser.start()
    with pytest.raises(ValueError, match=r"start\(\)"):
        getattr(recogniser, act)(*{"hear": noise(1), "catch_up": [True]}.get(act, []))


# Files


def test_facts_say_what_it_is(load: Callable[[str], KyutaiSTT], folders: Mapping[str, Path]) -> None:
    assert load("clock").facts == {"source": str(folders["clock"]), "revision": None, "licence": "cc-by-4.0"}


def changed(folder: Path, **keys: Any) -> None:
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | keys))


@pytest.mark.parametrize(("keys", "wrong"), [
    ({"model_type": "moshi"}, "is of model_type moshi with dep_q 0: that is no recogniser"),
    ({"dep_q": 8}, "is of model_type stt with dep_q 8: that is no recogniser"),
    ({"delays": [0, 1, 1, 1, 1, 1, 1, 1, 1]}, "delays codes: a recogniser reads them all at once"),
    ({"text_card": 401}, "pieces, but the language model has 401 text tokens"), ({"dim": 32}, "does not fit the config"),
    ({"moshi_name": "elsewhere.safetensors"}, "lacks elsewhere.safetensors")])
def test_a_config_that_does_not_do(copy: Path, keys: dict[str, Any], wrong: str) -> None:
    changed(copy, **keys)
    with pytest.raises((ValueError, FileNotFoundError), match=wrong) as failed:
        KyutaiSTT(path=str(copy), device="cpu")
    assert "\n" not in str(failed.value)


def test_files_that_are_missing_or_cut_short(copy: Path) -> None:
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[:-100])
    with pytest.raises(ValueError, match="100 of its .* bytes are missing"):
        KyutaiSTT(path=str(copy), device="cpu")
    (copy / "config.json").unlink()
    with pytest.raises(ValueError, match="has no config.json; a recogniser has one of model_type stt"):
        KyutaiSTT(path=str(copy), device="cpu")


def test_weights_without_numbers_are_one_line(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    save_file({name: torch.full_like(tensor, torch.nan) for name, tensor in weights.items()}, copy / "model.safetensors")
    with pytest.raises(ValueError, match="wrote no numbers: its weights are damaged"):
        KyutaiSTT(path=str(copy), device="cpu")


# In a cascade


def called(recogniser: KyutaiSTT) -> Recording:
    agent = cascade(recogniser=recogniser, worker=Charged(Costs(**CLOUD)), endpointing=Silence(0.3), prepare_after=None)
    return converse(user((0.4, "is there parking")), agent, prompt=PROMPT, max_seconds=5.0)


def test_a_cascade_flushes_it_in_the_pause_and_answers_all_of_it(load: Callable[[str], KyutaiSTT]) -> None:
    """The words of the last sound are known 0.16 s and a recognition of 0.25 s after it, not 0.5 s and a lag of 0.2 s."""
    recogniser = load("clock")
    assert catching_up(MeteredRecogniser(recogniser)) is recogniser
    recording = called(recogniser)
    (endpoint,) = events(recording, "endpoint")
    assert 0.16 + 0.25 <= float(str(endpoint.detail["silence"])) < 0.16 + 0.25 + 3 * FRAME_SECONDS
    assert str(endpoint.detail["heard"]).startswith("parking good work parking")


def test_its_pause_head_ends_a_turn_where_the_endpointing_reads_it(load: Callable[[str], KyutaiSTT]) -> None:
    """Always sure, it waits for the flush alone: 0.16 s and 0.25 s for the words; never sure, for two seconds."""
    def ended(threshold: float) -> float:
        agent = cascade(recogniser=load("clock"), worker=Charged(Costs(**CLOUD)), prepare_after=None,
                        endpointing=PauseHead(threshold, fast=0.0, slow=2.0))
        sound = user((0.4, "is there parking"))
        return float(str(events(converse(sound, agent, prompt=PROMPT, max_seconds=5.0), "endpoint")[0].detail["silence"]))

    assert 0.16 + 0.25 <= ended(0.0) < 0.16 + 0.25 + 3 * FRAME_SECONDS and ended(1.0) >= 2.0


def test_two_calls_of_one_recogniser_are_the_same(load: Callable[[str], KyutaiSTT]) -> None:
    recogniser = load("random")
    one, other = called(recogniser), called(recogniser)
    assert one.audio.tobytes() == other.audio.tobytes() and one.events == other.events


def test_it_is_a_config(folders: Mapping[str, Path]) -> None:
    with initialize_config_dir(str(CONFIGS), version_base=None):
        config = compose("talk", ["agent=cascade", "stt@agent.recogniser=kyutai", "agent.recogniser.device=cpu",
                                  f"agent.recogniser.path={folders['clock']}"])
    assert isinstance(instantiate(config.agent.recogniser), KyutaiSTT)
