"""What became of the records: the calls of tools that an agent logged, made again.

What they should have become stands in the scenario; who compares is `eval.tasks.success`.
"""

from collections.abc import Mapping

from duplex.frame import Event
from duplex.stages.language.domain import domain
from duplex.stages.language.tools import Outcome, Records, WrongCall, changed
from duplex.stages.language.tools import call as use
from eval.tasks.call import Call


def state_after(call: Call) -> Records:
    """The records after the call: those before it, with every logged call of a tool made once more by the domain's own tools.

    Calls that came with an answer that was retracted before it was heard are left out, as the agent took them back. One that
    the tools cannot understand changes nothing.
    """
    return outcomes(call)[-1].records


def found_out(call: Call) -> tuple[str, ...]:
    """What the tools told the agent."""
    return tuple(value for outcome in outcomes(call) for value in outcome.facts.values())


def state_wanted(call: Call) -> Records:
    """The records as the scenario wants them: those before the call, with its patch and nothing else."""
    records = call.records
    for table, rows in (call.task.state or {}).items():
        for key, fields in rows.items():
            records = changed(records, table, key, **fields)
    return records


def differences(found: Records, wanted: Records) -> tuple[str, ...]:
    """What differs, for people: "orders, one two: status is …, not …"."""
    told = []
    for table in sorted({*found, *wanted}):
        rows, right = found.get(table, {}), wanted.get(table, {})
        for key in sorted({*rows, *right}):
            fields, good = rows.get(key, {}), right.get(key, {})
            told += [f"{table}, {key}: {name} is {fields.get(name, 'nothing')!r}, not {good.get(name, 'nothing')!r}"
                     for name in sorted({*fields, *good}) if fields.get(name) != good.get(name)]
    return tuple(told)


def same(found: Records, wanted: Records) -> bool:
    """Whether the records hold the same, compared whole. A table or a record without anything in it is not there."""
    return filled(found) == filled(wanted)


def filled(records: Records) -> dict[str, dict[str, dict[str, str]]]:
    kept = {table: {key: dict(fields) for key, fields in rows.items() if fields} for table, rows in records.items()}
    return {table: rows for table, rows in kept.items() if rows}


def drift(call: Call) -> str:
    """Why the logged calls do not tell what the agent did, in words: the domain's tools have been changed since. Empty if a
    tool does of each call what it did then, as far as it was refused."""
    for deed, outcome in made_again(call):
        then, now = str(deed.detail.get("refused") or ""), "not understood" if outcome is None else outcome.refused
        if then != now:
            return (f"the tools of {call.domain!r} are not those that this call was held with: {deed.detail.get('tool')} at "
                    f"{deed.start:.2f} s was {f'refused ({then})' if then else 'done'} then, and is "
                    f"{f'refused ({now})' if now else 'done'} now; hold the call again")
    return ""


def outcomes(call: Call) -> list[Outcome]:
    """What came of each logged call, behind what was before any."""
    return [Outcome(call.records), *(outcome for _, outcome in made_again(call) if outcome is not None)]


def made_again(call: Call) -> list[tuple[Event, Outcome | None]]:
    """The logged calls with what comes of them; None of one that the tools cannot understand."""
    deeds = [deed for deed in call.deeds if deed.kind == "tool_call"]
    tools = domain(call.domain).tools if deeds else {}
    records, made = call.records, list[tuple[Event, Outcome | None]]()
    for deed in deeds:
        try:
            outcome = use(tools, records, str(deed.detail.get("tool")), arguments(deed))
        except WrongCall:
            made.append((deed, None))
            continue
        records = outcome.records
        made.append((deed, outcome))
    return made


def arguments(deed: Event) -> Mapping[str, str]:
    return {name: str(value) for name, value in deed.detail.items() if name not in ("tool", "refused")}
