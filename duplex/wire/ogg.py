"""Ogg pages (RFC 3533) with Opus packets (RFC 7845): what Moshi's clients and servers put into their audio messages.

Pages are written one for each 80 ms, since a browser's decoder wants whole pages in a message, and read however they are
cut. What is in a packet is `duplex.wire.opus`'s business.
"""

import struct
from typing import Final, NamedTuple
from zlib import crc32

CAPTURE: Final = b"OggS"
HEADER: Final = struct.Struct("<4sBBqIIIB")  # capture, version, flags, granule, serial, sequence, checksum, segments
CONTINUED, FIRST = 1, 2  # flags
MOST_SEGMENTS: Final = 255  # of a page, each of up to 255 bytes
MOST_PACKET_BYTES: Final = 2**16  # the longest Opus packet has 61,440 bytes (RFC 7845, section 6)
GRANULES_PER_SECOND: Final = 48_000  # whatever the rate of the sound
HEAD, TAGS = b"OpusHead", b"OpusTags"


REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # the bits of each byte


def checksum(page: bytes) -> int:
    """Ogg's CRC: zlib's from the other end of each byte, begun at 0 and not inverted."""
    found = crc32(page.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(found.to_bytes(4, "little").translate(REVERSED), "big")


class Pages:
    """Writes a logical stream, page by page."""

    def __init__(self, serial: int = 1):
        self.serial = serial
        self.sequence = 0

    def page(self, packets: list[bytes], granule: int) -> bytes:
        """One page with whole packets, of which the last ends at `granule`."""
        segments = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
        assert len(segments) <= MOST_SEGMENTS
        fields = CAPTURE, 0, 0 if self.sequence else FIRST, granule, self.serial, self.sequence
        self.sequence += 1
        body = segments + b"".join(packets)
        unchecked = HEADER.pack(*fields, 0, len(segments)) + body
        return HEADER.pack(*fields, checksum(unchecked), len(segments)) + body


def headers(pre_skip: int, rate: int) -> tuple[bytes, bytes]:
    """The two packets that a mono stream begins with, each on a page of its own.

    Args:
        pre_skip: how much of what is decoded came before the sound, in GRANULES_PER_SECOND.
        rate: of the sound that was encoded, in Hz, for information.
    """
    vendor = b"duplex-harness"
    return (struct.pack("<8sBBHIhB", HEAD, 1, 1, pre_skip, rate, 0, 0),
            TAGS + struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", 0))


class Packet(NamedTuple):
    """What was read from a stream; `is_header` for the two that hold no sound."""

    data: bytes
    is_header: bool


class Reader:
    """Reads packets from pages that come in pieces of any size. Missing header pages and new streams are borne."""

    def __init__(self) -> None:
        self.unread = b""
        self.partial = b""  # of a packet that goes on in the next page

    def read(self, data: bytes) -> list[Packet]:
        """The packets that are complete with `data`.

        Raises:
            ValueError: this is not Ogg, and nothing after it can be read.
        """
        self.unread += data
        packets: list[Packet] = []
        while len(self.unread) >= len(CAPTURE):
            if not self.unread.startswith(CAPTURE):
                raise ValueError(f"not Ogg: a page begins with {CAPTURE!r}, not {self.unread[:4]!r}; an audio message holds Ogg "
                                 "pages with Opus, one stream from the beginning to the end of the connection")
            if len(self.unread) < HEADER.size:
                break
            _, version, flags, *_, num_segments = HEADER.unpack_from(self.unread)
            if version:
                raise ValueError(f"not Ogg: version {version} of the page format, there is only 0")
            start = HEADER.size + num_segments
            segments = self.unread[HEADER.size:start]
            end = start + sum(segments)
            if len(segments) < num_segments or len(self.unread) < end:
                break
            packets += self.packets(flags, segments, self.unread[start:end])
            self.unread = self.unread[end:]
        return packets

    def packets(self, flags: int, segments: bytes, body: bytes) -> list[Packet]:
        """The packets that are complete with a page."""
        found: list[Packet] = []
        if not flags & CONTINUED:
            self.partial = b""  # the rest of it was lost with a page
        position = 0
        for size in segments:
            self.partial += body[position:position + size]
            position += size
            if len(self.partial) > MOST_PACKET_BYTES:
                raise ValueError(f"not Opus: a packet of more than {MOST_PACKET_BYTES} bytes")
            if size < 255:
                found.append(Packet(self.partial, self.partial.startswith((HEAD, TAGS))))
                self.partial = b""
        return found
