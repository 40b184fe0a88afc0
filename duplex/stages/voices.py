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
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from duplex.stages.tts import TTS, Cached, Espeak, Flite

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


def voice(name: str, rate: str | float = "normal", level: float = -23.0, mood: str = "calm") -> TTS:
    """The synthesiser of a caller, its speech kept on disk.

    Args:
        name: one of `VOICES`.
        rate: slow, normal, fast, or words per minute.
        level: dB full scale while speaking.

    Raises:
        ValueError: no such voice or rate.
        ImportError, FileNotFoundError: espeakng-loader or flite is missing.
    """
    if name not in VOICES:
        raise ValueError(f"no voice {name!r}: there are {', '.join(VOICES)}")
    if isinstance(rate, str) and rate not in RATES:
        raise ValueError(f"no rate {rate!r}: {', '.join(RATES)}, or words per minute as a number")
    words_per_minute = RATES[rate] if isinstance(rate, str) else rate
    chosen = VOICES[name]
    if chosen.debian:
        return Cached(Flite(chosen.variant, words_per_minute, level))
    return Cached(Espeak(chosen.variant, words_per_minute, chosen.pitch, chosen.tract, level))
