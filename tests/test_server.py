"""A conversation over a websocket is the one at home; who may not talk is told why, and a place is free when it is."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from says import Says, bursts

pytest.importorskip("aiohttp")

from serving import Served, serving  # noqa: E402
from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: E402
from websockets.sync.client import ClientConnection, connect  # noqa: E402

from duplex.agents.simple import Responder  # noqa: E402
from duplex.conversation import Prompt, converse  # noqa: E402
from duplex.frame import FRAME_SAMPLES, SILENCE, Event, Frame, Word  # noqa: E402
from duplex.recording import Recording, load  # noqa: E402
from duplex.server.server import Doors  # noqa: E402
from duplex.server.session import domain_name  # noqa: E402
from duplex.wire.messages import Kind, about, frame_bytes, frame_of, frame_samples, message  # noqa: E402

LOCKSTEP = "?ext=1&audio=pcm&mode=lockstep"
TONE = (0.1 * np.sin(np.arange(FRAME_SAMPLES) * 0.05)).astype(np.float32)


def opening(**told: Any) -> bytes:
    return message(Kind.METADATA, json.dumps(told))


def close_of(socket: ClientConnection) -> tuple[int, str, bytes]:
    """Code and reason of the close, and the last message before it."""
    last = b""
    try:
        while True:
            last = bytes(socket.recv(timeout=10))  # type: ignore[arg-type]  # all messages are binary
    except ConnectionClosed as closed:
        assert closed.rcvd is not None, "the connection broke"
        return closed.rcvd.code, closed.rcvd.reason, last


def eventually(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    return true()


def recordings(it: Served, number: int = 1) -> list[Recording]:
    """Of the conversations that are over, in the order in which they began."""
    assert eventually(lambda: len(list(it.folder.glob("*/log.json"))) == number)
    return [load(folder) for folder in sorted(it.folder.iterdir())]


def lockstep(socket: ClientConnection, user: Says, num_frames: int) -> list[Frame]:
    """What the agent says to `user`, frame by frame, as `agent=remote` hears it."""
    user.reset(Prompt(), 0)
    said: list[Frame] = []
    told: dict[str, Any] | None = None
    while len(said) < num_frames:
        data = bytes(socket.recv(timeout=10))  # type: ignore[arg-type]
        if data[0] == Kind.METADATA:
            told = json.loads(data[1:])
        elif data[0] == Kind.AUDIO:
            said.append(frame_of(frame_samples(data[1:]), told))
            told = None
            frame = user.step(said[-1])
            assert frame is not None
            if (what := about(frame)) is not None:
                socket.send(message(Kind.METADATA, json.dumps(what)))
            socket.send(message(Kind.AUDIO, frame_bytes(frame.samples)))
    return said


def caller() -> Says:
    return Says(bursts((0.4, 1.1), (3.0, 3.3)), [Word("hello", 0.4, 1.1)], [Event("turn", 0.4, 1.1, {"text": "hello"})])


@pytest.mark.parametrize("agent", ["echo", "responder"])
def test_a_conversation_in_lockstep_is_the_one_at_home(tmp_path: Path, agent: str) -> None:
    from duplex.agents.simple import Echo
    home = converse(caller(), {"echo": Echo(), "responder": Responder()}[agent], seed=5, max_seconds=4.0)
    with serving(tmp_path, f"agent={agent}") as it:
        with connect(it.url + LOCKSTEP) as socket:
            socket.send(opening(seed=5))
            said = lockstep(socket, caller(), 50)
        [kept] = recordings(it)
    there = np.concatenate([frame.samples for frame in said])
    np.testing.assert_allclose(there, home.audio[1], atol=1e-4)  # a recording is rounded to 16 bits
    for row in (0, 1):
        np.testing.assert_array_equal(kept.audio[row][:len(there)], home.audio[row])
        assert (kept.words[row], kept.events[row]) == (home.words[row], home.events[row])
    assert kept.facts["applied"]["seed"] == 5 and kept.ended_by == "user"


def test_the_greeting_says_who_speaks_and_what_was_applied(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo") as it, connect(it.url + LOCKSTEP + "&audio_temperature=0.5") as socket:
        socket.send(opening(prompt={"text": "You are kind."}, seed=9))
        greeting = json.loads(bytes(socket.recv())[1:])  # type: ignore[arg-type]
        assert socket.recv() == bytes([Kind.HANDSHAKE])
    assert (greeting["server"], greeting["agent"], greeting["applied"]) == ("duplex-harness", "agent", {"seed": 9})
    assert recordings(it)[0].facts["prompt"]["text"] == "You are kind."


def test_the_n_th_conversation_has_a_seed_of_its_own(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo") as it:
        for _ in range(2):
            with connect(it.url) as socket:
                socket.recv(timeout=5)
        assert [kept.facts["seed"] for kept in recordings(it, 2)] == [0, 1]


def test_moshis_protocol_is_answered_with_handshake_pages_and_text(tmp_path: Path) -> None:
    pytest.importorskip("sphn")
    from sphn import OpusStreamReader, OpusStreamWriter
    with serving(tmp_path, "agent=echo", "agent._target_=greets.Greets") as it, connect(it.url) as socket:
        writer, reader, heard, text = OpusStreamWriter(24_000), OpusStreamReader(24_000), 0, ""
        assert socket.recv(timeout=5) == b"\0"
        for _ in range(20):
            socket.send(message(Kind.AUDIO, bytes(writer.append_pcm(TONE))))
            time.sleep(0.02)
        while heard < 20 * FRAME_SAMPLES:
            data = bytes(socket.recv(timeout=5))  # type: ignore[arg-type]
            if data[0] == Kind.AUDIO:
                heard += len(reader.append_bytes(data[1:]))
            elif data[0] == Kind.TEXT:
                text += data[1:].decode()
    assert text == " hello there"


def test_sound_from_before_the_handshake_is_forgotten_and_its_stream_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("opuslib_next")
    from duplex.wire.opus import OpusEncoder
    with serving(tmp_path, "agent=echo", "agent._target_=greets.Greets", "+agent.reset_seconds=0.6") as it:
        encoder = OpusEncoder()
        with connect(it.url) as socket:
            for _ in range(5):  # as moshi.client does, which waits for nothing
                socket.send(message(Kind.AUDIO, encoder.encode(TONE)))
            assert socket.recv(timeout=5) == b"\0"
            for _ in range(5):
                socket.send(message(Kind.AUDIO, encoder.encode(TONE)))
                time.sleep(0.05)
        [kept] = recordings(it)
    tally = kept.facts["tally"]["user"]
    assert tally["before_handshake_samples"] == 5 * FRAME_SAMPLES and tally["frames"] == 5
    assert np.abs(kept.audio[0]).max() > 0.05


def kept_at_real_time(tmp_path: Path, num_frames: int, *overrides: str) -> Recording:
    """What is kept of a call whose client sends a frame every 80 ms whatever comes back."""
    with serving(tmp_path, "agent=echo", "agent._target_=greets.Greets", *overrides) as it:
        with connect(it.url + "?audio=pcm") as socket:
            assert socket.recv(timeout=5) == b"\0"
            due = time.perf_counter()
            for _ in range(num_frames):
                due += 0.08
                time.sleep(max(0.0, due - time.perf_counter()))
                socket.send(message(Kind.AUDIO, frame_bytes(TONE)))
            time.sleep(0.5)
        [kept] = recordings(it)
    return kept


def test_who_stumbles_catches_up_and_loses_nothing(tmp_path: Path) -> None:
    kept = kept_at_real_time(tmp_path, 40, "+agent.slow_frames=[10,11]", "+agent.slow_seconds=0.6")
    tally = kept.facts["tally"]["user"]
    assert (tally["frames"], tally["dropped_samples"]) == (40, 0) and tally["most_waiting_frames"] >= 4.0


def test_what_goes_on_waiting_is_dropped_and_the_delay_does_not_grow(tmp_path: Path) -> None:
    """An agent that takes 130 ms for a while does not catch up; afterwards frames wait for nobody, as before."""
    kept = kept_at_real_time(tmp_path, 90, "+agent.slow_frames=[10,40]", "+agent.slow_seconds=0.13")
    tally = kept.facts["tally"]["user"]
    dropped = tally["dropped_samples"] / FRAME_SAMPLES
    assert 8 <= dropped <= 19 and tally["frames"] == 90 - dropped  # 30 slow steps took 3.9 s, in which 49 frames came
    assert tally["most_waiting_frames"] < 8.0
    steady = np.diff(kept.clock[0][-20:])  # by the second clock, frames came every 80 ms again
    assert np.median(steady) == pytest.approx(0.08, abs=0.01)


def test_who_finds_no_place_is_told_at_once_and_finds_one_later(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo", doors=Doors(places=2)) as it, ExitStack() as guests:
        for _ in range(2):
            assert guests.enter_context(connect(it.url)).recv(timeout=5) == b"\0"
        with connect(it.url) as late:
            code, reason, last = close_of(late)
        assert (code, reason) == (1013, "no place of 2 is free; try again later") and last == b"\x05" + reason.encode()
        guests.close()
        assert eventually(lambda: not it.server.taken)
        with connect(it.url) as socket:
            assert socket.recv(timeout=5) == b"\0"


@pytest.mark.parametrize("query, first, reason", [
    ("?audio_topk=many", b"", "audio_topk is a whole number from 1, not 'many'"),
    ("?voice_prompt=..%2Fsecret.pt", b"", "voice_prompt is the name of one of the checkpoint's voices"),
    ("?mode=lockstep", b"", "mode=lockstep goes with ext=1 and audio=pcm"),
    ("?ext=1", message(Kind.AUDIO, b"OggS"), "the first message of ext=1 is kind 4"),
    ("?ext=1", opening(prompt=3), "the first message of ext=1 is kind 4"),
    (LOCKSTEP, opening(clock="lunar"), "there is no clock 'lunar'; there are ideal, measured, cloud_typical"),
    ("?ext=1", opening(clock="ideal"), "a clock charges what is computed"),
    ("", message(Kind.AUDIO, b"no ogg"), "not Ogg"), ("?audio=pcm", message(Kind.AUDIO, b"\0"), "a frame of audio=pcm is 1920"),
    ("", b"", "a message has at least one byte")])
def test_what_is_asked_wrongly_is_refused_with_what_would_be_right(tmp_path: Path, query: str, first: bytes, reason: str) -> None:
    with serving(tmp_path, "agent=echo") as it:
        with connect(it.url + query) as socket:
            if first or query == "":
                socket.send(first)
            code, told, last = close_of(socket)
        assert code == 1008 and told.startswith(reason[:100]) and last[0] == Kind.ERROR and last[1:].decode().startswith(reason)
        assert eventually(lambda: not it.server.taken)


def send_frames(socket: ClientConnection, number: int) -> None:
    """Until the other end has enough."""
    with suppress(ConnectionClosed):
        for _ in range(number):
            socket.send(message(Kind.AUDIO, frame_bytes(TONE)))
            time.sleep(0.05)


def test_an_agent_that_fails_or_hangs_up_is_told_from_one_that_was_left(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo", "agent._target_=greets.Greets", "+agent.fails_at=3") as it:
        with connect(it.url + "?audio=pcm") as socket:
            send_frames(socket, 4)
            code, reason, last = close_of(socket)
        assert (code, reason) == (1011, "RuntimeError: lost my voice") and last[0] == Kind.ERROR
        [kept] = recordings(it)
        assert kept.failure == "RuntimeError: lost my voice"
    with serving(tmp_path / "2", "agent=echo", "agent._target_=greets.Greets", "+agent.hangs_up_at=3") as it:
        with connect(it.url + "?audio=pcm") as socket:
            send_frames(socket, 4)
            assert close_of(socket)[:2] == (1000, "the agent hung up")


def test_pages_from_elsewhere_and_strangers_stay_outside(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo", doors=Doors("secret", ("https://lab.example",), 4)) as it:
        for url, origin, status in ((it.url, None, 401), (it.url + "?token=wrong", None, 401),
                                    (it.url + "?token=secret", "https://evil.example", 403)):
            with pytest.raises(InvalidStatus) as refused:
                connect(url, origin=origin)  # type: ignore[arg-type]
            assert refused.value.response.status_code == status
        for url, headers, origin in (
                (it.url, {"Authorization": "Bearer secret"}, None), (it.url + "?worker_auth_id=secret", {}, "http://localhost:5173"),
                (it.url + "?token=secret", {}, "https://lab.example"), (it.url + "?token=secret", {}, f"http://{it.host_port}")):
            with connect(url, additional_headers=headers, origin=origin) as socket:  # type: ignore[arg-type]
                assert socket.recv(timeout=5) == b"\0"
            assert eventually(lambda: not it.server.taken)


@pytest.mark.parametrize("doors, origin, host, known", [
    (Doors(), "http://localhost:5173", "127.0.0.1:8998", True), (Doors(), "https://evil.example", "localhost:8998", False),
    (Doors(), "http://evil.example:8998", "evil.example:8998", False),  # a name that was made to mean this machine
    (Doors("secret"), "https://gpu.example", "gpu.example", True), (Doors("secret"), "http://localhost:1", "gpu.example", False),
    (Doors(origins=("https://lab.example",)), "https://lab.example", "localhost:8998", True)])
def test_who_serves_a_page_that_may_connect(doors: Doors, origin: str, host: str, known: bool) -> None:
    assert doors.knows(origin, host) == known


def test_the_state_of_a_server_is_known(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo", doors=Doors("secret", places=3)) as it:
        asked = Request(f"http://{it.host_port}/api/state", headers={"Authorization": "Bearer secret"})
        with connect(it.url + "?token=secret") as socket:
            socket.recv(timeout=5)
            state = json.load(urlopen(asked))
    assert (state["agent"], state["places"], state["taken"], state["sample_rate"]) == ("agent", 3, 1, 24_000)


def test_a_server_that_stops_says_so_and_keeps_what_was_said(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with serving(tmp_path, "agent=echo") as it:
            socket = stack.enter_context(connect(it.url + "?audio=pcm"))
            assert socket.recv(timeout=5) == b"\0"
            for _ in range(5):
                socket.send(message(Kind.AUDIO, frame_bytes(TONE)))
                socket.recv(timeout=5)
        assert close_of(socket)[:2] == (1001, "the server stops")
    assert recordings(it)[0].seconds >= 0.32


def test_a_self_signed_certificate_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl
    pytest.importorskip("cryptography")
    from duplex.server.certificate import self_signed
    monkeypatch.setenv("DUPLEX_CACHE", str(tmp_path / "cache"))
    made, again = self_signed("127.0.0.1"), self_signed("127.0.0.1")
    [file] = (tmp_path / "cache/certificates").iterdir()
    assert file.stat().st_mode & 0o77 == 0
    client = ssl.create_default_context(cafile=str(file))
    for context in (made, again):
        with serving(tmp_path / "run", "agent=echo", tls=context) as it:
            with connect(it.url.replace("ws:", "wss:"), ssl=client) as socket:
                assert socket.recv(timeout=5) == b"\0"


def test_silence_is_a_frame_too(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo") as it, connect(it.url + LOCKSTEP) as socket:
        socket.send(opening())
        for _ in range(3):
            socket.recv(timeout=5)
        socket.send(message(Kind.AUDIO, frame_bytes(SILENCE.samples)))
        assert bytes(socket.recv(timeout=5)) == message(Kind.AUDIO, frame_bytes(SILENCE.samples))  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", ["../../tmp/evil", "/tmp/evil.yaml", "evil.yaml"])
def test_a_client_names_a_domain_and_no_path(wanted: str) -> None:
    """What a path leads to would be run."""
    with pytest.raises(ValueError, match="a domain is called by its name"):
        domain_name(wanted)
    assert domain_name("orders") == "orders"
