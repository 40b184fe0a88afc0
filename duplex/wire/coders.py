"""What becomes of a frame in an audio message: Opus, as Moshi has it, or its samples as they are."""

from typing import Protocol

import numpy as np

from duplex.wire.messages import frame_bytes, frame_samples


class Coder(Protocol):
    """Frames to the payload of audio messages and back."""

    def encode(self, samples: np.ndarray) -> bytes: ...

    def decode(self, data: bytes) -> np.ndarray: ...


class Opus:
    """Moshi's own way."""

    def __init__(self) -> None:
        from duplex.wire.opus import OpusDecoder, OpusEncoder  # a library that `audio=pcm` can do without
        self.encode = OpusEncoder().encode
        self.decode = OpusDecoder().decode


class Samples:
    """`audio=pcm`."""

    def encode(self, samples: np.ndarray) -> bytes:
        return frame_bytes(samples)

    def decode(self, data: bytes) -> np.ndarray:
        return frame_samples(data)


def coder(pcm: bool) -> Coder:
    """For one connection, both ways; `pcm` as in `audio=pcm`."""
    return Samples() if pcm else Opus()
