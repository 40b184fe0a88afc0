"""An agent for tests of the server: greets in two words, echoes, and misbehaves when told; named by `_target_`."""

import time
from collections.abc import Sequence
from dataclasses import replace

from duplex.conversation import Prompt
from duplex.frame import Frame, Word


class Greets:
    """Says "hello there" in its frames 2 and 3, over what it heard a frame ago.

    Args:
        reset_seconds: how long its reset takes, as a prompt's would.
        slow_frames: from and to which frame each step takes `slow_seconds`.
        fails_at, hangs_up_at: in which frame; -1 never.
    """

    def __init__(self, reset_seconds: float = 0.0, slow_frames: Sequence[int] = (0, 0), slow_seconds: float = 0.0,
                 fails_at: int = -1, hangs_up_at: int = -1, delay: float = 0.08):
        self.reset_seconds, self.slow_frames, self.slow_seconds = reset_seconds, slow_frames, slow_seconds
        self.fails_at, self.hangs_up_at = fails_at, hangs_up_at

    def reset(self, prompt: Prompt, seed: int) -> None:
        time.sleep(self.reset_seconds)
        self.frame = -1

    def step(self, heard: Frame) -> Frame | None:
        self.frame += 1
        if self.slow_frames[0] <= self.frame < self.slow_frames[1]:
            time.sleep(self.slow_seconds)
        if self.frame == self.fails_at:
            raise RuntimeError("lost my voice")
        if self.frame == self.hangs_up_at:
            return None
        said = {2: "hello", 3: "there"}.get(self.frame)
        return replace(heard, words=(Word(said, 0.0, 0.08),) if said else (), at=None)
