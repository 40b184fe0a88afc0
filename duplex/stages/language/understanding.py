"""What a domain's caller means: intents by their keys, values by their words, small talk by its phrases.

It understands its domain and nothing else, and knows nothing of the call so far.
"""

from itertools import groupby
from typing import Final, NamedTuple

from duplex.stages.language.domain import Domain
from duplex.stages.language.tools import DIGITS

YES: Final = frozenset("yes yeah yep correct right sure works please".split())
NO: Final = frozenset("no not wrong".split())
REPAIRS: Final = frozenset("sorry no mean meant actually wait hold excuse".split())
TALK: Final = ("goodbye", "thanks", "hello", "repeat", "person")
FOR_A_PERSON: Final = ("distress", "person")  # talk that counts whatever else is said, where there is somebody to hand off to


class Meaning(NamedTuple):
    """What was understood of one thing heard."""

    intent: str = ""
    slots: tuple[tuple[str, str], ...] = ()
    answer: str = ""  # "yes", "no" or ""
    talk: str = ""  # one of TALK, or distress


def understood(domain: Domain, heard: str) -> Meaning:
    words = heard.split()
    slots = tuple((slot, value) for slot in domain.values if (value := mentioned(domain, slot, words)))
    intent = spotted(domain, words)
    if "handoff" in domain.say and (urgent := small_talk(domain, heard, FOR_A_PERSON)):
        return Meaning(intent, slots, "", urgent)
    answer = ""
    if not intent:
        answer = "no" if NO & set(words) else "yes" if YES & set(words) else ""
        if slots and answer == "yes":
            answer = ""  # "nine a m please" is a time
    talk = "" if intent or slots else small_talk(domain, heard, TALK)
    if answer and talk != "goodbye":
        talk = ""  # "yes, thank you" answers
    return Meaning(intent, slots, "" if talk else answer, talk)


def spotted(domain: Domain, words: list[str]) -> str:
    """The intent with the longest key in the last part between repair words that has one, or in all, or ""."""
    parts = [list(part) for is_repair, part in groupby(words, REPAIRS.__contains__) if not is_repair]
    for heard in map(set, (*reversed(parts), words)):
        found = [(len(key), name) for name, intent in domain.intents.items() for key in intent.keys if key <= heard]
        if found:
            return max(found, key=lambda pair: pair[0])[1]
    return ""


def small_talk(domain: Domain, heard: str, kinds: tuple[str, ...]) -> str:
    """Small talk, or "": the longest of its phrases that is in what was heard."""
    found = [(len(phrase), kind) for kind in kinds for phrase in domain.talk.get(kind, ()) if f" {phrase} " in f" {heard} "]
    return max(found)[1] if found else ""


def mentioned(domain: Domain, slot: str, words: list[str]) -> str:
    """The value of `slot` mentioned last, or "": who corrects himself means the later one."""
    wanted = domain.values[slot]
    if wanted.digits:
        return corrected_digits(words, wanted.digits)
    text = f" {' '.join(words)} "
    ends = [(text.rfind(f" {choice} ") + len(choice), choice) for choice in wanted.choices if f" {choice} " in text]
    return max(ends)[1] if ends else ""


def corrected_digits(words: list[str], count: int) -> str:
    """The last `count` digits between repair words, or "".

    "oh" is a zero among digits. A number started anew after "no" or "sorry" takes back the one before it, even where
    it was not understood in full.
    """
    found = ""
    digits: list[str] = []
    for word in [*words, "sorry"]:
        digit = "zero" if word == "oh" else word
        if digit in DIGITS:
            digits.append(digit)
        elif word in REPAIRS:
            if len(digits) > 1:
                found = " ".join(digits) if len(digits) == count else ""
            digits = []
    return found


def trailing_digits(heard: str) -> int:
    """How many digits `heard` ends with."""
    return next((count for count, word in enumerate(reversed(heard.split())) if word not in DIGITS and word != "oh"),
                len(heard.split()))
