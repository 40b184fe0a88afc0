"""Recordings that cannot be trusted are found before they are measured, by what was done to them; sound ones are not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sounds import recording, sound

from duplex.frame import SAMPLE_RATE, Event, Word
from duplex.recording import AGENT, USER, Recording
from eval.observations import rows
from eval.trust.integrity import check, refusal

RANDOM = np.random.default_rng(0)
SPOKEN = ((1.0, 2.0), (3.4, 4.6), (7.0, 8.5))
ANSWERS = ((2.3, 3.1), (5.0, 6.4), (8.9, 9.7))
ACTS = tuple(Event("turn", start, end, {"text": "when are you open"}) for start, end in SPOKEN)


def speechlike(*spans: tuple[float, float]) -> np.ndarray:
    """Noise within each span, loud from its first 10 ms to its last, with now and then a peak, as speech has."""
    loud = np.abs(sound(*spans)) * 10.0
    return (0.05 * loud * RANDOM.standard_normal(len(loud))).astype(np.float32)


def words(*spans: tuple[float, float]) -> tuple[Word, ...]:
    """Four to a span, which they fill."""
    return tuple(Word("so", start + index * (end - start) / 4, start + (index + 1) * (end - start) / 4)
                 for start, end in spans for index in range(4))


def conversation() -> Recording:
    return Recording(np.stack([speechlike(*SPOKEN), speechlike(*ANSWERS)]), ((), words(*ANSWERS)), (ACTS, ()))


def with_channel(party: int, change: Callable[[np.ndarray], np.ndarray]) -> Recording:
    whole = conversation()
    audio = whole.audio.copy()
    audio[party] = change(audio[party])
    return replace(whole, audio=audio)


def moved(seconds: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda channel: np.roll(channel, round(seconds * SAMPLE_RATE))


def played_at(rate: float) -> Callable[[np.ndarray], np.ndarray]:
    """What becomes of a channel that is recorded at `rate` and labelled 24 kHz, as far as it fits."""
    def resampled(channel: np.ndarray) -> np.ndarray:
        at = np.arange(len(channel)) * SAMPLE_RATE / rate
        return np.where(at < len(channel), channel[np.minimum(at.astype(int), len(channel) - 1)], np.float32(0.0))
    return resampled


def test_a_sound_recording_passes() -> None:
    check(conversation())
    check(recording(sound((1, 2), (2.6, 3)), sound((4, 5)), Event("turn", 1, 3), Event("pause", 2, 2.6)))
    check(recording(sound((1, 2)), sound(), Event("turn", 1, 2), Event("turn", 9.5, 11)))


def test_an_echoed_user_is_not_swapped() -> None:
    check(recording(sound((1, 3)), sound((1.08, 3.08)), Event("turn", 1, 3)))


@pytest.mark.parametrize("party", [USER, AGENT])
def test_polarity_is_harmless(party: int) -> None:
    check(with_channel(party, np.negative))


@pytest.mark.parametrize("seconds", [0.04, 0.1, 0.25, 0.33, 0.5])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_user_moved_by_40_ms_or_more_is_refused_with_the_amount(seconds: float, sign: int) -> None:
    with pytest.raises(ValueError, match=rf"user's channel.* {seconds:.2f}0? s {'after' if sign > 0 else 'before'} its log"):
        check(with_channel(USER, moved(sign * seconds)))


@pytest.mark.parametrize("seconds", [0.0, 0.005, -0.01, 0.02, -0.02])
def test_edges_are_known_to_10_ms_and_need_not_be_better(seconds: float) -> None:
    check(with_channel(USER, moved(seconds)))


def test_a_user_moved_from_some_moment_on_is_refused_with_the_moment() -> None:
    late = with_channel(USER, lambda channel: np.r_[channel[:5 * SAMPLE_RATE], moved(0.08)(channel[5 * SAMPLE_RATE:])])
    with pytest.raises(ValueError, match=r"comes 0\.080 s after its log, from the turn at 7\.00 s on"):
        check(late)


def test_acts_that_people_annotated_may_miss_the_sound_a_little() -> None:
    by_hand = tuple(Event(act.kind, act.start + 0.15, act.end + 0.15, {"annotated": True}) for act in ACTS)
    check(replace(conversation(), events=(by_hand, ())))
    far = tuple(Event(act.kind, act.start + 0.4, act.end + 0.4, {"annotated": True}) for act in ACTS)
    with pytest.raises(ValueError, match=r"ends silently.*0\.40 s before its log"):
        check(replace(conversation(), events=(far, ())))


@pytest.mark.parametrize("seconds", [0.15, 0.24, -0.24, 0.5])
def test_an_agent_moved_against_its_own_words_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=rf"agent's channel comes {abs(seconds):.2f} s {'after' if seconds > 0 else 'before'}"):
        check(with_channel(AGENT, moved(seconds)))


def test_words_that_are_known_to_a_frame_prove_nothing() -> None:
    """A speech model writes before it speaks, and its words stand on frames."""
    early = tuple(Word(word.text, round(word.start / 0.08) * 0.08 - 0.24, word.end - 0.24) for word in words(*ANSWERS))
    check(replace(conversation(), words=((), early)))


def test_words_that_miss_their_sound_by_different_amounts_prove_nothing() -> None:
    loose = tuple(Word(word.text, word.start - 0.05 * index, word.end - 0.05 * index)
                  for index, word in enumerate(words(*ANSWERS)))
    check(replace(conversation(), words=((), loose)))


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_a_channel_of_another_rate_is_named(rate: int) -> None:
    with pytest.raises(ValueError, match=f"looks like one of {rate} Hz that is labelled 24000 Hz"):
        check(with_channel(USER, played_at(rate)))


def test_a_stretched_channel_is_refused_with_its_factor() -> None:
    with pytest.raises(ValueError, match=r"takes 1\.01\d\d times as long"):
        check(with_channel(USER, played_at(1.015 * SAMPLE_RATE)))


def test_a_sound_that_has_nothing_to_do_with_its_log_is_refused() -> None:
    with pytest.raises(ValueError, match=r"turn at 1\.00-2\.00 s is silent.*not of the same conversation"):
        check(with_channel(USER, lambda channel: speechlike((2.2, 3.3), (5.0, 6.9))))


def test_swapped_channels_are_recognised() -> None:
    whole = conversation()
    with pytest.raises(ValueError, match="the channels look swapped"):
        check(replace(whole, audio=whole.audio[::-1]))
    with pytest.raises(ValueError, match="swapped"):
        check(recording(sound(), sound((1, 2)), Event("turn", 1, 2, {"text": "hello"})))


@pytest.mark.parametrize("gain", [1.0, 0.3, -1.0])
def test_one_channel_on_both_sides_is_refused(gain: float) -> None:
    whole = conversation()
    with pytest.raises(ValueError, match="both channels hold the same sound"):
        check(replace(whole, audio=np.stack([whole.audio[USER], np.float32(gain) * whole.audio[USER]])))


@pytest.mark.parametrize(("party", "what"), [(USER, "user's channel is empty.*3 acts"), (AGENT, "agent's channel is empty.*12")])
def test_a_channel_that_went_missing_is_refused(party: int, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        check(with_channel(party, np.zeros_like))


def test_an_agent_that_says_nothing_may_be_silent() -> None:
    check(recording(sound((1, 2)), sound(), Event("turn", 1, 2)))


def buzz(pitch: float = 120.0) -> np.ndarray:
    """A voice of odd harmonics, symmetric about 0, whose loudness comes and goes; (num_samples,) float32."""
    at = np.arange(10 * SAMPLE_RATE) / SAMPLE_RATE
    wave = np.sum([np.cos(2.0 * np.pi * pitch * order * at + order) / order for order in range(1, 16, 2)], axis=0)
    return (0.1 * wave * (1.0 + 0.5 * np.sin(2.0 * np.pi * 3.0 * at)) * (np.abs(sound(*ANSWERS)) > 0.0)).astype(np.float32)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("gain", [0.5, 1.0, 3.0])
def test_a_flat_top_is_clipping_at_any_level(share: float, gain: float) -> None:
    level = share * np.abs(buzz()).max()
    with pytest.raises(ValueError, match=rf"agent's channel is clipped.* flat tops at {gain * level:.2f} of full scale"):
        check(with_channel(AGENT, lambda _: (gain * np.clip(buzz(), -level, level)).astype(np.float32)))


def test_full_scale_is_clipping_even_in_single_samples() -> None:
    with pytest.raises(ValueError, match=r"10\.0% of its samples are at full scale"):
        check(recording(sound(), sound((1, 2), level=1.0)))


def test_saturation_rounds_what_clipping_would_flatten() -> None:
    check(with_channel(AGENT, lambda _: buzz()))
    with pytest.raises(ValueError, match="is saturated.*round tops"):
        check(with_channel(AGENT, lambda _: (0.3 * np.tanh(3.0 * buzz() / np.abs(buzz()).max())).astype(np.float32)))


@pytest.mark.parametrize("party", [USER, AGENT])
def test_a_constant_offset_is_refused(party: int) -> None:
    with pytest.raises(ValueError, match=r"constant offset of \+0\.0(099|10)"):
        check(with_channel(party, lambda channel: channel + np.float32(0.01)))


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="agent's channel holds values that are no numbers"):
        check(recording(sound(), np.full(10 * SAMPLE_RATE, np.nan, np.float32)))


def test_an_act_outside_the_recording_is_refused() -> None:
    with pytest.raises(ValueError, match="does not lie within"):
        check(recording(sound(), sound(), Event("turn", 12, 13)))


def test_a_refused_recording_is_a_counted_failure_and_nothing_else() -> None:
    measured = [(row["metric"], row["value"]) for row in rows(with_channel(USER, moved(0.1)), Path("one"))]
    assert measured == [("conversation_failed", 1.0), ("recording_refused", 1.0)]


def test_a_sound_recording_is_an_occasion_for_being_refused_too() -> None:
    measured = {row["metric"]: row["value"] for row in rows(conversation(), Path("one"))}
    assert (measured["conversation_failed"], measured["recording_refused"]) == (0.0, 0.0)
    assert measured["turn_eligible"] == 1.0


def test_what_is_wrong_is_told_once_and_kept() -> None:
    wrong = with_channel(USER, moved(0.1))
    assert refusal(wrong) == refusal(wrong)
    assert refusal(wrong).startswith("the user's channel comes 0.100 s after its log")
    assert refusal(conversation()) == ""
