"""Text in pieces, as it is spoken: lower case, no diacritics, contractions apart, signs as words.

Numbers stay as they are written; what several pieces mean together is `eval.tasks.forms`' business. English only.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from duplex.frame import Word

LETTERS: Final = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "’": "'", "‘": "'"})
PIECE: Final = re.compile(r"""
    (?P<kept>\d{4}-\d\d-\d\d(?!\d) | \d{1,2}:\d\d(?!\d) | \d+(?:st|nd|rd|th)\b)
  | (?P<money>[$£€]\s?\d[\d,]*(?:\.\d+)?)
  | (?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d) | \d+(?:\.\d+)?)
  | (?P<dotted>\b(?:[ap]\.m|o\.k)\b)
  | (?P<word>[^\W\d_]+(?:'[^\W\d_]+)*)
  | (?P<sign>[&@%¢$£€])""", re.VERBOSE)
SIGNS: Final = {"&": "and", "@": "at", "%": "percent", "¢": "cents", "$": "dollars", "£": "pounds", "€": "euros"}
FILLERS: Final = frozenset(("um", "umm", "uh", "uhm", "er", "erm", "hmm"))
CONTRACTED: Final = {
    "won't": "will not", "can't": "can not", "cannot": "can not", "shan't": "shall not", "let's": "let us", "y'all": "you all",
    "gonna": "going to", "wanna": "want to", "gotta": "got to", "dont": "do not", "cant": "can not", "wont": "will not",
    "didnt": "did not", "doesnt": "does not", "isnt": "is not", "wasnt": "was not", "arent": "are not", "havent": "have not",
    "couldnt": "could not", "wouldnt": "would not", "youll": "you will", "youre": "you are", "youve": "you have",
    "theyll": "they will", "theyre": "they are", "ive": "i have", "im": "i am", "thats": "that is"}
ENDINGS: Final = {"n't": " not", "'re": " are", "'ll": " will", "'ve": " have", "'m": " am", "'d": " would"}
IS_AFTER: Final = frozenset(("it", "he", "she", "that", "this", "there", "here", "what", "who", "where", "when", "how"))
SPELLED: Final = {
    "ok": "okay", "alright": "all right", "email": "e mail", "goodbye": "good bye", "mr": "mister", "mrs": "missus",
    "dr": "doctor", "dollar": "dollars", "buck": "dollars", "bucks": "dollars", "usd": "dollars", "cent": "cents",
    "pence": "cents", "penny": "cents", "pound": "pounds", "quid": "pounds", "euro": "euros",
    "cancelled": "canceled", "cancelling": "canceling", "travelled": "traveled", "cheque": "check", "cheques": "checks",
    "colour": "color", "colours": "colors", "favourite": "favorite", "grey": "gray", "centre": "center", "licence": "license",
    "programme": "program", "organise": "organize", "apologise": "apologize", "authorise": "authorize",
    "authorised": "authorized"}


def pieces(words: Iterable[Word]) -> list[Word]:
    """The pieces of each word, with its times; "thirty-five" and "you'll" are two."""
    return [Word(text, word.start, word.end) for word in words for text in pieces_of(word.text)]


@lru_cache(maxsize=20_000)
def pieces_of(text: str) -> tuple[str, ...]:
    """What `text` is made of: "$35" is "35", "dollars"; "don't" is "do", "not"; fillers are nothing."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(LETTERS))
    plain = "".join(mark for mark in plain if not unicodedata.combining(mark))
    plain = re.sub(r"(?<=\d)\s?–\s?(?=\d)", " to ", plain)  # an en dash between numbers is a range
    plain = re.sub(r"(?<=[a-z])\.(?=(?:com|org|net|edu|gov|io)\b)", " dot ", plain)
    found = [part for match in PIECE.finditer(plain) for part in spoken(match.lastgroup, match.group())]
    return tuple(part for part in found if part not in FILLERS)


def spoken(kind: str | None, text: str) -> list[str]:
    if kind == "money":
        return [text[1:].strip().replace(",", ""), SIGNS[text[0]]]
    if kind == "number":
        return [text.replace(",", "")]
    if kind == "dotted":
        return spelled(text.replace(".", ""))
    return [SIGNS[text]] if kind == "sign" else spelled(text) if kind == "word" else [text]


def spelled(word: str) -> list[str]:
    """A word without its apostrophe: contractions in full, one spelling where there are several."""
    if word in CONTRACTED:
        return CONTRACTED[word].split()
    for ending, meant in ENDINGS.items():
        if word.endswith(ending) and len(word) > len(ending):
            return [word.removesuffix(ending).replace("'", ""), meant.strip()]
    if word.endswith("'s") and word[:-2] in IS_AFTER:
        return [word[:-2], "is"]
    joined = word.replace("'", "")
    return SPELLED.get(joined, joined).split()
