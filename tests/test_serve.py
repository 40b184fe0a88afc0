"""The program that serves: killed, its recordings hold all but the last moment; stopped, it says so and keeps everything."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("aiohttp")

from piped import ROOT, complaint, program  # noqa: E402
from test_server import close_of  # noqa: E402
from websockets.sync.client import ClientConnection, connect  # noqa: E402

from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS  # noqa: E402
from duplex.journal import recordings  # noqa: E402
from duplex.recording import USER, load  # noqa: E402
from duplex.wire.messages import Kind, frame_bytes, message  # noqa: E402

pytestmark = pytest.mark.slow
CALLS = 5
MOST_LOST = 1.0  # seconds


class Program:
    """A running `duplex-serve`."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, run: Path):
        self.process, self.url, self.run = process, url, run

    def stop(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=20)

    def kept(self) -> list[Path]:
        return recordings(self.run / "conversations")


@contextmanager
def served(run: Path, *overrides: str) -> Iterator[Program]:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "duplex.serve", "agent=echo", "port=0", f"hydra.run.dir={run}", *overrides], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT / "tests")})
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"wss?://\S+", said)
        assert found, said + (process.stderr.read() if process.stderr else "")
        yield Program(process, found[0], run)
    finally:
        process.kill()
        process.communicate()


def talk(callers: list[ClientConnection], num_frames: int) -> None:
    """All of them at real time; frame n is n thousandths loud."""
    due = time.perf_counter()
    for number in range(num_frames):
        due += FRAME_SECONDS
        time.sleep(max(0.0, due - time.perf_counter()))
        for caller in callers:
            caller.send(message(Kind.AUDIO, frame_bytes(np.full(FRAME_SAMPLES, number / 1000, np.float32))))


def test_a_killed_server_loses_less_than_a_second_of_each_call(tmp_path: Path) -> None:
    with served(tmp_path) as it, ExitStack() as stack:
        callers = [stack.enter_context(connect(f"{it.url}?audio=pcm")) for _ in range(CALLS)]
        talk(callers, 50)
        time.sleep(0.1)
        it.process.kill()
        it.process.wait(timeout=10)
        kept = [load(folder) for folder in it.kept()]
    assert len(kept) == CALLS
    for recording in kept:
        lost = 50 - len(recording.step_seconds)
        assert lost * FRAME_SECONDS <= MOST_LOST and recording.ended_by == "failure"
        said = recording.audio[USER].reshape(-1, FRAME_SAMPLES)[:, 0]
        np.testing.assert_allclose(said, np.arange(len(said)) / 1000, atol=1e-4)  # and nothing in between is missing


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_server_tells_everybody_and_keeps_everything(tmp_path: Path, how: signal.Signals) -> None:
    with served(tmp_path) as it, ExitStack() as stack:
        callers = [stack.enter_context(connect(f"{it.url}?audio=pcm")) for _ in range(2)]
        talk(callers, 10)
        time.sleep(0.1)
        assert it.stop(how) == 0
        assert [close_of(caller)[:2] for caller in callers] == [(1001, "the server stops")] * 2
        kept = [load(folder) for folder in it.kept()]
    assert [(len(one.step_seconds), one.ended_by) for one in kept] == [(10, "user")] * 2
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["agent"] == "echo" and manifest["config"]["token"] is None


def test_a_run_folder_that_cannot_be_written_is_told_and_the_server_goes_on(tmp_path: Path) -> None:
    with served(tmp_path) as it:
        (tmp_path / "conversations").write_text("in the way")
        for _ in range(2):
            with connect(f"{it.url}?audio=pcm") as caller:
                code, reason, last = close_of(caller)
            assert code == 1011 and reason.startswith("cannot save the recording") and last[0] == Kind.ERROR
        assert it.process.poll() is None


def test_wider_than_loopback_it_asks_for_a_token_it_made(tmp_path: Path) -> None:
    with served(tmp_path, "host=0.0.0.0", "record=false") as it:
        from websockets.exceptions import InvalidStatus
        with pytest.raises(InvalidStatus) as refused:
            connect(it.url.replace("0.0.0.0", "127.0.0.1"))
        assert refused.value.response.status_code == 401
    assert not list(tmp_path.glob("conversations/**/*.wav"))


@pytest.mark.parametrize("wrong, message", [
    (["places=0"], "places is 1 or more"), (["page=nowhere"], "page=nowhere is no folder with an index.html"),
    (["tls=[a.pem]"], "tls is true, false or"), (["port=99999"], "port"), (["agent=nobody"], "no agent 'nobody'")])
def test_what_cannot_be_served_is_one_line(tmp_path: Path, wrong: list[str], message: str) -> None:
    arguments = wrong if wrong[0].startswith("agent") else ["agent=echo", *wrong]
    assert message in complaint(program("duplex.serve", *arguments, "record=false", f"hydra.run.dir={tmp_path}"))


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with served(tmp_path / "first") as it:
        port = it.url.split(":")[2].split("/")[0]
        said = complaint(program("duplex.serve", "agent=echo", f"port={port}", f"hydra.run.dir={tmp_path}/second"))
    assert "in use" in said
