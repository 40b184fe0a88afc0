"""How an agent takes the floor it is given: the answer to each turn and correction of the caller.

Interruptions have their own file; what is said in the answer is not looked at.

The answer is the agent's first stretch of speech that begins no earlier than the act, outlasts it, and begins before
the caller next claims the floor, before 5 s have passed since the act's end, and before the recording ends. Acts whose
answer could not be seen are no occasion (`eval.metrics.occasions.is_answer_due`).
"""

from typing import Final

from duplex.recording import moment
from eval.metrics.occasions import Observation, answer_limit, is_answer_due, response
from eval.timeline import Act, Timeline

SWITCH_KINDS: Final = ("turn", "correction")
EARLY_SECONDS: Final = -0.2
NATURAL_SECONDS: Final = 0.8
MACHINE_SECONDS: Final = 1.5


def switch_latency(timeline: Timeline) -> list[Observation]:
    """Seconds from the true end of the caller's act to the onset of the answer, negative when it begins earlier.

    The floor transfer offset of the answer (Heldner & Edlund, 2010; Levinson & Torreira, 2015). Where no answer comes
    it is censored at the end of the wait.
    """
    return [Observation("switch_latency", act.end, latency, censored)
            for act, latency, censored in latencies(timeline)]


def answer_delay(timeline: Timeline) -> list[Observation]:
    """Seconds from the end of the act to the answer, of answers that are not early: those of at least -0.2 s.

    What a listener waits once the caller is done. It says nothing of haste or silence, which `early_rate` and
    `response_rate` do.
    """
    return [Observation("answer_delay", act.end, latency)
            for act, latency, censored in latencies(timeline) if not censored and latency >= EARLY_SECONDS]


def response_rate(timeline: Timeline) -> list[Observation]:
    """Share of the acts that are answered (tau-voice's R_R, with the window of the latency)."""
    return [Observation("response_rate", act.end, float(not censored)) for act, _, censored in latencies(timeline)]


def early_rate(timeline: Timeline) -> list[Observation]:
    """Share of the acts whose answer begins more than 0.2 s before their end: the agent took the floor (as EVA's)."""
    return [Observation("early_rate", act.end, float(not censored and latency < EARLY_SECONDS))
            for act, latency, censored in latencies(timeline)]


def zones(timeline: Timeline) -> list[Observation]:
    """Shares of the acts answered within 0.8 s, early ones too (`zone_natural`), within 0.8 to 1.5 s (`zone_slow`),
    and later or not at all (`zone_machine`). The three add up to 1.

    The bounds are what voice products go by; 87 % of human transfers lie below 0.8 s (Switchboard).
    """
    observations = []
    for act, latency, censored in latencies(timeline):
        natural = not censored and latency < NATURAL_SECONDS
        machine = censored or latency > MACHINE_SECONDS
        observations += [
            Observation("zone_natural", act.end, float(natural)),
            Observation("zone_slow", act.end, float(not natural and not machine)),
            Observation("zone_machine", act.end, float(machine))]
    return observations


def latencies(timeline: Timeline) -> list[tuple[Act, float, bool]]:
    """Each act with its signed latency, and whether that is censored."""
    found = []
    for act in timeline.acts:
        answer = response(timeline, act)
        if act.kind in SWITCH_KINDS and is_answer_due(timeline, act, answer):
            end = answer_limit(timeline, act) if answer is None else answer
            found.append((act, moment(end - act.end), answer is None))
    return found
