"""The callers' voices: who they are, not what they say. The agent's, espeak's plain "en-us", is never among them.

pocketsphinx cannot hear espeak's formant voices, so the callers are its Klatt voices, plus Debian's flite. Word error
rates in percent, `python scripts/hear_voices.py`, optician, 40 sentences (294 words, so +-2) with unseen slot values;
"digits" is the share of strings of five digits heard in full when five are expected, at the normal rate:

    voice   f0 Hz   slow 150   normal 165   fast 195   digits
    carl       86        4.4          3.7        4.1       95
    dan       118        5.4          4.4        4.8       95
    eve       154        4.4          4.4        3.7      100
    fay       136        5.8          4.8        4.1       95
    gus        86        5.4          4.1        2.7       95
    hal       110        4.4          3.7        3.4       85
    ivy       152        6.8          4.8        4.4       90
    jo        130        5.8          4.8        4.4       95
    ken       101        6.1          3.4        3.7       65
    rms       102          -          1.0        0.7      100
    slt       171          -          1.0        2.7      100
    awb       129          -          2.7        2.7       95
    kal16      93          -          1.4        2.4      100

Any two differ by at least 2 dB in their mean spectrum or by 2.5 semitones. At 140 words per minute the Klatt voices
are heard with 5 to 10 % errors; tracts below 1 (8 to 20 %), British voices (13 to 45 %), klatt and klatt2 were dropped.

What moods do to a voice, calm, hesitant and upset, at the normal rate (`--moods calm hesitant upset`): 214, 192 and 246
words per minute as spoken in those sentences, within 5 for every voice; -23, -27 and -20 dB of full scale, to 0.1 dB; no
peak above 0.92. Flite's voices have not been measured with moods.

          mean f0, Hz       its spread, st     word errors, %    digit strings, %
    carl    82   74  107     2.0  1.4  2.9     1.4  2.1  1.0      95   85   95
    dan    117  107  156     1.4  1.1  2.0     3.4  4.1  2.4      95   95  100
    eve    154  142  173     1.1  0.9  1.7     1.0  2.1  1.0     100   95  100
    fay    136  125  165     1.2  0.9  1.8     3.4  3.1  1.7      95   90   95
    gus     84   76  111     2.0  1.5  2.8     1.4  2.8  3.1      95   90   90
    hal    109  101  145     1.4  1.1  2.0     1.7  3.8  2.8      85   70   90
    ivy    152  140  165     1.0  0.8  1.7     2.4  2.8  3.1      90   85   95
    jo     130  120  173     1.3  1.0  1.7     3.4  2.8  2.8      95   95   85
    ken    102   93  135     1.6  1.3  2.3     2.4  4.5  2.8      65   60  100

Mean: 2.3, 3.1 and 2.3 % of the words wrong; 91, 85 and 94 % of the strings heard. eve and ivy, near espeak's highest
pitch already, rise by 2.0 and 1.4 semitones when upset, the others by 3 to 5.

A hesitant voice that says "um", pauses 0.7 s and gives five digits is heard in full in 30 of 36 calls, in 33 without; "um"
comes out as "um", "i'm" or nothing. "um" or "uh" and the same pause in the middle of a sentence is never written down (0
of 108); it costs no words on optician (1 to 2 % wrong with and without), and on orders 18 to 21 % against 7 % for the
pause alone.
"""

from collections.abc import Mapping
from math import floor, log2
from types import MappingProxyType
from typing import Final, NamedTuple

from duplex.stages.speaking.espeak import USUAL_RANGE
from duplex.stages.speaking.tts import PITCH_DOUBLES, TTS, Cached, Espeak, Flite

RATES: Final[Mapping[str, int]] = MappingProxyType({"slow": 150, "normal": 165, "fast": 195})  # words per minute


class Voice(NamedTuple):
    """How a caller sounds.

    Attributes:
        variant: espeak's voice, or the speaker of flite.
        pitch: espeak's, 0 to 99.
        tract: length of the vocal tract relative to espeak's.
        debian: true if it needs flite, which pip does not bring.
    """

    variant: str
    pitch: int = 50
    tract: float = 1.0
    debian: bool = False


VOICES: Final[Mapping[str, Voice]] = MappingProxyType({
    "carl": Voice("en-us+klatt3", 25, 1.0),
    "dan": Voice("en-us+klatt3", 65, 1.05),
    "eve": Voice("en-us+klatt3", 90, 1.05),
    "fay": Voice("en-us+klatt3", 80, 1.1),
    "gus": Voice("en-us+klatt4", 30, 1.03),
    "hal": Voice("en-us+klatt4", 60, 1.1),
    "ivy": Voice("en-us+klatt4", 90, 1.1),
    "jo": Voice("en-us+klatt5", 75, 1.05),
    "ken": Voice("en-us+klatt6", 50, 1.0),
    "rms": Voice("rms", debian=True),
    "slt": Voice("slt", debian=True),
    "awb": Voice("awb", debian=True),
    "kal16": Voice("kal16", debian=True),
})


class Mood(NamedTuple):
    """How a mood changes a voice.

    Attributes:
        pace: factor on its words per minute.
        decibels: added to its level.
        pitch: added to espeak's, which ends at 99; 50 are an octave.
        pitch_range: espeak's, 0 (monotonous) to 99.
    """

    pace: float = 1.0
    decibels: float = 0.0
    pitch: float = 0.0
    pitch_range: int = USUAL_RANGE


# Pauses and "um" are words of the scenario: silence between all words costs 10 to 25 of 100 strings of digits.
MOODS: Final[Mapping[str, Mood]] = MappingProxyType({
    "calm": Mood(),
    "hesitant": Mood(pace=0.9, decibels=-4.0, pitch=-5, pitch_range=35),
    "upset": Mood(pace=1.15, decibels=3.0, pitch=20, pitch_range=90),
})


def voice(name: str, rate: str | float = "normal", level: float = -23.0, mood: str = "calm") -> TTS:
    """The synthesiser of a caller, its speech kept on disk.

    Args:
        name: one of `VOICES`.
        rate: slow, normal, fast, or words per minute, when calm.
        level: dB full scale while speaking, when calm.
        mood: one of `MOODS`; of flite's voices it changes pace and level alone.

    Raises:
        ValueError: no such voice, rate or mood.
        ImportError, FileNotFoundError: espeakng-loader or flite is missing.
    """
    if name not in VOICES:
        raise ValueError(f"no voice {name!r}: there are {', '.join(VOICES)}")
    if isinstance(rate, str) and rate not in RATES:
        raise ValueError(f"no rate {rate!r}: {', '.join(RATES)}, or words per minute as a number")
    if mood not in MOODS:
        raise ValueError(f"no mood {mood!r}: there are {', '.join(MOODS)}")
    chosen, felt = VOICES[name], MOODS[mood]
    words_per_minute = (RATES[rate] if isinstance(rate, str) else rate) * felt.pace
    level += felt.decibels
    if chosen.debian:
        return Cached(Flite(chosen.variant, words_per_minute, level))
    highest = floor(99 - PITCH_DOUBLES * log2(chosen.tract))
    pitch = min(chosen.pitch + felt.pitch, highest)
    return Cached(Espeak(chosen.variant, words_per_minute, pitch, chosen.tract, level, felt.pitch_range))
