"""Speech in pieces: joined again, and without the silence before it.

Who makes the pieces, and when they are said, is not known here.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from duplex.frame import SAMPLE_RATE, Word
from duplex.speech import Speech, audible

LEAD_SECONDS: Final = 0.03  # of silence kept before the first sound: soft consonants reach that far
NOTHING: Final = Speech(np.zeros(0, np.float32))


def joined(pieces: Iterable[Speech]) -> Speech:
    """One speech of pieces that follow each other without a gap; words and events keep their places."""
    samples, words, events, start = [np.zeros(0, np.float32)], [], [], 0.0
    for piece in pieces:
        samples.append(piece.samples)
        words += [Word(word.text, word.start + start, word.end + start) for word in piece.words]
        events += [replace(event, start=event.start + start, end=event.end + start) for event in piece.events]
        start += piece.seconds
    return Speech(np.concatenate(samples), tuple(words), tuple(events))


def heard(piece: Speech) -> bool:
    """Whether anything in it is loud enough to be heard."""
    return audible(piece.samples)[1] > 0.0


def without_lead(piece: Speech) -> Speech:
    """A first piece without the silence before its first sound; what is said in it comes earlier by as much."""
    cut = round(max(0.0, audible(piece.samples)[0] - LEAD_SECONDS) * SAMPLE_RATE)
    if not cut:
        return piece
    start = cut / SAMPLE_RATE
    return Speech(piece.samples[cut:],
                  tuple(Word(word.text, max(0.0, word.start - start), max(0.0, word.end - start)) for word in piece.words),
                  tuple(replace(event, start=max(0.0, event.start - start), end=max(0.0, event.end - start))
                        for event in piece.events))
