"""Ears without words: whose turn's sound is kept, frame by frame, for a model that listens to sound itself.

They say who is speaking and since when. What was said nobody knows here; when a turn ends is the agent's decision.
"""

from typing import Final

import numpy as np

from duplex.frame import FRAME_SECONDS, Frame, Word
from duplex.speech import Speech
from duplex.stages.hearing.ears import ONSET_FRAMES, PRE_ROLL_FRAMES
from duplex.stages.hearing.vad import VAD, SpeechDetector
from duplex.workers import Worker

TAIL_FRAMES: Final = 3  # 0.24 s after the last sound that was likely speech: soft endings, and room for a model to hear an end


class TurnSound:
    """Hears one party.

    Attributes:
        detector: whether it speaks, and for how long.
        in_utterance: from the detected onset until `finish`.
        onset: when the utterance began, seconds on the worker's clock.
        settled, recogniser, finishing: always, none and nothing, see `duplex.stages.turns.endpoint.Hears`.
    """

    settled = True
    recogniser = None
    finishing = None

    def __init__(self, vad: VAD, detector: SpeechDetector, worker: Worker):
        self.vad = vad
        self.detector = detector
        self.worker = worker
        self.reset()

    def reset(self) -> None:
        self.vad.reset()
        self.detector.reset()
        self.frames: list[Frame] = []  # of the turn so far; between turns what may come to belong to the next one
        self.ended = 0  # how many of them belong to the utterance before this one
        self.begun = 0  # how many were there before this one
        self.last_speech = 0  # how many with its last one of speech
        self.in_utterance = False
        self.onset = 0.0

    def hear(self, heard: Frame) -> bool:
        """Takes a frame; true in the frame in which an utterance begins."""
        self.frames.append(heard)
        self.detector.hear(self.vad.hear(heard))
        if self.detector.silence_seconds < FRAME_SECONDS:
            self.last_speech = len(self.frames)
        begins = self.detector.speaking and not self.in_utterance
        if begins:
            self.in_utterance = True
            self.begun = max(self.ended, len(self.frames) - PRE_ROLL_FRAMES)
            self.onset = self.worker.now - self.detector.speech_seconds
        return begins

    def begin_anew(self) -> None:
        """The utterance belongs to no turn before it."""
        del self.frames[:self.begun]
        self.ended, self.last_speech = max(0, self.ended - self.begun), max(0, self.last_speech - self.begun)
        self.begun = 0

    def finish(self) -> None:
        """Ends the utterance. Its sound is kept, since the same turn may go on."""
        self.in_utterance = False
        self.ended = self.begun = max(self.last_speech, len(self.frames) - ONSET_FRAMES)

    @property
    def turn(self) -> Speech:
        """The sound of the turn so far, with the words that its speaker knows."""
        frames = self.frames[:self.last_speech + TAIL_FRAMES]
        words = [Word(word.text, word.start + start, word.end + start)
                 for index, frame in enumerate(frames) for start in (index * FRAME_SECONDS,) for word in frame.words]
        return Speech(np.concatenate([frame.samples for frame in frames]), tuple(words))
