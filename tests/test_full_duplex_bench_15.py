"""Full-Duplex-Bench v1.5 by its own rules: times of each overlap, and its tags told without a judge."""

from dataclasses import replace

import pytest
from drawing import drawn

from eval.activity import Segment
from eval.compat.full_duplex_bench_15 import (
    MEASURES,
    METRICS,
    TAGS,
    behaviour,
    intersections,
    merged,
    response_latencies,
    timing,
)
from eval.timeline import Timeline

USER = "ttttt" + "." * 20 + "iiiiiiiiii" + "." * 25  # interrupted at 2.5-3.5 s
ASIDE = "ttttt" + "." * 20 + "bbb" + "." * 32


def times(timeline: Timeline) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for one in timing(timeline):
        found.setdefault(one.metric.removeprefix("fdb15_"), []).append(one.value)
    return found


def tag(timeline: Timeline) -> str:
    """The one tag of the one act."""
    found = {one.metric.rpartition("_")[2]: one.value for one in behaviour(timeline)}
    assert set(found) == set(TAGS) and sum(found.values()) == 1.0
    return max(found, key=lambda name: found[name])


def test_an_agent_that_yields_and_answers() -> None:
    timeline = drawn(user=USER, agent="." * 10 + "#" * 18 + "." * 12 + "#" * 20)
    assert times(timeline) == {"interruption_stop": [0.3], "interruption_response": [0.5]}


def test_an_agent_that_talks_through_stops_when_the_user_does() -> None:
    assert times(drawn(user=USER, agent="." * 10 + "#" * 50)) == {"interruption_stop": [1.0]}


def test_the_answer_to_the_first_turn_is_not_the_overlaps() -> None:
    timeline = drawn(user=USER, agent="." * 10 + "#" * 10 + "." * 40)
    assert times(timeline) == {}  # whole files have a response of 0.5 s here


def test_short_gaps_are_filled() -> None:
    assert merged([Segment(0.0, 1.0), Segment(1.5, 2.0), Segment(2.6, 3.0)], 0.5) == [Segment(0.0, 2.0), Segment(2.6, 3.0)]
    timeline = drawn(user=USER, agent="." * 10 + "#" * 17 + "." * 5 + "#" * 28)
    assert times(timeline)["interruption_stop"] == [1.0]  # half a second of silence is none


def test_every_meeting_of_two_spans_is_one() -> None:
    assert intersections([Segment(1.0, 4.0)], [Segment(0.0, 1.5), Segment(3.0, 5.0), Segment(6.0, 7.0)]) == [
        Segment(1.0, 1.5), Segment(3.0, 4.0)]


def test_of_two_ends_with_the_same_answer_the_later_has_it() -> None:
    user, agent = [Segment(0.0, 1.0), Segment(2.0, 3.0)], [Segment(3.0, 3.2), Segment(3.5, 4.0)]
    assert response_latencies(user, agent) == {Segment(0.0, 1.0): 2.0, Segment(2.0, 3.0): 0.5}  # strictly later than 3.0
    assert response_latencies(user, agent[1:]) == {Segment(2.0, 3.0): 0.5}


@pytest.mark.parametrize(("agent", "words", "wanted"), [
    ("." * 10 + "#" * 17 + "." * 13 + "#" * 20, "." * 40 + "we have free parking", "respond"),
    ("." * 10 + "#" * 50, "." * 40 + "we have free parking", "respond"),  # it never stopped, but it answers
    ("." * 10 + "#" * 50, "." * 40 + "and glasses cost a lot", "continue"),
    ("." * 10 + "#" * 17 + "." * 13 + "#" * 20, "." * 40 + "sorry i didn't catch that", "uncertain"),
    ("." * 10 + "#" * 17 + "." * 13 + "#" * 20, "." * 40 + "and glasses cost a lot", "unknown"),
    ("." * 10 + "#" * 17 + "." * 33, "", "unknown"),
    ("." * 60, "", "unknown"),
])
def test_an_interruption_is_tagged(agent: str, words: str, wanted: str) -> None:
    assert tag(drawn(user=USER, agent=agent, words=words, expects={"i": ("free parking",)})) == wanted


@pytest.mark.parametrize(("agent", "words", "wanted"), [
    ("." * 10 + "#" * 50, "." * 40 + "thirty five dollars", "continue"),
    ("." * 10 + "#" * 17 + "." * 13 + "#" * 20, "." * 40 + "thirty five dollars", "resume"),
    ("." * 10 + "#" * 17 + "." * 13 + "#" * 20, "." * 40 + "pardon", "uncertain"),
    ("." * 10 + "#" * 17 + "." * 13 + "#" * 20, "." * 40 + "pardon thirty five dollars", "uncertain"),  # what comes first
    ("." * 10 + "#" * 17 + "." * 13 + "#" * 20, "." * 40 + "you are welcome", "unknown"),
    ("." * 10 + "#" * 17 + "." * 33, "", "unknown"),
])
def test_an_aside_is_tagged(agent: str, words: str, wanted: str) -> None:
    assert tag(drawn(user=ASIDE, agent=agent, words=words, expects={"b": ("thirty five dollars",)})) == wanted


def test_the_same_conversation_without_the_aside_tells_what_was_left_to_say() -> None:
    timeline = drawn(user=ASIDE, agent="." * 10 + "#" * 17 + "." * 13 + "#" * 20, words="." * 40 + "it is free on sundays")
    without = drawn(user="ttttt", agent="." * 10 + "#" * 50, words="." * 26 + "and it is free on sundays only")
    assert behaviour(timeline) == []  # nothing tells
    assert tag(replace(timeline, without={2.5: without})) == "resume"


def test_an_interruption_that_expects_nothing_cannot_be_judged() -> None:
    assert behaviour(drawn(user=USER, agent="." * 10 + "#" * 50)) == []


def test_every_number_is_in_the_catalogue() -> None:
    timeline = drawn(user=USER, agent="." * 10 + "#" * 18 + "." * 12 + "#" * 20, expects={"i": ("yes",)})
    names = {one.metric for measure in MEASURES for one in measure(timeline)}
    assert names == {metric.name for metric in METRICS if metric.name.startswith("fdb15_interruption_")}
    assert {metric.name.split("_", 1)[1].rpartition("_")[0] for metric in METRICS} == {
        "interruption", "backchannel", "side_talk", "background_talk"}
