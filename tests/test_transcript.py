"""What a recogniser hears an agent say: word error against the agent's text, times, whose words metrics read, the cache."""

import json
from pathlib import Path

import numpy as np
import pytest
from exact import spoken
from sounds import recording, sound

from duplex.frame import SAMPLE_RATE, Frame, Word
from duplex.recording import AGENT, Recording, save
from duplex.stages.hearing.stt import Sphinx
from eval.activity import Segment, activity
from eval.metrics.words import text_audio_word_error, word_errors
from eval.transcript import NAME, about, both_sides, choose, kept, phrases, transcribe, transcribed

TEXT = "our store opens at nine in the morning and closes at six in the evening"


def told(text: str, start: float = 0.0) -> tuple[Word, ...]:
    return tuple(Word(word, start + index, start + index + 1) for index, word in enumerate(text.split()))


class Parrot:
    """A recogniser that hears one given text, whatever is said, and counts how often it was asked."""

    def __init__(self, text: str = "we are open"):
        self.text, self.finished = text, 0

    def reset(self, seed: int = 0) -> None:
        pass

    def attend(self, domain: str) -> None:
        pass

    def start(self, expected_digits: int = 0) -> None:
        pass

    def hear(self, frame: Frame) -> str:
        return self.text

    def finish(self) -> str:
        self.finished += 1
        return self.text


def agent_says(*spans: tuple[float, float], words: tuple[Word, ...] = ()) -> Recording:
    found = recording(sound(), sound(*spans))
    return Recording(found.audio, ((), words), found.events)


# word error


@pytest.mark.parametrize(("reference", "found", "errors"), [
    ("a b c", "a b c", 0), ("a b c", "a x c", 1), ("a b c", "a c", 1), ("a b c", "a b x c", 1), ("a b c", "", 3),
    ("", "a b", 2), ("a b c d", "b c d e", 2), ("the cat sat", "a cat on sat", 2),
])
def test_errors_are_the_fewest_edits(reference: str, found: str, errors: int) -> None:
    assert word_errors(reference.split(), found.split()) == errors


def test_word_error_counts_over_the_words_of_the_text() -> None:
    [found] = text_audio_word_error(told("your order has shipped"), told("your older has has shipped"))
    assert (found.metric, found.value, found.per) == ("text_audio_word_error", 2.0, 4.0)


def test_numbers_are_compared_as_they_are_read() -> None:
    [found] = text_audio_word_error(told("that is $44 at 123 market st."), told("that is forty four at one two three market st"))
    assert (found.value, found.per) == (0.0, 10.0)


def test_an_agent_that_is_not_heard_at_all_has_every_word_wrong() -> None:
    [found] = text_audio_word_error(told("hello there"), ())
    assert (found.value, found.per) == (2.0, 2.0)


def test_an_agent_without_text_is_no_occasion() -> None:
    assert text_audio_word_error((), told("hello there")) == []


# hearing


def test_units_close_together_are_heard_together_with_some_silence_around() -> None:
    heard = phrases([Segment(0.1, 1.0), Segment(1.5, 2.0), Segment(2.7, 3.0)])
    assert [(round(start, 9), round(end, 9)) for start, end in heard] == [(0.0, 2.2), (2.5, 3.2)]


def test_a_recogniser_that_knows_no_times_has_its_words_spread() -> None:
    channel = sound((2.0, 3.4))
    assert transcribe(channel, activity(channel), Parrot("we are open")) == (
        Word("we", 1.8, 2.4), Word("are", 2.4, 3.0), Word("open", 3.0, 3.6))


def test_silence_has_no_words() -> None:
    assert transcribe(sound(), (), Parrot()) == ()


def test_a_real_recogniser_hears_the_words_when_they_are_said() -> None:
    pytest.importorskip("pocketsphinx")
    speech = spoken(TEXT)
    channel = sound(seconds=8.0)
    channel[SAMPLE_RATE:SAMPLE_RATE + len(speech.samples)] = speech.samples
    own = [Word(word.text, word.start + 1.0, word.end + 1.0) for word in speech.words]
    found = transcribe(channel, activity(channel), Sphinx([*both_sides("optician"), TEXT], second_pass=True))
    [error] = text_audio_word_error(own, found)
    assert error.value / error.per <= 0.2
    starts = {word.text: word.start for word in own}
    late = [word.start - starts[word.text] for word in found if word.text in ("store", "nine", "morning", "six", "evening")]
    assert len(late) >= 3 and np.abs(late).max() <= 0.15


def test_what_either_side_says_is_known_to_the_recogniser() -> None:
    known = both_sides("optician")
    assert any("eye test takes about forty minutes" in sentence.lower() for sentence in known)
    assert not any("$" in sentence for sentence in known)
    assert not any("clearview" in sentence.lower() for sentence in known)  # a name that no dictionary has


# whose words


def test_metrics_read_the_agents_own_words_or_what_was_heard() -> None:
    own, heard = told("own words"), told("heard words")
    silent, speaking = agent_says((1, 2)), agent_says((1, 2), words=own)
    assert choose(speaking, heard, "spoken").words[AGENT] == own
    assert choose(speaking, heard, "recognised").words[AGENT] == heard
    assert choose(silent, heard, "spoken").words[AGENT] == heard
    assert choose(silent, None, "recognised").words[AGENT] == ()


# beside the recording


def test_a_transcript_is_kept_and_read(tmp_path: Path) -> None:
    found, parrot = agent_says((2.0, 3.4)), Parrot()
    save(found, tmp_path)
    first = transcribed(found, tmp_path, parrot, {"recogniser": "parrot"})
    asked = parrot.finished
    assert transcribed(found, tmp_path, parrot, {"recogniser": "parrot"}) == first == kept(tmp_path)
    assert parrot.finished == asked > 0


def test_another_recogniser_hears_anew(tmp_path: Path) -> None:
    found = agent_says((2.0, 3.4))
    save(found, tmp_path)
    transcribed(found, tmp_path, Parrot("one"), about({"threshold": 1}))
    assert [word.text for word in transcribed(found, tmp_path, Parrot("two"), about({"threshold": 2}))] == ["two"]
    assert [word.text for word in transcribed(found, tmp_path, Parrot("three"), about({"threshold": 2}))] == ["two"]


@pytest.mark.parametrize("harm", ["another sound", "cut off", "gone"])
def test_what_is_not_of_this_sound_is_no_transcript(tmp_path: Path, harm: str) -> None:
    found = agent_says((2.0, 3.4))
    save(found, tmp_path)
    transcribed(found, tmp_path, Parrot(), {})
    path = tmp_path / NAME
    if harm == "another sound":
        save(agent_says((2.0, 3.5)), tmp_path)
    elif harm == "cut off":
        path.write_text(path.read_text()[:40])
    else:
        path.unlink()
    assert kept(tmp_path) is None


def test_a_transcript_is_json_that_says_by_whom(tmp_path: Path) -> None:
    found = agent_says((2.0, 3.4))
    save(found, tmp_path)
    transcribed(found, tmp_path, Parrot(), about({"_target_": "Parrot"}))
    assert json.loads((tmp_path / NAME).read_text())["by"]["recogniser"] == {"_target_": "Parrot"}
