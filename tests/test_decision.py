"""When an agent decides, beside when it is heard."""

from dataclasses import replace

from drawing import drawn

from duplex.frame import Event
from eval.metrics.decision import decision_times
from eval.metrics.occasions import Observation

ANSWERED = drawn("tttttttttt..............", "...............#########")  # the turn ends at 1.0, the answer begins at 1.5 s


def decided(*events: Event) -> dict[str, float]:
    return {found.metric: found.value for found in decision_times(replace(ANSWERED, events=events))}


def tokens(*times: float) -> list[Event]:
    return [Event("text_token", time, time, {"token": 7, "text": " a"}) for time in times]


def test_a_cascade_decides_when_it_calls_the_turn_over() -> None:
    assert decided(Event("endpoint", 1.2)) == {"decision_latency": 0.2, "decision_to_sound": 0.3}


def test_a_decision_may_come_before_the_end_of_the_turn() -> None:
    assert decided(Event("endpoint", 0.3), Event("endpoint", 0.8)) == {"decision_latency": -0.2, "decision_to_sound": 0.7}


def test_what_was_decided_after_the_answer_began_is_another_decision() -> None:
    assert decided(Event("endpoint", 1.6)) == {}


def test_a_speech_model_decides_with_its_first_text_after_padding() -> None:
    found = decided(*tokens(0.08, 0.16), *tokens(1.2, 1.28, 1.6))
    assert found == {"decision_latency": 0.2, "decision_to_sound": 0.3}


def test_padding_within_an_answer_parts_nothing() -> None:
    assert decided(*tokens(1.2, 1.68))["decision_latency"] == 0.2  # 0.4 s of padding


def test_special_tokens_are_no_text() -> None:
    assert decided(Event("text_token", 1.12, 1.12, {"token": 0, "text": ""}), *tokens(1.2))["decision_latency"] == 0.2


def test_text_may_follow_its_sound() -> None:
    assert decided(*tokens(1.76)) == {"decision_latency": 0.76, "decision_to_sound": -0.26}
    assert decided(*tokens(2.08)) == {}


def test_silence_decided_nothing() -> None:
    silent = replace(drawn("tttttttttt" + 60 * "."), events=(Event("endpoint", 1.2),))
    assert decision_times(silent) == []
    assert Observation("decision_latency", 1.0, 0.2) in decision_times(replace(ANSWERED, events=(Event("endpoint", 1.2),)))
