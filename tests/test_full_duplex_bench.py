"""Full-Duplex-Bench v1 by its own rules: its vectors, and what the same agent is by its rules and by ours."""

import numpy as np
import pytest
from drawing import drawn

from duplex.frame import Word
from eval.activity import Segment
from eval.compat.full_duplex_bench import (
    BACKCHANNEL,
    DISTRIBUTION,
    MEASURES,
    METRICS,
    PARTNER_LATENCY,
    distance,
    distance_by_chance,
    histogram,
    jensen_shannon,
    listened,
    takes_over,
    with_facts,
)
from eval.metrics.occasions import Observation
from eval.metrics.switch import switch_latency
from eval.timeline import OPPORTUNITY, Act, Timeline

SEVEN = np.array([1.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0])


def numbers(timeline: Timeline, **facts: object) -> dict[str, list[float]]:
    """Values by metric, without the family's prefix."""
    found: dict[str, list[float]] = {}
    for one in [observation for measure in MEASURES for observation in measure(timeline)] + with_facts(timeline, facts):
        found.setdefault(one.metric.removeprefix("fdb1_"), []).append(one.value)
    return found


def said(count: int, seconds: float, start: float = 1.0) -> list[Word]:
    """`count` words that fill `seconds`."""
    edges = np.linspace(start, start + seconds, count + 1)
    return [Word("so", first, last) for first, last in zip(edges[:-1], edges[1:], strict=True)]


@pytest.mark.parametrize(("words", "takes"), [
    ([], False), (said(3, 0.9), False), (said(4, 0.9), True), (said(1, 1.0), True), (said(1, 0.99), False),
    ([Word("uh", 1.0, 1.2), Word("huh", 4.0, 4.2)], True),  # two words, but from the first's onset to the last's end
])
def test_the_take_over_rule(words: list[Word], takes: bool) -> None:
    """Vector 1 of the notes."""
    assert takes_over(words) is takes


def test_an_answer_is_measured_as_by_our_rule() -> None:
    timeline = drawn(user="ttttttttt...............", agent="............###########.", words="............yes we do so")
    assert numbers(timeline) == {"turn_tor": [1.0], "latency": [0.3], "clamped_share": [0.0]}
    assert [one.value for one in switch_latency(timeline)] == [0.3]


def test_an_answer_three_seconds_early_is_clamped_to_nothing() -> None:
    timeline = drawn(user="." * 5 + "t" * 40 + "." * 15, agent="." * 15 + "#" * 40 + "." * 5)
    assert numbers(timeline) == {"turn_tor": [1.0], "latency": [0.0], "clamped_share": [1.0]}
    assert [one.value for one in switch_latency(timeline)] == [-3.0]


def test_silence_has_no_latency() -> None:
    assert numbers(drawn(user="tttt" + "." * 20)) == {"turn_tor": [0.0]}


def test_a_greeting_counts_as_the_answer() -> None:
    timeline = drawn(user="............tttttttt" + "." * 30, words="hello and welcome to us")
    assert numbers(timeline) == {"turn_tor": [1.0], "latency": [0.0], "clamped_share": [1.0]}


def test_a_short_answer_is_no_take_over() -> None:
    assert numbers(drawn(user="tttt" + "." * 20, words=".....no")) == {"turn_tor": [0.0]}


def test_each_turn_of_a_call_has_its_own_stretch() -> None:
    """The answer to the first turn is not one to the second, though the whole file would say so."""
    timeline = drawn(user="ttt..................ttt...................", agent=".....############..........................")
    assert numbers(timeline) == {"turn_tor": [1.0, 0.0], "latency": [0.2], "clamped_share": [0.0]}


def test_units_stand_for_words_where_nobody_knows_any() -> None:
    assert numbers(drawn(user="ttt" + "." * 20, agent="....#########.........."))["turn_tor"] == [0.0]  # 0.9 s
    assert numbers(drawn(user="ttt" + "." * 20, agent="....##########........."))["turn_tor"] == [1.0]  # 1.0 s
    words = "....a.b.c.d.........."
    assert numbers(drawn(user="ttt" + "." * 20, agent="....########...", words=words))["turn_tor"] == [1.0]


PAUSED = "....tttttttppppppptttttttt"


@pytest.mark.parametrize(("agent", "taken"), [
    ("..........................############", 0.0),  # after the turn, where its clips have ended
    (".............############.............", 1.0),
    ("############..........................", 1.0),  # a greeting, long before the pause
    (".............#####....................", 0.0),  # half a second is a backchannel, whatever it says
])
def test_anything_said_during_a_turn_with_a_pause_is_a_take_over(agent: str, taken: float) -> None:
    assert numbers(drawn(user=PAUSED + "." * 12, agent=agent)) == {"pause_tor": [taken]}


def test_a_clip_with_a_pause_is_heard_to_its_end() -> None:
    timeline = drawn(user=PAUSED + "." * 12, agent="." * 26 + "#" * 12, unanswerable="t")
    assert numbers(timeline) == {"pause_tor": [1.0]}


INTERRUPTED = "ttttt" + "." * 20 + "iiiiiiiiii" + "." * 25


def interrupted(agent: str) -> dict[str, list[float]]:
    """Of a call whose first turn is no occasion."""
    return numbers(drawn(user=INTERRUPTED, agent=agent, unanswerable="t"))


def test_an_agent_that_talks_through_an_interruption_answers_it_at_once() -> None:
    found = interrupted("." * 10 + "#" * 50)
    assert found == {"interruption_tor": [1.0], "interruption_latency": [0.0], "talked_through_share": [1.0]}


def test_an_agent_that_yields_and_answers_has_its_latency() -> None:
    found = interrupted("." * 10 + "#" * 18 + "." * 12 + "#" * 20)
    assert found == {"interruption_tor": [1.0], "interruption_latency": [0.5], "talked_through_share": [0.0]}


def test_an_agent_that_yields_and_says_no_more_does_not_take_over() -> None:
    assert interrupted("." * 10 + "#" * 18 + "." * 32) == {"interruption_tor": [0.0]}


def test_a_word_that_is_being_said_when_the_file_is_cut_begins_there() -> None:
    words = "." * 34 + "parking is free " + "." * 10
    assert numbers(drawn(user=INTERRUPTED, words=words, unanswerable="t"))["interruption_latency"] == [0.0]


def listening(*units: tuple[float, float], seconds: float = 10.0, words: tuple[Word, ...] = ()) -> Timeline:
    return Timeline(seconds, agent=tuple(Segment(*unit) for unit in units), acts=(Act("turn", 0.0, seconds),), words=words)


def test_the_last_segment_decides_whether_a_listener_took_the_floor() -> None:
    assert listened(listening((1.0, 3.5), (5.0, 5.4)), 0.0, 10.0)[0] is False
    assert listened(listening((1.0, 1.4), (5.0, 7.5)), 0.0, 10.0)[0] is True


def test_a_long_segment_ends_the_count() -> None:
    assert listened(listening((1.0, 1.4), (2.0, 5.1), (6.0, 6.4)), 0.0, 10.0) == (True, [Segment(1.0, 1.4)])


@pytest.mark.parametrize(("count", "took"), [(2, False), (3, True)])
def test_a_short_segment_of_three_words_takes_the_floor(count: int, took: bool) -> None:
    timeline = listening((1.0, 1.9), words=tuple(said(count, 0.9)))
    assert listened(timeline, 0.0, 10.0)[0] is took


def test_segments_are_counted_per_second_of_a_clip() -> None:
    found = numbers(listening((1.0, 1.4), (5.0, 5.4), seconds=20.0), category=BACKCHANNEL)
    assert found == {"backchannel_tor": [0.0], "backchannel_freq": [0.1]}


def test_of_our_own_calls_turns_with_opportunities_are_listened_to() -> None:
    turn, mark = Act("turn", 2.0, 6.0, answer_due=True), Act(OPPORTUNITY, 4.0, 4.0)
    timeline = Timeline(12.0, agent=(Segment(3.0, 3.4), Segment(7.0, 9.0)), acts=(turn, mark))
    assert with_facts(timeline, {}) == [
        Observation("fdb1_backchannel_tor", 2.0, 0.0), Observation("fdb1_backchannel_freq", 2.0, 1 / 6.0)]
    assert with_facts(Timeline(12.0, agent=timeline.agent, acts=(turn,)), {}) == []


def test_distances_are_those_of_the_notes() -> None:
    """Vector 8: disjoint, identical, and the windows of an event."""
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(0.8326, abs=5e-5)
    assert jensen_shannon(SEVEN, 3.0 * SEVEN) == pytest.approx(0.0, abs=1e-8)
    assert np.flatnonzero(histogram([Segment(0.30, 0.55)], 1.0) > 0.5).tolist() == [1, 2]
    assert len(histogram([], 1.0)) == 6


def test_events_beyond_the_clip_are_dropped() -> None:
    assert histogram([Segment(0.9, 4.0)], 1.0).round().tolist() == [0, 0, 0, 0, 1, 1]


def test_no_event_has_a_distance_out_of_the_range() -> None:
    assert distance([], 1.0, SEVEN) == distance_by_chance([], 1.0, SEVEN) == 1.0


def test_well_timed_events_are_closer_than_chance() -> None:
    people = np.full(100, 1.0)
    people[[20, 50, 80]] = 100.0
    events = [Segment(4.02, 4.1), Segment(10.02, 10.1), Segment(16.02, 16.1)]
    by_chance = distance_by_chance(events, 20.0, people)
    assert distance(events, 20.0, people) < 0.75 * by_chance
    assert by_chance == distance_by_chance(events, 20.0, people)


def test_a_clip_with_a_distribution_has_a_distance_beside_chance() -> None:
    facts = {"category": BACKCHANNEL, DISTRIBUTION: [1.0] * 50}
    found = numbers(listening((0.0, 10.0)), **facts)
    assert found["backchannel_jsd"] == found["backchannel_jsd_chance"] == [1.0]  # one long segment, which is not counted
    assert 0.0 < numbers(listening((1.0, 1.4)), **facts)["backchannel_jsd"][0] < 0.8326


@pytest.mark.parametrize(("annotated", "value"), [(0.39, 0.39), (-0.2, 0.0)])
def test_the_original_partner_has_a_latency_by_the_same_rule(annotated: float, value: float) -> None:
    found = with_facts(drawn(user="ttt......"), {PARTNER_LATENCY: annotated})
    assert found == [Observation("fdb1_partner_latency", 0.3, value)]


def test_every_number_is_in_the_catalogue() -> None:
    timelines = [drawn(user="ttttt" + "." * 14, agent="......#############"), drawn(user=PAUSED),
                 drawn(user=INTERRUPTED, agent="#" * 60)]
    names = {f"fdb1_{name}" for timeline in timelines for name in numbers(timeline)}
    facts = {"category": BACKCHANNEL, DISTRIBUTION: [1.0], PARTNER_LATENCY: 0.1}
    names |= {f"fdb1_{name}" for name in numbers(listening(), **facts)}
    assert names == {metric.name for metric in METRICS}
