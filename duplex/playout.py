"""Playout: when what a streaming model computed is heard.

A step of a model is played when it has been computed and the one before has been heard, first in, first out; nothing is
dropped. What computing costs is said by `duplex.latency`; work that runs beside the frame clock is `duplex.workers`'.
"""

from dataclasses import replace
from typing import Final

from duplex.frame import FRAME_SECONDS, Frame
from duplex.latency import Charges
from duplex.schedule import Schedule, samples_in

STAGE: Final = "speech_lm"


class Playout:
    """The loudspeaker of a streaming model.

        ready_i = max(ready_i-1, i * 0.08) + cost_i        a step begins when its 80 ms were heard and the last is done
        play_i = max(end of play_i-1, ready_i)

    So the delay is that of the slowest step so far, and the model was silent for a moment wherever it grew. Nothing ever
    makes up for it. On the ideal clock there is none, and every frame is heard as it was said.

    Args:
        charges: what a step costs, as stage "speech_lm" and with the step's index as its request.

    Attributes:
        behind: seconds from when a frame was due to when it is heard. A model that cannot keep up falls behind without
            bound, and what it has said in the meantime waits here.
    """

    def __init__(self, charges: Charges):
        self.charges = charges
        self.reset(0)

    def reset(self, seed: int) -> None:
        self.charges.reset(seed)
        self.frame = 0
        self.late = 0.0  # seconds from the beginning of the last step's frame until it was computed
        self.behind = 0.0
        self.line = Schedule()

    def play(self, frame: Frame, measured: float) -> Frame:
        """What is heard in the frame for which the model has just said `frame`, in `measured` seconds.

        Its `seconds` are what the step costs. Its words and events are those that begin in it; what a model only now knows
        of the past is told at once.
        """
        cost = self.charges.seconds(STAGE, str(self.frame), measured)
        self.frame += 1
        self.late = max(0.0, self.late - FRAME_SECONDS) + cost
        self.behind = max(self.behind, self.late)
        self.line.place(self.line.now + samples_in(self.behind), frame.samples, frame.words, frame.events)
        heard = self.line.read()
        return replace(heard, seconds=cost) if self.behind else frame
