"""PersonaPlex's prompt: what it makes everybody say, and that hearing it at once is hearing it frame by frame."""

from collections.abc import Iterable

import numpy as np
import pytest

pytest.importorskip("moshi")

import torch
from moshi.utils.compile import no_compile
from small_moshi import CARD, small_lm, small_mimi

from duplex.speech_lm.engine import FREE, Engine, Input, Snapshot
from duplex.speech_lm.prompt import (
    PAD,
    SILENCE,
    SILENCE_FRAMES,
    SINE,
    Prefix,
    columns,
    embedded,
    opening,
    prefix,
    role_tokens,
    stepwise,
    system_prompt,
    wrapped,
)
from duplex.speech_lm.sampling import GREEDY, Sampling

VOICE = np.random.default_rng(5).integers(0, CARD, (8, 14))
ROLE = [11, 12, 13, 14]
FRAMES = 14 + 6 + 4 + 6


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(small_lm(), small_mimi(), slots=2)


class Letters:
    """A tokenizer with a token for each letter."""

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]


def test_silence_is_the_whole_frames_in_half_a_second() -> None:
    assert SILENCE_FRAMES == int(0.5 * 12.5) == 6


def test_role_is_wrapped_in_two_opening_tags() -> None:
    assert wrapped("  You are kind. ") == "<system> You are kind. <system>"


def test_wrapping_twice_is_wrapping_once() -> None:
    assert wrapped(wrapped("You are kind.")) == wrapped("You are kind.")


def test_role_with_one_tag_is_wrapped_whole() -> None:
    assert wrapped("<system> You are kind.") == "<system> <system> You are kind. <system>"


def test_role_over_the_budget_says_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"the role has 118 tokens with its tags, at most 100 fit; shorten it by 15%"):
        role_tokens("x" * 100, Letters(), budget=100)


def test_role_within_the_budget_is_its_tokens() -> None:
    assert role_tokens("x", Letters()) == [ord(letter) for letter in "<system> x <system>"]


def test_blank_role_has_no_tokens() -> None:
    assert role_tokens(" \n", Letters()) == []


def test_prompt_is_voice_silence_role_silence() -> None:
    script = system_prompt(ROLE, VOICE)
    assert (script.agent[:14] == VOICE.T).all()
    assert (script.agent[14:] == SILENCE).all() and len(script.agent) == FRAMES
    assert script.text.tolist() == [PAD] * 20 + ROLE + [PAD] * 6
    assert (script.user == SINE).all() and script.user.shape == (FRAMES, 8)
    assert script.text.dtype == script.agent.dtype == script.user.dtype == np.int64


def test_prompt_after_a_pt_voice_begins_with_silence() -> None:
    script = system_prompt(ROLE)
    assert script.text.tolist() == [PAD] * 6 + ROLE + [PAD] * 6
    assert (script.agent == SILENCE).all()


def test_columns_delay_all_codebooks_but_the_first(engine: Engine) -> None:
    table = columns(engine.lm, system_prompt(ROLE, VOICE)).numpy()
    initial = [engine.lm.text_initial_token_id] + [engine.lm.initial_token_id] * 16
    assert table.shape == (17, FRAMES + 1)
    assert table[:, 0].tolist() == initial
    assert table[[0, 1, 9], 1].tolist() == [PAD, VOICE[0, 1], SINE[0]]
    assert (table[[2, 8, 10], 1] == CARD).all()  # their first frame is never heard
    assert table[2:9, 5].tolist() == VOICE[1:, 4].tolist()
    assert table[[0, 1, 9], FRAMES].tolist() == [FREE] * 3
    assert table[2:9, FRAMES].tolist() == SILENCE[1:].tolist()


def test_embedding_is_what_the_model_feeds_itself(engine: Engine) -> None:
    table = columns(engine.lm, system_prompt(ROLE, VOICE))[:, :-1]
    heard: list[torch.Tensor] = []
    with torch.no_grad(), engine.alone(), no_compile():
        watch = engine.lm.transformer.register_forward_pre_hook(lambda module, inputs: heard.append(inputs[0]))
        engine.lm.forward_text(table[None])
        watch.remove()
    assert torch.equal(embedded(engine.lm, table), heard[0][0])


def test_prompt_at_once_is_the_prompt_frame_by_frame(engine: Engine) -> None:
    script = system_prompt(ROLE, VOICE)
    at_once = said(engine, [opening(script)], engine.prefill(*prefix(engine.lm, script)))
    assert np.array_equal(at_once, said(engine, [*stepwise(script), opening(script)]))


def test_prompt_without_a_voice_is_heard_too(engine: Engine) -> None:
    script = system_prompt(ROLE)
    at_once = said(engine, [opening(script)], engine.prefill(*prefix(engine.lm, script)))
    assert np.array_equal(at_once, said(engine, [*stepwise(script), opening(script)]))


def test_voice_and_role_in_two_parts_are_heard_as_one(engine: Engine) -> None:
    whole = prefix(engine.lm, system_prompt(ROLE, VOICE))
    table = columns(engine.lm, system_prompt([], VOICE))[:, :VOICE.shape[1] + 1]
    voice = Prefix(embedded(engine.lm, table[:, :-2]), table[:, -2:])
    parts = prefix(engine.lm, system_prompt(ROLE), voice)
    assert torch.equal(parts.embeddings, whole.embeddings)
    assert torch.equal(parts.ring, whole.ring)


def test_opening_returns_the_last_frame_of_the_prompt(engine: Engine) -> None:
    script = system_prompt(ROLE, VOICE)
    first = said(engine, [opening(script)], engine.prefill(*prefix(engine.lm, script)))[0]
    assert first.tolist() == [PAD, *SILENCE]


def test_role_changes_what_is_said(engine: Engine) -> None:
    tokens = [said(engine, [opening(script)], engine.prefill(*prefix(engine.lm, script)))
              for script in (system_prompt(ROLE, VOICE), system_prompt([*ROLE[:-1], 15], VOICE))]
    assert not np.array_equal(*tokens)


def test_first_token_after_a_prompt_follows_the_seed(engine: Engine) -> None:
    script = system_prompt(ROLE, VOICE)
    begun = engine.prefill(*prefix(engine.lm, script))
    first = {seed: said(engine, [opening(script)], begun, seed, Sampling(), num_frames=2)[1].tolist() for seed in (1, 2)}
    assert first[1] != first[2]
    assert first[1] == said(engine, [opening(script)], begun, 1, Sampling(), num_frames=2)[1].tolist()


def test_prompt_longer_than_the_context_says_what_it_needs() -> None:
    script = system_prompt(ROLE, VOICE)
    with pytest.raises(ValueError, match=r"the prompt has 30 frames, .* context of 29; give it a context of 30 frames and 12.5"):
        prefix(small_lm(context=29), script)
    assert len(prefix(small_lm(context=30), script).embeddings) == FRAMES - 1


def said(engine: Engine, prompt: Iterable[Input], begun: Snapshot | None = None, seed: int = 0, sampling: Sampling = GREEDY,
         num_frames: int = 21) -> np.ndarray:
    """(num_frames, 9) tokens: the last prompt frame, then answers to the same random user."""
    engine.open(1, seed, sampling, begun)
    users = np.random.default_rng(7).integers(0, CARD, (num_frames - 1, 8))
    outputs = [engine.tick({1: one})[1] for one in [*prompt, *(Input(codes=codes) for codes in users)]]
    return np.array([[output.text, *output.codes] for output in outputs[-num_frames:]])
