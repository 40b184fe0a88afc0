"""Recognisers: frames in, words out while they are being said.

`Sphinx` really hears, `Oracle` is told: the first says whether a conversation works, the second separates when an
agent answers from what it understood. Nothing here decides when an utterance begins or ends.
"""

import logging
import random
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

from duplex.frame import FRAME_SECONDS, Frame
from duplex.stages.hearing.downsample import Downsampler
from duplex.stages.hearing.language_model import language_model
from duplex.stages.language.domain import caller_sentences
from duplex.stages.language.tools import DIGITS
from duplex.stages.speaking.tts import plain_words

if TYPE_CHECKING:
    from pocketsphinx import Decoder

LOG: Final = logging.getLogger(__name__)
SPOKEN_DIGITS: Final = frozenset((*DIGITS, "oh"))
# Cepstral means of the callers' voices at -23 dBFS. Without them the first utterance after a reset is heard badly.
CEPSTRAL_MEANS: Final = "57.01,9.09,-5.69,14.54,-3.91,-3.21,-0.94,-11.77,-0.23,-4.35,1.24,1.25,-2.67"
DITHER: Final = np.round(np.random.default_rng(0).normal(0.0, 20.0, 16_000)).astype(np.int16)  # -64 dBFS, see hear()
MIN_DIGITS_HEARD: Final = 2  # in the words, before the digit grammar is believed
MIN_RUN: Final = 3  # digits in a sentence that make it one with a number to fill in
FULL_SCALE: Final = 32_767
FILLERS: Final = ("uh", "um", "the", "a", "and")
CONFUSIONS: Final = {
    "zero": ["four"], "oh": ["four"], "one": ["nine"], "two": ["three", "zero"], "three": ["two"], "four": ["zero"],
    "five": ["nine"], "six": ["eight"], "seven": ["six"], "eight": ["six"], "nine": ["five", "one"],
    "yes": ["this"], "no": ["now"], "a": ["the"], "the": ["a"], "my": ["a"], "is": ["as"], "it": ["that"],
    "tuesday": ["thursday"], "thursday": ["tuesday"], "thirteen": ["thirty"], "thirty": ["thirteen"],
    "fourteen": ["forty"], "forty": ["fourteen"], "fifteen": ["fifty"], "fifty": ["fifteen"],
}


class Recogniser(Protocol):
    """Hears one utterance at a time: start, hear each frame, finish."""

    def attend(self, domain: str) -> None:
        """From now on it hears callers of this domain, or of its own for ""."""
        ...

    def reset(self, seed: int = 0) -> None:
        """Forgets everything: the same sound after a reset gives the same words."""
        ...

    def start(self, expected_digits: int = 0) -> None:
        """An utterance begins, perhaps one that answers a question for so many digits."""
        ...

    def hear(self, frame: Frame) -> str:
        """The words so far, which may still change."""
        ...

    def finish(self) -> str:
        """The words of the whole utterance."""
        ...


class Sphinx:
    """pocketsphinx with the domain's language model, and a digit grammar beside it when digits are expected.

    Decoders take a second to load, so they are lent by the process: each utterance checks one out and puts it back,
    and only utterances that overlap (two parties, two conversations) load a second one. What a recogniser learns
    about its channel, the cepstral mean, stays with it and not with the decoder. pocketsphinx holds the interpreter's
    lock: parallel conversations need processes.

    Args:
        sentences: what callers say; see `language_model`.
        general_words: how many common English words it can hear besides.
        domain_weight: share of the sentences in the language model.
        second_pass: search again at the end of an utterance: better in noise, 75 ms later.

    Raises:
        ImportError: pocketsphinx is missing.
        ValueError: `sentences` has words that the recogniser's dictionary lacks.
    """

    def __init__(self, sentences: Sequence[str], general_words: int = 5000, domain_weight: float = 0.5,
                 second_pass: bool = False) -> None:
        self.language_model = language_model(sentences, general_words, domain_weight)
        self.second_pass = second_pass
        self.grammar = digit_grammar(sentences)
        self.decoder: Decoder | None = None
        self.digit_decoder: Decoder | None = None
        self.attend("")
        self.reset()

    def attend(self, domain: str) -> None:
        if self.decoder is not None:
            raise ValueError("an utterance is being heard: finish() or reset() before attend()")
        self.words = _Setting(arpa=str(self.language_model.of(domain).arpa), second_pass=self.second_pass)
        self.digits = _Setting(grammar=digit_grammar_of(domain) if domain else self.grammar)

    def reset(self, seed: int = 0) -> None:
        """Forgets everything; nothing is random, so `seed` changes nothing."""
        self._ended()
        self.means = CEPSTRAL_MEANS
        self.expected_digits = 0

    def start(self, expected_digits: int = 0) -> None:
        if self.decoder is not None:
            raise ValueError("an utterance is being heard: finish() or reset() before the next start()")
        self.expected_digits = expected_digits
        self.downsampler = Downsampler()
        self.num_samples = 0
        self.decoder = _begun(self.words, self.means)
        if expected_digits:
            self.digit_decoder = _begun(self.digits, self.means)

    def hear(self, frame: Frame) -> str:
        if self.decoder is None:
            raise ValueError("nothing is heard between utterances: start() before hear()")
        sound = self.downsampler(frame.samples)
        # a trace of noise: digital silence has no logarithm, and the acoustic model never met it
        dither = DITHER[(np.arange(len(sound)) + self.num_samples) % len(DITHER)]
        self.num_samples += len(sound)
        heard = np.clip(np.round(sound * FULL_SCALE) + dither, -FULL_SCALE, FULL_SCALE).astype(np.int16).tobytes()
        for decoder in filter(None, (self.decoder, self.digit_decoder)):
            decoder.process_raw(heard, False, False)
        return self._believed(_hypothesis(self.decoder), _hypothesis(self.digit_decoder))

    def finish(self) -> str:
        """The words; "oh" among digits is "zero" when digits were expected."""
        if self.decoder is None:
            raise ValueError("no utterance to finish: start() before finish()")
        return self._believed(*self._ended())

    def _believed(self, words: list[str], digits: list[str]) -> str:
        """The words, or the digit grammar's where it found as many digits as are expected."""
        if not self.expected_digits:
            return " ".join(words)
        heard = sum(word in SPOKEN_DIGITS for word in words)
        if heard >= MIN_DIGITS_HEARD and num_digits(digits) == self.expected_digits:
            words = digits
        return " ".join("zero" if word == "oh" and heard >= MIN_DIGITS_HEARD else word for word in words)

    def _ended(self) -> tuple[list[str], list[str]]:
        """Words and digits of the utterance, if there is one; its decoders are free for others."""
        final: tuple[list[str], list[str]] = ([], [])
        lent = ((self.words, self.decoder), (self.digits, self.digit_decoder))
        for (setting, decoder), words in zip(lent, final):
            if decoder is not None:
                decoder.end_utt()
                words += _hypothesis(decoder)
                _put_back(setting, decoder)
        if self.decoder is not None:
            self.means = self.decoder.get_cmn(False)
        self.decoder = self.digit_decoder = None
        return final


class Oracle:
    """Is told: the words that travel in the frames, each once its end has been heard, with errors drawn by seed.

    Args:
        word_error_rate: share of words with one error each: six of ten another word, two left out, two with a word
            put in behind. Other words come from what sounds alike, then from what was heard so far.
        seed: of the errors, together with the one given to `reset`.
    """

    def __init__(self, word_error_rate: float = 0.0, seed: int = 0) -> None:
        if not 0.0 <= word_error_rate <= 1.0:
            raise ValueError(f"word_error_rate is a share between 0 and 1, not {word_error_rate}")
        self.word_error_rate, self.seed = word_error_rate, seed
        self.reset()

    def attend(self, domain: str) -> None:
        """Changes nothing: it is told the words, whoever says them."""

    def reset(self, seed: int = 0) -> None:
        self.random = random.Random(f"{self.seed} {seed}")
        self.vocabulary: list[str] = []  # words heard so far, in order; errors are drawn from them
        self.start()

    def start(self, expected_digits: int = 0) -> None:
        self.heard: list[str] = []
        self.begun: list[tuple[str, float]] = []  # words and when they end, seconds from the start of the utterance
        self.num_frames = 0

    def hear(self, frame: Frame) -> str:
        start = self.num_frames * FRAME_SECONDS
        self.begun += [(word.text, start + word.end) for word in frame.words]
        self.num_frames += 1
        now = self.num_frames * FRAME_SECONDS + 1e-6  # a word may end exactly with its frame
        for text, end in self.begun:
            if end <= now:
                self.heard += self._misheard(text)
        self.begun = [(text, end) for text, end in self.begun if end > now]
        return " ".join(self.heard)

    def finish(self) -> str:
        """The words that ended; a word cut off is not heard."""
        return " ".join(self.heard)

    def _misheard(self, word: str) -> list[str]:
        others = CONFUSIONS.get(word) or [other for other in self.vocabulary if other != word]
        if word not in self.vocabulary:
            self.vocabulary.append(word)
        if self.random.random() >= self.word_error_rate:
            return [word]
        error = self.random.choices(("substitution", "deletion", "insertion"), (6, 2, 2))[0]
        if error == "insertion":
            return [word, self.random.choice(FILLERS)]
        return [self.random.choice(others)] if error == "substitution" and others else []


class _Setting(NamedTuple):
    """What a decoder searches: a language model or a grammar."""

    arpa: str = ""
    grammar: str = ""
    second_pass: bool = False


_IDLE: Final[dict[_Setting, list["Decoder"]]] = {}  # loaded and with nobody, what was used last comes last
MOST_SETTINGS: Final = 6  # words and digits of three domains; a decoder takes 50 MB


def _put_back(setting: _Setting, decoder: "Decoder") -> None:
    """Keeps a decoder for the next utterance, and forgets those of the domain that was left longest ago."""
    idle = _IDLE.pop(setting, [])
    idle.append(decoder)
    _IDLE[setting] = idle
    while len(_IDLE) > MOST_SETTINGS:
        _IDLE.pop(next(iter(_IDLE)), None)


def _begun(setting: _Setting, means: str) -> "Decoder":
    """A decoder of nobody else's that begins an utterance with these cepstral means."""
    try:
        decoder = _IDLE[setting].pop()  # in one go: another thread may take the last one
    except (KeyError, IndexError):
        decoder = _loaded(setting)
    decoder.set_cmn(means)
    decoder.start_utt()
    return decoder


def _loaded(setting: _Setting) -> "Decoder":
    from pocketsphinx import Decoder

    LOG.debug("loading a decoder for %s", setting.arpa or "digits")
    if setting.arpa:
        return Decoder(lm=setting.arpa, fwdflat=setting.second_pass, loglevel="FATAL")
    decoder = Decoder(lm=None, fwdflat=False, loglevel="FATAL")
    decoder.add_jsgf_string("digits", setting.grammar)
    decoder.activate_search("digits")
    return decoder


def _hypothesis(decoder: "Decoder | None") -> list[str]:
    best = None if decoder is None else decoder.hyp()
    return best.hypstr.split() if best is not None else []


def digit_grammar(sentences: Sequence[str]) -> str:
    """JSGF of a string of digits, alone or where the sentences have one ("my order number is", digits)."""
    said = {"<digit>+"}
    for sentence in sentences:
        runs = [(is_digit, list(run)) for is_digit, run in groupby(plain_words(sentence), SPOKEN_DIGITS.__contains__)]
        if any(is_digit and len(run) >= MIN_RUN for is_digit, run in runs):
            said.add(" ".join("<digit>+" if is_digit and len(run) >= MIN_RUN else " ".join(run)
                              for is_digit, run in runs))
    return "\n".join(["#JSGF V1.0;", "grammar digits;", f"<digit> = {' | '.join(sorted(SPOKEN_DIGITS))} ;",
                      f"public <said> = {' | '.join(sorted(said))} ;"])


@cache
def digit_grammar_of(domain: str) -> str:
    return digit_grammar(caller_sentences(domain))


def num_digits(words: Sequence[str]) -> int:
    """Length of the longest run of digits: "four" in "the last four digits are" is no digit of the number."""
    return max((len(list(run)) for is_digit, run in groupby(words, SPOKEN_DIGITS.__contains__) if is_digit), default=0)
