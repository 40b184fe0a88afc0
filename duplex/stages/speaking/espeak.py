"""espeak-ng through ctypes: one utterance in, its samples and the places of its words out.

espeak is global C state and remembers what it said: the same text gives other samples after other texts, and neither
its random seed nor a new start of the engine helps. Unloading the library before each utterance does (4 ms).
"""

import _ctypes
import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Final

import numpy as np

SYNCHRONOUS: Final = 2  # AUDIO_OUTPUT_SYNCHRONOUS: sound arrives during espeak_Synth, in this thread
RATE, PITCH, RANGE = 1, 3, 4  # espeak_PARAMETER
USUAL_RANGE: Final = 50  # espeak's own, left as its voices have it
LIST_END, WORD, CLAUSE_END = 0, 1, 5  # espeak_EVENT_TYPE
UTF8, POS_CHARACTER = 1, 1
LOCK: Final = threading.Lock()
UNLOAD: Final = getattr(_ctypes, "dlclose" if os.name == "posix" else "FreeLibrary")


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
                ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
                ("user_data", ctypes.c_void_p), ("id", _Id)]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


def version() -> str:
    """Version of the wheel that brings the library."""
    _folder()
    return installed_version("espeakng-loader")


def check_voice(voice: str) -> None:
    """Raises ValueError if espeak does not know `voice`; espeak itself ignores an unknown variant."""
    language, plus, variant = voice.partition("+")
    variants = sorted(path.name for path in (_folder() / "voices" / "!v").iterdir())
    if plus and variant not in variants:
        raise ValueError(f"espeak has no variant {variant!r}; some it has: {', '.join(variants[::5])}")
    with _loaded() as (library, _):
        if library.espeak_SetVoiceByName(language.encode()):
            raise ValueError(f"espeak has no voice {language!r}; some it has: en, en-us, en-us-nyc, en-gb-scotland, en-gb-x-rp,"
                             " en-029, each with a variant if you like: en-us+klatt4")


def rendered(text: str, voice: str, rate: int, pitch: int,
             pitch_range: int = USUAL_RANGE) -> tuple[np.ndarray, int, list[tuple[int, int]], list[int]]:
    """One utterance, the same however often and after whatever it is said. Seeds C's `rand` on the way.

    Returns:
        samples (num_samples,) int16, their rate, (character, sample) where words start, samples where clauses end.
    """
    with _loaded() as (library, sample_rate):
        library.espeak_SetVoiceByName(voice.encode())
        library.espeak_SetParameter(RATE, rate, 0)
        library.espeak_SetParameter(PITCH, pitch, 0)
        if pitch_range != USUAL_RANGE:
            library.espeak_SetParameter(RANGE, pitch_range, 0)
        chunks, starts, ends = _spoken(library, text)
    samples = np.concatenate(chunks) if chunks else np.zeros(0, np.int16)
    return samples, sample_rate, starts, [*ends, len(samples)]


def _spoken(library: ctypes.CDLL, text: str) -> tuple[list[np.ndarray], list[tuple[int, int]], list[int]]:
    chunks: list[np.ndarray] = []
    starts: list[tuple[int, int]] = []
    ends: list[int] = []

    def take(samples: "ctypes._Pointer[ctypes.c_short]", count: int, events: "ctypes._Pointer[_Event]") -> int:
        if samples and count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events and events[index].type != LIST_END:
            event = events[index]
            if event.type == WORD:
                starts.append((event.text_position - 1, event.sample))
            elif event.type == CLAUSE_END:
                ends.append(event.sample)
            index += 1
        return 0

    callback = _Callback(take)  # the name keeps it alive while espeak may call it
    library.espeak_SetSynthCallback(callback)
    ctypes.CDLL(None).srand(1)
    library.espeak_ng_SetRandSeed(1)
    encoded = text.encode()
    library.espeak_Synth(encoded, len(encoded) + 1, 0, POS_CHARACTER, 0, UTF8, None, None)
    return chunks, starts, ends


@contextmanager
def _loaded() -> Iterator[tuple[ctypes.CDLL, int]]:
    """A library without memory and its sample rate, for one thread at a time."""
    with LOCK:
        library = ctypes.CDLL(_loader()[0])
        try:
            sample_rate = library.espeak_Initialize(SYNCHRONOUS, 0, str(_folder()).encode(), 0)
            if sample_rate <= 0:
                raise RuntimeError(f"espeak did not start from {_folder()}")
            yield library, sample_rate
        finally:
            library.espeak_Terminate()
            UNLOAD(library._handle)


@lru_cache(maxsize=1)
def _folder() -> Path:
    return Path(_loader()[1])


@lru_cache(maxsize=1)
def _loader() -> tuple[str, str]:
    """Paths of the library and of its data."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise ImportError("espeak needs espeakng-loader: pip install duplex-harness[offline]") from error
    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
