"""How many calls a server holds at once, and how late it is: N clients at real time for M minutes.

    python scripts/load_test.py                            50 clients for 2 minutes, against a server of its own
    python scripts/load_test.py --growth 1 10 25 50        how lateness grows with the number of clients
    python scripts/load_test.py --soak                     an hour: is memory flat, the last tenth like the first?
    python scripts/load_test.py --url ws://host:8998/api/chat --pcm

The agent is `echo`, which says frame k+1 once it has heard frame k and computes nothing: what an answer takes is the server's
own. Each client sends a frame of speech-like sound every 80 ms on a schedule that never moves, and decodes nothing. Counted
apart: how late the client itself was (sent minus due), and the added latency (answer k+1 come minus frame k sent), in which the
clients' own event loop is the only thing that is not the server's. A frame that the server dropped counts as lost, and makes
every later answer of its call look late. Prints a card for each number of clients and a last line of JSON.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import re
import subprocess
import sys
from array import array
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final, NamedTuple

import aiohttp
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from duplex import programs
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from duplex.manifest import CHECKOUT
from duplex.wire.messages import Kind, frame_bytes, message
from duplex.wire.ogg import CAPTURE, HEADER, Pages, Reader, headers
from duplex.wire.opus import GRANULES, LOOKAHEAD, OpusEncoder

TARGET_MS: Final = 40.0  # p99 of the added latency
RAMP: Final = 2.0  # seconds over which clients come
PATIENCE: Final = 5.0  # seconds for answers that are missing at the end
TURN_FRAMES: Final = 250  # of sound, said over and over
SHARES: Final = (50.0, 95.0, 99.0, 100.0)
MEGABYTE: Final = 2**20


class Program(NamedTuple):
    """A `duplex-serve` of this script's own."""

    process: subprocess.Popen[str]
    url: str

    def resident_bytes(self) -> int:
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system


@dataclass
class Call:
    """What one client saw, in seconds of `perf_counter`.

    Attributes:
        due: when its first frame was to be sent; the n-th n frames later.
        came: when each answer came; the first was said before anything was heard.
        ended: why the call ended before its time, or None.
    """

    due: float
    sent: "array[float]" = field(default_factory=lambda: array("d"))
    came: "array[float]" = field(default_factory=lambda: array("d"))
    ended: str | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--growth", nargs="+", type=int, metavar="CLIENTS", help="one load after the other")
    parser.add_argument("--soak", action="store_true", help="an hour")
    parser.add_argument("--pcm", action="store_true", help="audio=pcm instead of Opus")
    parser.add_argument("--processes", type=int, default=1, help="of clients")
    parser.add_argument("--url", help="of a server that runs already, with an echo behind it")
    parser.add_argument("--serve", nargs="*", default=[], metavar="OVERRIDE", help="more settings of duplex-serve")
    options = parser.parse_args()
    options.minutes = 60.0 if options.soak else options.minutes
    console, found = programs.console(), []
    for clients in options.growth or [options.clients]:
        found.append(load(clients, options, console))
        show(found[-1], console)
    print(json.dumps({"minutes": options.minutes, "pcm": options.pcm, "loads": found,
                      "target_met": all(one["target_met"] for one in found)}))


def load(clients: int, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """One number of clients at a server, a new one unless there is one already."""
    with ExitStack() as when_over:
        program = None
        if options.url is None:
            folder = Path(when_over.enter_context(TemporaryDirectory()))
            program = when_over.enter_context(started(
                folder, "agent=echo", f"places={clients}", f"max_seconds={60.0 * options.minutes + 60.0}", *options.serve))
        url = (options.url or (program.url if program else "")) + ("?audio=pcm" if options.pcm else "")
        pool = when_over.enter_context(ProcessPoolExecutor(options.processes, multiprocessing.get_context("spawn")))
        counts = [len(range(first, clients, options.processes)) for first in range(options.processes)]
        work = [pool.submit(calls, url, count, options.minutes, options.pcm, seed) for seed, count in enumerate(counts)]
        samples = watched(work, program, f"{clients} clients", options.minutes, console)
        talking = samples[samples[:, 0] <= 60.0 * options.minutes]  # and nobody is about to leave
        return summary([call for one in work for call in one.result()], talking)


@contextmanager
def started(folder: Path, *overrides: str) -> Iterator[Program]:
    """`duplex-serve *overrides` on a free port, its run in `folder`, what it says of itself in `folder`/stderr.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "stderr.txt").open("w") as stderr, subprocess.Popen(
            [sys.executable, "-m", "duplex.serve", "port=0", f"hydra.run.dir={folder}", *overrides],
            stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=CHECKOUT) as process:
        assert process.stdout is not None
        said = re.search(r"wss?://[^ ,]+", process.stdout.readline())
        if said is None:
            raise RuntimeError(f"the server did not start: {(folder / 'stderr.txt').read_text()}")
        try:
            yield Program(process, said[0])
        finally:
            process.terminate()


def watched(work: list[Future[list[Call]]], program: Program | None, name: str, minutes: float,
            console: Console) -> np.ndarray:
    """Waits for the clients. Seconds, bytes and processor seconds of the server, (num_samples, 3), every second."""
    samples, began = [], perf_counter()
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task(name, total=60.0 * minutes)
        while not all(one.done() for one in work):
            if program is not None:
                samples.append((perf_counter() - began, program.resident_bytes(), program.processor_seconds()))
            progress.update(bar, completed=perf_counter() - began)
            wait(work, timeout=1.0)
    return np.array(samples).reshape(-1, 3)


# In the processes of the clients.

def calls(url: str, count: int, minutes: float, pcm: bool, seed: int) -> list[Call]:
    """Holds `count` calls at once."""
    frames = round(60.0 * minutes / FRAME_SECONDS)
    sends = samples_messages(frames) if pcm else opus_messages(frames)
    chance = random.Random(seed)

    async def all_calls() -> list[Call]:
        async with aiohttp.ClientSession() as session:
            began = perf_counter() + 0.2
            return await asyncio.gather(*(
                call(session, url, sends, began + RAMP * (index + chance.random()) / count) for index in range(count)))

    return asyncio.run(all_calls())


async def call(session: aiohttp.ClientSession, url: str, sends: list[bytes], begin: float) -> Call:
    """One client: comes at `begin`, speaks from the handshake on."""
    await asyncio.sleep(begin - perf_counter())
    it = Call(begin)
    try:
        async with session.ws_connect(url, max_msg_size=0) as socket:
            while (first := await socket.receive()).data != message(Kind.HANDSHAKE):
                if first.data != message(Kind.PING):  # an agent that hears its prompt for long
                    it.ended = f"refused: {first.data!r}"
                    return it
            hearing = asyncio.ensure_future(hear(socket, it, len(sends) + 1))
            it.due = perf_counter()
            for number, data in enumerate(sends):
                await asyncio.sleep(max(0.0, it.due + number * FRAME_SECONDS - perf_counter()))
                it.sent.append(perf_counter())
                await socket.send_bytes(data)
            await asyncio.wait([hearing], timeout=PATIENCE)
            hearing.cancel()
    except (aiohttp.ClientError, OSError) as error:
        it.ended = it.ended or f"broken: {error!r}"
    return it


async def hear(socket: aiohttp.ClientWebSocketResponse, it: Call, answers: int) -> None:
    while len(it.came) < answers:
        received = await socket.receive()
        now = perf_counter()
        if received.type != aiohttp.WSMsgType.BINARY:
            it.ended = it.ended or f"closed: {received.data!r} {received.extra or ''}"
            return
        if received.data[0] == Kind.AUDIO:
            in_pages = received.data.startswith(CAPTURE, 1)
            it.came.extend([now] * (num_frames(received.data) - len(it.came) if in_pages else 1))
        elif received.data[0] == Kind.ERROR:
            it.ended = f"ended: {received.data[1:].decode()}"


def num_frames(data: bytes) -> int:
    """How many frames of the stream are complete with an audio message of Ogg pages."""
    at, granule = 1, 0
    while at < len(data):
        *_, granule, _, _, _, num_segments = HEADER.unpack_from(data, at)
        at += HEADER.size + num_segments + sum(data[at + HEADER.size:at + HEADER.size + num_segments])
    return granule // GRANULES


def samples_messages(frames: int) -> list[bytes]:
    turn = [message(Kind.AUDIO, frame_bytes(samples)) for samples in sound()]
    return [turn[number % TURN_FRAMES] for number in range(frames)]


def opus_messages(frames: int) -> list[bytes]:
    """One stream of whole pages, so that each message costs a client no more than to send it."""
    encoder, reader, pages = OpusEncoder(), Reader(), Pages()
    turn = [[packet.data for packet in reader.read(encoder.encode(samples)) if not packet.is_header] for samples in sound()]
    first = b"".join(pages.page([packet], 0) for packet in headers(LOOKAHEAD, SAMPLE_RATE))
    stream = [pages.page(turn[number % TURN_FRAMES], (number + 1) * GRANULES) for number in range(frames)]
    return [message(Kind.AUDIO, (b"" if number else first) + page) for number, page in enumerate(stream)]


def sound() -> Iterator[np.ndarray]:
    """Frames of noise in the rhythm of syllables: what costs an encoder as much as speech does."""
    chance = np.random.default_rng(0)
    for frame in range(TURN_FRAMES):
        time = frame * FRAME_SECONDS + np.arange(FRAME_SAMPLES) / SAMPLE_RATE
        pitch = 120.0 + 30.0 * np.sin(2.0 * np.pi * 0.3 * time)
        voice = np.sin(2.0 * np.pi * pitch * time) + 0.3 * chance.standard_normal(FRAME_SAMPLES)
        yield (0.1 * np.maximum(0.0, np.sin(2.0 * np.pi * 2.0 * time)) * voice).astype(np.float32)


# What is told of it.

def summary(found: list[Call], samples: np.ndarray) -> dict[str, Any]:
    lateness = np.concatenate([np.array(one.sent) - one.due - np.arange(len(one.sent)) * FRAME_SECONDS for one in found])
    answered = [latencies(one) for one in found]
    told = {
        "clients": len(found), "frames": sum(len(one.sent) for one in found),
        "lost": sum(len(one.sent) - len(latency) for one, latency in zip(found, answered, strict=True)),
        "ended_early": [one.ended for one in found if one.ended is not None],
        "client_lateness_ms": quantiles(lateness), "added_latency_ms": quantiles(np.concatenate(answered)),
        "first_tenth_ms": quantiles(np.concatenate([one[:len(one) // 10] for one in answered])),
        "last_tenth_ms": quantiles(np.concatenate([one[-(len(one) // 10):] for one in answered])),
        "server": server_numbers(samples) if len(samples) > 2 else None}
    return {**told, "target_met": not told["lost"] and not told["ended_early"] and told["added_latency_ms"][2] <= TARGET_MS}


def latencies(one: Call) -> np.ndarray:
    """Seconds from each frame that was answered to its answer."""
    answers = np.array(one.came)[1:]
    return answers - np.array(one.sent)[:len(answers)]


def quantiles(seconds: np.ndarray) -> list[float]:
    """p50, p95, p99 and maximum in ms."""
    numbers = np.percentile(seconds, SHARES) if len(seconds) else np.full(len(SHARES), np.nan)
    return [round(1_000.0 * float(number), 2) for number in numbers]


def server_numbers(samples: np.ndarray) -> dict[str, float]:
    """Memory when all had come and at the end, its growth over the second half, and cores in use."""
    seconds, resident, processor = samples.T
    half, come = len(samples) // 2, min(int(np.searchsorted(seconds, 2.0 * RAMP)), len(samples) - 1)
    return {
        "start_mb": round(resident[come] / MEGABYTE, 1), "end_mb": round(resident[-1] / MEGABYTE, 1),
        "mb_per_minute": round(60.0 * float(np.polyfit(seconds[half:], resident[half:], 1)[0]) / MEGABYTE, 3),
        "cores": round((processor[-1] - processor[come]) / max(1e-9, seconds[-1] - seconds[come]), 3)}


def show(found: dict[str, Any], console: Console) -> None:
    table = Table("ms", "p50", "p95", "p99", "max", title=f"{found['clients']} clients", title_justify="left")
    for name, key in (("clients' own lateness", "client_lateness_ms"), ("added latency", "added_latency_ms"),
                      ("  in the first tenth", "first_tenth_ms"), ("  in the last tenth", "last_tenth_ms")):
        table.add_row(name, *(f"{number:.1f}" for number in found[key]), style="bold" if key == "added_latency_ms" else None)
    console.print(table)
    early = found["ended_early"]
    console.print(f"{found['frames']} frames sent, {found['lost']} lost; {len(early)} calls refused or broken "
                  f"(target: p99 of the added latency at most {TARGET_MS:.0f} ms, none lost)"
                  + (f", such as {early[0]}" if early else ""), markup=False)
    if (server := found["server"]) is not None:
        console.print(f"the server took {server['cores']:.2f} cores; its memory went from {server['start_mb']:.0f} to "
                      f"{server['end_mb']:.0f} MB, {server['mb_per_minute']:+.2f} MB per minute in the second half")


if __name__ == "__main__":
    main()
