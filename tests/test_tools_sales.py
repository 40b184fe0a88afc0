"""The sales call tells prices, orders for those who may, and takes no for an answer; companies are left to a person."""

import pytest

from duplex.stages.language.domain import FOLDER
from duplex.stages.language.tools import Outcome, Records, call, changed, tools_of

TOOLS = tools_of(FOLDER / "sales.yaml")
RECORDS: Records = {"plans": {"small": {"price": "nine dollars"}, "family": {"price": "thirty dollars"}},
                    "customer": {"called": {"kind": "private", "bill": "paid"}}}
ORDERED = changed(RECORDS, "customer", "called", plan="family")


def use(tool: str, records: Records = RECORDS, **arguments: str) -> Outcome:
    return call(TOOLS, records, tool, arguments)


def test_a_domain_has_these_tools() -> None:
    assert list(TOOLS) == ["find_plan", "list_plans", "order_plan", "call_back", "decline", "never_call"]


def test_a_price_is_told_and_nothing_changes() -> None:
    assert use("find_plan", plan="family") == Outcome(RECORDS, {"price": "thirty dollars"})
    assert use("list_plans") == Outcome(RECORDS, {"plans": "a small plan and a family plan"})


@pytest.mark.parametrize("tool", ["find_plan", "order_plan"])
def test_a_plan_that_is_not_there_is_refused(tool: str) -> None:
    outcome = use(tool, plan="travel")
    assert outcome.refused == "unknown" and outcome.records == RECORDS


def test_a_plan_is_ordered_for_who_was_called() -> None:
    assert use("order_plan", plan="family").records == ORDERED


def test_nobody_with_an_open_bill_gets_a_plan() -> None:
    owing = changed(RECORDS, "customer", "called", bill="open")
    outcome = use("order_plan", owing, plan="small")
    assert outcome.refused == "open_bill" and outcome.records == owing


def test_a_company_goes_to_a_person() -> None:
    company = changed(RECORDS, "customer", "called", kind="company")
    outcome = use("order_plan", company, plan="small")
    assert (outcome.handoff, outcome.refused, outcome.records) == ("company", "", company)


def test_a_call_back_has_its_day_and_time() -> None:
    assert use("call_back", day="monday", time="in the morning").records == changed(
        RECORDS, "customer", "called", call_back="monday in the morning")


def test_nobody_is_called_in_the_evening() -> None:
    outcome = use("call_back", day="monday", time="in the evening")
    assert outcome.refused == "evening" and outcome.records == RECORDS


def test_a_no_is_recorded() -> None:
    assert use("decline").records == changed(RECORDS, "customer", "called", answer="not interested")


def test_a_no_after_an_order_takes_nothing_back() -> None:
    assert use("decline", ORDERED).records == ORDERED


def test_who_wants_no_calls_gets_none() -> None:
    assert use("never_call").records == changed(RECORDS, "customer", "called", calls="never")
