"""An answer under way of an end-to-end speech model: pieces of sound that come while the first ones are being said.

What was heard of it is known to the sample. When it is spoken and when it stops is the agent's decision.
"""

import hashlib
from collections import deque
from collections.abc import Sequence

import numpy as np

from duplex.frame import SAMPLE_RATE
from duplex.recording import AGENT
from duplex.speech import Speech, audible
from duplex.stages.end_to_end.speech_model import Piece, SpeechModel, Turn
from duplex.stages.speaking.mouth import Mouth
from duplex.stages.speaking.pieces import joined
from duplex.stages.speaking.stream import AHEAD_PIECES, AHEAD_SECONDS, following
from duplex.workers import Worker, waits


class SpeechAnswer:
    """One answer.

    Args:
        turn: what is answered.
        before: what was said before it.

    Attributes:
        spoken: has begun to be heard.
        spoken_at: when, seconds on the worker's clock.
        pieces: handed over to the mouth so far.
        over: there are no more.
    """

    def __init__(self, turn: Turn, before: Sequence[Turn], model: SpeechModel, worker: Worker):
        self.turn = turn
        self.worker = worker
        self.asked = hashlib.sha256(turn.speech.samples.tobytes()).hexdigest()[:16]  # nothing else tells two turns apart
        self.made = model.answer((*before, turn))
        self.spoken = False
        self.spoken_at = 0.0
        self.pieces: list[Piece] = []
        self.over = False
        self.last = worker.run("speech_reply", self.asked, self.next_piece)  # that was asked for
        self.jobs = deque([self.last])  # not handed over yet, in order
        self.num_asked = 1

    def next_piece(self) -> Piece | None:
        """The slow part."""
        return next(self.made, None)

    @property
    def ready(self) -> bool:
        return self.jobs[0].done

    @property
    def seconds(self) -> float:
        """Of sound that was handed over."""
        return sum(piece.speech.seconds for piece in self.pieces)

    def speak(self, mouth: Mouth, since: float) -> bool:
        """Begins to say it, and logs what it took after the turn was called over at `since` seconds; false if it is nothing."""
        first = self.jobs.popleft()
        piece, (stage, transport) = first.result, waits(first, since)
        self.over = piece is None
        if piece is None:
            return False
        self.spoken = True
        self.spoken_at = self.worker.now
        mouth.note("answer", heard="", prepared=first.span[0] < since, speech_reply=stage, transport=transport,
                   frame=self.worker.now - since - stage - transport, lead=audible(piece.speech.samples)[0])
        mouth.events += piece.speech.events
        mouth.say(piece.speech)
        self.pieces.append(piece)
        return True

    def go_on(self, mouth: Mouth) -> None:
        """Hands over further pieces as they become ready, in order, and asks for more while little waits to be said."""
        while not self.over:
            while len(self.jobs) < AHEAD_PIECES and mouth.ahead < AHEAD_SECONDS:
                self.ask()
            if not self.jobs or not self.jobs[0].done:
                return
            piece = self.jobs[0].result
            if piece is not None and piece.speech.events and mouth.speaking:
                return  # what is done by saying it is not done before: what is being said may be talked over yet
            self.jobs.popleft()
            self.over = piece is None
            if piece is not None:
                mouth.events += piece.speech.events
                mouth.go_on(piece.speech)
                self.pieces.append(piece)

    def ask(self) -> None:
        """Has a further piece made, from the moment at which the one before it is there."""
        request = f"{self.asked} #{self.num_asked}"
        self.last = following(self.last, self.worker, "tts_piece", lambda _: self.next_piece(), lambda _: request)
        self.jobs.append(self.last)
        self.num_asked += 1

    def stop(self) -> None:
        """Nobody wants the rest: work stops there, and what comes of it is never looked at."""
        self.made.close()

    def heard(self, unsaid: float) -> Turn:
        """As much of it as was said, where the last `unsaid` seconds of what the mouth was given were not."""
        whole = joined(piece.speech for piece in self.pieces)
        num_samples = len(whole.samples) - round(unsaid * SAMPLE_RATE)
        words = tuple(word for word in whole.words if word.start * SAMPLE_RATE < num_samples)
        text = " ".join(piece.text for piece in self.pieces if piece.text)
        if not self.over or unsaid:
            text = " ".join(word.text for word in words)
        starts = np.cumsum([0, *(len(piece.speech.samples) for piece in self.pieces)])
        state = [piece.state for piece, start in zip(self.pieces, starts) if start < num_samples]
        return Turn(AGENT, Speech(whole.samples[:num_samples], words), text, state[-1] if state else None)
