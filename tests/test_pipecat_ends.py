"""How a call of a Pipecat pipeline ends: a stage that fails, a pipeline that hangs up, and what is left and kept of it."""

import gc
import warnings
from collections.abc import Callable
from threading import active_count

import numpy as np
import pytest

pytest.importorskip("pipecat")
pytest.importorskip("espeakng_loader")

from exact import PROMPT, call, heard_from_agent
from pipecat_bots import agent, breaks, ends
from says import Says

from duplex.agents.pipecat import Pipecat
from duplex.conversation import ConversationFailed, converse
from duplex.frame import FRAME_SAMPLES, SILENCE
from duplex.frameworks.clock import VirtualClock
from duplex.latency import Ideal
from duplex.stages.hearing.stt import Oracle
from duplex.stages.language.llm import Reply
from duplex.stages.language.manager import Manager

REQUEST = "how much is an eye test"
PRICE = "an eye test is thirty five dollars it is free if you buy glasses on the same day"
NEW_REQUEST = "wait where can i park"


class Fails(Manager):
    def reply(self, heard: str) -> Reply:
        raise ValueError("the model is out of order")


def test_a_stage_that_fails_ends_the_call_with_its_words() -> None:
    with pytest.raises(ConversationFailed, match="Thinks.*the model is out of order"):
        call(agent(dialogue=Fails()), (0.4, REQUEST))


class CannotFinish(Oracle):
    def finish(self) -> str:
        raise OSError("the recogniser hung up")


def test_a_recogniser_that_fails_at_the_end_ends_the_call_too() -> None:
    with pytest.raises(ConversationFailed, match="Listens.*the recogniser hung up"):
        call(agent(recogniser=CannotFinish()), (0.4, REQUEST))


def test_a_processor_of_ones_own_that_fails_ends_the_call() -> None:
    with pytest.raises(ConversationFailed, match="Breaks.*the wire is cut"):
        converse(Says(np.zeros(FRAME_SAMPLES, np.float32)), Pipecat(breaks, VirtualClock(Ideal())), max_seconds=2.0)


def test_after_a_failure_the_next_call_is_held() -> None:
    one = agent(dialogue=Fails())
    with pytest.raises(ConversationFailed):
        call(one, (0.4, REQUEST))
    one.pipeline.dialogue = Manager()  # type: ignore[attr-defined]
    assert heard_from_agent(call(one, (0.4, REQUEST), seconds=8.0)) == PRICE


def test_a_pipeline_that_ends_hangs_up() -> None:
    recording = converse(Says(np.zeros(FRAME_SAMPLES, np.float32)), Pipecat(ends, VirtualClock(Ideal())), max_seconds=2.0)
    assert recording.ended_by == "agent" and recording.seconds < 0.5


def test_a_builder_that_returns_nonsense_is_told_what_would_be_right() -> None:
    with pytest.raises(ConversationFailed, match="returns its processors in order, a Pipeline or a PipelineWorker, not int"):
        converse(Says(np.zeros(FRAME_SAMPLES, np.float32)), Pipecat(lambda *_: 3, VirtualClock(Ideal())))  # type: ignore


@pytest.mark.parametrize("make", [agent, lambda: agent(dialogue=Fails()), lambda: Pipecat(ends, VirtualClock(Ideal()))])
def test_nothing_is_left_behind(make: Callable[[], Pipecat], capfd: pytest.CaptureFixture[str]) -> None:
    threads = active_count()
    one = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            try:
                call(one, (0.4, REQUEST), (4.0, NEW_REQUEST), seconds=5.0)
            except ConversationFailed:
                pass
        del one
        gc.collect()
    assert active_count() == threads
    assert not "".join(capfd.readouterr())


def test_it_counts_what_its_stages_are_given() -> None:
    recording = call(agent(), (0.4, REQUEST), seconds=8.0)
    counted = recording.facts["tally"]["agent"]
    manager = Manager()
    manager.reset(PROMPT, 0)
    assert counted["tts_characters"] == sum(map(len, manager.reply(REQUEST).sentences))
    assert 1.0 < counted["stt_seconds"] < 3.5 and counted["llm_calls"] == 0


def test_it_is_silent_until_somebody_speaks() -> None:
    one = agent()
    one.reset(PROMPT, 0)
    said = [one.step(SILENCE) for _ in range(40)]
    one.leave()
    assert all(frame is not None and not frame.samples.any() and not frame.events for frame in said)
