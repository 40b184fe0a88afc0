"""A live call to an agent elsewhere: whose first frame it is, what is late, and what breaks."""

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from says import Says, bursts

for needed in ("aiohttp", "websockets", "filelock"):
    pytest.importorskip(needed)

from calls import TONE, Handler, caller, nobody_else, num_frames, scripted, stepped  # noqa: E402, F401
from relay import Relay  # noqa: E402
from serving import serving  # noqa: E402
from websockets.sync.server import ServerConnection  # noqa: E402

from duplex.agents.remote import Remote  # noqa: E402
from duplex.conversation import ConversationFailed, Prompt, converse  # noqa: E402
from duplex.frame import FRAME_SAMPLES, SILENCE, Frame  # noqa: E402
from duplex.pace import RealTime, paced  # noqa: E402
from duplex.recording import AGENT, USER  # noqa: E402
from duplex.wire.messages import Kind, frame_bytes, message  # noqa: E402


def test_our_server_speaks_first_and_kyutais_hears_silence_first() -> None:
    heard: list[bytes] = []
    left = threading.Event()

    def listen(socket: ServerConnection) -> None:
        socket.send(message(Kind.HANDSHAKE))
        socket.send(message(Kind.AUDIO, frame_bytes(TONE.samples)))
        for data in socket:
            heard.append(bytes(data))  # type: ignore[arg-type]
        left.set()

    with scripted(listen) as url:
        agent = Remote(url, buffer=0)
        agent.reset(Prompt(), 0)
        time.sleep(0.3)
        first = agent.step(SILENCE)
        assert first is not None and np.array_equal(first.samples, TONE.samples) and first.at is not None
        agent.step(TONE)
        agent.leave()
        assert left.wait(5.0) and [data[0] for data in heard] == [Kind.METADATA, Kind.AUDIO]
        assert heard[1][1:] == frame_bytes(TONE.samples)


def breaks_after(num_frames: int, times: int) -> Handler:
    """Our server, with an agent that says a tone; its first connections break."""
    calls = []

    def handle(socket: ServerConnection) -> None:
        calls.append(socket)
        opening = json.loads(bytes(socket.recv())[1:])  # type: ignore[arg-type]
        socket.send(message(Kind.METADATA, json.dumps({"applied": {"seed": opening["seed"]}, "conversation": len(calls)})))
        socket.send(message(Kind.HANDSHAKE))
        frames = 0
        for _ in socket:
            socket.send(message(Kind.AUDIO, frame_bytes(TONE.samples)))
            frames += 1
            if frames == num_frames and len(calls) <= times:
                socket.socket.shutdown(2)

    return handle


def until(agent: Remote, what: str, patience: float = 10.0) -> list[Frame]:
    """What it says until an event of kind `what`."""
    said: list[Frame] = []
    end = time.monotonic() + patience
    while time.monotonic() < end:
        frame = agent.step(TONE)
        assert frame is not None
        said.append(frame)
        if any(event.kind == what for event in frame.events):
            return said
        time.sleep(0.02)
    raise AssertionError(f"no {what} in {patience} s")


def test_a_live_call_that_breaks_is_made_again_once_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with scripted(breaks_after(10, times=1)) as url:
        agent = Remote(url)
        agent.reset(Prompt(), 3)
        lost = until(agent, "connection_lost")
        again = until(agent, "reconnect")
        after = stepped(agent, 20)
        tally = agent.tally()
        agent.leave()
    assert any(frame.samples.any() for frame in lost) and all(frame is not None and frame.samples.any() for frame in after[5:])
    assert tally["reconnects"] == 1 and again[-1].events[-1].detail["url"].startswith("ws://127.0.0.1")
    assert "was lost: no reason was given (code 1006); calling again" in caplog.text and "again" in caplog.records[-1].message


def test_a_second_loss_ends_the_call_and_what_was_said_is_kept() -> None:
    with scripted(breaks_after(5, times=2)) as url:
        with pytest.raises(ConversationFailed, match="ConnectionError: .* was lost: .* for the second time") as failed:
            converse(Says(bursts((0.0, 60.0))), RealTime(Remote(url), speed=4.0), max_seconds=60.0)
    kept = failed.value.recording
    assert kept.ended_by == "failure" and num_frames(kept) > 8 and kept.audio[AGENT].any()
    assert [event.kind for event in kept.events[AGENT]] == ["connection_lost", "reconnect"]
    assert kept.facts["tally"]["agent"]["reconnects"] == 1


def test_a_server_that_is_gone_for_good_is_named() -> None:
    with scripted(breaks_after(5, times=9)) as url:
        agent = Remote(url, patience=2.0)
        agent.reset(Prompt(), 0)
        stepped(agent, 3)
    with pytest.raises(ConnectionError, match="the connection was lost, and a second call failed: nobody answers at"):
        stepped(agent, 200)
    agent.leave()


def test_what_an_agent_elsewhere_failed_with_is_told_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo", "agent._target_=greets.Greets", "+agent.fails_at=3") as it:
        with pytest.raises(ConversationFailed, match="the agent of ws://.* failed: RuntimeError: lost my voice"):
            converse(caller(), RealTime(Remote(it.url)), max_seconds=3.0)


def test_an_agent_elsewhere_that_hangs_up_is_heard_to_its_end(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo", "agent._target_=greets.Greets", "+agent.hangs_up_at=6") as it:
        there = converse(caller(), RealTime(Remote(it.url, buffer=2)), max_seconds=3.0)
    assert there.ended_by == "agent" and num_frames(there) in (8, 9)  # 6 that were said, behind 2 kept waiting and the way
    assert [word.text for word in there.words[AGENT]] == ["hello", "there"]


@pytest.mark.slow
@pytest.mark.alone
def test_a_live_call_is_on_time_and_its_delay_is_back_after_a_hiccup(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo") as it, Relay(("127.0.0.1", int(it.host_port.split(":")[1]))) as relay:
        user = Says(bursts((0.8, 0.88), (4.0, 4.08), (5.6, 5.68)))
        agent = paced(Remote(f"ws://127.0.0.1:{relay.port}"))

        def hiccup(index: int, from_user: Frame, from_agent: Frame) -> None:
            if index == 22:
                relay.hold()
            if index == 34:
                relay.release()

        there = converse(user, agent, max_seconds=8.0, watch=hiccup)
    tally = there.facts["tally"]["agent"]
    onsets = [np.flatnonzero(np.diff(np.concatenate([[0], (np.abs(row) > 0.01).astype(int)])) == 1) for row in there.audio]
    assert len(onsets[USER]) == len(onsets[AGENT]) == 3
    delays = (onsets[AGENT] - onsets[USER]) / FRAME_SAMPLES
    assert delays[0] in (2.0, 3.0) and delays.max() - delays.min() <= 2.0
    assert 8 <= tally["starved"] <= 14 and tally["dropped"] + tally["starved"] > 10 and tally["reconnects"] == 0
    assert tally["send_lateness_seconds"]["p50"] < 0.02 and tally["round_trip_seconds"]["p50"] < 0.05
    assert tally["unsent_frames"] == 0 and num_frames(there) == 100
