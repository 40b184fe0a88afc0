"""Figures in a recogniser's text as callers say them: domains, managers and scores know words alone.

A long number is told digit by digit, as one tells an order's; nothing here knows what is meant by it.
"""

import re
from typing import Final

from duplex.number_words import ONES, below_hundred
from duplex.stages.language.speakable import speakable
from duplex.stages.speaking.tts import plain_words

ORDINALS: Final = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
                   "twelve": "twelfth"}
FIGURE: Final = re.compile(r"(\d+)(st|nd|rd|th)?|[^\W\d_]+(?:'[^\W\d_]+)*", re.IGNORECASE)


def said_words(text: str) -> list[str]:
    """The words of a written `text`, lower case, no punctuation, figures in words: "Order 12, the 2nd." has four."""
    return [spoken for word in plain_words(speakable(text)) for figure in FIGURE.finditer(word)
            for spoken in in_words(figure)]


def in_words(figure: re.Match[str]) -> list[str]:
    number, ordinal = figure.groups()
    if number is None:
        return [figure[0]]
    if len(number) > 2 and not (len(number) == 3 and number.endswith("00") and number[0] != "0") or number[0] == "0":
        said = [ONES[int(digit)] for digit in number]
    elif len(number) == 3:
        said = [ONES[int(number[0])], "hundred"]
    else:
        said = below_hundred(int(number))
    return [*said[:-1], ordinal_of(said[-1])] if ordinal else said


def ordinal_of(word: str) -> str:
    return ORDINALS.get(word) or (word[:-1] + "ieth" if word.endswith("y") else word + "th")
