"""What the help desk may do: know an employee by the number, open and reset accounts, write tickets.

Who gives two wrong numbers, and whoever asks for the payroll or a suspended account, goes to a person. The table `call`
remembers who is calling.
"""

from duplex.stages.language.tools import Outcome, Records, changed, done, for_a_person, refused, row, without


def identify(records: Records, employee: str) -> Outcome:
    """Takes the caller for the employee with this number; a second wrong number ends it."""
    found = row(records, "employees", employee)
    if found is not None:
        return done(changed(without(records, "call", "caller"), "call", "caller", employee=employee), name=found["name"])
    if (row(records, "call", "caller") or {}).get("failed"):
        return for_a_person(changed(records, "call", "caller", failed="two"), "not verified")
    return refused(changed(records, "call", "caller", failed="one"), "unknown")


def reset_password(records: Records, system: str) -> Outcome:
    """Resets the caller's password for "email", "calendar" or "payroll"; a locked account must be unlocked first."""
    if barred := no_access(records, system):
        return barred
    if status(records, system) == "is locked":
        return refused(records, "locked")
    return done(changed(records, "employees", caller(records), **{system: "is reset"}))


def unlock_account(records: Records, system: str) -> Outcome:
    """Unlocks the caller's account of "email", "calendar" or "payroll"."""
    if barred := no_access(records, system):
        return barred
    if status(records, system) != "is locked":
        return refused(records, "not_locked")
    return done(changed(records, "employees", caller(records), **{system: "is open"}))


def report_printer(records: Records, floor: str, tried: str) -> Outcome:
    """Writes a ticket about the printer on a floor ("second floor"); `tried` is what the caller did about it."""
    return no_ticket(records, tried) or done(with_ticket(records, f"printer {floor}", tried), ticket=next_ticket(records))


def report_vpn(records: Records, tried: str) -> Outcome:
    """Writes a ticket about the v p n; `tried` is what the caller did about it."""
    return no_ticket(records, tried) or done(with_ticket(records, "v p n", tried), ticket=next_ticket(records))


def no_access(records: Records, system: str) -> Outcome | None:
    """What keeps the desk from an account."""
    if not caller(records):
        return refused(records, "not_verified")
    if system == "payroll" or status(records, system) == "is suspended":
        return for_a_person(records, f"{system} access")
    return None


def no_ticket(records: Records, tried: str) -> Outcome | None:
    """What keeps the desk from writing a ticket."""
    if not caller(records):
        return refused(records, "not_verified")
    if tried == "not tried":
        return refused(records, "try_first")
    if row(records, "tickets", next_ticket(records)) is not None:
        return for_a_person(records, "second ticket")
    return None


def with_ticket(records: Records, problem: str, tried: str) -> Records:
    return changed(records, "tickets", next_ticket(records), employee=caller(records), problem=problem, tried=tried)


def next_ticket(records: Records) -> str:
    return records["desk"]["now"]["next_ticket"]


def status(records: Records, system: str) -> str:
    """How the caller's account of `system` is; "" without one."""
    return records["employees"][caller(records)].get(system, "")


def caller(records: Records) -> str:
    """The number of the employee who calls, or "" for somebody unknown."""
    return (row(records, "call", "caller") or {}).get("employee", "")
