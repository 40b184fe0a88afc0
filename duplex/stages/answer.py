"""An answer under way: the reply to something heard, then its speech, sentence by sentence.

It may be prepared on a guess and dropped. When it is spoken is the agent's decision.
"""

from collections import deque
from typing import Final

from duplex.speech import Speech, audible
from duplex.stages.llm import Dialogue, Reply
from duplex.stages.mouth import Mouth
from duplex.stages.tts import TTS
from duplex.workers import Job, Worker

HASTY_SECONDS: Final = 0.8  # who speaks on so soon after an answer began has not heard it; the pause was none of an end


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
        self.first = self.reply.then("tts", lambda reply: tts.synthesise(reply.sentences[0]))
        self.jobs += [self.reply, self.first]
        self.rest: deque[Job[Speech]] = deque()

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
        """Whether sentences are still to be handed over."""
        return bool(self.rest)

    def speak(self, mouth: Mouth, since: float) -> None:
        """Begins to say it; logs what each stage added after the turn was called over at `since` seconds."""
        reply, speech = self.reply.result, self.first.result
        self.spoken = True
        self.spoken_at = self.worker.now
        self.rest.extend(self.worker.run("tts", sentence, lambda said=sentence: self.tts.synthesise(said))  # type: ignore[misc]
                         for sentence in reply.sentences[1:])
        shares = {job.stage: max(0.0, job.span[1] - max(job.span[0], since)) for job in self.jobs}
        waited = self.worker.now - since
        mouth.note("answer", heard=self.text, prepared=self.jobs[0].span[0] < since, **shares,
                   frame=waited - sum(shares.values()), lead=audible(speech.samples)[0])
        mouth.say(speech)

    def continue_speaking(self, mouth: Mouth) -> None:
        """Hands over further sentences as they become ready, in order."""
        while self.rest and self.rest[0].done:
            mouth.say(self.rest.popleft().result)

    def hasty(self, onset: float) -> bool:
        """Whether the user, who spoke on at `onset`, had not finished what is being answered."""
        return self.spoken and onset - self.spoken_at < HASTY_SECONDS
