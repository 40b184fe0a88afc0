"""Whether and when a phrase was spoken: word sequences compared as they sound.

Meaning is not compared; a paraphrase is another phrase.
"""

import re
from collections.abc import Iterable, Sequence

from duplex.frame import Word
from duplex.number_words import ONES, below_hundred


def normalised(text: str) -> list[str]:
    """The words of `text`: lower case, without punctuation, numbers as they are read.

    Up to 99 a number is read as one ("44" is "forty four"), longer ones digit by digit, as codes and house numbers are.
    An apostrophe joins ("don't" is "dont"), every other mark parts.
    """
    joined = re.sub(r"['’]", "", text.lower())
    words = re.findall(r"[^\W\d_]+|\d+", joined)
    return [spoken for word in words for spoken in (number(word) if word.isdecimal() else [word])]


def number(digits: str) -> list[str]:
    if len(digits) > 2 or (len(digits) == 2 and digits[0] == "0"):
        return [ONES[int(digit)] for digit in digits]
    return below_hundred(int(digits))


def occurrences(words: Iterable[Word], phrase: str) -> list[tuple[float, float]]:
    """Where `phrase` is spoken as consecutive words: onset of its first word, end of its last.

    Raises:
        ValueError: for a phrase without a word.
    """
    wanted = normalised(phrase)
    if not wanted:
        raise ValueError(f"the phrase {phrase!r} has no words")
    spoken = [(part, word.start, word.end) for word in words for part in normalised(word.text)]
    texts = [part for part, _, _ in spoken]
    return [(spoken[first][1], spoken[first + len(wanted) - 1][2])
            for first in range(len(texts) - len(wanted) + 1) if texts[first:first + len(wanted)] == wanted]


def first_spoken(words: Sequence[Word], phrases: Iterable[str], start: float, end: float) -> tuple[float, float] | None:
    """The first occurrence of any of `phrases` that begins within [start, end): its onset and end."""
    return min((spoken for phrase in phrases for spoken in occurrences(words, phrase) if start <= spoken[0] < end),
               default=None)
