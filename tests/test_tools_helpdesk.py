"""The help desk does nothing for strangers, writes tickets for those who tried, and leaves payroll to a person."""

import pytest

from duplex.stages.language.domain import FOLDER
from duplex.stages.language.tools import Outcome, Records, call, changed, tools_of

TOOLS = tools_of(FOLDER / "helpdesk.yaml")
JOHN, MARY, TICKET = "one two three four", "four three two one", "one two three four five"
RECORDS: Records = {"employees": {JOHN: {"name": "john smith", "email": "is locked", "calendar": "is open", "payroll": "is open"},
                                  MARY: {"name": "mary jones", "email": "is suspended", "calendar": "is open"}},
                    "desk": {"now": {"next_ticket": TICKET}}}
VERIFIED = changed(RECORDS, "call", "caller", employee=JOHN)


def use(tool: str, records: Records = VERIFIED, **arguments: str) -> Outcome:
    return call(TOOLS, records, tool, arguments)


def test_a_domain_has_these_tools() -> None:
    assert list(TOOLS) == ["identify", "reset_password", "unlock_account", "report_printer", "report_vpn"]


def test_a_caller_is_known_by_the_number() -> None:
    outcome = use("identify", RECORDS, employee="1234")
    assert outcome.records == VERIFIED and outcome.facts == {"name": "john smith"}


def test_a_second_wrong_number_goes_to_a_person() -> None:
    once = use("identify", RECORDS, employee="9999")
    twice = use("identify", once.records, employee="8888")
    assert (once.refused, once.handoff, once.records["call"]) == ("unknown", "", {"caller": {"failed": "one"}})
    assert (twice.refused, twice.handoff, twice.records["call"]) == ("", "not verified", {"caller": {"failed": "two"}})


def test_a_right_number_takes_back_a_wrong_one() -> None:
    once = use("identify", RECORDS, employee="9999")
    assert use("identify", once.records, employee="1234").records["call"] == {"caller": {"employee": JOHN}}


@pytest.mark.parametrize(("tool", "arguments"), [
    ("reset_password", {"system": "email"}), ("unlock_account", {"system": "email"}),
    ("report_printer", {"floor": "first floor", "tried": "restarted it"}), ("report_vpn", {"tried": "restarted it"})])
def test_nothing_is_done_for_strangers(tool: str, arguments: dict[str, str]) -> None:
    outcome = use(tool, RECORDS, **arguments)
    assert outcome.refused == "not_verified" and outcome.records == RECORDS


def test_a_password_is_reset_for_the_caller_alone() -> None:
    assert use("reset_password", system="calendar").records == changed(VERIFIED, "employees", JOHN, calendar="is reset")


def test_a_locked_account_is_unlocked_before_its_password_is_reset() -> None:
    assert use("reset_password", system="email").refused == "locked"
    unlocked = use("unlock_account", system="email").records
    assert unlocked == changed(VERIFIED, "employees", JOHN, email="is open")
    assert use("reset_password", unlocked, system="email").records["employees"][JOHN]["email"] == "is reset"


def test_an_account_that_is_open_is_not_unlocked() -> None:
    outcome = use("unlock_account", system="calendar")
    assert outcome.refused == "not_locked" and outcome.records == VERIFIED


@pytest.mark.parametrize("tool", ["reset_password", "unlock_account"])
def test_payroll_and_suspended_accounts_go_to_a_person(tool: str) -> None:
    assert use(tool, system="payroll").handoff == "payroll access"
    assert use(tool, changed(RECORDS, "call", "caller", employee=MARY), system="email").handoff == "email access"


def test_a_ticket_says_who_what_and_what_was_tried() -> None:
    outcome = use("report_printer", floor="third floor", tried="unplugged it")
    assert outcome.records["tickets"] == {
        TICKET: {"employee": JOHN, "problem": "printer third floor", "tried": "unplugged it"}}
    assert outcome.facts == {"ticket": TICKET}
    assert use("report_vpn", tried="restarted it").records["tickets"][TICKET]["problem"] == "v p n"


def test_who_has_tried_nothing_gets_no_ticket_yet() -> None:
    outcome = use("report_vpn", tried="not tried")
    assert outcome.refused == "try_first" and outcome.records == VERIFIED


def test_a_second_ticket_goes_to_a_person() -> None:
    first = use("report_vpn", tried="restarted it").records
    assert use("report_printer", first, floor="first floor", tried="restarted it").handoff == "second ticket"
