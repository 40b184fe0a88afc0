"""What the order desk may do: find an order, cancel it, change where it goes. Who has waited too long goes to a person."""

from duplex.stages.language.tools import Outcome, Records, changed, done, for_a_person, refused, row


def find_order(records: Records, order: str) -> Outcome:
    """Looks an order up by its number."""
    found = row(records, "orders", order)
    if found is None:
        return refused(records, "unknown")
    if found["status"] == "is lost":
        return for_a_person(records, "lost order")
    return done(records, **found)


def cancel_order(records: Records, order: str) -> Outcome:
    """Cancels an order that has not been shipped."""
    found = row(records, "orders", order)
    if found is None:
        return refused(records, "unknown")
    if found["status"] != "is being packed":
        return refused(records, "too_late", **found)
    return done(changed(records, "orders", order, status="is cancelled"))


def change_delivery_day(records: Records, order: str, day: str) -> Outcome:
    """Delivers an order on another day; one that is on its way can not be moved."""
    found = row(records, "orders", order)
    if found is None:
        return refused(records, "unknown")
    if found["status"] == "is out for delivery":
        return refused(records, "too_late", **found)
    return done(changed(records, "orders", order, day=day))
