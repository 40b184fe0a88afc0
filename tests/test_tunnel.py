"""A tunnel leads where it should, says why when it does not, and is closed with the conversation."""

import socket
import sys
import threading
from pathlib import Path

import pytest

from duplex.remote.tunnel import Tunnel, accepts

STAND_IN = """#!{python}
import sys, time
sys.path[:0] = [{tests!r}]
from relay import Relay
arguments = sys.argv[1:]
host = arguments[-1]
assert arguments[-2] == "--" and "BatchMode=yes" in arguments and "ExitOnForwardFailure=yes" in arguments
print("Warning: Permanently added", host, file=sys.stderr)
if host == "closed":
    sys.exit("closed: Permission denied (publickey).")
if host != "slow":
    _, port, *target, target_port = arguments[arguments.index("-L") + 1].split(":")
    relay = Relay((target[0], int(target_port)), int(port))
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in that forwards on this machine, as `ssh` would from another."""
    program = tmp_path / "ssh"
    program.write_text(STAND_IN.format(python=sys.executable, tests=str(Path(__file__).parent)), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


def greeting_server() -> socket.socket:
    """Says "hello" to everybody who connects."""
    server = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        while True:
            try:
                guest, _ = server.accept()
            except OSError:
                return
            guest.sendall(b"hello")
            guest.close()

    threading.Thread(target=greet, daemon=True).start()
    return server


def test_a_tunnel_leads_to_the_server_until_it_is_closed() -> None:
    with greeting_server() as server:
        tunnel = Tunnel("gpu", ("127.0.0.1", server.getsockname()[1]))
        with socket.create_connection(("127.0.0.1", tunnel.port), 5.0) as through:
            assert through.recv(5) == b"hello"
        assert tunnel.is_open
        tunnel.close()
        tunnel.close()
        assert not tunnel.is_open and not accepts(tunnel.port)


def test_what_ssh_says_is_told() -> None:
    with pytest.raises(ConnectionError, match=r"^ssh closed opened no tunnel: closed: Permission denied \(publickey\)\.$"):
        Tunnel("closed", ("127.0.0.1", 1))


def test_a_tunnel_that_does_not_open_is_not_waited_for_forever() -> None:
    with pytest.raises(ConnectionError, match=r"^ssh slow opened no tunnel within 1 s"):
        Tunnel("slow", ("127.0.0.1", 1), patience=1.0)


def test_a_machine_without_ssh_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(ConnectionError, match="there is no ssh on this machine to reach gpu with"):
        Tunnel("gpu", ("127.0.0.1", 1))


def test_a_port_is_not_taken_for_open_because_it_meets_itself() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert not accepts(probe.getsockname()[1])
