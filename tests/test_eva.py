"""EVA's turn-taking score by its own rules, in drawings of 100 ms and on agents of exact behaviour."""

from dataclasses import replace

import numpy as np
import pytest
from drawing import drawn
from test_known_answers import conversation

from duplex.agents.simple import Backchanneller, Interrupter, NeverAnswers, NeverYields, Responder, Yields
from duplex.conversation import Participant
from duplex.frame import Event
from eval.activity import Segment
from eval.compat.eva import MEASURES, METRICS, count_score, latency_score, overlap_score, yield_score
from eval.timeline import Act, Timeline, timeline

HOP = 0.01 + 1e-9  # tolerance in seconds: units are known to 10 ms


def scored(heard: Timeline) -> dict[str, list[float]]:
    """The values of each metric that had an occasion, in order."""
    values: dict[str, list[float]] = {}
    for found in (found for measure in MEASURES for found in measure(heard)):
        values.setdefault(found.metric.removeprefix("eva_"), []).append(found.value)
    return values


def called(agent: Participant, *acts: Event, seconds: float = 12.0) -> dict[str, list[float]]:
    return scored(timeline(conversation(agent, *acts, seconds=seconds)))


TURN = Event("turn", 0.5, 2.1)
INTERRUPTED = (Event("turn", 0.5, 1.5), Event("interruption", 4.0, 5.63))


@pytest.mark.parametrize(("milliseconds", "score"), [
    (-500, 0.0), (0, 0.5), (70, 0.57), (200, 0.7), (500, 1.0), (2000, 1.0), (2750, 0.5), (3500, 0.0), (9000, 0.0)])
def test_the_curve_of_the_notes(milliseconds: int, score: float) -> None:
    """Vector 3 of the notes."""
    assert latency_score(milliseconds / 1000) == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize(("milliseconds", "score"), [(70, 0.57), (3000, 1.0), (4000, 0.5), (5000, 0.0)])
def test_the_curve_with_tools_of_the_notes(milliseconds: int, score: float) -> None:
    assert latency_score(milliseconds / 1000, tools=True) == pytest.approx(score, abs=1e-6)


def test_overlap_count_and_yield_of_the_notes() -> None:
    assert overlap_score(1.0) == 0.25
    assert [count_score(count) for count in (1, 2, 3, 4)] == [0.5, 0.25, 0.0, 0.0]
    assert yield_score(0.5) == 0.75
    assert overlap_score(2.5) == yield_score(2.5) == 0.0


def test_every_metric_is_measured_under_its_name() -> None:
    heard = drawn("tttttttttt..........iii............", "......##################.....######")
    assert {f"eva_{name}" for name in scored(heard)} == {metric.name for metric in METRICS}
    assert {metric.family for metric in METRICS} == {"EVA"}


@pytest.mark.parametrize(("delay", "score"), [
    (0.1, 0.6), (0.2, 0.7), (0.35, 0.85), (0.5, 1.0), (1.0, 1.0), (2.0, 1.0), (2.75, 0.5), (3.2, 0.2), (4.0, 0.0)])
def test_a_responder_scores_by_its_delay(delay: float, score: float) -> None:
    found = called(Responder(delay), TURN)
    assert found["turn_score"] == pytest.approx([score], abs=0.01)
    assert found["latency_p50"] == found["latency_p90"] == pytest.approx([delay], abs=HOP)


@pytest.mark.parametrize("seed", range(30))
def test_random_interruptions_score_by_latency_and_yield(seed: int) -> None:
    """Whole hundredths of a second, so that the units are exact."""
    random = np.random.default_rng(seed)
    delay, stop, turn, barge_in = (random.integers(16, 120), random.integers(8, 180), random.integers(80, 200),
                                   random.integers(400, 480))
    found = called(Yields(delay / 100, 9.0, stop / 100), Event("turn", 0.5, 0.5 + turn / 100),
                   Event("interruption", barge_in / 100, barge_in / 100 + 2.0), seconds=12.0)
    assert found["turn_score"] == pytest.approx([latency_score(delay / 100), yield_score(stop / 100)], abs=1e-6)
    assert found["latency_p50"] == pytest.approx([delay / 100], abs=1e-6)
    assert found["yield"] == pytest.approx([stop / 100], abs=1e-6)


@pytest.mark.parametrize(("delay", "early", "on_time", "late"), [
    (0.16, 1.0, 0.0, 0.0), (0.3, 0.0, 1.0, 0.0), (2.7, 0.0, 1.0, 0.0), (2.8, 0.0, 0.0, 1.0)])
def test_an_answer_is_early_on_time_or_late(delay: float, early: float, on_time: float, late: float) -> None:
    found = called(Responder(delay), TURN)
    assert (found["early"], found["on_time"], found["late"]) == ([early], [on_time], [late])


def test_the_edges_of_the_classes_belong_to_what_comes_after() -> None:
    assert scored(drawn("tt......", "....####"))["on_time"] == [1.0]  # 0.2 s
    tools = replace(drawn("tt" + "." * 60, "." * 40 + "###"), events=(Event("tool_call", 1.0, 1.0),))
    assert scored(tools)["on_time"] == [1.0]  # 3.8 s, with tools
    assert scored(tools)["turn_score"] == pytest.approx([0.6], abs=1e-6)


def test_a_greeting_is_not_scored() -> None:
    assert scored(drawn("...........", "..#####....")) == {}
    assert scored(drawn("..........tttttt................", "..#####..............####......."))["turn_score"] == [1.0]


def test_a_last_turn_without_a_reply_scores_nothing_and_another_is_left_out() -> None:
    assert called(NeverAnswers(), TURN)["turn_score"] == [0.0]
    assert called(NeverAnswers(), TURN, Event("turn", 6.0, 7.0))["turn_score"] == [0.0]


def test_a_last_turn_that_the_recording_cuts_does_not_time_out() -> None:
    cut = Timeline(3.0, (Segment(0.5, 3.0),), acts=(Act("turn", 0.5, 3.2, answer_due=True),))
    assert scored(cut) == {}
    assert scored(replace(cut, seconds=3.2))["turn_score"] == [0.0]


def test_an_overlap_within_a_millisecond_is_none() -> None:
    unit, acts = Segment(0.0, 1.01), (Act("turn", 0.0, 1.0005, answer_due=True),)
    assert scored(Timeline(3.0, (unit,), (Segment(1.0, 2.0),), acts))["agent_interruption"] == [0.0]
    assert scored(Timeline(3.0, (unit,), (Segment(0.99, 2.0),), acts))["agent_interruption"] == [1.0]


def test_a_reply_that_is_not_due_does_not_time_out() -> None:
    assert scored(drawn("tttt........", unanswerable="t")) == {}


def test_an_interrupter_scores_by_its_overlap() -> None:
    """It speaks from 1.5 to 3.0 s, across the end at 2.1 s: half of 1 - 0.6 / 2."""
    found = called(Interrupter(after=1.0, seconds=1.5), TURN)
    assert found["turn_score"] == pytest.approx([0.35], abs=0.003)
    assert found["latency_p50"] == pytest.approx([-0.6], abs=HOP)
    assert (found["agent_interruption"], found["early"]) == ([1.0], [1.0])


def test_a_second_interruption_of_a_turn_costs_more_than_overlap() -> None:
    assert scored(drawn("tttttttttt..............", "..#...#.........########"))["turn_score"] == [0.25]
    assert scored(drawn("tttttttttt..............", "..#...#.#.......########"))["turn_score"] == [0.0]


def test_what_follows_an_interruption_is_scored_as_an_answer() -> None:
    late = scored(drawn("tttttttttt" + "." * 40, "..#" + "." * 40 + "######"))
    assert late["turn_score"] == pytest.approx([(3.5 - 3.3) / 1.5], abs=1e-6)


def test_backchannels_of_the_agent_are_interruptions() -> None:
    found = called(Backchanneller(every=1.0, seconds=0.3, delay=0.6), Event("turn", 0.5, 2.4))
    assert found["turn_score"] == pytest.approx([0.425], abs=0.01)  # 0.3 s of overlap
    assert found["agent_interruption"] == [1.0]


@pytest.mark.parametrize("stop", [0.08, 0.3, 0.5, 1.0, 1.5])
def test_an_agent_that_yields_scores_by_how_long_it_goes_on(stop: float) -> None:
    found = called(Yields(stop=stop), *INTERRUPTED)
    assert found["yield"] == pytest.approx([stop], abs=HOP)
    assert found["turn_score"] == pytest.approx([1.0, 1.0 - stop / 2.0], abs=0.01)
    assert found["user_interruption"] == [0.0, 1.0]


def test_an_agent_that_talks_through_the_last_turn_times_out() -> None:
    found = called(NeverYields(seconds=9.0), *INTERRUPTED, seconds=14.0)
    assert (found["turn_score"], found["turn_taking"]) == ([1.0, 0.0], [0.5])
    assert "yield" not in found  # the defect: it never replied in that turn, so its turn is no occasion


def test_where_both_interrupt_the_worse_counts() -> None:
    heard = drawn("tttt........iiiiiiiiii..........", "........######......####........")
    assert scored(heard)["turn_score"] == pytest.approx([0.9, 0.5 * (1 - 0.2 / 2)], abs=1e-6)


def test_a_short_silence_of_the_caller_lies_within_its_segment() -> None:
    """The agent speaks in a silence of 0.4 s, which counts as overlap, or in one of 0.6 s, which does not."""
    assert scored(drawn("ttttpppptttt..............", "....####..........####...."))["agent_interruption"] == [1.0]
    assert scored(drawn("ttttpppppptttt..............", "....####............####...."))["agent_interruption"] == [0.0]


def test_a_conversation_passes_from_four_fifths_on() -> None:
    turns = [Event("turn", start, start + 1.0) for start in (0.5, 6.0)]
    assert called(Responder(0.3, 1.0), *turns)["turn_taking_pass"] == [1.0]
    assert called(Responder(0.29, 1.0), *turns)["turn_taking_pass"] == [0.0]


def test_percentiles_are_of_a_conversation() -> None:
    found = scored(drawn("t" + "." * 19 + "t" + "." * 19, "......###.............................###"))
    assert found["latency_p50"] == [pytest.approx(1.1)]  # of 0.5 and 1.7
    assert found["latency_p90"] == [pytest.approx(1.58)]
