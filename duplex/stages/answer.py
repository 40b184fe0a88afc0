"""An answer under way: the reply to something heard, then its speech, sentence by sentence.

It may be prepared on a guess and dropped. When it is spoken is the agent's decision.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from duplex.speech import Speech, audible
from duplex.stages.language.llm import Dialogue, Reply
from duplex.stages.speaking.mouth import Mouth
from duplex.stages.speaking.stream import AHEAD_SECONDS, Stream
from duplex.stages.speaking.tts import TTS
from duplex.workers import Job, Worker, waits

HASTY_SECONDS: Final = 0.8  # who speaks on so soon after an answer began has not heard it; the pause was none of an end


@dataclass
class Sentence:
    """A further sentence; the first one of what came later brings the reply that it begins.

    Attributes:
        stream: its speech on its way; None as long as nobody asked for it.
    """

    text: str
    begins: Reply | None
    stream: Stream | None = None


class Answer:
    """One answer.

    Args:
        heard: text, or the job that will bring the final text of the utterance; an answer prepared for other words of
            the same meaning is given the ones that were said in the end.
        hypothesis: what was understood so far, where `heard` is a job.
        prefix: said before, and answered together with it.
        voiced: has the answer spoken as soon as it is known; else `voice` does.

    Attributes:
        text: what is answered, as far as it is known.
        spoken: has begun to be heard.
        spoken_at: when, seconds on the worker's clock.
    """

    def __init__(self, heard: str | Job[str], dialogue: Dialogue, tts: TTS, worker: Worker,
                 hypothesis: str = "", prefix: str = "", voiced: bool = True):
        self.dialogue = dialogue
        self.tts = tts
        self.worker = worker
        self.heard = heard
        self.hypothesis = hypothesis
        self.prefix = prefix
        self.spoken = False
        self.spoken_at = 0.0
        self.jobs: list[Job[str] | Job[Reply] | Job[Speech]] = []
        if isinstance(heard, str):
            self.reply = worker.run("llm", heard, lambda: dialogue.reply(heard))
        else:
            self.jobs.append(heard)
            self.reply = heard.then("llm", lambda text: dialogue.reply(f"{prefix} {text}".strip()))
        self.jobs.append(self.reply)
        self.stream = Stream(tts, worker)  # of what is being said, or will be first
        self.first: Job[Speech] | None = None
        if voiced:
            self.voice()
        self.rest: deque[Sentence] = deque()
        self.coming: Job[Reply] | None = None  # what the language stage is still busy with

    @property
    def text(self) -> str:
        if isinstance(self.heard, str):
            return self.heard
        return f"{self.prefix} {self.heard.result}".strip() if self.heard.done else self.hypothesis

    @property
    def ready(self) -> bool:
        return self.first is not None and self.first.done

    @property
    def unfinished(self) -> bool:
        """Whether speech is still to be handed over, or may still come."""
        return bool(self.rest) or self.coming is not None or self.spoken and not self.stream.over

    def voice(self) -> None:
        """Has the first sentence spoken; nothing where that is under way."""
        if self.first is None:
            self.first = self.stream.begin_after(self.reply, first_sentence)
            self.jobs.append(self.first)

    def stop(self) -> None:
        """Nobody wants it, or the rest of it."""
        self.stream.stop()
        for sentence in self.rest:
            if sentence.stream is not None:
                sentence.stream.stop()

    def speak(self, mouth: Mouth, since: float) -> None:
        """Begins to say it; logs what each stage added after the turn was called over at `since` seconds."""
        reply, speech = self.reply.result, next(self.stream.arrived(0.0))
        self.spoken = True
        self.spoken_at = self.worker.now
        self.bring(reply.sentences[1:])
        self.coming = following(self.reply, reply)
        ways = {job.stage: waits(job, since) for job in self.jobs}
        shares = {stage: seconds for stage, (seconds, _) in ways.items()}
        shares["transport"] = sum(way for _, way in ways.values())
        waited = self.worker.now - since
        mouth.events += reply.events
        mouth.note("answer", heard=self.text, prepared=self.jobs[0].span[0] < since, **shares,
                   frame=waited - sum(shares.values()), lead=audible(speech.samples)[0])
        mouth.say(speech)

    def bring(self, sentences: Sequence[str], begins: Reply | None = None) -> None:
        """Has sentences spoken, the first of which `begins` something that came later."""
        for number, text in enumerate(sentences):
            self.rest.append(Sentence(text, begins if number == 0 else None))
            if self.stream.whole:
                self.rest[-1].stream = self.begun(text)

    def begun(self, text: str) -> Stream:
        stream = Stream(self.tts, self.worker)
        stream.begin(text)
        return stream

    def continue_speaking(self, mouth: Mouth) -> None:
        """Hands over further speech as it becomes ready, in order."""
        if self.coming is not None and self.coming.done and not self.rest:
            came = self.coming.result
            self.coming = following(self.coming, came)
            self.bring(came.sentences, came)
            if not came.sentences:
                self.begin(came, mouth)
        self.say_pieces(mouth)
        while self.rest and self.stream.over and self.say_next(mouth):
            self.say_pieces(mouth)

    def say_pieces(self, mouth: Mouth) -> None:
        """What has come of the sentence that is being said."""
        if self.spoken:
            for piece in self.stream.arrived(waiting(mouth)):
                mouth.go_on(piece)

    def say_next(self, mouth: Mouth) -> bool:
        """Says the first of the further sentences, if its speech is there; a streamed one is asked for when its time comes."""
        sentence = self.rest[0]
        if sentence.stream is None and waiting(mouth) < AHEAD_SECONDS:
            sentence.stream = self.begun(sentence.text)
        if sentence.stream is None or not sentence.stream.first.done:
            return False
        if sentence.begins is not None:
            if sentence.begins.events and mouth.speaking:
                return False  # what is done by saying it is not done before: what is being said may be talked over yet
            self.begin(sentence.begins, mouth)
        self.stream = sentence.stream
        mouth.say(next(self.stream.arrived(waiting(mouth))))
        self.rest.popleft()
        return True

    def begin(self, reply: Reply, mouth: Mouth) -> None:
        self.dialogue.commit(reply)
        mouth.events += reply.events

    def hasty(self, onset: float) -> bool:
        """Whether the user, who spoke on at `onset`, had not finished what is being answered."""
        return self.spoken and onset - self.spoken_at < HASTY_SECONDS


def waiting(mouth: Mouth) -> float:
    """Seconds that wait to be said; any number while it holds its breath, since nobody knows whether the rest is wanted."""
    return inf if mouth.paused else mouth.ahead


def following(job: Job[Reply], reply: Reply) -> Job[Reply] | None:
    """What comes after a reply, or None: the language stage goes on from the moment at which the reply was there."""
    rest = reply.rest
    return None if rest is None else job.then("llm", lambda _: rest(), first_sentence)


def first_sentence(reply: Reply) -> str:
    """What a synthesiser is asked for first, and what the rest of an answer comes after; "" of a part that says nothing."""
    return reply.sentences[0] if reply.sentences else ""
