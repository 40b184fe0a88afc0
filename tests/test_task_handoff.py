"""Whether a person takes over, in time, and knowing what was said."""

from typing import Any

import pytest
from service import MANAGER, ORDER, agent, call, caller, handed

from duplex.frame import Event, Word
from eval.metrics.occasions import Observation
from eval.tasks.announcement import announcement
from eval.tasks.call import Call
from eval.tasks.desk import desk
from eval.tasks.handoff import escalation, handoff, handoff_seconds, passed_on

SHOULD = {"handoff": "should", "needs": {"order": ORDER, "name": "john smith"}}
SHOULD_NOT = {"handoff": "should_not"}
TOLD = caller(f"my name is john smith and my order is {ORDER}")
UPSET = caller("this is ridiculous", trigger=True)
CONNECTS = "i will connect you to a person now"
HANDS_OFF = agent(CONNECTS, handed())


def values(found: list[Observation]) -> dict[str, float]:
    return {one.metric: one.value for one in found}


def pooled(*calls: Call) -> dict[str, float]:
    """The mean of each metric over several calls."""
    found = [one for each in calls for one in escalation(each)]
    return {name: sum(one.value for one in found if one.metric == name) / sum(one.metric == name for one in found)
            for name in {one.metric for one in found}}


def test_an_agent_that_always_hands_off_has_recall_1_and_containment_0() -> None:
    due, not_due = (call(said, HANDS_OFF, expect=expect, tally=MANAGER) for said, expect in ((UPSET, SHOULD), (TOLD, SHOULD_NOT)))
    assert pooled(due, not_due) == {
        "escalation_recall": 1.0, "escalation_precision": 0.5, "containment": 0.0}


def test_one_that_never_does_has_recall_0_and_no_precision() -> None:
    fine = agent("okay")
    assert pooled(call(UPSET, fine, expect=SHOULD), call(TOLD, fine, expect=SHOULD_NOT)) == {
        "escalation_recall": 0.0, "containment": 1.0}


def test_a_call_that_breaks_off_contains_nothing() -> None:
    assert values(escalation(call(TOLD, expect=SHOULD_NOT, failure="KeyError", ended_by="failure"))) == {"containment": 0.0}


def test_a_call_of_which_the_scenario_says_nothing_is_no_occasion() -> None:
    assert escalation(call(TOLD, HANDS_OFF, expect={"said": ["monday"]})) == []


def test_who_has_tools_and_only_says_so_hands_off_nobody() -> None:
    assert handoff(call(UPSET, agent(CONNECTS), expect=SHOULD, tally=MANAGER)) is None
    assert handoff(call(UPSET, agent(CONNECTS), expect=SHOULD)) is not None


def test_a_handoff_that_was_retracted_is_none() -> None:
    hasty = call(UPSET, agent("i will", handed(), heard="this is"), agent("", Event("retract")), expect=SHOULD, tally=MANAGER)
    assert handoff(hasty) is None


@pytest.mark.parametrize("said", [
    "i will connect you to a person now", "let me transfer you to one of our specialists", "i am going to put you through",
    "i'll get somebody who can decide that", "i am transferring your call", "please hold while i connect you",
    "okay i will pass you over to my supervisor", "let me hand you over to a human colleague"])
def test_an_announcement_is_heard(said: str) -> None:
    assert announced(said)


@pytest.mark.parametrize("said", [
    "i can not transfer you to a person", "would you like me to connect you to a person", "i can connect you to somebody",
    "should i put you through", "first connect to the internet", "i will put your order on hold", "are you a person",
    "there is no person here", "if you wait i will not transfer you", "let me pass that on", "i will get your order number"])
def test_an_offer_a_refusal_or_another_verb_is_none(said: str) -> None:
    assert not announced(said)


def announced(said: str) -> bool:
    return announcement([Word(word, 0.3 * number, 0.3 * number + 0.3) for number, word in enumerate(said.split())]) is not None


def test_the_time_to_a_handoff_counts_from_the_end_of_what_makes_it_due() -> None:
    assert handoff_seconds(call(UPSET, agent("oh dear"), HANDS_OFF, expect=SHOULD, tally=MANAGER)) == [
        Observation("handoff_seconds", 1.4, 1.6)]  # 0.5 s, two words, 0.5 s


def test_a_handoff_that_comes_too_soon_has_a_negative_time() -> None:
    assert handoff_seconds(call(HANDS_OFF, UPSET, expect=SHOULD, tally=MANAGER)) == [Observation("handoff_seconds", 4.3, -3.8)]


def test_a_handoff_that_never_comes_is_censored_at_the_end() -> None:
    [found] = handoff_seconds(call(UPSET, agent("oh dear"), expect=SHOULD))
    assert found.censored and found.value == pytest.approx(0.5 + 0.6 + 0.5 + 1.0)


def test_a_handoff_that_was_not_due_has_no_time() -> None:
    assert handoff_seconds(call(TOLD, HANDS_OFF, expect=SHOULD, tally=MANAGER)) == []
    assert handoff_seconds(call(UPSET, HANDS_OFF, expect=SHOULD_NOT, tally=MANAGER)) == []


def passed(packet: dict[str, Any] | None, *before: Any) -> dict[str, float]:
    says = agent(CONNECTS) if packet is None else agent(CONNECTS, handed(**packet))
    return values(passed_on(call(*before, UPSET, says, expect=SHOULD, tally={} if packet is None else MANAGER)))


def test_a_full_packet_spares_the_caller_everything() -> None:
    assert passed({"who": "john smith", "verified": [f"order={ORDER}"]}, TOLD) == {
        "packet_complete": 2.0, "facts_asked_again": 0.0, "repeats_everything": 0.0}


def test_what_is_wrong_in_a_packet_must_be_said_again() -> None:
    assert passed({"who": "john smith", "verified": ["order=one two three four nine"]}, TOLD) == {
        "packet_complete": 1.0, "facts_asked_again": 1.0, "repeats_everything": 0.0}


def test_without_a_packet_the_caller_repeats_everything() -> None:
    assert passed(None, TOLD) == {"packet_complete": 0.0, "facts_asked_again": 2.0, "repeats_everything": 1.0}


def test_what_was_never_said_is_not_repeated() -> None:
    assert passed({}) == {"packet_complete": 0.0}
    assert passed({}, caller("i am john smith")) == {"packet_complete": 0.0, "facts_asked_again": 1.0, "repeats_everything": 1.0}


def test_a_packet_counts_by_what_it_says_whatever_it_calls_it() -> None:
    assert desk({"verified": ["order number=12345"]}, {"order": ORDER}).asked_again == set()
    assert desk({"verified": ["12345"]}, {"order": ORDER}).asked_again == set()
    assert desk({"verified": [f"name={ORDER}"]}, {"order": ORDER, "name": "john smith"}).asked_again == {"order", "name"}


def test_the_desk_reads_the_packet_and_asks_for_the_rest() -> None:
    packet = {"who": "john smith", "wants": "cancel order", "reason": "distressed", "mood": "distressed",
              "verified": [f"order={ORDER}"], "tried": ["find_order", "find_order"]}
    found = desk(packet, {"order": ORDER, "name": "john smith", "zip_code": "one one one one one"})
    assert found.says == (
        "Hello john smith.", "I am sorry that this has been so upsetting.", "I see that this is about cancel order (distressed).",
        f"I have your order as {ORDER}.", "My colleague has already tried to find order.", "What is your zip code?")
    assert desk(None, {"name": "john smith"}).says == ("Hello. How can I help you?", "Who am I speaking with?")
