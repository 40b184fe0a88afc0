"""The baseline: voice activity, endpointing, recognition, language, synthesis, one after the other.

What products ship today, with everything the frameworks have to make it fast and polite, each part replaceable and
each policy a number in a config. Its parts live in `duplex.stages`.
"""

from collections.abc import Mapping
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
class BargeIn:
    """What it takes to be interrupted.

    Attributes:
        min_speech: seconds of speech before the agent reacts at all.
        min_words: words understood before it reacts.
        confirm: holds its speech first, and drops it only when the words want the floor; otherwise it goes on where it
            stopped (LiveKit's resume of false interruptions). Without, it drops its speech at once.
        resume_after: seconds of silence after which a held answer goes on.
        ignore_backchannels: a short "uh huh" while speaking is no turn.
        longest_backchannel: seconds; 95 % of Switchboard's are shorter than 0.74 s.
    """

    min_speech: float = 0.32
    min_words: int = 0
    confirm: bool = True
    resume_after: float = 0.3
    ignore_backchannels: bool = True
    longest_backchannel: float = 0.8


class Cascade:
    """STT, LLM and TTS in a row, behind an endpointer.

    Args:
        vad: probability of speech.
        detector: when that is speech.
        recogniser: streaming.
        endpointing: when a turn is over.
        dialogue: the language stage.
        tts: its voice.
        worker: where slow work runs and who pays for it.
        barge_in: when it stops for the user.
        prepare_after: seconds without change after which a partial hypothesis is answered ahead of the endpoint
            (Pipecat's and LiveKit's preemptive generation); None waits for the endpoint. A prepared answer is used
            when the text is the same in the end, otherwise it is dropped and counted.
        trust_partial: answers the hypothesis at the endpoint, once it covers all that was said, instead of asking the
            recogniser for a final text and waiting for that too.
    """

    def __init__(self, vad: VAD, detector: SpeechDetector, recogniser: Recogniser, endpointing: Endpointing,
                 dialogue: Dialogue, tts: TTS, worker: Worker, barge_in: BargeIn = BargeIn(),
                 prepare_after: float | None = 0.16, trust_partial: bool = True):
        self.recogniser = MeteredRecogniser(recogniser)
        self.ears = Ears(vad, detector, self.recogniser, worker)
        self.endpointing = endpointing
        self.listener = endpointing if isinstance(endpointing, Listens) else None
        self.dialogue = dialogue
        self.tts = metered(tts)
        self.worker = worker
        self.barge_in = barge_in
        self.prepare_after = prepare_after
        self.trust_partial = trust_partial
        self.mouth = Mouth()
        self.memory = Memory(tts)
        self.facts: Mapping[str, Any] = stated(endpointing=endpointing, stt=recogniser, llm=dialogue, tts=tts)
        self.reset(Prompt(), 0)

    def warm_up(self) -> None:
        self.ears.warm_up()

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.worker.reset(seed)
        self.ears.reset(seed, prompt.domain)
        self.endpointing.attend(prompt.domain)
        if self.listener is not None:
            self.listener.reset(seed)
        self.dialogue.reset(prompt, seed)
        self.tts.reset()
        self.mouth.reset()
        self.memory.reset()
        self.guess: Answer | None = None  # prepared ahead of the endpoint
        self.answer: Answer | None = None  # to what was said last
        self.overlaps = False  # the user began to speak while the agent spoke
        self.yielded = False  # holds its speech for good, unless what interrupts it means nothing
        self.carried = ""  # said before a pause that was taken for an end, and not answered yet
        self.over_at = 0.0  # when the turn was called over

    def tally(self) -> Mapping[str, Any]:
        return tally(self.recogniser, self.dialogue, self.tts, self.listener)

    def step(self, heard: Frame) -> Frame:
        self.worker.tick()
        if self.ears.hear(heard, self.dialogue.expected_digits()):
            self.begin_listening()
        self.memory.hear(heard, self.ears.in_utterance)
        if self.listener is not None:
            self.mouth.events += self.listener.listen(heard, self.ears, self.worker)
        if self.ears.in_utterance and self.speaking and not self.yielded:
            self.mind_the_user()
        if self.ears.in_utterance:
            self.prepare()
            self.endpoint()
        self.speak()
        assert self.ears.in_utterance or not self.mouth.paused, "who holds its speech listens"
        return self.memory.say(self.mouth.frame())

    def leave(self) -> None:
        for answer in (self.answer, self.guess):
            if answer is not None:
                answer.stop()

    @property
    def speaking(self) -> bool:
        """Whether more of the answer is to come, be it held or not synthesised yet."""
        return self.mouth.speaking or self.answer is not None and self.answer.unfinished

    @property
    def heard(self) -> str:
        return f"{self.carried} {self.ears.hypothesis}".strip()

    def begin_listening(self) -> None:
        """The user begins to speak: what was not said yet waits, and is answered together with what comes."""
        self.mouth.note("user_speech")
        self.overlaps = self.speaking
        self.yielded = False
        if self.answer is not None and not self.answer.spoken:
            self.carried = self.answer.text
            self.drop(self.answer)
            self.answer = None

    def mind_the_user(self) -> None:
        """Barge-in: hold, drop or go on."""
        policy, detector, hypothesis = self.barge_in, self.ears.detector, self.ears.hypothesis
        if not self.mouth.paused:
            if (detector.speaking and detector.speech_seconds >= policy.min_speech
                    and len(hypothesis.split()) >= policy.min_words):
                self.mouth.pause()
                self.mouth.note("hold")
                if not policy.confirm:
                    self.yield_floor()
        elif self.wants_floor:
            self.yield_floor()
        elif detector.silence_seconds >= policy.resume_after and self.ears.settled:
            self.mouth.resume()
            self.mouth.note("resume", heard=hypothesis)
            self.ears.finish()

    @property
    def wants_floor(self) -> bool:
        """Whether what the user says into the agent's speech is more than a backchannel."""
        return claims_floor(self.ears.hypothesis, self.ears.seconds, self.barge_in.longest_backchannel,
                            self.dialogue)

    def yield_floor(self) -> None:
        self.mouth.note("barge_in", heard=self.ears.hypothesis)
        self.yielded = True
        if self.answer is not None and self.answer.hasty(self.ears.onset):
            self.carried = self.answer.text
            self.dialogue.retract()
            self.mouth.note("retract")
            self.fall_silent()
        elif not self.barge_in.confirm:
            self.fall_silent()

    def fall_silent(self) -> None:
        """Drops the answer, with the sentences that are still being synthesised."""
        self.mouth.stop()
        if self.answer is not None:
            self.answer.stop()
        self.answer = None

    def prepare(self) -> None:
        """Answers a hypothesis that has settled before its turn is over, on the chance that it stays."""
        if self.prepare_after is None or not self.heard or self.ears.stable_seconds < self.prepare_after:
            return
        if self.speaking and not self.yielded or self.guess is not None and self.guess.text == self.heard:
            return
        if self.guess is not None:
            self.drop(self.guess)
        self.guess = Answer(self.heard, self.dialogue, self.tts, self.worker, voiced=self.memory.voice is None)
        self.mouth.note("prepare", heard=self.heard)

    def endpoint(self) -> None:
        """Calls the turn over after enough silence."""
        silence = self.ears.detector.silence_seconds
        if self.ears.detector.speaking or silence < self.endpointing.patience(self.heard, self.dialogue):
            return
        undecided = self.speaking or self.overlaps and not self.yielded  # "uh huh" or "wait": the words will tell
        if (self.trust_partial or undecided) and not self.ears.settled:
            return  # the last words are still on their way
        if self.overlaps and self.meant_nothing:
            self.go_on()
            return
        if self.speaking and not self.yielded:
            self.yield_floor()
        self.fall_silent()
        self.mouth.note("endpoint", heard=self.heard, silence=silence)
        self.over_at = self.worker.now
        self.memory.turn_is_over(self.ears.hypothesis)
        self.answer = self.chosen_answer()
        self.answer.voice()
        self.guess = None
        self.carried = ""

    def go_on(self) -> None:
        """Nothing was wanted of the agent: it says the rest of its answer."""
        self.mouth.note("backchannel", heard=self.heard)
        self.ears.finish()
        self.mouth.resume(sentence=self.yielded)
        if self.guess is not None:
            self.drop(self.guess)
            self.guess = None

    @property
    def meant_nothing(self) -> bool:
        """What was said into the agent's speech needs no answer: a backchannel, a cough, talk to somebody else."""
        if self.yielded:
            return self.speaking and aside(self.heard, self.dialogue)
        return not self.ears.hypothesis or self.barge_in.ignore_backchannels and not self.wants_floor

    def chosen_answer(self) -> Answer:
        """The prepared answer if it answers what was said in the end, else a new one."""
        heard, settled = self.heard, self.ears.settled
        final = self.ears.finish()
        if self.guess is not None:
            if settled and self.guess.text == heard:
                return self.guess
            self.drop(self.guess)
        if (self.trust_partial and settled or self.ears.final) and heard:
            return Answer(heard, self.dialogue, self.tts, self.worker)
        return Answer(final, self.dialogue, self.tts, self.worker, heard, self.carried)

    def drop(self, answer: Answer) -> None:
        """Work in vain, counted."""
        self.mouth.note("discard", heard=answer.text)
        answer.stop()

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
        self.answer.continue_speaking(self.mouth)
