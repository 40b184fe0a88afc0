"""What the telephone desk of a bank may do: know a caller, and then tell a balance, change a zip code, block a card.

Who is not known is told nothing; who fails twice goes to a person. The table `call` remembers who is calling, and how
often that failed.
"""

from duplex.stages.language.tools import Outcome, Records, changed, done, for_a_person, refused, row


def verify(records: Records, name: str, zip_code: str, last_four: str) -> Outcome:
    """Takes the caller for the holder of the account that ends in `last_four`, if all three are right.

    A second failure ends it; a success forgets the failure before.
    """
    account = row(records, "accounts", last_four)
    if account is not None and (account["name"], account["zip"]) == (name, zip_code):
        return done({**records, "call": {"caller": {"account": last_four}}}, name=name)
    if "failed" in (row(records, "call", "caller") or {}):
        return for_a_person(changed(records, "call", "caller", failed="two"), "not verified")
    return refused({**records, "call": {"caller": {"failed": "one"}}}, "unknown")


def tell_balance(records: Records) -> Outcome:
    """Looks the balance of the caller's account up."""
    account = row(records, "accounts", caller(records))
    return refused(records, "not_verified") if account is None else done(records, balance=account["balance"])


def change_zip_code(records: Records, new_zip_code: str) -> Outcome:
    """Changes where the caller lives, by its zip code."""
    account = row(records, "accounts", caller(records))
    if account is None:
        return refused(records, "not_verified")
    if account["zip"] == new_zip_code:
        return refused(records, "no_change")
    return done(changed(records, "accounts", caller(records), zip=new_zip_code))


def block_card(records: Records, card: str) -> Outcome:
    """Blocks the caller's "debit card" or "credit card"."""
    account = row(records, "accounts", caller(records))
    if account is None:
        return refused(records, "not_verified")
    kind = card.removesuffix(" card")
    if account[kind] == "is blocked":
        return refused(records, "already")
    return done(changed(records, "accounts", caller(records), **{kind: "is blocked"}))


def caller(records: Records) -> str:
    """The last four digits of the account of who calls, or "" for somebody unknown."""
    return (row(records, "call", "caller") or {}).get("account", "")
