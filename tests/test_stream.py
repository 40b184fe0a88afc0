"""Speech that comes in pieces: said as it comes, stopped where nobody wants the rest, and a memory of what was heard."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("espeakng_loader")

from exact import (
    Costs,
    Voice,
    after,
    call,
    cascade,
    events,
    frame_of,
    heard_from_agent,
    incremental,
    spoken,
    user,
)
from streaming_voice import Remembering, Streaming, cut
from test_cascade import NEW_REQUEST, PARKING, PRICE, REQUEST, answer_frame

from duplex.agents.cascade import BargeIn
from duplex.conversation import ConversationFailed, Prompt, converse
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Frame, Word
from duplex.pace import RealTime
from duplex.recording import AGENT, USER
from duplex.speech import Speech
from duplex.stages.speaking.mouth import SENTENCE_GAP, Mouth
from duplex.stages.speaking.pieces import joined, without_lead
from duplex.stages.speaking.stream import AHEAD_PIECES, AHEAD_SECONDS, Stream
from duplex.workers import Charged, Threaded

AGENTS = pytest.mark.parametrize("make", [cascade, incremental])
IT_IS_FREE = "It is free if you buy glasses on the same day."  # the second sentence of PRICE
INAUDIBLE = 10.0 ** (-50.0 / 20.0) * 4.0  # a peak that a hop of -50 dB may have


def burst(seconds: float, level: float = 0.1, words: tuple[Word, ...] = ()) -> Speech:
    return Speech(np.full(round(seconds * SAMPLE_RATE), level, np.float32), words)


# What is said


@AGENTS
def test_streamed_speech_is_the_speech_made_whole(make: Any) -> None:
    whole = call(make(tts=Voice()), (0.4, REQUEST))
    streamed = call(make(tts=Streaming()), (0.4, REQUEST))
    assert np.abs(whole.audio - streamed.audio).max() < INAUDIBLE  # all but silence at the end of a sentence
    assert streamed.words == whole.words
    assert not events(streamed, "underrun")


@AGENTS
@pytest.mark.parametrize("seconds", [0.013, 0.5])
def test_pieces_may_have_any_length(make: Any, seconds: float) -> None:
    whole, streamed = (call(make(tts=voice), (0.4, REQUEST)) for voice in (Voice(), Streaming(seconds)))
    assert heard_from_agent(streamed) == heard_from_agent(whole)
    late, early = ([word.start for word in recording.words[AGENT]] for recording in (whole, streamed))
    np.testing.assert_allclose(early, late, atol=0.03)  # the silence behind a sentence may be cut off


@AGENTS
def test_an_answer_begins_with_its_first_piece(make: Any) -> None:
    whole = call(make(tts=Voice(), worker=Charged(Costs(tts=0.24, tts_piece=0.04))), (0.4, REQUEST))
    streamed = call(make(tts=Streaming(), worker=Charged(Costs(tts=0.24, tts_piece=0.04))), (0.4, REQUEST))
    assert answer_frame(streamed) == answer_frame(whole)
    assert heard_from_agent(streamed) == PRICE
    assert not events(streamed, "underrun")


def test_a_piece_that_comes_too_late_is_a_gap_that_is_logged() -> None:
    voice = Streaming(0.16)
    late = call(cascade(tts=voice, worker=Charged(Costs(tts_piece=0.24))), (0.4, REQUEST), seconds=8.0)
    gaps = events(late, "underrun")
    assert gaps and gaps[0].detail == {"seconds": pytest.approx(0.08)}
    begins = answer_frame(late)
    assert frame_of(gaps[0]) == begins + 3  # two frames of sound, one of waiting
    silent = late.audio[AGENT, (begins + 2) * FRAME_SAMPLES: (begins + 3) * FRAME_SAMPLES]
    assert not silent.any()
    words = [word.text for word in late.words[AGENT]]
    assert words == PRICE.split()[: len(words)]


def test_no_more_is_made_ahead_than_is_likely_wanted() -> None:
    voice = Streaming()
    agent = cascade(tts=voice)
    agent.reset(Prompt(), 0)
    caller = user((0.4, REQUEST))
    caller.reset(Prompt(), 0)
    most, heard = 0.0, agent.step(Frame(np.zeros(FRAME_SAMPLES, np.float32)))
    for _ in range(80):
        said = caller.step(heard)
        assert said is not None
        heard = agent.step(said)
        most = max(most, agent.mouth.ahead)
    assert AHEAD_SECONDS - 2 * FRAME_SECONDS <= most <= AHEAD_SECONDS + SENTENCE_GAP + voice.seconds


# Stopping


@AGENTS
def test_a_prepared_answer_is_one_piece_and_is_closed_when_it_is_dropped(make: Any) -> None:
    voice = Streaming()
    call(make(tts=voice), (0.4, f"{REQUEST} no where can i park"))
    assert len(voice.closed) >= 2
    assert voice.num_made.count(1) == len(voice.closed)


def test_barge_in_stops_the_voice_in_the_frame_in_which_it_stops() -> None:
    voice = Streaming()
    agent = cascade(tts=voice, barge_in=BargeIn(confirm=False), worker=Charged(Costs(tts_piece=0.06)))
    interrupted: list[int] = []
    closed: list[int] = []

    def watch(frame: int, _: Frame, said: Frame) -> None:
        if any(event.kind == "barge_in" for event in said.events):
            interrupted.append(frame)
        if IT_IS_FREE in voice.closed:
            closed.append(frame)

    converse(user((0.4, REQUEST), (4.2, NEW_REQUEST)), agent, max_seconds=10.0, watch=watch)
    assert closed[0] == interrupted[0]


@AGENTS
@pytest.mark.parametrize("at", [2.3, 3.0, 3.4, 4.2], ids=lambda at: f"at {at} s")
def test_nothing_of_a_talked_over_answer_is_said_later(make: Any, at: float) -> None:
    voice = Streaming()
    recording = call(make(tts=voice, worker=Charged(Costs(llm=0.2, tts=0.1, tts_piece=0.06))), (0.4, REQUEST), (at, NEW_REQUEST),
                     seconds=14.0)
    over = after(at, NEW_REQUEST)
    assert heard_from_agent(recording, over) == PARKING


@AGENTS
def test_whoever_hangs_up_in_mid_sentence_closes_the_voice(make: Any) -> None:
    voice = Streaming()
    call(make(tts=voice), (0.4, REQUEST), seconds=2.8)
    assert voice.closed[-1] == IT_IS_FREE


@AGENTS
@pytest.mark.parametrize("said", [
    [(0.4, REQUEST)], [(0.4, REQUEST), (2.3, NEW_REQUEST)], [(0.4, REQUEST), (3.4, NEW_REQUEST)],
    [(0.4, f"{REQUEST} no where can i park")], [(0.4, np.full(9600, 0.05, np.float32))],
    [(0.4, REQUEST), (3.4, "uh huh"), (6.0, NEW_REQUEST)]],
    ids=["an answer", "while it thinks", "a barge-in", "a correction", "a cough", "a backchannel"])
def test_no_stream_is_left_open(make: Any, said: list[tuple[float, str | np.ndarray]]) -> None:
    voice = Streaming()
    call(make(tts=voice, worker=Charged(Costs(llm=0.2, tts=0.1, tts_piece=0.06))), *said, seconds=9.0)
    assert voice.begun and voice.left_open == 0


@AGENTS
def test_a_voice_that_breaks_fails_the_call_and_keeps_what_was_said(make: Any) -> None:
    with pytest.raises(ConversationFailed, match="OSError: the voice broke") as failed:
        call(make(tts=Streaming(breaks=5), worker=Charged(Costs(tts_piece=0.06))), (0.4, REQUEST))
    assert failed.value.recording.audio[AGENT].any()


def test_a_voice_that_says_nothing_is_told_of() -> None:
    class Mute(Streaming):
        def stream(self, text: str) -> Iterator[Speech]:
            yield burst(0.5, 0.0)

    with pytest.raises(ConversationFailed, match="streaming said nothing that can be heard to 'An eye test"):
        call(cascade(tts=Mute()), (0.4, REQUEST))


@pytest.mark.alone
def test_in_a_thread_a_running_voice_stops_at_its_next_piece() -> None:
    voice, worker = Streaming(takes=0.05), Threaded()
    stream = Stream(voice, worker)
    first = stream.begin(PRICE)
    while not first.done:
        time.sleep(0.005)
    assert [piece.seconds for piece in stream.arrived(0.0)] == [voice.seconds]
    stream.stop()  # while the second one is made
    assert not voice.closed
    worker.pool.shutdown(wait=True)
    assert voice.closed == [PRICE]
    assert voice.num_made == [2]
    assert not list(stream.arrived(0.0))


@pytest.mark.alone
def test_in_threads_beside_a_live_call_it_says_the_same() -> None:
    before = set(threading.enumerate())
    worker = Threaded()
    recording = converse(RealTime(user((0.4, REQUEST))), cascade(tts=Streaming(0.16, takes=0.02), worker=worker), max_seconds=9.0)
    worker.pool.shutdown(wait=True)
    assert heard_from_agent(recording) == PRICE
    assert set(threading.enumerate()) <= before


# The mouth


def frames(mouth: Mouth, number: int) -> list[Frame]:
    return [mouth.frame() for _ in range(number)]


def test_a_piece_goes_on_to_the_sample() -> None:
    mouth, piece = Mouth(), Speech(np.linspace(0.1, 0.2, 1000, dtype=np.float32))
    mouth.say(piece)
    mouth.go_on(piece)
    np.testing.assert_array_equal(mouth.frame().samples, np.concatenate([piece.samples, piece.samples])[:FRAME_SAMPLES])


def test_a_piece_that_comes_just_in_time_leaves_no_gap() -> None:
    mouth = Mouth()
    mouth.say(burst(0.08))
    mouth.frame()
    mouth.go_on(burst(0.08, 0.2))
    said = mouth.frame()
    assert said.samples.min() == np.float32(0.2) and not said.events


def test_silence_between_two_pieces_is_an_underrun_of_its_length() -> None:
    mouth = Mouth()
    mouth.say(burst(0.1))
    frames(mouth, 4)  # 0.32 s
    mouth.go_on(burst(0.08))
    (event,) = mouth.frame().events
    assert (event.kind, event.detail) == ("underrun", {"seconds": pytest.approx(0.22)})


def test_a_held_breath_is_no_underrun() -> None:
    mouth = Mouth()
    mouth.say(burst(0.08))
    mouth.frame()
    mouth.pause()
    frames(mouth, 5)
    mouth.go_on(burst(0.08))
    mouth.resume()
    assert not mouth.frame().events


def test_a_word_that_was_cut_off_is_said_again_from_a_piece_that_was_played_out() -> None:
    mouth = Mouth()
    mouth.say(burst(0.16, 0.1, (Word("parking", 0.08, 0.24),)))
    frames(mouth, 2)
    mouth.pause()
    mouth.go_on(burst(0.16, 0.2))
    frames(mouth, 1)
    mouth.resume()
    said = frames(mouth, 3)
    assert [frame.samples[-1] for frame in said] == [np.float32(0.1), np.float32(0.2), np.float32(0.2)]
    assert [word.text for frame in said for word in frame.words] == ["parking"]


def test_what_comes_after_a_stop_does_not_belong_to_what_was_dropped() -> None:
    mouth = Mouth()
    mouth.say(burst(0.08))
    mouth.frame()
    mouth.stop()
    mouth.go_on(burst(0.08, 0.3))
    assert mouth.frame().samples.min() == np.float32(0.3)


# Pieces


def test_pieces_join_to_what_they_were_cut_from() -> None:
    whole = spoken(PRICE)
    again = joined(cut(whole, 0.07))
    np.testing.assert_array_equal(again.samples, whole.samples)
    assert [(word.text, word.start, word.end) for word in again.words] == [
        (word.text, pytest.approx(word.start), pytest.approx(word.end)) for word in whole.words]


def test_silence_before_the_first_sound_is_cut_to_thirty_milliseconds() -> None:
    padded = Speech(np.concatenate([np.zeros(7200, np.float32), burst(0.2).samples]), (Word("hello", 0.3, 0.5),))
    cut_off = without_lead(padded)
    assert cut_off.seconds == pytest.approx(0.23)
    assert [(word.start, word.end) for word in cut_off.words] == [pytest.approx((0.03, 0.23))]


def test_a_pause_inside_a_sentence_is_kept_and_silence_behind_it_is_not() -> None:
    class Pausing(Streaming):
        def stream(self, text: str) -> Iterator[Speech]:
            yield from (burst(0.08), burst(0.08, 0.0), burst(0.08, 0.0), burst(0.08), burst(0.08, 0.0))

    worker = Charged(Costs())
    stream = Stream(Pausing(), worker)
    worker.tick()
    stream.begin("hello")
    assert [piece.seconds for piece in stream.arrived(0.0)] == pytest.approx([0.08, 0.24])
    assert stream.over


# Memory


@AGENTS
def test_a_voice_that_remembers_is_told_both_sides_before_it_answers(make: Any) -> None:
    voice = Remembering()
    call(make(tts=voice), (0.4, REQUEST), (8.0, "where can i park"), seconds=14.0)
    assert [(party, text) for party, text, _ in voice.told] == [(USER, REQUEST), (AGENT, PRICE), (USER, "where can i park")]
    first = next(place for place, text in enumerate(voice.texts) if "thirty five" in text)
    assert voice.knew[first] == 1
    assert voice.knew[-1] == 3


@AGENTS
def test_what_it_remembers_of_the_caller_sounds_as_it_was_heard(make: Any) -> None:
    voice = Remembering()
    recording = call(make(tts=voice), (0.4, REQUEST), seconds=6.0)
    _, _, samples = voice.told[0]
    said = recording.audio[USER]
    onset = int(np.flatnonzero(said)[0])
    begins = int(np.flatnonzero(samples)[0])
    length = len(spoken(REQUEST, "en-us+klatt4").samples) - 100
    np.testing.assert_allclose(samples[begins: begins + length], said[onset: onset + length], atol=2.0 / 32_768)


def test_of_an_answer_that_was_talked_over_it_remembers_what_was_heard() -> None:
    voice = Remembering()
    recording = call(cascade(tts=voice), (0.4, REQUEST), (3.6, NEW_REQUEST), seconds=12.0)
    party, text, samples = voice.told[1]
    assert party == AGENT
    assert text and PRICE.startswith(text) and text != PRICE
    assert text == " ".join(word.text for word in recording.words[AGENT] if word.start < after(3.6, NEW_REQUEST))
    assert len(samples) / SAMPLE_RATE < 3.0


def test_a_new_call_begins_with_an_empty_memory() -> None:
    voice = Remembering()
    agent = cascade(tts=voice)
    call(agent, (0.4, REQUEST), seconds=6.0)
    call(agent, (0.4, "where can i park"), seconds=6.0)
    assert [text for _, text, _ in voice.told] == ["where can i park"]


def test_so_many_pieces_are_asked_for_at_a_time() -> None:
    voice, worker = Streaming(), Charged(Costs(tts=1.0, tts_piece=1.0))
    stream = Stream(voice, worker)
    worker.tick()
    stream.begin(PRICE)
    list(stream.arrived(0.0))
    assert voice.num_made == [AHEAD_PIECES]
