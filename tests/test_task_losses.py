"""Where failed tasks were lost, by the agent's own log."""

from typing import Any

import pytest
from service import MANAGER, NO_TOOLS, ORDER, RECORDS, agent, call, caller, used

from duplex.frame import Event
from eval.tasks.losses import Loss, loss, losses

EXPECT = {"said": ["is being packed"], "not_said": ["has been shipped"], "handoff": "should_not"}
WHERE = caller("i want to know where my order is")
NUMBER = caller(f"my order number is {ORDER}", "order number")
ASKS = agent("what is your order number", heard="i want to know where my order is")
MODEL = {"tools": True, "stt_seconds": 9.0, "llm_calls": 3}


def lost(*lines: Any, **more: Any) -> Loss:
    found = loss(call(*lines, expect=EXPECT, **{"tally": MANAGER, **more}))
    assert found is not None
    return found


def test_a_task_achieved_is_not_lost() -> None:
    held = call(WHERE, agent("it is being packed", heard="where my order"), expect=EXPECT, tally=MANAGER)
    assert loss(held) is None and {one.value for one in losses(held)} == {0.0}


def test_a_number_heard_as_another_is_lost_in_recognition() -> None:
    wrong = "my order number is one two three four nine"
    found = lost(WHERE, ASKS, NUMBER, agent("i can not find that", heard=wrong))
    assert found == Loss("recognition", f"said 'my order number is {ORDER}', heard '{wrong}'; did not say 'is being packed'")


def test_words_that_mean_the_same_to_a_manager_are_no_loss_of_recognition() -> None:
    found = lost(WHERE, agent("hm", heard="want to know where my order"))
    assert found.place == "understanding" and found.evidence.startswith("all that the caller said was heard")


def test_a_language_model_is_held_against_the_words_that_mean_something() -> None:
    assert lost(WHERE, agent("hm", heard="want to know where the order"), tally=MODEL).place == "understanding"
    assert lost(WHERE, agent("hm", heard="want to know where my daughter is"), tally=MODEL).place == "recognition"
    assert lost(NUMBER, agent("hm", heard="my order number is 12345"), tally=MODEL).place == "understanding"


def test_a_turn_that_nobody_answers_is_lost_in_timing() -> None:
    found = lost(WHERE)
    assert found.place == "timing" and "'i want to know where my order is' was not answered" in found.evidence


def test_a_turn_that_is_answered_in_pieces_is_lost_in_timing() -> None:
    halves = agent("which one", heard="my order number is one two"), agent("what", heard="three four five")
    found = lost(NUMBER, *halves)
    assert found.place == "timing" and "was cut in pieces: 'my order number is one two', 'three four five'" in found.evidence


def test_two_turns_answered_as_one_are_lost_in_timing() -> None:
    both = f"{WHERE.text} {NUMBER.text}"
    found = lost(WHERE, agent("um"), NUMBER, agent("what", heard=both))
    assert found.place == "timing" and found.evidence.startswith(f"'{WHERE.text}' was not answered")


def test_a_caller_who_goes_on_at_once_is_answered_to_all_of_it() -> None:
    assert lost(WHERE, NUMBER, agent("what", heard=f"{WHERE.text} {NUMBER.text}")).place == "understanding"


def test_a_turn_of_which_only_a_part_is_waited_for_is_lost_in_timing() -> None:
    found = lost(WHERE, ASKS, NUMBER, agent("is that all", heard="my order number is one two three"))
    assert found.place == "timing" and "only 'my order number is one two three' was waited for" in found.evidence


def test_a_turn_taken_for_nothing_is_lost_in_timing() -> None:
    found = lost(WHERE, ASKS, NUMBER, agent("", Event("resume", detail={"heard": "my"})))
    assert found.place == "timing" and "was taken for nothing ('my')" in found.evidence


def test_what_the_caller_made_good_does_not_count() -> None:
    again = agent("i can not find that what is your order number", heard="my order number is one two three four nine")
    right = agent("hm", heard=f"my order number is {ORDER}")
    found = lost(WHERE, agent("what", heard="i want to eat"), NUMBER, again, NUMBER, right)
    assert found.place == "recognition" and "i want to eat" in found.evidence


def test_the_evidence_says_what_is_wrong_with_the_records() -> None:
    expect = {"state": {"orders": {ORDER: {"status": "is cancelled"}}}}
    moves = agent("done", used("change_delivery_day", order=ORDER, day="friday"), heard=WHERE.text)
    found = loss(call(WHERE, moves, expect=expect, tally=MANAGER))
    assert found == Loss("understanding", f"all that the caller said was heard; orders, {ORDER}: day is 'friday', not 'monday'; "
                                          f"orders, {ORDER}: status is 'is being packed', not 'is cancelled'")


def test_a_call_that_broke_off_is_lost_elsewhere() -> None:
    assert lost(WHERE, failure="KeyError", ended_by="failure").place == "other"


def test_an_agent_that_logs_nothing_is_lost_elsewhere() -> None:
    assert lost(WHERE, agent("hello"), tally=NO_TOOLS).place == "other"


@pytest.mark.parametrize("records", [RECORDS, {}])
def test_with_the_tasks_achieved_the_losses_add_up_to_one(records: dict[str, Any]) -> None:
    found = losses(call(WHERE, ASKS, expect=EXPECT, tally=MANAGER, records=records))
    assert len(found) == 4 and sum(one.value for one in found) == 1.0
