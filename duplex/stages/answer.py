"""An answer under way: the reply to something heard, then its speech, sentence by sentence.

It may be prepared on a guess and dropped. When it is spoken is the agent's decision.
"""

from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from duplex.speech import Speech, audible
from duplex.stages.llm import Dialogue, Reply
from duplex.stages.mouth import Mouth
from duplex.stages.tts import TTS
from duplex.workers import Job, Worker

HASTY_SECONDS: Final = 0.8  # who speaks on so soon after an answer began has not heard it; the pause was none of an end


class Sentence(NamedTuple):
    """A further sentence on its way; the first one of what came later brings the reply that it begins."""

    speech: Job[Speech]
    begins: Reply | None = None


class Answer:
    """One answer.

    Args:
        heard: text, or the job that will bring the final text of the utterance; an answer prepared for other words of
            the same meaning is given the ones that were said in the end.
        hypothesis: what was understood so far, where `heard` is a job.
        prefix: said before, and answered together with it.

    Attributes:
        text: what is answered, as far as it is known.
        spoken: has begun to be heard.
        spoken_at: when, seconds on the worker's clock.
    """

    def __init__(self, heard: str | Job[str], dialogue: Dialogue, tts: TTS, worker: Worker,
                 hypothesis: str = "", prefix: str = ""):
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
        self.first = self.reply.then("tts", lambda reply: tts.synthesise(reply.sentences[0]), first_sentence)
        self.jobs += [self.reply, self.first]
        self.rest: deque[Sentence] = deque()
        self.coming: Job[Reply] | None = None  # what the language stage is still busy with

    @property
    def text(self) -> str:
        if isinstance(self.heard, str):
            return self.heard
        return f"{self.prefix} {self.heard.result}".strip() if self.heard.done else self.hypothesis

    @property
    def ready(self) -> bool:
        return self.first.done

    @property
    def unfinished(self) -> bool:
        """Whether sentences are still to be handed over, or may still come."""
        return bool(self.rest) or self.coming is not None

    def speak(self, mouth: Mouth, since: float) -> None:
        """Begins to say it; logs what each stage added after the turn was called over at `since` seconds."""
        reply, speech = self.reply.result, self.first.result
        self.spoken = True
        self.spoken_at = self.worker.now
        self.bring(reply.sentences[1:])
        self.coming = following(self.reply, reply)
        shares = {job.stage: max(0.0, job.span[1] - max(job.span[0], since)) for job in self.jobs}
        waited = self.worker.now - since
        mouth.events += reply.events
        mouth.note("answer", heard=self.text, prepared=self.jobs[0].span[0] < since, **shares,
                   frame=waited - sum(shares.values()), lead=audible(speech.samples)[0])
        mouth.say(speech)

    def bring(self, sentences: Sequence[str], begins: Reply | None = None) -> None:
        """Has sentences synthesised, the first of which `begins` something that came later."""
        for number, sentence in enumerate(sentences):
            self.rest.append(Sentence(self.worker.run("tts", sentence, partial(self.tts.synthesise, sentence)),
                                      begins if number == 0 else None))

    def continue_speaking(self, mouth: Mouth) -> None:
        """Hands over further sentences as they become ready, in order."""
        if self.coming is not None and self.coming.done and not self.rest:
            came = self.coming.result
            self.coming = following(self.coming, came)
            self.bring(came.sentences, came)
            if not came.sentences:
                self.begin(came, mouth)
        while self.rest and self.rest[0].speech.done:
            speech, begins = self.rest[0]
            if begins is not None:
                if begins.events and mouth.speaking:
                    return  # what is done by saying it is not done before: what is being said may be talked over yet
                self.begin(begins, mouth)
            mouth.say(speech.result)
            self.rest.popleft()

    def begin(self, reply: Reply, mouth: Mouth) -> None:
        self.dialogue.commit(reply)
        mouth.events += reply.events

    def hasty(self, onset: float) -> bool:
        """Whether the user, who spoke on at `onset`, had not finished what is being answered."""
        return self.spoken and onset - self.spoken_at < HASTY_SECONDS


def following(job: Job[Reply], reply: Reply) -> Job[Reply] | None:
    """What comes after a reply, or None: the language stage goes on from the moment at which the reply was there."""
    rest = reply.rest
    return None if rest is None else job.then("llm", lambda _: rest(), first_sentence)


def first_sentence(reply: Reply) -> str:
    """What a synthesiser is asked for first, and what the rest of an answer comes after; "" of a part that says nothing."""
    return reply.sentences[0] if reply.sentences else ""
