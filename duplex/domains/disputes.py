"""What the dispute desk of a bank may do: find a charge, open a case about it. Large and old charges go to a person.

A case may only be opened about a charge that was found in the same call, which the table `call` remembers.
"""

from datetime import date
from typing import Final

from duplex.stages.language.tools import Outcome, Records, changed, done, for_a_person, refused, row

MOST_DAYS: Final = 60  # older charges are decided by a person
REASONS: Final = ("never made", "wrong amount", "never arrived")
SMALL: Final = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
                "seventeen eighteen nineteen").split()
TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety".split()
MONTHS: Final = ("january february march april may june july august september october november december").split()
ORDINALS: Final = ("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
                   "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth").split()


def find_charge(records: Records, amount: str, merchant: str, day: str) -> Outcome:
    """Finds a charge by all three, in the words of the records: "forty dollars", "corner market", "may second"."""
    wanted = {"amount": amount, "merchant": merchant, "day": day}
    key = next((key for key, charge in records.get("charges", {}).items() if charge == wanted), None)
    if key is None:
        return refused(records, "unknown")
    disputed = next((number for number, case in records.get("cases", {}).items() if case["charge"] == key), None)
    if disputed is not None:
        return refused(records, "disputed", case=disputed)
    today = records["desk"]["today"]
    if dollars(amount) > dollars(today["limit"]):
        return for_a_person(records, "over the limit")
    if days_between(day, today["date"]) > MOST_DAYS:
        return for_a_person(records, "too old")
    return done(changed(records, "call", "now", charge=key))


def open_case(records: Records, having: str, reason: str) -> Outcome:
    """Opens a case about the charge that was found, and blocks the card unless the caller has it.

    `having` is "have it", "lost it" or "stolen"; `reason` is "never made", "wrong amount" or "never arrived".
    """
    found, number = row(records, "call", "now"), records["desk"]["today"]["next_case"]
    if found is None:
        return refused(records, "no_charge")
    if reason not in REASONS:
        return refused(records, "no_reason")
    if row(records, "cases", number) is not None:
        return for_a_person(records, "second case")
    key = found["charge"]
    opened = changed(records, "cases", number, charge=key, reason=reason, status="is open")
    facts = {**records["charges"][key], "case": number}
    if having == "have it":
        return done(opened, **facts, advice="You can go on using your card.")
    return done(changed(opened, "cards", "caller", status="is blocked"), **facts, advice="Your card is blocked now.")


def find_case(records: Records, case: str) -> Outcome:
    """Looks a case up by its number."""
    found = row(records, "cases", case)
    return refused(records, "unknown") if found is None else done(records, **found)


def dollars(amount: str) -> int:
    """An amount below a thousand: "one hundred twenty dollars" is 120."""
    total = 0
    for word in amount.split():
        total += SMALL.index(word) if word in SMALL else 10 * (TENS.index(word) + 2) if word in TENS else 0
        total *= 100 if word == "hundred" else 1
    return total


def days_between(day: str, today: str) -> int:
    """How many days ago `day` was last, both as "may second"; at most a year."""
    return (calendar_day(today) - calendar_day(day)).days % 365


def calendar_day(day: str) -> date:
    month, ordinal = day.split()
    return date(2001, MONTHS.index(month) + 1, ORDINALS.index(ordinal) + 1)  # a year without a leap day
