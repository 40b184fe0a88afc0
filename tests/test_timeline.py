"""What is heard, and the arithmetic on it."""

from pathlib import Path

import numpy as np
import pytest
from drawing import segments
from hypothesis import given, settings
from hypothesis import strategies as st
from sounds import recording, sound

from duplex.frame import SAMPLE_RATE, Event, Word
from duplex.recording import Recording
from eval.activity import Segment, activity, clipped_share
from eval.timeline import (
    Act,
    derived_acts,
    first_silence,
    first_start,
    overlap,
    speaking,
    timeline,
)

NOISE = np.random.default_rng(0).standard_normal(60 * SAMPLE_RATE).astype(np.float32)


def heard(*spans: tuple[float, float], seconds: float = 10.0, noise: float = 0.0, level: float = 0.1) -> list[Segment]:
    return list(activity(sound(*spans, seconds=seconds, level=level) + noise * NOISE[:round(seconds * SAMPLE_RATE)]))


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


def test_scoring_listens_nowhere_else() -> None:
    for path in (Path(__file__).parents[1] / "eval" / "metrics").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "audio" not in text.replace("text_audio_word_error", "") and "activity" not in text, path
