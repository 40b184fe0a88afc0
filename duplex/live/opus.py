"""Opus for one direction of a call: frames to Ogg pages, pages to samples. Needs av (PyAV), of the extra `opus`.

sphn, which Moshi's own clients and servers use, is not used here: its encoder takes 1.5 ms a frame and holds the
interpreter's lock meanwhile, which is half of a core for 25 conversations.
"""

from typing import Final

import av
import numpy as np

from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE
from duplex.live.ogg import GRANULES_PER_SECOND, Pages, Reader, headers

PACKET_SECONDS: Final = 0.02
PACKETS: Final = round(FRAME_SAMPLES / SAMPLE_RATE / PACKET_SECONDS)  # 4 in a frame, so a page is complete with each
BIT_RATE: Final = 48_000  # of which speech needs half; what is left pays for the low delay
GRANULES: Final = FRAME_SAMPLES * GRANULES_PER_SECOND // SAMPLE_RATE
LOOKAHEAD: Final = 120  # libopus at its lowest delay, 2.5 ms, in granules
DECODED_RATE: Final = 48_000  # what libopus is made to decode to by FFmpeg


class OpusEncoder:
    """Frames in, one Ogg page for each out; 24 kHz mono at the lowest delay that Opus has (2.5 ms)."""

    def __init__(self) -> None:
        self.codec = av.AudioCodecContext.create("libopus", "w")
        self.codec.sample_rate, self.codec.layout, self.codec.format = SAMPLE_RATE, "mono", "flt"
        self.codec.bit_rate = BIT_RATE
        self.codec.options = {"application": "lowdelay", "compression_level": "5",
                              "frame_duration": f"{1_000.0 * PACKET_SECONDS:g}"}
        self.pages = Pages()
        self.granule = 0

    def encode(self, samples: np.ndarray) -> bytes:
        """Samples (FRAME_SAMPLES,) float32 -> whole pages; the first time with the two header pages in front."""
        packets: list[bytes] = []
        for part in samples.reshape(PACKETS, 1, -1):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="flt", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            packets += [bytes(packet) for packet in self.codec.encode(frame)]
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
        self.resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
        self.begun = False

    def decode(self, data: bytes) -> np.ndarray:
        """What is complete with `data`, (num_samples,) float32 in [-1, 1].

        Raises:
            ValueError: this is not Ogg with Opus, and nothing after it can be read.
        """
        heard: list[np.ndarray] = []
        for packet in self.reader.read(data):
            if packet.is_header and self.begun:
                self.begin()  # a new stream in the same connection
            if packet.is_header or not packet.data:
                continue
            try:
                frames = self.codec.decode(av.Packet(packet.data))
            except (av.FFmpegError, ValueError) as error:
                raise ValueError(f"not Opus: a packet of {len(packet.data)} bytes cannot be decoded") from error
            for frame in frames:
                heard += [half.to_ndarray()[0] for half in self.resampler.resample(frame)]
                if not self.begun:  # what the filter keeps back (16 samples) must not keep every frame waiting for the next
                    self.begun = True
                    heard.insert(0, np.zeros(frame.samples * SAMPLE_RATE // DECODED_RATE - sum(map(len, heard)), np.float32))
        sound = np.concatenate(heard) if heard else np.zeros(0, np.float32)
        return np.clip(sound, -1.0, 1.0)
