"""The incremental agent: what it prepares, when it takes the floor, and how it holds its breath."""

import numpy as np
import pytest
from exact import CALLER, CLOUD, Costs, Whole, after, call, cascade, events, heard_from_agent, incremental, spoken

from duplex.agents.incremental import Yielding
from duplex.frame import SAMPLE_RATE
from duplex.recording import AGENT, Recording
from duplex.speech import audible
from duplex.stages.turns.endpoint import Completion
from duplex.workers import Charged

pytest.importorskip("espeakng_loader")

REQUEST = "how much is an eye test"
PRICE = "an eye test is thirty five dollars it is free if you buy glasses on the same day"
RETURNS = "how do returns work"
NEW_REQUEST, PARKING = "wait where can i park", "yes there is free parking behind the store for two hours"
LATE = 6.0  # well into the long answer to RETURNS


def heard_in(recording: Recording, kind: str) -> list[str]:
    return [str(event.detail["heard"]) for event in events(recording, kind)]


# Preparing


def test_it_answers_a_frame_or_two_after_the_last_word_once_it_is_complete() -> None:
    recording = call(incremental(), (0.4, REQUEST))
    gap = audible(recording.audio[AGENT])[0] - after(0.4, REQUEST)
    assert 0.16 < gap < 0.36


def test_what_was_prepared_is_used_for_other_words_of_the_same_meaning() -> None:
    recording = call(incremental(worker=Charged(Costs(**CLOUD)), predict=False), (0.4, "how does the warranty work"))
    (answer,) = events(recording, "answer")
    assert heard_in(recording, "prepare") == ["how does the warranty"]
    assert answer.detail["prepared"] and answer.detail["heard"] == "how does the warranty work"


def test_what_was_prepared_is_carried_on_as_it_was_said() -> None:
    """Prepared for fewer words or for predicted ones, an answer that is talked over answered what was said."""
    first = (0.4, "how do returns work")
    recording = call(incremental(), first, (after(*first) + 0.7, "for my contact lenses"))
    assert heard_in(recording, "answer") == ["how do returns work", "how do returns work for my contact lenses"]


def test_a_prepared_answer_to_another_meaning_is_dropped_and_counted() -> None:
    recording = call(incremental(), (0.4, "how much is delivery"), seconds=8.0)
    prepared, dropped = heard_in(recording, "prepare"), heard_in(recording, "discard")
    assert set(prepared) == {"how much is an eye test", "how much is delivery"} and dropped == [REQUEST]
    assert heard_from_agent(recording).startswith("yes delivery takes three days")


def test_it_predicts_what_will_be_said_and_has_the_answer_before_the_last_word() -> None:
    recording = call(incremental(worker=Charged(Costs(llm=0.3, tts=0.1))), (0.4, "what does the warranty cover"))
    likely = {str(event.detail["heard"]): event.start for event in events(recording, "prepare")}
    assert likely["what does the warranty cover"] < 0.4 + spoken("what does the warranty cover", CALLER).words[-1].start
    (answer,) = events(recording, "answer")
    assert (answer.detail["llm"], answer.detail["tts"]) == (0.0, 0.0)


def test_after_its_question_it_has_both_answers_ready() -> None:
    order = (0.4, "where is my order"), (6.0, "one two three four five")
    costs = {"llm": 0.9, "tts": 0.5}
    recording = call(incremental(worker=Charged(Costs(**costs))), *order, (18.0, "yes"), seconds=24.0)
    asked, told = events(recording, "answer")[1:]
    ready = [event.detail["heard"] for event in events(recording, "prepare") if event.start == asked.start]
    assert ready == ["yes", "no"]
    assert told.detail["prepared"] and (told.detail["llm"], told.detail["tts"]) == (0.0, 0.0)
    assert [event.detail["heard"] for event in events(recording, "discard") if event.start == told.start] == ["no"]


def test_what_was_prepared_before_the_dialogue_moved_on_is_never_said() -> None:
    """"yes" is prepared for the first number; the caller gives another one, and then says yes."""
    order = (0.4, "where is my order"), (6.0, "nine nine nine nine eight"), (20.0, "one two three four five")
    recording = call(incremental(worker=Charged(Costs(**CLOUD))), *order, (30.0, "yes"), seconds=40.0)
    assert "order one two three four five has shipped" in heard_from_agent(recording, 30.0)


@pytest.mark.parametrize("max_prepared", [0, 1, 2])
def test_it_prepares_so_many_answers_at_most(max_prepared: int) -> None:
    agent = incremental(max_prepared=max_prepared)
    recording = call(agent, (0.4, "how much is an eye test or can you tell me where you are located"), seconds=9.0)
    assert len(events(recording, "prepare")) <= max_prepared and events(recording, "answer")


def test_work_in_vain_is_counted_to_the_last_answer() -> None:
    agent = incremental(worker=Charged(Costs(**CLOUD)))
    recording = call(agent, (0.4, "how much is delivery"), (6.0, REQUEST), (7.0, NEW_REQUEST), seconds=14.0)
    used = [event for event in events(recording, "answer") if event.detail["prepared"]]
    fresh_dropped = len(events(recording, "endpoint")) - len(events(recording, "answer"))
    prepared, dropped = len(events(recording, "prepare")), len(events(recording, "discard"))
    assert prepared == dropped - fresh_dropped + len(used) + len(agent.prepared)


# Taking the floor


@pytest.mark.parametrize("pause", [0.4, 0.6, 0.8, 1.0])
def test_a_request_that_is_not_complete_is_waited_for(pause: float) -> None:
    first = (0.4, "how much is")
    recording = call(incremental(), first, (after(*first) + pause, "an eye test"))
    assert heard_in(recording, "endpoint") == [REQUEST] and heard_from_agent(recording) == PRICE


def test_it_is_as_patient_as_it_is_told() -> None:
    gaps = []
    for seconds in (0.16, 0.4, 0.8):
        recording = call(incremental(completion=Completion(Whole(), complete=seconds)), (0.4, REQUEST))
        gaps.append(audible(recording.audio[AGENT])[0])
    assert np.diff(gaps) == pytest.approx([0.24, 0.4], abs=0.081)


def test_words_that_are_late_are_waited_for() -> None:
    recording = call(incremental(worker=Charged(Costs(stt_partial=0.5))), (0.4, REQUEST))
    assert heard_in(recording, "endpoint") == [REQUEST] and heard_from_agent(recording) == PRICE


def test_words_that_never_come_are_not_waited_for_forever() -> None:
    recording = call(incremental(worker=Charged(Costs(stt_partial=3.0, stt_final=0.2))), (0.4, REQUEST))
    assert heard_in(recording, "answer") == [REQUEST] and heard_from_agent(recording) == PRICE


# Holding its breath


def test_it_stops_within_two_frames_of_noticing_and_before_it_understands() -> None:
    recording = call(incremental(worker=Charged(Costs(**CLOUD))), (0.4, RETURNS), (LATE, NEW_REQUEST), seconds=14.0)
    held, stopped = events(recording, "hold")[0], events(recording, "barge_in")[0]
    assert held.start - LATE < 0.25 and held.start <= stopped.start
    sounding = np.flatnonzero(recording.audio[AGENT, : round(stopped.start * SAMPLE_RATE)])[-1] / SAMPLE_RATE
    assert sounding < held.start + 0.006  # 5 ms of fading


def test_who_calls_on_it_and_is_not_understood_is_asked_again() -> None:
    recording = call(incremental(), (0.4, RETURNS), (LATE, "hold on how bout is it"), seconds=12.0)
    assert heard_from_agent(recording, LATE + 1.0).startswith("sorry i did not understand that")


def test_it_goes_on_after_a_backchannel_with_the_word_it_was_at() -> None:
    undisturbed = heard_from_agent(call(incremental(), (0.4, RETURNS), seconds=32.0))
    recording = call(incremental(), (0.4, RETURNS), (LATE, "uh huh"), seconds=32.0)
    kinds = [event.kind for event in events(recording, "hold", "resume", "barge_in", "backchannel")]
    assert kinds[0] == "hold" and kinds[-1] == "backchannel" and "barge_in" not in kinds
    assert heard_from_agent(recording).endswith(undisturbed[-60:])
    assert len(heard_from_agent(recording).split()) - len(undisturbed.split()) <= kinds.count("hold")


def test_it_resumes_before_the_words_come_and_stops_once_more_if_they_say_so() -> None:
    late = Charged(Costs(stt_partial=0.6))
    recording = call(incremental(worker=late), (0.4, RETURNS), (LATE, "parking"), seconds=14.0)
    assert [event.kind for event in events(recording, "hold", "resume", "barge_in")] == ["hold", "resume", "barge_in"]
    assert heard_from_agent(recording, LATE + 1.5) == PARKING


def test_who_speaks_longer_than_a_backchannel_is_given_the_floor_whatever_it_means() -> None:
    hum = (0.1 * np.random.default_rng(0).standard_normal(round(1.2 * SAMPLE_RATE))).astype(np.float32)
    for longest, kinds in ((0.8, ["hold", "barge_in", "resume"]), (2.0, ["hold", "resume"])):
        agent = incremental(yielding=Yielding(longest_backchannel=longest))
        recording = call(agent, (0.4, RETURNS), (LATE, hum), seconds=10.0)
        assert [event.kind for event in events(recording, "hold", "barge_in", "resume")] == kinds


@pytest.mark.parametrize("tts", [0.3, 1.0, 3.0, 5.0])
@pytest.mark.parametrize("later", [0.4, 1.2, 2.0, 3.6])
def test_sentences_still_being_synthesised_are_dropped_with_the_rest(tts: float, later: float) -> None:
    agent = incremental(worker=Charged(Costs(tts=tts)), predict=False)
    starts = audible(call(agent, (0.4, REQUEST), seconds=20.0).audio[AGENT])[0]
    recording = call(agent, (0.4, REQUEST), (starts + later, NEW_REQUEST), seconds=starts + 22.0)
    endpoint, stopped = events(recording, "endpoint")[-1], events(recording, "barge_in")
    assert heard_from_agent(recording, endpoint.start) == PARKING
    assert not stopped or not heard_from_agent(recording, stopped[-1].start + 0.08).replace(PARKING, "")


# Beside the baseline


def test_it_is_quicker_than_the_cascade_on_the_same_clock_and_no_less_right() -> None:
    onsets = []
    for make in (incremental, cascade):
        recording = call(make(worker=Charged(Costs(**CLOUD))), (0.4, REQUEST))
        assert heard_from_agent(recording) == PRICE
        onsets.append(audible(recording.audio[AGENT])[0])
    assert onsets[0] < onsets[1] - 0.1
