"""What a mood does to a caller's voice, and that calm is what the voices always were."""

import numpy as np
import pytest
from hear_voices import intonation

from duplex.stages.speaking.espeak import version
from duplex.stages.speaking.tts import Espeak
from duplex.stages.speaking.voices import MOODS, RATES, VOICES, voice
from eval.callers import task

pytest.importorskip("espeakng_loader")

TEXT = "where is my order it is number four five two eight one and it has not arrived yet"
OURS = [name for name, kind in VOICES.items() if not kind.debian]


@pytest.mark.parametrize("name", OURS)
def test_calm_voices_are_called_what_they_were_called_before_there_were_moods(name: str) -> None:
    kind = VOICES[name]
    for rate, pace in RATES.items():
        called = f"espeak {version()} {kind.variant} rate {pace} pitch {kind.pitch} tract {kind.tract:g} level -23"
        assert voice(name, rate).name == voice(name, rate, mood="calm").name == called


def test_calm_sounds_as_espeak_does_when_asked_for_no_range() -> None:
    kind = VOICES["eve"]
    plain = Espeak(kind.variant, RATES["normal"], kind.pitch, kind.tract).synthesise(TEXT)
    assert np.array_equal(voice("eve").synthesise(TEXT).samples, plain.samples)


@pytest.mark.parametrize("name", OURS)
def test_moods_are_heard_in_pace_level_and_pitch(name: str) -> None:
    """Hesitant is at least 8 % slower and 4 dB softer, upset at least 10 % faster, 3 dB louder, 4 % higher, a fifth wider."""
    said = {mood: voice(name, mood=mood).synthesise(TEXT) for mood in MOODS}
    seconds = {mood: speech.seconds for mood, speech in said.items()}
    assert seconds["hesitant"] > 1.08 * seconds["calm"] and seconds["upset"] < 0.9 * seconds["calm"]
    level = {mood: active_level(speech.samples) for mood, speech in said.items()}
    assert level["hesitant"] == pytest.approx(level["calm"] - 4.0, abs=0.5)
    assert level["upset"] == pytest.approx(level["calm"] + 3.0, abs=0.5)
    pitch = {mood: intonation([speech]) for mood, speech in said.items()}
    assert pitch["hesitant"][0] < pitch["calm"][0] < pitch["upset"][0] / 1.04
    assert pitch["upset"][1] > 1.2 * pitch["calm"][1]


@pytest.mark.parametrize("name", OURS)
def test_no_mood_clips(name: str) -> None:
    assert all(np.abs(voice(name, rate, mood="upset").synthesise(TEXT).samples).max() < 0.99 for rate in RATES)


def test_a_mood_changes_the_pace_of_every_rate() -> None:
    slow, fast = (voice("ken", rate, mood="upset").name for rate in ("slow", "fast"))
    assert "rate 172.5" in slow and "rate 224.25" in fast


def test_an_unknown_mood_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="no mood 'angry': there are calm, hesitant, upset"):
        voice("carl", mood="angry")


def test_a_range_that_espeak_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="pitch range is 0 to 99, not 120"):
        Espeak(pitch_range=120)


def active_level(samples: np.ndarray) -> float:
    """RMS in dB of full scale of what is not silent."""
    active = samples[np.abs(samples) > 0.01 * np.abs(samples).max()]
    return float(10 * np.log10(np.mean(np.square(active))))


def test_scenarios_know_the_moods_that_voices_have() -> None:
    assert tuple(MOODS) == task.MOODS  # which loads no synthesiser to read a scenario
