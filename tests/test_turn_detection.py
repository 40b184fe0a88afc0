"""Smart Turn: what it decides, what its slowness costs, that no pause gets another one's answer; and what agents do with it."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from exact import PROMPT, Costs, call, cascade, events, frame_of, heard_from_agent, incremental, user
from listening import ASKED, FAST, ONCE, REQUEST, SECOND, SLOW, TWICE, Hears, first, heard
from says import bursts

from duplex.conversation import ConversationFailed, converse
from duplex.frame import FRAME_SECONDS
from duplex.latency import Declared, Ideal
from duplex.speech import Speech, frames
from duplex.stages.hearing.ears import Ears
from duplex.stages.hearing.stt import Oracle
from duplex.stages.hearing.vad import EnergyVad, SpeechDetector
from duplex.stages.turns.endpoint import Listens, Silence
from duplex.stages.turns.smart_turn import SmartTurn, SmartTurnModel
from duplex.workers import Charged, Threaded

# Smart Turn's strategy, with models that say what they are told to


def test_detector_that_listens_is_told_from_one_that_reads() -> None:
    assert isinstance(SmartTurn(Hears(0.9)), Listens) and not isinstance(Silence(), Listens)


def test_patience_is_short_from_the_frame_in_which_the_model_says_that_the_turn_is_over() -> None:
    found = heard(SmartTurn(Hears(0.9)), ONCE)
    assert first(found.patience) == ASKED and set(found.patience[ASKED:]) == {FAST}


def test_patience_stays_long_where_more_is_to_come() -> None:
    assert set(heard(SmartTurn(Hears(0.5)), ONCE).patience) == {SLOW}  # on the threshold is not beyond it


def test_detector_of_0_2_seconds_is_three_frames_later() -> None:
    found = heard(SmartTurn(Hears(0.9)), ONCE, Charged(Costs(turn_detection=0.2)))
    assert first(found.patience) == ASKED + 3


def test_model_is_asked_once_in_each_pause_and_again_after_new_speech() -> None:
    model = Hears(0.1, 0.9)
    found = heard(SmartTurn(model), TWICE)
    assert len(model.sounds) == 2
    assert first(found.patience) == SECOND and set(found.patience[:SECOND]) == {SLOW}


@pytest.mark.parametrize("cost", [0.08, 0.3, 0.7, 1.1, 1.5])
def test_result_about_an_older_pause_is_never_used_for_a_newer_one(cost: float) -> None:
    found = heard(SmartTurn(Hears(0.9, 0.1)), TWICE, Charged(Costs(turn_detection=cost)))
    assert first(found.patience, start=SECOND - 6) is None  # from where the caller speaks again
    assert (first(found.patience) is None) == (cost > 0.24)


def test_decision_is_logged_once_with_its_probability() -> None:
    logged = heard(SmartTurn(Hears(0.25, 0.75)), TWICE).events
    assert [(number, event.kind, event.detail) for number, event in logged] == [
        (ASKED, "turn_detection", {"whole": False, "probability": 0.25}),
        (SECOND, "turn_detection", {"whole": True, "probability": 0.75})]


def test_model_hears_the_turn_from_half_a_second_before_its_onset() -> None:
    model = Hears(0.9)
    heard(SmartTurn(model), ONCE)
    loud = np.flatnonzero(np.abs(model.sounds[0]) > 0.01)
    assert loud[0] / 16_000 == pytest.approx(0.5, abs=FRAME_SECONDS + 0.02)
    assert (len(model.sounds[0]) - loud[-1]) / 16_000 == pytest.approx(0.24, abs=0.01)


def test_model_hears_eight_seconds_at_most() -> None:
    model = Hears(0.9)
    heard(SmartTurn(model), bursts((0.8, 12.0)), seconds=14.0)
    assert len(model.sounds[0]) == 8 * 16_000


def test_next_turn_is_heard_without_the_last_one() -> None:
    model = Hears(0.9)
    call(cascade(endpointing=SmartTurn(model)), (0.4, REQUEST), (6.0, REQUEST), seconds=9.0)
    assert len(model.sounds) == 2 and abs(len(model.sounds[0]) - len(model.sounds[1])) <= round(FRAME_SECONDS * 16_000)


def test_turn_that_begins_at_once_after_the_last_one_is_heard_alone() -> None:
    model, worker = Hears(0.9), Charged(Ideal())
    detector, ears = SmartTurn(model), Ears(EnergyVad(), SpeechDetector(start_windows=2), Oracle(), worker)
    for number, frame in enumerate(frames(Speech(bursts((0.8, 2.0), (2.24, 3.2), (4.9, 5.0))))):
        worker.tick()
        ears.hear(frame, 0)
        detector.listen(frame, ears, worker)
        if number == ASKED:
            ears.finish()
    assert len(model.sounds[1]) / 16_000 == pytest.approx(0.5 + 0.96 + 0.24, abs=FRAME_SECONDS)


def test_slow_model_in_a_thread_holds_up_no_frame() -> None:
    worker = Threaded()
    detector = SmartTurn(Hears(0.9, seconds=1.5))
    started = time.perf_counter()
    found = heard(detector, ONCE, worker, seconds=2.4)
    assert time.perf_counter() - started < 1.2 and set(found.patience) == {SLOW}
    worker.reset(0)


# What agents do with it


@pytest.mark.parametrize("agent", [partial(cascade), lambda endpointing: incremental(completion=endpointing)])
def test_agents_end_a_turn_soon_or_late_as_the_model_says(agent: Callable[..., Any]) -> None:
    ends = []
    for probability in (0.9, 0.1):
        recording = call(agent(endpointing=SmartTurn(Hears(probability))), (0.4, REQUEST))
        (endpoint,) = events(recording, "endpoint")
        ends.append(endpoint.detail["silence"])
        assert heard_from_agent(recording).startswith("an eye test is thirty five dollars")
    assert ends == pytest.approx([0.224, 3.0], abs=FRAME_SECONDS)


def test_slow_detector_delays_an_agents_endpoint_by_what_it_costs() -> None:
    called = []
    for charges in (Ideal(), Costs(turn_detection=0.2)):
        agent = cascade(endpointing=SmartTurn(Hears(0.9)), worker=Charged(charges))
        (endpoint,) = events(call(agent, (0.4, REQUEST)), "endpoint")
        called.append(frame_of(endpoint))
    assert called[1] - called[0] == 3


def test_agent_that_is_asked_again_says_the_same_to_the_sample() -> None:
    agent = cascade(endpointing=SmartTurn(Hears(0.9)), worker=Charged(declared()))
    first_call, second_call = (call(agent, (0.4, REQUEST), seed=3) for _ in range(2))
    assert np.array_equal(first_call.audio, second_call.audio) and first_call.events == second_call.events


def declared() -> Declared:
    stages = ("stt_partial", "stt_final", "llm", "tts", "turn_detection")
    return Declared("test", {stage: {"p50": 0.1, "p95": 0.2} for stage in stages})


class Breaks:
    def end_probability(self, sound: np.ndarray) -> float:
        raise OSError("the weights are gone")


def test_model_that_breaks_fails_the_conversation() -> None:
    with pytest.raises(ConversationFailed, match="the weights are gone"):
        converse(user((0.4, REQUEST)), cascade(endpointing=SmartTurn(Breaks())), prompt=PROMPT, max_seconds=8.0)


def test_negative_silence_before_asking_is_refused() -> None:
    with pytest.raises(ValueError, match="0 s of silence or more, not -0.1"):
        SmartTurn(Hears(0.9), ask_after=-0.1)


# The network itself


def noise(seconds: float) -> np.ndarray:
    time_axis = np.arange(round(16_000 * seconds)) / 16_000
    wave = np.sin(2.0 * np.pi * (180.0 + 40.0 * np.sin(5.0 * time_axis)) * time_axis)
    return (0.1 * wave + 0.01 * np.random.default_rng(0).normal(size=len(wave))).astype(np.float32)


@pytest.mark.parametrize("seconds", [1.0, 8.0, 11.0])
def test_smart_turn_says_what_pipecats_own_analyser_says(seconds: float) -> None:
    pytest.importorskip("onnxruntime")
    pipecat = pytest.importorskip("pipecat.audio.turn.smart_turn.local_smart_turn_v3")
    theirs = pipecat.LocalSmartTurnAnalyzerV3(sample_rate=16_000)._predict_endpoint(noise(seconds))["probability"]
    assert SmartTurnModel().end_probability(noise(seconds)) == pytest.approx(theirs, abs=1e-4)


def test_recording_says_which_weights_listened() -> None:
    pytest.importorskip("pipecat")
    stated = cascade(endpointing=SmartTurn(SmartTurnModel())).facts["endpointing"]
    assert (stated["file"], stated["licence"], len(stated["sha256"])) == ("smart-turn-v3.2-cpu.onnx", "BSD-2-Clause", 64)


def test_missing_weights_are_named() -> None:
    with pytest.raises(FileNotFoundError, match="no Smart Turn model at nowhere.onnx"):
        SmartTurnModel("nowhere.onnx")
