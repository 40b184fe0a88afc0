"""Where tasks were lost, as the report page tells it: counts that add up, evidence in words, the desk's first sentences."""

from typing import Any

from service import MANAGER, ORDER, agent, caller, handed, held, used

from duplex.recording import Recording
from eval.report.lost import lost, notes, task_of
from eval.tasks.call import call_of
from eval.timeline import timeline

MANIFEST = {"agent": "quick", "baseline": "slow"}
EXPECT = {"said": ["monday"], "state": {}, "handoff": "should_not"}
ASKS = caller("what is the status of order one two three four five")


def entry(system: str, number: int, recording: Recording) -> dict[str, Any]:
    return {"id": f"ideal/{system}/order-{number}", "clock": "ideal", "system": system,
            "task": task_of(call_of(recording, timeline(recording)))}


def told(recording: Recording) -> list[list[str]]:
    call = call_of(recording, timeline(recording))
    return notes(call, task_of(call))


def answered(heard: str, said: str = "it comes on monday") -> Recording:
    return held(ASKS, agent(said, used("find_order", order=ORDER), heard=heard), expect=EXPECT, tally=MANAGER)


def test_tasks_add_up_and_those_lost_are_told_with_what_shows_it() -> None:
    right = answered("what is the status of order one two three four five")
    misheard = answered("what is the status of order one two three four nine", "i can not find it")
    index = [entry("quick", 0, right), entry("quick", 1, misheard), entry("slow", 0, right)]
    quick, slow = lost("ideal", MANIFEST, index)
    assert [(share.place, share.count) for share in quick.shares] == [
        ("achieved", 1), ("recognition", 1), ("timing", 0), ("understanding", 0), ("other", 0)]
    assert [share.width for share in quick.shares[:2]] == [50.0, 50.0] and quick.shares[1].left == 50.0
    [(identity, place, evidence)] = quick.calls
    assert (identity, place) == ("ideal/quick/order-1", "recognition")
    assert "four five', heard 'what is the status of order one two three four nine'; did not say 'monday'" in evidence
    assert (slow.num_tasks, slow.calls) == (1, ()) and lost("measured", MANIFEST, index) == []


def test_a_call_without_a_task_is_not_counted() -> None:
    chat = held(caller("hello"), agent("hello"), expect={"not_said": ["goodbye"]})
    assert entry("quick", 0, chat)["task"] is None and told(chat) == []
    assert lost("ideal", MANIFEST, [entry("quick", 0, chat)]) == []


def test_an_opened_call_tells_what_the_person_says_who_takes_over() -> None:
    packet = handed(reason="asked for a person", wants="order status", verified=[f"order={ORDER}"])
    found = held(ASKS, agent("i will connect you", packet), tally=MANAGER, expect={
        "handoff": "should", "needs": {"order": ORDER, "name": "john smith"}})
    [(heading, words)] = told(found)
    assert heading == "The person who takes over"
    assert f"I have your order as {ORDER}." in words and words.endswith("Who am I speaking with?")
