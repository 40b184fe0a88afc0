"""Whether an agent says that it puts the caller through to a person: for agents that log no handoff.

English phrases by their verb and their object. An offer ("shall I …?", "I can …") and a refusal ("I can not …") are none.
"""

from collections.abc import Sequence
from typing import Final

from duplex.frame import Word
from eval.tasks.pieces import pieces

TO_THE_CALLER: Final = frozenset("connect connecting transfer transferring".split())  # "I will transfer you now" is enough
ALONG: Final = ("on", "over", "along")
THROUGH: Final = {
    "put": ("through",), "putting": ("through",), "hand": ("over",), "handing": ("over",), "pass": ALONG, "passing": ALONG}
TO_A_PERSON: Final = frozenset(
    (*TO_THE_CALLER, *THROUGH, "forward", "forwarding", "escalate", "escalating", "redirect", "redirecting", "refer"))
FETCHED: Final = frozenset("get getting bring bringing find finding".split())  # only with a person close behind
PEOPLE: Final = frozenset(
    "person human someone somebody colleague colleagues representative representatives specialist specialists supervisor "
    "supervisors manager agent agents operator team department expert experts advisor advisors associate associates".split())
THE_CALLER: Final = frozenset("you your this".split())  # "your call", "this call"
REACH: Final = 8  # pieces between the verb and the person: "connect you right now to the very next free person"
NEAR: Final = 3
NO_PROMISE: Final = frozenset("not never unable should shall if whether".split())
MAY: Final = frozenset("can could may might would".split())
WISHES: Final = ("like", "want", "wish", "prefer")  # of "you": "would you like me to transfer you?"
BEFORE: Final = 5  # pieces before the verb that may say so
BREAK_SECONDS: Final = 1.0  # of silence, which parts what is said


def announcement(words: Sequence[Word]) -> tuple[float, float] | None:
    """The first announcement of a person: onset of its verb, end of the word that completes it."""
    said = [piece for piece in pieces(words) if piece.text]
    for place in range(len(said)):
        end = completed(said, place)
        if end is not None and is_promised(said, place):
            return said[place].start, said[end].end
    return None


def completed(said: Sequence[Word], place: int) -> int | None:
    """The place of the word that makes the verb at `place` an announcement."""
    verb, behind = said[place].text, together(said, place)
    if verb not in TO_A_PERSON and verb not in FETCHED:
        return None
    reach = NEAR if verb in FETCHED else REACH
    texts = [piece.text for piece in behind[:reach]]
    person = next((number for number, text in enumerate(texts) if text in PEOPLE), None)
    if person is not None:
        return place + 1 + person
    if verb in TO_THE_CALLER and texts[:1] and texts[0] in THE_CALLER and texts[1:2] != ["to"]:
        return place + 1
    if verb in THROUGH and texts[:1] == ["you"]:
        return next((place + 1 + number for number, text in enumerate(texts[:4]) if text in THROUGH[verb]), None)
    return None


def is_promised(said: Sequence[Word], place: int) -> bool:
    """Whether the verb at `place` is neither denied nor offered nor wished."""
    before = [said[earlier].text for earlier in range(max(0, place - BEFORE), place)
              if said[place].start - said[earlier].end < BREAK_SECONDS]
    wished = any(first == "you" and second in WISHES for first, second in zip(before, before[1:], strict=False))
    return not wished and not NO_PROMISE & set(before) and not MAY & set(before[-2:])


def together(said: Sequence[Word], place: int) -> list[Word]:
    """What is said behind `place` without a break."""
    found: list[Word] = []
    for before, piece in zip(said[place:], said[place + 1:], strict=False):
        if piece.start - before.end >= BREAK_SECONDS:
            break
        found.append(piece)
    return found
