"""Whether a call achieved what it was for, the same for an agent with tools and for one without.

How it was said, and how quickly, is measured elsewhere; what a failure costs, in `eval.tasks.severity`.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from eval.callers.task import DISTURBANCES, Fact
from eval.metrics.occasions import Observation
from eval.tasks.call import CALLS_KEPT, Call
from eval.tasks.handoff import handoff
from eval.tasks.policy import harm
from eval.tasks.state import same, state_after, state_wanted

PARTS: Final = ("facts_told", "facts_withheld", "state_right", "handoff_right", "ended_well")


class Verdict(NamedTuple):
    """What a call achieved of each part of its task; None where the scenario, or the agent, has no such part."""

    facts_told: bool | None
    facts_withheld: bool | None
    state_right: bool | None
    handoff_right: bool | None
    ended_well: bool

    @property
    def success(self) -> bool:
        return all(part is not False for part in self)


@lru_cache(maxsize=CALLS_KEPT)
def verdict(call: Call) -> Verdict:
    """What a call achieved.

    facts_told: the agent speaks every fact that it must, in any order, whoever asked. facts_withheld: it speaks none that it
    must not, nor what would be invented or would show that it was talked into something. state_right: the records in the end
    are what they were before, with the scenario's patch and nothing else; only of agents with tools. handoff_right: a person
    takes over if one should, and not if none should. ended_well: the caller hung up, and nothing had broken.
    """
    task = call.task
    state = call.has_tools and task.state is not None
    return Verdict(
        not missing(call) if task.said else None,
        not spoken(call, task.not_said) and not harm(call) if task.not_said or task.invented or task.obeyed else None,
        same(state_after(call), state_wanted(call)) if state else None,
        (handoff(call) is not None) == (task.handoff == "should") if task.handoff else None,
        call.ended_by == "user" and not call.failed)


def task_success(call: Call) -> list[Observation]:
    """Share of the tasks in which every part is achieved: `facts_told`, `facts_withheld`, `state_right`, `handoff_right` and
    `ended_well`, each also by itself.

    It is the communicated facts and the end state of tau-bench (Yao et al., 2024), with the handoff and the end of the call. A
    call is a task if its scenario requires a fact, a change of the records, or a handoff; one that only forbids is none. An agent
    that speaks without a log of its words is taken to have said nothing; transcribe it first.

    `task_success_easy`, `_medium` and `_hard` are of the tasks of a difficulty, `task_success_clean` and `_disturbed` of those
    without and with a disturbance.
    """
    if not call.is_task:
        return []
    found = verdict(call)
    success = float(found.success)
    difficulty = call.facts.get("difficulty")
    kinds = [difficulty] if difficulty else []
    if difficulty or call.disturbed:
        kinds.append("disturbed" if call.disturbed else "clean")
    return [Observation("task_success", 0.0, success), *(Observation(f"task_success_{kind}", 0.0, success) for kind in kinds),
            *(Observation(part, 0.0, float(achieved)) for part, achieved in zip(PARTS, found, strict=True)
              if achieved is not None)]


def disturbance_costs(call: Call) -> list[Observation]:
    """How much more often a task fails with a disturbance than the same task, same caller and values, without it.

    One of `interruption_cost`, `correction_cost`, `hesitation_cost`, `backchannel_cost` and `noise_cost` for each kind. The
    failures of disturbed tasks count with a `per` of 1, those of undisturbed ones with one of -1; the contrast is the mean of
    the first less the mean of the second, on the tasks that were held both ways (a scenario and its `base`).
    """
    if not call.is_task:
        return []
    failed = float(not verdict(call).success)
    if call.disturbed:
        return [Observation(f"{call.disturbed}_cost", 0.0, failed)] if call.facts.get("base") else []
    return [Observation(f"{kind}_cost", 0.0, failed, per=-1.0)
            for kind in DISTURBANCES if kind and kind in (call.facts.get("counterparts") or ())]


def missing(call: Call) -> tuple[Fact, ...]:
    """The facts that had to be said and were not."""
    return tuple(fact for fact in call.task.said if not call.says(fact))


def spoken(call: Call, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """Those of `facts` that the agent spoke."""
    return tuple(fact for fact in facts if call.says(fact))

