"""The doctor looks, says what it found and what would mend it, and never breaks off."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from piped import program

pytest.importorskip("aiohttp")

from serving import serving  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

from duplex.live.checks import Finding, Verdict, expected, server, weights  # noqa: E402
from duplex.remote.state import asked  # noqa: E402
from duplex.server.server import Doors  # noqa: E402
from duplex.wire.messages import Kind, frame_bytes, message  # noqa: E402


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that is not ours."""
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    other = HTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    try:
        yield f"ws://127.0.0.1:{other.server_port}"
    finally:
        other.shutdown()
        other.server_close()


def test_a_server_is_reached_timed_and_compared_with_our_clock(tmp_path: Path) -> None:
    from duplex.frame import SILENCE
    with serving(tmp_path, "agent=echo", doors=Doors(places=2)) as it:
        with connect(it.url + "?audio=pcm") as socket:
            socket.send(message(Kind.AUDIO, frame_bytes(SILENCE.samples)))
            for _ in range(3):
                socket.recv(timeout=5)
            reached, round_trip, clock = server(it.url)
        assert reached.verdict is Verdict.FINE and reached.found.endswith("with agent, 1 of 2 places taken")
        assert round_trip.verdict is Verdict.FINE and round_trip.seconds is not None and 0.0 < round_trip.seconds < 0.5
        assert clock.verdict is Verdict.FINE and "ms" in clock.found  # the same machine has the same clock
        assert abs(asked(it.url).clock_offset or 9.0) < 0.2


def test_a_full_server_and_one_that_asks_for_a_token_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, "agent=echo", doors=Doors("secret", places=1)) as it:
        [finding] = server(it.url)
        assert finding.verdict is Verdict.BAD and "export DUPLEX_TOKEN" in finding.found
        with connect(it.url + "?token=secret") as socket:
            socket.recv(timeout=5)
            monkeypatch.setenv("DUPLEX_TOKEN", "secret")
            reached, *_ = server(it.url)
        assert reached.verdict is Verdict.MIND and reached.mend.startswith("no place is free")


@pytest.mark.parametrize("status, body", [(404, b"not here"), (200, b"<html>"), (200, json.dumps([1]).encode())])
def test_a_server_that_is_not_ours_is_reached_all_the_same(status: int, body: bytes) -> None:
    with answering(status, body) as url:
        reached, round_trip = server(url)
    assert "is not duplex-serve" in reached.found and round_trip.seconds is not None


def test_nobody_at_home_is_said_with_a_mend() -> None:
    [finding] = server("ws://127.0.0.1:9")
    assert finding.verdict is Verdict.BAD and "tunnel" in finding.mend
    [finding] = server("ftp://box")
    assert "ws://host:port" in finding.found


def test_what_to_expect_is_the_sum_of_its_parts() -> None:
    found = expected([Finding("sound card", Verdict.FINE, "", seconds=0.12), Finding("GPU", Verdict.FINE, ""),
                      Finding("round trip", Verdict.FINE, "", seconds=0.03)])
    assert found.found.startswith("0.31 s on top")
    assert found.found.endswith("a frame 0.08, sound card 0.12, round trip 0.03, the jitter buffer 0.08")
    assert found.verdict is Verdict.FINE and expected([Finding("x", Verdict.FINE, "", seconds=0.5)]).verdict is Verdict.MIND


def test_weights_that_are_not_here_are_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("moshi")
    import huggingface_hub
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    finding = weights("kyutai/nothing")
    assert finding.verdict is Verdict.MIND and "unset HF_HUB_OFFLINE" in finding.mend


@pytest.mark.slow
def test_the_program_says_a_line_each(tmp_path: Path) -> None:
    with serving(tmp_path, "agent=echo") as it:
        done = program("duplex.doctor", f"server={it.url}", "seconds=0", "repos=[]")
        assert done.returncode == 0, done.stderr
        assert [line.split(":")[0].split(None, 1)[1] for line in done.stdout.splitlines()] == [
            "GPU", "server", "round trip", "clock", "latency to expect"]
    gone = program("duplex.doctor", "server=ws://127.0.0.1:9", "seconds=0", "repos=[]")
    assert gone.returncode == 1 and "bad  server" in gone.stdout
