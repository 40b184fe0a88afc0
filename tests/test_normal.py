"""What was said compared with what had to be said: one canonical form for all the ways to say it, and times that survive."""

from itertools import combinations
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duplex.frame import Word
from eval.tasks.normal import facts_said, speech

UNITS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
         "eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()

SAME = (
    ("420", "four hundred and twenty", "four hundred twenty", "four twenty", "Four Hundred-Twenty"),
    ("1200", "1,200", "twelve hundred", "one thousand two hundred"),
    ("105", "a hundred and five", "one hundred five", "one oh five", "one zero five"),
    ("$35", "35 dollars", "thirty five dollars", "thirty-five bucks", "$35.00"),
    ("$35.50", "35.50 dollars", "thirty five dollars and fifty cents", "thirty five dollars fifty cents"),
    ("50 cents", "$0.50", "fifty cents"),
    ("3.5%", "three point five percent", "3.5 percent"),
    ("2.5 hours", "two and a half hours"),
    ("the fourteenth of March", "March 14th", "14 March", "March 14", "march fourteen", "Mar 14", "the 14th of march"),
    ("2025-03-14", "March 14, 2025", "march fourteenth twenty twenty five", "the fourteenth of march two thousand twenty five"),
    ("two in the afternoon", "2 p.m.", "two pm", "14:00", "2:00 PM", "two o'clock in the afternoon", "two p m"),
    ("half past two", "2:30", "two thirty o'clock"),
    ("quarter to three", "2:45", "a quarter to three", "a quarter till three"),
    ("ten minutes to three", "2:50"),
    ("noon", "12 pm", "twelve noon", "12:00 p.m."),
    ("one two three four five", "12345", "1 2 3 4 5", "twelve three forty-five", "12 345"),
    ("double two", "two two", "22"),
    ("double oh seven", "zero zero seven", "007"),
    ("b k seven", "B-K-7", "BK7", "bee kay seven", "b as in bravo k seven", "b for bravo k for kilo seven", "bravo kilo seven"),
    ("Smith", "S-M-I-T-H", "s m i t h"),
    ("José O'Brien-Søby", "jose obrien soby", "JOSE O’BRIEN SOBY"),
    ("you'll", "you will", "you’ll", "youll"),
    ("can't", "cannot", "can not", "cant"),
    ("it's not", "it is not"),
    ("ok", "okay", "O.K."),
    ("it was cancelled", "it was canceled"),
    ("sam@books.com", "sam at books dot com"),
    ("order um one uh two", "order 12"),
    ("by 9 a.m.", "by nine am", "by nine in the morning", "by 09:00"),
)

DIFFERENT = (  # said, fact
    ("fourteen", "forty"),
    ("fourteenth", "fourteen"),
    ("one hundred fifty", "a hundred five"),
    ("two pm", "two am"),
    ("half past two", "two thirty pm"),
    ("half past two", "half past three"),
    ("thirty five dollars and fifty cents", "$35"),
    ("$35.50", "thirty five dollars"),
    ("thirty five", "thirty five dollars"),
    ("twenty five dollars", "five dollars"),
    ("three point five percent", "five percent"),
    ("order nine two one", "nine o'clock"),
    ("from nine to five", "five minutes to nine"),
    ("412345", "12345"),
    ("one two three four", "one two three four five"),
    ("one two four three five", "one two three four five"),
    ("march fourteen", "may fourteen"),
    ("b k seven", "b k eleven"),
    ("smithson", "smith"),
    ("you will", "you will not"),
    ("five to ten business days", "9:55"),
)


def said(text: str) -> tuple[Word, ...]:
    """Each word of `text` half a second long, one every half second."""
    return tuple(Word(word, index / 2, (index + 1) / 2) for index, word in enumerate(text.split()))


@pytest.mark.parametrize("ways", SAME, ids=lambda ways: ways[0])
def test_every_way_to_say_it_is_heard_as_every_other(ways: tuple[str, ...]) -> None:
    assert [(spoken, fact) for spoken in ways for fact in ways
            if facts_said(said(spoken), fact) != [(0.0, len(spoken.split()) / 2)]] == []


@pytest.mark.parametrize(("spoken", "fact"), DIFFERENT)
def test_what_is_something_else_is_not_heard(spoken: str, fact: str) -> None:
    assert facts_said(said(spoken), fact) == []


@given(st.integers(0, 9999), st.booleans())
def test_a_number_in_words_is_its_digits(number: int, with_and: bool) -> None:
    spoken = cardinal(number, with_and)
    assert facts_said(said(spoken), str(number)) == [(0.0, len(spoken.split()) / 2)]
    assert facts_said(said(str(number)), spoken) == [(0.0, 0.5)]


@given(st.integers(0, 9999), st.integers(0, 9999))
def test_another_number_is_never_heard(number: int, other: int) -> None:
    assert bool(facts_said(said(cardinal(number)), cardinal(other))) == (number == other)


def test_teens_and_tens_are_never_mixed_up() -> None:
    alike = [text for value in range(13, 20) for text in (UNITS[value], TENS[value % 10 - 2])]
    for one, other in combinations(alike, 2):
        for unit in ("dollars", "percent", "days", ""):
            assert facts_said(said(f"it is {one} {unit}"), f"{other} {unit}") == []
            assert facts_said(said(f"it is {one} {unit}"), f"{one} {unit}") == [(1.0, 2.0 if unit else 1.5)]


@given(st.text("0123456789", min_size=1, max_size=8))
def test_a_code_read_out_digit_by_digit_is_the_code(code: str) -> None:
    one_by_one = " ".join(UNITS[int(digit)] for digit in code)
    assert (0.5, (len(code) + 1) / 2) in facts_said(said(f"number {one_by_one} please"), code)
    assert (0.5, 1.0) in facts_said(said(f"number {code} please"), one_by_one)


@given(st.integers(0, 23), st.integers(0, 59))
def test_all_times_of_day_agree_in_three_forms(hour: int, minute: int) -> None:
    part = "in the morning" if hour < 12 else "in the afternoon" if hour < 18 else "in the evening"
    clock = f"{hour % 12 or 12}:{minute:02}"
    words = f"{UNITS[hour % 12 or 12]} {minutes(minute)} {part}"
    forms = [words, f"{clock} {'a.m.' if hour < 12 else 'p.m.'}", f"{clock}{'am' if hour < 12 else 'pm'}"]
    if not 10 <= hour <= 12:  # "10:30" may be either
        forms.append(f"{hour:02}:{minute:02}")
    for one in forms:
        for other in forms:
            assert facts_said(said(one), other) == [(0.0, len(one.split()) / 2)], (one, other)


@given(st.integers(1, 12), st.integers(0, 59), st.integers(1, 12), st.integers(0, 59))
def test_another_time_is_never_heard(hour: int, minute: int, other: int, another: int) -> None:
    spoken = said(f"{UNITS[hour]} {minutes(minute)} pm")
    assert bool(facts_said(spoken, f"{other}:{another:02} pm")) == ((hour, minute) == (other, another))


@given(st.integers(1, 31), st.sampled_from(["january", "march", "may", "september", "december"]))
def test_all_dates_agree(day: int, month: str) -> None:
    forms = (f"the {ordinal(day)} of {month}", f"{month} {ordinal(day)}", f"{month} {day}", f"{month} {cardinal(day)}",
             f"{day} of {month}")
    assert all(facts_said(said(one), other) for one in forms for other in forms)
    assert not facts_said(said(forms[0]), f"{month} {day % 31 + 1}")


@given(st.integers(1, 999), st.integers(1, 99))
def test_all_amounts_agree(dollars: int, cents: int) -> None:
    number = f"{dollars}.{cents:02}"
    forms = (f"${number}", f"{cardinal(dollars)} dollars and {cardinal(cents)} cents", f"{number} dollars")
    assert all(facts_said(said(one), other) for one in forms for other in forms)
    assert not facts_said(said(forms[1]), f"${dollars}")


def test_times_are_those_of_the_words_it_was_said_by() -> None:
    words = said("it will be there by half past two in the afternoon on the fourteenth of march")
    assert facts_said(words, "2:30 pm") == [(2.5, 5.5)]
    assert facts_said(words, "march 14") == [(6.0, 8.0)]
    assert facts_said(words, "half past two") == [(2.5, 5.5)]


def test_every_occurrence_counts_and_any_wording_will_do() -> None:
    words = said("it costs ten dollars yes ten bucks nothing more")
    assert facts_said(words, ["free of charge", "$10"]) == [(1.0, 2.0), (2.5, 3.5)]
    assert facts_said(words, ["free of charge", "twenty dollars"]) == []


def test_a_time_alone_is_heard_in_one_with_its_part_of_the_day_and_not_the_other_way_round() -> None:
    assert facts_said(said("see you at nine in the morning"), "nine o'clock")
    assert facts_said(said("see you at nine"), "nine o'clock")
    assert not facts_said(said("see you at nine"), "nine in the morning")


def test_digits_alone_say_an_amount_or_a_time_that_the_fact_asks_for() -> None:
    assert facts_said(said("that is thirty five fifty"), "$35.50")
    assert facts_said(said("come in two thirty"), "2:30")


def test_a_second_of_silence_parts_two_numbers() -> None:
    together = (Word("twenty", 0.0, 0.4), Word("five", 0.5, 0.9))
    apart = (Word("twenty", 0.0, 0.4), Word("five", 1.5, 1.9))
    assert facts_said(together, "25") == [(0.0, 0.9)] and facts_said(together, "five") == []
    assert facts_said(apart, "five") == [(1.5, 1.9)] and facts_said(apart, "25") == []


def test_ordinary_words_stay_words() -> None:
    for text in ("oh i see you may be right", "wait a second", "the second may be late", "you are right", "an a or a b", "i am"):
        assert facts_said(said(text), text) == [(0.0, len(text.split()) / 2)]
    assert [piece.text for piece in speech(said("you are a bee oh see")).pieces] == ["you", "are", "a", "bee", "oh", "see"]


@given(st.lists(st.sampled_from("a o oh bee second quarter half to past at and double hundred may 14th : $3 2:30 12 5".split())))
def test_whatever_is_said_is_found_in_itself(words: list[str]) -> None:
    text = " ".join(["say", *words])
    assert facts_said(said(text), text)


@pytest.mark.parametrize("fact", ["", "...", "um"])
def test_a_fact_without_a_word_is_refused(fact: str) -> None:
    with pytest.raises(ValueError, match="has no words"):
        facts_said(said("yes"), fact)


def test_a_fact_without_a_wording_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one wording"):
        facts_said(said("yes"), [])


def test_nothing_said_holds_no_fact() -> None:
    assert facts_said((), "yes") == []


def test_a_conversation_with_forty_facts_takes_milliseconds() -> None:
    words = said("order one two three four five has shipped it will arrive on monday the fourteenth of march at two in the "
                 "afternoon and costs six dollars fifty is there anything else i can do for you today " * 9)
    facts = [f"order {number} costs ${number}.50" for number in range(40)]
    started = process_time()
    for fact in facts:
        facts_said(words, fact)
    assert process_time() - started < 0.1  # three times what it takes, with facts that are new


def cardinal(number: int, with_and: bool = False) -> str:
    if number < 20:
        return UNITS[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f" {UNITS[number % 10]}" if number % 10 else "")
    scale, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    rest = number % scale
    joint = " and " if with_and and 0 < rest < 100 else " "
    return f"{cardinal(number // scale)} {name}{joint + cardinal(rest, with_and) if rest else ''}"


def ordinal(day: int) -> str:
    small = ("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
             "sixteenth seventeenth eighteenth nineteenth twentieth").split()
    return small[day - 1] if day <= 20 else "thirtieth" if day == 30 else f"{TENS[day // 10 - 2]} {small[day % 10 - 1]}"


def minutes(minute: int) -> str:
    return "" if minute == 0 else f"oh {UNITS[minute]}" if minute < 10 else cardinal(minute)
