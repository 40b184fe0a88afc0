"""How surprising the user is to PersonaPlex: what teacher forcing says of the same tokens."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("moshi")

from moshi.utils.compile import no_compile  # noqa: E402  # after the skip
from talking import DRAWN, LOST, alone, tokens  # noqa: E402

from duplex.speech_lm.checkpoint import find, load  # noqa: E402
from duplex.speech_lm.engine import CODEBOOKS, Engine, Input  # noqa: E402

NUM_FRAMES = 14


def test_the_users_surprise_is_that_of_teacher_forcing(tiny: Callable[[str], Path]) -> None:
    checkpoint = find("personaplex", path=tiny("personaplex"))
    model = load(checkpoint, dtype="float32", score_user=True)
    user = np.random.default_rng(0).integers(0, model.lm.card, (NUM_FRAMES, CODEBOOKS))
    inputs = [LOST, *(Input(codes=codes) for codes in user)]
    engine = Engine(model.lm, model.mimi)
    said = alone(engine, inputs, 1, DRAWN)
    engine.close()

    # Frame 1 is the first that is heard; `forward` takes frames and delays them as the engine does.
    frames = np.concatenate([np.array(tokens(said[1:])), user], axis=1).T
    model.lm.dep_q = 2 * CODEBOOKS
    with torch.no_grad(), no_compile():
        logits = model.lm(torch.from_numpy(frames)[None]).logits[0, CODEBOOKS:].double().log_softmax(-1)
    expected = -np.take_along_axis(logits.numpy(), user.T[..., None], -1)[..., 0]  # (CODEBOOKS, NUM_FRAMES)
    nats = np.array([one.user_nats for one in said[2:]]).T  # in call n: the first codebook of frame n, others of frame n - 1
    np.testing.assert_allclose(nats[0], expected[0, 1:], rtol=1e-4)
    np.testing.assert_allclose(nats[1:], expected[1:, :-1], rtol=1e-4)
    assert np.nanstd(expected) > 0.1


def test_scoring_changes_nothing_that_is_said(tiny: Callable[[str], Path]) -> None:
    checkpoint = find("personaplex", path=tiny("personaplex"))
    user = np.random.default_rng(0).integers(0, 2048, (NUM_FRAMES, CODEBOOKS))
    inputs = [LOST, *(Input(codes=codes) for codes in user)]
    both = [load(checkpoint, dtype="float32", score_user=scores) for scores in (True, False)]
    scored, plain = (alone(Engine(model.lm, model.mimi), inputs, 1, DRAWN) for model in both)
    assert tokens(scored) == tokens(plain)
    assert plain[-1].user_nats is None and scored[-1].user_nats is not None
