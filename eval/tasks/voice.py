"""What the voice of a caller tells beside the words: that they hesitate, that they are distressed. Does the agent hear it?

The mood is known: the synthesiser was told. Nothing is detected here.
"""

from eval.metrics.occasions import Observation
from eval.metrics.pause import pause_false_start
from eval.metrics.switch import latencies
from eval.tasks.call import Call
from eval.tasks.handoff import handoff


def hesitation(call: Call) -> list[Observation]:
    """Whether an agent lets a hesitant caller finish (`hesitation_cut`), and how soon it answers then (`hesitation_response`).

    `hesitation_cut` is the share of the pauses within the turns of a hesitant caller into which the agent begins to speak, by the
    rule of `pause_false_start`; `hesitation_response` the seconds from the end of such a caller's turns to the answer, by that of
    `switch_latency`. A caller is hesitant whose mood the scenario says is so, or whose turn differs from its undisturbed
    counterpart by hesitation.
    """
    if call.facts.get("mood") != "hesitant" and call.disturbed != "hesitation":
        return []
    return [*(cut._replace(metric="hesitation_cut") for cut in pause_false_start(call.timeline)),
            *(Observation("hesitation_response", act.end, latency, censored)
              for act, latency, censored in latencies(call.timeline))]


def distress_handoff(call: Call) -> list[Observation]:
    """Share of the calls of distressed callers in which a person takes over; `distress_handoff_words` of those who say so,
    `distress_handoff_voice` of those of whom only the voice tells it.

    Who is distressed, and by what that is told, the scenario says; a caller with an upset voice of whom it says nothing is
    distressed by voice. Where nobody should take over all the same, the call is no occasion.
    """
    told_by = call.task.distress or ("voice" if call.facts.get("mood") == "upset" else "")
    if not told_by or call.task.handoff == "should_not":
        return []
    done = float(handoff(call) is not None)
    return [Observation("distress_handoff", 0.0, done), Observation(f"distress_handoff_{told_by}", 0.0, done)]
