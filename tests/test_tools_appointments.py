"""The desk of a dentist books what is free, offers another time for what is not, and cancels nothing that is today."""

import pytest

from duplex.stages.language.domain import FOLDER
from duplex.stages.language.tools import Outcome, Records, call, changed, tools_of

TOOLS = tools_of(FOLDER / "appointments.yaml")
NINE, ONE = "nine in the morning", "one in the afternoon"
FRIDAY, MONDAY = f"friday at {ONE}", f"monday at {NINE}"
RECORDS: Records = {
    "appointments": {"mary jones": {"day": "tuesday", "time": ONE, "status": "is booked"}},
    "times": {FRIDAY: {"status": "is free"}, MONDAY: {"status": "is free"}},
    "desk": {"today": {"day": "monday"}}}


def by(name: str, records: Records = RECORDS) -> Records:
    return call(TOOLS, records, "identify", {"name": name}).records


def use(tool: str, records: Records, day: str = "", time: str = "") -> Outcome:
    return call(TOOLS, records, tool, {"day": day, "time": time} if day else {})


JOHN, MARY = by("john smith"), by("mary jones")


def test_a_domain_has_these_tools() -> None:
    assert list(TOOLS) == ["identify", "book", "reschedule", "confirm", "cancel"]


def test_a_caller_is_noted_by_name() -> None:
    assert JOHN == changed(RECORDS, "call", "caller", name="john smith")


def test_a_free_time_is_booked_and_taken() -> None:
    outcome = use("book", JOHN, "monday", NINE)
    assert outcome.records["appointments"]["john smith"] == {"day": "monday", "time": NINE, "status": "is booked"}
    assert outcome.records["times"] == {FRIDAY: {"status": "is free"}, MONDAY: {"status": "is taken"}}
    again = use("book", by("linda davis", outcome.records), "monday", NINE)
    assert (again.refused, again.facts) == ("taken", {"offer": FRIDAY})


@pytest.mark.parametrize(("day", "time", "offer"), [
    ("monday", ONE, MONDAY), ("friday", NINE, FRIDAY), ("tuesday", ONE, FRIDAY)])
def test_a_time_that_is_not_free_is_refused_and_another_one_offered(day: str, time: str, offer: str) -> None:
    for tool, records in (("book", JOHN), ("reschedule", MARY)):
        outcome = use(tool, records, day, time)
        assert (outcome.refused, outcome.facts, outcome.records) == ("taken", {"offer": offer}, records)


def test_a_full_book_offers_nothing() -> None:
    outcome = use("book", {**JOHN, "times": {FRIDAY: {"status": "is taken"}}}, "monday", NINE)
    assert (outcome.refused, outcome.facts) == ("full", {})


def test_a_caller_has_one_appointment() -> None:
    outcome = use("book", MARY, "monday", NINE)
    assert (outcome.refused, outcome.facts) == ("two", {"day": "tuesday", "time": ONE}) and outcome.records == MARY


def test_an_appointment_is_moved_and_its_time_becomes_free() -> None:
    outcome = use("reschedule", MARY, "friday", ONE)
    assert outcome.records["appointments"] == {"mary jones": {"day": "friday", "time": ONE, "status": "is booked"}}
    assert outcome.records["times"] == {
        FRIDAY: {"status": "is taken"}, MONDAY: {"status": "is free"}, f"tuesday at {ONE}": {"status": "is free"}}


def test_an_appointment_is_confirmed() -> None:
    assert use("confirm", MARY).records == changed(MARY, "appointments", "mary jones", status="is confirmed")


def test_a_cancelled_appointment_is_none_and_its_time_is_free() -> None:
    records = use("cancel", MARY).records
    assert records["appointments"]["mary jones"]["status"] == "is cancelled"
    assert records["times"][f"tuesday at {ONE}"] == {"status": "is free"}
    assert use("confirm", records).refused == "none" and not use("book", records, "monday", NINE).refused


def test_an_appointment_that_is_today_is_cancelled_by_a_person() -> None:
    today = changed(MARY, "desk", "today", day="tuesday")
    assert use("cancel", today).handoff == "cancelled on the day" and use("cancel", today).records == today
    assert not use("cancel", MARY).handoff


@pytest.mark.parametrize("tool", ["reschedule", "confirm", "cancel"])
def test_who_has_no_appointment_and_who_gave_no_name_is_refused(tool: str) -> None:
    arguments = ("monday", NINE) if tool == "reschedule" else ()
    assert use(tool, JOHN, *arguments).refused == "none" and use(tool, RECORDS, *arguments).refused == "unknown_caller"
    assert use("book", RECORDS, "monday", NINE).refused == "unknown_caller"
