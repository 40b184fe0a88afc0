"""Where the stages of an agent stand, and what the network between them adds to what they compute.

A hub and its spokes: every request goes from the agent's edge to the region of a stage and back, as the frameworks'
orchestrators ask hosted services over connections that are open already. The caller's own way to the edge is a line
(`duplex.packet_line`), and so is the way to a speech model that listens and speaks all the time: it is asked nothing.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from duplex.latency import Charges, Declared
from duplex.network import gamma

CONTINUED: Final = ("tts_piece",)  # comes behind what has travelled already, and asks for nothing
STREAMED: Final = ("speech_lm",)  # no request at all


class RoundTrips:
    """Round trips between regions, in seconds.

    Args:
        name: of the table, for errors.
        within: between two zones of one region.
        beside: within one zone.
        between: region -> other region -> round trip; each pair once, in either order.

    Raises:
        ValueError: for a round trip that is not positive, or a pair given twice.
    """

    def __init__(self, name: str, within: float, beside: float, between: Mapping[str, Mapping[str, float]]):
        self.name = name
        self.within = within
        self.beside = beside
        self.between: dict[frozenset[str], float] = {}
        for one, others in between.items():
            for other, seconds in others.items():
                pair = frozenset((one, other))
                if len(pair) < 2 or pair in self.between or not seconds > 0.0:
                    raise ValueError(f"round trips {name!r} need each pair of two regions once, with seconds above 0, not "
                                     f"{one} - {other}: {seconds}")
                self.between[pair] = seconds
        self.regions = tuple(sorted(frozenset().union(*self.between)))

    def seconds(self, one: str, other: str) -> float:
        """The shortest round trip between two places; "REGION/ZONE" says in which zone of a region a place is.

        Raises:
            ValueError: for a place that nobody knows, or two of which nobody measured the way.
        """
        (region, _, zone), (other_region, _, other_zone) = one.partition("/"), other.partition("/")
        for place in (region, other_region):
            if place not in self.regions:
                raise ValueError(f"round trips {self.name!r} know no region {place!r}, only {', '.join(self.regions)}")
        if region == other_region:
            return self.beside if zone and zone == other_zone else self.within
        pair = frozenset((region, other_region))
        if pair not in self.between:
            known = sorted(next(iter(other - {region})) for other in self.between if region in other)
            raise ValueError(f"round trips {self.name!r} have no way from {region} to {other_region}, only to {', '.join(known)}")
        return self.between[pair]


class Placed:
    """A clock whose stages stand in regions: what they compute, and the way to them and back.

    Each request pays a round trip between the edge and the region of its stage. Streamed hypotheses run behind the sound by
    one as well: the sound travels there and the words travel back. The pieces of a speech that comes in pieces travel behind
    one another, so only the first pays. A draw depends on (seed of the profile, seed of the conversation, stage, request) and
    on nothing else, as `Declared` draws.

    Args:
        name: of the profile, shown beside every number measured on it.
        compute: what the stages cost where they stand.
        edge: the region, or "REGION/ZONE", where the agent itself runs and the caller's line ends.
        stages: stage -> region, or "REGION/ZONE"; a stage that is not named runs within the agent and travels nowhere.
        round_trips: between the regions.
        jitter: mean of what each round trip takes beyond the shortest, seconds; gamma-distributed with shape 2.
        seed: of the profile.

    Raises:
        ValueError: for a region that the table does not know, a stage that `compute` does not declare, or one that cannot be
            placed by round trips.
    """

    def __init__(self, name: str, compute: Charges, edge: str, stages: Mapping[str, str], round_trips: RoundTrips,
                 jitter: float = 0.0, seed: int = 0):
        if not jitter >= 0.0:
            raise ValueError(f"jitter is 0 s or more, not {jitter}")
        for stage in stages:
            check(stage, compute)
        self.name = name
        self.compute = compute
        self.legs = {stage: round_trips.seconds(edge, region) for stage, region in stages.items()}
        self.jitter = jitter
        self.profile_seed = seed
        self.reset(0)

    def reset(self, seed: int) -> None:
        self.compute.reset(seed)
        self.conversation_seed = seed

    def seconds(self, stage: str, request: str, measured: float) -> float:
        return self.compute.seconds(stage, request, measured) + self.transport(stage, request)

    def lag(self, stage: str, request: str) -> float:
        return self.compute.lag(stage, request) + self.transport(stage, request)

    def transport(self, stage: str, request: str) -> float:
        """Seconds of a request's charge that are spent on the way, half of them each way."""
        if stage in CONTINUED or stage not in self.legs:
            return 0.0
        key = f"{self.profile_seed}|{self.conversation_seed}|way|{stage}|{request}".encode()
        digest = hashlib.sha256(key).digest()
        first, second = (int.from_bytes(digest[place: place + 8], "big") / 2.0**64 for place in (0, 8))
        return self.legs[stage] + gamma(self.jitter, min(first, 1.0 - 2.0**-53), min(second, 1.0 - 2.0**-53))


def check(stage: str, compute: Charges) -> None:
    if stage in STREAMED:
        raise ValueError(f"stage {stage!r} is asked nothing: a model that streams stands at the end of the caller's line, "
                         "so give it a longer one with perturb=")
    if isinstance(compute, Declared) and stage not in compute.stages:
        raise ValueError(f"latency profile {compute.name!r} declares no stage {stage!r} that could be placed, only "
                         f"{', '.join(sorted(compute.stages))}")
