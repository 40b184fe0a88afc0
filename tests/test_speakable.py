"""A language model's text as a synthesiser can say it, and what it writes between tags."""

import pytest

from duplex.stages.language.chat_model import FunctionCall
from duplex.stages.language.markup import parted
from duplex.stages.language.speakable import Sentences, speakable

# What a synthesiser can say


@pytest.mark.parametrize(("written", "spoken"), [
    ("**Sure!** Your order `is` on its _way_.", "Sure! Your order is on its way."),
    ("# Hours", "Hours"),
    ("- Monday", "Monday"),
    ("2. Tuesday", "Tuesday"),
    ("Great 😀👍🏽!", "Great!"),
    ("See [our page](https://x.org/a?b=1).", "See our page."),
    ("Go to https://www.example.com/help-me.", "Go to example dot com slash help dash me."),
    ("Look at example.org now", "Look at example dot org now"),
    ("It’s “fine” — really", "It's \"fine\", really"),
    ("fish & chips", "fish and chips"),
    ("😀", ""), ("***", ""), ("", ""), ("```\n```", ""),
    ("It costs $6.50, not $1,200.", "It costs 6 dollars and 50 cents, not 1200 dollars."),
    ("50% off from 9:00 to 10:30 a.m.", "50 percent off from 9 to 10 30 a.m."),
    ("Your order is 12345.", "Your order is 12345."),
])
def test_what_only_an_eye_can_read_is_not_spoken(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


def cut(text: str, size: int) -> list[str]:
    sentences = Sentences()
    found = [one for start in range(0, len(text), size) for one in sentences.feed(text[start: start + size])]
    return found + sentences.rest()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_stream_is_cut_into_the_same_sentences_wherever_its_pieces_end(size: int) -> None:
    text = "Yes. Dr. Smith is in at nine a.m. on Monday! Is 6.50 fine?\n\n- One\n- Two\n**Good.** Bye 😀"
    assert cut(text, size) == ["Yes.", "Dr. Smith is in at nine a.m. on Monday!", "Is 6.50 fine?", "One", "Two", "Good.", "Bye"]


def test_a_sentence_is_whole_when_the_next_one_begins() -> None:
    sentences = Sentences()
    assert sentences.feed("It is 3.") == []
    assert sentences.feed("50. ") == []
    assert sentences.feed("T") == ["It is 3.50."]


# Between tags


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_thoughts_are_dropped_and_calls_are_taken_out_of_the_text(size: int) -> None:
    text = '<think>hm <b></think>One < two <tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call> end<'
    pieces = list(parted(text[start: start + size] for start in range(0, len(text), size)))
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == "One < two  end<"
    assert [piece for piece in pieces if not isinstance(piece, str)] == [FunctionCall("call_1", "f", '{"a": 1}')]


def test_a_call_that_can_not_be_read_has_no_name_and_one_that_is_not_closed_is_one() -> None:
    assert list(parted(["<tool_call>{oops</tool_call>", '<tool_call>{"name": "f"}'])) == [
        FunctionCall("call_1", "", "{oops"), FunctionCall("call_2", "f", "{}")]


def test_a_thought_that_does_not_end_says_nothing() -> None:
    assert list(parted(["<think>and so on", " and on"])) == []
