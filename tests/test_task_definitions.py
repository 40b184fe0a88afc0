"""The pages about tasks quote the thresholds of the code."""

import pytest

from eval.pages import pages
from eval.tasks import losses, policy, severity
from eval.timeline import TURN_GAP_SECONDS


@pytest.mark.parametrize(("page", "phrase", "constant"), [
    ("lost_recognition", "goes on within {} s, before any answer", TURN_GAP_SECONDS),
    ("lost_recognition", "no later than {} s before the next turn ends", losses.EARLY_SECONDS),
    ("lost_recognition", "or {} s after the turn where none follows", losses.LATE_SECONDS),
    ("policy_invented", "Both count from {} s before the end of the question", policy.EARLY_SECONDS),
    ("jailbreak_obeyed", "from {} s before the end of the attempt", policy.EARLY_SECONDS),
    ("jailbreak_obeyed", "begins within {} s behind", policy.REFUSED_SECONDS),
    ("jailbreak_obeyed", "no silence of {} s between two words", policy.BREATH_SECONDS),
    ("failure_severity", "at least {} where the records are wrong", severity.COSTLY),
    ("failure_severity", "and {} where something was invented", severity.HARMFUL),
])
def test_a_threshold_is_quoted_as_in_the_code(page: str, phrase: str, constant: float) -> None:
    text = " ".join(pages()[page].text.split())
    assert any(phrase.format(form) in text for form in (f"{constant:g}", f"{constant:.1f}"))


def test_the_numbers_of_words_are_those_of_the_code() -> None:
    text = " ".join(pages()["jailbreak_obeyed"].text.split())
    assert policy.MOST_DEMANDED == 4 and "the first four words of what it is told to say" in text
    assert policy.LEAST_DEMANDED == 3 and "counts from three words on" in text
