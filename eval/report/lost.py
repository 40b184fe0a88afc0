"""Where tasks were lost, for the report page: a bar for each system, and what shows it, call by call.

Who lost it is found in `eval.tasks.losses`; what a person who takes over says, in `eval.tasks.desk`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eval.report.pictures import systems
from eval.tasks.call import Call
from eval.tasks.desk import desk
from eval.tasks.handoff import handoff
from eval.tasks.losses import PLACES, loss

ACHIEVED: Final = "achieved"
TITLES: Final = {ACHIEVED: "achieved", "recognition": "lost in recognition", "timing": "lost in timing",
                 "understanding": "lost in understanding", "other": "lost elsewhere"}
assert set(TITLES) == {ACHIEVED, *PLACES}


@dataclass(frozen=True)
class Share:
    """A part of a system's tasks.

    Attributes:
        place: ACHIEVED, or where they were lost.
        left, width: percent.
    """

    place: str
    title: str
    count: int
    left: float
    width: float


@dataclass(frozen=True)
class Lost:
    """A system's tasks on a clock.

    Attributes:
        calls: (identity, place, what shows it) of those that were not achieved.
    """

    role: str
    system: str
    shares: tuple[Share, ...]
    calls: tuple[tuple[str, str, str], ...]

    @property
    def num_tasks(self) -> int:
        return sum(share.count for share in self.shares)


def task_of(call: Call) -> list[str] | None:
    """[ACHIEVED or where it was lost, what shows it] of a call with a task."""
    if not call.is_task:
        return None
    lost = loss(call)
    return [ACHIEVED, ""] if lost is None else [lost.place, lost.evidence]


def notes(call: Call, task: Sequence[str] | None) -> list[list[str]]:
    """What an opened call tells of its task: [heading, words]; `task` as of `task_of`."""
    found = [] if task is None or task[0] == ACHIEVED else [[TITLES[task[0]].capitalize(), task[1]]]
    return found + taken_over(call)


def taken_over(call: Call) -> list[list[str]]:
    """What the person says who takes a call over."""
    found = handoff(call)
    if found is None or not call.task.needs:
        return []
    return [["The person who takes over", " ".join(desk(found.packet, call.task.needs).says)]]


def lost(clock: str, manifest: Mapping[str, Any], index: Sequence[Mapping[str, Any]]) -> list[Lost]:
    """The systems that had tasks on a clock; from the index of all conversations."""
    found = []
    for role, name in systems(manifest):
        tasks = [(entry["id"], *entry["task"]) for entry in index
                 if entry["clock"] == clock and entry["system"] == name and entry["task"]]
        if tasks:
            found.append(Lost(role, name, tuple(shares([place for _, place, _ in tasks])),
                              tuple(task for task in tasks if task[1] != ACHIEVED)))
    return found


def shares(places: Sequence[str]) -> list[Share]:
    found, left = [], 0.0
    for place, title in TITLES.items():
        width = 100.0 * places.count(place) / len(places)
        found.append(Share(place, title, places.count(place), round(left, 2), round(width, 2)))
        left += width
    return found
