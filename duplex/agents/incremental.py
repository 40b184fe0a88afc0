"""A full-duplex agent without a speech language model: incremental processing of the cascade's own parts.

It listens while it speaks, prepares answers to what it understands so far, takes the floor when what was said is
complete, and holds its breath the moment the user speaks. After Schlangen and Skantze (2011), A general, abstract model
of incremental dialogue processing; pausing and going on after Buschmeier et al. (2012), Combining incremental
language generation and incremental speech synthesis. It makes no backchannels of its own.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from duplex.conversation import Prompt
from duplex.frame import Frame
from duplex.stages.answer import Answer
from duplex.stages.hearing.ears import Ears
from duplex.stages.hearing.stt import Recogniser
from duplex.stages.hearing.vad import VAD, SpeechDetector
from duplex.stages.language.llm import Dialogue
from duplex.stages.meter import MeteredRecogniser, metered, stated, tally
from duplex.stages.speaking.memory import Memory
from duplex.stages.speaking.mouth import Mouth
from duplex.stages.speaking.tts import TTS
from duplex.stages.turns.backchannel import aside, claims_floor
from duplex.stages.turns.endpoint import Endpointing, Listens
from duplex.workers import Worker


@dataclass(frozen=True)
class Yielding:
    """How it behaves when the user speaks while it speaks.

    Attributes:
        longest_backchannel: seconds; who speaks longer wants the floor, unless all that was understood is "uh huh".
            95 % of Switchboard's backchannels are shorter than 0.74 s.
        resume_after: seconds of silence after which it goes on, if nothing but a backchannel was heard by then.
    """

    longest_backchannel: float = 0.8
    resume_after: float = 0.12


class Incremental:
    """Incremental full-duplex agent.

    Args:
        vad: probability of speech.
        detector: when that is speech; it should be quick, since a false alarm costs only a held breath.
        recogniser: streaming.
        completion: how much silence it takes to be sure, given what was heard.
        dialogue: the language stage.
        tts: its voice.
        worker: where slow work runs and who pays for it.
        yielding: how it gives way.
        max_prepared: answers prepared for one turn at most; each one beyond the one used is work in vain.
        predict: also prepares answers to what the user will likely have said in the end (DeVault, Sagae and Traum,
            2009, Can I finish? Learning when to respond to incremental interpretation results).
    """

    def __init__(self, vad: VAD, detector: SpeechDetector, recogniser: Recogniser, completion: Endpointing,
                 dialogue: Dialogue, tts: TTS, worker: Worker, yielding: Yielding = Yielding(),
                 max_prepared: int = 8, predict: bool = True):
        self.recogniser = MeteredRecogniser(recogniser)
        self.ears = Ears(vad, detector, self.recogniser, worker)
        self.completion = completion
        self.listener = completion if isinstance(completion, Listens) else None
        self.dialogue = dialogue
        self.tts = metered(tts)
        self.worker = worker
        self.yielding = yielding
        self.max_prepared = max_prepared
        self.predict = predict
        self.mouth = Mouth()
        self.memory = Memory(tts)
        self.facts: Mapping[str, Any] = stated(completion=completion, stt=recogniser, llm=dialogue, tts=tts)
        self.reset(Prompt(), 0)

    def warm_up(self) -> None:
        self.ears.warm_up()

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.worker.reset(seed)
        self.ears.reset(seed, prompt.domain)
        self.completion.attend(prompt.domain)
        if self.listener is not None:
            self.listener.reset(seed)
        self.dialogue.reset(prompt, seed)
        self.tts.reset()
        self.mouth.reset()
        self.memory.reset()
        self.prepared: dict[Hashable, Answer] = {}  # by the meaning of what they answer
        self.answer: Answer | None = None  # to what was said last
        self.overlaps = False  # the user began to speak while the agent spoke
        self.yielded = False  # holds its speech for good, unless what interrupts it means nothing
        self.carried = ""  # said before a pause that was taken for an end, and not answered yet
        self.over_at = 0.0  # when the floor was free

    def tally(self) -> Mapping[str, Any]:
        return tally(self.recogniser, self.dialogue, self.tts, self.listener)

    def step(self, heard: Frame) -> Frame:
        self.worker.tick()
        if self.ears.hear(heard, self.dialogue.expected_digits()):
            self.give_way()
        self.memory.hear(heard, self.ears.in_utterance)
        if self.listener is not None:
            self.mouth.events += self.listener.listen(heard, self.ears, self.worker)
        if self.ears.in_utterance:
            if self.speaking and not self.yielded:
                self.keep_or_yield()
            else:
                self.prepare()
                self.take_floor()
        self.speak()
        assert self.ears.in_utterance or not self.mouth.paused, "who holds its speech listens"
        return self.memory.say(self.mouth.frame())

    def leave(self) -> None:
        for answer in (self.answer, *self.prepared.values()):
            if answer is not None:
                answer.stop()

    @property
    def speaking(self) -> bool:
        """Whether more of the answer is to come, be it held or not synthesised yet."""
        return self.mouth.speaking or self.answer is not None and self.answer.unfinished

    @property
    def heard(self) -> str:
        return f"{self.carried} {self.ears.hypothesis}".strip()

    def give_way(self) -> None:
        """The user begins to speak: hold everything, decide later."""
        self.mouth.note("user_speech")
        self.overlaps = self.speaking
        self.yielded = False
        if self.speaking:
            self.mouth.pause()
            self.mouth.note("hold")
        elif self.answer is not None and not self.answer.spoken:
            self.carried = self.answer.text
            self.mouth.note("discard", heard=self.answer.text)
            self.answer.stop()
            self.answer = None

    def keep_or_yield(self) -> None:
        """Tells a backchannel from a barge-in by its words as they come, and by its length before they come."""
        detector, hypothesis = self.ears.detector, self.ears.hypothesis
        if self.wants_floor:
            self.yield_floor()
        elif detector.speaking and not self.mouth.paused:
            self.mouth.pause()
            self.mouth.note("hold")
        elif detector.silence_seconds >= self.yielding.resume_after:
            if self.mouth.paused:  # before the last words have come: if they say otherwise, it stops once more
                self.mouth.resume()
                self.mouth.note("resume", heard=hypothesis)
            if self.ears.settled:
                self.mouth.note("backchannel", heard=hypothesis)
                self.ears.finish()

    @property
    def wants_floor(self) -> bool:
        """Whether what the user says into the agent's speech is more than a backchannel."""
        return claims_floor(self.ears.hypothesis, self.ears.seconds,
                            self.yielding.longest_backchannel, self.dialogue)

    def yield_floor(self) -> None:
        self.mouth.note("barge_in", heard=self.ears.hypothesis)
        self.mouth.pause()
        self.yielded = True
        if self.answer is not None and self.answer.hasty(self.ears.onset):
            self.carried = self.answer.text
            self.dialogue.retract()
            self.mouth.note("retract")
            self.forget_prepared()
            self.fall_silent()

    def fall_silent(self) -> None:
        """Drops the answer, with the sentences that are still being synthesised."""
        self.mouth.stop()
        if self.answer is not None:
            self.answer.stop()
        self.answer = None

    def prepare(self) -> None:
        """Answers every new meaning, and what the words will likely come to, so that the answer is there first."""
        likely = self.dialogue.continuations(self.heard) if self.predict and self.heard else ()
        self.prepare_for((self.heard, *likely))

    def prepare_for(self, texts: tuple[str, ...]) -> None:
        for text in texts:
            meaning = self.dialogue.meaning(text)
            if meaning is None or meaning in self.prepared or len(self.prepared) >= self.max_prepared:
                continue
            self.prepared[meaning] = Answer(text, self.dialogue, self.tts, self.worker, voiced=self.memory.voice is None)
            self.mouth.note("prepare", heard=text)

    def take_floor(self) -> None:
        """Speaks when what was heard is complete enough for the silence behind it."""
        silence = self.ears.detector.silence_seconds
        if self.ears.detector.speaking or silence < self.completion.patience(self.heard, self.dialogue):
            return
        heard, settled = self.heard, self.ears.settled
        if not settled and silence < self.completion.patience("", self.dialogue):
            return  # the last words are still on their way
        meaning = self.dialogue.meaning(heard)
        if self.overlaps and not self.yielded and not self.wants_floor:  # the agent was done before it was over
            self.mouth.note("backchannel", heard=heard)
            self.ears.finish()
            return
        final = self.ears.finish()
        if self.speaking and aside(heard, self.dialogue):  # talk to somebody else: start the sentence again
            self.mouth.resume(sentence=True)
            self.mouth.note("resume", heard=heard)
            return
        self.fall_silent()
        self.mouth.note("endpoint", heard=heard, silence=silence)
        self.over_at = self.worker.now
        self.memory.turn_is_over(self.ears.hypothesis)
        if settled and meaning in self.prepared:
            self.answer = self.prepared.pop(meaning)
            self.answer.heard = heard
        else:
            self.answer = Answer(final, self.dialogue, self.tts, self.worker, heard, self.carried)
        self.answer.voice()
        self.carried = ""

    def speak(self) -> None:
        if self.answer is None:
            return
        if not self.answer.spoken and self.answer.ready and not self.ears.in_utterance:
            if not self.answer.text:  # a cough, or nothing that the recogniser knows
                self.answer.stop()
                self.answer = None
                return
            self.dialogue.commit(self.answer.reply.result)
            self.answer.speak(self.mouth, self.over_at)
            self.look_ahead()
        self.answer.continue_speaking(self.mouth)

    def look_ahead(self) -> None:
        """The dialogue moved on: what was prepared is stale, what comes next can be prepared."""
        self.forget_prepared()
        if self.predict:
            self.prepare_for(self.dialogue.continuations(""))

    def forget_prepared(self) -> None:
        """Work in vain, counted."""
        for stale in self.prepared.values():
            self.mouth.note("discard", heard=stale.text)
            stale.stop()
        self.prepared = {}
