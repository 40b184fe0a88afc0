"""What no client should send: queries, first messages, messages and bytes. Drawn by chance, the same for the same seed."""

import json
import struct
from collections.abc import Callable
from random import Random
from typing import Final

import numpy as np

from duplex.frame import FRAME_SAMPLES
from duplex.wire.messages import MOST_BYTES, Kind, frame_bytes, message
from duplex.wire.ogg import HEADER, Pages, headers
from duplex.wire.opus import OpusEncoder

DEEP: Final = "[" * 100_000
QUERIES: Final[dict[str, tuple[str, ...]]] = {
    "ext": ("0", "1", "yes", ""), "audio": ("opus", "pcm", "mp3"), "mode": ("live", "lockstep", "dead"),
    "seed": ("3", "-3", "1e9", "9" * 400, "9" * 5_000), "audio_temperature": ("0.8", "nan", "-1", "warm"),
    "audio_topk": ("250", "0", "2.5"), "voice_prompt": ("NATF0.pt", "../../etc/passwd", "x\0y"),
    "text_prompt": ("You are kind.", "ü" * 3_000, "x" * 4_001, "\U0001f600"),
    "nobody_knows": ("this", "x" * 3_000), "worker_auth_id": ("1",)}


OPENINGS: Final = (
    "{}", '{"seed": 3}', '{"prompt": {"text": "You are kind."}, "seed": 3}', '{"clock": "measured"}', '{"seed": -1}',
    '{"seed": 1e999}', '{"seed": "x"}', '{"seed": ' + "9" * 400 + "}", '{"clock": "moon"}', '{"clock": []}', '{"prompt": 3}',
    '{"prompt": {"text": "\\ud800", "records": {"a": 1}}}', '{"prompt": {"text": "\\ud800"}}', "[]", DEEP, "", "no json")
GARBAGE: Final = (
    b"", b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"GET /api/chat HTTP/1.1\r\nHost: x\r\nUpgrade: webso", b"\0" * 5_000,
    b"GET / HTTP/9.9\r\n\r\n", b"POST /api/chat HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"GET " + b"/x" * 9_000)


def pages(num_frames: int = 40) -> list[bytes]:
    encoder, chance = OpusEncoder(), np.random.default_rng(0)
    return [encoder.encode((0.1 * chance.standard_normal(FRAME_SAMPLES)).clip(-1, 1).astype(np.float32))
            for _ in range(num_frames)]


STREAM: Final = pages()
FRAME: Final = frame_bytes(np.linspace(-0.5, 0.5, FRAME_SAMPLES, dtype=np.float32))


class Mouth:
    """Says what nobody should, most of it harmless, so that a connection lasts for a while."""

    def __init__(self, chance: Random, pcm: bool):
        self.chance = chance
        self.pcm = pcm
        self.said = 0
        self.rest = b""  # of the stream, where it is cut anywhere

    def message(self) -> bytes | str:
        kinds: list[tuple[float, Callable[[], bytes | str]]] = [
            (40, self.right), (20, self.unknown), (15, self.other), (8, self.text), (8, self.metadata), (2, self.wrong),
            (0.5, self.wrong_metadata), (0.1, self.huge)]
        return self.chance.choices([say for _, say in kinds], [weight for weight, _ in kinds])[0]()

    def right(self) -> bytes:
        """A frame, or a piece of the stream of any length, some of it whole pages."""
        if self.pcm:
            return message(Kind.AUDIO, FRAME)
        if not self.rest:
            self.rest = STREAM[self.said % len(STREAM)]
            self.said += 1
        cut = self.chance.choice([len(self.rest), self.chance.randint(0, len(self.rest))])
        piece, self.rest = self.rest[:cut], self.rest[cut:]
        return message(Kind.AUDIO, piece)

    def unknown(self) -> bytes:
        return bytes([self.chance.randint(7, 255)]) + self.noise(50)

    def other(self) -> bytes:
        return bytes([self.chance.choice([0, 2, 3, 5, 6])]) + self.noise(50)

    def text(self) -> str:
        return self.chance.choice(["", "hello", '{"type": "ping"}', "ü" * 1_000])

    def metadata(self) -> bytes:
        return message(Kind.METADATA, self.chance.choice([
            "{}", '{"words": [["hi", 0, 0.1]]}', '{"events": [["turn", 0, 1, {"text": "hi"}]]}', '{"nobody": "knows"}',
            '{"seconds": 0.01}']))

    def wrong_metadata(self) -> bytes:
        return message(Kind.METADATA, self.chance.choice([
            b"", b"no json", b"[]", b"null", b'"text"', b"{", b'{"words": 3}', b'{"words": [["hi"]]}', b'{"seconds": "soon"}',
            b'{"words": [["hi", 1e999, NaN]]}', b'{"events": [["turn", 0, 1, 7]]}', b"\xff\xfe", DEEP.encode(),
            b'{"seconds": ' + b"9" * 5_000 + b"}", b'{"words": [["\\ud800", 0, 1]]}',
            json.dumps({"words": [["hi", 0, 1]] * 20_000}).encode(),
            b'{"events": [["turn", 0, 1, {"a": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}]]}"]))

    def wrong(self) -> bytes:
        page = bytearray(self.chance.choice(STREAM[1:]))
        packet = self.chance.randint(1_276, 60_000)
        damaged = self.chance.randrange(len(page))
        page[damaged] ^= 1 << self.chance.randrange(8)
        return self.chance.choice([
            b"", *(message(Kind.AUDIO, payload) for payload in (
                self.noise(2_000), bytes(page), STREAM[0], STREAM[0] + STREAM[0], b"".join(self.chance.sample(STREAM, 5)),
                Pages().page([b"\xfc" + self.noise(packet)] if packet < 60_000 else [b""], 0), FRAME[:-4], FRAME + b"\0",
                struct.pack("<1920f", *[float("nan")] * FRAME_SAMPLES), struct.pack("<1920f", *[1.5] * FRAME_SAMPLES),
                Pages().page([bytes([self.chance.randrange(256)]) + self.noise(300)], 0), Pages().page([b""] * 255, 0),
                b"".join(Pages(serial).page([header], 0) for serial in (1, 2) for header in headers(0, 8_000)),
                HEADER.pack(b"OggS", 0, 1, -1, 7, 0, 0, 255) + b"\xff" * 255 + self.noise(65_025)))])

    def huge(self) -> bytes:
        size = self.chance.choice([MOST_BYTES - 1, MOST_BYTES, MOST_BYTES + 1, 3 * MOST_BYTES])
        return bytes([self.chance.choice([1, 4, 6, 9])]) + bytes(size - 1)

    def noise(self, most: int) -> bytes:
        return self.chance.randbytes(self.chance.randint(0, most))
