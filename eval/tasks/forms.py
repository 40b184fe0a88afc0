"""Numbers, spelled letters, dates, times and amounts brought into one form each, whatever they were said or written as.

Cardinals and ordinals are text2num's (Allo-Media, MIT). A form that needs to know what is meant ("half two", "3/14", "thirty
five fifty" as an amount, "tuesday afternoon at two") is left as it stands. English only.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from text_to_num import Token, find_numbers

from duplex.frame import Word
from duplex.stages.language.tools import DIGITS

Rule: TypeAlias = Callable[[Sequence[str], int], tuple[list[str], int] | None]
"""What stands from a place on -> what it is in canonical form, and how many pieces that replaces; None to leave the first."""

PAUSE_SECONDS: Final = 1.0  # "twenty", a second's silence, "five": two numbers
BEYOND: Final = ("",) * 6  # no piece; what rules see behind the last and before the first
NUMBER_WORDS: Final = frozenset((
    *DIGITS, "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "double", "triple"))
TIMES: Final = {"double": 2, "triple": 3}
LETTER_NAMES: Final = {
    "bee": "b", "cee": "c", "dee": "d", "ef": "f", "eff": "f", "gee": "g", "aitch": "h", "jay": "j", "kay": "k", "el": "l",
    "ell": "l", "em": "m", "en": "n", "pee": "p", "cue": "q", "ar": "r", "ess": "s", "tee": "t", "vee": "v", "ex": "x",
    "zee": "z", "zed": "z"}
RADIO: Final = frozenset((
    "alpha", "alfa", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima", "mike",
    "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey", "yankee", "zulu"))
MONTHS: Final = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
                 "december")
MONTH: Final = {**{name: name for name in MONTHS}, **{name[:3]: name for name in MONTHS}, "sept": "september"}
DAY_PARTS: Final = {("am",): "am", ("a", "m"): "am", ("pm",): "pm", ("p", "m"): "pm", ("in", "the", "morning"): "am",
                    ("in", "the", "afternoon"): "pm", ("in", "the", "evening"): "pm", ("at", "night"): "night"}
BEFORE_A_TIME: Final = frozenset(("at", "until", "till", "by", "before", "after", "around"))
CURRENCIES: Final = ("dollars", "pounds", "euros")


def canonical(pieces: Sequence[Word]) -> list[Word]:
    """Pieces -> one piece for each number ("420"), ordinal ("14th"), letter, time ("2:30", "pm") and unit of money
    ("dollars", "dollars.50" where cents follow), with the times of all it was said by; other words as they are."""
    found = rewritten(pieces, repeated)
    found = numbers(rewritten(found, zero))
    for rule in (letter, ordinal, half, date, time_of_day, money):
        found = rewritten(found, rule)
    return found


def rewritten(pieces: Sequence[Word], rule: Rule) -> list[Word]:
    texts = (*(piece.text for piece in pieces), *BEYOND)
    made: list[Word] = []
    at = 0
    while at < len(pieces):
        form = rule(texts, at)
        count = 1 if form is None else form[1]
        start, end = pieces[at].start, pieces[at + count - 1].end
        made += [pieces[at]] if form is None else [Word(text, start, end) for text in form[0]]
        at += count
    return made


def repeated(texts: Sequence[str], at: int) -> tuple[list[str], int] | None:
    """"double two" is "two", "two"; "double l", too. "a hundred" is "hundred", which counts as one."""
    if texts[at] == "a" and texts[at + 1] in ("hundred", "thousand", "million"):
        return [texts[at + 1]], 2
    following = texts[at + 1]
    if texts[at] == "double" and following == "u":
        return ["w"], 2
    if texts[at] in TIMES and (following in DIGITS or following == "oh" or (len(following) == 1 and following not in "ai")):
        return [following] * TIMES[texts[at]], 2
    return None


def zero(texts: Sequence[str], at: int) -> tuple[list[str], int] | None:
    """"oh" and "o" beside a number are zero; "o" behind a letter is a letter."""
    if texts[at] not in ("oh", "o") or (texts[at] == "o" and is_letter(texts[at - 1]) and texts[at - 1] != "o"):
        return None
    first, last = at, at
    while texts[first - 1] in ("oh", "o"):
        first -= 1
    while texts[last + 1] in ("oh", "o"):
        last += 1
    beside = texts[first - 1], texts[last + 1]
    return (["zero"], 1) if any(text in NUMBER_WORDS or is_digits(text) for text in beside) else None


class Spoken(Token):
    """A piece as text2num wants it, with its neighbour's silence."""

    def __init__(self, word: Word):
        self.word = word

    def text(self) -> str:
        return self.word.text

    def text_lowercase(self) -> str:
        return self.word.text

    def nt_separated(self, previous: Token) -> bool:
        assert isinstance(previous, Spoken)
        return self.word.start - previous.word.end > PAUSE_SECONDS

    def not_a_number_part(self) -> bool:
        return self.word.text == "o"


def numbers(pieces: Sequence[Word]) -> list[Word]:
    """Cardinals and ordinals in digits: "four hundred and twenty" is "420", "twenty first" is "21st", "four twenty" is two."""
    made: list[Word] = []
    at = 0
    for found in find_numbers([Spoken(piece) for piece in pieces], "en", threshold=0.0):
        made += [*pieces[at:found.start], Word(found.text, pieces[found.start].start, pieces[found.end - 1].end)]
        at = found.end
    return [*made, *pieces[at:]]


def letter(texts: Sequence[str], at: int) -> tuple[list[str], int] | None:
    """"b as in bravo", "b for bravo", "bee" beside another letter or a number."""
    text, beside = texts[at], (texts[at - 1], texts[at + 1])
    one = text if is_letter(text) else LETTER_NAMES.get(text)
    if one is None:
        return None
    if texts[at + 1:at + 3] == ("as", "in") and texts[at + 3].startswith(one):
        return [one], 4
    if texts[at + 1] in ("for", "like") and texts[at + 2] in RADIO and texts[at + 2].startswith(one):
        return [one], 3
    is_spelled = any(other in LETTER_NAMES or is_digits(other) or (is_letter(other) and other not in "ai") for other in beside)
    return ([one], 1) if text != one and is_spelled else None


def spelled_by(texts: Sequence[str]) -> list[str]:
    """The letter that each piece stands for, or "": a letter itself, and words of the radio alphabet beside each other."""
    around = zip(("", *texts), texts, (*texts[1:], ""))
    return [text if is_letter(text) else text[0] if text in RADIO and (before in RADIO or after in RADIO) else ""
            for before, text, after in around]


def ordinal(texts: Sequence[str], at: int) -> tuple[list[str], int] | None:
    """"the fourteenth" is "14th"."""
    return ([texts[at + 1]], 2) if texts[at] == "the" and is_ordinal(texts[at + 1]) else None


def half(texts: Sequence[str], at: int) -> tuple[list[str], int] | None:
    """"two and a half" is "2.5"."""
    return ([f"{texts[at]}.5"], 4) if is_digits(texts[at]) and texts[at + 1:at + 4] == ("and", "a", "half") else None


def date(texts: Sequence[str], at: int) -> tuple[list[str], int] | None:
    """"14 march", "the fourteenth of march", "march 14" are "march", "14th"; "2025-03-14" has "2025" behind."""
    text = texts[at]
    if len(text) == 10 and text[4] == text[7] == "-" and 1 <= int(text[5:7]) <= 12:
        return [MONTHS[int(text[5:7]) - 1], nth(int(text[8:])), text[:4]], 1
    if text in MONTH and (day := day_of(texts[at + 1])):
        year = texts[at + 1] in ("19", "20") and len(texts[at + 2]) == 2 and is_digits(texts[at + 2])
        return None if year else ([MONTH[text], nth(day)], 2)
    if day := day_of(text):
        count = 2 if texts[at + 1] == "of" else 1
        month = MONTH.get(texts[at + count])
        if month and (count == 2 or texts[at + count] != "may" or day > 3):  # "the second may be late"
            return [month, nth(day)], count + 1
    return None


def day_of(text: str) -> int:
    """1 to 31, or 0 for what is no day of a month."""
    number = text[:-2] if is_ordinal(text) else text
    return int(number) if is_digits(number) and 1 <= int(number) <= 31 else 0


def nth(number: int) -> str:
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def time_of_day(texts: Sequence[str], at: int) -> tuple[list[str], int] | None:
    """"half past two", "two thirty pm", "14:30", "noon" are "2:30" and so on, with "am" or "pm" behind where it is known.

    A number alone is a time only with "o'clock", a part of the day, or a preposition such as "at" before it; "ten to three"
    needs "minutes", for "ten to three" is also a range.
    """
    text = texts[at]
    if named := {"noon": "pm", "midday": "pm", "midnight": "am"}.get(texts[at + 1] if text == "12" else text):
        return ["12:00", named], 2 if text == "12" else 1
    found = relative(texts, at) or direct(texts, at)
    if found is None:
        return None
    hour, minute, count, certain = found
    if texts[at + count] == "oclock":
        count, certain = count + 1, True
    part, more = day_part(texts, at + count, hour)
    if not part and ":" in text and (text[0] == "0" or hour > 12 or hour == 0):
        part = "am" if hour < 12 else "pm"
    alone = texts[at - 1] in BEFORE_A_TIME and not is_digits(texts[at + count])
    if not (certain or part or alone):
        return None
    return [f"{hour % 12 or 12}:{minute:02}", *([part] if part else [])], count + more


def relative(texts: Sequence[str], at: int) -> tuple[int, int, int, bool] | None:
    """Hour, minute, pieces and True of "quarter to three", "half past two", "ten minutes to three", "twenty past two"."""
    first = at + (texts[at] == "a" and texts[at + 1] == "quarter")
    minutes = {"quarter": 15, "half": 30}.get(texts[first]) or day_of(texts[first]) * is_digits(texts[first])
    told = texts[first + 1] == "minutes"
    direction, hour = texts[first + 1 + told], texts[first + 2 + told]
    if not minutes or not is_digits(hour) or not 1 <= int(hour) <= 12:
        return None
    count = first + 3 + told - at
    if direction == "past" or (direction == "after" and texts[first] == "quarter"):
        return int(hour), minutes, count, True
    if direction in ("to", "till", "of", "before") and (told or texts[first] == "quarter"):
        return (int(hour) - 2) % 12 + 1, 60 - minutes, count, True
    return None


def direct(texts: Sequence[str], at: int) -> tuple[int, int, int, bool] | None:
    """Hour, minute, pieces, and whether it is a time for certain, of "2:30", "2", "30", "2", "05" or "230"."""
    text, following = texts[at], texts[at + 1]
    hours, colon, minutes = text.partition(":")
    count = 1
    if not colon and is_digits(text):
        if len(text) in (3, 4):
            hours, minutes = text[:-2], text[-2:]
        elif len(following) == 2 and is_digits(following) and following < "60":
            minutes, count = following, 2
        else:
            minutes = "00"
    if not is_digits(hours) or not is_digits(minutes) or int(minutes) > 59 or int(hours) > (23 if colon else 12):
        return None
    return (int(hours), int(minutes), count, bool(colon)) if colon or int(hours) else None


def day_part(texts: Sequence[str], at: int, hour: int) -> tuple[str, int]:
    """"am" or "pm" and the number of its pieces, or nothing."""
    for pieces, part in DAY_PARTS.items():
        if texts[at:at + len(pieces)] == pieces:
            return ("am" if hour in (12, 1, 2, 3, 4) else "pm") if part == "night" else part, len(pieces)
    return "", 0


def money(texts: Sequence[str], at: int) -> tuple[list[str], int] | None:
    """"35 dollars and 50 cents" and "35.50 dollars" are "35", "dollars.50"; less than one is cents."""
    text, currency = texts[at], texts[at + 1]
    if not text[:1].isdigit() or currency not in CURRENCIES:
        return None
    whole, point, hundredths = text.partition(".")
    count = 2
    cents = at + 2 + (texts[at + 2] == "and")
    if not point and is_digits(texts[cents]) and int(texts[cents]) < 100 and texts[cents + 1] == "cents":
        hundredths, count = texts[cents].zfill(2), cents + 2 - at
    if not is_digits(whole) or not hundredths:
        return None
    hundredths = f"{hundredths:0<2}"
    if int(whole) == 0:
        return [str(int(hundredths)), "cents"], count
    return [whole, currency if hundredths == "00" else f"{currency}.{hundredths}"], count


def is_digits(text: str) -> bool:
    return text.isdecimal()


def is_letter(text: str) -> bool:
    return len(text) == 1 and text.isalpha()


def is_ordinal(text: str) -> bool:
    return text[-2:] in ("st", "nd", "rd", "th") and is_digits(text[:-2])
