"""Tools: pure functions beside a domain, called by their names, which change nothing in place."""

from copy import deepcopy
from pathlib import Path

import pytest

from duplex.stages.language.domain import FOLDER, domain
from duplex.stages.language.tools import (
    Records,
    WrongCall,
    call,
    changed,
    in_words,
    tools_of,
    without,
)

ORDERS = tools_of(FOLDER / "orders.yaml")
NUMBER, OTHER = "one two three four five", "five four three two one"
RECORDS: Records = {"orders": {NUMBER: {"status": "is being packed", "day": "friday"},
                               OTHER: {"status": "has been shipped", "day": "monday"}}}


def test_a_tool_changes_a_copy() -> None:
    before = deepcopy(RECORDS)
    outcome = call(ORDERS, RECORDS, "cancel_order", {"order": NUMBER})
    assert RECORDS == before
    assert outcome.records["orders"] == {NUMBER: {"status": "is cancelled", "day": "friday"}, OTHER: before["orders"][OTHER]}
    assert (outcome.refused, outcome.handoff) == ("", "")


def test_a_tool_refuses_and_leaves_all_as_it_was() -> None:
    outcome = call(ORDERS, RECORDS, "cancel_order", {"order": OTHER})
    assert outcome.refused == "too_late" and outcome.records == RECORDS
    assert call(ORDERS, RECORDS, "cancel_order", {"order": "one"}).refused == "unknown"


def test_a_tool_sends_a_call_to_a_person() -> None:
    lost = changed(RECORDS, "orders", NUMBER, status="is lost")
    assert call(ORDERS, lost, "find_order", {"order": NUMBER}).handoff == "lost order"


@pytest.mark.parametrize(("name", "arguments", "complaint"), [
    ("sell_order", {"order": NUMBER}, "there is no tool 'sell_order'; there are find_order, cancel_order, change_delivery_day"),
    ("cancel_order", {}, "cancel_order takes order, not none"),
    ("cancel_order", {"order": NUMBER, "day": "friday"}, "cancel_order takes order, not order, day"),
    ("cancel_order", {"order": 12345}, "cancel_order takes words; order is none"),
])
def test_a_wrong_call_is_told_what_is_right(name: str, arguments: dict[str, str], complaint: str) -> None:
    with pytest.raises(WrongCall, match=complaint):
        call(ORDERS, RECORDS, name, arguments)


def test_numbers_come_as_they_are_written_or_as_they_are_said() -> None:
    assert call(ORDERS, RECORDS, "find_order", {"order": "12345"}).facts == RECORDS["orders"][NUMBER]
    assert in_words(" Order 105-A ") == "order one zero five -a"


def test_a_record_can_be_taken_out() -> None:
    assert without(RECORDS, "orders", NUMBER) == {"orders": {OTHER: RECORDS["orders"][OTHER]}}
    assert without({}, "orders", NUMBER) == {"orders": {}}


def test_a_domain_without_a_module_has_no_tools() -> None:
    assert tools_of(FOLDER / "optician.yaml") == {} == domain("optician").tools


@pytest.mark.parametrize("body", ["def act(order: str) -> Outcome: ...", "def act(records: Records, order: int) -> Outcome: ..."])
def test_a_tool_of_another_shape_is_refused(tmp_path: Path, body: str) -> None:
    (tmp_path / "shop.py").write_text(f"from duplex.stages.language.tools import Outcome, Records\n{body}\n")
    with pytest.raises(ValueError, match="the tool act takes records first, then arguments of type str"):
        tools_of(tmp_path / "shop.yaml")


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__"))
def test_every_tool_is_explained_and_can_be_reached(name: str) -> None:
    about = domain(name)
    assert {one.tool for one in about.intents.values() if one.tool} == set(about.tools)
    assert all(tool.__doc__ for tool in about.tools.values())
