"""Each agent of known behaviour does what it says, to the sample."""

import numpy as np
import pytest
from says import Says, bursts, segments

from duplex.agents.simple import (
    Backchanneller,
    Echo,
    Interrupter,
    Late,
    NeverAnswers,
    NeverYields,
    Responder,
    Yields,
    buzz,
)
from duplex.conversation import Participant, converse
from duplex.frame import SAMPLE_RATE, Event, Word
from duplex.recording import AGENT
from duplex.speech import levels

SAMPLE = 0.5 / SAMPLE_RATE  # tolerance in seconds: less than one sample


def spoken(agent: Participant, *turns: tuple[float, float], seconds: float = 20.0) -> list[tuple[float, float]]:
    """What `agent` says, (start, end) in seconds, to a user who speaks at `turns`."""
    return segments(converse(Says(bursts(*turns)), agent, max_seconds=seconds).audio[AGENT])


def same(found: list[tuple[float, float]], wanted: list[tuple[float, float]]) -> bool:
    return len(found) == len(wanted) and np.allclose(found, wanted, atol=SAMPLE, rtol=0.0)


@pytest.mark.parametrize("delay", [0.08, 0.1, 0.12345, 0.16, 0.5, 1.0 + 1 / SAMPLE_RATE, 3.21])
def test_echo_returns_every_sample_after_its_delay(delay: float) -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * SAMPLE_RATE).astype(np.float32)
    recording = converse(Says(sound), Echo(delay), max_seconds=6.0)
    lag = round(delay * SAMPLE_RATE)
    np.testing.assert_array_equal(recording.audio[AGENT][lag:], recording.audio[0][:-lag])
    assert not recording.audio[AGENT][:lag].any()


@pytest.mark.parametrize("delay", [0.08, 0.12345, 1.0])
def test_echo_returns_words_and_events_after_its_delay(delay: float) -> None:
    words = [Word("at", 0.0, 0.05), Word("border", 0.56, 0.7), Word("odd", 0.777, 0.9)]
    events = [Event("turn", 0.0, 0.9, {"text": "at border odd"}), Event("endpoint", 1.44, 1.44)]
    recording = converse(Says(bursts((0, 1)), words, events), Echo(delay), max_seconds=4.0)
    assert [word.text for word in recording.words[AGENT]] == ["at", "border", "odd"]
    times = [(word.start - delay, word.end - delay) for word in recording.words[AGENT]]
    assert np.array(times) == pytest.approx(np.array([(0.0, 0.05), (0.56, 0.7), (0.777, 0.9)]), abs=SAMPLE)
    assert [event.start for event in recording.events[AGENT]] == pytest.approx([delay, 1.44 + delay], abs=SAMPLE)
    assert recording.events[AGENT][0].detail == {"text": "at border odd"}


def test_echo_below_one_frame_says_why_not() -> None:
    with pytest.raises(ValueError, match="frame n-1.*one frame, 0.08 s"):
        Echo(0.0799)


@pytest.mark.parametrize("end", [1.0, 1.01, 1.04, 1.07, 1.36])
@pytest.mark.parametrize("delay", [0.09, 0.2, 0.50004, 0.777, 2.0])
def test_responder_begins_its_delay_after_the_end_of_speech(delay: float, end: float) -> None:
    assert same(spoken(Responder(delay, 1.5), (0.3, end)), [(end + delay, end + delay + 1.5)])


@pytest.mark.parametrize("pause", [0.01, 0.015, 0.3, 0.42])
def test_responder_is_exact_for_every_pause_that_its_delay_allows(pause: float) -> None:
    assert same(spoken(Responder(0.5, 1.0, pause), (0.3, 1.23)), [(1.73, 2.73)])


def test_responder_answers_every_turn_but_no_pause_within_one() -> None:
    found = spoken(Responder(0.7, 1.0, pause=0.6), (0.5, 1.5), (2.0, 3.0), (6.0, 7.0))
    assert same(found, [(3.7, 4.7), (7.7, 8.7)])


def test_responder_keeps_talking_when_spoken_to_and_answers_that_too() -> None:
    assert same(spoken(Responder(0.5, 3.0), (0.5, 1.0), (2.0, 2.4)), [(1.5, 5.9)])  # the second answer from 2.9


@pytest.mark.parametrize("delay, pause", [(0.5, 0.6), (0.5, 0.421), (0.08, None), (0.5, 0.0)])
def test_responder_refuses_to_answer_before_the_pause_is_heard(delay: float, pause: float | None) -> None:
    with pytest.raises(ValueError, match="pause . one frame"):
        Responder(delay, pause=pause)


def test_interrupter_begins_into_the_turn() -> None:
    assert same(spoken(Interrupter(1.0, 1.5), (0.51, 5.0), (8.0, 11.0)), [(1.51, 3.01), (9.0, 10.5)])


def test_interrupter_leaves_short_turns_alone() -> None:
    assert spoken(Interrupter(2.0, 1.5, pause=0.6), (0.5, 1.5)) == []


def test_interrupter_cannot_react_within_a_frame() -> None:
    with pytest.raises(ValueError, match="after=0.05"):
        Interrupter(after=0.05)


def test_backchanneller_sounds_during_the_turn_and_answers_after_it() -> None:
    found = spoken(Backchanneller(2.0, 0.4, delay=0.5, answer_seconds=1.5), (0.5, 7.5))
    assert same(found, [(2.5, 2.9), (4.5, 4.9), (6.5, 6.9), (8.0, 9.5)])


def test_backchanneller_leaves_out_what_falls_into_silence() -> None:
    found = spoken(Backchanneller(2.0, 0.4, delay=0.8), (0.5, 2.2), (2.7, 5.0))  # due at 2.5, silent since 2.2
    assert same(found, [(4.5, 4.9), (5.8, 7.3)])


def test_never_yields_talks_through_an_interruption() -> None:
    assert same(spoken(NeverYields(0.5, 6.0), (0.5, 1.0), (3.0, 5.0)), [(1.5, 11.5)])  # and answers it from 5.5


@pytest.mark.parametrize("stop", [0.08, 0.1234, 0.3, 1.0])
def test_yields_stops_after_the_onset_and_answers_the_interruption(stop: float) -> None:
    found = spoken(Yields(0.5, 6.0, stop), (0.5, 1.0), (3.03, 5.0))
    assert same(found, [(1.5, 3.03 + stop), (5.5, 11.5)])


def test_yields_gives_up_an_answer_that_has_not_begun() -> None:
    assert same(spoken(Yields(1.5, 2.0, 0.3, pause=0.3), (0.5, 1.0), (1.6, 3.0)), [(4.5, 6.5)])


def test_never_answers_is_silent() -> None:
    assert spoken(NeverAnswers(), (0.5, 3.0)) == []


def test_late_answers_after_eight_seconds_even_when_asked_again() -> None:
    assert same(spoken(Late(), (0.5, 1.0), (6.0, 7.0)), [(9.0, 10.5), (15.0, 16.5)])


def test_the_voice_is_steady_at_its_level_with_hard_edges() -> None:
    voice = buzz(1.5, seed=3)
    assert 20 * np.log10(np.std(voice)) == pytest.approx(-23.0, abs=0.05)
    assert levels(voice) == pytest.approx(-23.0, abs=2.0)
    assert np.abs(voice).min() > 1 / 32768 and np.abs(voice).max() < 0.5


def test_the_seed_chooses_the_voice() -> None:
    assert not np.array_equal(buzz(1.0, 0), buzz(1.0, 1))
