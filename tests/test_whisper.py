"""Whisper, by transformers and by CTranslate2: what it writes, when it is silent, how it is stopped, and a cascade around it."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import active_count

import numpy as np
import pytest
from exact import CLOUD, Costs, call, cascade, events, user

pytest.importorskip("espeakng_loader")
pytest.importorskip("faster_whisper")
pytest.importorskip("transformers")

import torch  # noqa: E402
from hydra import compose, initialize_config_dir  # noqa: E402
from hydra.utils import instantiate  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from tiny_whisper import converted, make  # noqa: E402

from duplex.conversation import converse  # noqa: E402
from duplex.frame import FRAME_SAMPLES, Frame  # noqa: E402
from duplex.pace import RealTime  # noqa: E402
from duplex.programs import complaint  # noqa: E402
from duplex.stages.hearing.faster_whisper import FasterWhisper  # noqa: E402
from duplex.stages.hearing.figures import said_words  # noqa: E402
from duplex.stages.hearing.transformers_whisper import TransformersWhisper  # noqa: E402
from duplex.stages.hearing.whisper import Model, Part, Whisper  # noqa: E402
from duplex.workers import Charged, Threaded  # noqa: E402

WRITTEN = (" Where", " is", " my", " order", ",", " number", " 123", "?")
WORDS = "where is my order number one two three"
CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Checkpoints for either library, by what they write."""
    folder = tmp_path_factory.mktemp("whisper")
    made = {"words": make(folder / "words", WRITTEN), "nonsense": make(folder / "nonsense"),
            "unsure": make(folder / "unsure", [" Thank", " you"], sureness=5.0, silence=True),
            "sure": make(folder / "sure", [" Thank", " you"], silence=True)}
    return made | {f"{name} converted": converted(path, folder / f"{name} converted") for name, path in made.items()}


@pytest.fixture(params=["transformers", "ctranslate2"])
def load(request: pytest.FixtureRequest, folders: Mapping[str, Path]) -> Callable[[str], Model]:
    if request.param == "transformers":
        return lambda name: TransformersWhisper(path=str(folders[name]), device="cpu")
    return lambda name: FasterWhisper(path=str(folders[f"{name} converted"]), device="cpu", threads=1)


def noise(num_frames: int, seed: int = 0) -> list[Frame]:
    samples = np.random.default_rng(seed).normal(0.0, 0.1, (num_frames, FRAME_SAMPLES)).clip(-1.0, 1.0).astype(np.float32)
    return [Frame(one) for one in samples]


def heard(recogniser: Whisper, frames: list[Frame], expected_digits: int = 0) -> str:
    recogniser.start(expected_digits)
    assert {recogniser.hear(frame) for frame in frames} <= {""}
    return recogniser.finish()


class Writes:
    """A Whisper that writes one text after the other, and keeps what it was asked."""

    facts: Mapping[str, str | None] = {}

    def __init__(self, *texts: str):
        self.texts = iter(texts)
        self.asked: list[tuple[int, str]] = []  # samples, prompt

    def parts(self, sound: np.ndarray, prompt: str, wanted: Callable[[], bool]) -> Iterator[Part]:
        self.asked.append((len(sound), prompt))
        yield Part(next(self.texts), 0.0, 0.0)


# Words


def test_it_writes_words_as_callers_say_them(load: Callable[[str], Model]) -> None:
    recogniser = Whisper(load("words"))
    assert [heard(recogniser, noise(10, seed)) for seed in range(2)] == [WORDS, WORDS]


def test_nothing_of_one_utterance_is_in_the_next(load: Callable[[str], Model]) -> None:
    recogniser = Whisper(load("nonsense"))
    one, other = noise(8, 1), noise(12, 2)
    alone = heard(recogniser, other)
    recogniser.reset()
    first = heard(recogniser, one)
    assert heard(recogniser, other) == alone != first


def test_what_it_writes_of_silence_is_no_speech_only_where_it_is_unsure_too(load: Callable[[str], Model]) -> None:
    assert heard(Whisper(load("unsure")), noise(10)) == ""
    assert heard(Whisper(load("sure")), noise(10)) == "thank you"
    assert heard(Whisper(load("unsure"), logprob=-5.0), noise(10)) == "thank you"
    assert heard(Whisper(load("unsure"), no_speech=1.0), noise(10)) == "thank you"


def test_both_libraries_hear_the_same(folders: Mapping[str, Path]) -> None:
    sound = np.concatenate([frame.samples for frame in noise(8)])
    (one,) = TransformersWhisper(path=str(folders["words"]), device="cpu").parts(sound, "", lambda: True)
    (other,) = FasterWhisper(path=str(folders["words converted"]), device="cpu").parts(sound, "", lambda: True)
    assert one.text == other.text and one.no_speech == pytest.approx(other.no_speech, abs=1e-5)


def test_half_a_minute_is_a_part(folders: Mapping[str, Path]) -> None:
    model = TransformersWhisper(path=str(folders["words"]), device="cpu")
    lengths = (np.zeros(16_000 * seconds, np.float32) for seconds in (1, 30, 31))
    assert [len(list(model.parts(sound, "", lambda: True))) for sound in lengths] == [1, 1, 2]


def test_a_prompt_is_read_and_not_written(load: Callable[[str], Model]) -> None:
    assert heard(Whisper(load("words"), digits_prompt="One two three."), noise(10), expected_digits=3) == WORDS


def test_only_where_digits_are_expected_it_is_told_how_they_look() -> None:
    model = Writes("one", "two")
    recogniser = Whisper(model, digits_prompt="One two.")
    assert [heard(recogniser, noise(5), digits) for digits in (0, 2)] == ["one", "two"]
    assert [prompt for _, prompt in model.asked] == ["", "One two."]


def test_a_sound_too_short_for_a_word_is_not_read() -> None:
    assert heard(Whisper(Writes()), noise(1)) == "" and heard(Whisper(Writes()), []) == ""


def test_words_that_were_asked_for_are_not_recognised_again_at_the_end() -> None:
    model = Writes("where is", "where is it")
    recogniser = Whisper(model)
    recogniser.start()
    for frame in noise(5):
        recogniser.hear(frame)
    assert recogniser.catch_up(paused=True) == recogniser.finish() == "where is" and len(model.asked) == 1


def test_while_somebody_speaks_only_what_two_recognitions_agree_on_counts() -> None:
    recogniser = Whisper(Writes("where is a", "where is my o", "wear", "where is my order"), every=0.4)
    recogniser.start()
    told = []
    for _ in range(3):
        for frame in noise(5):
            recogniser.hear(frame)
        told.append(recogniser.catch_up(paused=False))
    recogniser.hear(noise(1)[0])
    assert told == ["", "where is", "where is"] and recogniser.finish() == "where is my order"


@pytest.mark.parametrize(("written", "said"), [
    ("Order 12345, please!", "order one two three four five please"), ("$35 on the 3rd", "thirty five dollars on the third"),
    ("at 10:30, the 21st", "at ten thirty the twenty first"), ("I'll pay $100", "i'll pay one hundred dollars"),
    ("007 and 20 and 200", "zero zero seven and twenty and two hundred"), ("4-digit", "four digit"), (" ... ", "")])
def test_figures_are_words(written: str, said: str) -> None:
    assert said_words(written) == said.split()


# Stopping


def test_it_stops_between_two_tokens_when_nobody_waits(folders: Mapping[str, Path]) -> None:
    model, asked = TransformersWhisper(path=str(folders["words"]), device="cpu"), iter(range(100))
    (part,) = model.parts(np.ones(8_000, np.float32), "", lambda: next(asked) < 4)
    assert part.text == " Where is my"


def test_a_reset_stops_what_is_being_recognised() -> None:
    class Resets(Writes):
        def parts(self, sound: np.ndarray, prompt: str, wanted: Callable[[], bool]) -> Iterator[Part]:
            assert wanted()
            recogniser.reset()
            assert not wanted()
            yield from super().parts(sound, prompt, wanted)

    recogniser = Whisper(Resets("old"))
    assert heard(recogniser, noise(5)) == "old"
    recogniser.model = Writes("new")
    assert heard(recogniser, noise(5)) == "new"


@pytest.mark.parametrize("act", ["hear", "catch_up", "finish", "start"])
def test_out_of_turn_is_a_mistake(act: str) -> None:
    recogniser = Whisper(Writes())
    if act == "start":
        recogniser.start()
    with pytest.raises(ValueError, match=r"start\(\)"):
        getattr(recogniser, act)(*{"hear": noise(1), "catch_up": [True]}.get(act, []))


# Files


def test_facts_say_what_it_is(load: Callable[[str], Model], folders: Mapping[str, Path]) -> None:
    facts = load("words").facts
    assert facts["licence"] == "mit" and facts["source"] in {str(folders["words"]), str(folders["words converted"])}


def test_files_that_are_not_there_are_named(folders: Mapping[str, Path], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="lacks model.bin, vocabulary.json or vocabulary.txt: it is no"):
        FasterWhisper(path=str(folders["words"]))
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        FasterWhisper(path=str(tmp_path / "none"))
    with pytest.raises(ValueError, match="is no Whisper that can be loaded"):
        TransformersWhisper(path=str(folders["words converted"]))
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        TransformersWhisper(path=str(tmp_path / "none"))


def test_a_model_of_another_kind_is_refused(folders: Mapping[str, Path], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2"}))
    with pytest.raises(ValueError, match="it is a qwen2"):
        TransformersWhisper(path=str(tmp_path))


def test_weights_that_are_damaged_are_one_line(folders: Mapping[str, Path], tmp_path: Path) -> None:
    for file in folders["words"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    save_file({name: torch.full_like(tensor, torch.nan) for name, tensor in weights.items()}, tmp_path / "model.safetensors",
              {"format": "pt"})
    with pytest.raises(ValueError, match="wrote no numbers: its weights are damaged"):
        heard(Whisper(TransformersWhisper(path=str(tmp_path), device="cpu")), noise(5))
    (tmp_path / "model.safetensors").write_bytes(b"cut short")
    with pytest.raises(ValueError, match="is no Whisper that can be loaded") as failed:
        TransformersWhisper(path=str(tmp_path), device="cpu")
    assert "\n" not in complaint(failed.value)


def test_every_is_a_time() -> None:
    with pytest.raises(ValueError, match="every is a number of seconds above 0"):
        Whisper(Writes(), every=0.0)


# In a cascade


def test_a_cascade_answers_what_it_writes(load: Callable[[str], Model]) -> None:
    agent = cascade(recogniser=Whisper(load("words")), worker=Charged(Costs(**CLOUD)))
    recording = call(agent, (0.4, "is there parking"))
    (answer,) = events(recording, "answer")
    assert answer.detail["heard"] == WORDS and agent.tally()["stt_seconds"] > 0.8


def test_warming_up_runs_the_model_before_anybody_speaks() -> None:
    model = Writes("nonsense", "is there parking")
    agent = cascade(recogniser=Whisper(model))
    agent.warm_up()
    assert len(model.asked) == 1
    assert events(call(agent, (0.4, "is there parking")), "answer")[0].detail["heard"] == "is there parking"


def test_a_cascade_outlives_a_model_that_writes_nonsense(load: Callable[[str], Model]) -> None:
    recording = call(cascade(recogniser=Whisper(load("nonsense")), worker=Charged(Costs(**CLOUD))), (0.4, "is there parking"))
    assert len(events(recording, "endpoint")) == 1


@pytest.mark.slow
@pytest.mark.alone
def test_live_it_answers_and_leaves_no_thread_behind_but_the_pools(folders: Mapping[str, Path]) -> None:
    worker = Threaded()
    model = FasterWhisper(path=str(folders["words converted"]), device="cpu", threads=1)
    agent = cascade(recogniser=Whisper(model), worker=worker)
    agent.tts.synthesise("Yes.")
    before = active_count()
    recording = converse(RealTime(user((0.1, "is there parking"))), agent, max_seconds=5.0)
    (answer,) = events(recording, "answer")
    assert answer.detail["heard"] == WORDS and answer.start < 4.0
    assert active_count() <= before + worker.num_threads


@pytest.mark.parametrize(("stt", "name"), [("whisper", "words"), ("faster_whisper", "words converted")])
def test_it_is_a_config(stt: str, name: str, folders: Mapping[str, Path]) -> None:
    with initialize_config_dir(str(CONFIGS), version_base=None):
        config = compose("talk", [f"stt@agent.recogniser={stt}", f"agent.recogniser.model.path={folders[name]}",
                                  "agent.recogniser.model.device=cpu", "agent=cascade"])
    recogniser = instantiate(config.agent.recogniser)
    assert heard(recogniser, noise(10)) == WORDS
