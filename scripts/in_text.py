"""Plays scenarios in text: the caller reads, the frame-based manager answers; no sound, no timing, milliseconds a call.

    python scripts/in_text.py orders                      every call of a file, and whether it did its job
    python scripts/in_text.py orders --only late --seed 3 --say

For whoever writes a scenario or a domain: what fails here fails for want of a phrase, a key or a tool, and not because
it was misheard or came too late. Interruptions are said after the turn that they would break into.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from duplex.frame import Event, Word
from duplex.stages.language.domain import domain
from duplex.stages.language.manager import Manager
from duplex.stages.language.role import MAX_TOKENS, estimated_tokens
from duplex.stages.speaking.tts import plain_words
from eval.callers.caller import in_words
from eval.callers.scenario import CLAIM_FLOOR, Line, Response, Scenario, drawn, suite
from eval.tasks.call import Call, Turn
from eval.tasks.desk import desk
from eval.tasks.handoff import handoff
from eval.tasks.losses import unmet
from eval.tasks.success import verdict
from eval.timeline import Timeline

MOST_ANSWERS: Final = 12
TURN_SECONDS: Final = 10.0  # as if every turn took that long


@dataclass(frozen=True)
class Read:
    """A call as it was read.

    Attributes:
        turns: (who, what), "caller" or "agent".
        call: as metrics see it.
        unmet: lines whose expected phrases were not in the answer.
    """

    turns: tuple[tuple[str, str], ...]
    call: Call
    unmet: tuple[str, ...]

    @property
    def events(self) -> tuple[Event, ...]:
        return self.call.timeline.events


def read(scenario: Scenario) -> Read:
    """Plays a drawn scenario."""
    manager = Manager()
    manager.reset(scenario.prompt, 0)
    turns: list[tuple[str, str]] = []
    acts: list[Turn] = []
    events: list[Event] = []
    failed: list[str] = []
    uses = {response: 0 for response in scenario.responses}

    def say(text: str, by: Line | Response) -> str:
        heard, now = plain(in_words(text)), TURN_SECONDS * len(turns)
        reply = manager.reply(heard)
        manager.commit(reply)
        acts.append(Turn(by.act, now, now + TURN_SECONDS / 2.0, heard, by.branch, by.trigger))
        events.extend(replace(event, start=now + TURN_SECONDS, end=now + TURN_SECONDS) for event in reply.events)
        events.append(Event("answer", now + TURN_SECONDS, now + TURN_SECONDS, {"heard": heard}))
        turns.extend((("caller", heard), ("agent", plain(" ".join(reply.sentences)))))
        return turns[-1][1]

    answer = ""
    for line in scenario.lines:
        if line.act in CLAIM_FLOOR:
            answer = say(line.say, line)
        if line.expects and not any(plain(phrase) in answer for phrase in line.expects):
            failed.append(line.say)
    for _ in range(MOST_ANSWERS):
        due = next((one for one in scenario.responses if is_due(one, uses, answer)), None)
        if due is None:
            break
        uses[due] += 1
        answer = say(due.say[(uses[due] - 1) % len(due.say)], due)
    words = {who: tuple(Word(word, TURN_SECONDS * number, TURN_SECONDS * number) for number, (by, text) in enumerate(turns)
                        if by == who for word in text.split()) for who in ("caller", "agent")}
    heard = Timeline(TURN_SECONDS * (len(turns) + 1), words=words["agent"], events=tuple(events))
    facts = {"prompt": asdict(scenario.prompt), "tally": {"agent": {"tools": bool(domain(scenario.domain).tools)}}}
    return Read(tuple(turns), Call(heard, tuple(acts), words["caller"], scenario.task, facts), tuple(failed))


def is_due(response: Response, uses: dict[Response, int], answer: str) -> bool:
    return uses[response] < response.times and any(plain(phrase) in answer for phrase in response.to)


def plain(text: str) -> str:
    return " ".join(plain_words(text))


def complaints(scenario: Scenario, found: Read) -> list[str]:
    """What the call did not achieve, by the rules of `eval.tasks`, and what the person who takes over would have to ask."""
    wrong = [f"nothing answered {line!r} as it expects" for line in found.unmet]
    if not verdict(found.call).success:
        wrong.append(unmet(found.call))
    if (done := handoff(found.call)) is not None:
        again = desk(done.packet, scenario.task.needs).asked_again
        wrong += [f"the person who takes over must ask for {name}" for name in sorted(again)]
    if (tokens := estimated_tokens(scenario.prompt.text)) > MAX_TOKENS:
        wrong.append(f"role, facts and records take about {tokens} tokens, and PersonaPlex reads {MAX_TOKENS}")
    return wrong


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
            print("".join(f"    {deed.kind}: {dict(deed.detail)}\n" for deed in found.call.deeds), end="")
        print("".join(f"    {one}\n" for one in wrong), end="")
    print(f"{len(calls) - failed} of {len(calls)} calls did their job")
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
