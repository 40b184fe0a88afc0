"""Whether an agent says what its log says, by the words that a recogniser heard in its sound.

The recogniser's own errors are in it: compare systems, and a system with itself, not a number with zero.
"""

from collections.abc import Iterable, Sequence

from duplex.frame import Word
from eval.metrics.occasions import Observation
from eval.metrics.phrases import normalised


def text_audio_word_error(spoken: Iterable[Word], heard: Iterable[Word]) -> list[Observation]:
    """Word error rate between an agent's own text, taken as the reference, and what a recogniser heard of its sound.

    Both are the words of the whole conversation in order of their onsets, normalised as they are read (numbers spoken
    out, no punctuation). Errors are substitutions, deletions and insertions of a least-cost alignment (Levenshtein, 1966),
    summed over conversations and divided by the words of the text, so that it may exceed 1. Words that an agent logged and
    was stopped from saying count as deletions. A conversation whose agent logs no words is no occasion.
    """
    text, transcript = in_order(spoken), in_order(heard)
    return [Observation("text_audio_word_error", 0.0, float(word_errors(text, transcript)), per=float(len(text)))] if text else []


def in_order(words: Iterable[Word]) -> list[str]:
    return [part for word in sorted(words, key=lambda word: word.start) for part in normalised(word.text)]


def word_errors(reference: Sequence[str], found: Sequence[str]) -> int:
    """The fewest substitutions, deletions and insertions that make one of the other."""
    row = list(range(len(found) + 1))
    for count, wanted in enumerate(reference, 1):
        before, row[0] = row[0], count
        for index, got in enumerate(found, 1):
            before, row[index] = row[index], min(row[index] + 1, row[index - 1] + 1, before + (wanted != got))
    return row[-1]
