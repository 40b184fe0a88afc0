"""The dispute desk finds a charge by all of it, opens one case about it, and leaves large and old ones to a person."""

import pytest

from duplex.stages.language.domain import FOLDER
from duplex.stages.language.tools import Outcome, Records, call, changed, tools_of

TOOLS = tools_of(FOLDER / "disputes.yaml")
FORTY = {"amount": "forty dollars", "merchant": "corner market", "day": "may second"}
FOURTEEN = {"amount": "fourteen dollars", "merchant": "corner market", "day": "june third"}
NUMBER = "one two three four five"
RECORDS: Records = {"charges": {"first": FOURTEEN, "second": FORTY}, "cards": {"caller": {"status": "is in use"}},
                    "desk": {"today": {"date": "june twentieth", "limit": "five hundred dollars", "next_case": NUMBER}}}


def find(records: Records = RECORDS, **changes: str) -> Outcome:
    return call(TOOLS, records, "find_charge", {**FORTY, **changes})


def opened(having: str, reason: str = "never made", records: Records | None = None) -> Outcome:
    return call(TOOLS, records or find().records, "open_case", {"having": having, "reason": reason})


def test_a_domain_has_these_tools() -> None:
    assert list(TOOLS) == ["find_charge", "open_case", "find_case"]


def test_a_charge_is_found_by_amount_merchant_and_day() -> None:
    assert find().records == changed(RECORDS, "call", "now", charge="second")


@pytest.mark.parametrize("changes", [{"amount": "fourteen dollars"}, {"merchant": "river books"}, {"day": "june third"}])
def test_a_charge_with_one_thing_wrong_is_not_found(changes: dict[str, str]) -> None:
    outcome = find(**changes)
    assert outcome.refused == "unknown" and outcome.records == RECORDS


def test_a_case_is_opened_with_the_next_number() -> None:
    outcome = opened("have it", "wrong amount")
    assert outcome.records["cases"] == {NUMBER: {"charge": "second", "reason": "wrong amount", "status": "is open"}}
    assert outcome.facts["case"] == NUMBER and outcome.facts["amount"] == "forty dollars"
    assert outcome.records["cards"] == RECORDS["cards"]


@pytest.mark.parametrize("having", ["lost it", "stolen"])
def test_a_card_that_is_gone_is_blocked(having: str) -> None:
    assert opened(having).records["cards"] == {"caller": {"status": "is blocked"}}


def test_no_case_without_a_charge_or_with_another_reason() -> None:
    assert opened("have it", records=RECORDS).refused == "no_charge"
    assert opened("have it", "do not like it").refused == "no_reason"


def test_a_charge_is_disputed_once() -> None:
    outcome = find(opened("have it").records)
    assert (outcome.refused, outcome.facts) == ("disputed", {"case": NUMBER})


def test_a_second_case_goes_to_a_person() -> None:
    again = call(TOOLS, opened("have it").records, "find_charge", FOURTEEN).records
    assert opened("have it", records=again).handoff == "second case"


@pytest.mark.parametrize(("limit", "reason"), [
    ("thirty nine dollars", "over the limit"), ("forty dollars", ""), ("one hundred twenty dollars", "")])
def test_a_charge_over_the_limit_goes_to_a_person(limit: str, reason: str) -> None:
    outcome = find(changed(RECORDS, "desk", "today", limit=limit))
    assert outcome.handoff == reason and ("call" in outcome.records) == (not reason)


@pytest.mark.parametrize(("today", "reason"), [  # may has 31 days
    ("may second", ""), ("july first", ""), ("july second", "too old"), ("march first", "too old")])
def test_a_charge_of_more_than_sixty_days_goes_to_a_person(today: str, reason: str) -> None:
    assert find(changed(RECORDS, "desk", "today", date=today)).handoff == reason


def test_a_case_is_looked_up() -> None:
    records = opened("have it").records
    assert call(TOOLS, records, "find_case", {"case": "12345"}).facts["status"] == "is open"
    assert call(TOOLS, records, "find_case", {"case": "54321"}).refused == "unknown"
