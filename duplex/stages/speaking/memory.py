"""What both sides said and how it sounded, for a voice that remembers it (`Remembers`). For any other voice it does nothing.

What the voice makes of it is its own affair.
"""

from collections import deque
from typing import Final

import numpy as np

from duplex.frame import FRAME_SECONDS, Frame
from duplex.recording import AGENT, USER
from duplex.stages.hearing.ears import PRE_ROLL_FRAMES
from duplex.stages.speaking.tts import TTS, Remembers

LONGEST_PAUSE: Final = round(0.48 / FRAME_SECONDS)  # frames of silence kept between two sounds of one turn


class Memory:
    """Collects the turns of a conversation and tells the voice when one is over.

    Attributes:
        voice: who is told; None where nobody remembers.
    """

    def __init__(self, tts: TTS):
        self.voice = tts if isinstance(tts, Remembers) else None
        self.reset()

    def reset(self) -> None:
        if self.voice is not None:
            self.voice.forget()
        self.recent: deque[Frame] = deque(maxlen=PRE_ROLL_FRAMES)
        self.in_utterance = False
        self.heard: list[Frame] = []  # of the user's utterance, from just before it was noticed
        self.said: list[Frame] = []  # of the agent's own turn, as far as it was played
        self.pause: list[Frame] = []  # that may turn out to be one inside it

    def hear(self, heard: Frame, in_utterance: bool) -> None:
        """Takes every frame of the user's."""
        if self.voice is None:
            return
        self.recent.append(heard)
        if in_utterance and not self.in_utterance:
            self.heard = list(self.recent)
        elif in_utterance:
            self.heard.append(heard)
        self.in_utterance = in_utterance

    def say(self, said: Frame) -> Frame:
        """Takes every frame of the agent's, and returns it."""
        if self.voice is not None:
            if said.samples.any() or said.words:
                self.said += [*self.pause, said]
                self.pause = []
            elif self.said and len(self.pause) < LONGEST_PAUSE:
                self.pause.append(said)
        return said

    def turn_is_over(self, text: str) -> None:
        """The user's, who said `text`: tells what the agent said before it, then that."""
        if self.voice is None:
            return
        if self.said:
            self.voice.remember(AGENT, " ".join(word.text for frame in self.said for word in frame.words), sound(self.said))
        self.voice.remember(USER, text, sound(self.heard))
        self.said, self.pause, self.heard = [], [], []


def sound(frames: list[Frame]) -> np.ndarray:
    """(num_samples,) float32."""
    return np.concatenate([np.zeros(0, np.float32), *(frame.samples for frame in frames)])
