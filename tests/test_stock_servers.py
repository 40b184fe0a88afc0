"""We talk to the servers of others as they are: Kyutai's own, and a stub of what is known of NVIDIA's."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

for needed in ("aiohttp", "websockets", "filelock", "opuslib_next"):
    pytest.importorskip(needed)

from calls import TONE, caller, nobody_else, stepped  # noqa: E402, F401
from personaplex_stub import personaplex_stub  # noqa: E402
from websockets.exceptions import ConnectionClosed  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

from duplex.agents.remote import Remote  # noqa: E402
from duplex.conversation import Prompt, converse  # noqa: E402
from duplex.frame import FRAME_SAMPLES  # noqa: E402
from duplex.pace import paced  # noqa: E402
from duplex.recording import AGENT  # noqa: E402
from duplex.wire.messages import Kind, message  # noqa: E402
from duplex.wire.opus import OpusEncoder  # noqa: E402


def test_personaplex_is_asked_for_what_it_needs_and_for_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    with personaplex_stub() as stub:
        agent = Remote(stub.url, "personaplex", temperature=0.5)
        agent.reset(Prompt(), 3)
        said = stepped(agent, 30, seconds=0.03)
        agent.leave()
        other = Remote(stub.url, "personaplex", voice="voices/NATM1", role="You are a clerk.")
        other.reset(Prompt(), 3)
        other.leave()
        last = Remote(stub.url, "personaplex", role="You are a clerk.")
        last.reset(Prompt("You are a guide."), 3)
        last.leave()
    assert stub.queries == [{"text_prompt": "You enjoy having a good conversation.", "voice_prompt": "NATF0.pt"},
                            {"text_prompt": "You are a clerk.", "voice_prompt": "NATM1.pt"},
                            {"text_prompt": "You are a guide.", "voice_prompt": "NATF0.pt"}]
    assert stub.thrown_away == 0 and stub.frames == 30
    assert any(frame is not None and np.abs(frame.samples).max() > 0.05 for frame in said)
    assert [word.text for frame in said if frame is not None for word in frame.words] == ["hi", "there"]
    complaints = [record.message for record in caplog.records if "takes no" in record.message]
    assert complaints == ["the PersonaPlex server takes no temperature and no seed: every call with it is another one",
                          "the PersonaPlex server takes no seed: every call with it is another one"]


def test_a_voice_that_personaplex_does_not_have_breaks_off_and_says_where() -> None:
    with personaplex_stub() as stub:
        agent = Remote(stub.url, "personaplex", voice="BOB")
        with pytest.raises(ConnectionError, match=r"was lost: no reason was given \(code 1006\), before its handshake"):
            agent.reset(Prompt(), 0)
        agent.leave()


@pytest.mark.parametrize("query", ["", "?text_prompt=hi", "?text_prompt=&voice_prompt=NATF0.pt",
                                   "?text_prompt=hi&voice_prompt=NATF0.pt&seed=3"])
def test_the_stub_breaks_off_where_the_real_one_does(query: str) -> None:
    with personaplex_stub(0.1) as stub, connect(f"{stub.url}/api/chat{query}") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=5)
    assert closed.value.rcvd is None  # what a browser calls 1006


def test_the_stub_loses_who_speaks_before_the_handshake() -> None:
    encoder = OpusEncoder()
    query = "?text_prompt=hi&voice_prompt=NATF0.pt"
    with personaplex_stub() as stub, connect(f"{stub.url}/api/chat{query}") as socket:
        socket.send(message(Kind.AUDIO, encoder.encode(TONE.samples)))
        assert socket.recv(timeout=5) == b"\0"
        socket.send(message(Kind.AUDIO, encoder.encode(TONE.samples)))
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=5)
    assert (stub.thrown_away, stub.frames) == (1, 0)


def test_a_server_for_one_is_left_alone_while_it_talks() -> None:
    with personaplex_stub(0.1) as stub:
        first, second = Remote(stub.url, "personaplex"), Remote(stub.url, "personaplex", patience=0.5)
        first.reset(Prompt(), 0)
        with pytest.raises(TimeoutError, match="every server was taken for 0 s: ws://.* by process"):
            second.reset(Prompt(), 0)
        first.leave()
        second.reset(Prompt(), 0)
        second.leave()
        assert len(stub.queries) == 2


def test_a_server_that_never_begins_is_not_waited_for_forever() -> None:
    with personaplex_stub(60.0) as stub, pytest.raises(ConnectionError, match="did not begin a conversation within 1 s"):
        Remote(stub.url, "personaplex", patience=1.0).reset(Prompt(), 0)


@pytest.mark.slow
def test_the_unmodified_moshi_server_talks_to_us(
        tiny: Callable[[str], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from moshi_server import moshi_server
    with moshi_server(tiny("moshi"), tmp_path) as it:
        agent = Remote(it.url, "moshi")
        with caplog.at_level(logging.WARNING, "duplex"):
            recordings = [converse(caller(), paced(agent), max_seconds=4.0) for _ in range(2)]
        printed = it.log.read_text(errors="replace")
    for there in recordings:
        tally = there.facts["tally"]["agent"]
        assert np.abs(there.audio[AGENT, FRAME_SAMPLES * 10:]).max() > 0.1
        assert len(there.words[AGENT]) > 3 and sum(event.kind == "text_token" for event in there.events[AGENT]) > 10
        assert all(word.end > word.start >= 0.0 for word in there.words[AGENT])
        assert tally["reconnects"] == 0 and tally["sent_packets"] in (49, 50)  # the silence before the call and 49 of the user
        assert there.facts["agent"] == {"url": f"{it.url}/api/chat", "dialect": "moshi", "mode": "live"}
    assert printed.count("done with connection") == 2 and "warning" not in printed.lower().replace("futurewarning", "")
    assert [record.message for record in caplog.records] == [
        "Kyutai's server takes no seed (its Rust version takes seed and sampling): every call with it is another one"]
