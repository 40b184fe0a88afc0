"""Synthesisers: text in, speech with exact word times out, the same samples for the same text wherever it is said.

espeak-ng comes with pip, flite with Debian. Nothing here plays sound, cuts it into frames or chooses words.
"""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
import soundfile
import soxr

from duplex.cache import cache_folder
from duplex.frame import SAMPLE_RATE, Word
from duplex.speech import HOP_SAMPLES, Speech, audible, levels
from duplex.stages.speaking import espeak

FORMAT: Final = 1  # counts up whenever the same arguments give another sound
ACTIVE_RANGE: Final = 30.0  # dB below the loudest 10 ms; pauses and closures lie lower and do not count for the level
AUDIBLE_RANGE: Final = 27.0  # dB below the level; -50 dBFS for speech at -23
MARGIN_SECONDS: Final = 0.03  # kept before and behind the audible part: soft consonants reach that far
FULL_SCALE: Final = 32_768  # of 16 bit, to which every sound is rounded: what is stored is then what was made
PITCH_DOUBLES: Final = 50.0  # espeak's pitch argument has a logarithmic scale, 50 of 100 steps to the octave


class TTS(Protocol):
    """A synthesiser.

    Attributes:
        name: what determines its sound; two of the same name say a text with the same samples.
    """

    name: str

    def synthesise(self, text: str) -> Speech: ...


@runtime_checkable
class StreamsSpeech(TTS, Protocol):
    """A synthesiser whose speech comes in pieces while it is made."""

    def stream(self, text: str) -> Iterator[Speech]:
        """`text` spoken, piece by piece, each with the words that begin in it (on the piece's own time).

        Close it when nobody wants the rest: work stops there.
        """
        ...


@runtime_checkable
class Remembers(TTS, Protocol):
    """A synthesiser whose voice follows from the conversation: it is told what both sides said, and how that sounded."""

    def remember(self, party: int, text: str, samples: np.ndarray) -> None:
        """What USER or AGENT said last, as far as it was heard; samples (num_samples,) at SAMPLE_RATE. Quick: slow work waits."""
        ...

    def forget(self) -> None:
        """A new conversation begins."""
        ...


class Mark(NamedTuple):
    """Where a synthesiser says a word begins and the latest it ends, seconds."""

    text: str
    start: float
    limit: float


class Espeak:
    """espeak-ng's formant and Klatt voices.

    Args:
        voice: language with optional variant, e.g. "en-us", "en-us+klatt4".
        rate: words per minute, 80 to 450.
        pitch: 0 to 99, about an octave per 50.
        tract: length of the vocal tract relative to espeak's: formants are divided by it, rate and pitch are kept.
        level: dB full scale while speaking.
        pitch_range: 0 is monotonous, 50 what the voice has, 99 the widest.

    Raises:
        ImportError: espeakng-loader is missing.
        ValueError: no such voice, or pitch and tract ask for more than espeak has.
    """

    def __init__(self, voice: str = "en-us", rate: float = 170, pitch: float = 50, tract: float = 1.0,
                 level: float = -23.0, pitch_range: int = espeak.USUAL_RANGE) -> None:
        espeak.check_voice(voice)
        self.voice, self.tract, self.level = voice, tract, level
        # read as if sampled at rate / tract: that slows the sound and lowers it, so it is made faster and higher
        self.spoken_rate = round(rate * tract)
        self.spoken_pitch = round(pitch + PITCH_DOUBLES * np.log2(tract))
        if not 80 <= self.spoken_rate <= 450 or not 0 <= self.spoken_pitch <= 99:
            raise ValueError(f"espeak speaks 80 to 450 words per minute at pitch 0 to 99; rate {rate} and pitch {pitch}"
                             f" with tract {tract} need {self.spoken_rate} and {self.spoken_pitch}")
        if not 0 <= pitch_range <= 99:
            raise ValueError(f"espeak's pitch range is 0 to 99, not {pitch_range}")
        self.pitch_range = pitch_range
        self.name = f"espeak {espeak.version()} {voice} rate {rate:g} pitch {pitch:g} tract {tract:g} level {level:g}"
        if pitch_range != espeak.USUAL_RANGE:
            self.name += f" range {pitch_range}"

    def synthesise(self, text: str) -> Speech:
        """`text` spoken. A word without a mark of its own ("the" in "of the") shares its neighbour's time by letters.

        Raises:
            ValueError: `text` has no word in it.
        """
        check(text)
        samples, rate, starts, ends = espeak.rendered(text, self.voice, self.spoken_rate, self.spoken_pitch, self.pitch_range)
        sound = soxr.resample(samples.astype(np.float32) / FULL_SCALE, rate / self.tract, SAMPLE_RATE)
        marks = _marks(text, {at: sample / rate * self.tract for at, sample in starts},
                       [sample / rate * self.tract for sample in ends])
        return _finished(sound, marks, self.level)


class Flite:
    """Debian's flite: recorded speakers rms, slt, awb and kal16.

    Words end where their last segment ends; the number of segments per word comes from saying it alone. Where those
    numbers do not add up ("U.S."), times are estimated by letters.

    Args:
        voice: rms, slt, awb or kal16.
        rate: words per minute, taking flite's own pace for 170.
        level: dB full scale while speaking.

    Raises:
        FileNotFoundError: flite is not installed.
        ValueError: no such voice.
    """

    def __init__(self, voice: str = "rms", rate: float = 170, level: float = -23.0) -> None:
        if voice not in ("rms", "slt", "awb", "kal16"):
            raise ValueError(f"flite speaks as rms, slt, awb or kal16, not {voice!r}")
        self.voice, self.stretch, self.level = voice, 170 / rate, level
        self.name = f"flite {_flite('--version').splitlines()[-1].strip()} {voice} rate {rate:g} level {level:g}"

    def synthesise(self, text: str) -> Speech:
        """`text` spoken; raises ValueError if it has no word in it."""
        check(text)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "said.wav"
            printed = _flite("-voice", self.voice, "--setf", f"duration_stretch={self.stretch:g}", "-psdur",
                             "-t", text, "-o", str(path))
            samples, rate = soundfile.read(path, dtype="float32")
        segments = [(name, float(end)) for name, end in (item.rsplit(":", 1) for item in printed.split())]
        sound = soxr.resample(samples, rate, SAMPLE_RATE)
        return _finished(sound, _segment_marks(plain_words(text), segments), self.level)


class Cached:
    """Another synthesiser's speech, kept on disk; several processes may share the folder.

    A hit is bit-identical to a fresh rendering. An entry that cannot be read, or not in full, is rendered anew.
    """

    def __init__(self, tts: TTS, folder: Path | None = None) -> None:
        self.tts, self.name = tts, tts.name
        self.folder = cache_folder("speech") if folder is None else folder
        self.folder.mkdir(parents=True, exist_ok=True)

    def synthesise(self, text: str) -> Speech:
        key = json.dumps([FORMAT, soxr.__version__, self.name, text]).encode()
        entry = self.folder / hashlib.sha256(key).hexdigest()
        return self._stored(entry) or self._made(entry, text)

    def _stored(self, entry: Path) -> Speech | None:
        try:
            sound = entry.with_suffix(".wav").read_bytes()
            facts = json.loads(entry.with_suffix(".json").read_text(encoding="utf-8"))
            if facts["sha256"] != hashlib.sha256(sound).hexdigest():
                return None
            words = tuple(Word(str(text), float(start), float(end)) for text, start, end in facts["words"])
        except (OSError, ValueError, KeyError, TypeError):  # missing, cut short or not ours
            return None
        return Speech(soundfile.read(io.BytesIO(sound), dtype="float32")[0], words)

    def _made(self, entry: Path, text: str) -> Speech:
        said = self.tts.synthesise(text)
        speech = Speech(_quantised(said.samples), said.words)
        sound = io.BytesIO()
        soundfile.write(sound, (speech.samples * FULL_SCALE).astype(np.int16), SAMPLE_RATE, "PCM_16", format="WAV")
        digest = hashlib.sha256(sound.getvalue()).hexdigest()
        facts = {"name": self.name, "text": text, "words": speech.words, "sha256": digest}
        _replace(entry.with_suffix(".wav"), sound.getvalue())
        _replace(entry.with_suffix(".json"), json.dumps(facts).encode())
        return speech


def plain_words(text: str) -> list[str]:
    """The words of `text` as they stand in a `Word`: lower case, no punctuation but apostrophes, hyphens split."""
    return [word for word, _ in _tokens(text)]


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Each word and the character it begins at."""
    for match in re.finditer(r"[^\s\-\u2010-\u2015]+", text):
        word = re.sub(r"[^\w']", "", match[0].lower().replace("\u2019", "'")).strip("'_")
        if word:
            yield word, match.start()


def check(text: str) -> None:
    """Raises ValueError where there is nothing to say."""
    if not plain_words(text):
        raise ValueError(f"nothing to say in {text!r}: a synthesiser needs at least one word")


def _marks(text: str, starts: dict[int, float], ends: list[float]) -> list[Mark]:
    """Marks from the start of some characters and the ends of clauses, all in seconds."""
    tokens = list(_tokens(text))
    first_characters = [at for _, at in tokens]
    known: dict[int, float] = {}
    for at, second in sorted(starts.items()):
        token = max((index for index, character in enumerate(first_characters) if character <= at), default=0)
        known[token] = min(second, known.get(token, second))
    known.setdefault(0, 0.0)
    marks: list[Mark] = []
    places = sorted(known)
    for place, behind in zip(places, places[1:] + [len(tokens)]):
        start = known[place]
        limit = min([end for end in ends if end > start] + ([known[behind]] if behind in known else []))
        marks += shared_by_letters([word for word, _ in tokens[place:behind]], start, limit)
    return marks


def shared_by_letters(words: list[str], start: float, end: float) -> list[Mark]:
    """Time divided among words by their letters."""
    edges = start + (end - start) * np.cumsum([0] + [len(word) for word in words]) / max(1, sum(map(len, words)))
    return [Mark(word, float(left), float(right)) for word, left, right in zip(words, edges, edges[1:])]


def _segment_marks(words: list[str], segments: list[tuple[str, float]]) -> list[Mark]:
    """Marks from named segments with their ends in seconds; "pau" is a pause."""
    counts = [_num_segments(word) for word in words]
    bounds = [(start, end) for (_, start), (name, end) in zip([("pau", 0.0), *segments], segments) if name != "pau"]
    if sum(counts) != len(bounds):
        return shared_by_letters(words, bounds[0][0], bounds[-1][1])
    edges = np.cumsum([0, *counts])
    return [Mark(word, bounds[left][0], bounds[right - 1][1]) for word, left, right in zip(words, edges, edges[1:])]


@lru_cache(maxsize=10_000)
def _num_segments(word: str) -> int:
    return sum(name != "pau" for name in _flite("-voice", "kal16", "-ps", "-t", f"{word} ", "-o", "none").split())


def _flite(*arguments: str) -> str:
    if shutil.which("flite") is None:
        raise FileNotFoundError("flite is not installed: apt-get install flite (or use an espeak voice)")
    done = subprocess.run(["flite", *arguments], capture_output=True, text=True)
    if done.returncode and arguments != ("--version",):  # which says its version and fails
        raise RuntimeError(f"flite {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout


def _finished(sound: np.ndarray, marks: list[Mark], level: float) -> Speech:
    """The sound at its level, without silence around it, each word from its first to its last audible 10 ms."""
    loudness = levels(sound)
    active = np.square(sound[np.repeat(loudness > loudness.max() - ACTIVE_RANGE, HOP_SAMPLES)[: len(sound)]])
    sound = _quantised(sound * 10.0 ** (level / 20) / np.sqrt(active.mean(dtype=np.float64) + 1e-12))
    start, end = audible(sound, level - AUDIBLE_RANGE)
    begin = round(max(0.0, start - MARGIN_SECONDS) * SAMPLE_RATE)
    sound = sound[begin: round((end + MARGIN_SECONDS) * SAMPLE_RATE)]
    words = []
    for mark in marks:
        left, right = (max(0, round(second * SAMPLE_RATE) - begin) for second in (mark.start, mark.limit))
        right = min(right, len(sound))
        first, last = audible(sound[left:right], level - AUDIBLE_RANGE)
        if last:
            words.append(Word(mark.text, left / SAMPLE_RATE + first, min(left / SAMPLE_RATE + last, right / SAMPLE_RATE)))
        else:  # too short or too soft to measure; the synthesiser's own times
            words.append(Word(mark.text, left / SAMPLE_RATE, right / SAMPLE_RATE))
    return Speech(sound, tuple(words))


def _quantised(samples: np.ndarray) -> np.ndarray:
    """Rounded to 16 bit and clipped below 1, still float32: exactly what a file holds."""
    return (np.clip(np.round(samples * FULL_SCALE), 1 - FULL_SCALE, FULL_SCALE - 1) / FULL_SCALE).astype(np.float32)


def _replace(path: Path, content: bytes) -> None:
    """Write so that a reader finds the old content or the new one, never half of it."""
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".unfinished-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(unfinished, path)
