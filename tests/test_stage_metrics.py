"""The parts of a latency and the work done in vain, from what agents log."""

from dataclasses import replace

import pytest
from drawing import drawn

from duplex.frame import Event
from eval.metrics.stages import in_vain, latency_parts
from eval.timeline import Timeline

#                   the turn ends at 0.6 s, the answer is heard from 1.3 s on
USER, AGENT = "tttttt" + 30 * ".", 13 * "." + "##########" + 13 * "."


def logged(*events: Event) -> Timeline:
    return replace(drawn(USER, AGENT), events=events)


def parts(timeline: Timeline) -> dict[str, float]:
    return {observation.metric.removeprefix("part_"): observation.value for observation in latency_parts(timeline)}


def test_the_parts_of_a_latency_sum_to_what_was_heard() -> None:
    answer = Event("answer", 1.28, detail={"stt_final": 0.1, "llm": 0.2, "tts": 0.05, "frame": 0.01, "lead": 0.02})
    assert parts(logged(Event("endpoint", 0.92), answer)) == pytest.approx({
        "endpointing": 0.32, "line": 0.0, "transport": 0.0, "stt_final": 0.1, "llm": 0.2, "tts": 0.05, "speech_reply": 0.0,
        "frame": 0.01, "lead": 0.02, "unexplained": 0.0})


def test_the_way_over_the_callers_line_is_no_endpointing() -> None:
    answer = Event("answer", 1.28, detail={"llm": 0.2, "transport": 0.1, "lead": 0.02, "line": 0.18})
    found = parts(logged(Event("endpoint", 0.96), answer))
    assert (found["endpointing"], found["line"], found["transport"]) == pytest.approx((0.18, 0.18, 0.1))
    assert sum(found.values()) == pytest.approx(0.7) and found["unexplained"] == pytest.approx(0.02)


def test_what_no_stage_explains_is_named() -> None:
    answer = Event("answer", 1.28, detail={"llm": 0.1, "lead": 0.02})
    assert parts(logged(Event("endpoint", 0.92), answer))["unexplained"] == pytest.approx(0.26)


def test_an_agent_that_logs_nothing_has_no_parts() -> None:
    assert parts(logged()) == {}


def test_an_answer_logged_elsewhere_explains_nothing() -> None:
    assert parts(logged(Event("endpoint", 2.0), Event("answer", 2.4, detail={"llm": 0.4}))) == {}


def test_preparing_three_answers_and_speaking_one_of_them_is_two_in_vain() -> None:
    prepared = [Event("prepare", second) for second in (0.2, 0.4, 0.6)]
    [observation] = in_vain(logged(*prepared, Event("answer", 1.28, detail={"prepared": True})))
    assert observation.value == 2.0


def test_preparing_for_nothing_is_all_in_vain() -> None:
    [observation] = in_vain(logged(Event("prepare", 0.2), Event("answer", 1.28, detail={"prepared": False})))
    assert observation.value == 1.0
