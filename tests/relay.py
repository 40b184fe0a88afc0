"""A network between two ends of loopback that can be told to misbehave."""

import socket
from contextlib import suppress
from threading import Event, Lock, Thread
from types import TracebackType


class Relay:
    """Passes on what comes to `port` of loopback to `target`, host and port, and back."""

    def __init__(self, target: tuple[str, int], port: int = 0):
        self.target = target
        self.flows = Event()
        self.flows.set()
        self.lock = Lock()
        self.open: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self.listener.getsockname()[1]
        Thread(target=self.accept, daemon=True).start()

    def __enter__(self) -> "Relay":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.listener.close()
        self.cut()

    def hold(self) -> None:
        """Nothing gets through until `release`, when all of it does at once."""
        self.flows.clear()

    def release(self) -> None:
        self.flows.set()

    def cut(self) -> None:
        """Breaks every connection, without a goodbye."""
        with self.lock:
            for end in self.open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            self.open.clear()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                try:
                    far = socket.create_connection(self.target, 5.0)
                except OSError:
                    near.close()
                    continue
                with self.lock:
                    self.open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    Thread(target=self.carry, args=(source, sink), daemon=True).start()

    def carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self.flows.wait()
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
