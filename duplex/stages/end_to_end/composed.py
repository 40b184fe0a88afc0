"""A stand-in for an end-to-end speech model: recogniser, dialogue and synthesiser in one box, with sound at both ends.

It is here for timing and plumbing, so that a half-duplex agent runs everywhere and can do its tasks. It is no end-to-end model:
between its ears and its voice there are words alone, it hears no tone and speaks in none, and what it scores says nothing
about one. A cascade that can see inside its stages is `duplex.agents.cascade`.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

from duplex.conversation import Prompt
from duplex.recording import AGENT
from duplex.speech import Speech, frames
from duplex.stages.end_to_end.speech_model import Piece, SpeechReply, Stopped, Turn
from duplex.stages.hearing.stt import Recogniser
from duplex.stages.language.llm import Dialogue, Reply
from duplex.stages.meter import MeteredRecogniser, metered, tally
from duplex.stages.speaking.mouth import GAP
from duplex.stages.speaking.pieces import joined
from duplex.stages.speaking.tts import TTS, StreamsSpeech


class Composed:
    """Hears the turn out, replies, and says the reply sentence by sentence.

    Args:
        recogniser: takes the whole turn at once, after it is over.
        dialogue: the language stage, which may use the domain's tools.
        tts: its voice.
    """

    name = "composed"

    def __init__(self, recogniser: Recogniser, dialogue: Dialogue, tts: TTS):
        self.recogniser = MeteredRecogniser(recogniser)
        self.dialogue = dialogue
        self.tts = metered(tts)
        self.facts: Mapping[str, Any] = {}
        self.lock = Lock()  # stages work in threads, and one that nobody waits for may still be at it
        self.reset(Prompt(), 0)

    def warm_up(self) -> None:
        """Loads what the first turn, and the first with digits, would otherwise wait a second for."""
        with self.lock:
            self.recogniser.start(1)
            self.recogniser.finish()

    def reset(self, prompt: Prompt, seed: int) -> None:
        with self.lock:
            self.recogniser.reset(seed)
            self.recogniser.attend(prompt.domain)
            self.dialogue.reset(prompt, seed)
            self.tts.reset()
            self.committed: Reply | None = None

    def tally(self) -> Mapping[str, Any]:
        return tally(self.recogniser, self.dialogue, self.tts)

    def answer(self, turns: Sequence[Turn]) -> SpeechReply:
        return SpeechReply(lambda stopped: self.pieces(turns, stopped))

    def pieces(self, turns: Sequence[Turn], stopped: Stopped) -> Generator[Piece, None, None]:
        with self.lock:
            self.stand_where(turns)
            heard = self.recognised(turns[-1].speech, stopped)
            if not heard or stopped():  # a cough, or nothing that the recogniser knows
                return
            reply: Reply | None = self.dialogue.reply(heard)
        begins = True
        while reply is not None and not stopped():
            events = reply.events
            for sentence in reply.sentences:
                for number, speech in enumerate(self.spoken(sentence)):
                    said = speech if begins or number else joined((GAP, speech))
                    yield Piece(replace(said, events=events), "" if number else sentence, reply)
                    begins, events = False, ()
            reply = reply.rest() if reply.rest is not None else None

    def spoken(self, sentence: str) -> Iterator[Speech]:
        if isinstance(self.tts, StreamsSpeech):
            yield from self.tts.stream(sentence)
        else:
            yield self.tts.synthesise(sentence)

    def stand_where(self, turns: Sequence[Turn]) -> None:
        """Brings the dialogue to where it was after the last answer of which anything was heard."""
        last = next((turn.state for turn in reversed(turns) if turn.party == AGENT), None)
        if isinstance(last, Reply) and last is not self.committed:
            self.dialogue.commit(last)
            self.committed = last

    def recognised(self, speech: Speech, stopped: Stopped) -> str:
        self.recogniser.start(self.dialogue.expected_digits())
        for frame in frames(speech):
            if stopped():
                break
            self.recogniser.hear(frame)
        return self.recogniser.finish()
