"""An SSH tunnel to a server that listens on the loopback of another machine, open for the length of a conversation.

The user's own `ssh` opens it, so whatever makes `ssh HOST` work without a password makes this work too: keys, an agent,
`~/.ssh/config`. Nothing is asked on the terminal.
"""

import socket
import subprocess
from tempfile import TemporaryFile
from time import perf_counter, sleep
from typing import Final

LOOPBACK: Final = "127.0.0.1"
LOOK_EVERY: Final = 0.05  # seconds
END_PATIENCE: Final = 3.0
OPTIONS: Final = {
    "ExitOnForwardFailure": "yes",
    "BatchMode": "yes",  # asks for nothing
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "ConnectTimeout": "15",
    "ControlMaster": "no",  # a connection of its own, which ends with the process
    "ControlPath": "none",
}


class Tunnel:
    """Forwards a free port of loopback to `target`, host and port as `host` sees them.

    Args:
        host: as `ssh` takes it: a name of its config, or user@machine.
        patience: seconds until the tunnel is open.

    Attributes:
        port: of loopback.

    Raises:
        ConnectionError: with the last line of ssh.
    """

    def __init__(self, host: str, target: tuple[str, int], patience: float = 20.0):
        self.host = host
        self.port = free_port()
        self.said = TemporaryFile("a+b")  # appending, because ssh and we share one position
        options = [argument for name, value in OPTIONS.items() for argument in ("-o", f"{name}={value}")]
        forward = f"{LOOPBACK}:{self.port}:{bracketed(target[0])}:{target[1]}"
        try:
            self.process = subprocess.Popen(["ssh", "-N", "-T", *options, "-L", forward, "--", host],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.said,
                                            start_new_session=True)  # Ctrl-C hangs up first, and then the tunnel is closed
        except OSError as error:
            raise ConnectionError(f"there is no ssh on this machine to reach {host} with: {error.strerror}") from error
        try:
            self.wait(patience)
        except BaseException:
            self.close()
            raise

    def wait(self, patience: float) -> None:
        """Until the tunnel takes connections."""
        until = perf_counter() + patience
        while not accepts(self.port):
            if self.process.poll() is not None:
                raise ConnectionError(f"ssh {self.host} opened no tunnel: {self.complaint or f'exit {self.process.returncode}'}")
            if perf_counter() > until:
                raise ConnectionError(f"ssh {self.host} opened no tunnel within {patience:.0f} s; {self.complaint}".rstrip("; "))
            sleep(LOOK_EVERY)

    @property
    def is_open(self) -> bool:
        return self.process.poll() is None

    @property
    def complaint(self) -> str:
        """The last line that ssh said."""
        if self.said.closed:
            return ""
        self.said.seek(0)
        lines = self.said.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """Again is as good as once."""
        self.process.terminate()
        try:
            self.process.wait(END_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.said.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        if probe.connect_ex((LOOPBACK, port)):
            return False
        return bool(probe.getsockname() != probe.getpeername())  # a free port may be given to the probe, which meets itself


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
