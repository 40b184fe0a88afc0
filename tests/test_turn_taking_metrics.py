"""What two parties do with the time, counted by hand."""

import pytest
from drawing import drawn

from eval.metrics.occasions import Observation
from eval.metrics.turn_taking import (
    floor_transfer_below_zero,
    floor_transfers,
    lengths,
    parts,
    per_minute,
    talk_share,
)
from eval.timeline import Segment, Timeline

TALK = drawn("##########...####............####............",
             "....................########....#############")  # ten characters a second


def test_counts_and_seconds_are_per_minute() -> None:
    found = {observation.metric: observation for observation in per_minute(TALK)}
    assert {name: observation.value for name, observation in found.items()} == {
        "ipus": 5.0, "ipu_seconds": 3.9, "pauses": 1.0, "pause_seconds": 0.3, "gaps": 2.0, "gap_seconds": 0.4,
        "overlaps": 1.0, "overlap_seconds": 0.1, "turns": 2.0}  # the short units in between pass for backchannels
    assert {observation.per for observation in found.values()} == {4.5 / 60}


def test_a_conversation_is_counted_in_parts_of_about_a_minute() -> None:
    long = Timeline(150.0, user=tuple(Segment(start, start + 1.0) for start in range(0, 150, 10)))
    assert parts(long) == [(0.0, 75.0), (75.0, 150.0)]
    assert parts(Timeline(20.0)) == [(0.0, 20.0)] and parts(Timeline(0.0)) == []
    assert [observation.value for observation in per_minute(long) if observation.metric == "ipus"] == [8.0, 7.0]


def test_the_talk_share_is_the_agents_part_of_the_speech() -> None:
    assert talk_share(TALK) == [Observation("talk_share", 0.0, 2.1, per=3.9)]
    assert talk_share(drawn("......", "......")) == []


def test_lengths_are_the_agents_and_between_the_two() -> None:
    found = [(observation.metric, observation.value) for observation in lengths(TALK)]
    assert found == [("ipu_length", 0.8), ("ipu_length", 1.3), ("gap_length", 0.3), ("gap_length", 0.1),
                     ("overlap_length", 0.1)]


def test_transfers_are_signed_and_of_both_parties() -> None:
    timeline = drawn("##############.............#############............",
                     "................############............############")
    assert floor_transfers(timeline) == [
        Observation("floor_transfer", 1.6, 0.2), Observation("caller_transfer", 2.7, -0.1),
        Observation("floor_transfer", 4.0, 0.0)]
    assert [found.value for found in floor_transfer_below_zero(timeline)] == [0.0, 0.0]


def test_an_agent_that_begins_in_overlap_has_a_negative_offset() -> None:
    timeline = drawn("####################......", "...............###########")
    assert floor_transfers(timeline) == [Observation("floor_transfer", 1.5, -0.5)]
    assert [found.value for found in floor_transfer_below_zero(timeline)] == [1.0]


def test_two_who_never_meet_have_no_transfer() -> None:
    assert floor_transfers(drawn("######......", "............")) == []
    assert lengths(drawn("######......", "............")) == []
    assert per_minute(Timeline(0.0)) == []
    assert talk_share(drawn("....##", "......"))[0].value == pytest.approx(0.0)
