"""Opus for one direction of a call: frames to Ogg pages, pages to samples.

Needs opuslib-next, of the extra `opus`, and the library itself: Debian's libopus0, Homebrew's opus. Of what was tried, it
alone holds fifty conversations on a core: sphn, which Moshi's own clients and servers use, takes 1.5 ms a frame and holds
the interpreter's lock meanwhile, and PyAV gives that lock up six times a frame, for which all threads queue.
"""

from types import ModuleType
from typing import Final

import numpy as np

from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE
from duplex.wire.ogg import GRANULES_PER_SECOND, HEAD, Pages, Reader, headers

BIT_RATE: Final = 48_000  # of which speech needs half; what is left pays for the low delay
EFFORT: Final = 1  # of 10; 5 takes a third longer and comes 0.5 dB closer to speech
GRANULES: Final = FRAME_SAMPLES * GRANULES_PER_SECOND // SAMPLE_RATE
LOOKAHEAD: Final = 120  # of libopus at its lowest delay, 2.5 ms, in granules
LONGEST_SAMPLES: Final = round(0.12 * SAMPLE_RATE)  # of a packet (RFC 6716, section 2.1.4)


class OpusEncoder:
    """Frames in, one Ogg page with one packet for each out; 24 kHz mono at the lowest delay that Opus has (2.5 ms)."""

    def __init__(self) -> None:
        self.codec = opuslib().Encoder(SAMPLE_RATE, 1, "restricted_lowdelay")
        self.codec.bitrate, self.codec.complexity = BIT_RATE, EFFORT
        self.pages = Pages()
        self.granule = 0

    def encode(self, samples: np.ndarray) -> bytes:
        """Samples (FRAME_SAMPLES,) float32 -> whole pages; the first time with the two header pages in front."""
        packet = self.codec.encode_float(samples.astype("=f4", copy=False).tobytes(), FRAME_SAMPLES)
        first = b"" if self.granule else b"".join(
            self.pages.page([header], 0) for header in headers(LOOKAHEAD, SAMPLE_RATE))
        self.granule += GRANULES
        return first + self.pages.page([packet], self.granule)


class OpusDecoder:
    """Ogg pages in, cut in any way and from any encoder, samples at SAMPLE_RATE out."""

    def __init__(self) -> None:
        self.reader = Reader()
        self.codec = opuslib().Decoder(SAMPLE_RATE, 1)
        self.sound = np.zeros(LONGEST_SAMPLES, np.float32)
        self.pointer = self.sound.ctypes.data_as(opuslib().api.c_float_pointer)

    def decode(self, data: bytes) -> np.ndarray:
        """What is complete with `data`, (num_samples,) float32 in [-1, 1].

        Raises:
            ValueError: this is not Ogg with Opus, and nothing after it can be read.
        """
        heard: list[np.ndarray] = []
        for packet in self.reader.read(data):
            if packet.data.startswith(HEAD):
                self.codec.reset_state()  # a new stream, perhaps in the same connection
            if packet.is_header or not packet.data:
                continue
            heard.append(self.heard(packet.data))
        return np.clip(np.concatenate(heard), -1.0, 1.0) if heard else np.zeros(0, np.float32)

    def heard(self, packet: bytes) -> np.ndarray:
        """The samples of one packet. Not by the package's own `decode_float`, which makes a list of them on the way."""
        num_samples = opuslib().api.decoder.libopus_decode_float(
            self.codec.decoder_state, packet, len(packet), self.pointer, LONGEST_SAMPLES, 0)
        if num_samples < 0:
            raise ValueError(f"not Opus: a packet of {len(packet)} bytes cannot be decoded (error {num_samples} of libopus)")
        return self.sound[:num_samples].copy()


def opuslib() -> ModuleType:
    """The module, or what to install.

    Raises:
        ImportError: it or libopus is missing.
    """
    try:
        import opuslib_next as module
    except ModuleNotFoundError as error:
        raise ImportError('Opus needs opuslib-next: pip install "duplex-harness[opus]"') from error
    except Exception as error:  # all that it raises where there is no libopus
        raise ImportError("Opus needs the library libopus: apt-get install libopus0, brew install opus") from error
    return module
