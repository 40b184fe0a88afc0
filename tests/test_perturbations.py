"""Perturbations change what they say they change, by as much as they say, and nothing at frame borders."""

import importlib
import warnings

import numpy as np
import pytest
from says import Says, bursts, segments

from duplex.agents.simple import Echo, NeverAnswers, Responder, Yields
from duplex.conversation import Participant, Prompt, converse
from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Event, Frame, Word, frozen
from duplex.perturbations import Babble, Delay, Noise, SelfEcho, TelephoneLine, clean
from duplex.recording import AGENT, USER
from duplex.telephone import DELAY_SAMPLES, Line, a_law, a_law_inverse, mu_law, mu_law_inverse

CODES = np.arange(256, dtype=np.uint8)
PCM = np.arange(-32_768, 32_768).astype(np.int16)


class Hears:
    """Keeps what it hears and says `samples`, then nothing."""

    def __init__(self, samples: np.ndarray = SILENCE.samples):
        self.voice = Says(samples)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.voice.reset(prompt, seed)
        self.heard: list[np.ndarray] = []

    def step(self, heard: Frame) -> Frame | None:
        self.heard.append(heard.samples)
        return self.voice.step(heard)

    @property
    def sound(self) -> np.ndarray:
        """All it heard since the first sample of the conversation."""
        return np.concatenate(self.heard[1:])  # its first step hears the frame before


def decibels(samples: np.ndarray) -> float:
    return float(10.0 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-15))


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32)


def run(agent: Participant, samples: np.ndarray = SILENCE.samples, seconds: float = 4.0, seed: int = 0) -> np.ndarray:
    """Audio (2, num_samples) of a conversation of somebody who says `samples`."""
    return converse(Says(samples), agent, max_seconds=seconds, seed=seed).audio


def test_clean_is_the_agent_itself() -> None:
    agent = Echo()
    assert clean(agent) is agent


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.12345, 1.0])
@pytest.mark.parametrize("level", [-20.0, -6.0, 0.0])
def test_self_echo_has_its_level_and_delay(delay: float, level: float) -> None:
    voice = np.random.default_rng(0).uniform(-0.3, 0.3, SAMPLE_RATE).astype(np.float32)
    agent = Hears(voice)
    run(SelfEcho(agent, level, delay))
    lag = round(delay * SAMPLE_RATE)
    assert not agent.sound[:lag].any() and not agent.sound[lag + len(voice):].any()
    np.testing.assert_allclose(agent.sound[lag:lag + len(voice)], voice * 10 ** (level / 20), rtol=1e-6)


def test_self_echo_adds_to_the_caller_and_leaves_the_recording_clean() -> None:
    caller, voice = tone(300.0), tone(500.0)
    agent = Hears(voice)
    audio = run(SelfEcho(agent, -20.0, 0.0), caller)
    np.testing.assert_allclose(agent.sound[:SAMPLE_RATE], caller + 0.1 * voice, atol=1e-6)
    np.testing.assert_allclose(audio[USER, :SAMPLE_RATE], caller, atol=2e-5)
    np.testing.assert_allclose(audio[AGENT, :SAMPLE_RATE], voice, atol=2e-5)


def test_an_agent_that_hears_itself_yields_to_itself() -> None:
    asked = bursts((0.5, 1.0))
    assert segments(run(Yields(0.5, 6.0, stop=0.3), asked)[AGENT])[0] == (1.5, 4.0)
    assert segments(run(SelfEcho(Yields(0.5, 6.0, stop=0.3), -20.0, 0.1), asked)[AGENT])[0] == (1.5, 1.9)


@pytest.mark.parametrize("snr, level", [(20.0, -23.0), (0.0, -23.0), (35.0, -26.0)])
@pytest.mark.parametrize("colour", ["white", "pink"])
def test_noise_has_its_ratio_to_nominal_speech(snr: float, level: float, colour: str) -> None:
    agent = Hears()
    run(Noise(agent, snr, level, colour), seconds=12.0)  # type: ignore[arg-type]  # colour is one of both
    assert level - decibels(agent.sound) == pytest.approx(snr, abs=0.2)


@pytest.mark.parametrize("colour, slope", [("white", 0.0), ("pink", -3.01)])
def test_noise_has_its_colour(colour: str, slope: float) -> None:
    agent = Hears()
    run(Noise(agent, colour=colour), seconds=12.0)  # type: ignore[arg-type]
    power = np.square(np.abs(np.fft.rfft(agent.sound)))
    hertz = np.fft.rfftfreq(len(agent.sound), 1 / SAMPLE_RATE)
    densities = [10 * np.log10(power[(hertz >= low) & (hertz < 2 * low)].mean()) for low in (125, 250, 500, 1000, 2000)]
    assert np.diff(densities) == pytest.approx(slope, abs=0.5)


@pytest.mark.parametrize("around", [Noise, Babble])
def test_noise_is_added_to_the_caller_and_never_leaves_full_scale(around: type[Noise]) -> None:
    alone, beside = Hears(), Hears()
    caller = tone(440.0, 2.0)
    run(around(alone, snr=10.0), seconds=2.0, seed=3)
    run(around(beside, snr=10.0), caller, seconds=2.0, seed=3)
    np.testing.assert_allclose(beside.sound - alone.sound, caller[:len(alone.sound)], atol=1e-6)
    run(around(beside, snr=-20.0), np.sign(caller), seconds=2.0)
    assert np.abs(beside.sound).max() == 1.0


@pytest.mark.parametrize("num_talkers", [1, 6])
def test_babble_has_its_ratio_and_the_rhythm_of_speech(num_talkers: int) -> None:
    agent = Hears()
    run(Babble(agent, snr=10.0, num_talkers=num_talkers), seconds=11.0)
    assert -23.0 - decibels(agent.sound) == pytest.approx(10.0, abs=0.2)
    by_hop = np.sqrt(np.mean(np.square(agent.sound[:10 * SAMPLE_RATE].reshape(-1, 240)), axis=1))
    assert np.std(by_hop) / np.mean(by_hop) > 0.25  # steady noise has 0.05
    power = np.square(np.abs(np.fft.rfft(agent.sound)))
    hertz = np.fft.rfftfreq(len(agent.sound), 1 / SAMPLE_RATE)
    assert power[(hertz > 100) & (hertz < 4000)].sum() > 0.95 * power.sum()


def test_another_seed_is_another_noise() -> None:
    one, other = Hears(), Hears()
    run(Noise(one), seed=1)
    run(Noise(other), seed=2)
    assert abs(np.corrcoef(one.sound, other.sound)[0, 1]) < 0.05


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="'white' or 'pink', not 'brown'"):
        Noise(Echo(), colour="brown")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs a talker"):
        Babble(Echo(), num_talkers=0)
    with pytest.raises(ValueError, match="0 s or more, not -0.1"):
        Delay(Echo(), -0.1)
    with pytest.raises(ValueError, match="'mu' and 'a', not 'u'"):
        TelephoneLine(Echo(), law="u")


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.08, 0.12345, 0.3])
def test_delay_counts_twice_between_question_and_answer(seconds: float) -> None:
    audio = run(Delay(Echo(0.1), seconds), tone(440.0))
    lag = round(0.1 * SAMPLE_RATE) + 2 * round(seconds * SAMPLE_RATE)
    np.testing.assert_array_equal(audio[AGENT][lag:], audio[USER][:-lag])
    assert not audio[AGENT][:lag].any()


@pytest.mark.parametrize("seconds", [0.05, 0.3])
def test_delay_keeps_words_and_events_with_the_sound(seconds: float) -> None:
    user = Says(tone(440.0), [Word("hello", 0.16, 0.5), Word("there", 0.79, 0.9)], [Event("turn", 0.0, 0.9)])
    recording = converse(user, Delay(Echo(0.1), seconds), max_seconds=4.0)
    shift = 0.1 + 2 * seconds
    assert [word.text for word in recording.words[AGENT]] == ["hello", "there"]
    times = [(word.start - shift, word.end - shift) for word in recording.words[AGENT]]
    assert np.array(times) == pytest.approx(np.array([(0.16, 0.5), (0.79, 0.9)]), abs=2e-6)
    assert recording.events[AGENT][0].start == pytest.approx(shift, abs=2e-6)


def test_delay_lets_the_last_words_arrive_before_hanging_up() -> None:
    class SaysBye:
        def reset(self, prompt: Prompt, seed: int) -> None:
            self.frames = [Frame(frozen(np.full(FRAME_SAMPLES, 0.1, np.float32)))]

        def step(self, heard: Frame) -> Frame | None:
            return self.frames.pop() if self.frames else None

    recording = converse(Says(SILENCE.samples), Delay(SaysBye(), 0.2))
    assert recording.ended_by == "agent"
    assert segments(recording.audio[AGENT]) == [(0.2, 0.28)]


def test_mu_law_agrees_with_the_tables_of_g711() -> None:
    assert mu_law_inverse(np.array([0x00, 0x80, 0x7F, 0xFF, 0x01, 0x8F, 0xFE, 0x70], np.uint8)).tolist() == [
        -32124, 32124, 0, 0, -31100, 16764, 8, -120]
    assert mu_law(np.array([0, -1, 32767, -32768, 8, 1000, -1000], np.int16)).tolist() == [
        0xFF, 0x7E, 0x80, 0x00, 0xFE, 0xCE, 0x4E]


def test_a_law_agrees_with_the_tables_of_g711() -> None:
    assert a_law_inverse(np.array([0xD5, 0x55, 0xAA, 0x2A, 0x80, 0x00], np.uint8)).tolist() == [
        8, -8, 32256, -32256, 5504, -5504]
    assert a_law(np.array([0, -1, 32767, -32768, 1000, -1000], np.int16)).tolist() == [
        0xD5, 0x55, 0xAA, 0x2A, 0xFA, 0x7A]


def test_every_code_survives_the_round_trip() -> None:
    assert a_law(a_law_inverse(CODES)).tolist() == CODES.tolist()
    assert np.flatnonzero(mu_law(mu_law_inverse(CODES)) != CODES).tolist() == [0x7F]  # it is -0


def test_companding_errs_by_a_32nd_of_the_sample() -> None:
    inside = PCM[np.abs(PCM.astype(np.int32)) <= 32_000].astype(np.int32)
    for there, back in ((mu_law, mu_law_inverse), (a_law, a_law_inverse)):
        error = np.abs(back(there(inside.astype(np.int16))).astype(np.int32) - inside)
        assert (error <= np.abs(inside) / 32 + 8).all()  # half a step: a segment doubles and has 16


def test_g711_is_the_standard_librarys_for_every_sample() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            audioop = importlib.import_module("audioop")
        except ImportError:
            pytest.skip("Python 3.13 has no audioop to compare with")
    assert mu_law(PCM).tobytes() == audioop.lin2ulaw(PCM.tobytes(), 2)
    assert a_law(PCM).tobytes() == audioop.lin2alaw(PCM.tobytes(), 2)
    assert mu_law_inverse(CODES).tobytes() == audioop.ulaw2lin(CODES.tobytes(), 2)
    assert a_law_inverse(CODES).tobytes() == audioop.alaw2lin(CODES.tobytes(), 2)


def gain(law: str, hertz: float) -> float:
    """Decibels by which a line changes a tone."""
    received = Line(law).carry(tone(hertz))[2_400:]
    return decibels(received - received.mean()) - decibels(tone(hertz))  # A-law has an offset of its own


@pytest.mark.parametrize("law", ["mu", "a"])
@pytest.mark.parametrize("hertz", [310.0, 1_010.0, 3_390.0])
def test_the_line_carries_300_to_3400_hertz(law: str, hertz: float) -> None:
    assert gain(law, hertz) == pytest.approx(0.0, abs=0.2)


@pytest.mark.parametrize("law", ["mu", "a"])
@pytest.mark.parametrize("hertz", [50.0, 100.0, 4_000.0, 5_000.0, 7_000.0, 11_000.0])
def test_the_line_carries_nothing_else(law: str, hertz: float) -> None:
    assert gain(law, hertz) < -35.0


@pytest.mark.parametrize("law", ["mu", "a"])
@pytest.mark.parametrize("size", [3, 480, FRAME_SAMPLES])
def test_frame_borders_leave_no_trace(law: str, size: int) -> None:
    sent = np.random.default_rng(0).uniform(-1.0, 1.0, 5 * FRAME_SAMPLES).astype(np.float32)
    streaming = Line(law)
    parts = np.concatenate([streaming.carry(part) for part in sent.reshape(-1, size)])
    np.testing.assert_allclose(parts, Line(law).carry(sent), atol=1e-6)


def test_the_line_delays_sound_and_words_by_10_ms_each_way() -> None:
    assert DELAY_SAMPLES == 240
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, SAMPLE_RATE).astype(np.float32)
    recording = converse(Says(noise, [Word("hello", 0.0, 0.9)]), TelephoneLine(Echo(0.1)), max_seconds=2.0)
    lags = np.arange(2_000, 4_000)
    likeness = [float(recording.audio[USER, :20_000] @ recording.audio[AGENT, lag:lag + 20_000]) for lag in lags]
    assert lags[np.argmax(likeness)] == 2_400 + 2 * DELAY_SAMPLES
    assert recording.words[AGENT][0].start == pytest.approx(0.12, abs=2e-6)


def test_10_ms_each_way_around_a_responder_are_20_ms() -> None:
    plain = segments(run(Responder(0.5), tone(1000.0))[AGENT])[0]
    delayed = segments(run(Delay(Responder(0.5), 0.01), tone(1000.0))[AGENT])[0]
    assert delayed[0] - plain[0] == pytest.approx(0.02, abs=1e-9)


def test_silence_stays_silent_on_the_line() -> None:
    for law, level in (("mu", 0.0), ("a", 10 / 32_768)):  # A-law has no code for 0
        assert np.abs(run(TelephoneLine(NeverAnswers(), law))).max() <= level
