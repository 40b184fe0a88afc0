"""The cascade's parts that no product sells: mouth, ears, answer, endpointing, backchannels, dialogue, domain."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import yaml
from exact import CALLER, PROMPT, Costs, Voice, Whole, lines, quiet, spoken
from hypothesis import given
from hypothesis import strategies as st

from duplex.conversation import Prompt
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Frame, Word
from duplex.latency import Ideal
from duplex.speech import Speech, frames
from duplex.stages.answer import HASTY_SECONDS, Answer
from duplex.stages.hearing.ears import Ears
from duplex.stages.hearing.stt import Oracle
from duplex.stages.hearing.vad import EnergyVad, SpeechDetector
from duplex.stages.language.domain import FOLDER, domain
from duplex.stages.language.llm import ANSWERED, HALF_SPOKEN, UNDERSTOOD, UNKNOWN, Reply
from duplex.stages.language.manager import Manager
from duplex.stages.language.understanding import corrected_digits
from duplex.stages.speaking.mouth import FADE_SAMPLES, SENTENCE_GAP, Mouth
from duplex.stages.turns.backchannel import aside, claims_floor
from duplex.stages.turns.endpoint import Completion, Endpointing, Silence, TwoStage
from duplex.workers import Charged

pytest.importorskip("espeakng_loader")

# Mouth


def tone(seconds: float, *words: Word, level: float = 0.5) -> Speech:
    return Speech(np.full(round(seconds * SAMPLE_RATE), level, np.float32), words)


def played(mouth: Mouth, num_frames: int) -> tuple[np.ndarray, list[Word]]:
    """Sound and words of the next frames, words in seconds from the first of them."""
    made = [mouth.frame() for _ in range(num_frames)]
    return np.concatenate([frame.samples for frame in made] or [np.zeros(0)]), [
        Word(word.text, index * FRAME_SECONDS + word.start, index * FRAME_SECONDS + word.end)
        for index, frame in enumerate(made) for word in frame.words]


def texts(words: Iterable[Word]) -> list[str]:
    return [word.text for word in words]


def one_two() -> Mouth:
    """Says "one two" at 0.1 and 0.3 s of 0.5 s, then "three" at once."""
    mouth = Mouth()
    mouth.say(tone(0.5, Word("one", 0.1, 0.25), Word("two", 0.3, 0.45)))
    mouth.say(tone(0.2, Word("three", 0.0, 0.2), level=0.25))
    return mouth


def test_mouth_plays_in_order_with_a_gap_and_words_at_their_times() -> None:
    samples, words = played(one_two(), 13)
    gap = round(SENTENCE_GAP * SAMPLE_RATE)
    expected = np.concatenate([np.full(12_000, 0.5), np.zeros(gap), np.full(4_800, 0.25)])
    assert np.array_equal(samples[: len(expected)], expected.astype(np.float32)) and not samples[len(expected):].any()
    assert texts(words) == ["one", "two", "three"]
    np.testing.assert_allclose([word.start for word in words], [0.1, 0.3, 0.5 + SENTENCE_GAP], atol=1e-9)
    np.testing.assert_allclose([word.end for word in words], [0.25, 0.45, 0.7 + SENTENCE_GAP], atol=1e-9)


def test_mouth_is_speaking_until_the_frame_that_holds_the_end() -> None:
    mouth = Mouth()
    assert not mouth.speaking
    mouth.say(tone(0.1))
    mouth.frame()
    assert mouth.speaking
    mouth.frame()
    assert not mouth.speaking


@pytest.mark.parametrize("num_frames", range(1, 7))
def test_mouth_fades_within_5_ms_and_without_a_click(num_frames: int) -> None:
    for cut_off in (Mouth.pause, Mouth.stop):
        mouth = Mouth()
        mouth.say(tone(0.5))
        played(mouth, num_frames)
        cut_off(mouth)
        samples = mouth.frame().samples
        assert samples[0] == 0.5 and not samples[FADE_SAMPLES:].any()
        assert np.abs(np.diff(samples)).max() <= 1.01 * 0.5 / (FADE_SAMPLES - 1)


def test_mouth_fades_out_under_what_it_says_next() -> None:
    mouth = Mouth()
    mouth.say(tone(0.5))
    mouth.frame()
    mouth.stop()
    mouth.say(tone(0.5, level=0.25))
    samples = mouth.frame().samples
    assert samples[0] == 0.75 and samples[FADE_SAMPLES] == 0.25


@pytest.mark.parametrize("num_frames", range(14))
def test_nothing_is_said_after_stop(num_frames: int) -> None:
    for paused in (False, True):
        mouth = one_two()
        played(mouth, num_frames)
        if paused:
            mouth.pause()
        mouth.stop()
        samples, words = played(mouth, 20)
        assert not words and not samples[FADE_SAMPLES:].any() and not mouth.speaking and not mouth.paused


@pytest.mark.parametrize(("num_frames", "again"), [(0, "one two three"), (1, "one two three"), (2, "one two three"),
                                                   (3, "one two three"), (4, "two three"), (5, "two three"),
                                                   (6, "three"), (9, "three"), (10, "three"), (12, "")])
def test_mouth_goes_on_with_the_word_that_was_cut_off(num_frames: int, again: str) -> None:
    mouth = one_two()
    played(mouth, num_frames)
    mouth.pause()
    assert not played(mouth, 5)[1]
    mouth.resume()
    samples, words = played(mouth, 14)
    assert " ".join(texts(words)) == again
    assert np.abs(np.diff(samples[:FADE_SAMPLES])).max() <= 0.01 or not num_frames, "it goes on without a click"


def test_mouth_says_the_cut_off_word_in_full() -> None:
    mouth = one_two()
    played(mouth, 4)  # 0.32 s: 20 ms into "two"
    mouth.pause()
    mouth.resume()
    samples, words = played(mouth, 1)
    assert words[0] == Word("two", 0.0, pytest.approx(0.15))
    assert np.flatnonzero(np.diff(played(mouth, 3)[0]))[0] + 1 == round(0.2 * SAMPLE_RATE) - FRAME_SAMPLES


def test_mouth_says_the_sentence_again_for_those_who_did_not_listen() -> None:
    mouth = one_two()
    played(mouth, 5)
    mouth.pause()
    mouth.resume(sentence=True)
    assert texts(played(mouth, 14)[1]) == ["one", "two", "three"]


def test_who_was_not_interrupted_does_not_stutter() -> None:
    mouth = one_two()
    played(mouth, 4)
    mouth.resume()
    mouth.resume(sentence=True)
    assert texts(played(mouth, 10)[1]) == ["three"]


@given(st.lists(st.sampled_from(["frame", "pause", "resume", "sentence", "stop", "say"]), max_size=40))
def test_whatever_happens_to_the_mouth_its_frames_are_frames(acts: list[str]) -> None:
    mouth, since_stop = Mouth(), 0
    for number, act in enumerate(acts):
        if act == "say":
            mouth.say(tone(0.13, Word(str(number), 0.07, 0.12), level=1.0))
        elif act == "frame":
            frame = mouth.frame()
            assert frame.samples.shape == (FRAME_SAMPLES,) and np.abs(frame.samples).max() <= 1.0
            assert all(0.0 <= word.start < FRAME_SECONDS and int(word.text) >= since_stop for word in frame.words)
        elif act == "stop":
            mouth.stop()
            since_stop = number
        else:
            {"pause": mouth.pause, "resume": mouth.resume, "sentence": lambda: mouth.resume(sentence=True)}[act]()


@given(st.integers(1, 100), st.integers(0, 60))
def test_a_word_cut_off_is_said_again_wherever_it_begins(hundredths: int, pause_frame: int) -> None:
    mouth = Mouth()
    mouth.say(tone(1.5, Word("word", 0.1 + 0.2 + hundredths * 0.01 - 0.3, 1.4)))  # a sum that is not quite its decimal
    before = played(mouth, pause_frame)[1]
    mouth.pause()
    mouth.resume()
    again = played(mouth, 20)[1]
    over = pause_frame * FRAME_SECONDS >= 1.4 - 1e-9
    assert len(before + again) == 1 if over or not before else texts(again) == ["word"]


# Ears


def ears(worker: Charged, **oracle: Any) -> Ears:
    return Ears(EnergyVad(), SpeechDetector(start_windows=2), Oracle(**oracle), worker)


class Hearing:
    """Ears on their clock, frame by frame."""

    def __init__(self, **costs: float):
        self.worker = Charged(Costs(**costs))
        self.ears = ears(self.worker)
        self.begun: list[int] = []  # steps in which an utterance began
        self.hypotheses: list[str] = []  # after each step
        self.settled: list[bool] = []

    def hear(self, heard: Iterable[Frame]) -> "Hearing":
        for frame in heard:
            self.worker.tick()
            if self.ears.hear(frame, 0):
                self.begun.append(len(self.hypotheses))
            self.hypotheses.append(self.ears.hypothesis)
            self.settled.append(self.ears.settled)
        return self


TURN = "where can i park"


def test_an_utterance_begins_with_what_was_said_before_it_was_noticed() -> None:
    hearing = Hearing().hear(frames(lines((1.0, TURN))))
    onset = 1.0 + spoken(TURN, CALLER).words[0].start
    assert len(hearing.begun) == 1 and 0.0 < (hearing.begun[0] + 1) * FRAME_SECONDS - onset < 0.2
    assert hearing.ears.onset == pytest.approx(onset, abs=0.1)
    assert hearing.hypotheses[-1] == TURN


@pytest.mark.parametrize("lag", [0.0, 0.08, 0.2, 0.5])
def test_hypotheses_arrive_late_by_the_charged_lag_and_in_order(lag: float) -> None:
    speech = lines((1.0, TURN))
    sound = [*frames(speech), *quiet(20)]
    hearing = Hearing(stt_partial=lag).hear(sound)
    for count, word in enumerate(speech.words, start=1):
        ended = int(-(-(word.end - 1e-6) // FRAME_SECONDS)) - 1  # the frame in which its end is heard
        arrives = max(hearing.begun[0], ended) + int(np.ceil(lag / FRAME_SECONDS - 1e-9))
        words = TURN.split()[:count]
        assert hearing.hypotheses[arrives].split()[:count] == words != hearing.hypotheses[arrives - 1].split()[:count]


def test_hypotheses_never_overtake_each_other() -> None:
    class Uneven(Costs):
        def lag(self, stage: str, request: str) -> float:
            return 1.0 - 0.2 * len(request.split())  # later hypotheses would arrive sooner

    hearing = Hearing()
    hearing.worker.charges = Uneven()
    lengths = [len(said.split()) for said in hearing.hear([*frames(lines((1.0, TURN))), *quiet(20)]).hypotheses]
    assert lengths == sorted(lengths) and lengths[-1] == 4


def test_ears_are_settled_once_the_hypothesis_covers_all_that_was_said() -> None:
    speech = lines((1.0, TURN))
    last = int(speech.words[-1].end / FRAME_SECONDS)
    hearing = Hearing(stt_partial=0.4).hear([*frames(speech), *quiet(20)])
    settled = hearing.settled.index(True, hearing.begun[0])
    assert last + 4 <= settled <= last + 7  # 0.4 s is five frames; the last window of sound may reach one frame on
    assert hearing.hypotheses[settled] == TURN and all(hearing.settled[settled:])


def test_finish_brings_the_final_text_and_ends_the_utterance() -> None:
    hearing = Hearing(stt_final=0.25).hear([*frames(lines((0.5, TURN))), *quiet(4)])
    job = hearing.ears.finish()
    assert not hearing.ears.in_utterance and not job.done
    hearing.hear(quiet(3))
    assert not job.done
    hearing.hear(quiet(1))
    assert job.done and job.result == TURN


@pytest.mark.parametrize("silent_frames", range(1, 12))
@pytest.mark.parametrize("gap", [0.0, 0.1, 0.4])
def test_the_next_utterance_has_none_of_the_last_ones_words(silent_frames: int, gap: float) -> None:
    hearing = Hearing(stt_final=gap).hear([*frames(lines((0.5, "is it a"))), *quiet(silent_frames)])
    assert hearing.ears.detector.silence_seconds >= 0.03, "who finishes an utterance has heard some silence"
    hearing.ears.finish()
    hearing.hear([*frames(lines((0.0, TURN))), *quiet(10)])
    assert len(hearing.begun) == 2 and hearing.hypotheses[-1] == TURN


def test_who_speaks_while_the_recogniser_is_still_finishing_is_noticed_at_once_and_heard_from_the_start() -> None:
    hearing = Hearing(stt_final=0.8).hear([*frames(lines((0.5, TURN))), *quiet(3)])
    hearing.ears.finish()
    asked = len(hearing.hypotheses)
    hearing.hear([*frames(lines((0.1, "is there parking"))), *quiet(10)])
    assert (hearing.begun[1] - asked + 1) * FRAME_SECONDS < 0.1 + 0.2
    assert set(hearing.hypotheses[hearing.begun[1]: asked + 9]) == {""}
    assert hearing.hypotheses[-1] == "is there parking"


def test_an_utterance_that_ends_before_the_recogniser_is_free_is_recognised_after_it() -> None:
    hearing = Hearing(stt_final=2.0).hear([*frames(lines((0.5, TURN))), *quiet(3)])
    hearing.ears.finish()
    hearing.hear([*frames(lines((0.1, "yes"))), *quiet(3)])
    final = hearing.ears.finish()
    assert not final.done
    hearing.hear(quiet(50))
    assert final.done and final.result == "yes"
    hearing.hear([*frames(lines((0.1, TURN))), *quiet(3)])
    assert hearing.hypotheses[-1] == TURN


def test_a_recogniser_that_fails_at_the_end_is_not_forgotten() -> None:
    hearing = Hearing(stt_final=0.3).hear([*frames(lines((0.5, TURN))), *quiet(3)])
    hearing.ears.recogniser.finish = lambda: 1 // 0  # type: ignore[method-assign,assignment,return-value]
    hearing.ears.finish()
    with pytest.raises(ZeroDivisionError):
        hearing.hear(quiet(10))


def test_ears_forget() -> None:
    worker = Charged(Ideal())
    heard = ears(worker, word_error_rate=0.3)
    told = []
    for _ in range(2):
        worker.reset(1)
        heard.reset(1)
        told.append([])
        for frame in [*frames(lines((0.5, TURN), (2.5, "is there parking"))), *quiet(5)]:
            worker.tick()
            told[-1].append((heard.hear(frame, 0), heard.hypothesis, heard.settled, heard.onset))
    assert told[0] == told[1]


# Answer


class Spoken:
    """An answer on its clock: chosen in frame `chosen`, spoken as soon as it is ready."""

    def __init__(self, started: int, chosen: int, final: bool, **costs: float):
        self.worker = Charged(Costs(**costs))
        self.mouth = Mouth()
        for _ in range(started + 1):
            self.worker.tick()
        heard = self.worker.run("stt_final", "", lambda: "is there parking") if final else "is there parking"
        answer = Answer(heard, Manager(), Voice(), self.worker)
        for _ in range(chosen - started):
            self.worker.tick()
        self.since = self.worker.now
        while not answer.ready:
            self.worker.tick()
        answer.speak(self.mouth, self.since)
        self.shares = dict(self.mouth.frame().events[0].detail)
        self.answer = answer


@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize("ahead", range(12))
def test_the_parts_of_an_answer_sum_to_what_was_waited(final: bool, ahead: int) -> None:
    spoken_answer = Spoken(3, 3 + ahead, final, stt_final=0.11, llm=0.37, tts=0.13)
    shares = spoken_answer.shares
    waited = spoken_answer.worker.now - spoken_answer.since
    assert sum(shares[part] for part in ("stt_final", "llm", "tts", "frame") if part in shares) == pytest.approx(waited)
    cost = (0.11 if final else 0.0) + 0.37 + 0.13
    assert waited - shares["frame"] == pytest.approx(max(0.0, cost - ahead * FRAME_SECONDS))
    assert -1e-9 <= shares["frame"] < FRAME_SECONDS
    assert shares["prepared"] == (ahead > 0)


def test_a_prepared_answer_counts_only_what_was_left() -> None:
    shares = Spoken(0, 5, False, llm=0.37, tts=0.13).shares  # 0.4 s ahead: the model was done, the voice not
    assert (shares["llm"], shares["tts"]) == (0.0, pytest.approx(0.1))
    shares = Spoken(0, 10, False, llm=0.37, tts=0.13).shares
    assert (shares["llm"], shares["tts"], shares["frame"]) == (0.0, 0.0, 0.0)


def test_an_answer_says_all_its_sentences_in_order() -> None:
    said = Spoken(0, 0, False, tts=0.2)
    words = []
    for _ in range(90):
        said.worker.tick()
        said.answer.continue_speaking(said.mouth)
        words += texts(said.mouth.frame().words)
    assert " ".join(words) == "there is free parking behind the store for two hours"
    assert not said.answer.unfinished


def test_who_speaks_on_soon_has_not_heard_the_answer() -> None:
    answer = Spoken(0, 0, False, llm=0.4).answer
    assert answer.hasty(answer.spoken_at + HASTY_SECONDS - 0.01) and not answer.hasty(answer.spoken_at + HASTY_SECONDS)


# Endpointing

ASKED_FOR_ORDER, CONFIRMING = ("where is my order",), ("where is my order", "one two three four five")


def manager(*heard: str, records: Prompt = PROMPT) -> Manager:
    """A manager in the middle of a call."""
    made = Manager()
    made.reset(records, 0)
    for text in heard:
        made.commit(made.reply(text))
    return made


@pytest.mark.parametrize(("policy", "before", "heard", "patience"), [
    (Silence(0.7), (), "", 0.7),
    (Silence(0.7), (), "is there parking", 0.7),
    (TwoStage(Whole()), (), "", 0.8),
    (TwoStage(Whole()), (), "is there", 0.8),
    (TwoStage(Whole()), (), "is there parking", 0.24),
    (TwoStage(Whole(), unfinished=1.2), ASKED_FOR_ORDER, "one two", 1.2),
    (TwoStage(Whole(), slow=0.9), ASKED_FOR_ORDER, "one two", 0.9),
    (TwoStage(Whole(), unfinished=1.2), ASKED_FOR_ORDER, "one two three four five", 0.24),
    (TwoStage(Whole(), unfinished=1.2), (), "can you deliver my glasses", 1.2),
    (Completion(Whole()), (), "", 0.9),
    (Completion(Whole()), (), "blah blah", 0.9),
    (Completion(Whole()), (), "is there parking", 0.16),
    (Completion(Whole()), (), "tell me is there parking", 0.9),  # Whole says impossible
    (Completion(Whole(), unlikely=0.0), (), "tell me is there parking", 0.56),
    (Completion(Whole()), (), "how much is", 1.2),
    (Completion(Whole()), ASKED_FOR_ORDER, "my order number is", 1.2),
    (Completion(Whole()), ASKED_FOR_ORDER, "my order number is one two three four five", 0.16),
    (Completion(Whole()), CONFIRMING, "yes", 0.16),
    (Completion(Whole()), CONFIRMING, "no wait", 1.2),
])
def test_patience(policy: Endpointing, before: tuple[str, ...], heard: str, patience: float) -> None:
    assert policy.patience(heard, manager(*before)) == patience


# Backchannels


@pytest.mark.parametrize(("heard", "seconds", "claims"), [
    ("", 0.5, False), ("", 0.81, True), ("uh huh", 0.5, False), ("yeah right okay", 0.9, False), ("yes", 0.3, False),
    ("wait", 0.2, True), ("no", 0.2, True), ("uh wait", 0.3, True), ("but", 0.3, False), ("but", 0.9, True),
    ("what are your", 0.5, True), ("parking", 0.5, True), ("i see", 0.4, False), ("john come here", 0.6, True),
])
def test_what_claims_the_floor(heard: str, seconds: float, claims: bool) -> None:
    assert claims_floor(heard, seconds, 0.8, manager()) is claims


def test_yes_claims_the_floor_where_it_answers() -> None:
    assert claims_floor("yes", 0.3, 0.8, manager(*CONFIRMING))
    assert not claims_floor("uh huh", 0.3, 0.8, manager(*CONFIRMING))


@pytest.mark.parametrize(("heard", "is_aside"), [
    ("john come here", True), ("", True), ("where can i park", False), ("hold on blah is blah", False),
    ("wait", False)])
def test_what_is_said_to_somebody_else(heard: str, is_aside: bool) -> None:
    assert aside(heard, manager()) is is_aside


# The dialogue

CONFIRM = "I have order one two three four five. Is that correct?"
ASK = "What is your five digit order number?"
STATUS = ("Thank you. Order one two three four five has shipped. It will arrive on friday. "
          "Is there anything else I can do for you?")
NINES = "nine nine nine nine nine"
NOT_FOUND = f"Sorry. I can not find order {NINES}. {ASK}"
LOST = "Sorry. I did not understand that. Could you say it again please?"
MOVED = "Great. Your appointment is now on tuesday at ten in the morning. Is there anything else I can do for you?"


@pytest.mark.parametrize("dialogue", [
    [("is there parking", "Yes. There is free parking behind the store for two hours."),
     ("thank you", "You are welcome."),
     ("can you repeat that", "You are welcome."), ("thanks goodbye", "Thank you for calling. Goodbye.")],
    [("where is my order", ASK), ("my order number is one two three four five", CONFIRM), ("yes", STATUS)],
    [("what is the status of order one two three four five", CONFIRM), ("yes that is correct", STATUS), ("yes", LOST)],
    [("where is my order", ASK), ("one two three four six no sorry it is one two three four five", CONFIRM)],
    [("where is my order", ASK), ("one two three oh five sorry one two three four five", CONFIRM)],
    [("where is my order", ASK), ("one two three", f"Sorry. {ASK}"), ("is there parking", "Yes. There is free parking "
      "behind the store for two hours."), ("one two three four five", CONFIRM)],
    [("where is my order", ASK), ("one two three four five", CONFIRM), ("no", f"Sorry. {ASK}"),
     ("one two three four five", CONFIRM), ("blah", CONFIRM), ("yes please", STATUS)],
    [("where is my order", ASK), (NINES, NOT_FOUND),
     ("one two three four five", CONFIRM), (f"no it is {NINES}", NOT_FOUND)],
    [("one two three four five", CONFIRM)],
    [("i need to move my appointment", "What day and time would you like?"), ("tuesday", "What time would you like?"),
     ("ten in the morning", "That is tuesday at ten in the morning. Should I move it there?"), ("yes", MOVED)],
    [("can i move my appointment to tuesday", "What time would you like?"),
     ("monday no sorry tuesday at ten in the morning",
      "That is tuesday at ten in the morning. Should I move it there?"), ("that works", MOVED)],
    [("how about tuesday at ten in the morning", "That is tuesday at ten in the morning. Should I move it there?"),
     ("no", "Sorry. What day and time would you like?"), ("where is my order", ASK)],
    [("when is my appointment", "Your appointment is on monday at nine in the morning. Does that still work for you?"),
     ("no", "Sorry. What day and time would you like?")],
    [("when is my appointment", "Your appointment is on monday at nine in the morning. Does that still work for you?"),
     ("yes", "Great. Your appointment on monday at nine in the morning is confirmed. "
      "Is there anything else I can do for you?")],
    [("", LOST), ("blah blah", LOST), ("hello", "Hello. This is Clearview Opticians. How can I help you?")],
    [("how do returns work wait where can i park", "Yes. There is free parking behind the store for two hours.")],
    [("how much is an eye test hold on do you deliver", "Yes. Delivery takes three days and it is free.")],
    [("where is my no sorry order", ASK)],
])
def test_dialogue(dialogue: list[tuple[str, str]]) -> None:
    talker = manager()
    for heard, answer in dialogue:
        reply = talker.reply(heard)
        assert " ".join(reply.sentences) == answer, heard
        talker.commit(reply)


def test_records_that_are_missing_are_unknown_and_a_reset_forgets_them() -> None:
    assert manager("when is my appointment", records=Prompt()).state.last[0] == (
        "Your appointment is on unknown at unknown.")
    talker = manager(*CONFIRMING)
    talker.reset(Prompt(), 0)
    assert talker.reply("yes").sentences == manager().reply("yes").sentences
    assert "can not find" in talker.reply("one two three four five").sentences[1]


@pytest.mark.parametrize(("heard", "number"), [
    ("one two three four five", "one two three four five"), ("one two three four", ""),
    ("one two three four five six", ""), ("oh one two three four", "zero one two three four"),
    ("one two three four five no sorry five four three two one", "five four three two one"),
    ("one two three four five no six", "one two three four five"), ("one two three sorry one two three four five",
     "one two three four five"), ("one two three four five wait one two", ""), ("it is one two uh three four five",
     "one two three four five"), ("", ""),
])
def test_numbers_and_their_corrections(heard: str, number: str) -> None:
    assert corrected_digits(heard.split(), 5) == number


PHRASES = domain("optician").sentences(copies=3)
PREFIXES = sorted({" ".join(phrase.split()[:count]) for phrase in PHRASES for count in range(len(phrase.split()) + 1)})
BY_MEANING = {meaning: list(same) for meaning, same in groupby(
    sorted(PREFIXES, key=lambda text: str(manager().meaning(text))), manager().meaning)}
said_before = st.lists(st.sampled_from(PHRASES), max_size=4)


@given(said_before, st.sampled_from(PREFIXES))
def test_asking_never_changes_the_dialogue(before: list[str], heard: str) -> None:
    talker = manager(*before)
    state, replies = talker.state, talker.reply("yes")
    talker.reply(heard), talker.meaning(heard), talker.completeness(heard), talker.continuations(heard)
    assert talker.state == state and talker.reply("yes") == replies


@given(said_before, st.sampled_from(PREFIXES), st.data())
def test_equal_meaning_gets_an_equal_reply(before: list[str], one: str, data: st.DataObject) -> None:
    talker = manager(*before)
    other = data.draw(st.sampled_from(BY_MEANING[talker.meaning(one)]))
    assert talker.meaning(other) == talker.meaning(one) and talker.reply(other) == talker.reply(one)


@given(said_before, st.sampled_from(PHRASES))
def test_a_reply_that_was_not_heard_never_happened(before: list[str], heard: str) -> None:
    talker = manager(*before)
    state = talker.state
    talker.commit(talker.reply(heard))
    talker.retract()
    assert talker.state == state


@given(said_before, st.sampled_from(PREFIXES))
def test_continuations_go_on_from_what_was_heard_and_each_means_something_else(before: list[str], heard: str) -> None:
    talker = manager(*before)
    found = talker.continuations(heard)
    meanings = [talker.meaning(whole) for whole in found]
    assert all(whole.startswith(heard) and whole != heard for whole in found)
    assert None not in meanings and len(set(meanings)) == len(meanings) <= 2


@pytest.mark.parametrize(("before", "heard", "likely"), [
    ((), "", ()), (CONFIRMING, "", ("yes", "no")), ((), "hello", ()),
    ((), "how much is", ("how much is an eye test", "how much is delivery")),
    ((), "what does the", ("what does the warranty cover",)),
    (("i need to move my appointment",), "monday at nine in the", ("monday at nine in the morning",)),
    ((), "my order number is one two three four nine", ()),
])
def test_what_is_likely_to_come(before: tuple[str, ...], heard: str, likely: tuple[str, ...]) -> None:
    assert set(manager(*before).continuations(heard)) == set(likely)


@pytest.mark.parametrize(("before", "heard", "completeness"), [
    ((), "", UNKNOWN), ((), "blah", UNKNOWN), ((), "is there parking", UNDERSTOOD), ((), "how much is", HALF_SPOKEN),
    ((), "one two", HALF_SPOKEN), ((), "monday at", UNDERSTOOD), ((), "is there parking sorry", HALF_SPOKEN),
    ((), "my order number is one two three four nine", UNDERSTOOD),
    (ASKED_FOR_ORDER, "one", HALF_SPOKEN), (ASKED_FOR_ORDER, "my order number is", HALF_SPOKEN),
    (ASKED_FOR_ORDER, "one two three four five", ANSWERED), (ASKED_FOR_ORDER, "is there parking", UNDERSTOOD),
    (("i need to move my appointment",), "monday", HALF_SPOKEN),
    (("i need to move my appointment",), "monday at nine in the morning", ANSWERED),
    (CONFIRMING, "yes", ANSWERED), (CONFIRMING, "no", UNDERSTOOD), (CONFIRMING, "no it is one", HALF_SPOKEN),
    (CONFIRMING, "no wait", HALF_SPOKEN),
    (CONFIRMING, "no it is one two", HALF_SPOKEN),
])
def test_completeness(before: tuple[str, ...], heard: str, completeness: float) -> None:
    assert manager(*before).completeness(heard) == completeness


def test_digits_are_expected_where_a_number_was_asked_for() -> None:
    assert (manager().expected_digits(), manager(*ASKED_FOR_ORDER).expected_digits()) == (0, 5)


# The domain

MINIMAL: dict[str, Any] = {
    "name": "shop", "role": "You sell.", "values": {"number": {"digits": 3}, "colour": ["red", "blue"]},
    "talk": {"thanks": ["thanks"]}, "say": {"lost": "What?", "offer": "Yes?", "thanks": "Sure."},
    "intents": {"buy": {"phrases": ["i want $colour"], "keys": ["want"], "slots": ["colour"],
                        "ask": {"colour": "Which?"}, "confirm": "$colour?", "answer": "Sold."}}}


def written(folder: Path, **intent: Any) -> str:
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump({**MINIMAL, "intents": {"buy": {**MINIMAL["intents"]["buy"], **intent}}}))
    return str(path)


def test_a_domain_of_ones_own_answers(tmp_path: Path) -> None:
    talker = Manager(written(tmp_path))
    for heard, answer in [("i want a house", ("Which?",)), ("red", ("red?",)), ("no", ("Sorry. Which?",)),
                          ("blue", ("blue?",)), ("yes", ("Sold.",)), ("thanks", ("Sure.",)), ("hello", ("What?",))]:
        reply = talker.reply(heard)
        assert reply.sentences == answer
        talker.commit(reply)


@pytest.mark.parametrize(("changed", "complaint"), [
    ({"phrases": ["i want $size"]}, "intent 'buy' says 'i want \\$size', but size has no values"),
    ({"slots": ["colour", "size"]}, "intent 'buy' needs size, which has no values"),
    ({"slots": ["colour", "number"]}, "intent 'buy' does not ask for number"),
    ({"frases": []}, "intent 'buy': unknown frases; known are answer, ask"),
    ({"key": "number", "unknown": "No."}, "its key 'number' must be one of its slots"),
    ({"key": "colour"}, "unknown says what to say"),
    ({"refused": "sell"}, "a no to confirm leads to 'sell', which has no slots"),
    ({"slots": [], "ask": {}}, "a no to confirm leads to 'buy', which has no slots"),
])
def test_a_domain_that_contradicts_itself(tmp_path: Path, changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        domain(written(tmp_path, **changed))


@pytest.mark.parametrize(("text", "complaint"), [
    ("[", "is not YAML"), ("a: 1", "needs intents, name, role, say, talk, values"), ("- 1", "needs intents"),
    (yaml.safe_dump({**MINIMAL, "say": {}}), "say needs lost and offer"),
    (yaml.safe_dump({**MINIMAL, "intents": {"buy": {"keys": []}}}), "intent 'buy' needs answer, phrases"),
])
def test_a_domain_that_is_none(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "shop.yaml").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        domain(str(tmp_path / "shop.yaml"))


def test_an_unknown_domain_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="no domain 'bank': there is .*optician, orders"):
        domain("bank")


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_every_phrase_of_a_domain_is_understood_as_its_intent(name: str) -> None:
    talker = Manager(name)
    for intent in talker.domain.intents.values():
        for phrase in intent.phrases:
            for say in (talker.domain.filled(phrase, Random(seed)) for seed in range(3)):
                meaning = talker.meaning(say)
                assert meaning is not None, say
                leads_to = meaning.intent and talker.domain.intents[meaning.intent].requires  # which brings it about
                assert meaning.intent in (intent.name, "") or leads_to == intent.name or phrase.startswith("$"), say


def test_a_manager_commits_only_its_own() -> None:
    with pytest.raises(AssertionError):
        manager().commit(Reply(("Hello.",)))

