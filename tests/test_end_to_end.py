"""A half-duplex agent around a speech model: when it answers, how it stops at any moment, and what its model remembers."""

import random
import threading
from collections.abc import Generator, Mapping, Sequence
from itertools import pairwise
from math import ceil
from time import perf_counter, sleep
from typing import Any

import numpy as np
import pytest
from exact import (
    PROMPT,
    Costs,
    Voice,
    after,
    call,
    events,
    frame_of,
    heard_from_agent,
    user,
)
from hydra import compose, initialize_config_dir
from piped import ROOT
from says import Says, bursts, segments

from duplex.agents.end_to_end import BargeIn, EndToEnd
from duplex.build import built
from duplex.conversation import ConversationFailed, Prompt, converse
from duplex.frame import FRAME_SECONDS, SAMPLE_RATE
from duplex.latency import Ideal
from duplex.pace import RealTime
from duplex.recording import AGENT, USER, Recording
from duplex.stages.end_to_end.composed import Composed
from duplex.stages.end_to_end.speech_model import Piece, SpeechReply, Stopped, Turn, spaced
from duplex.stages.hearing.stt import Oracle
from duplex.stages.hearing.vad import EnergyVad, SpeechDetector
from duplex.stages.language.manager import Manager
from duplex.stages.speaking.mouth import FADE_SAMPLES
from duplex.stages.turns.endpoint import Silence
from duplex.workers import Charged, Threaded

pytest.importorskip("espeakng_loader")

RETURNS = "how do returns work"
REQUEST, PRICE = "how much is an eye test", "an eye test is thirty five dollars it is free if you buy glasses on the same day"
NEW_REQUEST, PARKING = "wait where can i park", "yes there is free parking behind the store for two hours"


def composed() -> Composed:
    return Composed(Oracle(), Manager(), Voice())


def agent(**changed: Any) -> EndToEnd:
    """On the ideal clock, with ears that are exact."""
    made = {"vad": EnergyVad(), "detector": SpeechDetector(start_windows=2), "endpointing": Silence(0.5), "model": composed(),
            "worker": Charged(Ideal())}
    return EndToEnd(**{**made, **changed})


class Recites:
    """Answers the nth question with `pieces` bursts of so many seconds, n steps loud; each takes `pause` seconds to make."""

    name = "recites"
    facts: Mapping[str, Any] = {"licence": "none"}

    def __init__(self, pieces: int = 5, seconds: float = 0.4, pause: float = 0.0, step: float = 0.1):
        self.num_pieces, self.seconds, self.pause, self.step = pieces, seconds, pause, step

    def warm_up(self) -> None:
        pass

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.asked: list[Sequence[Turn]] = []
        self.num_made = 0

    def tally(self) -> Mapping[str, Any]:
        return {"tools": False}

    def answer(self, turns: Sequence[Turn]) -> SpeechReply:
        self.asked.append(turns)
        level = self.step * len(self.asked)
        return SpeechReply(lambda stopped: self.pieces(level, stopped))

    def pieces(self, level: float, stopped: Stopped) -> Generator[Piece, None, None]:
        for number in range(self.num_pieces):
            until = perf_counter() + self.pause
            while perf_counter() < until:
                if stopped():
                    return
                sleep(0.005)
            self.num_made += 1
            yield Piece(spaced("one two", bursts((0.0, self.seconds), level=level)), "One two.", number)


def burst_call(tested: EndToEnd, *turns: tuple[float, float], seconds: float = 10.0) -> Recording:
    return converse(Says(bursts(*turns)), tested, max_seconds=seconds)


def levels(said: np.ndarray) -> list[float]:
    """How loud it is where it is, and 0 where it is not; without what fades."""
    found, counts = np.unique(np.abs(said).round(2), return_counts=True)
    return [round(float(level), 2) for level, count in zip(found, counts) if count > FADE_SAMPLES]


# When it answers


@pytest.mark.parametrize("patience", [0.2, 0.5, 0.7, 1.0])
def test_it_answers_when_its_patience_is_over_to_the_frame(patience: float) -> None:
    recording = burst_call(agent(model=Recites(), endpointing=Silence(patience)), (0.4, 0.96))
    over = 0.96 + ceil(patience / 0.032) * 0.032  # its ears hear in windows of 32 ms
    assert segments(recording.audio[AGENT])[0][0] == pytest.approx(ceil(over / FRAME_SECONDS - 1e-9) * FRAME_SECONDS, abs=1e-6)


@pytest.mark.parametrize(("seconds", "num_frames"), [(0.9, 12), (0.08, 1), (0.0801, 2), (0.0, 0)])
def test_the_model_costs_what_it_takes_rounded_up_to_frames(seconds: float, num_frames: int) -> None:
    onsets = [segments(burst_call(agent(model=Recites(), worker=Charged(charges)), (0.4, 0.96)).audio[AGENT])[0][0]
              for charges in (Ideal(), Costs(speech_reply=seconds))]
    assert onsets[1] - onsets[0] == pytest.approx(num_frames * FRAME_SECONDS, abs=1e-6)


def test_its_log_explains_its_latency() -> None:
    recording = burst_call(agent(model=Recites(), worker=Charged(Costs(speech_reply=0.9))), (0.4, 0.96))
    endpoint, answer = events(recording, "endpoint", "answer")
    assert answer.detail["speech_reply"] == pytest.approx(0.9) and answer.detail["heard"] == endpoint.detail["heard"] == ""
    told = sum(float(str(answer.detail[part])) for part in ("speech_reply", "transport", "frame", "lead"))
    assert segments(recording.audio[AGENT])[0][0] - endpoint.start == pytest.approx(told, abs=1e-6)


def test_pieces_follow_each_other_without_a_gap() -> None:
    recording = burst_call(agent(model=Recites(), worker=Charged(Costs(speech_reply=0.3, tts_piece=0.35))), (0.4, 0.96))
    [(start, end)] = segments(recording.audio[AGENT])
    assert end - start == pytest.approx(2.0, abs=1e-6) and not events(recording, "underrun")


def test_a_piece_that_comes_too_late_is_a_gap_and_is_logged() -> None:
    recording = burst_call(agent(model=Recites(2), worker=Charged(Costs(tts_piece=0.6))), (0.4, 0.96))
    first, second = segments(recording.audio[AGENT], pause=0.05)
    [late] = events(recording, "underrun")
    assert second[0] - first[1] == pytest.approx(float(str(late.detail["seconds"])), abs=1e-3) and second[0] > first[1] + 0.15


def test_no_more_is_made_ahead_than_is_needed() -> None:
    model = Recites(pieces=100)
    burst_call(agent(model=model), (0.4, 0.96), seconds=2.0)  # the answer has begun half a second ago
    assert 2.0 / 0.4 <= model.num_made <= 9


def test_a_cough_that_the_model_does_not_know_is_not_answered() -> None:
    recording = call(agent(), (0.4, bursts((0.0, 0.3))), seconds=4.0)
    assert len(events(recording, "endpoint")) == 1 and not events(recording, "answer") and not recording.audio[AGENT].any()


def test_it_does_its_task_from_the_records_it_was_given() -> None:
    recording = call(agent(), (0.4, "where is my order"), (5.0, "one two three four five"), (12.0, "yes"), seconds=20.0)
    assert "has shipped" in heard_from_agent(recording) and "friday" in heard_from_agent(recording)


def test_sentences_of_a_stand_in_come_in_order_with_a_breath_between() -> None:
    words = [word for word in call(agent(), (0.4, RETURNS), seconds=9.0).words[AGENT] if word.text in ("days", "just")]
    assert [word.text for word in words] == ["days", "just"] and words[1].start - words[0].end > 0.2


# Stopping


def stops(recording: Recording, onset: float) -> None:
    """It stops for what is said from `onset` on, never says a word of the first answer again, and answers the new request."""
    said = heard_from_agent(recording)
    assert said.endswith(PARKING) and PRICE.startswith(said.removesuffix(PARKING).strip())
    quiet = max([onset, *(event.start for event in events(recording, "barge_in"))]) + FRAME_SECONDS  # in which it fades
    answered = events(recording, "answer")[-1].start
    assert quiet < onset + 0.72  # 0.32 s of speech, two frames, and a soft first sound
    assert not recording.audio[AGENT, round(quiet * SAMPLE_RATE):round(answered * SAMPLE_RATE)].any()


THINKS = {"speech_reply": 0.8, "tts_piece": 0.1}


@pytest.mark.parametrize("late", np.arange(-0.9, 0.9, 0.12).round(2))
def test_speech_while_it_thinks_or_as_it_begins_stops_it(late: float) -> None:
    """From before the turn was called over, through the thinking, into the first sounds of the answer."""
    onset = after(0.4, REQUEST) + 0.5 + 0.8 + late
    recording = call(agent(worker=Charged(Costs(**THINKS))), (0.4, REQUEST), (onset, NEW_REQUEST), seconds=12.0)
    stops(recording, onset)


@pytest.mark.parametrize("early", [3.2, 2.4, 1.6, 0.8])
def test_speech_in_its_middle_stops_it(early: float) -> None:
    onset = call(agent(), (0.4, REQUEST)).words[AGENT][-1].end - early
    recording = call(agent(), (0.4, REQUEST), (onset, NEW_REQUEST), seconds=onset + 8.0)
    stops(recording, onset)
    assert not heard_from_agent(recording).startswith(PRICE) and len(events(recording, "barge_in")) == 1


@pytest.mark.parametrize("early", np.arange(-0.16, 0.56, 0.04).round(2))
def test_speech_in_its_last_frames_is_answered_and_nothing_else_is_said(early: float) -> None:
    over = call(agent(), (0.4, REQUEST)).words[AGENT][-1].end
    recording = call(agent(), (0.4, REQUEST), (over - early, NEW_REQUEST), seconds=over + 8.0)
    said = heard_from_agent(recording)
    assert said.endswith(PARKING) and PRICE.startswith(said.removesuffix(PARKING).strip())
    rest = recording.audio[AGENT, round((over + 0.1) * SAMPLE_RATE):round(events(recording, "answer")[-1].start * SAMPLE_RATE)]
    assert not rest.any() and len(events(recording, "answer", "endpoint")) == 4


def test_what_the_model_was_making_is_dropped_at_once() -> None:
    """In the simulation the first answer is made when it is asked for, and held back: it must not be heard when it is ready."""
    recording = burst_call(agent(model=Recites(), worker=Charged(Costs(speech_reply=2.0))), (0.4, 0.96), (2.0, 2.8))
    assert levels(recording.audio[AGENT]) == [0.0, 0.2] and len(events(recording, "discard")) == 1


def test_speaking_on_before_the_answer_joins_both_turns() -> None:
    model = Recites()
    recording = call(agent(model=model, endpointing=Silence(0.24), worker=Charged(Costs(speech_reply=1.0))),
                     (0.4, "how do"), (after(0.4, "how do") + 0.6, "returns work"), seconds=8.0)
    assert [word.text for word in model.asked[-1][-1].speech.words] == RETURNS.split() and len(model.asked[-1]) == 1
    assert len(model.asked) == 2 and len(events(recording, "answer")) == 1


def test_speaking_on_as_the_answer_begins_takes_it_back() -> None:
    model = Recites()
    recording = call(agent(model=model, endpointing=Silence(0.24)),
                     (0.4, "how do"), (after(0.4, "how do") + 0.6, "returns work"), seconds=8.0)
    assert [word.text for word in model.asked[-1][-1].speech.words] == RETURNS.split() and len(model.asked[-1]) == 1
    assert len(events(recording, "retract")) == 1


def test_a_short_sound_into_its_speech_changes_nothing() -> None:
    alone, disturbed = (call(agent(), (0.4, RETURNS), *more, seconds=9.0) for more in ((), ((4.0, bursts((0.0, 0.2))),)))
    assert np.array_equal(alone.audio[AGENT], disturbed.audio[AGENT])
    assert [event.kind for event in events(disturbed, "backchannel", "hold")] == ["backchannel"]


def test_a_short_word_as_its_speech_ends_is_a_turn() -> None:
    model = Recites(pieces=1, seconds=1.0)
    recording = burst_call(agent(model=model), (0.4, 0.96), (2.4, 2.7))  # the answer is over at 2.52
    assert len(model.asked) == 2 and not events(recording, "backchannel")


def test_it_stops_after_min_speech() -> None:
    recording = burst_call(agent(model=Recites(), barge_in=BargeIn(min_speech=0.48)), (0.4, 0.96), (2.4, 3.6))
    [stop] = events(recording, "barge_in")
    assert stop.start == pytest.approx(2.4 + 0.48, abs=FRAME_SECONDS)


CONFIRMS = BargeIn(min_speech=0.32, confirm=True, resume_after=0.3, longest_backchannel=0.8)


def test_with_confirmation_it_holds_and_goes_on_after_a_backchannel() -> None:
    model = Recites()
    recording = burst_call(agent(model=model, barge_in=CONFIRMS), (0.4, 0.96), (2.5, 3.0))
    assert [event.kind for event in events(recording, "hold", "resume", "barge_in")] == ["hold", "resume"]
    assert sum(end - start for start, end in segments(recording.audio[AGENT])) >= 2.0 and len(model.asked) == 1


def test_with_confirmation_it_yields_to_who_speaks_on() -> None:
    model = Recites()
    recording = burst_call(agent(model=model, barge_in=CONFIRMS), (0.4, 0.96), (2.5, 3.8))
    assert [event.kind for event in events(recording, "hold", "resume", "barge_in")] == ["hold", "barge_in"]
    assert len(model.asked) == 2 and frame_of(events(recording, "barge_in")[0]) * FRAME_SECONDS < 3.5


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_nothing_stale_is_said(seed: int) -> None:
    """A caller who speaks at random, and an agent of random habits: no answer is heard again once a later one was."""
    drawn, turns, time = random.Random(seed), list[tuple[float, float]](), 0.3
    while time < 14.0:
        turns.append((time, time + drawn.choice([0.1, 0.2, 0.3, 0.4, 0.6, 1.0, 1.6])))
        time = turns[-1][1] + drawn.choice([0.1, 0.25, 0.4, 0.6, 0.9, 1.5, 3.0])
    resumes, lasts = drawn.choice([0.1, 0.3, 0.8]), drawn.choice([0.4, 0.8])
    habits = BargeIn(drawn.choice([0.16, 0.32, 0.5]), drawn.random() < 0.5, resumes, lasts)
    model = Recites(drawn.choice([1, 3, 8]), drawn.choice([0.05, 0.3, 0.8]), step=0.02)
    costs = Costs(speech_reply=drawn.choice([0.0, 0.1, 0.7, 1.5]), tts_piece=drawn.choice([0.0, 0.05, 0.5]))
    tested = agent(model=model, endpointing=Silence(drawn.choice([0.2, 0.5, 0.8])), barge_in=habits, worker=Charged(costs))
    said = np.abs(burst_call(tested, *turns, seconds=20.0).audio[AGENT])
    spans = [np.flatnonzero(np.abs(said - 0.02 * number) < 1e-4) for number in range(1, len(model.asked) + 1)]
    heard = [span[:-FADE_SAMPLES] for span in spans if len(span) > FADE_SAMPLES]  # what fades passes through lower levels
    assert heard and all(one[-1] < later[0] for one, later in pairwise(heard))


# What the model remembers


def test_the_model_is_given_both_sides_as_far_as_they_were_heard() -> None:
    model = Recites()
    recording = burst_call(agent(model=model), (0.4, 0.96), (2.8, 3.6))
    question, answer, new = model.asked[-1]
    assert [turn.party for turn in (question, answer, new)] == [USER, AGENT, USER]
    said = recording.audio[AGENT]
    start = int(np.flatnonzero(said)[0])
    heard = said[start:start + len(answer.speech.samples)]
    np.testing.assert_allclose(heard, answer.speech.samples, atol=1e-4)  # of 16 bit
    assert not said[start + len(heard) + 120:][:SAMPLE_RATE // 2].any()
    assert answer.state == (len(answer.speech.samples) - 1) // round(0.4 * SAMPLE_RATE)  # of the piece in which it stopped
    assert answer.text == " ".join(word.text for word in answer.speech.words) and answer.text.startswith("one two")


def test_an_answer_that_was_heard_out_is_remembered_as_it_is_written() -> None:
    model = Recites(pieces=2)
    burst_call(agent(model=model), (0.4, 0.96), (4.0, 4.8))
    _, answer, _ = model.asked[-1]
    assert answer.text == "One two. One two." and answer.speech.seconds == pytest.approx(0.8)


@pytest.mark.parametrize(("turns", "seconds", "kept"), [(12, 120.0, 4), (2, 120.0, 2), (3, 120.0, 3), (0, 9.0, 0), (12, 1.0, 1)])
def test_the_history_has_bounds(turns: int, seconds: float, kept: int) -> None:
    model = Recites(pieces=2)
    burst_call(agent(model=model, history_turns=turns, history_seconds=seconds), (0.4, 0.96), (3.0, 3.6), (6.0, 6.6))
    assert len(model.asked[-1]) == kept + 1


def test_a_history_cannot_be_negative() -> None:
    with pytest.raises(ValueError, match="-1 turns"):
        agent(history_turns=-1)


def test_a_task_that_was_talked_over_is_not_taken_for_said() -> None:
    """The question for the number was not heard out to its end, but begun: the number given then still belongs to it."""
    recording = call(agent(), (0.4, "where is my order"), (4.0, "one two three four five"), (12.0, "yes"), seconds=20.0)
    assert "friday" in heard_from_agent(recording)


# The same again, and what is left behind


def test_the_same_seed_gives_the_same_conversation() -> None:
    def held() -> Recording:
        return call(agent(worker=Charged(Costs(**THINKS))), (0.4, REQUEST), (4.0, NEW_REQUEST), seconds=10.0, seed=3)

    one, other = held(), held()
    assert np.array_equal(one.audio, other.audio) and one.events == other.events and one.words == other.words


def stage_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("stage")]


def leaves_nothing() -> None:
    until = perf_counter() + 5.0
    while stage_threads() and perf_counter() < until:
        sleep(0.01)
    assert not stage_threads()


def test_a_call_that_ends_while_the_model_thinks_leaves_no_thread() -> None:
    model = Recites(pause=30.0)
    converse(Says(bursts((0.4, 0.96))), agent(model=model, worker=Threaded()), max_seconds=3.0)
    assert model.asked and not model.num_made
    leaves_nothing()


def test_a_model_that_fails_fails_the_call_and_leaves_no_thread() -> None:
    class Fails(Recites):
        def pieces(self, level: float, stopped: Stopped) -> Generator[Piece, None, None]:
            raise OSError("the model is out of memory")
            yield

    with pytest.raises(ConversationFailed, match="out of memory"):
        converse(RealTime(Says(bursts((0.2, 0.52)))), agent(model=Fails(), worker=Threaded()), max_seconds=3.0)
    leaves_nothing()
    with pytest.raises(ConversationFailed, match="out of memory"):
        burst_call(agent(model=Fails()), (0.2, 0.52))


@pytest.mark.slow
@pytest.mark.alone
def test_in_threads_it_stops_its_model_at_once_when_somebody_speaks() -> None:
    model = Recites(pieces=40, seconds=0.4, pause=0.2)
    paced = RealTime(Says(bursts((0.2, 0.76), (2.6, 3.4))))
    recording = converse(paced, agent(model=model, worker=Threaded()), max_seconds=4.6)
    first = [event.start for event in events(recording, "barge_in")][0]
    said = recording.audio[AGENT]
    assert 2.6 < first < 3.3 and len(model.asked) == 2
    assert not said[round((first + 0.1) * SAMPLE_RATE):round(3.8 * SAMPLE_RATE)].any()
    assert levels(said[round(3.8 * SAMPLE_RATE):]) == [0.0, 0.2]
    leaves_nothing()


def test_it_counts_what_went_in_and_out() -> None:
    recording = burst_call(agent(model=Recites(pieces=2)), (0.4, 0.96))
    tally = recording.facts["tally"]["agent"]
    assert tally["speech_replies"] == 1 and tally["speech_out_seconds"] == pytest.approx(0.8)
    assert tally["speech_in_seconds"] == pytest.approx(0.96 + 0.4) and recording.facts["agent"] == {"licence": "none"}


def configured(*overrides: str) -> EndToEnd:
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("onnxruntime")
    with initialize_config_dir(str(ROOT / "configs"), version_base=None):
        config = compose("talk", ["agent=end_to_end", "worker=charged", "latency=cloud_typical", *overrides])
    made = built(config.agent)
    assert isinstance(made, EndToEnd)
    return made


def test_the_config_makes_it_and_it_talks_on_the_declared_clock() -> None:
    recording = converse(user((0.4, "is there parking")), configured(), prompt=PROMPT, max_seconds=7.0)
    [answer] = events(recording, "answer")
    assert heard_from_agent(recording) == PARKING and 0.2 < float(str(answer.detail["speech_reply"])) < 1.8


def test_endpointing_that_listens_listens_to_it() -> None:
    pytest.importorskip("pipecat")
    made = configured("endpointing@agent.endpointing=smart_turn")
    recording = converse(user((0.4, "is there parking")), made, prompt=PROMPT, max_seconds=7.0)
    detected, endpoint = events(recording, "turn_detection", "endpoint")
    assert detected.detail["whole"] and endpoint.start >= detected.start and float(str(endpoint.detail["silence"])) < 0.6


def test_endpointing_that_wants_words_says_that_there_are_none() -> None:
    made = configured("endpointing@agent.endpointing=kyutai")
    with pytest.raises(ConversationFailed, match="has no pause head"):
        converse(user((0.4, "is there parking")), made, max_seconds=2.0)
