"""A chat model's opinion is heard after it was right about calls of which the answer is known, and changes no score."""

import io
import json
from pathlib import Path

import pytest
from chat_server import Answer, ChatServer, Scripted, Wire, chat_server, says
from rich.console import Console
from service import ORDER, agent, call, caller, held, used

from duplex.manifest import manifest, write_manifest
from duplex.recording import save
from duplex.stages.language.openai_chat import OpenAIChat
from eval.judge import NAME, judge
from eval.tasks.judging import Controls, Item, controls, item, judged, tried

pytest.importorskip("openai")

WHERE = caller("where is my order")
EXPECT = {"said": [["is being packed", "in packing"], "monday"], "not_said": ["friday"], "handoff": "should_not"}
DONE = (WHERE, agent("it is being packed and comes on monday", used("find_order", order=ORDER)), caller("thank you"))
LOST = (WHERE, agent("i do not know"), caller("oh well"))


def reads(server: list[ChatServer]) -> Answer:
    """A judge who reads: whoever is told nothing has not been served."""
    def answer(wire: Wire) -> None:
        asked = server[0].requests[-1]["messages"][-1]["content"]
        says("FAIL" if "can not help" in asked or "do not know" in asked else "<think>all there</think> PASS.")(wire)
    return answer


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_manifest(manifest({"name": "monday", "agent": "quick", "clocks": ["ideal"]}), tmp_path)
    for number in range(6):
        for system, lines in (("quick", DONE), ("slow", DONE if number else LOST)):
            recording = held(*lines, expect=EXPECT, scenario=f"order-{number}", system=system, clock="ideal", seed=0)
            save(recording, tmp_path / "conversations" / "ideal" / system / f"order-{number}-0")
    return tmp_path


def judge_with(run: Path, answer: Answer | None) -> tuple[str, list[ChatServer]]:
    servers: list[ChatServer] = []
    shown = io.StringIO()
    with chat_server(answer or reads(servers)) as server:
        servers.append(server)
        judge(run, OpenAIChat("tiny", server.url), "ideal", 10, Console(file=shown, width=200))
    return shown.getvalue(), servers


def test_a_judge_who_reads_is_heard_beside_the_score(run: Path) -> None:
    shown, [server] = judge_with(run, None)
    assert "right about 10 of 10 control items" in shown
    assert "quick: 100% " in shown and "of 6 calls pass; agrees with the score on 6" in shown
    assert "slow: 83% " in shown
    kept = json.loads((run / NAME).read_text())
    assert kept["controls"] == {"right": 10, "of": 10} and len(kept["calls"]) == 12 and len(server.requests) == 22
    assert [row["judged"] for row in kept["calls"] if row["conversation"].endswith("slow/order-0-0")] == [False]


@pytest.mark.parametrize("text", ["PASS", "FAIL", "PASS or FAIL", "hmm"])
def test_a_judge_who_does_not_read_has_no_word(run: Path, text: str) -> None:
    with pytest.raises(ValueError, match="of 10 control items, and it takes 90%: its word counts for nothing; ask another model"):
        judge_with(run, says(text))
    assert not (run / NAME).exists()


def test_a_run_without_a_task_can_not_be_judged(tmp_path: Path) -> None:
    (tmp_path / "conversations" / "ideal").mkdir(parents=True)
    with pytest.raises(ValueError, match="has no call with a task on the clock 'ideal'"):
        judge(tmp_path, Scripted("PASS"), "ideal", 10, Console(file=io.StringIO()))


def test_a_judge_sees_what_was_said_and_what_was_wanted_and_no_score() -> None:
    found = item(call(*DONE, expect=EXPECT))
    assert found.said.splitlines() == ["caller: where is my order", "agent: it is being packed and comes on monday",
                                       "caller: thank you"]
    assert found.wanted.splitlines() == [
        "- The agent tells the caller: is being packed or in packing", "- The agent tells the caller: monday",
        "- The agent does not say: friday", "- The agent does not hand the call over to a person"]
    assert found.passes is None


def test_control_items_are_told_apart_by_what_the_agent_says() -> None:
    good, bad = controls([call(*LOST, expect={**EXPECT, "handoff": "should"})], 2)
    assert good.passes is True and "agent: Is being packed. Monday. I will connect you to a person now." in good.said
    assert bad.passes is False and "can not help" in bad.said and good.wanted == bad.wanted


def test_a_verdict_is_one_word_of_two() -> None:
    some = Item("-", "-")
    assert [judged(Scripted(text), some) for text in ("pass", "Fail.", "**PASS**", "neither", "PASS FAIL")] == [
        True, False, True, None, None]


def test_nine_of_ten_are_enough() -> None:
    assert Controls(9, 10).hold and not Controls(8, 10).hold and not Controls(0, 0).hold
    assert tried(Scripted("PASS"), [Item("", "", True), Item("", "", False)]) == Controls(1, 2)
