"""The desk of a bank tells nobody anything whom it does not know, and sends who fails twice to a person."""

import pytest

from duplex.stages.language.domain import FOLDER
from duplex.stages.language.tools import Outcome, Records, call, changed, tools_of

TOOLS = tools_of(FOLDER / "accounts.yaml")
LAST, ZIP = "one two three four", "five five five zero one"
RIGHT = {"name": "john smith", "zip_code": ZIP, "last_four": LAST}
RECORDS: Records = {"accounts": {
    LAST: {"name": "john smith", "zip": ZIP, "balance": "forty dollars", "debit": "is active", "credit": "is active"},
    "nine nine nine nine": {"name": "mary jones", "zip": ZIP, "balance": "ninety dollars", "debit": "is active",
                            "credit": "is active"}}}


def verified(records: Records = RECORDS, **changes: str) -> Outcome:
    return call(TOOLS, records, "verify", {**RIGHT, **changes})


KNOWN = verified().records


def test_a_domain_has_these_tools() -> None:
    assert list(TOOLS) == ["verify", "tell_balance", "change_zip_code", "block_card"]


def test_a_caller_is_known_by_name_zip_code_and_account() -> None:
    assert verified().records == changed(RECORDS, "call", "caller", account=LAST)
    assert verified(zip_code="55501", last_four="1234", name="John Smith").records == KNOWN


@pytest.mark.parametrize("changes", [
    {"name": "mary jones"}, {"zip_code": "five five five zero nine"}, {"last_four": "nine nine nine nine"},
    {"last_four": "one"}])
def test_a_caller_with_one_thing_wrong_is_not_known(changes: dict[str, str]) -> None:
    outcome = verified(**changes)
    assert (outcome.refused, outcome.facts, outcome.handoff) == ("unknown", {}, "")
    assert outcome.records == changed(RECORDS, "call", "caller", failed="one")


def test_a_second_failure_goes_to_a_person() -> None:
    outcome = verified(verified(name="mary jones").records, zip_code="one")
    assert outcome.handoff == "not verified" and outcome.records["call"] == {"caller": {"failed": "two"}}


def test_a_success_forgets_the_failure_before() -> None:
    assert verified(verified(zip_code="one").records).records == KNOWN


def test_a_failure_forgets_the_success_before() -> None:
    lost = verified(KNOWN, name="mary jones").records
    assert call(TOOLS, lost, "tell_balance", {}).refused == "not_verified"


@pytest.mark.parametrize(("tool", "arguments"), [
    ("tell_balance", {}), ("change_zip_code", {"new_zip_code": "11111"}), ("block_card", {"card": "debit card"})])
@pytest.mark.parametrize("records", [RECORDS, verified(name="mary jones").records], ids=["at first", "after a failure"])
def test_who_is_not_known_gets_nothing(tool: str, arguments: dict[str, str], records: Records) -> None:
    outcome = call(TOOLS, records, tool, arguments)
    assert (outcome.refused, outcome.facts, outcome.records) == ("not_verified", {}, records)


def test_a_balance_is_that_of_the_caller() -> None:
    assert call(TOOLS, KNOWN, "tell_balance", {}).facts == {"balance": "forty dollars"}


def test_a_zip_code_is_changed_to_another_one() -> None:
    moved = call(TOOLS, KNOWN, "change_zip_code", {"new_zip_code": "11111"})
    assert moved.records == changed(KNOWN, "accounts", LAST, zip="one one one one one")
    assert call(TOOLS, KNOWN, "change_zip_code", {"new_zip_code": ZIP}).refused == "no_change"


@pytest.mark.parametrize(("card", "field"), [("debit card", "debit"), ("credit card", "credit")])
def test_one_card_is_blocked_and_only_once(card: str, field: str) -> None:
    blocked = call(TOOLS, KNOWN, "block_card", {"card": card})
    assert blocked.records == changed(KNOWN, "accounts", LAST, **{field: "is blocked"})
    assert call(TOOLS, blocked.records, "block_card", {"card": card}).refused == "already"
