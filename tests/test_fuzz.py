"""Whatever a client sends, the server goes on: each refusal has its reason, and every place is free again."""

import asyncio
import json
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import urlencode
from urllib.request import urlopen

import numpy as np
import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("opuslib_next")

from nonsense import FRAME, GARBAGE, OPENINGS, QUERIES, Mouth  # noqa: E402
from serving import Served, serving  # noqa: E402
from websockets.asyncio.client import ClientConnection, connect  # noqa: E402
from websockets.exceptions import ConnectionClosed, InvalidHandshake  # noqa: E402

from duplex.frame import FRAME_SAMPLES  # noqa: E402
from duplex.recording import load  # noqa: E402
from duplex.server import session, visitor  # noqa: E402
from duplex.server.server import Doors  # noqa: E402
from duplex.wire.messages import Kind, frame_bytes, frame_samples, message  # noqa: E402

PLACES: Final = 6
AT_ONCE: Final = 9  # clients, so that some find no place
PATIENCE: Final = 0.3  # seconds for which the server waits, so that those who stall are met in a test
LOCKSTEP: Final = {"ext": "1", "audio": "pcm", "mode": "lockstep"}
REFUSALS: Final = (session.Code.BAD_REQUEST, session.Code.TOO_BIG, session.Code.FAILED, session.Code.FULL)
@dataclass
class Seen:
    """What became of all visits.

    Attributes:
        ends: by close code, and by what else happened.
        reasons: of the refusals.
        unexplained: what should not have happened.
    """

    sent: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)


async def fuzz(it: Served, messages: int, seen: Seen, seed: int) -> Seen:
    """Visits the server, several at once, until so many messages have been sent."""
    chances = [Random(f"{seed}/{client}") for client in range(AT_ONCE)]

    async def client(chance: Random) -> None:
        while seen.sent < messages:
            try:
                await asyncio.wait_for(visit(it, chance, seen) if chance.random() < 0.97 else knock(it, chance, seen), 40)
            except TimeoutError:
                seen.unexplained.append("a visit hung")

    await asyncio.gather(*(client(chance) for chance in chances))
    return seen


async def knock(it: Served, chance: Random, seen: Seen) -> None:
    """Something that is no websocket, or half of one."""
    host, _, port = it.host_port.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(chance.choice(GARBAGE))
    seen.sent += 1
    with suppress(TimeoutError, ConnectionError):
        seen.ends["answered garbage" if await asyncio.wait_for(reader.read(100), 0.05) else "hung up on garbage"] += 1
    writer.transport.abort()


async def visit(it: Served, chance: Random, seen: Seen) -> None:
    query = dict(chance.choice([{}, {}, {"audio": "pcm"}, {"ext": "1"}, {"ext": "1", "audio": "pcm"}, LOCKSTEP]))
    if chance.random() < 0.2:
        query |= {key: chance.choice(values) for key, values in QUERIES.items() if chance.random() < 0.2}
    try:
        socket = await connect(f"{it.url}?{urlencode(query)}", compression=None, ping_interval=None, max_size=None)
    except InvalidHandshake:  # a query that HTTP itself does not bear
        seen.ends["no handshake"] += 1
        return
    hearing = asyncio.ensure_future(heard(socket))
    left = False
    with suppress(ConnectionClosed, ConnectionError, RuntimeError):  # the last from a transport that is closed
        if query.get("ext") == "1":
            await socket.send(message(Kind.METADATA, chance.choice(OPENINGS[:3] if chance.random() < 0.8 else OPENINGS)))
        await talk(socket, Mouth(chance, query.get("audio") == "pcm"), chance, seen)
        left = await leave(socket, chance)
    judge(*await hearing, left, seen)
    socket.transport.abort()


async def talk(socket: ClientConnection, mouth: Mouth, chance: Random, seen: Seen) -> None:
    for _ in range(chance.choice([0, 1, 30, 100, 200])):
        said = mouth.message()
        seen.sent += 1
        if said and chance.random() < 0.03:  # in several frames of the websocket
            cut = chance.randrange(len(said))
            await socket.send([part for part in (said[:cut], said[cut:])])
        else:
            await socket.send(said)


async def leave(socket: ClientConnection, chance: Random) -> bool:
    """In one of many ways; false where it is left to the server."""
    way = chance.choices(["close", "abort", "half", "stall", "raw"], [40, 20, 5, 8, 5])[0]
    if way == "close":
        await socket.close()
    elif way == "abort":
        socket.transport.abort()
    elif way == "half":
        socket.transport.write_eof()
    elif way == "raw":  # no frame of a websocket
        socket.transport.write(b"\xff" * 200)
    return way in ("close", "abort", "half", "raw")


async def heard(socket: ClientConnection) -> tuple[bytes, ConnectionClosed]:
    """The last message and how the connection was closed."""
    last = b""
    try:
        while True:
            last = bytes(await socket.recv())  # type: ignore[arg-type]  # all messages are binary
    except ConnectionClosed as closed:
        return last, closed


def judge(last: bytes, closed: ConnectionClosed, left: bool, seen: Seen) -> None:
    """Whoever was refused and was there to hear it was told why."""
    code = 1006 if closed.rcvd is None else closed.rcvd.code
    seen.ends[str(code)] += 1
    if code in REFUSALS and closed.rcvd is not None:
        reason = last[1:].decode()
        seen.reasons.append(reason)
        if last[:1] != bytes([Kind.ERROR]) or not closed.rcvd.reason or not reason.startswith(closed.rcvd.reason):
            seen.unexplained.append(f"{code} {closed.rcvd.reason!r} after {last[:100]!r}")
    if code == session.Code.FAILED or not left and code not in REFUSALS:
        seen.unexplained.append(f"{code} {closed!r} {last[:60]!r}")


async def healthy(it: Served) -> None:
    """An echo answers each frame with the last one, to the bit."""
    chance, last = np.random.default_rng(1), np.zeros(FRAME_SAMPLES, np.float32)
    async with connect(f"{it.url}?{urlencode(LOCKSTEP)}", compression=None) as socket:
        await socket.send(message(Kind.METADATA, '{"seed": 1}'))
        assert (await socket.recv())[0] == Kind.METADATA and await socket.recv() == message(Kind.HANDSHAKE)
        for _ in range(50):
            data = bytes(await socket.recv())  # type: ignore[arg-type]
            np.testing.assert_array_equal(frame_samples(data[1:]), last)
            last = chance.uniform(-0.5, 0.5, FRAME_SAMPLES).astype(np.float32)
            await socket.send(message(Kind.AUDIO, frame_bytes(last)))


def free(it: Served) -> None:
    """All places are, in a moment."""
    patience = time.monotonic() + 5.0
    while (taken := state(it)["taken"]) and time.monotonic() < patience:
        time.sleep(0.02)
    assert taken == 0


def state(it: Served) -> dict[str, int]:
    with urlopen(f"http://{it.host_port}/api/state", timeout=10) as answer:
        return dict(json.load(answer))


def held() -> tuple[int, int, float]:
    """Threads, open files, and megabytes of memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return (threading.active_count(), len(list(Path("/proc/self/fd").iterdir())),
            pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


@pytest.mark.parametrize("messages", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_whatever_is_sent_the_server_goes_on_and_says_why(
        tmp_path: Path, messages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((visitor, "PATIENCE"), (visitor, "LOCKSTEP_PATIENCE"), (session, "OPENING_PATIENCE")):
        monkeypatch.setattr(module, name, PATIENCE)
    with serving(tmp_path, "agent=echo", doors=Doors(places=PLACES)) as it:
        seen = asyncio.run(fuzz(it, messages // 2, Seen(), seed=0))
        free(it)
        threads, files, megabytes = held()
        asyncio.run(fuzz(it, messages, seen, seed=1))
        free(it)
        asyncio.run(healthy(it))
        now = held()
        assert now[0] <= threads + 1 and now[1] <= files + 5 and now[2] < megabytes + 64.0, (threads, files, megabytes, now)
    assert not seen.unexplained, seen.unexplained[:5]
    folders = list(it.folder.iterdir())
    assert all(load(folder).ended_by in ("user", "failure") for folder in folders)
    assert not list(it.folder.glob("*/journal.jsonl"))
    if messages > 10_000:
        reached(seen, len(folders))


def reached(seen: Seen, conversations: int) -> None:
    """The fuzz got as far as it should: into conversations, and out of them in every way."""
    assert conversations > 200
    assert all(seen.ends[str(code)] > least for code, least in ((1000, 100), (1002, 10), (1006, 100), (1008, 100), (1013, 20)))
    for reason in (
            "not Ogg: a page begins", "not Opus: a packet", "a message has at least one byte", "a frame of audio=pcm is",
            "the samples of a frame are finite", "no sound came", "the first message of ext=1", "a metadata message is",
            "maximum recursion depth", "a frame's metadata has", "no place of", "there is no clock", "a message has at most",
            "mode=lockstep goes with", "audio_topk is", "text_prompt has 4001"):
        assert any(reason in one for one in seen.reasons), reason


def test_who_sends_this_and_that_and_no_sound_has_vanished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "PATIENCE", PATIENCE)

    async def pings(it: Served) -> tuple[bytes, ConnectionClosed]:
        async with connect(it.url) as socket:
            hearing = asyncio.ensure_future(heard(socket))
            while not hearing.done():
                with suppress(ConnectionClosed):
                    await socket.send(message(Kind.PING))
                await asyncio.sleep(0.01)
            return await hearing

    with serving(tmp_path, "agent=echo") as it:
        last, closed = asyncio.run(asyncio.wait_for(pings(it), 10))
        free(it)
    assert closed.rcvd is not None and closed.rcvd.code == session.Code.BAD_REQUEST and b"no sound came" in last


def test_who_takes_nothing_is_left_and_told_when_it_listens_again(tmp_path: Path) -> None:
    async def deaf(it: Served) -> tuple[bytes, ConnectionClosed]:
        async with connect(it.url + "?" + urlencode(LOCKSTEP), compression=None) as socket:
            await socket.send(message(Kind.METADATA, "{}"))
            socket.transport.pause_reading()
            for _ in range(3_000):  # 23 MB, of which the machine keeps a part
                await socket.send(message(Kind.AUDIO, FRAME))
            free(it)
            socket.transport.resume_reading()
            return await heard(socket)

    with serving(tmp_path, "agent=echo") as it:
        last, closed = asyncio.run(asyncio.wait_for(deaf(it), 20))
    assert closed.rcvd is not None and closed.rcvd.code == session.Code.BAD_REQUEST and b"wait to be taken" in last
