"""Conversations with an engine for tests: sounds to hear, and what the model says to them."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from duplex.frame import FRAME_SAMPLES
from duplex.speech_lm.engine import CODEBOOKS, Engine, Input, Output
from duplex.speech_lm.sampling import GREEDY, Sampling

LOST: Final = Input(codes=np.zeros(CODEBOOKS, np.int64))
DRAWN: Final = Sampling(temperature=1.1, top_k=60, text_temperature=0.9, text_top_k=12)
EACH_WAY: Final = {"greedy": GREEDY, "sampled": DRAWN}


def heard(num_frames: int, seed: int) -> list[Input]:
    """What an engine is brought in a conversation: the lost frame, then noise of changing loudness."""
    random = np.random.default_rng(seed)
    loudness = random.uniform(0.0, 0.3, (num_frames, 1))
    sound = (random.standard_normal((num_frames, FRAME_SAMPLES)) * loudness).clip(-1.0, 1.0).astype(np.float32)
    return [LOST, *(Input(samples=samples) for samples in sound)]


def alone(engine: Engine, inputs: Sequence[Input], seed: int, sampling: Sampling = GREEDY, row: int = 0) -> list[Output]:
    """The answers to `inputs` in a conversation with nobody beside it."""
    engine.open(row, seed, sampling)
    return [engine.tick({row: one})[row] for one in inputs]


def tokens(said: Sequence[Output]) -> list[tuple[int, ...]]:
    return [(one.text, *one.codes.tolist()) for one in said]


def sound(said: Sequence[Output]) -> np.ndarray:
    return np.concatenate([one.samples for one in said])
