"""Whether an agent takes a pause for the end of a turn.

What it says into the pause does not matter, nor how long.
"""

from typing import Final

from duplex.recording import moment
from eval.metrics.occasions import Observation
from eval.timeline import PAUSE, Timeline, first_start, speaking

AFTER_START_SECONDS: Final = 0.1  # what begins sooner cannot have been set off by the pause
AFTER_END_SECONDS: Final = 0.2  # what begins so soon after it could not yet have heard the caller go on


def pause_false_start(timeline: Timeline) -> list[Observation]:
    """Share of the pauses within the caller's turns into which the agent begins to speak.

    It begins between 0.1 s after the pause's start and 0.2 s after its end (Full-Duplex-Bench counts any speech in the
    whole file). A pause is no occasion when the agent speaks already at 0.1 s, as it cannot begin then, or when the
    recording ends before 0.2 s after it.
    """
    observations = []
    for act in timeline.acts:
        start, end = moment(act.start + AFTER_START_SECONDS), moment(act.end + AFTER_END_SECONDS)
        began = first_start(timeline.agent, start, end)
        if act.kind == PAUSE and end <= timeline.known_until and (
                began == start or not speaking(timeline.agent, start)):
            observations.append(Observation("pause_false_start", act.start, float(began is not None)))
    return observations
