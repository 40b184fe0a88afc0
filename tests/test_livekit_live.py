"""LiveKit's session in real time: it agrees with the virtual clock, and a service that fails ends the call in its words."""

import threading
import time
from statistics import median

import numpy as np
import pytest

pytest.importorskip("livekit.agents")
pytest.importorskip("espeakng_loader")
pytest.importorskip("openai")

from chat_server import Answer, Wire, chat_server, fails, says  # noqa: E402
from exact import PROMPT, Costs, after, call, events, heard_from_agent, user  # noqa: E402
from livekit_sessions import StagesElsewhere, agent  # noqa: E402

from duplex.agents.livekit import LiveKit  # noqa: E402
from duplex.conversation import ConversationFailed, converse  # noqa: E402
from duplex.frame import SAMPLE_RATE  # noqa: E402
from duplex.frameworks.clock import WallClock  # noqa: E402
from duplex.pace import RealTime  # noqa: E402
from duplex.recording import AGENT, Recording  # noqa: E402
from duplex.stages.language.llm import Reply  # noqa: E402
from duplex.stages.language.manager import Manager  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.alone]

REQUEST, NEW_REQUEST = "how much is an eye test", "is there parking"
SECONDS = 0.4


class Slow(Manager):
    def reply(self, heard: str) -> Reply:
        time.sleep(SECONDS)
        return super().reply(heard)


def live(one: LiveKit, *said: tuple[float, str], seconds: float = 6.0) -> Recording:
    return converse(user(*said), RealTime(one), prompt=PROMPT, max_seconds=seconds)


def answered(recording: Recording, after: float) -> float:
    """Seconds from `after` to the first sound of the agent since."""
    return float(np.flatnonzero(recording.audio[AGENT, round(after * SAMPLE_RATE):])[0]) / SAMPLE_RATE


def left_behind(before: set[threading.Thread]) -> list[threading.Thread]:
    """Threads of a call that are there a second after it; one that works ends with its work."""
    until = time.perf_counter() + 1.0
    while (left := [one for one in threading.enumerate() if one.name.startswith(("framework", "stage", "asyncio", "inference"))
                    and one not in before]) and time.perf_counter() < until:
        time.sleep(0.01)
    return left


def failed(server: str, *, retried: bool = False) -> str:
    """What is said of a call whose language model fails; nothing is left behind by it."""
    before = set(threading.enumerate())
    one = LiveKit(StagesElsewhere(server, retried), WallClock())
    with pytest.raises(ConversationFailed) as raised:
        live(one, (0.2, REQUEST), seconds=8.0)
    assert not left_behind(before)
    return str(raised.value.recording.failure)


def test_the_wall_and_the_virtual_clock_agree() -> None:
    said = [(0.2, NEW_REQUEST), (5.6, "where are you located"), (11.4, "do you take credit cards")]
    virtual = call(agent(Costs(llm=SECONDS)), *said, seconds=16.0)  # which also renders what the other must not wait for
    wall = live(agent(clock=WallClock(), dialogue=Slow()), *said, seconds=16.0)
    assert heard_from_agent(wall) == heard_from_agent(virtual)
    latencies = [median(answered(one, after(*line)) for line in said) for one in (virtual, wall)]
    assert latencies[1] == pytest.approx(latencies[0], abs=0.1)


def test_a_model_elsewhere_answers_and_is_spoken() -> None:
    with chat_server(says("It is thirty five dollars. Anything else?")) as server:
        recording = live(LiveKit(StagesElsewhere(server.url), WallClock()), (0.2, REQUEST), seconds=5.5)
    assert heard_from_agent(recording) == "it is thirty five dollars anything else"
    assert events(recording, "answer")[0].detail["heard"] == REQUEST


def test_a_model_that_refuses_is_an_accounted_failure() -> None:
    with chat_server(fails(401, "wrong key")) as server:
        assert "wrong key" in failed(server.url)


def test_a_model_that_is_silent_is_an_accounted_failure() -> None:
    gone = threading.Event()

    def silent(wire: Wire) -> None:
        gone.wait(5.0)
        wire.head()
    try:
        with chat_server(silent) as server:
            assert "timed out" in failed(server.url)
            gone.set()
    finally:
        gone.set()


def test_a_model_that_breaks_off_is_an_accounted_failure() -> None:
    def breaks_off(wire: Wire) -> None:
        wire.head()
        wire.delta(content="It is ")
        wire.cut()
    with chat_server(breaks_off) as server:
        assert failed(server.url).startswith("SessionFailed: the LiveKit session failed: ")


def test_a_model_that_returns_garbage_is_an_accounted_failure() -> None:
    def garbage(wire: Wire) -> None:
        wire.head()
        wire.raw("data: {not json\n\n")
        wire.end()
    with chat_server(garbage) as server:
        assert failed(server.url).startswith("SessionFailed: the LiveKit session failed: JSONDecodeError")


def test_a_model_that_recovers_is_asked_again_and_counted() -> None:
    script: list[Answer] = [fails(500, "busy"), says("It is thirty five dollars.")]
    with chat_server(*script) as server:
        recording = live(LiveKit(StagesElsewhere(server.url, retried=True), WallClock()), (0.2, REQUEST), seconds=5.5)
    assert heard_from_agent(recording) == "it is thirty five dollars"


def test_a_call_after_a_failed_one_is_whole() -> None:
    with chat_server(fails(500, "down")) as server:
        failed(server.url)
    recording = live(agent(clock=WallClock()), (0.2, NEW_REQUEST), seconds=4.0)
    assert heard_from_agent(recording).startswith("yes there is free parking")


