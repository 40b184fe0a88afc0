"""What went over a network in a conversation, and how late it was, in numbers to judge 80 ms frames by."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from duplex.frame import FRAME_SECONDS

AROUND: Final = 50  # packets, about 4 s: a clock that drifts, or a frame that is skipped, is no jitter after that


class Traffic:
    """Counts the messages of a conversation, which may take more than one connection.

    Attributes:
        frames_sent_at: when each frame left, in seconds of `perf_counter`.
        round_trips: of pings, in seconds.
    """

    def __init__(self) -> None:
        self.sent_packets, self.sent_bytes, self.received_packets, self.received_bytes = 0, 0, 0, 0
        self.frames_sent_at: list[float] = []
        self.round_trips: list[float] = []
        self.unsent_frames = 0

    def sent(self, data: bytes) -> None:
        self.sent_packets += 1
        self.sent_bytes += len(data)

    def received(self, data: bytes) -> None:
        self.received_packets += 1
        self.received_bytes += len(data)

    def tally(self) -> dict[str, Any]:
        return {"sent_packets": self.sent_packets, "sent_bytes": self.sent_bytes, "unsent_frames": self.unsent_frames,
                "received_packets": self.received_packets, "received_bytes": self.received_bytes,
                "round_trip_seconds": quantiles(self.round_trips)}

    def send_lateness(self) -> dict[str, float] | None:
        """How late frames left, against one every 80 ms."""
        sent_at = self.frames_sent_at.copy()  # another thread may be sending
        return quantiles(lateness(sent_at, [FRAME_SECONDS * frame for frame in range(len(sent_at))]))


def lateness(at: Sequence[float], due: Sequence[float]) -> np.ndarray:
    """How much later each came than by the schedule of the most punctual of those around it, in seconds.

    Args:
        at: when each came, in seconds of any clock.
        due: when each was due, in seconds of any other.
    """
    behind = np.asarray(at) - np.asarray(due)
    if not len(behind):
        return behind
    width = min(AROUND, len(behind))
    earliest = np.lib.stride_tricks.sliding_window_view(behind, width).min(1)
    around = np.clip(np.arange(len(behind)) - width // 2, 0, len(earliest) - 1)
    return np.asarray(np.maximum(0.0, behind - earliest[around]))


def quantiles(values: Sequence[float] | np.ndarray) -> dict[str, float] | None:
    """Median and 95th percentile; None of nothing."""
    if not len(values):
        return None
    p50, p95 = np.quantile(values, [0.5, 0.95])
    return {"p50": round(float(p50), 5), "p95": round(float(p95), 5)}
