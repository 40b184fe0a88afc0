"""The engine: many conversations in one model, each of them exactly as if it were alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("moshi")

from talking import DRAWN, EACH_WAY, LOST, alone, heard, sound, tokens  # noqa: E402  # after the skip

from duplex.frame import FRAME_SAMPLES  # noqa: E402
from duplex.speech_lm.engine import CODEBOOKS, FREE, Engine, Input, Output  # noqa: E402
from duplex.speech_lm.sampling import GREEDY, Sampling  # noqa: E402

MakeEngine = Callable[..., Engine]
each_way = pytest.mark.parametrize("sampling", EACH_WAY.values(), ids=EACH_WAY.keys())


@dataclass
class Call:
    """A conversation in a batch: in `row` from tick `joins` on, standing still in ticks `pauses`."""

    row: int
    joins: int
    num_frames: int
    seed: int
    pauses: frozenset[int] = frozenset()
    said: list[Output] = field(default_factory=list)


def together(engine: Engine, calls: Mapping[str, Call], sampling: Sampling) -> None:
    """Plays `calls` side by side, each as its timetable says."""
    left = {name: list(heard(call.num_frames, call.seed)) for name, call in calls.items()}
    for tick in range(200):
        inputs: dict[int, Input] = {}
        present: dict[int, Call] = {}
        for name, call in calls.items():
            if tick == call.joins:
                engine.open(call.row, call.seed, sampling)
            if tick >= call.joins and tick not in call.pauses and left[name]:
                inputs[call.row], present[call.row] = left[name].pop(0), call
        if inputs:
            for row, output in engine.tick(inputs).items():
                present[row].said.append(output)
    assert not any(left.values())


CONTEXT: Final = 24  # frames, so that every longer conversation wraps around


@each_way
def test_a_conversation_never_knows_its_neighbours(engine: MakeEngine, sampling: Sampling) -> None:
    calls = {
        "wraps around and pauses": Call(0, 0, 40, 1, frozenset({5, *range(25, 31)})),
        "joins later": Call(1, 5, 28, 2, frozenset({20, 21})),
        "short": Call(7, 9, 12, 3),
        "takes over the slot": Call(7, 26, 30, 4, frozenset({30})),
    }
    together(engine(slots=8, context=CONTEXT), calls, sampling)
    single = engine(slots=1, context=CONTEXT)
    for name, call in calls.items():
        expected = alone(single, heard(call.num_frames, call.seed), call.seed, sampling)
        assert tokens(call.said) == tokens(expected), name
        np.testing.assert_allclose(sound(call.said), sound(expected), atol=1e-6, err_msg=name)
        assert len(set(tokens(expected))) > 10, f"{name}: a model that says always the same proves nothing"


def test_a_seed_draws_its_own_tokens(engine: MakeEngine) -> None:
    single = engine()
    one, again, other = (tokens(alone(single, heard(8, 0), seed, DRAWN)) for seed in (1, 1, 2))
    assert one == again != other


def test_neighbours_may_be_drawn_otherwise(engine: MakeEngine) -> None:
    pair = engine(slots=2)
    expected = tokens(alone(pair, heard(10, 0), 1, DRAWN))
    pair.open(0, 9, Sampling(temperature=2.0, top_k=250))
    pair.open(1, 1, DRAWN)
    said = [pair.tick({0: loud, 1: one})[1] for loud, one in zip(heard(10, 7), heard(10, 0))]
    assert tokens(said) == expected


def test_the_first_call_says_nothing(engine: MakeEngine) -> None:
    first, second = alone(engine(), heard(1, 0), 0)
    assert first.text == FREE and not first.samples.any()
    assert second.text >= 0 and second.samples.any()


def test_a_context_is_exact_for_shorter_conversations(engine: MakeEngine) -> None:
    long, short = (tokens(alone(engine(context=context), heard(20, 0), 0)) for context in (64, CONTEXT))
    assert long == short


@each_way
def test_a_snapshot_goes_on_in_another_slot(engine: MakeEngine, sampling: Sampling) -> None:
    inputs = heard(44, 3)
    first, other = engine(slots=2, context=CONTEXT), engine(slots=3, context=CONTEXT)
    before = alone(first, inputs[:30], 5, sampling)  # the ring has wrapped around
    kept = first.snapshot(0)
    after = [first.tick({0: one})[0] for one in inputs[30:]]
    alone(other, heard(30, 8), 8, row=2)  # somebody else was here
    other.restore(2, kept)
    again = [other.tick({2: one})[2] for one in inputs[30:]]
    assert tokens(after) == tokens(again)
    np.testing.assert_allclose(sound(after), sound(again), atol=1e-6)
    assert tokens(before) + tokens(after) == tokens(alone(engine(context=CONTEXT), inputs, 5, sampling))


def test_one_moment_has_two_futures(engine: MakeEngine) -> None:
    pair = engine(slots=2)
    inputs, interrupted = heard(16, 1), heard(16, 2)
    pair.open(0, 1, DRAWN)
    for one in inputs[:9]:
        pair.tick({0: one})
    pair.restore(1, pair.snapshot(0))
    futures = [pair.tick({0: quiet, 1: loud}) for quiet, loud in zip(inputs[9:], interrupted[9:])]
    factual, other = ([future[row] for future in futures] for row in (0, 1))
    assert tokens(factual) == tokens(alone(engine(), inputs, 1, DRAWN)[9:])
    assert tokens(other)[0][0] == tokens(factual)[0][0] and tokens(other) != tokens(factual)


def test_what_is_told_is_said(engine: MakeEngine) -> None:
    single = engine()
    single.open(0, 0, GREEDY)
    told = np.arange(10, 10 + CODEBOOKS)
    silent = Input(codes=np.zeros(CODEBOOKS, np.int64), text=42, audio=told)
    said = [single.tick({0: silent})[0] for _ in range(3)]
    assert (said[2].text, said[2].codes.tolist()) == (42, told.tolist())
    assert single.tick({0: LOST})[0].text == 42  # the last one told; from here on the model is free
    assert single.tick({0: LOST})[0].codes.tolist() != told.tolist()


def test_several_positions_at_once_in_the_shared_state_are_refused(engine: MakeEngine) -> None:
    pair = engine(slots=2)
    with pytest.raises(RuntimeError, match="5 positions at once .* would corrupt"), torch.no_grad():
        pair.lm.forward_text(torch.zeros(2, 17, 5, dtype=torch.long))


def test_a_prompt_leaves_the_others_alone(engine: MakeEngine) -> None:
    inputs = heard(40, 0)
    expected = tokens(alone(engine(context=CONTEXT), inputs, 0))
    pair = engine(slots=2, context=CONTEXT)
    pair.open(0, 0, GREEDY)
    said = [pair.tick({0: one})[0] for one in inputs[:35]]
    pair.open(1, 0, GREEDY, pair.prefill(torch.randn(20, pair.lm.dim), torch.zeros(17, 2, dtype=torch.long)))
    said += [pair.tick({0: one, 1: LOST})[0] for one in inputs[35:]]
    assert tokens(said) == expected


def test_a_prompt_longer_than_the_context_is_refused(engine: MakeEngine) -> None:
    with pytest.raises(ValueError, match="a prompt of 25 frames does not fit a context of 24"):
        engine(context=CONTEXT).prefill(torch.zeros(25, 64), torch.zeros(17, 2, dtype=torch.long))


def test_a_snapshot_that_does_not_fit_is_refused(engine: MakeEngine) -> None:
    wrapped = engine(context=CONTEXT)
    alone(wrapped, heard(30, 0), 0)
    with pytest.raises(ValueError, match="31 frames in a context of 24 does not fit a context of 64"):
        engine(context=64).restore(0, wrapped.snapshot(0))


def test_what_is_not_a_number_stays_in_its_conversation(engine: MakeEngine) -> None:
    pair = engine(slots=2)
    expected = tokens(alone(pair, heard(12, 0), 1, DRAWN))
    pair.open(0, 1, DRAWN)
    pair.open(1, 1, DRAWN)
    said = []
    for index, one in enumerate(heard(12, 0)):
        broken = Input(samples=np.full(FRAME_SAMPLES, np.nan, np.float32)) if index == 4 else one
        said.append(pair.tick({0: one, 1: broken})[0])
    assert tokens(said) == expected
    assert tokens(alone(pair, heard(12, 0), 1, DRAWN, row=1)) == expected  # nor does the slot keep it
