"""Whether and when a fact was spoken, however its numbers, dates, times, amounts, letters and contractions were put.

Words and meaning are not compared: a paraphrase is another fact, to be listed as an alternative. English only.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Final, NamedTuple

from duplex.frame import Word
from eval.tasks.forms import CURRENCIES, canonical, is_digits, is_letter, spelled_by
from eval.tasks.pieces import pieces

CONVERSATIONS_KEPT: Final = 64  # whose words stay in canonical form, for the next fact


def facts_said(words: Sequence[Word], fact: str | Sequence[str]) -> list[tuple[float, float]]:
    """Where a fact is spoken: onset of its first word and end of its last, in order, for each occurrence of any wording.

    The words and the fact are brought into one canonical form and compared piece by piece, in sequence and without gaps
    other than fillers. Two numbers are equal when they are read with the same digits: "one two three", "123" and "one
    twenty three" are, "fourteen" and "forty" are not, nor is a number equal to a part of a longer one, unless that was
    read in parts ("one two three" contains "two three"). A name equals its spelling, letter by letter. A fact with less
    in it is found in speech with more: "half past two" in "2:30 p.m.", "nine" in "nine o'clock", but "$35" not in "$35.50".

    Args:
        words: what one party said, in order.
        fact: one wording, or several of which one is enough.

    Raises:
        ValueError: for a wording without a word, or no wording.
    """
    wordings = (fact,) if isinstance(fact, str) else tuple(fact)
    if not wordings:
        raise ValueError("a fact needs at least one wording, got none")
    spoken = speech(tuple(words))
    return sorted({found for wording in wordings for reading in readings(wording) for found in occurrences(spoken, reading)})


class Speech(NamedTuple):
    """What one party said, in canonical form.

    Attributes:
        pieces: each with the times of the words it came from.
        texts: of the pieces, and an empty one behind.
        numbers: how each is read, if it is a number or a time, else "".
        letters: what each stands for, if it is a single letter or "bravo" beside "kilo", else "".
        places: text, number or letter -> where it stands.
    """

    pieces: list[Word]
    texts: list[str]
    numbers: list[str]
    letters: list[str]
    places: dict[str, list[int]]


@lru_cache(maxsize=CONVERSATIONS_KEPT)
def speech(words: tuple[Word, ...]) -> Speech:
    """Brings the words of one party into canonical form, once for all facts."""
    found = canonical(pieces(words))
    texts = [*(piece.text for piece in found), ""]
    numbers, letters = [digits(text) for text in texts], spelled_by(texts)
    places: dict[str, list[int]] = {}
    for place, keys in enumerate(zip(texts, numbers, letters)):
        for key in {*keys} - {""}:
            places.setdefault(key, []).append(place)
    return Speech(found, texts, numbers, letters, places)


@lru_cache(maxsize=20_000)
def readings(wording: str) -> tuple[tuple[str, ...], ...]:
    """The sequences of pieces that say a fact: its canonical form, with neighbouring digits and letters joined.

    Where the fact itself is a time or an amount, it is also said by its digits alone: 2:30 by "two thirty", $35.50 by
    "thirty five fifty" and by "thirty five dollars fifty".
    """
    form = [piece.text for piece in canonical(pieces([Word(wording, 0.0, 0.0)]))]
    if not form:
        raise ValueError(f"the fact {wording!r} has no words")
    forms = [form, [letter or text for letter, text in zip(spelled_by(form), form)]]
    for place, text in enumerate(form):
        unit, _, cents = text.partition(".")
        if ":" in text and not text.endswith(":00"):
            forms.append([*form[:place], digits(text), *form[place + 1:]])
        elif unit in CURRENCIES and cents:
            forms += [[*form[:place], cents, *form[place + 1:]], [*form[:place], unit, cents, *form[place + 1:]]]
    return tuple(dict.fromkeys(tuple(joined(one)) for one in forms))


def joined(form: Iterable[str]) -> list[str]:
    """Runs of digits, and runs of single letters, as one."""
    return [text for kind, run in groupby(form, lambda one: "digits" if is_digits(one) else "letter" if is_letter(one) else "")
            for text in (["".join(run)] if kind else run)]


def occurrences(said: Speech, reading: Sequence[str]) -> list[tuple[float, float]]:
    first = reading[0]
    begun = (first[:count] for count in range(1, len(first) + 1)) if is_digits(first) else {first, first[0]}
    starts = sorted(place for text in begun for place in said.places.get(text, ()))
    ends = ((start, said_from(said, start, reading)) for start in starts)
    return [(said.pieces[start].start, said.pieces[end - 1].end) for start, end in ends if end]


def said_from(said: Speech, place: int, reading: Sequence[str]) -> int:
    """The place behind `reading` if it is said from `place` on, else 0."""
    for wanted in reading:
        parts = said.numbers if is_digits(wanted) else said.texts if said.texts[place] == wanted else said.letters
        found = ""
        while found != wanted:
            if not parts[place] or not wanted.startswith(found + parts[place]):
                return 0
            found += parts[place]
            place += 1
    return place


def digits(text: str) -> str:
    """How a number or a time is read, "230" for "2:30" and "9" for "9:00"; "" for anything else."""
    number = text.removesuffix(":00").replace(":", "")
    return number if is_digits(number) else ""
