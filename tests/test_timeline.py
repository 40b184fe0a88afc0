"""What is heard, and the arithmetic on it."""

from pathlib import Path

import numpy as np
import pytest
from drawing import drawn, segments
from hypothesis import given, settings
from hypothesis import strategies as st
from says import bursts

from duplex.frame import SAMPLE_RATE, Event, Word
from duplex.recording import AGENT, USER, Recording
from eval.activity import Segment, activity, clipped_share
from eval.timeline import (
    Act,
    check,
    derived_acts,
    first_silence,
    first_start,
    gaps,
    overlap,
    overlaps,
    pauses,
    speaking,
    timeline,
    transfers,
    turns,
)

NOISE = np.random.default_rng(0).standard_normal(60 * SAMPLE_RATE).astype(np.float32)


def heard(*spans: tuple[float, float], seconds: float = 10.0, noise: float = 0.0, level: float = 0.1) -> list[Segment]:
    return list(activity(sound(*spans, seconds=seconds, level=level) + noise * NOISE[:round(seconds * SAMPLE_RATE)]))


def sound(*spans: tuple[float, float], seconds: float = 10.0, level: float = 0.1) -> np.ndarray:
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    if spans:
        said = bursts(*spans, level=level)
        samples[:len(said)] = said
    return samples


def recording(user: np.ndarray, agent: np.ndarray, *acts: Event, **more: object) -> Recording:
    return Recording(np.stack([user, agent]), events=(acts, ()), **more)  # type: ignore[arg-type]  # facts of a test


# what is heard


def test_silence_holds_no_speech() -> None:
    assert heard() == []
    assert activity(np.zeros(0, np.float32)) == ()


def test_units_have_exact_edges() -> None:
    assert heard((1.0, 2.0), (3.21, 4.56)) == [(1.0, 2.0), (3.21, 4.56)]


def test_edges_within_a_hop_stand_outside_the_sound() -> None:
    assert heard((1.004, 2.006)) == [(1.0, 2.01)]


def test_gaps_below_200_ms_lie_within_a_unit() -> None:
    assert heard((1.0, 2.0), (2.19, 3.0)) == [(1.0, 3.0)]
    assert heard((1.0, 2.0), (2.20, 3.0)) == [(1.0, 2.0), (2.2, 3.0)]


def test_sounds_below_80_ms_are_clicks() -> None:
    assert heard((1.0, 1.07)) == []
    assert heard((1.0, 1.08)) == [(1.0, 1.08)]


def test_a_click_begins_no_speech() -> None:
    assert heard((0.9, 0.92), (1.0, 2.0)) == [(1.0, 2.0)]
    assert heard(*[(at / 100, at / 100 + 0.02) for at in range(100, 900, 10)]) == []


def test_a_faint_end_belongs_to_speech() -> None:
    assert heard((1.0, 2.0), (2.1, 2.12), (2.31, 2.33), (3.0, 3.02)) == [(1.0, 2.33)]


def test_quiet_sound_is_silence() -> None:
    assert heard((1.0, 2.0), level=0.003) == []  # -50.5 dBFS
    assert heard((1.0, 2.0), level=0.0033) == [(1.0, 2.0)]  # -49.6 dBFS


def test_noise_is_no_speech() -> None:
    assert heard(noise=0.006) == []  # -44 dBFS
    assert heard((1.0, 2.0), noise=0.006) == [(1.0, 2.0)]
    assert heard((1.0, 3.0), noise=0.02) == [(1.0, 3.0)]  # -34 dBFS, 14 dB below the speech


def test_noise_behind_digital_silence_is_no_speech() -> None:
    samples = sound((5.0, 6.0))
    samples[2 * SAMPLE_RATE:] += 0.002 * NOISE[:8 * SAMPLE_RATE]  # -54 dBFS
    assert activity(samples) == ((5.0, 6.0),)


@pytest.mark.parametrize("level", [0.03, 0.1, 0.5])
def test_a_party_who_never_pauses_is_heard(level: float) -> None:
    assert heard((0.0, 10.0), level=level) == [(0.0, 10.0)]
    assert heard((0.0, 9.7), level=level) == [(0.0, 9.7)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(20, 150), st.integers(8, 150)), max_size=8))
def test_speech_on_the_grid_is_found_exactly(spans: list[tuple[int, int]]) -> None:
    wanted, end = [], 0
    for silence, length in spans:
        wanted.append(((end + silence) / 100, (end + silence + length) / 100))
        end += silence + length
    assert heard(*wanted, seconds=end / 100 + 1.0) == wanted


def test_clipping_is_a_share_of_samples() -> None:
    assert clipped_share(np.array([1.0, -1.0, 0.5, 0.0], np.float32)) == 0.5


# the timeline of a recording


def test_acts_come_from_the_callers_log() -> None:
    acts = (Event("backchannel", 3.0, 3.3, {"text": "mhm", "expects": ["nine"]}), Event("planned", 0.0, 9.0),
            Event("turn", 1.0, 2.0, {"text": "hi", "answer": False}), Event("correction", 4.0, 5.0))
    found = timeline(recording(sound((1.0, 2.0), (3.0, 3.3)), sound(), *acts))
    assert found.acts == (Act("turn", 1.0, 2.0, "hi"), Act("backchannel", 3.0, 3.3, "mhm", ("nine",)),
                          Act("correction", 4.0, 5.0, answer_due=True))
    assert found.seconds == 10.0
    assert found.user == ((1.0, 2.0), (3.0, 3.3))


def test_acts_nobody_logged_are_turns_by_their_pauses() -> None:
    user, agent = "###....###..........####....###", "....................................."
    assert [(act.start, act.end) for act in derived_acts(segments(user, "#+"), segments(agent, "#+"))] == [
        (0.0, 1.0), (2.0, 3.1)]
    user, agent = "###....###....", "....##........"
    assert [(act.start, act.end) for act in derived_acts(segments(user, "#+"), segments(agent, "#+"))] == [
        (0.0, 0.3), (0.7, 1.0)]


def test_a_pause_of_one_second_parts_turns() -> None:
    assert len(derived_acts(segments("##..........##", "#+"), ())) == 2
    assert len(derived_acts(segments("##.........##", "#+"), ())) == 1


def test_words_are_ordered() -> None:
    words = (Word("b", 2.0, 2.1), Word("a", 1.0, 1.1))
    found = timeline(Recording(np.zeros((2, SAMPLE_RATE), np.float32), words=((), words)))
    assert [word.text for word in found.words] == ["a", "b"]


@pytest.mark.parametrize(("ended_by", "failure", "wanted"), [
    ("limit", None, 10.0), ("user", None, 10.0), ("agent", None, float("inf")), ("failure", "KeyError", float("inf"))])
def test_what_the_agent_never_did_is_known_only_if_it_ended_the_call(
        ended_by: str, failure: str | None, wanted: float) -> None:
    assert timeline(recording(sound(), sound(), ended_by=ended_by, failure=failure)).known_until == wanted


# arithmetic


def test_speaking_includes_the_onset_and_not_the_offset() -> None:
    units = segments("..##..", "#+")
    assert [speaking(units, time) for time in (0.1, 0.2, 0.3, 0.4)] == [False, True, True, False]


def test_overlap_counts_seconds_within_a_span() -> None:
    units = segments(".###..###.", "#+")
    assert overlap(units, 0.2, 0.8) == 0.4
    assert overlap(units, 0.4, 0.6) == 0.0


def test_first_start_includes_both_ends() -> None:
    units = segments("..##..##", "#+")
    assert first_start(units, 0.2, 0.3) == 0.2
    assert first_start(units, 0.3, 0.6) == 0.6
    assert first_start(units, 0.3, 0.5) is None


def test_first_silence_is_long_enough_and_seen() -> None:
    units = segments("..####..####....", "#+")
    assert first_silence(units, 0.3, 0.4, known_until=1.6) == 1.2
    assert first_silence(units, 0.3, 0.2, known_until=1.6) == 0.6
    assert first_silence(units, 0.3, 0.5, known_until=1.6) is None
    assert first_silence(units, 0.3, 0.5, known_until=float("inf")) == 1.2
    assert first_silence(units, 1.25, 0.2, known_until=1.6) == 1.25  # silent already


def test_units_gaps_and_transfers_of_the_notes() -> None:
    """Vector 7 of the notes: units closer than 0.2 s merge; gap 0.4, overlap 0.2, offsets +0.4 and -0.2."""
    a, b = sound((0, 2), (2.15, 3), (4.8, 6)), sound((3.4, 5))
    found = timeline(recording(a, b))
    assert found.user == ((0.0, 3.0), (4.8, 6.0))
    assert [(gap.start, gap.end) for gap in gaps(found)] == [(3.0, 3.4)]
    assert [(both.party, both.start, both.end) for both in overlaps(found)] == [(AGENT, 4.8, 5.0)]
    assert [(transfer.party, transfer.offset) for transfer in transfers(found)] == [(AGENT, 0.4), (USER, -0.2)]
    assert pauses(found) == ()


def test_a_silence_with_the_same_party_on_both_sides_is_a_pause() -> None:
    found = drawn("..###...###....", ".............##")
    assert [(pause.party, pause.start, pause.end) for pause in pauses(found)] == [(USER, 0.5, 0.8)]
    assert [(gap.party, gap.start, gap.end) for gap in gaps(found)] == [(USER, 1.1, 1.3)]


def test_a_silence_between_double_talk_is_no_ones() -> None:
    found = drawn("###..###", "###..###")
    assert pauses(found) == gaps(found) == ()
    assert [(both.party, both.start) for both in overlaps(found)] == [(USER, 0.0), (USER, 0.5)]


def test_a_backchannel_takes_no_floor() -> None:
    found = drawn("##############################...............",
                  "............####...............##############")
    assert [(turn.party, turn.start, turn.end) for turn in turns(found)] == [(USER, 0.0, 3.0), (AGENT, 3.1, 4.5)]
    assert [transfer.offset for transfer in transfers(found)] == [0.1]


def test_units_of_one_party_are_one_turn_until_the_other_speaks() -> None:
    found = drawn("##############...##############...............",
                  "................................##############")
    assert [(turn.start, turn.end) for turn in turns(found)] == [(0.0, 3.1), (3.2, 4.6)]


# recordings that cannot be trusted


def test_a_sound_recording_passes() -> None:
    check(recording(sound((1, 2), (2.6, 3)), sound((4, 5)), Event("turn", 1, 3), Event("pause", 2, 2.6)))
    check(recording(sound((1, 2)), sound(), Event("turn", 1, 2), Event("turn", 9.5, 11)))


def test_an_act_on_a_silent_channel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"turn at 5\.00-6\.00 s is silent on the user's channel"):
        check(recording(sound((1, 2)), sound((4, 5)), Event("turn", 1, 2), Event("turn", 5, 6)))


@pytest.mark.parametrize(("shift", "what"), [(0.5, "begins silently"), (-0.5, "ends silently")])
def test_a_shifted_channel_is_refused(shift: float, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        check(recording(sound((1 + shift, 3 + shift)), sound(), Event("turn", 1, 3)))


def test_swapped_channels_are_recognised() -> None:
    with pytest.raises(ValueError, match="swapped"):
        check(recording(sound((4, 5)), sound((1, 2)), Event("turn", 1, 2)))


def test_an_echoed_user_is_not_swapped() -> None:
    check(recording(sound((1, 3)), sound((1.08, 3.08)), Event("turn", 1, 3)))


def test_clipping_is_refused() -> None:
    with pytest.raises(ValueError, match=r"10\.0% of the agent's samples are clipped"):
        check(recording(sound(), sound((1, 2), level=1.0)))


def test_an_act_outside_the_recording_is_refused() -> None:
    with pytest.raises(ValueError, match="does not lie within"):
        check(recording(sound(), sound(), Event("turn", 12, 13)))


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="no numbers"):
        check(recording(sound(), np.full(10 * SAMPLE_RATE, np.nan, np.float32)))


def test_scoring_listens_nowhere_else() -> None:
    for path in (Path(__file__).parents[1] / "eval" / "metrics").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "audio" not in text and "activity" not in text, path
