"""Agents that fail, for tests of what becomes of a conversation then; named by `_target_`."""

import time

import numpy as np

from duplex.agents.simple import Responder
from duplex.conversation import Prompt
from duplex.frame import FRAME_SAMPLES, Frame


class Fails(Responder):
    """A `Responder` that fails in frame 40 of the conversations of seed 0."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        super().reset(prompt, seed)
        self.frames_left = 40 if seed == 0 else 10_000

    def step(self, heard: Frame) -> Frame:
        self.frames_left -= 1
        return super().step(heard) if self.frames_left > 0 else self.failure()

    def failure(self) -> Frame:
        raise RuntimeError("lost my voice")


class WrongShape(Fails):
    def failure(self) -> Frame:
        return Frame(np.zeros(960, np.float32))


class NotANumber(Fails):
    def failure(self) -> Frame:
        return Frame(np.full(FRAME_SAMPLES, np.nan, np.float32))


class Slow(Responder):
    """A `Responder` that takes its time, so that a run can be interrupted."""

    def step(self, heard: Frame) -> Frame:
        time.sleep(0.01)
        return super().step(heard)
