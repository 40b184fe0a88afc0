"""Whisper as a recogniser (Radford et al., 2023, Robust Speech Recognition via Large-Scale Weak Supervision).

It reads whole utterances, so it has no words while it hears: `Ears` asks it in each pause and, if one likes, every so often
before. The models themselves, by CTranslate2 or by transformers, are `duplex.stages.hearing.faster_whisper`'s and
`duplex.stages.hearing.transformers_whisper`'s business.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, NamedTuple, Protocol

import numpy as np

from duplex.frame import Frame
from duplex.stages.hearing.catching_up import agreed
from duplex.stages.hearing.downsample import MODEL_RATE, Downsampler
from duplex.stages.hearing.figures import said_words

MIN_SECONDS: Final = 0.1  # no word is shorter, and what Whisper writes of less is its own


class Part(NamedTuple):
    """A stretch of text.

    Attributes:
        text: as Whisper writes it.
        no_speech: how likely nobody speaks in it.
        logprob: mean log-probability of its tokens, the end's among them.
    """

    text: str
    no_speech: float
    logprob: float


class Model(Protocol):
    """A Whisper that is loaded.

    Attributes:
        facts: its source, revision and licence.
    """

    facts: Mapping[str, str | None]

    def parts(self, sound: np.ndarray, prompt: str, wanted: Callable[[], bool]) -> Iterable[Part]:
        """What is said in `sound`, (num_samples,) float32 at 16 kHz; stops early when no more `wanted`."""


@dataclass(eq=False)
class Utterance:
    """What was heard and understood of one.

    Attributes:
        sound: pieces at 16 kHz.
        prompt: what Whisper is told to have been said before.
        num_recognised: how many pieces the last recognition read; -1 before the first.
        words: what it found.
        sure: words that two in a row found.
        wanted: somebody waits for its words.
    """

    prompt: str
    downsampler: Downsampler = field(default_factory=Downsampler)
    sound: list[np.ndarray] = field(default_factory=list)
    num_recognised: int = -1
    words: list[str] = field(default_factory=list)
    sure: list[str] = field(default_factory=list)
    wanted: bool = True


class Whisper:
    """Whisper, one utterance at a time.

    A part counts as silence where `no_speech` and `logprob` both say so, which is Whisper's own rule against what it makes
    of noise (section 4.5). Decoding is greedy, without the fallback to higher temperatures: the same sound, the same words.

    Args:
        model: that is loaded.
        every: seconds of speech after which it is asked again in the background, so that words are known before the end; only
            those count that two recognitions in a row agree on. None asks in pauses alone.
        no_speech: probability above which nobody spoke, if
        logprob: the mean log-probability of the text is below this.
        digits_prompt: text in the style wanted where digits are expected, as "One two three."; None for none. Whisper may
            write what it was prompted with, of silence too.
    """

    behind: Final = inf

    def __init__(self, model: Model, every: float | None = None, no_speech: float = 0.6, logprob: float = -1.0,
                 digits_prompt: str | None = None):
        if every is not None and not every > 0.0:
            raise ValueError(f"every is a number of seconds above 0, or null for none, not {every}")
        self.model, self.every, self.no_speech, self.logprob = model, every, no_speech, logprob
        self.digits_prompt = digits_prompt or ""
        self.facts = model.facts
        self.utterance: Utterance | None = None
        self.reset()

    def attend(self, domain: str) -> None:
        """Changes nothing: it hears whoever speaks."""

    def reset(self, seed: int = 0) -> None:
        """Forgets everything, and has what is still being recognised stop; nothing is random, so `seed` changes nothing."""
        if self.utterance is not None:
            self.utterance.wanted = False
        self.utterance = None

    def start(self, expected_digits: int = 0) -> None:
        if self.utterance is not None:
            raise ValueError("an utterance is being heard: finish() or reset() before the next start()")
        self.utterance = Utterance(self.digits_prompt if expected_digits else "")

    def hear(self, frame: Frame) -> str:
        """Keeps the sound; there are no words yet."""
        if self.utterance is None:
            raise ValueError("nothing is heard between utterances: start() before hear()")
        self.utterance.sound.append(self.utterance.downsampler(frame.samples))
        return ""

    def catch_up(self, paused: bool) -> str:
        if self.utterance is None:
            raise ValueError("nothing is heard between utterances: start() before catch_up()")
        return " ".join(self._recognised(self.utterance, paused))

    def finish(self) -> str:
        """The words; those of the last `catch_up` where nothing was heard since."""
        if self.utterance is None:
            raise ValueError("no utterance to finish: start() before finish()")
        utterance = self.utterance
        words = self._recognised(utterance, paused=True)
        if self.utterance is utterance:  # not of a conversation that was abandoned meanwhile
            self.utterance = None
        return " ".join(words)

    def _recognised(self, utterance: Utterance, paused: bool) -> list[str]:
        """All words of the sound so far, or the sure ones of somebody who speaks on."""
        if utterance.num_recognised < len(utterance.sound):
            utterance.num_recognised = len(utterance.sound)
            words = self._words(utterance)
            if len(both := agreed(utterance.words, words)) > len(utterance.sure):
                utterance.sure = both  # what is sure stays sure
            utterance.words = words
        return utterance.words if paused else utterance.sure

    def _words(self, utterance: Utterance) -> list[str]:
        sound = np.concatenate(utterance.sound) if utterance.sound else np.zeros(0, np.float32)
        if len(sound) < MIN_SECONDS * MODEL_RATE:
            return []
        return [word for part in self.model.parts(sound, utterance.prompt, lambda: utterance.wanted)
                if not (part.no_speech > self.no_speech and part.logprob < self.logprob) for word in said_words(part.text)]
