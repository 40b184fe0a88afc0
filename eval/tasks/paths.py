"""The path that a call takes through its domain: which questions of the agent the caller answered, and how it ended.

How many calls take the commonest paths is counted in `eval.statistics`.
"""

import hashlib
from itertools import groupby
from typing import NamedTuple

from eval.metrics.occasions import Observation
from eval.tasks.call import Call
from eval.tasks.handoff import handoff
from eval.tasks.success import verdict


class Path(NamedTuple):
    """A path.

    Attributes:
        branches: in order; a question that is answered several times in a row is one.
        outcome: "handed off", "done", or "failed".
    """

    domain: str
    branches: tuple[str, ...]
    outcome: str

    @property
    def number(self) -> float:
        """The same for the same path in every run: the first 52 bits of SHA-256, which a float keeps exactly."""
        text = "\n".join((self.domain, *self.branches, self.outcome))
        return float(int.from_bytes(hashlib.sha256(text.encode()).digest()[:7]) >> 4)


def dialogue_path(call: Call) -> list[Observation]:
    """The path of a service call as a number. The share of the calls that take one of the five commonest paths of their domain
    is `path_top_five`.

    A path is the domain, the questions of the agent that the caller answered, in order, and the outcome: handed off, done, or
    failed. Two calls take the same one however long it took them, whatever the values were, and however often in a row a
    question had to be asked. Occasions are the calls that can fail and whose scenario says how difficult they are.
    """
    if not call.is_judged or not call.facts.get("difficulty"):
        return []
    return [Observation("path_top_five", 0.0, path(call).number)]


def path(call: Call) -> Path:
    branches = tuple(branch for branch, _ in groupby(turn.branch for turn in call.turns))
    outcome = "handed off" if handoff(call) is not None else "done" if verdict(call).success else "failed"
    return Path(call.domain, branches, outcome)
