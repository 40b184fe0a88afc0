"""The events of voice activity projection in timelines given as times, and on agents of exact behaviour."""

import pytest
from test_known_answers import conversation

from duplex.agents.simple import Backchanneller, NeverAnswers, Responder
from duplex.frame import Event
from duplex.recording import AGENT, USER
from eval.activity import Segment
from eval.compat.vap import MEASURES, METRICS, VapEvent, events
from eval.metrics.occasions import Observation
from eval.timeline import Timeline, timeline

Spans = list[tuple[float, float]]


def heard(user: Spans, agent: Spans | None = None, seconds: float = 15.0) -> Timeline:
    return Timeline(seconds, tuple(Segment(*span) for span in user), tuple(Segment(*span) for span in agent or ()))


def found(kind: str, of: Timeline) -> list[VapEvent]:
    return [event for event in events(of) if event.kind == kind]


def spans(kind: str, of: Timeline) -> list[tuple[int, float, float]]:
    return [(event.party, event.start, event.end) for event in found(kind, of)]


def measured(of: Timeline) -> dict[str, list[Observation]]:
    values: dict[str, list[Observation]] = {}
    for observation in (observation for measure in MEASURES for observation in measure(of)):
        values.setdefault(observation.metric.removeprefix("vap_"), []).append(observation)
    return values


def test_shift_hold_and_silence_too_short_of_the_notes() -> None:
    """Vector 6 of the notes."""
    shift, hold, short = heard([(0, 5)], [(5.5, 8)]), heard([(0, 5), (5.5, 8)]), heard([(0, 5)], [(5.2, 8)])
    assert spans("shift", shift) == [(AGENT, 5.0, 5.5)] and not found("hold", shift)
    assert spans("hold", hold) == [(USER, 5.0, 5.5)] and not found("shift", hold)
    assert not found("shift", short) and not found("hold", short)


def test_the_backchannel_of_the_notes() -> None:
    """Vector 6 of the notes: 1.0 s of its own silence on both sides, within the other's speech."""
    assert spans("short", heard([(0, 12)], [(6, 6.6)])) == [(AGENT, 6.0, 6.6)]
    assert not found("short", heard([(0, 12)], [(4, 5.1), (6, 6.6)]))
    assert not found("short", heard([(0, 12)], [(6, 7.1)]))


def test_the_silence_of_a_shift_lasts_a_quarter_of_a_second() -> None:
    assert not found("shift", heard([(0, 5)], [(5.24, 8)]))
    assert spans("shift", heard([(0, 5)], [(5.26, 8)])) == [(AGENT, 5.0, 5.26)]


def test_regions_of_a_shift() -> None:
    assert {event.kind: event.region for event in events(heard([(0, 5)], [(5.5, 8)]))} == {
        "before_shift": (4.5, 5.0), "shift": (5.05, 5.25), "long": (5.5, 5.7)}


def test_regions_of_a_backchannel_and_negatives_around_it() -> None:
    """Speech alone counts from 1.0 s after its start, and after the context of 3 s, until 2.0 s before its end."""
    rows = events(heard([(0, 12)], [(6, 6.6)]))
    assert [(event.kind, event.party, event.region) for event in rows] == [
        ("negative", USER, (3.0, 4.0)), ("before_short", AGENT, (5.5, 6.0)), ("short", AGENT, (6.0, 6.2)),
        ("negative", USER, (7.6, 10.0))]


def test_a_negative_is_at_least_as_long_as_a_prediction() -> None:
    assert found("negative", heard([(0, 5.5)]))[0].region == (3.0, 3.5)
    assert not found("negative", heard([(0, 5.48)]))


def test_long_speech_is_what_follows_a_shift_to_its_end() -> None:
    assert spans("long", heard([(0, 5)], [(5.5, 8), (8.4, 10)])) == [(AGENT, 5.5, 10.0)]


def test_nothing_counts_in_the_first_three_seconds() -> None:
    assert not found("shift", heard([(0, 2.98)], [(3.5, 6)]))
    assert found("shift", heard([(0, 3)], [(3.5, 6)]))
    assert not found("short", heard([], [(2.9, 3.4)]))
    assert found("short", heard([], [(3.0, 3.5)]))


def test_a_second_of_one_party_alone_is_wanted_on_both_sides() -> None:
    assert not found("shift", heard([(0, 3), (4.2, 5)], [(3.2, 4), (5.5, 8)]))  # 0.8 s before
    assert not found("shift", heard([(0, 5)], [(3.5, 4.5), (5.5, 8)]))  # not alone before
    assert not found("shift", heard([(0, 5), (6.4, 7)], [(5.5, 8)]))  # 0.9 s alone after
    assert not found("shift", heard([(0, 5)], [(5.5, 6.4)], seconds=6.4))  # the recording ends


def test_pauses_are_filled_in_the_context() -> None:
    user = [(0, 4), (4.6, 5)]
    assert spans("shift", heard(user, [(5.5, 5.8), (6.1, 8)])) == [(AGENT, 5.0, 5.5)]
    assert not found("shift", heard(user, [(4.2, 4.4), (5.5, 8)]))  # the other spoke in it: no pause


def test_a_pause_is_filled_however_long_it_is() -> None:
    """The defect: half a second before seven of silence passes for long speech, and for a backchannel too."""
    of = heard([(0, 5)], [(5.5, 6), (13, 14)])
    assert spans("shift", of) == [(AGENT, 5.0, 5.5)]
    assert spans("short", of)[0] == (AGENT, 5.5, 6.0)


def test_a_silence_beside_double_talk_is_neither() -> None:
    assert not found("shift", heard([(0, 5)], [(4.8, 5), (5.5, 8)])) and not found("hold", heard([(0, 5)], [(4.8, 5)]))


def test_a_backchannel_is_one_only_if_its_silence_is_seen() -> None:
    assert not found("short", heard([], [(6, 6.6)], seconds=7.5))
    assert found("short", heard([], [(6, 6.6)], seconds=7.6))


def test_counts_are_per_minute_of_what_follows_the_context() -> None:
    """Of 33 s, 30 count."""
    values = measured(heard([(0, 5), (6.5, 7), (20, 22), (22.5, 25)], [(5.5, 8), (26, 26.5)], seconds=33.0))
    counts = {name: [(one.value, one.per) for one in found] for name, found in values.items() if "shift_" not in name}
    assert counts == {"agent_shifts": [(1.0, 0.5)], "caller_shifts": [(1.0, 0.5)],
                      "agent_holds": [(0.0, 0.5)], "caller_holds": [(1.0, 0.5)],
                      "agent_backchannels": [(1.0, 0.5)], "caller_backchannels": [(1.0, 0.5)]}


def test_a_conversation_within_the_context_has_no_rate() -> None:
    assert not measured(heard([(0, 1)], seconds=3.0))


def test_shares_are_by_whose_speech_the_silence_follows() -> None:
    values = measured(heard([(0, 4), (4.5, 6), (10, 12)], [(6.5, 9)], seconds=15.0))
    assert [one.value for one in values["shift_after_caller"]] == [0.0, 1.0]
    assert [one.value for one in values["shift_after_agent"]] == [1.0]


def test_every_metric_is_measured_under_its_name() -> None:
    values = measured(heard([(0, 4), (4.5, 6), (10, 12)], [(6.5, 9)], seconds=15.0))
    assert {f"vap_{name}" for name in values} == {metric.name for metric in METRICS}
    assert {metric.family for metric in METRICS} == {"VAP events"}


@pytest.mark.parametrize("delay", [0.3, 0.5, 0.777, 1.2345, 2.0])
def test_a_responder_is_a_shift_after_its_delay(delay: float) -> None:
    of = timeline(conversation(Responder(delay), Event("turn", 0.5, 4.0), seconds=8.0))
    (party, start, end), = spans("shift", of)
    assert (party, start) == (AGENT, 4.0)
    assert end == pytest.approx(4.0 + delay, abs=0.02 + 1e-9)  # a cell of the grid
    assert [one.value for one in measured(of)["shift_after_caller"]] == [1.0]


@pytest.mark.parametrize("delay", [0.1, 0.2, 0.24])
def test_a_quick_responder_makes_no_shift(delay: float) -> None:
    """The rule wants 0.25 s of silence, more than half of people's transfers leave."""
    assert not found("shift", timeline(conversation(Responder(delay), Event("turn", 0.5, 4.0), seconds=8.0)))


def test_silence_of_the_agent_is_all_holds() -> None:
    of = timeline(conversation(NeverAnswers(), Event("turn", 0.5, 7.0), Event("pause", 4.0, 4.8), seconds=9.0))
    assert spans("hold", of) == [(USER, 4.0, 4.8)]
    assert [one.value for one in measured(of)["shift_after_caller"]] == [0.0]


def test_backchannels_of_the_agent_are_short() -> None:
    agent = Backchanneller(every=3.0, seconds=0.4, delay=0.6)
    of = timeline(conversation(agent, Event("turn", 0.5, 9.0), seconds=12.0))
    assert [(party, start) for party, start, _ in spans("short", of)] == [(AGENT, 3.5), (AGENT, 6.5)]
