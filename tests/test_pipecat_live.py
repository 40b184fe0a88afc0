"""A Pipecat pipeline in real time: services that answer, are slow, refuse, drop or talk nonsense; and against virtual time."""

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from statistics import median
from threading import Thread
from threading import enumerate as threads

import numpy as np
import pytest

pytest.importorskip("pipecat")
pytest.importorskip("espeakng_loader")
pytest.importorskip("openai")

import exact
from chat_server import Answer, Wire, chat_server, fails, says
from exact import after, events, heard_from_agent
from hydra import compose, initialize_config_dir
from pipecat_bots import agent, hosted

from duplex.agents.pipecat import Pipecat
from duplex.build import built
from duplex.conversation import ConversationFailed, converse
from duplex.frame import SAMPLE_RATE, SILENCE
from duplex.frameworks.clock import VirtualClock, WallClock
from duplex.frameworks.pipecat_pipeline import Turns
from duplex.manifest import CHECKOUT
from duplex.pace import RealTime
from duplex.recording import AGENT, Recording
from duplex.speech import Speech
from duplex.stages.language.llm import Reply
from duplex.stages.language.manager import Manager

pytestmark = [pytest.mark.slow, pytest.mark.alone]

REQUEST = "how much is an eye test"
ANSWER = "It is thirty dollars. Anything else?"


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread of a call outlives it."""
    before = set(threads())
    yield
    until = time.monotonic() + 2.0
    while left_since(before) and time.monotonic() < until:
        time.sleep(0.05)
    assert not left_since(before)


def left_since(before: set[Thread]) -> list[Thread]:
    return [thread for thread in threads() if thread not in before]


def live(one: Pipecat, *said: tuple[float, str], seconds: float = 6.0) -> Recording:
    return converse(RealTime(exact.user(*said)), one, prompt=exact.PROMPT, max_seconds=seconds)


def bot(url: str) -> Pipecat:
    return Pipecat(partial(hosted, url=url), WallClock())


def test_a_hosted_language_model_answers() -> None:
    with chat_server(says(ANSWER)) as server:
        recording = live(bot(server.url), (0.2, REQUEST), seconds=4.5)
    assert heard_from_agent(recording).startswith("it is thirty dollars anything")
    (answer,) = events(recording, "answer")
    assert answer.detail["heard"] == REQUEST
    assert server.requests[0]["messages"] == [{"role": "system", "content": exact.PROMPT.text},
                                              {"role": "user", "content": REQUEST}]


def test_what_was_interrupted_is_told_to_it_as_far_as_it_was_spoken() -> None:
    long = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen. Fifteen sixteen seventeen."
    with chat_server(says(long), says(ANSWER)) as server:
        recording = live(bot(server.url), (0.2, REQUEST), (3.5, "is there parking"), seconds=6.0)
    assert heard_from_agent(recording, 4.4).startswith("it is thirty")
    [first, spoken, second] = [message["content"] for message in server.requests[1]["messages"][1:]]
    assert (first, second) == (REQUEST, "is there parking")
    assert spoken.startswith("One two") and "Fifteen" not in spoken


def test_a_slow_one_is_waited_for() -> None:
    with chat_server(says(ANSWER, wait=0.3)) as server:
        recording = live(bot(server.url), (0.1, REQUEST), seconds=5.0)
    (answer,) = events(recording, "answer")
    assert float(answer.detail["llm"]) == pytest.approx(5 * 0.3, abs=0.3)  # its first sentence is over with the fifth word


def drops(wire: Wire) -> None:
    wire.head()
    wire.delta(content="It is")
    wire.cut()


def garbage(wire: Wire) -> None:
    wire.head()
    wire.raw("data: {this is no JSON\n\n")
    wire.done()


@pytest.mark.parametrize(("answer", "told"), [
    (fails(400, "no such model"), "no such model"),
    (drops, "Connection error"), (garbage, "")], ids=["refuses", "drops", "talks nonsense"])
def test_one_that_fails_ends_the_call_in_its_words_and_the_next_call_is_held(answer: Answer, told: str) -> None:
    with chat_server(answer, says(ANSWER)) as server:
        one = bot(server.url)
        with pytest.raises(ConversationFailed, match=f"Pipecat's OpenAILLMService: .*{told}") as failure:
            live(one, (0.1, "is there parking"), seconds=6.0)
        assert 1.0 < failure.value.recording.seconds < 6.0
        assert heard_from_agent(live(one, (0.1, "is there parking"), seconds=3.0)).startswith("it is thirty")


def test_nobody_at_the_address_is_a_failed_call() -> None:
    with pytest.raises(ConversationFailed, match="OpenAILLMService: .*Connection error"):
        live(bot("http://127.0.0.1:9/v1"), (0.1, "is there parking"), seconds=9.0)


def test_in_virtual_time_a_hosted_service_is_refused() -> None:
    with chat_server(says(ANSWER)) as server, pytest.raises(ConversationFailed, match="clock@agent.clock=wall"):
        converse(exact.user((0.1, REQUEST)), Pipecat(partial(hosted, url=server.url), VirtualClock(exact.Costs())),
                 prompt=exact.PROMPT, max_seconds=6.0)


def test_a_loop_that_does_not_come_round_is_told() -> None:
    one = agent(WallClock())
    one.reset(exact.PROMPT, 0)
    assert one.run is not None and isinstance(one.clock, WallClock) and one.clock.loop is not None
    one.clock.loop.call_soon_threadsafe(time.sleep, 1.0)
    with pytest.raises(ConnectionError, match="has not come round"):
        for _ in range(200):
            one.step(SILENCE)
    one.leave()


def test_a_pipeline_of_ones_own_is_named_by_its_import_path() -> None:
    with chat_server(says(ANSWER)) as server, initialize_config_dir(str(CHECKOUT / "configs"), version_base=None):
        config = compose("bench", ["agent=pipecat_own", "agent.pipeline._target_=pipecat_bots.hosted",
                                   f"+agent.pipeline.url={server.url}"])
        recording = live(built(config.agent), (0.1, "is there parking"), seconds=4.0)
    assert heard_from_agent(recording).startswith("it is thirty")


# Against virtual time

COSTS = {"stt_final": 0.2, "llm": 0.4, "tts": 0.1}


class SlowManager(Manager):
    def reply(self, heard: str) -> Reply:
        time.sleep(COSTS["llm"])
        return super().reply(heard)


class SlowVoice(exact.Voice):
    def synthesise(self, text: str) -> Speech:
        time.sleep(COSTS["tts"])
        return super().synthesise(text)


class SlowOracle(exact.Oracle):
    def finish(self) -> str:
        time.sleep(COSTS["stt_final"])
        return super().finish()


LINES = ((0.2, "is there parking"), (5.5, "where can i park"), (10.5, "is there parking"))


def latencies(recording: Recording) -> list[float]:
    """From the end of each line to the first sound of the agent after it."""
    sounding = np.flatnonzero(recording.audio[AGENT]) / SAMPLE_RATE
    return [float(sounding[sounding > after(*line)][0] - after(*line)) for line in LINES]


def test_real_and_virtual_time_agree_within_100_ms() -> None:
    turns = Turns(stop=0.4)
    virtual = converse(exact.user(*LINES), agent(VirtualClock(exact.Costs(**COSTS)), turns=turns), prompt=exact.PROMPT,
                       max_seconds=13.5)
    real = live(agent(WallClock(), turns=turns, dialogue=SlowManager(), tts=SlowVoice(), recogniser=SlowOracle()), *LINES,
                seconds=13.5)
    assert median(latencies(real)) == pytest.approx(median(latencies(virtual)), abs=0.1)
    np.testing.assert_array_equal(spoken_first(real), spoken_first(virtual))


def spoken_first(recording: Recording) -> np.ndarray:
    """The first seconds that the agent says, without a gap in them."""
    first = int(np.flatnonzero(recording.audio[AGENT])[0])
    return recording.audio[AGENT, first: first + 3 * SAMPLE_RATE]


def test_no_task_is_left_in_the_loop() -> None:
    one = agent(WallClock())
    one.reset(exact.PROMPT, 0)
    assert isinstance(one.clock, WallClock) and one.clock.loop is not None
    loop = one.clock.loop
    assert asyncio.all_tasks(loop)
    one.leave()
    assert loop.is_closed() and not asyncio.all_tasks(loop)
