"""Agents that share one model, for tests of many conversations in one process; named by `_target_`."""

import time
from functools import cache
from threading import Condition

from duplex.agents.simple import Responder
from duplex.conversation import Prompt
from duplex.frame import Frame

PATIENCE = 20.0  # seconds, after which whoever waits for the others gives up: a test fails and does not hang


class Table:
    """A model of so many seats. It serves when everybody who sits has brought a frame, so all wait for the slowest.

    Attributes:
        most: how many ever sat at a time.
        most_served: how many frames it ever served at a time.
    """

    def __init__(self, seats: int):
        self.seats = seats
        self.changed = Condition()
        self.seated: set[object] = set()
        self.brought: set[object] = set()
        self.most = self.most_served = 0

    def sit(self, who: object, waits: bool) -> None:
        with self.changed:
            free = self.changed.wait_for(lambda: len(self.seated) < self.seats, PATIENCE if waits else 0.0)
            if not free:
                raise ValueError(f"all {self.seats} seats are taken")
            self.seated.add(who)
            self.most = max(self.most, len(self.seated))

    def bring(self, who: object) -> None:
        with self.changed:
            self.brought.add(who)
            self.serve_if_complete()
            if not self.changed.wait_for(lambda: who not in self.brought, PATIENCE):
                raise TimeoutError("waited for somebody who never came")

    def leave(self, who: object) -> None:
        with self.changed:
            self.seated.discard(who)
            self.serve_if_complete()
            self.changed.notify_all()

    def serve_if_complete(self) -> None:
        if self.brought >= self.seated:
            self.most_served = max(self.most_served, len(self.brought))
            self.brought.clear()
            self.changed.notify_all()


@cache
def table(seats: int) -> Table:
    return Table(seats)


class Seated:
    """A `Responder` at a table.

    Args:
        slots: how many may be played at a time.
        seats: of the table; None for as many. Who finds no seat waits for one if `waits`, and fails otherwise.
        fails: whether conversations of seed 0 fail in frame 40.
        pace: seconds that a step takes at least.
    """

    def __init__(self, slots: int = 1, seats: int | None = None, waits: bool = False, fails: bool = False,
                 pace: float = 0.0, delay: float = 0.5, seconds: float = 1.5, pause: float | None = None):
        self.table = table(seats or slots)
        self.waits, self.fails, self.pace = waits, fails, pace
        self.responder = Responder(delay, seconds, pause)
        self.facts = {"source": "tests", "licence": "CC0", "files": ["together.py"]}

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.responder.reset(prompt, seed)
        self.frames_left = 40 if self.fails and seed == 0 else 10_000
        self.table.sit(self, self.waits)

    def step(self, heard: Frame) -> Frame:
        self.frames_left -= 1
        if not self.frames_left:
            raise RuntimeError("lost my voice")
        time.sleep(self.pace)
        self.table.bring(self)
        return self.responder.step(heard)

    def leave(self) -> None:
        self.table.leave(self)
