"""What metrics return, and when the caller's acts are an occasion to measure.

An occasion never depends on how the agent did, or silence would win. What is measured on it is each metric's own.
"""

import math
from typing import Final, NamedTuple

from duplex.recording import moment
from eval.timeline import FLOOR_KINDS, TURN_GAP_SECONDS, Act, Timeline

ANSWER_SECONDS: Final = 5.0  # an answer that begins later answers nothing
LEAST_SECONDS: Final = 1.0  # a recording that ends sooner after an act does not show whether it was answered


class Observation(NamedTuple):
    """One number about one occasion.

    Attributes:
        metric: name in the catalogue.
        start: when the occasion was, seconds.
        value: never clamped; a share is 1 or 0.
        censored: the true value is larger, and nobody saw how much.
        per: what a ratio counts its values over: minutes, words, chances. Sums are divided, not quotients averaged.
    """

    metric: str
    start: float
    value: float
    censored: bool = False
    per: float = 1.0


def next_claim(timeline: Timeline, act: Act) -> float:
    """Onset of the next act by which the caller claims the floor; infinite if none does."""
    return next((later.start for later in timeline.acts if later.kind in FLOOR_KINDS and later.start > act.start),
                math.inf)


def answer_limit(timeline: Timeline, act: Act) -> float:
    """Up to when an answer to an act is waited for: the caller's next claim, 5 s after its end, or the end of the
    recording, unless the agent brought that about."""
    return min(next_claim(timeline, act), moment(act.end + ANSWER_SECONDS), timeline.known_until)


def is_answer_due(timeline: Timeline, act: Act, answer: float | None) -> bool:
    """Whether an act is an occasion to measure its answer, which began at `answer` if at all.

    It is none when no answer is due or the act was not finished; when the recording ended within 1.0 s of it, whatever
    was said by then, unless the agent brought that about; or when the caller went on within 1.0 s, before any answer:
    then the two are one turn, and its answer is due after the second.
    """
    seen = act.end <= timeline.seconds and timeline.known_until >= moment(act.end + LEAST_SECONDS)
    goes_on = answer is None and next_claim(timeline, act) < moment(act.end + TURN_GAP_SECONDS)
    return act.answer_due and seen and not goes_on


def response(timeline: Timeline, act: Act) -> float | None:
    """Onset of the first speech of the agent that begins no earlier than the act, outlasts it, and begins in time.

    Speech that ends before the act does is a backchannel or a start given up; speech that began before it is no answer.
    """
    limit = answer_limit(timeline, act)
    return next((unit.start for unit in timeline.agent
                 if unit.end > act.end and act.start <= unit.start < limit), None)
