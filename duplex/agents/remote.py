"""An agent on another machine, as a participant: `duplex-serve`, Kyutai's `moshi.server`, or NVIDIA's PersonaPlex server.

Live, a step never waits for the network: it sends the user's frame and says what has come, or silence. Somebody else keeps
the time (`duplex.pace`). In lockstep, which only our own server knows, a step waits for its answer, and a conversation is
bit for bit the one that it would have been at home.

The first frame. Our server speaks first, so that of the silence before the call nothing is sent. Kyutai's drops the first
frame it hears, and so it is sent that silence, and nothing that the user said is lost.
"""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import cache, partial
from time import perf_counter
from typing import Any, Literal

from duplex.conversation import Prompt
from duplex.frame import SILENCE, Event, Frame
from duplex.remote.address import Access, shown, websocket_url
from duplex.remote.call import Arrival, Call, HungUp, Lost
from duplex.remote.dialect import DIALECTS, Asks, DialectName
from duplex.remote.fragments import Fragments
from duplex.remote.jitter import JitterBuffer
from duplex.remote.switchboard import Reach, Switchboard
from duplex.remote.traffic import Traffic
from duplex.wire.messages import LOCKSTEP_PATIENCE, frame_of

log = logging.getLogger(__name__)


class Remote:
    """Whoever answers at `url`.

    Args:
        url: ws://host:port of a server, or of several, of which the first free one is taken for each conversation.
        dialect: what kind of server it is.
        mode: "lockstep" waits for each frame and needs no real time.
        clock: in lockstep, the server's latency profile that its work is charged by; None takes no time.
        voice, role, temperature, top_k, text_temperature, text_top_k: of the agent; None leaves it to the server. `role` is
            for calls that bring no prompt.
        verify: a wss:// server's certificate is checked; or a PEM file with the certificate.
        ssh: the machine on which `url` can be reached; a tunnel is opened for each conversation.
        places: conversations at a time of each url, counted among the processes of this machine; None is 1, or as many as
            the server lets in where it says so itself.
        buffer: frames kept waiting, live, so that one that is late is not missed.
        patience: seconds for a free server, and for its handshake.

    Attributes:
        facts: who was called, for results.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        dialect: DialectName = "duplex",
        mode: Literal["live", "lockstep"] = "live",
        clock: str | None = None,
        voice: str | None = None,
        role: str | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        text_temperature: float | None = None,
        text_top_k: int | None = None,
        verify: bool | str = True,
        ssh: str | None = None,
        places: int | None = None,
        buffer: int = 1,
        patience: float = 60.0,
    ):
        check(dialect, mode, clock, buffer)
        urls = [websocket_url(one) for one in ([url] if isinstance(url, str) else url)]
        if not urls:
            raise ValueError("url names at least one server")
        self.dialect = DIALECTS[dialect]
        self.lockstep = mode == "lockstep"
        self.needs_time = not self.lockstep
        self.clock, self.role, self.buffer = clock if self.lockstep else None, role, buffer
        self.settings = {name: value for name, value in {
            "voice": voice, "temperature": temperature, "top_k": top_k, "text_temperature": text_temperature,
            "text_top_k": text_top_k}.items() if value is not None}
        places = places if places is not None or self.dialect.counts_callers else 1
        self.reach = Reach(urls, self.dialect, Access(verify), places, ssh, patience)
        self.switchboard = Switchboard(self.reach)
        called = [shown(one) for one in urls]
        self.facts: Mapping[str, Any] = {"url": called[0] if len(called) == 1 else called, "dialect": dialect, "mode": mode}
        self.call: Call | None = None
        self.redial: Future[Call] | None = None

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.leave()
        self.frame = 0
        self.reconnects = 0
        self.over = False
        self.told: Mapping[str, Any] | None = None  # about the sound that comes next
        self.news: tuple[Event, ...] = ()  # for the next frame
        self.fragments = Fragments()
        self.arrived = JitterBuffer(self.buffer)
        self.traffic = Traffic()
        if not prompt.text and self.role is not None:
            prompt = replace(prompt, text=self.role)
        self.asks = Asks(prompt, seed, self.settings, self.clock, self.lockstep)
        if (complaint := self.dialect.complaint(self.asks)) is not None:
            warn(complaint)
        self.switchboard = Switchboard(self.reach)  # the last one may still be waiting for somebody
        self.call = self.switchboard.call(self.asks, self.traffic)
        self.greeting = self.call.greeting

    def step(self, heard: Frame) -> Frame | None:
        said = self.answer(heard) if self.lockstep else self.next(heard)
        self.frame += 1
        return said

    def leave(self) -> None:
        """Hangs up; `converse` sees to it when a conversation is over."""
        if self.call is not None:
            self.call.close()
        if self.redial is not None:
            self.redial.add_done_callback(partial(forget, self.switchboard))
        else:
            self.switchboard.close()
        self.call = self.redial = None

    def tally(self) -> dict[str, Any]:
        server = self.switchboard.server
        told = {**self.facts, "url": server and shown(server.url), "server": self.greeting, **self.traffic.tally()}
        if self.lockstep:
            return told
        return {**told, "reconnects": self.reconnects, "send_lateness_seconds": self.traffic.send_lateness(),
                **self.arrived.tally()}

    # In lockstep.

    def answer(self, heard: Frame) -> Frame | None:
        assert self.call is not None, "reset comes before step"
        if self.frame:
            self.call.say(heard)
        told = None
        try:
            while (arrival := self.call.hear(LOCKSTEP_PATIENCE)) is not None:
                told = arrival.told or told
                if arrival.samples is not None:
                    return frame_of(arrival.samples, told)
        except HungUp:
            return None
        raise ConnectionError(f"{self.call.where} did not answer for {LOCKSTEP_PATIENCE:.0f} s")

    # Live.

    def next(self, heard: Frame) -> Frame | None:
        began = perf_counter()
        if self.redial is not None and self.redial.done():
            self.reconnect(self.redial)
        if self.call is not None and not self.over:
            self.exchange(self.call, heard)
        said = self.arrived.rest() if self.over else self.arrived.take()
        if said is None and self.over:
            return None
        said, news, self.news = said or SILENCE, self.news, ()
        seconds = perf_counter() - began if said.seconds is None else said.seconds
        return replace(said, events=said.events + news, seconds=seconds)

    def exchange(self, call: Call, heard: Frame) -> None:
        """Sends a frame and takes whatever has come."""
        try:
            if self.frame or not self.dialect.speaks_first:
                call.say(heard)
            while (arrival := call.hear()) is not None:
                self.take(arrival)
        except HungUp:
            self.over = True
        except Lost as error:
            self.lose(call, error)

    def take(self, arrival: Arrival) -> None:
        self.told = arrival.told if arrival.told is not None else self.told
        if arrival.text:
            self.arrived.tell(*self.fragments.read(arrival.text, self.arrived.end))
        if arrival.samples is None or not len(arrival.samples):
            return
        if self.told is not None:
            frame, self.told = frame_of(arrival.samples, self.told), None
            self.arrived.tell(self.arrived.end, frame.words, frame.events, frame.seconds)
        self.arrived.put(arrival.samples, arrival.at)
        self.arrived.tell(*self.fragments.listen(self.arrived.end))

    def lose(self, call: Call, error: Lost) -> None:
        """Calls again in the background, once."""
        if self.reconnects:
            raise ConnectionError(f"{error}, for the second time") from error
        log.warning("%s; calling again, which begins a new conversation there", error)
        self.call = None
        call.hang_up()
        self.redial = self.switchboard.again(self.asks, self.traffic)
        self.news += (Event("connection_lost", detail={"reason": str(error)}),)

    def reconnect(self, redial: Future[Call]) -> None:
        self.redial = None
        try:
            self.call = redial.result()
        except (OSError, ValueError) as error:
            raise ConnectionError(f"the connection was lost, and a second call failed: {error}") from error
        self.reconnects = 1
        log.warning("connected to %s again", self.call.where)
        self.fragments, self.told = Fragments(), None
        conversation = str(self.call.greeting.get("conversation", ""))
        self.news += (Event("reconnect", detail={"url": self.call.where, "conversation": conversation}),)


def check(dialect: str, mode: str, clock: str | None, buffer: int) -> None:
    """Complains about settings that do not go together."""
    if dialect not in DIALECTS:
        raise ValueError(f"dialect is one of {', '.join(DIALECTS)}, not {dialect!r}")
    if mode not in ("live", "lockstep"):
        raise ValueError(f"mode is live or lockstep, not {mode!r}")
    if mode == "lockstep" and dialect != "duplex":
        raise ValueError(f"mode=lockstep needs our own server; one of dialect={dialect} talks in real time only")
    if clock not in (None, "live", "measured") and mode != "lockstep":
        raise ValueError(f"clock={clock} goes with mode=lockstep; a live call takes what it takes, so a bench of such calls has "
                         "one clock: latency@clocks.live=live ~clocks.cloud_typical ~clocks.measured ~clocks.ideal")
    if buffer < 0:
        raise ValueError(f"buffer is a number of frames from 0, not {buffer}")


def forget(switchboard: Switchboard, redial: Future[Call]) -> None:
    """Ends a call that came too late for anybody to want it, and only then lets others at its server."""
    if redial.exception() is None:
        redial.result().close()
    switchboard.close()


@cache
def warn(complaint: str) -> None:
    """Once in a process."""
    log.warning("%s", complaint)
