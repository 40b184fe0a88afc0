"""A half-duplex agent whose voice is an end-to-end speech model: it hears a turn out, then the model answers its sound.

Around the model stands what stands around every such product: voice activity, endpointing and barge-in, all without words, so
that a backchannel is told from an interruption by its length alone. Full-duplex models need none of this; they are
`duplex.agents.moshi` and `personaplex`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from duplex.conversation import Prompt
from duplex.frame import FRAME_SECONDS, Frame
from duplex.recording import USER
from duplex.stages.answer import HASTY_SECONDS
from duplex.stages.end_to_end.speech_answer import SpeechAnswer
from duplex.stages.end_to_end.speech_model import SpeechModel, Turn
from duplex.stages.end_to_end.turn_sound import TurnSound
from duplex.stages.hearing.vad import VAD, SpeechDetector
from duplex.stages.language.manager import Manager
from duplex.stages.speaking.mouth import Mouth
from duplex.stages.turns.endpoint import Endpointing, Listens
from duplex.workers import Worker

NOT_HEARD: Final = ""  # of every event that has words in a cascade's log


@dataclass(frozen=True)
class BargeIn:
    """What it takes to be interrupted.

    Attributes:
        min_speech: seconds of speech before the agent reacts at all; what is shorter is a backchannel.
        confirm: holds its speech first, and drops it only when the user speaks on; otherwise it goes on where it stopped
            (LiveKit's resume of false interruptions). Without, it drops its speech at once.
        resume_after: seconds of silence after which a held answer goes on.
        longest_backchannel: seconds of speech after which a held answer is dropped.
    """

    min_speech: float = 0.32
    confirm: bool = False
    resume_after: float = 0.3
    longest_backchannel: float = 0.8


class EndToEnd:
    """An end-to-end speech model behind an endpointer.

    Args:
        vad: probability of speech.
        detector: when that is speech.
        endpointing: when a turn is over, asked without words: what goes by words keeps its longest patience.
        model: hears and speaks.
        worker: where slow work runs and who pays for it.
        barge_in: when it stops for the user.
        history_turns: how many of the turns before, of both sides, the model is given again.
        history_seconds: of their sound at most, the oldest forgotten first.
    """

    def __init__(self, vad: VAD, detector: SpeechDetector, endpointing: Endpointing, model: SpeechModel, worker: Worker,
                 barge_in: BargeIn = BargeIn(), history_turns: int = 12, history_seconds: float = 120.0):
        if history_turns < 0 or history_seconds < 0.0:
            raise ValueError(f"a history of {history_turns} turns and {history_seconds} s: neither can be negative, 0 is none")
        self.ears = TurnSound(vad, detector, worker)
        self.endpointing = endpointing
        self.listener = endpointing if isinstance(endpointing, Listens) else None
        self.model = model
        self.worker = worker
        self.barge_in = barge_in
        self.history_turns = history_turns
        self.history_seconds = history_seconds
        self.nobody = Manager()  # for endpointing that asks a dialogue about words; there are none
        self.mouth = Mouth()
        self.answer: SpeechAnswer | None = None
        self.reset(Prompt(), 0)

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.model.facts

    def warm_up(self) -> None:
        self.model.warm_up()

    def reset(self, prompt: Prompt, seed: int) -> None:
        if self.answer is not None:
            self.answer.stop()
        self.worker.reset(seed)
        self.ears.reset()
        self.endpointing.attend(prompt.domain)
        if self.listener is not None:
            self.listener.reset(seed)
        self.model.reset(prompt, seed)
        self.mouth.reset()
        self.answer = None  # to what was said last
        self.history: list[Turn] = []
        self.overlaps = False  # the user began to speak while the agent spoke
        self.outlasted = False  # the agent spoke until after the user had stopped
        self.yielded = False  # dropped its speech for what is being said
        self.over_at = 0.0  # when the turn was called over
        self.num_answers = 0
        self.seconds_in = self.seconds_out = 0.0  # given to the model, and handed to the mouth

    def leave(self) -> None:
        """Stops the model in the middle of what it does, and lets the threads go."""
        if self.answer is not None:
            self.answer.stop()
            self.answer = None
        self.worker.reset(0)

    def tally(self) -> Mapping[str, Any]:
        made = self.seconds_out + (0.0 if self.answer is None else self.answer.seconds)
        return {**self.model.tally(), "speech_replies": self.num_answers, "speech_in_seconds": round(self.seconds_in, 2),
                "speech_out_seconds": round(made, 2)}

    def step(self, heard: Frame) -> Frame:
        self.worker.tick()
        if self.ears.hear(heard):
            self.begin_listening()
        if self.listener is not None:
            # these ears have no words, and whoever wants some says so
            self.mouth.events += self.listener.listen(heard, self.ears, self.worker)
        if self.ears.in_utterance:
            self.mind_the_user()
            self.endpoint()
        self.speak()
        assert self.ears.in_utterance or not self.mouth.paused, "who holds its speech listens"
        return self.mouth.frame()

    @property
    def speaking(self) -> bool:
        """Whether more of the answer is to come, be it held or not made yet."""
        return self.mouth.speaking or self.answer is not None and self.answer.spoken and not self.answer.over

    def begin_listening(self) -> None:
        """The user begins to speak: what was not said yet is dropped, and answered together with what comes."""
        self.mouth.note("user_speech")
        self.overlaps, self.outlasted, self.yielded = self.speaking, False, False
        if self.answer is None or not self.hasty:
            self.ears.begin_anew()
        if self.answer is not None and not self.answer.spoken:
            self.mouth.note("discard", heard=NOT_HEARD)
            self.answer.stop()
            self.answer = None

    @property
    def hasty(self) -> bool:
        """Whether the user, who speaks on, had not finished what is being answered."""
        return self.answer is not None and (
            not self.answer.spoken or self.ears.onset - self.answer.spoken_at < HASTY_SECONDS)

    def mind_the_user(self) -> None:
        """Barge-in: hold, drop or go on, by how long the user speaks."""
        policy, detector = self.barge_in, self.ears.detector
        if detector.silence_seconds < FRAME_SECONDS:
            self.outlasted = self.speaking
        if not self.speaking:
            return
        if not self.mouth.paused:
            if detector.speaking and detector.speech_seconds >= policy.min_speech:
                self.mouth.pause()
                self.mouth.note("hold")
                if not policy.confirm:
                    self.yield_floor()
        elif detector.speech_seconds > policy.longest_backchannel:
            self.yield_floor()
        elif detector.silence_seconds >= policy.resume_after:
            self.mouth.resume()
            self.mouth.note("resume", heard=NOT_HEARD)
            self.ears.finish()

    def yield_floor(self) -> None:
        self.mouth.note("barge_in", heard=NOT_HEARD)
        self.yielded = True
        if self.hasty:  # it never happened: the turn goes on
            self.mouth.note("retract")
            self.forget_answer()
        else:
            self.remember_answer()

    def endpoint(self) -> None:
        """Calls the turn over after enough silence."""
        silence = self.ears.detector.silence_seconds
        if not self.ears.in_utterance or self.ears.detector.speaking:
            return
        if silence < self.endpointing.patience(NOT_HEARD, self.nobody):
            return
        self.ears.finish()
        if self.overlaps and self.outlasted and not self.yielded:
            self.mouth.note("backchannel", heard=NOT_HEARD)
            self.mouth.resume()
            return
        assert self.answer is None, "it was dropped, or is over"
        self.mouth.note("endpoint", heard=NOT_HEARD, silence=silence)
        self.over_at = self.worker.now
        turn = Turn(USER, self.ears.turn)
        self.answer = SpeechAnswer(turn, self.history, self.model, self.worker)
        self.num_answers += 1
        self.seconds_in += turn.speech.seconds

    @property
    def recent_turns(self) -> list[Turn]:
        """As much of the history as is kept, oldest first."""
        kept, seconds = list[Turn](), 0.0
        for turn in reversed(self.history[len(self.history) - min(len(self.history), self.history_turns):]):
            seconds += turn.speech.seconds
            if seconds > self.history_seconds:
                break
            kept.insert(0, turn)
        return kept

    def remember_answer(self) -> None:
        """The answer is over, or stops here: what was answered and what was heard of it are history."""
        if self.answer is not None and self.answer.spoken:
            self.history += [self.answer.turn, self.answer.heard(self.mouth.ahead)]
            self.history = self.recent_turns
            self.ears.begin_anew()
        self.forget_answer()

    def forget_answer(self) -> None:
        if self.answer is not None:
            self.seconds_out += self.answer.seconds
            self.answer.stop()
        self.answer = None
        self.mouth.stop()

    def speak(self) -> None:
        if self.answer is None:
            return
        if not self.answer.spoken and self.answer.ready and not self.ears.in_utterance:
            if not self.answer.speak(self.mouth, self.over_at):  # a cough, or the model has nothing to say
                self.answer = None
                return
        if self.answer.spoken:
            self.answer.go_on(self.mouth)
            if not self.speaking:
                self.remember_answer()
