"""How well the recogniser hears each caller's voice, and how different the voices are.

    python scripts/hear_voices.py --domain optician --sentences 40 --rates slow normal fast
    python scripts/hear_voices.py --moods calm hesitant upset

Sentences are drawn from the domain with other slot values than the language model was trained on. Prints a table, the
pairs of voices that sound most alike, and a last line of JSON; with moods, how each changes each voice at the normal
rate. A voice is worth keeping at 5 % word errors or less at the normal rate.
"""

import argparse
import json
from itertools import combinations
from random import Random
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from duplex.frame import SAMPLE_RATE
from duplex.speech import Speech, frames, levels
from duplex.stages.hearing.stt import DIGITS, Sphinx
from duplex.stages.language.domain import domain
from duplex.stages.speaking.tts import TTS
from duplex.stages.speaking.voices import MOODS, RATES, VOICES, voice
from eval.metrics.words import word_errors

FFT_SAMPLES = 1024  # 43 ms
NUM_BANDS = 40
HELD_OUT_SEED = 2  # the training sentences are drawn with 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domain", default="optician")
    parser.add_argument("--sentences", type=int, default=40, help="how many each voice says at each rate")
    parser.add_argument("--rates", nargs="+", choices=list(RATES), default=list(RATES))
    parser.add_argument("--voices", nargs="+", choices=list(VOICES), default=list(VOICES))
    parser.add_argument("--moods", nargs="+", choices=list(MOODS), default=[], help="these at the normal rate, in place of rates")
    options = parser.parse_args()
    started = perf_counter()
    about = domain(options.domain)
    recogniser = Sphinx(about.sentences())
    said = sorted(set(about.sentences(10, HELD_OUT_SEED)) - set(about.sentences()))
    fixed = sorted(set(about.sentences(10, HELD_OUT_SEED)) & set(about.sentences()))
    random = Random(HELD_OUT_SEED)
    said = random.sample(said, min(len(said), options.sentences // 2))
    said += random.sample(fixed, min(len(fixed), options.sentences - len(said)))
    if options.moods:
        moods(recogniser, options.voices, options.moods, said)
        return
    results = {name: {rate: word_error_rate(recogniser, voice(name, rate), said) for rate in options.rates}
               for name in options.voices}
    digits = {name: digit_accuracy(recogniser, voice(name)) for name in options.voices}
    colours = {name: colour([voice(name).synthesise(sentence) for sentence in said[:12]]) for name in options.voices}
    pitches = {name: pitch(voice(name).synthesise(said[0])) for name in options.voices}
    alike = sorted((distance(colours[a], colours[b]), a, b, 12 * abs(np.log2(pitches[a] / pitches[b])))
                   for a, b in combinations(options.voices, 2))
    show(results, digits, pitches, alike)
    print(json.dumps({
        "domain": options.domain, "sentences": len(said), "seconds": round(perf_counter() - started, 1),
        "word_error_percent": results, "digit_strings_percent": digits, "median_f0_hertz": pitches,
        "pairs": [[a, b, round(decibels, 2), round(semitones, 1)] for decibels, a, b, semitones in alike],
    }))


def moods(recogniser: Sphinx, names: list[str], felt: list[str], said: list[str]) -> None:
    """How each mood changes each voice, and how well it is heard then; a table and a line of JSON."""
    rows = [mood_row(recogniser, name, mood, said) for name in names for mood in felt]
    table = Table(*(column.replace("_", " ") for column in rows[0]))
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console(width=140).print(table)
    print(json.dumps(rows))


def mood_row(recogniser: Sphinx, name: str, mood: str, said: list[str]) -> dict[str, str | float]:
    tts = voice(name, mood=mood)
    speeches = [tts.synthesise(sentence) for sentence in said]
    mean, spread = intonation(speeches)
    num_words = sum(len(sentence.split()) for sentence in said)
    return {"voice": name, "mood": mood, "words_per_minute": round(60 * num_words / sum(one.seconds for one in speeches)),
            "mean_f0_hertz": mean, "f0_spread_semitones": spread, "level_decibels": loudness(speeches),
            "peak": round(max(float(np.abs(one.samples).max()) for one in speeches), 2),
            "word_error_percent": word_error_rate(recogniser, tts, said),
            "digit_strings_percent": digit_accuracy(recogniser, tts)}


def word_error_rate(recogniser: Sphinx, tts: TTS, said: list[str]) -> float:
    """Percent, over one conversation in which the caller says every sentence."""
    recogniser.reset()
    wrong = sum(word_errors(sentence.split(), heard(recogniser, tts.synthesise(sentence))) for sentence in said)
    return round(100 * wrong / sum(len(sentence.split()) for sentence in said), 1)


def digit_accuracy(recogniser: Sphinx, tts: TTS, num_strings: int = 20) -> float:
    """Percent of strings of five digits heard without an error when five are expected, each in a new conversation."""
    random = Random(3)
    right = 0
    for _ in range(num_strings):
        string = [random.choice(DIGITS) for _ in range(5)]
        recogniser.reset()
        right += heard(recogniser, tts.synthesise(" ".join(string)), expected_digits=5) == string
    return 100 * right / num_strings


def heard(recogniser: Sphinx, speech: Speech, expected_digits: int = 0) -> list[str]:
    recogniser.start(expected_digits)
    for frame in frames(speech):
        recogniser.hear(frame)
    return recogniser.finish().split()


def colour(speeches: list[Speech]) -> np.ndarray:
    """Mean log-mel spectrum while speaking, its mean taken out; (NUM_BANDS,) dB."""
    windows = np.concatenate([np.lib.stride_tricks.sliding_window_view(speech.samples, FFT_SAMPLES)[:: FFT_SAMPLES // 2]
                              for speech in speeches])
    windows = windows[np.square(windows).mean(axis=1) > 1e-4]  # -40 dBFS
    power = np.square(np.abs(np.fft.rfft(windows * np.hanning(FFT_SAMPLES)))).mean(axis=0)
    mel = 2595 * np.log10(1 + np.fft.rfftfreq(FFT_SAMPLES, 1 / SAMPLE_RATE) / 700)
    edges = np.linspace(mel[3], mel[-1] * 0.85, NUM_BANDS + 1)  # 70 Hz to 8 kHz
    bands = np.array([power[(mel >= low) & (mel <= high + 60)].mean() for low, high in zip(edges, edges[1:])])
    decibels = 10 * np.log10(bands + 1e-9)
    return np.asarray(decibels - decibels.mean())


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square difference of two colours, dB."""
    return float(np.sqrt(np.square(one - other).mean()))


def pitch(speech: Speech) -> float:
    """Median fundamental frequency in hertz, by autocorrelation of 43 ms windows between 60 and 400 Hz."""
    windows = np.lib.stride_tricks.sliding_window_view(speech.samples, FFT_SAMPLES)[:: FFT_SAMPLES // 2]
    windows = windows[np.square(windows).mean(axis=1) > 1e-3]
    spectrum = np.square(np.abs(np.fft.rfft(windows * np.hanning(FFT_SAMPLES), 2 * FFT_SAMPLES)))
    likeness = np.fft.irfft(spectrum)[:, : FFT_SAMPLES // 2]
    shortest, longest = SAMPLE_RATE // 400, SAMPLE_RATE // 60
    return round(float(SAMPLE_RATE / np.median(shortest + likeness[:, shortest:longest].argmax(axis=1))), 1)


def intonation(speeches: list[Speech]) -> tuple[float, float]:
    """Mean fundamental frequency in hertz and its standard deviation in semitones, over voiced windows of 43 ms.

    By autocorrelation divided by the window's own (Boersma, 1993); voiced is above half of the energy, and what lies 9
    semitones off the median is taken for another octave.
    """
    windows = np.concatenate([np.lib.stride_tricks.sliding_window_view(speech.samples, FFT_SAMPLES)[:: FFT_SAMPLES // 2]
                              for speech in speeches])
    windows = windows[np.square(windows).mean(axis=1) > 1e-4]
    likeness, own = (np.fft.irfft(np.square(np.abs(np.fft.rfft(sound * np.hanning(FFT_SAMPLES), 2 * FFT_SAMPLES))))
                     [..., : FFT_SAMPLES // 2] for sound in (windows, np.ones(FFT_SAMPLES)))
    likeness = likeness / likeness[:, :1] / (own / own[0])
    shortest, longest = SAMPLE_RATE // 400, SAMPLE_RATE // 60
    periods = likeness[:, shortest:longest].argmax(axis=1) + shortest
    hertz = SAMPLE_RATE / periods[likeness[np.arange(len(periods)), periods] > 0.5]
    semitones = 12 * np.log2(hertz / np.median(hertz))
    return round(float(hertz[abs(semitones) < 9].mean())), round(float(semitones[abs(semitones) < 9].std()), 1)


def loudness(speeches: list[Speech]) -> float:
    """RMS in dB of full scale of the 10 ms that lie less than 30 dB below the loudest of their sentence, averaged."""
    active = [levels(speech.samples) for speech in speeches]
    power = [np.mean(10.0 ** (one[one > one.max() - 30.0] / 10)) for one in active]
    return round(float(10 * np.log10(np.mean(power))), 1)


def show(results: dict[str, dict[str, float]], digits: dict[str, float], pitches: dict[str, float],
         alike: list[tuple[float, str, str, float]]) -> None:
    table = Table("voice", "variant", "pitch", "tract", "f0 Hz", *(f"WER {rate} %" for rate in next(iter(results.values()))),
                  "5 digits %", "nearest (dB, semitones)")
    for name, rates in results.items():
        said = VOICES[name]
        near = next(((d, b if a == name else a, st) for d, a, b, st in alike if name in (a, b)), None)
        table.add_row(name, said.variant, str(said.pitch), str(said.tract), str(pitches[name]), *map(str, rates.values()),
                      f"{digits[name]:.0f}", f"{near[1]} {near[0]:.1f} {near[2]:.1f}" if near else "")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
