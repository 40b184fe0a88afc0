"""Cascades whose recogniser has no words while it hears: when they answer, how they mind the user, what they never say."""

from math import inf
from time import sleep

import numpy as np
import pytest
from exact import CLOUD, PROMPT, Costs, after, call, cascade, events, heard_from_agent, incremental, user
from hypothesis import given
from hypothesis import strategies as st

from duplex.agents.cascade import BargeIn
from duplex.conversation import ConversationFailed, Participant, converse
from duplex.frame import FRAME_SECONDS, SAMPLE_RATE, Frame
from duplex.pace import RealTime
from duplex.recording import AGENT
from duplex.stages.hearing.catching_up import agreed, catching_up
from duplex.stages.hearing.stt import Oracle
from duplex.stages.meter import MeteredRecogniser
from duplex.stages.turns.endpoint import Silence
from duplex.workers import Charged, Threaded

pytest.importorskip("espeakng_loader")

REQUEST = "how much is an eye test"
PRICE = "an eye test is thirty five dollars it is free if you buy glasses on the same day"
RETURNS = "how do returns work"
NEW_REQUEST, PARKING = "wait where can i park", "yes there is free parking behind the store for two hours"
LATE = 6.0  # well into the long answer to RETURNS


class Told(Oracle):
    """Is told the words, and tells them only when it is asked."""

    behind = inf
    every: float | None = None

    def hear(self, frame: Frame) -> str:
        super().hear(frame)
        return ""

    def catch_up(self, paused: bool) -> str:
        return super().finish()


class ToldOften(Told):
    every = 0.4


class Sleeps(Told):
    """Takes its time to tell, and minds being disturbed meanwhile."""

    busy = False

    def start(self, expected_digits: int = 0) -> None:
        assert not self.busy
        super().start(expected_digits)

    def hear(self, frame: Frame) -> str:
        assert not self.busy
        return super().hear(frame)

    def catch_up(self, paused: bool) -> str:
        self.busy = True
        sleep(0.3)
        self.busy = False
        return super().catch_up(paused)


class Breaks(Told):
    def catch_up(self, paused: bool) -> str:
        raise OSError("the recogniser is gone")


def late_cascade(**changed: object) -> Participant:
    return cascade(**{"recogniser": Told(), "worker": Charged(Costs(**CLOUD)), **changed})


def test_it_answers_what_was_said() -> None:
    recording = call(late_cascade(), (0.4, REQUEST))
    (answer,) = events(recording, "answer")
    assert answer.detail["heard"] == REQUEST and heard_from_agent(recording) == PRICE


def test_the_words_cost_a_recognition_that_begins_two_frames_into_the_silence() -> None:
    """0.16 s of silence, 0.4 s of recognition: 0.56 s; what was understood at once waits 0.24 s for the end alone."""
    def ended(recogniser: Oracle) -> float:
        agent = cascade(recogniser=recogniser, worker=Charged(Costs(stt_final=0.4)))
        return events(call(agent, (0.4, REQUEST)), "endpoint")[0].start

    assert ended(Told()) - ended(Oracle()) == pytest.approx(0.56 - 0.24, abs=FRAME_SECONDS)


@pytest.mark.parametrize("trust_partial", [False, True])
def test_words_that_were_asked_for_are_not_paid_for_twice(trust_partial: bool) -> None:
    quick = late_cascade(worker=Charged(Costs()), trust_partial=trust_partial, prepare_after=None, endpointing=Silence(0.8))
    slow = late_cascade(worker=Charged(Costs(stt_final=0.5)), trust_partial=trust_partial, prepare_after=None,
                        endpointing=Silence(0.8))
    assert call(slow, (0.4, REQUEST)).audio[AGENT].tobytes() == call(quick, (0.4, REQUEST)).audio[AGENT].tobytes()


def test_an_endpoint_that_comes_before_the_words_waits_for_them_and_no_longer() -> None:
    """Asked 0.16 s into the silence, ended at 0.24 s, told at 0.66 s: 0.42 s, to the frame, are charged to the answer."""
    agent = late_cascade(worker=Charged(Costs(stt_final=0.5)), trust_partial=False, prepare_after=None,
                         endpointing=Silence(0.24))
    (answer,) = events(call(agent, (0.4, REQUEST)), "answer")
    assert answer.detail["stt_final"] == pytest.approx(0.42, abs=FRAME_SECONDS + 1e-6)


def test_a_pause_in_the_middle_of_a_request_is_asked_about_and_what_comes_is_added() -> None:
    first = (0.4, "how much is")
    agent = late_cascade(endpointing=Silence(0.7))
    recording = call(agent, first, (after(*first) + 0.4, "an eye test"))
    assert [event.detail["heard"] for event in events(recording, "endpoint")] == [REQUEST]
    assert heard_from_agent(recording) == PRICE


@pytest.mark.parametrize("confirm", [False, True])
@pytest.mark.parametrize("said", [NEW_REQUEST, "wait"])
def test_who_interrupts_it_is_heard(said: str, confirm: bool) -> None:
    agent = late_cascade(barge_in=BargeIn(min_speech=0.2, confirm=confirm))
    recording = call(agent, (0.4, RETURNS), (LATE, said), seconds=16.0)
    stopped, over = events(recording, "barge_in")[0], events(recording, "endpoint")[-1]
    assert stopped.start < LATE + 1.6 and over.detail["heard"] == said
    told = heard_from_agent(recording, over.start)
    assert told == PARKING if said == NEW_REQUEST else told.startswith("sorry i did not understand that")


def test_it_stops_for_who_speaks_longer_than_a_backchannel_before_any_word_is_known() -> None:
    recording = call(late_cascade(barge_in=BargeIn(min_speech=0.2, longest_backchannel=0.8)), (0.4, RETURNS),
                     (LATE, NEW_REQUEST), seconds=14.0)
    (stopped,) = events(recording, "barge_in")
    assert stopped.detail["heard"] == "" and LATE + 0.8 <= stopped.start <= LATE + 1.3


def test_it_goes_on_after_a_backchannel_and_after_a_cough() -> None:
    cough = np.random.default_rng(0).normal(0.0, 0.1, round(0.3 * SAMPLE_RATE)).clip(-1.0, 1.0).astype(np.float32)
    undisturbed = heard_from_agent(call(late_cascade(), (0.4, RETURNS), seconds=30.0))
    for said in ("uh huh", cough):
        recording = call(late_cascade(barge_in=BargeIn(min_speech=0.1)), (0.4, RETURNS), (LATE, said), seconds=30.0)
        assert [event.kind for event in events(recording, "hold", "resume", "backchannel")][0] == "hold"
        assert not events(recording, "barge_in") and heard_from_agent(recording).endswith(undisturbed[-60:])


@pytest.mark.parametrize("agent", [late_cascade, lambda: incremental(recogniser=Told(), worker=Charged(Costs(**CLOUD)))],
                         ids=["cascade", "incremental"])
def test_nothing_older_is_answered_when_one_speaks_up_during_each_stage(agent: object) -> None:
    assert callable(agent)
    end = after(0.4, REQUEST)
    for later in np.arange(0.1, 2.4, 0.16):
        recording = call(agent(), (0.4, REQUEST), (end + float(later), NEW_REQUEST), seconds=12.0)
        last = events(recording, "answer")[-1]
        assert str(last.detail["heard"]).endswith(NEW_REQUEST), later
        assert heard_from_agent(recording, last.start).endswith(PARKING) or later < 0.5, later


def test_asked_again_while_one_speaks_it_knows_words_before_the_end() -> None:
    recording = call(late_cascade(recogniser=ToldOften()), (0.4, "hello i would like to know how much is an eye test"))
    prepared = [str(event.detail["heard"]) for event in events(recording, "prepare")]
    assert prepared and len(prepared[0].split()) < 11


def test_a_recogniser_that_fails_in_the_background_fails_the_call_and_the_next_call_works() -> None:
    agent = late_cascade(recogniser=Breaks())
    with pytest.raises(ConversationFailed, match="the recogniser is gone"):
        call(agent, (0.4, REQUEST))
    with pytest.raises(ConversationFailed, match="the recogniser is gone"):
        call(agent, (0.4, REQUEST))


@pytest.mark.slow
@pytest.mark.alone
def test_live_who_speaks_on_while_it_recognises_in_its_thread_is_heard() -> None:
    first = (0.1, "is there")
    agent = late_cascade(recogniser=Sleeps(), worker=Threaded(), endpointing=Silence(0.24))
    recording = converse(RealTime(user(first, (after(*first) + 0.45, "parking"))), agent, prompt=PROMPT, max_seconds=5.0)
    assert "yes there is free parking" in heard_from_agent(recording)


def test_the_same_call_twice_is_the_same_recording() -> None:
    agent = late_cascade()
    calls = [call(agent, (0.4, REQUEST), (4.0, NEW_REQUEST), seed=3) for _ in range(2)]
    assert calls[0].audio.tobytes() == calls[1].audio.tobytes() and calls[0].events == calls[1].events


def test_who_writes_as_it_hears_does_not_come_late() -> None:
    assert catching_up(Oracle()) is None and catching_up(MeteredRecogniser(Oracle())) is None
    assert isinstance(catching_up(MeteredRecogniser(Told())), Told)


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_agreed_words_begin_both_and_no_more_would(before: list[str], now: list[str]) -> None:
    same = agreed(before, now)
    assert before[:len(same)] == now[:len(same)] == same
    assert before[len(same):len(same) + 1] != now[len(same):len(same) + 1] or len(same) in (len(before), len(now))


def test_words_agree_up_to_the_first_that_does_not() -> None:
    assert agreed("where is my".split(), "where is a order".split()) == ["where", "is"]
    assert agreed([], ["where"]) == [] and agreed(["where"], ["where", "is"]) == ["where"]
