"""What the machine costs: whether an agent keeps up with its frames.

Only where computing is charged as measured, or live: on a declared clock the numbers would change from run to run and
with them a file that is the same to the byte.
"""

from typing import Final

from duplex.frame import FRAME_SECONDS
from duplex.recording import Recording, moment
from eval.metrics.occasions import Observation

MEASURED_CLOCKS: Final = ("measured", "live")


def steps(recording: Recording) -> list[Observation]:
    """The share of the agent's steps that took longer than the 80 ms of a frame (`late_steps`), and its computing time
    over the time of the sound (`realtime_factor`; above 1 it cannot keep up). Of each conversation, on measured clocks."""
    number = len(recording.step_seconds)
    if recording.facts.get("clock") not in MEASURED_CLOCKS or not number:
        return []
    late = int((recording.step_seconds > FRAME_SECONDS).sum())
    return [Observation("late_steps", 0.0, float(late), per=float(number)),
            Observation("realtime_factor", 0.0, moment(float(recording.step_seconds.sum(dtype=float))),
                        per=moment(number * FRAME_SECONDS))]
