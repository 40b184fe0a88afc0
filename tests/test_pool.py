"""A server that holds one conversation is never lent twice, and comes back from whoever dies with it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("filelock")

from duplex.remote.pool import Server, leased  # noqa: E402

ONE, OTHER = Server("ws://gpu:8998/api/chat", "ws://gpu:8998"), Server("ws://gpu:8999/api/chat", "ws://gpu:8999")
HOLDS = """
import sys, time
from duplex.remote.pool import Server, leased
lease = leased([Server("ws://gpu:8998/api/chat", "ws://gpu:8998"), Server("ws://gpu:8999/api/chat", "ws://gpu:8999")], 0.0)
print(lease.server.name, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def leases_of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUPLEX_CACHE", str(tmp_path))


def another_process() -> "subprocess.Popen[str]":
    """One that leases the first free server of both and keeps it."""
    return subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True)


def told(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_two_processes_never_share_a_server() -> None:
    processes = [another_process(), another_process()]
    try:
        assert {told(process) for process in processes} == {"ws://gpu:8998", "ws://gpu:8999"}
        holder = f"by process ({'|'.join(str(process.pid) for process in processes)})"
        with pytest.raises(TimeoutError, match=f"taken for 0 s: ws://gpu:8998 {holder}, ws://gpu:8999 {holder}; more"):
            leased([ONE, OTHER], 0.0)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert leased([ONE, OTHER], 5.0).server == ONE  # the operating system took them back


def test_who_waits_gets_the_first_that_is_given_back() -> None:
    first, second = leased([ONE, OTHER], 0.0), leased([ONE, OTHER], 0.0)
    assert (first.server, second.server) == (ONE, OTHER)
    threading.Timer(0.3, second.give_back).start()  # by another thread than the one that took it
    third = leased([ONE, OTHER], 10.0)
    assert third.server == OTHER
    for lease in (first, third, third):
        lease.give_back()


def test_a_server_with_places_is_lent_as_often() -> None:
    places = [Server("ws://gpu", "ws://gpu", place) for place in range(2)]
    leases = [leased(places, 0.0) for _ in places]
    with pytest.raises(TimeoutError, match=f"by process {os.getpid()}"):
        leased(places, 0.2)
    for lease in leases:
        lease.give_back()


def test_names_of_servers_make_files_that_differ() -> None:
    names = ["ws://a:1", "ws://a-1", "ws://a:1 at host", "ws://a:1 at ../host"]
    files = {Server(name, name).file for name in names}
    assert len(files) == len(names) and len({file.parent for file in files}) == 1
