"""What the desk of a dentist may do: book, confirm, move and cancel an appointment. One that is today goes to a person.

The table `times` holds what is free, "monday at nine in the morning" -> status; nothing else can be booked. The table
`call` remembers who is calling.
"""

from duplex.stages.language.tools import Outcome, Records, Row, changed, done, for_a_person, refused, row

FREE = "is free"


def identify(records: Records, name: str) -> Outcome:
    """Notes who is calling, patient or not."""
    return done(changed(records, "call", "caller", name=name), name=name)


def book(records: Records, day: str, time: str) -> Outcome:
    """Gives the caller a time that is free; one appointment each."""
    if not caller(records):
        return refused(records, "unknown_caller")
    if (held := appointment(records)) is not None:
        return refused(records, "two", day=held["day"], time=held["time"])
    if taken := not_free(records, day, time):
        return taken
    return done(held_at(records, day, time), day=day, time=time)


def reschedule(records: Records, day: str, time: str) -> Outcome:
    """Moves the caller's appointment to a time that is free; its own becomes free."""
    if (held := appointment(records)) is None:
        return refused(records, why_none(records))
    if taken := not_free(records, day, time):
        return taken
    return done(held_at(freed(records, held), day, time), day=day, time=time)


def confirm(records: Records) -> Outcome:
    """Notes that the caller will come."""
    if (held := appointment(records)) is None:
        return refused(records, why_none(records))
    confirmed = changed(records, "appointments", caller(records), status="is confirmed")
    return done(confirmed, day=held["day"], time=held["time"])


def cancel(records: Records) -> Outcome:
    """Cancels the caller's appointment, unless it is today; its time becomes free."""
    if (held := appointment(records)) is None:
        return refused(records, why_none(records))
    if held["day"] == (row(records, "desk", "today") or {}).get("day"):
        return for_a_person(records, "cancelled on the day")
    cancelled = changed(freed(records, held), "appointments", caller(records), status="is cancelled")
    return done(cancelled, day=held["day"], time=held["time"])


def caller(records: Records) -> str:
    """The name of who calls, or ""."""
    return (row(records, "call", "caller") or {}).get("name", "")


def appointment(records: Records) -> Row | None:
    """The caller's, unless it was cancelled."""
    held = row(records, "appointments", caller(records))
    return None if held is None or held["status"] == "is cancelled" else held


def why_none(records: Records) -> str:
    """Why there is no appointment to find."""
    return "none" if caller(records) else "unknown_caller"


def not_free(records: Records, day: str, time: str) -> Outcome | None:
    """Why a time can not be had, with another one: of the same day where there is one."""
    free = [slot for slot, fields in records.get("times", {}).items() if fields["status"] == FREE]
    if f"{day} at {time}" in free:
        return None
    if not free:
        return refused(records, "full")
    return refused(records, "taken", offer=next((slot for slot in free if slot.startswith(f"{day} at ")), free[0]))


def held_at(records: Records, day: str, time: str) -> Records:
    """With this time as the caller's."""
    taken = changed(records, "times", f"{day} at {time}", status="is taken")
    return changed(taken, "appointments", caller(records), day=day, time=time, status="is booked")


def freed(records: Records, held: Row) -> Records:
    return changed(records, "times", f"{held['day']} at {held['time']}", status=FREE)
