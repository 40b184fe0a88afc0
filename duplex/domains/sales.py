"""What the sales call may do: tell a price, order a plan, agree on a call back, and take no for an answer.

Who owes money gets no new plan, and companies are sold to by a person. The answer of whoever was called is kept in the
table `customer`.
"""

from duplex.stages.language.tools import Outcome, Records, changed, done, for_a_person, refused, row


def find_plan(records: Records, plan: str) -> Outcome:
    """Tells what a plan costs; `plan` is its name, as "family"."""
    found = row(records, "plans", plan)
    return refused(records, "unknown") if found is None else done(records, **found)


def list_plans(records: Records) -> Outcome:
    """Tells the names of all plans."""
    return done(records, plans=" and ".join(f"a {plan} plan" for plan in records.get("plans", {})))


def order_plan(records: Records, plan: str) -> Outcome:
    """Orders a plan for whoever was called; nobody with an open bill gets one, and a company is sold to by a person."""
    if row(records, "plans", plan) is None:
        return refused(records, "unknown")
    customer = records["customer"]["called"]
    if customer["kind"] == "company":
        return for_a_person(records, "company")
    if customer["bill"] != "paid":
        return refused(records, "open_bill")
    return done(changed(records, "customer", "called", plan=plan))


def call_back(records: Records, day: str, time: str) -> Outcome:
    """Agrees to call again, on "monday" and "in the morning" or "in the afternoon"; nobody is called in the evening."""
    if time == "in the evening":
        return refused(records, "evening")
    return done(changed(records, "customer", "called", call_back=f"{day} {time}"))


def decline(records: Records) -> Outcome:
    """Records a no to all offers. It changes nothing for who has ordered a plan: that was a no to something else."""
    if "plan" in records["customer"]["called"]:
        return done(records)
    return done(changed(records, "customer", "called", answer="not interested"))


def never_call(records: Records) -> Outcome:
    """Records that somebody must never be called again."""
    return done(changed(records, "customer", "called", calls="never"))
