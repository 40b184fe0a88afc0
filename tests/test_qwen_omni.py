"""Qwen-Omni of both architectures, tiny and of random weights, by the true path: what it reads, says, counts and refuses."""

import threading
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from hydra import compose, initialize_config_dir
from piped import ROOT
from says import Says, bursts
from tiny_omni import SPEAKER, Kind, make

from duplex.agents.end_to_end import EndToEnd
from duplex.build import built
from duplex.conversation import ConversationFailed, Prompt, converse
from duplex.frame import SAMPLE_RATE
from duplex.latency import Ideal
from duplex.recording import AGENT, USER, Recording
from duplex.speech import Speech
from duplex.stages.end_to_end.omni_progress import NobodyListens, Progress
from duplex.stages.end_to_end.omni_stream import LETTERS_PER_SECOND, Paced
from duplex.stages.end_to_end.qwen_omni import FIRST_WORDS, MANNERS, QwenOmni, playable
from duplex.stages.end_to_end.speech_model import Turn
from duplex.stages.hearing.vad import EnergyVad, SpeechDetector
from duplex.stages.language.chat_model import ModelFailed
from duplex.stages.turns.endpoint import Silence
from duplex.workers import Charged, Threaded, Worker

KINDS: tuple[Kind, ...] = ("qwen2_5_omni", "qwen3_omni_moe")
CODE = {"qwen2_5_omni": 480, "qwen3_omni_moe": 1920}  # samples of sound for one code: 50 and 12.5 of them in a second
ROLE = Prompt("You work for an optician.")
QUESTION = Turn(USER, Speech(np.random.default_rng(0).normal(0.0, 0.1, SAMPLE_RATE).astype(np.float32)))
FOLLOW_UP = Turn(USER, Speech(np.random.default_rng(1).normal(0.0, 0.1, SAMPLE_RATE // 2).astype(np.float32)))
ANSWER = Turn(AGENT, Speech(np.zeros(SAMPLE_RATE, np.float32)), "On Friday.")


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(request.param, tmp_path_factory.mktemp(request.param))


def loaded(folder: Path, **changed: object) -> QwenOmni:
    model = QwenOmni(path=str(folder), **{"device": "cpu", "max_new_tokens": 6, "max_seconds": 0.4, **changed})  # type: ignore[arg-type]  # of several types
    model.reset(ROLE, 0)
    return model


@pytest.fixture(scope="module")
def model(folder: Path) -> QwenOmni:
    return loaded(folder)


def said(model: QwenOmni, *turns: Turn, seed: int = 0) -> Speech:
    model.reset(ROLE, seed)
    [piece] = model.answer(turns)
    return piece.speech


def test_it_answers_sound_with_sound(model: QwenOmni) -> None:
    samples = said(model, QUESTION).samples
    assert samples.dtype == np.float32 and samples.any() and np.abs(samples).max() <= 1.0
    assert 0 < len(samples) <= round(0.4 * SAMPLE_RATE)


def test_a_seed_draws_the_same_answer_again_and_leaves_the_draws_of_others_alone(model: QwenOmni) -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one, other, third = (said(model, QUESTION, seed=seed).samples for seed in (1, 1, 2))
    assert np.array_equal(one, other) and not np.array_equal(one, third)
    assert torch.rand(1) == expected


def test_it_hears_the_turn_and_what_was_said_before(model: QwenOmni) -> None:
    answers = [said(model, *turns).samples for turns in ((QUESTION,), (FOLLOW_UP,), (QUESTION, ANSWER, FOLLOW_UP))]
    assert not any(np.array_equal(one, other) for one, other in zip(answers, (*answers[1:], answers[0])))


def test_it_reads_its_role_and_the_users_sound_and_the_agents_text(model: QwenOmni) -> None:
    model.reset(ROLE, 0)
    read = model.inputs((QUESTION, ANSWER, FOLLOW_UP))
    text = model.tokenizer.decode(read["input_ids"][0])
    sounds = [part.count("<|AUDIO|>") for part in text.split("<|audio_bos|>")]
    role = f"{FIRST_WORDS[model.kind]}\n\n{ROLE.text}\n\n{MANNERS}".strip()
    before = text.split("<|audio_bos|>")[0]
    assert before == f"<|im_start|>system\n{role}<|im_end|>\n<|im_start|>user\n"
    assert sounds == [0, *model.num_tokens(torch.tensor([100, 50]))] and read["input_features"].shape[0] == 2  # 100 a second
    assert "<|im_start|>assistant\nOn Friday.<|im_end|>" in text and text.endswith("<|im_start|>assistant\n")


def test_a_call_without_a_role_in_prose_has_that_of_its_domain(model: QwenOmni) -> None:
    model.reset(Prompt(domain="optician"), 0)
    assert "optician" in model.role.lower() and model.role.endswith(MANNERS)


def test_a_sound_is_read_as_by_the_checkpoints_own_processor(model: QwenOmni) -> None:
    """It fills each sound up to 300 s; what is not filled up is the same, for a hundredth of the work."""
    sound = np.random.default_rng(0).normal(0.0, 0.1, 16_000).astype(np.float32)
    short = model.features([sound], sampling_rate=16_000, padding="longest", truncation=False, return_attention_mask=True)
    long = model.features([sound], sampling_rate=16_000, padding="max_length", return_attention_mask=True)
    num_frames = int(long["attention_mask"].sum())
    assert num_frames == short["attention_mask"].sum() == 100
    ours, theirs = short["input_features"][0], long["input_features"][0][:, :num_frames]
    np.testing.assert_allclose(ours[:, :-1], theirs[:, :-1], atol=1e-5)
    np.testing.assert_allclose(ours[:, -1], theirs[:, -1], atol=1e-2)  # hears the sound mirrored at its end


def test_text_and_sound_without_end_are_cut_off_and_counted(model: QwenOmni) -> None:
    speech = said(model, QUESTION)
    tally = model.tally()
    assert tally["thinker_tokens"] == 6 and tally["talker_codes"] == model.max_codes and tally["cut_off"] == 1
    assert tally["talker_codes"] * CODE[model.kind] == pytest.approx(0.4 * SAMPLE_RATE)
    assert len(speech.samples) > 0.5 * 0.4 * SAMPLE_RATE and not tally["tools"]


def test_it_says_what_its_time_was_spent_on(model: QwenOmni) -> None:
    started = perf_counter()
    said(model, QUESTION)
    took, tally = perf_counter() - started, model.tally()
    parts = [tally[f"{part}_seconds"] for part in ("thinker", "talker", "decoder")]
    assert all(parts) and 0.5 * took < sum(parts) <= took + 0.01 and 0 < tally["first_token_seconds"] <= tally["thinker_seconds"]


def test_the_likeliest_text_does_not_depend_on_the_seed(folder: Path) -> None:
    greedy, drawn = loaded(folder), loaded(folder, temperature=1.0)
    texts = {}
    for name, one in (("greedy", greedy), ("drawn", drawn)):
        for seed in range(2):
            one.reset(ROLE, seed)
            texts.setdefault(name, set()).add(next(one.answer((QUESTION,))).text)
    assert len(texts["greedy"]) == 1 < len(texts["drawn"])


# In pieces, Qwen3-Omni


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("qwen3_omni_moe", tmp_path_factory.mktemp("newer"))


@pytest.mark.parametrize("piece_seconds", [0.08, 0.24, 0.32, 10.0])
def test_pieces_are_the_sound_and_the_words_of_the_whole(newer: Path, piece_seconds: float) -> None:
    whole = loaded(newer, piece_seconds=None, max_seconds=0.8)
    pieces = loaded(newer, piece_seconds=piece_seconds, max_seconds=0.8)
    [expected], found = list(whole.answer((QUESTION,))), list(pieces.answer((QUESTION,)))
    sound = np.concatenate([piece.speech.samples for piece in found])
    np.testing.assert_allclose(sound[:len(expected.speech.samples)], expected.speech.samples, atol=1e-5)
    assert len(sound) - len(expected.speech.samples) in (0, SAMPLE_RATE // 100)
    words = [word.text for piece in found for word in piece.speech.words]
    assert words == [word.text for word in expected.speech.words]
    assert [piece.text for piece in found if piece.text] == [expected.text]
    assert all(0.0 <= word.start < piece.speech.seconds for piece in found for word in piece.speech.words)


def test_the_first_piece_comes_before_the_rest_is_made(newer: Path) -> None:
    model = loaded(newer, piece_seconds=0.16, max_seconds=1.6)
    reply = model.answer((QUESTION,))
    next(reply)
    at_first = model.progress.num_codes
    assert at_first <= 4 and len(list(reply)) >= 7 and model.progress.num_codes == 20


def test_between_pieces_nothing_runs_and_others_draw_as_if_it_were_not_there(newer: Path) -> None:
    model = loaded(newer, piece_seconds=0.16, max_seconds=1.6)
    expected = [piece.speech.samples for piece in model.answer((QUESTION,))]
    reply, found = model.answer((QUESTION,)), []
    for piece in reply:
        found.append(piece.speech.samples)
        torch.manual_seed(7)
        drawn = torch.rand(3)
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(3)) and len(found) == len(expected) and all(map(np.array_equal, found, expected))


def test_who_wants_no_more_pieces_leaves_no_thread(newer: Path) -> None:
    model = loaded(newer, piece_seconds=0.08, max_seconds=0.8)
    reply = model.answer((QUESTION,))
    next(reply)
    assert any(thread.name == "stage-omni" for thread in threading.enumerate())
    made, state = model.progress.num_codes, torch.manual_seed(7).get_state()
    reply.close()
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(thread.name == "stage-omni" for thread in threading.enumerate())
    assert model.progress.num_codes == made and list(reply) == []
    assert list(model.answer((QUESTION,)))  # and the model is free


def test_words_keep_a_pace_and_none_is_lost() -> None:
    paced, text = Paced(), "one two three four five six"
    spans = [(0.4, False), (0.4, False), (0.2, True)]
    pieces = [paced.words_of(text, seconds, last) for seconds, last in spans]
    assert [word.text for piece in pieces for word in piece] == text.split()
    assert pieces[0][1].start == pytest.approx(3 / LETTERS_PER_SECOND)
    assert all(0.0 <= word.start < seconds for piece, (seconds, _) in zip(pieces, spans) for word in piece)


# Stopping


@pytest.mark.parametrize("part", ["thinker", "talker", "decoder"])
def test_it_stops_at_the_next_step_of_every_part(model: QwenOmni, part: str) -> None:
    model.reset(ROLE, 0)
    reply = model.answer((QUESTION,))
    pass_on, reached = Progress.pass_on, list[str]()

    def stopping(progress: Progress, name: str) -> None:
        reached.append(name)
        if name == f"{part}_seconds":
            reply.close()
        pass_on(progress, name)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Progress, "pass_on", stopping)
        assert list(reply) == []
    assert reached.count(f"{part}_seconds") == 1 and reached[-1] == f"{part}_seconds"


def test_an_answer_that_is_not_wanted_is_never_begun(model: QwenOmni) -> None:
    model.reset(ROLE, 0)
    reply = model.answer((QUESTION,))
    reply.close()
    assert list(reply) == [] and "thinker_tokens" not in model.tally()


def test_closing_from_another_thread_stops_it_within_a_moment(folder: Path) -> None:
    endless = loaded(folder, max_new_tokens=2000, max_seconds=1000.0)
    reply, pieces = endless.answer((QUESTION,)), list[object]()
    thread = threading.Thread(target=lambda: pieces.extend(reply))
    thread.start()
    sleep(0.3)
    started = perf_counter()
    reply.close()
    assert perf_counter() - started < 0.05
    thread.join(5.0)
    assert not thread.is_alive() and not pieces


# In a call


def agent(model: QwenOmni, worker: Worker) -> EndToEnd:
    return EndToEnd(EnergyVad(), SpeechDetector(start_windows=2), Silence(0.3), model, worker)


def test_it_holds_a_call_the_same_one_twice(model: QwenOmni) -> None:
    def held() -> Recording:
        user = Says(bursts((0.2, 0.8), (2.0, 2.8)))
        return converse(user, agent(model, Charged(Ideal())), prompt=ROLE, seed=4, max_seconds=4.0)

    one, other = held(), held()
    assert one.audio[AGENT].any() and np.array_equal(one.audio, other.audio) and one.events == other.events
    assert one.facts["agent"]["licence"] == "apache-2.0" and one.facts["agent"]["speaker"] == SPEAKER[model.kind]
    assert one.facts["tally"]["agent"]["speech_replies"] == 2


def test_a_call_that_ends_while_it_thinks_leaves_no_thread(folder: Path) -> None:
    before = set(threading.enumerate())  # other tests' idle workers
    endless = loaded(folder, max_new_tokens=2000, max_seconds=1000.0)
    converse(Says(bursts((0.2, 0.8))), agent(endless, Threaded()), prompt=ROLE, max_seconds=2.0)
    until = perf_counter() + 5.0
    while perf_counter() < until and set(threading.enumerate()) - before:
        sleep(0.01)
    assert not set(threading.enumerate()) - before


def test_the_config_makes_it(folder: Path) -> None:
    with initialize_config_dir(str(ROOT / "configs"), version_base=None):
        config = compose("talk", ["agent=end_to_end_qwen_omni", f"agent.model.path={folder}", "agent.model.device=cpu"])
    made = built(config.agent)
    assert isinstance(made, EndToEnd) and isinstance(made.model, QwenOmni) and made.model.max_new_tokens == 128


# Nonsense


def test_sound_that_is_not_a_number_fails_the_call(folder: Path) -> None:
    before = set(threading.enumerate())
    broken = loaded(folder)
    decoder = broken.model.code2wav if broken.kind == "qwen3_omni_moe" else broken.model.token2wav
    for weights in decoder.parameters():
        weights.data.fill_(float("nan"))
    with pytest.raises(ConversationFailed, match="sound that is not a number"):
        converse(Says(bursts((0.2, 0.8))), agent(broken, Charged(Ideal())), prompt=ROLE, max_seconds=4.0)
    assert not set(threading.enumerate()) - before


@pytest.mark.parametrize(("samples", "complaint"), [([], "no sound"), ([0.1, np.inf], "not a number")])
def test_what_cannot_be_played_is_one_clear_line(samples: list[float], complaint: str) -> None:
    with pytest.raises(ModelFailed, match=f"it answered with .*{complaint}"):
        playable(np.array(samples, np.float32), "it")


def test_sound_beyond_full_scale_is_clipped() -> None:
    assert playable(np.array([-2.0, 0.5, 3.0], np.float32), "it").tolist() == [-1.0, 0.5, 1.0]


def test_no_words_and_no_codes_are_one_clear_line() -> None:
    with pytest.raises(ModelFailed, match="no words"):
        Progress(lambda: False, {5}, {6}).thought(5)
    with pytest.raises(ModelFailed, match="no sound"):
        Progress(lambda: False, {5}, {6}).said(6)


def test_a_model_that_ends_its_text_at_once_fails_and_does_not_crash_in_the_library(model: QwenOmni) -> None:
    model.reset(ROLE, 0)
    ends = torch.tensor([model.tokenizer.eos_token_id])
    hook = model.model.thinker.lm_head.register_forward_hook(lambda module, given, made: made.index_fill(-1, ends, 1e4))
    try:
        with pytest.raises(ModelFailed, match="no words"):
            list(model.answer((QUESTION,)))
    finally:
        hook.remove()


def test_nobody_listening_is_no_failure_of_the_model() -> None:
    assert not issubclass(NobodyListens, ModelFailed)


# Checkpoints that it refuses


def test_the_template_may_lie_beside_the_tokenizer(tmp_path: Path) -> None:
    beside = loaded(make("qwen2_5_omni", tmp_path, template_beside=True))
    assert said(beside, QUESTION).samples.any()


@pytest.mark.parametrize("path", ["nowhere", "bare"])
def test_a_folder_that_is_none_or_empty_is_one_clear_line(tmp_path: Path, path: str) -> None:
    (tmp_path / "bare").mkdir()
    with pytest.raises((ValueError, OSError), match="there is no folder|there is no config.json in it"):
        QwenOmni(path=str(tmp_path / path), device="cpu")


def test_a_checkpoint_without_weights_is_one_clear_line(tmp_path: Path) -> None:
    (make("qwen3_omni_moe", tmp_path) / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="no Qwen-Omni that can be loaded"):
        QwenOmni(path=str(tmp_path), device="cpu")


def test_a_checkpoint_that_only_writes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen2_5_omni", "enable_audio_output": false}', encoding="utf-8")
    with pytest.raises(ValueError, match="writes and does not speak"):
        QwenOmni(path=str(tmp_path), device="cpu")


def test_a_speaker_that_there_is_not_is_told_from_those_that_there_are(folder: Path) -> None:
    with pytest.raises(ValueError, match="no speaker 'Bob', only"):
        QwenOmni(path=str(folder), device="cpu", speaker="Bob")


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    from tiny_chat import make as make_chat

    with pytest.raises(ValueError, match="'qwen2'; this is for qwen2_5_omni and qwen3_omni_moe"):
        QwenOmni(path=str(make_chat(tmp_path)), device="cpu")
