"""The agent's own backchannels, and the floor it takes."""

import pytest
from drawing import drawn

from duplex.recording import moment
from eval.metrics.agent_backchannel import agent_backchannels, backchannel_timing, floor_theft
from eval.metrics.occasions import Observation
from eval.timeline import Timeline

LONG = 40 * "t" + 20 * "."


def timing(timeline: Timeline) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for observation in backchannel_timing(timeline):
        found.setdefault(observation.metric, []).append(observation.value)
    return found


def test_backchannels_are_counted_per_minute_of_the_callers_turn() -> None:
    timeline = drawn(LONG, "............###............####.............######")
    assert agent_backchannels(timeline) == [Observation("agent_backchannels", 0.0, 2.0, per=moment(4.0 / 60))]
    assert floor_theft(timeline) == [Observation("floor_theft", 0.0, 0.0, per=moment(4.0 / 60))]


def test_long_speech_into_a_turn_takes_the_floor() -> None:
    timeline = drawn(LONG, "............###############")
    assert [found.value for found in agent_backchannels(timeline)] == [0.0]
    assert [found.value for found in floor_theft(timeline)] == [1.0]


def test_two_short_units_close_together_are_no_backchannels() -> None:
    timeline = drawn(LONG, "............###.....###")
    assert [found.value for found in agent_backchannels(timeline)] == [0.0]
    assert [found.value for found in floor_theft(timeline)] == [2.0]
    assert [found.value for found in agent_backchannels(drawn(LONG, "............###........###"))] == [2.0]


def test_who_begins_just_before_the_end_takes_nothing() -> None:
    assert [found.value for found in floor_theft(drawn(LONG, 38 * "." + 15 * "#"))] == [0.0]
    assert [found.value for found in floor_theft(drawn(LONG, 37 * "." + 15 * "#"))] == [1.0]


def test_a_backchannel_at_an_opportunity_is_precise() -> None:
    turn = "tttttttttotttttttttttttttttttotttttttttt" + 20 * "."  # opportunities at 0.9 and 2.9 s
    found = timing(drawn(turn, "............###......................."))
    assert found["backchannel_precision"] == [1.0]
    assert found["backchannel_recall"] == [1.0, 0.0]
    assert found["backchannel_skill"] == [pytest.approx(1.0 - 2.0 / 4.0)]  # half of the turn lies near an opportunity


def test_a_backchannel_elsewhere_is_worse_than_chance() -> None:
    turn = "tttttttttotttttttttttttttttttttttttttttt" + 20 * "."
    found = timing(drawn(turn, "....................###................"))
    assert found == {"backchannel_precision": [0.0], "backchannel_recall": [0.0], "backchannel_skill": [-0.25]}


def test_an_opportunity_is_met_once() -> None:
    turn = "ttttttttttttottttttttttttttttttttttttttt" + 20 * "."  # at 1.2 s
    found = timing(drawn(turn, "........#........#......................"))
    assert found["backchannel_precision"] == [1.0, 0.0]


def test_a_pause_is_an_opportunity() -> None:
    turn = "tttttttttttttttppppptttttttttttttttttttt" + 20 * "."
    assert timing(drawn(turn, "................##......................"))["backchannel_recall"] == [1.0]


def test_saying_more_buys_nothing() -> None:
    """With a backchannel every 0.9 s every opportunity is met, and the skill is that of chance at most."""
    turn = "tttttttttttttttttttottttttttttttttttttttttttttttttttttttttttttt" + 20 * "."
    often = ("##" + 8 * ".") * 6
    found = timing(drawn(turn, often))
    assert found["backchannel_recall"] == [1.0]
    assert found["backchannel_skill"][0] <= 0.05


def test_a_turn_without_opportunities_measures_no_timing() -> None:
    assert timing(drawn(LONG, "............###.......................")) == {}
