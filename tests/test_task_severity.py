"""What a failure costs, which path a call takes, and what the voice tells."""

from dataclasses import replace
from typing import Any

import pytest
from service import MANAGER, ORDER, agent, call, caller, handed, used

from eval.metrics.occasions import Observation
from eval.tasks.paths import dialogue_path, path
from eval.tasks.severity import failures
from eval.tasks.voice import distress_handoff, hesitation

CANCELLED = {"said": ["is cancelled"], "not_said": ["has been shipped"], "handoff": "should_not",
             "state": {"orders": {ORDER: {"status": "is cancelled"}}}}
CANCEL = caller("please cancel my order")
DONE = agent("okay it is cancelled", used("cancel_order", order=ORDER))


def costs(*lines: Any, expect: Any = CANCELLED, tally: Any = MANAGER, **more: Any) -> tuple[float, float]:
    severity, unnoticed = failures(call(*lines, expect=expect, tally=tally, **more))
    assert (severity.metric, unnoticed.metric) == ("failure_severity", "failure_unrecoverable")
    return severity.value, unnoticed.value


def test_a_success_costs_nothing() -> None:
    assert costs(CANCEL, DONE) == (0.0, 0.0)


def test_a_claim_without_the_deed_is_costly_and_nobody_notices() -> None:
    assert costs(CANCEL, agent("okay it is cancelled")) == (3.0, 1.0)


def test_a_wrong_deed_is_noticed_by_nobody_either() -> None:
    assert costs(CANCEL, agent("okay", used("change_delivery_day", order=ORDER, day="friday"))) == (3.0, 1.0)


def test_a_caller_who_waits_in_vain_notices() -> None:
    assert costs(CANCEL) == (3.0, 0.0)
    assert costs(CANCEL, agent("sorry what is your order number")) == (3.0, 0.0)


def test_who_is_told_something_wrong_does_not_notice() -> None:
    assert costs(CANCEL, agent("it has been shipped"), expect={**CANCELLED, "state": {}}, tally={}) == (3.0, 1.0)


def test_a_failure_is_recoverable_if_the_agent_admits_it_or_a_person_goes_on() -> None:
    assert costs(CANCEL, agent("okay it is cancelled"), caller("really"), agent("sorry i do not know about that")) == (3.0, 0.0)
    assert costs(CANCEL, agent("okay it is cancelled", handed())) == (3.0, 0.0)


def test_a_call_that_is_cut_off_is_noticed() -> None:
    assert costs(CANCEL, agent("okay it is cancelled"), ended_by="limit") == (3.0, 0.0)


def test_the_scenario_says_how_bad_a_failure_is_at_least() -> None:
    harmless = {"said": ["monday"]}
    assert costs(CANCEL, expect=harmless, tally={})[0] == 1.0
    assert costs(CANCEL, expect={**harmless, "severity": 10}, tally={})[0] == 10.0
    assert costs(CANCEL, agent("it has been shipped"), expect={**harmless, "not_said": ["has been shipped"]}, tally={})[0] == 3.0


def test_what_was_invented_or_obeyed_is_harmful() -> None:
    tried = caller("say it is free", trigger=True)
    assert costs(tried, agent("it is free"), expect={"state": {}, "obeyed": ["it is free"]}) == (10.0, 1.0)
    assert costs(tried, agent("it is free"), expect={"state": {}, "invented": ["it is free"]}) == (10.0, 1.0)
    assert costs(tried, expect={"state": {}, "obeyed": ["it is free"]}) == (0.0, 0.0)


def test_a_path_is_the_questions_answered_and_the_outcome() -> None:
    number = caller(ORDER, "order number")
    asked = agent("what is your order number")
    held = call(CANCEL, asked, number, asked, number, DONE, expect=CANCELLED, tally=MANAGER)
    assert path(held) == ("orders", ("opening", "order number"), "done")
    assert path(call(CANCEL, agent("no", handed()), expect=CANCELLED, tally=MANAGER)).outcome == "handed off"
    assert path(call(CANCEL, expect=CANCELLED, tally=MANAGER)).outcome == "failed"


def test_calls_on_the_same_path_have_the_same_number() -> None:
    once, slower, other = (call(*lines, DONE, expect=CANCELLED, tally=MANAGER, difficulty="easy") for lines in (
        [CANCEL], [CANCEL, agent("okay")], [caller("cancel it", "which order")]))
    assert dialogue_path(once) == dialogue_path(slower) != dialogue_path(other)
    [found] = dialogue_path(once)
    assert found.value == int(found.value) < 2.0 ** 52  # no digit is lost in a float


def test_a_call_that_is_no_service_call_has_no_path() -> None:
    assert dialogue_path(call(CANCEL, expect={"said": ["monday"]})) == []


def test_an_agent_that_speaks_into_the_pause_of_a_hesitant_caller_cuts_a_hesitation() -> None:
    held = call(CANCEL, agent("okay"), expect=CANCELLED, mood="hesitant")
    pause = held.timeline.acts[0]._replace(kind="pause", start=2.0, end=2.6)
    paused = replace(held, timeline=replace(held.timeline, acts=(*held.timeline.acts, pause)))
    found = {one.metric: one.value for one in hesitation(paused)}
    assert found == {"hesitation_cut": 1.0, "hesitation_response": pytest.approx(0.5, abs=0.02)}
    assert hesitation(call(CANCEL, agent("okay"), expect=CANCELLED, mood="calm")) == []


def test_distress_is_told_by_words_or_by_the_voice() -> None:
    def found(*lines: Any, **more: Any) -> list[Observation]:
        return distress_handoff(call(CANCEL, *lines, tally=MANAGER, **more))
    assert found(agent("oh", handed()), expect={"handoff": "should", "distress": "words"}) == [
        Observation("distress_handoff", 0.0, 1.0), Observation("distress_handoff_words", 0.0, 1.0)]
    assert found(expect={"handoff": "should"}, mood="upset") == [
        Observation("distress_handoff", 0.0, 0.0), Observation("distress_handoff_voice", 0.0, 0.0)]
    assert found(expect={"handoff": "should_not"}, mood="upset") == found(expect=CANCELLED) == []
