"""Opus for one direction of a call: frames to Ogg pages, pages to samples. Needs av (PyAV), of the extra `opus`.

sphn, which Moshi's own clients and servers use, is not used here: its encoder takes 1.5 ms a frame and holds the
interpreter's lock meanwhile, which is half of a core for 25 conversations.
"""

from typing import Final

import av
import numpy as np

from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from duplex.live.ogg import GRANULES_PER_SECOND, Packet, Pages, Reader, headers

BIT_RATE: Final = 48_000  # of which speech needs half; what is left pays for the low delay
EFFORT: Final = 1  # of 10; 5 takes twice as long and comes 0.5 dB closer to speech
GRANULES: Final = FRAME_SAMPLES * GRANULES_PER_SECOND // SAMPLE_RATE
LOOKAHEAD: Final = 120  # libopus at its lowest delay, 2.5 ms, in granules
DECODED_RATE: Final = 2 * SAMPLE_RATE  # what libopus is made to decode to by FFmpeg
# Packets (RFC 6716, section 3).
CODE: Final = 3  # bits of the first byte: 0 for one frame, 3 for any number of them
VARIABLE: Final = 0x80  # bit of the second byte where there are many: each has its own length
FRAME_GRANULES: Final = 3 * (480, 960, 1920, 2880) + 2 * (480, 960) + 4 * (120, 240, 480, 960)  # by the upper 5 bits
MOST_FRAME_BYTES, MOST_GRANULES = 1_275, 5_760


class OpusEncoder:
    """Frames in, one Ogg page with one packet for each out; 24 kHz mono at the lowest delay that Opus has (2.5 ms)."""

    def __init__(self) -> None:
        self.codec = av.AudioCodecContext.create("libopus", "w")
        self.codec.sample_rate, self.codec.layout, self.codec.format = SAMPLE_RATE, "mono", "flt"
        self.codec.bit_rate = BIT_RATE
        # One packet for all 80 ms: each call of the codec gives up the interpreter's lock, for which everybody waits.
        self.codec.options = {"application": "lowdelay", "compression_level": str(EFFORT),
                              "frame_duration": f"{1_000.0 * FRAME_SECONDS:g}"}
        self.pages = Pages()
        self.granule = 0

    def encode(self, samples: np.ndarray) -> bytes:
        """Samples (FRAME_SAMPLES,) float32 -> whole pages; the first time with the two header pages in front."""
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        packets = [bytes(packet) for packet in self.codec.encode(frame)]
        first = b"" if self.granule else b"".join(
            self.pages.page([packet], 0) for packet in headers(LOOKAHEAD, SAMPLE_RATE))
        self.granule += GRANULES
        return first + self.pages.page(packets, self.granule)


class OpusDecoder:
    """Ogg pages in, cut in any way and from any encoder, samples at SAMPLE_RATE out."""

    def __init__(self) -> None:
        self.reader = Reader()
        self.begin()

    def begin(self) -> None:
        self.codec = av.AudioCodecContext.create("libopus", "r")
        self.codec.sample_rate, self.codec.layout = DECODED_RATE, "mono"
        self.codec.extradata, _ = headers(0, SAMPLE_RATE)
        self.codec.options = {"request_sample_fmt": "flt"}
        self.halves = Halves()
        self.begun = False

    def decode(self, data: bytes) -> np.ndarray:
        """What is complete with `data`, (num_samples,) float32 in [-1, 1].

        Raises:
            ValueError: this is not Ogg with Opus, and nothing after it can be read.
        """
        heard: list[np.ndarray] = []
        for packet in joined(self.reader.read(data)):
            if packet.is_header and self.begun:
                self.begin()  # a new stream in the same connection
            if packet.is_header or not packet.data:
                continue
            self.begun = True
            try:
                frames = self.codec.decode(av.Packet(packet.data))
            except (av.FFmpegError, ValueError) as error:
                raise ValueError(f"not Opus: a packet of {len(packet.data)} bytes cannot be decoded") from error
            heard += [self.halves.halved(frame.to_ndarray()[0]) for frame in frames]
        sound = np.concatenate(heard) if heard else np.zeros(0, np.float32)
        return np.clip(sound, -1.0, 1.0)


class Halves:
    """Halves a sampling rate as it goes: n samples in, n / 2 out, 8 of them (0.3 ms) late. Opus decodes to even numbers."""

    DELAY = 16  # samples in
    # A half-band filter, 33 samples long: every other tap is 0, but for the one in the middle.
    TAPS = (0.5 * np.sinc(np.arange(1 - DELAY, DELAY, 2) / 2.0) * np.kaiser(2 * DELAY + 1, 6.0)[1::2]).astype(np.float32)
    TAPS *= np.float32(0.5) / TAPS.sum()

    def __init__(self) -> None:
        self.past = np.zeros(2 * self.DELAY, np.float32)

    def halved(self, samples: np.ndarray) -> np.ndarray:
        whole = np.concatenate([self.past, samples])
        self.past = whole[-2 * self.DELAY:]
        middle = whole[self.DELAY:-self.DELAY:2]
        halves: np.ndarray = np.float32(0.5) * middle + np.convolve(whole[1::2], self.TAPS, "valid")[:len(middle)]
        return halves


def joined(packets: list[Packet]) -> list[Packet]:
    """The same sound in fewer packets, for the same reason as above: neighbours of one frame each become one of many."""
    runs: list[list[Packet]] = []
    for packet in packets:
        if runs and joinable(runs[-1], packet.data):
            runs[-1].append(packet)
        else:
            runs.append([packet])
    return [run[0] if len(run) == 1 else Packet(of_many(run), False) for run in runs]


def joinable(run: list[Packet], data: bytes) -> bool:
    first = run[0].data
    return (data[:1] == first[:1] != b"" and not data[0] & CODE and max(len(data), len(first)) <= 1 + MOST_FRAME_BYTES
            and (len(run) + 1) * FRAME_GRANULES[data[0] >> 3] <= MOST_GRANULES)


def of_many(run: list[Packet]) -> bytes:
    """RFC 6716, section 3.2.5: how many frames, how long each but the last, and the frames."""
    sizes = [len(packet.data) - 1 for packet in run[:-1]]
    lengths = b"".join(bytes([size] if size < 252 else [252 + size % 4, (size - 252 - size % 4) // 4]) for size in sizes)
    return (bytes([run[0].data[0] | CODE, VARIABLE | len(run)]) + lengths + b"".join(packet.data[1:] for packet in run))
