"""A call to a server, from dialling to the reason why it ended: frames out, sound and what is said about it in.

How a server wants to be talked to is its dialect's business; when frames are wanted is the agent's.
"""

import json
from collections.abc import Mapping
from queue import Empty
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from websockets.frames import CloseCode

from duplex.frame import Frame
from duplex.remote.address import Access, asking, shown
from duplex.remote.connection import Connection
from duplex.remote.dialect import Asks, Dialect, unapplied
from duplex.remote.traffic import Traffic
from duplex.wire.messages import Kind, about, json_object, message, opened


class Lost(ConnectionError):
    """The connection broke, and nobody wanted it to."""


class Full(ConnectionError):
    """The server has no place for another conversation."""


class HungUp(Exception):
    """The conversation is over, as its agent wanted."""


class Arrival(NamedTuple):
    """What one message brought, at `at` in seconds of `perf_counter`: sound, text, or what is said about the sound after it."""

    at: float
    samples: np.ndarray | None = None  # (num_samples,) float32
    text: str = ""
    told: Mapping[str, Any] | None = None


class Call:
    """One conversation with a server that has shaken hands.

    Args:
        through: port of loopback that leads to the server.
        patience: seconds until its handshake, before which a model may hear a long prompt.
        traffic: where everything is counted.

    Attributes:
        greeting: what the server said of itself.

    Raises:
        ValueError: it does not do what is asked of it.
        ConnectionError: nobody is there, or has no place, or says nothing.
    """

    def __init__(self, url: str, dialect: Dialect, asks: Asks, access: Access, through: int | None, patience: float,
                 traffic: Traffic):
        self.where = shown(url)
        self.dialect = dialect
        self.coder = dialect.coder()
        self.greeting: dict[str, Any] = {}
        self.complaint = ""
        self.traffic = traffic
        self.line = Connection(asking(url, dialect.query(asks)), access, through, patience, traffic)
        try:
            if (opening := dialect.opening(asks)) is not None:
                self.line.send(opening)
            self.await_handshake(patience)
            if "applied" in self.greeting and (wrong := unapplied(asks, self.greeting["applied"])) is not None:
                raise ValueError(f"{self.where} did not apply {wrong}")
        except BaseException:
            self.close()
            raise
        self.line.pinging = True

    def say(self, frame: Frame) -> None:
        """Sends a frame without waiting; one that the network does not take is dropped."""
        if self.line.is_full:
            self.traffic.unsent_frames += 1
            return
        if not self.dialect.writes and (told := about(frame)) is not None:
            self.line.send(message(Kind.METADATA, json.dumps(told, separators=(",", ":"))))
        self.line.send(message(Kind.AUDIO, self.coder.encode(frame.samples)))

    def hear(self, patience: float = 0.0) -> Arrival | None:
        """What came next; None where nothing came in time.

        Raises:
            HungUp, Lost: there will be nothing any more.
            ValueError, ConnectionError: the server broke off, with its reason.
        """
        try:
            received = self.line.receive(patience)
        except Empty:
            return None
        if received is None:
            raise self.ending()
        at, data = received
        kind, payload = opened(data) or (Kind.PING, b"")
        if kind == Kind.AUDIO:
            return Arrival(at, self.coder.decode(payload))
        if kind == Kind.TEXT and self.dialect.writes:
            return Arrival(at, text=payload.decode(errors="replace"))
        if kind == Kind.METADATA:
            return Arrival(at, told=json_object(payload))
        if kind == Kind.ERROR:
            self.complaint = payload.decode(errors="replace")
        return Arrival(at)

    def ending(self) -> Exception:
        """Why the connection is closed."""
        code, reason = self.line.closing
        reason = self.complaint or reason
        if code == CloseCode.NORMAL_CLOSURE and self.dialect.hangs_up:
            return HungUp(reason)
        if code == CloseCode.POLICY_VIOLATION:
            return ValueError(f"{self.where} refuses: {reason}")
        if code == CloseCode.TRY_AGAIN_LATER:
            return Full(f"{self.where} has no place: {reason}")
        if code == CloseCode.INTERNAL_ERROR and self.complaint:
            return ConnectionError(f"the agent of {self.where} failed: {reason}")
        return Lost(f"the connection to {self.where} was lost: {reason or 'no reason was given'} (code {code})")

    def await_handshake(self, patience: float) -> None:
        until = perf_counter() + patience
        while True:
            try:
                received = self.line.receive(max(0.001, until - perf_counter()))
            except Empty:
                raise ConnectionError(f"{self.where} did not begin a conversation within {patience:.0f} s; somebody else may be "
                                      "talking to it, or patience=… gives it longer") from None
            if received is None:
                raise self.broken_off()
            kind, payload = opened(received[1]) or (Kind.PING, b"")
            if kind == Kind.HANDSHAKE:
                return
            if kind == Kind.METADATA:
                self.greeting = json_object(payload)
            elif kind == Kind.ERROR:
                self.complaint = payload.decode(errors="replace")

    def broken_off(self) -> Exception:
        """What ended a call before it began."""
        ending = self.ending()
        return ConnectionError(f"{ending}, before its handshake") if isinstance(ending, Lost | HungUp) else ending

    def hang_up(self) -> None:
        """Ends the conversation without waiting for the server."""
        self.line.hang_up()

    def close(self) -> None:
        """Ends the conversation, and waits for a moment until the server knows."""
        self.line.close()
