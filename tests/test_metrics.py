"""Every metric against answers that can be read off a drawing, 100 ms a character."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from drawing import drawn

from duplex.frame import Event, Word
from duplex.recording import Recording
from eval.metrics import human
from eval.metrics.aside import continues, false_response, kept
from eval.metrics.catalogue import MEASURES, METRICS, metric, observations
from eval.metrics.eligibility import eligibility
from eval.metrics.interruption import (
    double_talk,
    interruption_response,
    recovery_rate,
    recovery_time,
    stop_latency,
    yield_rate,
)
from eval.metrics.occasions import Observation
from eval.metrics.pause import pause_false_start
from eval.metrics.phrases import first_spoken, normalised, occurrences
from eval.metrics.switch import early_rate, response_rate, switch_latency, zones
from eval.timeline import Timeline

NONE: list[float] = []


def values(measure: Callable[[Timeline], list[Observation]], timeline: Timeline, metric: str = "") -> list[float]:
    """What is measured under one name: `metric`, or that of the function where it has some."""
    found = measure(timeline)
    names = {observation.metric for observation in found}
    wanted = metric or (measure.__name__ if measure.__name__ in names else "")
    return [observation.value for observation in found if wanted in ("", observation.metric)]


# the answer to a turn


def test_switch_latency_is_signed() -> None:
    later = drawn("..tttttttt............",
                  ".............####.....")
    early = drawn("..tttttttt............",
                  "......########........")
    assert switch_latency(later) == [Observation("switch_latency", 1.0, 0.3)]
    assert switch_latency(early) == [Observation("switch_latency", 1.0, -0.4)]
    assert values(early_rate, later) == [0.0] and values(early_rate, early) == [1.0]


def test_an_answer_just_before_the_end_is_not_early() -> None:
    assert values(early_rate, drawn("tttttttttt............", "........####")) == [0.0]  # exactly -0.2 s
    assert values(early_rate, drawn("tttttttttt............", ".......#####")) == [1.0]


def test_silence_is_censored_and_unanswered() -> None:
    turn = "tttt" + 60 * "."
    assert switch_latency(drawn(turn)) == [Observation("switch_latency", 0.4, 5.0, censored=True)]
    assert values(response_rate, drawn(turn)) == [0.0]
    assert values(early_rate, drawn(turn)) == [0.0]


def test_an_answer_after_five_seconds_is_none() -> None:
    assert values(response_rate, drawn("tttt", 54 * "." + "####")) == [0.0]
    assert values(response_rate, drawn("tttt", 53 * "." + "####")) == [1.0]


def test_the_wait_ends_with_the_next_claim_of_the_floor() -> None:
    timeline = drawn("tttt............tttt..............",
                     "......................####........")
    assert switch_latency(timeline) == [Observation("switch_latency", 0.4, 1.2, censored=True),
                                        Observation("switch_latency", 2.0, 0.2)]


def test_a_backchannel_of_the_caller_ends_no_wait() -> None:
    assert values(switch_latency, drawn("tttt....bb........", "..............####")) == [1.0]


def test_the_agents_backchannel_is_no_answer() -> None:
    timeline = drawn("tttttttttttt..........",
                     "....##.........###....")
    assert values(switch_latency, timeline) == [0.3]


def test_speech_that_began_before_the_turn_is_no_answer() -> None:
    timeline = drawn(".....tttt............",
                     "..#########...####...")
    assert values(switch_latency, timeline) == [0.5]


def test_a_correction_is_answered_like_a_turn() -> None:
    assert values(switch_latency, drawn("cccc............", "......###.......")) == [0.2]


def test_an_interruption_is_none_of_the_switches() -> None:
    assert values(switch_latency, drawn("iiii............", "......###.......")) == NONE


def test_no_answer_is_due_after_a_goodbye() -> None:
    assert values(response_rate, drawn("tttt...............", unanswerable="t")) == NONE


def test_a_caller_who_goes_on_within_a_second_has_one_turn() -> None:
    unanswered = drawn("tttt.....tttt..............",
                       "................####.......")
    assert switch_latency(unanswered) == [Observation("switch_latency", 1.3, 0.3)]
    answered = drawn("tttt.....tttt..............",
                     "......##........####.......")
    assert values(switch_latency, answered) == [0.2, 0.3]


def test_a_turn_cut_off_by_the_recording_is_no_occasion() -> None:
    assert values(response_rate, drawn("tttt" + 9 * ".")) == NONE
    assert values(response_rate, drawn("tttt" + 9 * ".", "......###....")) == NONE  # nor when it was answered
    assert values(response_rate, drawn("tttt" + 10 * ".")) == [0.0]
    assert switch_latency(drawn("tttt" + 10 * "."))[0].value == 1.0


def test_an_agent_that_hangs_up_did_not_answer() -> None:
    timeline = drawn("tttt...", agent_ended=True)
    assert switch_latency(timeline) == [Observation("switch_latency", 0.4, 5.0, censored=True)]
    assert values(response_rate, timeline) == [0.0]


@pytest.mark.parametrize(("latency", "zone"), [(0, "natural"), (7, "natural"), (8, "slow"), (15, "slow"), (16, "machine")])
def test_zones_split_at_800_and_1500_ms(latency: int, zone: str) -> None:
    found = zones(drawn("tttt" + 60 * ".", "...." + latency * "." + "###"))
    assert {observation.metric: observation.value for observation in found} == {
        f"zone_{name}": float(name == zone) for name in ("natural", "slow", "machine")}


def test_no_answer_is_a_machines() -> None:
    assert [observation.metric for observation in zones(drawn("tttt" + 60 * ".")) if observation.value] == ["zone_machine"]


# pauses


@pytest.mark.parametrize(("agent", "wanted"), [
    ("....................", [0.0]),
    ("......###...........", [1.0]),   # begins 0.1 s into the pause
    (".....####...........", NONE),    # sooner: it was not the pause, and now it cannot begin
    (".....#..............", [0.0]),   # sooner and over
    (".............###....", [1.0]),   # 0.2 s after it
    ("..............##....", [0.0]),   # later
])
def test_a_start_in_a_pause_is_false(agent: str, wanted: list[float]) -> None:
    assert values(pause_false_start, drawn("tttttpppppptttttttt.", agent)) == wanted


def test_each_pause_is_an_occasion() -> None:
    timeline = drawn("ttpppttpppttpppttt.",
                     "........##.........")
    assert values(pause_false_start, timeline) == [0.0, 1.0, 0.0]


# interruptions

INTERRUPTED = "..........iiiiiiiii" + 40 * "."


def test_an_interruption_of_silence_measures_nothing_but_that() -> None:
    timeline = drawn(INTERRUPTED, ".......................####", expects={"i": ("nine",)})
    assert values(eligibility, timeline, "interruption_eligible") == [0.0]
    for measure in (stop_latency, yield_rate, double_talk, interruption_response, recovery_rate, recovery_time):
        assert values(measure, timeline) == NONE


def test_a_yielding_agent() -> None:
    timeline = drawn(INTERRUPTED,
                     ".....########............#######",
                     ".....old.......................nine.oclock", expects={"i": ("nine o'clock",)})
    assert values(eligibility, timeline, "interruption_eligible") == [1.0]
    assert stop_latency(timeline) == [Observation("stop_latency", 1.0, 0.3)]
    assert values(yield_rate, timeline) == [1.0]
    assert values(double_talk, timeline) == [0.3]
    assert interruption_response(timeline) == [Observation("interruption_response", 1.9, 0.6)]
    assert values(recovery_rate, timeline) == [1.0]
    assert recovery_time(timeline) == [Observation("recovery_time", 1.0, 2.1)]


def test_an_agent_that_never_yields() -> None:
    timeline = drawn(INTERRUPTED, "....." + 54 * "#", expects={"i": ("nine",)})
    assert stop_latency(timeline) == [Observation("stop_latency", 1.0, 2.9, censored=True)]  # 2.0 s after its end
    assert values(yield_rate, timeline) == [0.0]
    assert values(double_talk, timeline) == [0.9]
    assert interruption_response(timeline) == [Observation("interruption_response", 1.9, 4.0, censored=True)]
    assert values(recovery_rate, timeline) == [0.0]
    assert recovery_time(timeline) == [Observation("recovery_time", 1.0, 4.9, censored=True)]


def test_a_breath_is_no_stop() -> None:
    timeline = drawn(INTERRUPTED,
                     ".....#######...#######...............####")
    assert values(stop_latency, timeline) == [1.2]
    assert values(yield_rate, timeline) == [0.0]


def test_a_stop_of_400_ms_counts_from_its_beginning() -> None:
    assert values(stop_latency, drawn(INTERRUPTED, ".....#######....#######.............")) == [0.2]


def test_a_stop_after_exactly_a_second_is_in_time() -> None:
    assert values(yield_rate, drawn(INTERRUPTED, ".....###############................")) == [1.0]
    assert values(yield_rate, drawn(INTERRUPTED, ".....################...............")) == [0.0]


def test_a_late_stop_is_censored_two_seconds_after_the_interruption() -> None:
    assert stop_latency(drawn(INTERRUPTED, "....." + 34 * "#"))[0] == Observation("stop_latency", 1.0, 2.9)
    assert stop_latency(drawn(INTERRUPTED, "....." + 35 * "#"))[0] == Observation("stop_latency", 1.0, 2.9, True)


def test_a_stop_the_recording_does_not_show_is_censored() -> None:
    timeline = drawn("..........iii....", ".....#########...")
    assert stop_latency(timeline) == [Observation("stop_latency", 1.0, 0.4, censored=True)]
    hung_up = drawn("..........iii....", ".....#########...", agent_ended=True)
    assert stop_latency(hung_up) == [Observation("stop_latency", 1.0, 0.4)]
    assert values(yield_rate, timeline) == NONE


def test_what_is_resumed_before_the_interruption_ends_is_no_answer() -> None:
    timeline = drawn("..........iiiiiiiiiiiiii.....................",
                     ".....#######.....####........####............")
    assert values(interruption_response, timeline) == [0.5]


def test_an_answer_may_begin_200_ms_before_the_interruption_ends() -> None:
    timeline = drawn("..........iiiiiiiiii.....................",
                     ".....#######......####...................")
    assert values(interruption_response, timeline) == [-0.2]


@pytest.mark.parametrize(("agent", "words", "wanted"), [
    (".....###########............######", "............................nine", 1.0),
    (".....###########............######", "............................ten.", 0.0),   # something else
    (".....###########............######", "..........nine..................", 0.0),   # said before, not in answer
    (".....################.......######", "............................nine", 0.0),   # stopped too late
    (".....###########" + 34 * "." + "####", 50 * "." + "nine", 0.0),                   # answered too late
])
def test_recovery_needs_a_stop_and_a_timely_fitting_answer(agent: str, words: str, wanted: float) -> None:
    assert values(recovery_rate, drawn(INTERRUPTED, agent, words, expects={"i": ("nine",)})) == [wanted]


def test_recovery_is_not_asked_where_no_phrase_is_expected() -> None:
    assert values(recovery_rate, drawn(INTERRUPTED, ".....###########............######")) == NONE
    assert values(recovery_time, drawn(INTERRUPTED, ".....###########............######")) == NONE


def test_what_is_said_after_the_next_turn_recovers_nothing() -> None:
    timeline = drawn("..........iiiiiiiii................tttt...........",
                     ".....###########......####..............####.....",
                     "......................well..............nine.....", expects={"i": ("nine",)})
    assert values(recovery_rate, timeline) == [0.0]
    assert recovery_time(timeline) == [Observation("recovery_time", 1.0, 2.5, censored=True)]


def test_an_interruption_to_which_no_answer_is_due() -> None:
    timeline = drawn(INTERRUPTED, ".....###########..................", unanswerable="i", expects={"i": ("nine",)})
    assert values(stop_latency, timeline) == [0.6]
    assert values(interruption_response, timeline) == values(recovery_rate, timeline) == NONE


# what claims nothing


@pytest.mark.parametrize(("letter", "kind"), [("b", "backchannel"), ("k", "cough"), ("s", "side_talk")])
def test_each_kind_has_its_own_name(letter: str, kind: str) -> None:
    timeline = drawn(f"..........{2 * letter}.............................",
                     "....####################################",
                     "....at.................nine", expects={letter: ("nine",)})
    assert continues(timeline) == [Observation(f"{kind}_continue", 1.0, 1.0)]
    assert kept(timeline) == [Observation(f"{kind}_kept", 1.0, 1.0)]


def test_an_agent_that_stops_for_a_backchannel() -> None:
    timeline = drawn("..........bb.............................",
                     "....#########....................",
                     "....at.......", expects={"b": ("nine",)})
    assert values(continues, timeline) == [0.0] and values(kept, timeline) == [0.0]


def test_an_agent_that_stops_and_resumes_keeps_its_answer() -> None:
    timeline = drawn("..........bb.............................",
                     "....#########.......########.....",
                     "....at..............nine", expects={"b": ("nine",)})
    assert values(continues, timeline) == [0.0] and values(kept, timeline) == [1.0]


def test_an_agent_may_finish_its_answer() -> None:
    timeline = drawn("..........bb.............................",
                     "....#############.................",
                     "....at.......nine", expects={"b": ("nine",)})
    assert values(continues, timeline) == [1.0] and values(kept, timeline) == [1.0]


def test_a_finish_without_proof_is_a_stop() -> None:
    user, agent = "..........bb.............................", "....#############................."
    assert values(continues, drawn(user, agent)) == [0.0]
    assert values(continues, drawn(user, agent, "....at...nine", expects={"b": ("nine",)})) == [0.0]  # said before
    resumed = drawn(user, "....#############......###........", "....at.......nine......and", expects={"b": ("nine",)})
    assert values(continues, resumed) == [0.0]  # it had more to say


def test_a_stop_more_than_a_second_later_has_another_reason() -> None:
    user = "..........bb............................."
    assert values(continues, drawn(user, "...." + 18 * "#" + "........")) == [0.0]  # 1.0 s after its end
    assert values(continues, drawn(user, "...." + 19 * "#" + "........")) == [1.0]


def test_a_stop_for_the_next_turn_is_not_held_against_the_backchannel() -> None:
    timeline = drawn("..........bb...tttttt....................",
                     "....##############......................")
    assert values(continues, timeline) == [1.0]


def test_what_is_said_after_the_next_turn_was_not_kept() -> None:
    timeline = drawn("..........bb...tttttt....................",
                     "....##############.........####.........",
                     "...........................nine", expects={"b": ("nine",)})
    assert values(kept, timeline) == [0.0]


@pytest.mark.parametrize(("agent", "wanted"), [
    (40 * ".", [0.0]),
    (".............####.......................", [1.0]),
    (12 * "." + 20 * "." + "####", [1.0]),            # 2.0 s after its end
    (12 * "." + 21 * "." + "####", [0.0]),
    ("....###.................................", NONE),  # spoke 0.3 s before: may go on with its answer
    ("........####............................", NONE),  # speaks
])
def test_an_answer_to_a_cough_is_false(agent: str, wanted: list[float]) -> None:
    assert values(false_response, drawn("..........kk............................", agent)) == wanted


def test_an_answer_that_was_due_is_not_false() -> None:
    assert values(false_response, drawn("tttt...kk" + 40 * ".", "...........###")) == NONE
    assert values(false_response, drawn("tttt" + 14 * "." + "kk" + 40 * ".", "....###.............###")) == [1.0]
    assert values(false_response, drawn("tttt" + 50 * "." + "kk" + 40 * ".")) == [0.0]  # given up after 5 s


def test_an_aside_before_a_turn_is_no_occasion() -> None:
    assert values(false_response, drawn("..........kk.........tttt" + 40 * ".")) == NONE


# phrases


@pytest.mark.parametrize(("text", "words"), [
    ("Table 4, please!", "table four please"), ("forty-four", "forty four"), ("44", "forty four"), ("40", "forty"),
    ("10", "ten"), ("19", "nineteen"), ("007", "zero zero seven"), ("417", "four one seven"), ("4:30", "four thirty"),
    ("don't", "dont"), ("B4", "b four"), ("Zoë’s", "zoës"), ("...", "")])
def test_words_are_compared_as_they_sound(text: str, words: str) -> None:
    assert normalised(text) == words.split()


def test_a_phrase_spans_words_as_they_were_logged() -> None:
    words = (Word("table", 0.0, 0.4), Word("forty-four", 0.5, 1.1), Word("is", 1.2, 1.3))
    assert occurrences(words, "Table 44") == [(0.0, 1.1)]
    assert occurrences(words, "four is") == [(0.5, 1.3)]
    assert first_spoken(words, ["is", "forty"], 0.0, 9.0) == (0.5, 1.1)
    assert first_spoken(words, ["is", "forty"], 0.6, 9.0) == (1.2, 1.3)
    assert first_spoken(words, ["table"], 0.1, 9.0) is None


def test_an_empty_phrase_is_refused() -> None:
    with pytest.raises(ValueError, match="no words"):
        occurrences((), "?!")


# the catalogue


def test_an_empty_conversation_gives_no_number_but_that_it_was() -> None:
    empty = Recording(np.zeros((2, 24_000), np.float32))
    assert {found.metric for found in observations(empty) if found.value} == set()
    assert Observation("conversation_failed", 0.0, 0.0) in observations(empty)


def test_a_failed_conversation_counts_as_one() -> None:
    found = observations(Recording(np.zeros((2, 0), np.float32), facts={"expect": {"said": ["nine"]}}, failure="KeyError"))
    assert {("task_success", 0.0), ("lost_other", 1.0), ("conversation_failed", 1.0)} <= {
        (observation.metric, observation.value) for observation in found}


def test_every_observation_is_of_a_known_metric() -> None:
    timeline = drawn("ttpptt..........iiiiii..............bb..........kk..........ss...............kk" + 40 * ".",
                     ".........############......#############.....########....########", "...x...nine",
                     expects={letter: ("nine",) for letter in "ibks"})
    timeline = replace(timeline, events=(Event("endpoint", 0.7), Event("answer", 0.9, detail={"llm": 0.2})))
    found = {observation.metric for measure in MEASURES for observation in measure(timeline)}
    assert len(found) > 40 and found <= {metric.observed for metric in METRICS}


def test_metrics_have_distinct_names_and_humans_where_they_are_the_measure() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert all(metric.human is not None for metric in METRICS if metric.better == "human")
    assert metric("switch_latency").human == 0.08
    assert human.NATURAL + human.SLOW + human.MACHINE == pytest.approx(1.0)


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(ValueError, match="no metric 'latency'; there are switch_latency"):
        metric("latency")
