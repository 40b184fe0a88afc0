"""A link of a network: how long each packet takes, and which never come, seeded and in virtual time.

Who sends what over it is not known here: callers' lines are `duplex.packet_line`, requests between the stages of an agent
`duplex.placement`.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

DRAWS_PER_PACKET: Final = 4  # two for its jitter, one for the state of the link, one for its loss


@dataclass(frozen=True)
class Loss:
    """Loss in bursts: a chain of good and bad stretches (Gilbert, 1960; Elliott, 1963).

    Attributes:
        rate: share of all packets that is lost in the long run.
        burst: mean length of a bad stretch, in packets.
        severity: share of the packets of a bad stretch that is lost; none is in a good one.

    Raises:
        ValueError: for shares that no chain has.
    """

    rate: float = 0.0
    burst: float = 1.0
    severity: float = 1.0

    def __post_init__(self) -> None:
        if not (0.0 <= self.rate < self.severity <= 1.0 and self.burst >= 1.0 and self.enter <= 1.0):
            raise ValueError(
                f"loss needs 0 <= rate < severity <= 1 and bad stretches of at least a packet, long enough to hold that rate, "
                f"not rate={self.rate}, burst={self.burst}, severity={self.severity}")

    @property
    def bad(self) -> float:
        """Share of the packets that are sent in a bad stretch."""
        return self.rate / self.severity

    @property
    def enter(self) -> float:
        """Chance that a bad stretch begins with the next packet."""
        return self.bad / (1.0 - self.bad) / self.burst


@dataclass(frozen=True)
class Link:
    """One way from one machine to another, first in, first out.

    Attributes:
        delay: seconds that the fastest packet takes.
        jitter: mean of what a packet takes beyond that, seconds; gamma-distributed with shape 2, so its deviation is 0.71 of
            it. Nothing overtakes: who comes behind a late packet is late too.
        loss: which packets are lost.
        retransmit: None loses what is lost, as UDP does; else a lost packet comes so many seconds later, and what comes
            behind it waits for it, as on TCP.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: Loss = Loss()
    retransmit: float | None = None

    def __post_init__(self) -> None:
        if not (self.delay >= 0.0 and self.jitter >= 0.0 and (self.retransmit is None or self.retransmit >= 0.0)):
            raise ValueError(f"a link takes 0 s or more, not delay={self.delay}, jitter={self.jitter}, "
                             f"retransmit={self.retransmit}")


class Traffic:
    """Packets over a link, one after the other.

    The weather of packet n depends on `key` and n alone: not on when it is sent or what it holds, so two agents behind one
    line meet the same.

    Args:
        key: whole numbers of 0 or more: seeds, which leg it is, which direction.
    """

    def __init__(self, link: Link, key: tuple[int, ...]):
        self.link = link
        self.random = np.random.default_rng(key)
        self.is_bad: bool | None = None
        self.last = -math.inf

    def arrival(self, sent: float) -> float | None:
        """When the next packet comes, which is sent at `sent` seconds; None where it never does."""
        first, second, state, fate = self.random.random(DRAWS_PER_PACKET).tolist()
        is_lost = self.moves(state) and fate < self.link.loss.severity
        if is_lost and self.link.retransmit is None:
            return None
        late = gamma(self.link.jitter, first, second) + (self.link.retransmit or 0.0) * is_lost
        self.last = max(self.last, sent + self.link.delay + late)
        return self.last

    def moves(self, draw: float) -> bool:
        """Whether this packet meets a bad stretch."""
        loss = self.link.loss
        if self.is_bad is None:
            self.is_bad = draw < loss.bad
        else:
            self.is_bad = draw >= 1.0 / loss.burst if self.is_bad else draw < loss.enter
        return self.is_bad


def gamma(mean: float, first: float, second: float) -> float:
    """A draw of a gamma distribution of shape 2 with that mean, made of two uniform ones in [0, 1)."""
    return -mean / 2.0 * (math.log1p(-first) + math.log1p(-second))
