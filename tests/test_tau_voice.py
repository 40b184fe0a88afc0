"""tau-voice's panel by its own rules, in drawings (two characters are a tick) and on agents of exact behaviour."""

import numpy as np
import pytest
from drawing import drawn
from test_known_answers import conversation

from duplex.agents.simple import Backchanneller, Interrupter, NeverAnswers, NeverYields, Responder, Yields
from duplex.conversation import Participant
from duplex.frame import Event
from eval.compat.tau_voice import MEASURES, METRICS
from eval.metrics.occasions import Observation
from eval.timeline import Act, Timeline, timeline


def panel(heard: Timeline) -> dict[str, list[float]]:
    """The values of each metric that had an occasion, in order."""
    values: dict[str, list[float]] = {}
    for found in observations(heard):
        values.setdefault(found.metric.removeprefix("tau_"), []).append(found.value)
    return values


def observations(heard: Timeline) -> list[Observation]:
    return [found for measure in MEASURES for found in measure(heard)]


def called(agent: Participant, *acts: Event, seconds: float = 12.0) -> dict[str, list[float]]:
    return panel(timeline(conversation(agent, *acts, seconds=seconds)))


def test_every_metric_is_measured_under_its_name() -> None:
    heard = drawn("tttt............iii......bb......kkk..sss.....ttt.......",
                  "......##################...........................###..")
    assert {found.metric for found in observations(heard)} == {metric.name for metric in METRICS} - {
        "tau_backchannel_selectivity"}
    assert {metric.family for metric in METRICS} == {"tau-voice"}


# Latency and rate of responses.

def test_latency_is_counted_in_whole_ticks() -> None:
    assert panel(drawn("tttttt............", ".........#########"))["response_latency"] == [0.2]  # 0.3 s
    assert panel(drawn("tttttt............", "..........########"))["response_latency"] == [0.4]


def test_an_answer_within_a_tick_is_no_response_but_a_turn_left_out() -> None:
    found = panel(drawn("tttttt............", ".......###########"))
    assert found == {"unmeasured": [1.0]}


def test_an_answer_has_no_limit_of_time() -> None:
    assert panel(drawn("tttt", "." * 100 + "####"))["response_latency"] == [9.6]


def test_a_turn_followed_by_another_before_any_answer_is_not_answered() -> None:
    found = panel(drawn("tttt....tttt........", "................####"))
    assert (found["response_rate"], found["response_latency"]) == ([0.0, 1.0], [0.4])


def test_an_answer_in_the_tick_of_the_next_turn_is_one() -> None:
    found = panel(drawn("tttt......tttt..........", "..........##......######"))
    assert (found["response_rate"], found["response_latency"][0]) == ([1.0, 1.0], 0.6)


def test_the_last_turn_without_an_answer_is_dropped() -> None:
    found = panel(drawn("tttt........................tttt..........", "........######............................"))
    assert (found["response_rate"], found["unmeasured"]) == ([1.0], [0.0, 1.0])


def test_a_backchannel_is_no_turn_to_answer() -> None:
    assert "response_rate" not in panel(drawn("bbbb..........", "........######"))


def test_a_pause_within_a_turn_is_speech() -> None:
    assert panel(drawn("ttttppppppppptttt..........", ".....................######"))["response_rate"] == [1.0]


def test_speech_of_the_caller_that_begins_in_the_last_tick_is_dropped() -> None:
    cut = panel(drawn("tttt................tt", "........####.........."))
    assert cut["unmeasured"] == [0.0]
    assert panel(drawn("tttt..............tttt", "........####.........."))["unmeasured"] == [0.0, 1.0]


@pytest.mark.parametrize(("delay", "latency"), [
    (0.35, 0.2), (0.5, 0.4), (0.55, 0.4), (0.777, 0.6), (1.0, 0.8), (1.2345, 1.0), (2.0, 1.8), (6.0, 5.8)])
def test_a_responder_is_measured_as_its_delay_in_ticks(delay: float, latency: float) -> None:
    """The caller's last tick ends at 2.2 s, 0.1 s after its turn."""
    found = called(Responder(delay), Event("turn", 0.5, 2.1))
    assert (found["response_latency"], found["response_rate"]) == ([latency], [1.0])


@pytest.mark.parametrize("delay", [0.1, 0.16, 0.24])
def test_a_quick_responder_is_left_out(delay: float) -> None:
    found = called(Responder(delay), Event("turn", 0.5, 2.1))
    assert "response_rate" not in found and found["unmeasured"] == [1.0]


def test_silence_is_measured_by_all_turns_but_the_last() -> None:
    found = called(NeverAnswers(), Event("turn", 0.5, 2.1), Event("turn", 6.0, 7.0))
    assert (found["response_rate"], found["unmeasured"]) == ([0.0], [0.0, 1.0])


@pytest.mark.parametrize("seed", range(30))
def test_random_turns_are_measured_as_their_ticks_say(seed: int) -> None:
    """Whole hundredths of a second, so that units are exact: from the tick behind the turn to that of the answer."""
    random = np.random.default_rng(seed)
    start, end, delay = random.integers(20, 100), random.integers(150, 400), random.integers(16, 300)
    found = called(Responder(delay / 100), Event("turn", start / 100, end / 100), seconds=9.0)
    ticks = (end + delay) // 20 - -(-end // 20)
    assert found.get("response_latency", []) == ([pytest.approx(0.2 * ticks)] if ticks > 0 else [])
    assert found["unmeasured"] == [float(ticks <= 0)]


# Interruptions, by either.

INTERRUPTED = (Event("turn", 0.5, 1.5), Event("interruption", 4.0, 5.63))


@pytest.mark.parametrize(("stop", "latency"), [
    (0.08, 0.2), (0.1, 0.2), (0.3, 0.4), (0.457, 0.6), (0.8, 0.8), (1.0, 1.0), (1.3, 1.4), (1.8, 1.8)])
def test_a_stop_is_measured_to_the_first_silent_tick(stop: float, latency: float) -> None:
    found = called(Yields(stop=stop, seconds=9.0), *INTERRUPTED)
    assert found["yield_latency"] == [latency]
    assert found["yield_rate"] == [1.0]


def test_two_seconds_are_the_limit() -> None:
    assert panel(drawn("iiii" + "." * 20, "#" * 20 + "...."))["yield_latency"] == [2.0]
    assert panel(drawn("iiii" + "." * 20, "#" * 21 + "..."))["yield_rate"] == [0.0]


def test_who_talks_through_does_not_yield() -> None:
    found = called(NeverYields(seconds=9.0), *INTERRUPTED, seconds=14.0)
    assert found["yield_rate"] == [0.0]
    assert "yield_latency" not in found


def test_a_breath_and_the_natural_end_are_yields() -> None:
    """The defects: one silent tick in an answer that goes on, and an answer that was over anyway."""
    assert panel(drawn("iiii..........", "##########..##"))["yield_latency"] == [1.0]
    assert called(NeverYields(seconds=3.0), *INTERRUPTED)["yield_latency"] == [1.0]


def test_an_agent_that_begins_while_the_caller_speaks_interrupts_and_may_do_so_twice_a_turn() -> None:
    once = called(Interrupter(after=1.0, seconds=0.5), Event("turn", 0.5, 2.9))
    assert once["agent_interruptions"] == [1.0]
    ratio = [found for found in observations(drawn("tttttttttttttttttttt........", "..##..##..##............####"))
             if found.metric == "tau_agent_interruptions"]
    assert [(found.value, found.per) for found in ratio] == [(3.0, 1.0)]


def test_backchannels_of_the_agent_are_interruptions() -> None:
    found = called(Backchanneller(every=1.0, seconds=0.3, delay=0.6), Event("turn", 0.5, 3.9))
    assert found["agent_interruptions"] == [3.0]
    assert found["response_latency"] == [0.4]


def test_a_conversation_without_a_chance_or_an_interruption_says_nothing() -> None:
    assert panel(drawn("......", "..##..")) == {}


# Selectivity.

def test_a_backchannel_talked_through_is_correct() -> None:
    assert panel(drawn("..bbb............", "#################"))["backchannel_selectivity"] == [1.0]


def test_a_silent_tick_within_a_second_of_a_backchannel_is_an_error() -> None:
    assert panel(drawn("..bbb............", "############....."))["backchannel_selectivity"] == [0.0]
    assert panel(drawn("..bbb............", "##############..."))["backchannel_selectivity"] == [1.0]


def test_a_backchannel_into_silence_is_no_occasion() -> None:
    assert panel(drawn("..bbb............", "........#########")) == {}


@pytest.mark.parametrize(("kind", "metric"), [
    ("cough", "tic_selectivity"), ("noise", "tic_selectivity"),
    ("side_talk", "non_directed_selectivity"), ("background_talk", "non_directed_selectivity")])
def test_an_effect_into_silence_is_an_error_if_it_is_answered_within_two_seconds(kind: str, metric: str) -> None:
    effect = Act(kind, 1.0, 1.4)

    def judged(agent: str) -> dict[str, list[float]]:
        return panel(Timeline(6.0, agent=drawn("", agent).agent, acts=(effect,)))

    assert judged("." * 34 + "####") == {metric: [0.0]}
    assert judged("." * 36 + "####") == {metric: [1.0]}


def test_an_effect_while_the_agent_speaks_is_an_error_or_nothing() -> None:
    """The defect: talking through a cough earns nothing."""
    assert panel(drawn("....kk..............", "##############......")) == {"tic_selectivity": [0.0]}
    assert panel(drawn("....kk..............", "################....")) == {}


def test_a_cough_in_a_turn_makes_the_turn_a_tic() -> None:
    """The defect: a prompt answer to it is an error; a late one is not."""
    turn, cough = Act("turn", 0.0, 2.0, answer_due=True), Act("cough", 1.0, 1.3)
    for start, correct in ((3.0, 0.0), (4.5, 1.0)):
        heard = Timeline(8.0, agent=drawn("", "." * round(10 * start) + "####").agent, acts=(turn, cough))
        assert panel(heard)["tic_selectivity"] == [correct]


def test_a_turn_with_a_cough_and_side_talk_is_a_tic() -> None:
    acts = (Act("turn", 0.0, 2.0), Act("side_talk", 0.5, 0.8), Act("cough", 1.0, 1.3))
    assert list(panel(Timeline(8.0, acts=acts))) == ["unmeasured", "tic_selectivity"]


def test_side_talk_within_speech_is_not_counted_twice() -> None:
    turn, aside = Act("turn", 0.0, 2.0, answer_due=True), Act("side_talk", 1.0, 1.3)
    heard = Timeline(8.0, agent=drawn("", "#" * 80).agent, acts=(turn, aside))
    assert panel(heard)["non_directed_selectivity"] == [1.0]


def test_agents_of_known_manners_are_told_apart() -> None:
    aside = Event("backchannel", 4.0, 4.3)
    assert called(Yields(stop=0.3), INTERRUPTED[0], aside)["backchannel_selectivity"] == [0.0]
    assert called(NeverYields(seconds=6.0), INTERRUPTED[0], aside)["backchannel_selectivity"] == [1.0]
    cough = Event("cough", 4.0, 4.3)
    assert called(Responder(), cough)["tic_selectivity"] == [0.0]
    assert called(NeverAnswers(), cough)["tic_selectivity"] == [1.0]
