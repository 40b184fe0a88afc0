"""The harness on the stock moshi package against PersonaPlex's own package, token for token, on the same tiny weights.

Skipped without a checkout of github.com/NVIDIA/personaplex: PERSONAPLEX_CHECKOUT=folder pytest tests/test_personaplex_fork.py

The fork answers one call later than the stock package. So its first answer to the user is that of our `opening`, and its
answer to user frame i + 1 is ours to frame i.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("moshi")

import torch
from moshi.models import loaders
from moshi.models.lm import LMModel
from small_moshi import small_mimi

from duplex.speech_lm.engine import Engine, Input, Snapshot
from duplex.speech_lm.prompt import Script, opening, prefix, stepwise, system_prompt
from duplex.speech_lm.sampling import GREEDY
from duplex.speech_lm.voice import save_voice, saved_voice, to_pt

CHECKOUT = os.environ.get("PERSONAPLEX_CHECKOUT", "")
ROW, NEIGHBOURS = 1, (0, 2)

pytestmark = pytest.mark.skipif(not CHECKOUT, reason="needs PERSONAPLEX_CHECKOUT, a checkout of NVIDIA/personaplex")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fork")


@pytest.fixture(scope="module")
def fork(folder: Path) -> dict[str, Any]:
    """What the fork was given and what it said."""
    return fork_run(folder / "fork.pt")


@pytest.fixture(scope="module")
def engine(fork: dict[str, Any]) -> Engine:
    """The same weights in the stock package, with neighbours that have talked for longer than the context."""
    sizes = {**loaders._lm_kwargs, **fork["sizes"]}
    lm = LMModel(device="cpu", dtype=torch.float32, **sizes).eval()
    lm.load_state_dict({name: tensor.clone() for name, tensor in fork["weights"].items()})
    lm.dep_q = 8  # the other slices say what the user says
    engine = Engine(lm, small_mimi(), slots=3)
    for row in NEIGHBOURS:
        engine.open(row, seed=row, sampling=GREEDY)
    for frame in range(fork["sizes"]["context"] + 3):
        engine.tick(neighbours(frame))
    return engine


@pytest.fixture(scope="module")
def script(fork: dict[str, Any]) -> Script:
    return system_prompt(fork["role"], fork["voice"].numpy())


def test_prompt_in_one_call_says_what_the_fork_says(engine: Engine, fork: dict[str, Any], script: Script) -> None:
    begun = engine.prefill(*prefix(engine.lm, script))
    assert_says_the_same(said(engine, fork, [opening(script)], begun), fork["said"])


def test_prompt_frame_by_frame_says_what_the_fork_says(engine: Engine, fork: dict[str, Any], script: Script) -> None:
    assert_says_the_same(said(engine, fork, [*stepwise(script), opening(script)]), fork["said"])


def test_voice_that_the_fork_saved_says_what_the_fork_says(engine: Engine, fork: dict[str, Any], folder: Path) -> None:
    voice = saved_voice(folder / "fork.voice.pt", engine.lm)
    script = system_prompt(fork["role"], voice.codes)
    begun = engine.prefill(*prefix(engine.lm, script, voice.heard))
    assert voice.codes is None
    assert_says_the_same(said(engine, fork, [opening(script)], begun), fork["said"])


def test_our_pt_holds_what_the_fork_saves(engine: Engine, fork: dict[str, Any], folder: Path) -> None:
    torch.save(to_pt(fork["voice"].numpy(), engine.lm), folder / "ours.pt")
    ours, theirs = (saved_voice(folder / name, engine.lm) for name in ("ours.pt", "fork.voice.pt"))
    assert ours.digest == theirs.digest
    assert torch.equal(ours.heard.embeddings, theirs.heard.embeddings)
    assert torch.equal(ours.heard.ring, theirs.heard.ring)


def test_fork_that_replays_our_pt_says_what_it_says_with_its_own(engine: Engine, fork: dict[str, Any], folder: Path) -> None:
    save_voice(folder / "both.pt", fork["voice"].numpy(), engine.lm)
    assert torch.equal(fork_run(folder / "again.pt", folder / "both.pt")["said"], fork["said"])


def test_fork_begins_with_the_last_frame_of_the_prompt(fork: dict[str, Any], script: Script) -> None:
    assert fork["said"][0].tolist() == [script.text[-1], *script.agent[-1]]


def fork_run(out: Path, *voice: Path) -> dict[str, Any]:
    program = Path(__file__).with_name("personaplex_fork.py")
    run = subprocess.run([sys.executable, str(program), CHECKOUT, str(out), *map(str, voice)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return torch.load(out, weights_only=True)


def neighbours(frame: int) -> dict[int, Input]:
    return {row: Input(codes=np.random.default_rng([row, frame]).integers(0, 2048, 8)) for row in NEIGHBOURS}


def said(engine: Engine, fork: dict[str, Any], prompt: Iterable[Input], begun: Snapshot | None = None) -> torch.Tensor:
    """(num_frames, 9) tokens from the last prompt frame on, said between two neighbours."""
    engine.open(ROW, seed=0, sampling=GREEDY, prefix=begun)
    inputs = [*prompt, *(Input(codes=codes.numpy()) for codes in fork["user"][:-1])]
    tokens = []
    for frame, mine in enumerate(inputs):
        output = engine.tick(neighbours(frame) | {ROW: mine})[ROW]
        tokens.append([output.text, *output.codes])
    return torch.tensor(tokens[-len(fork["user"]):])


def assert_says_the_same(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    equal = (ours == theirs).all(dim=1).tolist()
    assert all(equal), f"{sum(equal)} of {len(equal)} frames are equal, frame {equal.index(False)} is the first that is not"
