"""What computation costs on the clock: nothing, what it took here, or what a profile declares.

A charge knows the stage and the request, never who asks: the same request costs the same in every agent, so a
comparison of two agents under one profile compares what they do with their stages.
"""

import hashlib
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Final, Protocol, runtime_checkable

Z95: Final = NormalDist().inv_cdf(0.95)  # 1.645


class Charges(Protocol):
    """Seconds that a stage's work costs on the clock of the conversation."""

    name: str

    def reset(self, seed: int) -> None:
        """A new conversation begins."""

    def seconds(self, stage: str, request: str, measured: float) -> float:
        """Cost of one piece of work that took `measured` seconds here."""

    def lag(self, stage: str, request: str) -> float:
        """How far a stage that streams (a recogniser's partial hypotheses) runs behind the sound."""


@runtime_checkable
class Travels(Protocol):
    """Charges of which a part is spent on the way to a stage and back; see `duplex.placement`."""

    def transport(self, stage: str, request: str) -> float:
        """Seconds of what `seconds` says for the same stage and request that are transport, half of them each way."""


class Ideal:
    """The ideal clock: computation takes no time; what remains is what the architecture costs."""

    name = "ideal"

    def reset(self, seed: int) -> None:
        pass

    def seconds(self, stage: str, request: str, measured: float) -> float:
        return 0.0

    def lag(self, stage: str, request: str) -> float:
        return 0.0


class Live(Ideal):
    """The clock on the wall, of a call in real time: computing delays what it delays, and is not charged once more."""

    name = "live"


class Measured:
    """The realtime clock of this machine: work costs what it took.

    Work that streams keeps up within its frame or shows as late frames in `step_seconds`; it adds no lag.
    """

    name = "measured"

    def reset(self, seed: int) -> None:
        pass

    def seconds(self, stage: str, request: str, measured: float) -> float:
        return measured

    def lag(self, stage: str, request: str) -> float:
        return 0.0


class Declared:
    """The realtime clock of a declared deployment: each stage log-normal, seeded.

    A draw depends on (seed of the profile, seed of the conversation, stage, request) and on nothing else: not on
    the order of requests, and not on the agent.

    Args:
        name: of the profile, shown beside every number measured on it.
        stages: stage -> {"p50": seconds, "p95": seconds}; further keys (source) are for readers.
        seed: of the profile.
    """

    def __init__(self, name: str, stages: Mapping[str, Mapping[str, object]], seed: int = 0):
        self.name = name
        self.profile_seed = seed
        self.stages = {stage: log_normal(stage, quantiles) for stage, quantiles in stages.items()}
        self.reset(0)

    def reset(self, seed: int) -> None:
        self.conversation_seed = seed

    def seconds(self, stage: str, request: str, measured: float) -> float:
        return self.draw(stage, request)

    def lag(self, stage: str, request: str) -> float:
        return self.draw(stage, request)

    def draw(self, stage: str, request: str) -> float:
        if stage not in self.stages:
            raise ValueError(f"latency profile {self.name!r} declares no stage {stage!r}, only "
                             f"{', '.join(sorted(self.stages))}; add it with p50 and p95 in seconds")
        mean, deviation = self.stages[stage]
        key = f"{self.profile_seed}|{self.conversation_seed}|{stage}|{request}".encode()
        uniform = (int.from_bytes(hashlib.sha256(key).digest()[:8], "big") + 0.5) / 2.0**64
        return math.exp(mean + deviation * NormalDist().inv_cdf(uniform))


def log_normal(stage: str, quantiles: Mapping[str, object]) -> tuple[float, float]:
    """Mean and deviation of the logarithm from the 50th and 95th percentile."""
    p50, p95 = quantiles.get("p50"), quantiles.get("p95")
    if not isinstance(p50, int | float) or not isinstance(p95, int | float) or not 0.0 < p50 <= p95:
        raise ValueError(f"latency stage {stage!r} needs 0 < p50 <= p95 in seconds, not p50={p50}, p95={p95}")
    return math.log(p50), math.log(p95 / p50) / Z95
