"""When an agent decides to answer, next to when that is heard.

Decisions are what agents log: a cascade its "endpoint", a speech model the first text token that is no padding. Agents that
log neither have no decision.
"""

from itertools import pairwise
from typing import Final

from duplex.frame import FRAME_SECONDS
from duplex.recording import moment
from eval.metrics.occasions import Observation
from eval.metrics.switch import latencies
from eval.timeline import Act, Timeline

REST_SECONDS: Final = 0.5  # without text part what was written before from the answer; within one, padding is shorter
LATE_SECONDS: Final = 0.5  # text may follow the sound it belongs to by so much: a laugh or a breath comes first


def decision_times(timeline: Timeline) -> list[Observation]:
    """Seconds from the end of the caller's act to the decision to answer (`decision_latency`, signed), and from there to
    the onset of the answer (`decision_to_sound`), negative where the sound came before the text.

    The decision is the last "endpoint" at or before the onset that follows the act's onset; of an agent that logs text
    tokens, the first one of the last stretch of text that begins before the onset, or up to 0.5 s after it, stretches
    being parted by 0.5 s of padding. Where no decision lies between the act's onset and the answer there is none.
    """
    observations = []
    tokens = written(timeline)
    for act, latency, censored in latencies(timeline):
        if censored:
            continue
        onset = moment(act.end + latency)
        decided = endpoint(timeline, act, onset) if not tokens else first_token(tokens, act, onset)
        if decided is not None:
            observations += [Observation("decision_latency", act.end, moment(decided - act.end)),
                             Observation("decision_to_sound", act.end, moment(onset - decided))]
    return observations


def endpoint(timeline: Timeline, act: Act, onset: float) -> float | None:
    return max((event.start for event in timeline.events
                if event.kind == "endpoint" and act.start <= event.start <= onset), default=None)


def written(timeline: Timeline) -> list[float]:
    """The starts of the frames in which the agent wrote text; padding is not told."""
    return sorted(event.start for event in timeline.events if event.kind == "text_token" and event.detail.get("text"))


def first_token(tokens: list[float], act: Act, onset: float) -> float | None:
    stretches = [token for before, token in pairwise([-REST_SECONDS - FRAME_SECONDS, *tokens])
                 if moment(token - before - FRAME_SECONDS) >= REST_SECONDS]
    return max((start for start in stretches if act.start <= start <= moment(onset + LATE_SECONDS)), default=None)
