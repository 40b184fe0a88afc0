"""Endpointing: how long a silence must last before a turn is over, given what was heard.

The one question on which cascades differ most. The policies here are functions of the words and the dialogue; those that
listen to the sound, or ask a model, answer the same question in `silero_turn`, `smart_turn`, `chat_turn` and `pause_head`.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from duplex.frame import Event, Frame
from duplex.stages.hearing.vad import SpeechDetector
from duplex.stages.language.llm import ANSWERED, HALF_SPOKEN, UNKNOWN, Dialogue
from duplex.workers import Worker


class TurnModel(Protocol):
    """Anything that says how likely a text is whole, e.g. `LanguageModel`."""

    def end_probability(self, words: list[str]) -> float: ...

    def of(self, domain: str) -> "TurnModel":
        """The one for callers of a domain; itself for ""."""


class Endpointing(Protocol):
    """Decides how patient to be."""

    def attend(self, domain: str) -> None:
        """From now on the turns are those of this domain's callers, or of its own for ""."""

    def patience(self, heard: str, dialogue: Dialogue) -> float:
        """Seconds of silence after `heard` that end the turn."""


class Hears(Protocol):
    """What ears know of who speaks, with words (`hearing.ears.Ears`) or without (`end_to_end.turn_sound.TurnSound`).

    Attributes:
        detector: whether it speaks, and for how long.
        in_utterance: from the detected onset until the turn is called over.
        onset: when the utterance began, seconds on the worker's clock.
    """

    detector: SpeechDetector
    in_utterance: bool
    onset: float

    @property
    def settled(self) -> bool:
        """Whether what was understood covers all speech up to its last sound."""

    @property
    def recogniser(self) -> object:
        """Who understands it; None where nobody does."""

    @property
    def finishing(self) -> object:
        """What the recogniser is still busy with of the utterance before; None where it is not."""


@runtime_checkable
class Listens(Protocol):
    """An endpointing that hears the sound, or has slow work to do: who has one lets it listen, and then asks for its patience."""

    def reset(self, seed: int) -> None:
        """A new conversation begins."""

    def listen(self, frame: Frame, ears: Hears, worker: Worker) -> Sequence[Event]:
        """Takes every frame of the caller's once the ears have heard it, and returns at once: what is slow is the worker's.

        What came of it is returned for the log, as "turn_detection" {whole, ...}.
        """


class Silence:
    """A fixed silence, whatever was said.

    Args:
        seconds: of silence.
    """

    def __init__(self, seconds: float = 0.7):
        self.seconds = seconds

    def attend(self, domain: str) -> None:
        """Changes nothing: it hears no words."""

    def patience(self, heard: str, dialogue: Dialogue) -> float:
        return self.seconds


class TwoStage:
    """A short silence when what was heard looks whole, a long one when it does not.

    What Pipecat does with Smart Turn, LiveKit with its turn detector, and speech-to-speech with its commit gate; here
    a turn is whole when the turn model says so, unless a number or a pair of values is half spoken.

    Args:
        turn_model: says how likely a text is whole.
        threshold: on its probability.
        fast: seconds of silence when whole.
        slow: seconds of silence when not.
        unfinished: seconds of silence in the middle of a value that was asked for.
    """

    def __init__(self, turn_model: TurnModel, threshold: float = 0.12, fast: float = 0.24, slow: float = 0.8,
                 unfinished: float | None = None):
        self.own = self.turn_model = turn_model
        self.threshold = threshold
        self.fast = fast
        self.slow = slow
        self.unfinished = slow if unfinished is None else unfinished

    def attend(self, domain: str) -> None:
        self.turn_model = self.own.of(domain)

    def patience(self, heard: str, dialogue: Dialogue) -> float:
        completeness = dialogue.completeness(heard)
        if completeness == HALF_SPOKEN:
            return self.unfinished
        ends = self.turn_model.end_probability(heard.split()) if heard else 0.0
        return self.fast if completeness == ANSWERED or ends > self.threshold else self.slow


class Completion:
    """Patience that falls as what was said becomes complete, in words and in what it does for the dialogue.

    After Skantze (2021, Turn-taking in conversational systems and human-robot interaction: a review, section 4):
    completeness in syntax and in pragmatics together are what people go by, silence alone is the weakest cue.

    Args:
        turn_model: says how likely a text is whole.
        threshold: on its probability, from which the words are whole.
        unlikely: on its probability, below which they cannot be.
        complete: seconds when the words are whole and the dialogue can go on with them.
        likely: seconds when the dialogue can go on with them and they may be whole.
        unclear: seconds when nothing was understood, or the words cannot be whole.
        unfinished: seconds in the middle of a value that was asked for.
    """

    def __init__(self, turn_model: TurnModel, threshold: float = 0.12, unlikely: float = 0.03, complete: float = 0.16,
                 likely: float = 0.56, unclear: float = 0.9, unfinished: float = 1.2):
        self.own = self.turn_model = turn_model
        self.threshold = threshold
        self.unlikely = unlikely
        self.complete = complete
        self.likely = likely
        self.unclear = unclear
        self.unfinished = unfinished

    def attend(self, domain: str) -> None:
        self.turn_model = self.own.of(domain)

    def patience(self, heard: str, dialogue: Dialogue) -> float:
        completeness = dialogue.completeness(heard)
        if completeness == HALF_SPOKEN:
            return self.unfinished
        if completeness == ANSWERED:
            return self.complete
        ends = self.turn_model.end_probability(heard.split()) if heard else 0.0
        if completeness == UNKNOWN or ends < self.unlikely:
            return self.unclear
        return self.complete if ends > self.threshold else self.likely
