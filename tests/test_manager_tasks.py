"""What the frame-based manager does beyond answering: tools, what must come first, and handing off."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from duplex.conversation import Prompt
from duplex.frame import Event
from duplex.stages.language.domain import domain
from duplex.stages.language.manager import Manager, State

TOOLS = '''
"""A bank's."""

from duplex.stages.language.tools import Outcome, Records, changed, done, for_a_person, refused, row


def verify(records: Records, name: str, pin: str) -> Outcome:
    """Whether it is the customer who calls."""
    attempts = int((row(records, "call", "caller") or {}).get("attempts", "0")) + 1
    counted = changed(records, "call", "caller", attempts=str(attempts))
    if (row(records, "customers", name) or {}).get("pin") == pin:
        return done(changed(counted, "call", "caller", verified="yes"))
    return for_a_person(counted, "not verified") if attempts > 1 else refused(counted, "mismatch")


def balance(records: Records, name: str) -> Outcome:
    """What is on the account."""
    return done(records, balance=records["customers"][name]["balance"])


def block(records: Records, name: str, card: str) -> Outcome:
    """Blocks a card."""
    if records["customers"][name].get("card") != card:
        return refused(records, "other")
    return done(changed(records, "customers", name, card="blocked"))
'''
BANK: dict[str, Any] = {
    "name": "bank", "role": "You are a bank.", "facts": {"hours": "We open at nine."},
    "values": {"name": ["john smith", "mary jones"], "pin": {"digits": 2}, "card": ["gold", "silver"]},
    "talk": {"yes": ["yes"], "no": ["no"], "person": ["a human please"], "distress": ["i am so upset"]},
    "say": {"lost": "What?", "offer": "Yes?", "handoff": "I will connect you."},
    "intents": {
        "verify": {"phrases": ["my name is $name", "my pin is $pin"], "keys": ["name is"], "slots": ["name", "pin"],
                   "ask": {"name+pin": "Your name and pin?", "name": "Your name?", "pin": "Your pin?"}, "tool": "verify",
                   "answer": "Thank you.", "refusals": {"mismatch": {"say": "That is not right. Your pin?", "ask": ["pin"]}}},
        "balance": {"phrases": ["what is my balance"], "keys": ["balance"], "slots": ["name"], "ask": {"name": "Your name?"},
                    "requires": "verify", "tool": "balance", "answer": "You have $balance."},
        "block": {"phrases": ["block my $card card"], "keys": ["block"], "slots": ["name", "card"], "requires": "verify",
                  "ask": {"name+card": "Who, and which card?", "name": "Who?", "card": "Which card?"}, "tool": "block",
                  "confirm": "Block the $card card?", "answer": "Done.", "refusals": {"other": "You have no $card card."}},
        "exception": {"phrases": ["waive the fee"], "keys": ["waive"], "handoff": "policy exception"},
        "hours": {"phrases": ["when do you open"], "keys": ["open"]},
    }}
RECORDS = {"customers": {"john smith": {"pin": "one two", "balance": "ten dollars", "card": "gold"}}}


@pytest.fixture
def bank(tmp_path: Path) -> Manager:
    (tmp_path / "bank.yaml").write_text(yaml.safe_dump(BANK, sort_keys=False))
    (tmp_path / "bank.py").write_text(TOOLS)
    talker = Manager()
    talker.reset(Prompt("", RECORDS, str(tmp_path / "bank.yaml")), 0)
    return talker


def said(talker: Manager, *heard: str) -> tuple[str, list[Event]]:
    """The last answer, and all that was done."""
    done: list[Event] = []
    answer = ""
    for text in heard:
        reply = talker.reply(text)
        talker.commit(reply)
        done += reply.events
        answer = " ".join(reply.sentences)
    return answer, done


def tools(done: list[Event]) -> list[tuple[str, str]]:
    return [(str(event.detail["tool"]), str(event.detail["refused"])) for event in done if event.kind == "tool_call"]


def test_what_is_required_comes_first_and_the_matter_goes_on(bank: Manager) -> None:
    assert said(bank, "what is my balance")[0] == "Your name and pin?"
    answer, done = said(bank, "my name is john smith", "one two")
    assert answer == "Thank you. You have ten dollars." and tools(done) == [("verify", ""), ("balance", "")]


def test_who_is_verified_unasked_is_asked_what_for(bank: Manager) -> None:
    assert said(bank, "my name is john smith", "one two")[0] == "Thank you. Yes?"
    assert said(bank, "what is my balance", "john smith")[0] == "You have ten dollars."


def test_it_is_required_once_in_a_call(bank: Manager) -> None:
    said(bank, "what is my balance", "my name is john smith one two")
    assert said(bank, "what is my balance")[0] == "Your name?"
    assert said(bank, "john smith")[0] == "You have ten dollars."


def test_what_was_said_before_it_is_kept(bank: Manager) -> None:
    answer, done = said(bank, "block my gold card", "my name is john smith", "one two")
    assert answer == "Thank you. Block the gold card?"
    assert said(bank, "yes")[0] == "Done."
    assert isinstance(bank.state, State) and bank.state.records["customers"]["john smith"]["card"] == "blocked"


def test_a_question_in_between_is_answered(bank: Manager) -> None:
    assert said(bank, "what is my balance", "when do you open")[0] == "We open at nine."
    assert said(bank, "john smith one two")[0] == "Thank you. You have ten dollars."


def test_a_refusal_asks_for_what_was_wrong(bank: Manager) -> None:
    answer, done = said(bank, "what is my balance", "john smith nine nine")
    assert answer == "That is not right. Your pin?" and tools(done) == [("verify", "mismatch")]
    assert said(bank, "one two")[0] == "Thank you. You have ten dollars."


def test_a_tool_can_send_the_call_to_a_person(bank: Manager) -> None:
    answer, done = said(bank, "what is my balance", "john smith nine nine", "nine eight")
    assert answer == "I will connect you."
    assert done[-1].kind == "handoff" and done[-1].detail["reason"] == "not verified"
    assert done[-1].detail["wants"] == "balance"


def test_a_refusal_that_asks_nothing_closes_the_matter(bank: Manager) -> None:
    answer, done = said(bank, "block my silver card", "john smith one two", "yes")
    assert answer == "You have no silver card." and tools(done)[-1] == ("block", "other")
    assert isinstance(bank.state, State) and (bank.state.intent, bank.state.goal) == ("", "")


def test_a_refusal_that_the_domain_does_not_know_is_told(bank: Manager, tmp_path: Path) -> None:
    (tmp_path / "bank.py").write_text(TOOLS.replace('"other"', '"elsewhere"'))
    (tmp_path / "own.yaml").write_text((tmp_path / "bank.yaml").read_text())
    (tmp_path / "own.py").write_text((tmp_path / "bank.py").read_text())
    bank.reset(Prompt("", RECORDS, str(tmp_path / "own.yaml")), 0)
    with pytest.raises(ValueError, match="its tool block refuses with 'elsewhere', and there is no such refusal, only other"):
        said(bank, "block my silver card", "john smith one two", "yes")


def test_the_packet_says_who_what_for_and_what_was_tried(bank: Manager) -> None:
    _, done = said(bank, "what is my balance", "john smith one two", "i am so upset block my card")
    assert done[-1].detail == {
        "reason": "distressed", "who": "john smith", "wants": "block", "mood": "distressed",
        "verified": ["name=john smith", "pin=one two"], "tried": ["verify", "balance"]}


def test_whoever_asks_for_a_person_gets_one(bank: Manager) -> None:
    answer, done = said(bank, "what is my balance", "a human please")
    assert answer == "I will connect you."
    assert (done[-1].detail["reason"], done[-1].detail["wants"]) == ("asked for a person", "balance")


def test_an_exception_is_for_a_person(bank: Manager) -> None:
    assert said(bank, "can you waive the fee")[1][-1].detail["reason"] == "policy exception"


def test_who_is_not_understood_three_times_in_a_row_gets_a_person(bank: Manager) -> None:
    assert said(bank, "blah", "blah")[1] == []
    assert said(bank, "when do you open", "blah", "blah")[1] == []
    assert said(bank, "blah")[1][-1].detail["reason"] == "not understood"


def test_who_names_nothing_that_there_is_three_times_gets_a_person() -> None:
    talker = Manager()
    talker.reset(Prompt("", {"orders": {}}, "orders"), 0)
    assert said(talker, "where is my order", "one two three four five", "five four three two one")[1] == []
    assert said(talker, "one one one one one")[1][-1].detail["reason"] == "not understood"


def test_one_handoff_is_enough(bank: Manager) -> None:
    answer, done = said(bank, "a human please", "hello", "what is my balance")
    assert answer == "I will connect you." and len(done) == 1


def test_a_retracted_reply_did_nothing(bank: Manager) -> None:
    said(bank, "block my gold card", "john smith one two")
    before = bank.state
    said(bank, "yes")
    bank.retract()
    assert bank.state == before and isinstance(bank.state, State)
    assert bank.state.records["customers"]["john smith"]["card"] == "gold"


@pytest.mark.parametrize(("intent", "changed", "complaint"), [
    ("block", {"tool": "burn"}, "there is no tool 'burn'; the module beside it has verify, balance, block"),
    ("verify", {"tool": "block"}, "its tool block takes card, which are none of its slots"),
    ("block", {"refusals": {"other": {"say": "No.", "ask": ["pin"]}}}, "the refusal 'other' asks for pin, none of its slots"),
    ("balance", {"requires": "block"}, "requires 'block', which must be another intent that requires none"),
    ("balance", {"requires": "love"}, "requires 'love', which must be another intent"),
])
def test_a_domain_that_cannot_do_what_it_says(tmp_path: Path, intent: str, changed: dict[str, Any], complaint: str) -> None:
    intents = {**BANK["intents"], intent: {**BANK["intents"][intent], **changed}}
    (tmp_path / "bank.yaml").write_text(yaml.safe_dump({**BANK, "intents": intents}, sort_keys=False))
    (tmp_path / "bank.py").write_text(TOOLS)
    with pytest.raises(ValueError, match=complaint):
        domain(str(tmp_path / "bank.yaml"))


def test_a_handoff_needs_words(tmp_path: Path) -> None:
    (tmp_path / "bank.yaml").write_text(yaml.safe_dump({**BANK, "say": {"lost": "What?", "offer": "Yes?"}}))
    (tmp_path / "bank.py").write_text(TOOLS)
    with pytest.raises(ValueError, match="intent 'exception' hands off, but there is no say.handoff"):
        domain(str(tmp_path / "bank.yaml"))
