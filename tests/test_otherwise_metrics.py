"""What an agent did because of the caller, and what it would have done anyway."""

import pytest
from drawing import drawn

from duplex.frame import Word
from eval.metrics.aside import continues, stop_excess
from eval.metrics.interruption import recovery_rate, stale_talk, stop_latency, yield_excess, yield_rate
from eval.metrics.occasions import Observation
from eval.timeline import Timeline

INTERRUPTED = "..........iiiiiiii" + 30 * "."  # from 1.0 to 1.8 s
QUIET = 48 * "."


def anyway(agent: str, words: str = "") -> dict[float, Timeline]:
    return {1.0: drawn(QUIET, agent, words)}


TALKS_ON = anyway(40 * "#")
ENDS_SOON = anyway("#############")


def test_a_stop_that_would_have_come_anyway_is_no_yield() -> None:
    stops = drawn(INTERRUPTED, "#############", without=anyway("#################"))  # at 1.3; else at 1.7 s
    assert yield_excess(stops) == [Observation("yield_excess", 1.0, 0.0, per=0.0)]


def test_a_stop_that_would_not_have_come_is_a_yield() -> None:
    stops = drawn(INTERRUPTED, "#############", without=TALKS_ON)
    assert yield_excess(stops) == [Observation("yield_excess", 1.0, 1.0, per=1.0)]


def test_talking_on_is_no_yield() -> None:
    assert yield_excess(drawn(INTERRUPTED, 40 * "#", without=TALKS_ON)) == [Observation("yield_excess", 1.0, 0.0, per=1.0)]


def test_an_interruption_that_prolongs_counts_against_the_agent() -> None:
    prolonged = drawn(INTERRUPTED, 40 * "#", without=ENDS_SOON)
    assert yield_excess(prolonged) == [Observation("yield_excess", 1.0, -1.0, per=0.0)]


def test_without_the_other_conversation_nothing_is_known() -> None:
    assert yield_excess(drawn(INTERRUPTED, "#############")) == []
    assert stale_talk(drawn(INTERRUPTED, "#############")) == []


@pytest.mark.parametrize(("ends", "eligible"), [(14, False), (15, True)])
def test_an_agent_about_to_end_is_not_interrupted(ends: int, eligible: bool) -> None:
    timeline = drawn(INTERRUPTED, "#############", without=anyway(ends * "#"))
    assert (len(stop_latency(timeline)) == 1) is (len(yield_rate(timeline)) == 3) is eligible


def test_who_goes_on_with_what_it_was_saying_is_stale() -> None:
    meant = anyway(40 * "#", ".........a.b.c.d.e.f")
    stale = drawn(INTERRUPTED, "#############......#########", "...................b.c.d.e.f", without=meant)
    fresh = drawn(INTERRUPTED, "#############......#########", "...................b.c.d.x.f", without=meant)
    assert [found.value for found in stale_talk(stale)] == [1.0]
    assert [found.value for found in stale_talk(fresh)] == [0.0]


def test_words_before_the_interruption_are_not_stale() -> None:
    meant = anyway(40 * "#", "a.b.c.d...e")
    again = drawn(INTERRUPTED, "#############......#########", "...................a.b.c.d", without=meant)
    assert stale_talk(again) == []  # fewer than four words were still to come


def test_an_answer_followed_by_stale_talk_is_no_recovery() -> None:
    interrupted = {"i": ("nine",)}
    meant = anyway(40 * "#", ".........a.b.c.d.e.f")
    said = "....................nine.b.c.d.e"
    stale = drawn(INTERRUPTED, "#############.......#############", said, expects=interrupted, without=meant)
    fresh = drawn(INTERRUPTED, "#############.......#############", "....................nine", expects=interrupted,
                  without=meant)
    assert [found.value for found in recovery_rate(stale)] == [0.0]
    assert [found.value for found in recovery_rate(fresh)] == [1.0]


ASIDE = "..........bb" + 36 * "."


def test_a_stop_at_a_backchannel_counts_only_if_it_would_not_have_come() -> None:
    stops = drawn(ASIDE, "###############", without=TALKS_ON)
    natural = drawn(ASIDE, "###############", without=anyway("###############"))
    assert stop_excess(stops) == [Observation("backchannel_stop_excess", 1.0, 1.0, per=1.0)]
    assert stop_excess(natural) == [Observation("backchannel_stop_excess", 1.0, 0.0, per=0.0)]
    assert [found.value for found in continues(stops)] == [0.0]
    assert [found.value for found in continues(natural)] == [1.0]


def test_a_breath_held_over_a_backchannel_still_ends_where_it_would_have() -> None:
    held = drawn(ASIDE, "################", without=anyway("###############"))
    earlier = drawn(ASIDE, "#############", without=anyway("###############"))
    assert [found.value for found in continues(held)] == [1.0]
    assert [found.value for found in continues(earlier)] == [0.0]


def test_words_are_compared_as_they_sound() -> None:
    other = Timeline(5.0, agent=drawn("", 40 * "#").agent,
                     words=tuple(Word(text, 1.0 + index / 10, 1.1) for index, text in enumerate(["we", "have", "44", "left"])))
    timeline = drawn(INTERRUPTED, "#############......#########", "...................we.have.forty.four.left",
                     without={1.0: other})
    assert [found.value for found in stale_talk(timeline)] == [1.0]
