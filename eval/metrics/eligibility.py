"""How many of the caller's acts could be measured: what the counts behind every rate are counts of.

Each act is one occasion here, whether or not it is one for the metrics of its kind.
"""

from eval.metrics.interruption import is_eligible
from eval.metrics.occasions import Observation, is_answer_due, response
from eval.metrics.pause import is_open
from eval.timeline import ASIDE_KINDS, PAUSE, Act, Timeline, speaking


def eligibility(timeline: Timeline) -> list[Observation]:
    """Share of the caller's acts that are an occasion for the metrics of their kind.

    `turn_eligible`: turns and corrections whose answer was due and could be seen. `interruption_eligible`: interruptions
    that found the agent speaking with something left to say. `pause_eligible`: pauses in which the agent could have begun.
    `backchannel_eligible`, `cough_eligible` and so on: asides into the agent's speech; the others are occasions for
    `false_response`.
    """
    return [Observation(f"{name(act)}_eligible", act.start, float(counts(timeline, act)))
            for act in timeline.acts if name(act)]


def name(act: Act) -> str:
    if act.kind in ("turn", "correction"):
        return "turn"
    return act.kind if act.kind in ("interruption", PAUSE, *ASIDE_KINDS) else ""


def counts(timeline: Timeline, act: Act) -> bool:
    if act.kind == PAUSE:
        return is_open(timeline, act)
    if act.kind == "interruption":
        return is_eligible(timeline, act)
    if act.kind in ASIDE_KINDS:
        return speaking(timeline.agent, act.start)
    return is_answer_due(timeline, act, response(timeline, act))
