"""Plays scenarios in text: the caller reads, the frame-based manager answers; no sound, no timing, milliseconds a call.

    python scripts/in_text.py orders                      every call of a file, and whether it did its job
    python scripts/in_text.py orders --only late --seed 3 --say

For whoever writes a scenario or a domain: what fails here fails for want of a phrase, a key or a tool, and not because
it was misheard or came too late. Interruptions are said after the turn that they would break into.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from duplex.frame import Event
from duplex.stages.manager import Manager, State
from duplex.stages.tools import Records
from duplex.stages.tts import plain_words
from eval.callers.caller import MARK, PAUSE
from eval.callers.scenario import CLAIM_FLOOR, Response, Scenario, drawn, suite
from eval.callers.task import Fact

MOST_ANSWERS = 12


@dataclass(frozen=True)
class Read:
    """A call as it was read.

    Attributes:
        turns: (who, what), "caller" or "agent".
        events: of the agent.
        records: in the end.
        unmet: lines whose expected phrases were not in the answer.
    """

    turns: tuple[tuple[str, str], ...]
    events: tuple[Event, ...]
    records: Records
    unmet: tuple[str, ...]

    @property
    def answers(self) -> list[str]:
        return [said for who, said in self.turns if who == "agent"]

    def says(self, fact: Fact) -> bool:
        return any(f" {plain(wording)} " in f" {answer} " for wording in fact for answer in self.answers)


def read(call: Scenario) -> Read:
    """Plays a drawn scenario."""
    manager = Manager()
    manager.reset(call.prompt, 0)
    turns: list[tuple[str, str]] = []
    events: list[Event] = []
    unmet: list[str] = []
    uses = {response: 0 for response in call.responses}

    def say(text: str) -> str:
        heard = plain(PAUSE.sub(" ", text.replace(MARK, " ")))
        reply = manager.reply(heard)
        manager.commit(reply)
        events.extend(reply.events)
        answer = plain(" ".join(reply.sentences))
        turns.extend((("caller", heard), ("agent", answer)))
        return answer

    answer = ""
    for line in call.lines:
        if line.act in CLAIM_FLOOR:
            answer = say(line.say)
        if line.expects and not any(plain(phrase) in answer for phrase in line.expects):
            unmet.append(line.say)
    for _ in range(MOST_ANSWERS):
        due = next((one for one in call.responses if is_due(one, uses, answer)), None)
        if due is None:
            break
        uses[due] += 1
        answer = say(due.say[(uses[due] - 1) % len(due.say)])
    assert isinstance(manager.state, State)
    return Read(tuple(turns), tuple(events), manager.state.records, tuple(unmet))


def is_due(response: Response, uses: dict[Response, int], answer: str) -> bool:
    return uses[response] < response.times and any(plain(phrase) in answer for phrase in response.to)


def plain(text: str) -> str:
    return " ".join(plain_words(text))


def complaints(call: Scenario, found: Read) -> list[str]:
    """What the call did not achieve."""
    task, handed_off = call.task, any(event.kind == "handoff" for event in found.events)
    wrong = [f"nothing answered {line!r} as it expects" for line in found.unmet]
    wrong += [f"did not say {' or '.join(fact)!r}" for fact in task.said if not found.says(fact)]
    wrong += [f"said {' or '.join(fact)!r}" for fact in (*task.not_said, *task.invented, *task.obeyed) if found.says(fact)]
    if task.handoff and handed_off != (task.handoff == "should"):
        wrong.append("handed off" if handed_off else "did not hand off")
    if task.state is not None and (wanted := patched(call.records, task.state)) != found.records:
        wrong.append(f"the records are {found.records}, not {wanted}")
    if task.needs and handed_off:
        packet = next(event.detail for event in found.events if event.kind == "handoff")
        known = [str(packet["who"]), *map(str, packet["verified"] if isinstance(packet["verified"], list) else [])]
        wrong += [f"the packet lacks {name} {value!r}" for name, value in task.needs.items()
                  if not any(value in one for one in known)]
    return wrong


def patched(records: Records, patch: Records) -> Records:
    """`records` with the fields of `patch` set."""
    tables = {*records, *patch}
    return {table: {key: {**records.get(table, {}).get(key, {}), **patch.get(table, {}).get(key, {})}
                    for key in {**records.get(table, {}), **patch.get(table, {})}} for table in tables}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", help="names in eval/scenarios, or paths")
    parser.add_argument("--only", default="", help="part of a scenario's name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--say", action="store_true", help="print what is said")
    options = parser.parse_args(arguments)
    calls = [drawn(one, options.seed) for one in suite(options.files) if options.only in one.name]
    failed = 0
    for call in calls:
        found = read(call)
        wrong = complaints(call, found)
        failed += bool(wrong)
        print(f"{'FAILED' if wrong else 'done  '} {call.name}")
        if options.say or wrong:
            print("\n".join(f"    {who:>6}: {said}" for who, said in found.turns))
            print("\n".join(f"    {event.kind}: {dict(event.detail)}" for event in found.events))
        print("".join(f"    {one}\n" for one in wrong), end="")
    print(f"{len(calls) - failed} of {len(calls)} calls did their job")
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
