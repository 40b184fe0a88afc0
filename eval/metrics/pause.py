"""Whether an agent takes a pause for the end of a turn.

What it says into the pause does not matter, nor how long.
"""

from typing import Final

from duplex.recording import moment
from eval.metrics.occasions import Observation
from eval.timeline import PAUSE, Act, Timeline, first_start, speaking

AFTER_START_SECONDS: Final = 0.1  # what begins sooner cannot have been set off by the pause
AFTER_END_SECONDS: Final = 0.2  # what begins so soon after it could not yet have heard the caller go on


def pause_false_start(timeline: Timeline) -> list[Observation]:
    """Share of the pauses within the caller's turns into which the agent begins to speak.

    It begins between 0.1 s after the pause's start and 0.2 s after its end (Full-Duplex-Bench counts any speech in the
    whole file). A pause is no occasion when the agent speaks already at 0.1 s, as it cannot begin then, or when the
    recording ends before 0.2 s after it.
    """
    return [Observation("pause_false_start", act.start, float(begun(timeline, act) is not None))
            for act in timeline.acts if act.kind == PAUSE and is_open(timeline, act)]


def is_open(timeline: Timeline, act: Act) -> bool:
    """Whether the agent could begin in a pause, and would have been seen to."""
    start, end = window(act)
    return end <= timeline.known_until and (begun(timeline, act) == start or not speaking(timeline.agent, start))


def begun(timeline: Timeline, act: Act) -> float | None:
    """When the agent begins in a pause."""
    return first_start(timeline.agent, *window(act))


def window(act: Act) -> tuple[float, float]:
    return moment(act.start + AFTER_START_SECONDS), moment(act.end + AFTER_END_SECONDS)
