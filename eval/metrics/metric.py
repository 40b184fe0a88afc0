"""What a table says about a metric: its unit, its direction, how its observations are summarised.

Which metrics there are stands in `eval.metrics.catalogue`; how they are summarised, in `eval.statistics`.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Better: TypeAlias = Literal["lower", "higher", "human", "neither"]
Statistic: TypeAlias = Literal["median", "p95", "rate", "mean", "ratio", "drift", "human_distance"]


@dataclass(frozen=True)
class Metric:
    """What a table says about a metric.

    Attributes:
        name: as in its observations.
        title: for people.
        unit: "s", "share", or what is counted; "/min" for a rate over time.
        better: "lower", "higher", "human" (the closer to the human value), or "neither" where it only describes.
        statistic: "median" and "p95" are Kaplan-Meier estimates, "rate" and "mean" averages over occasions, "ratio" the sum
            of values over the sum of what they are counted over, "drift" the slope per minute within conversations,
            "human_distance" how far the distribution lies from people's, beyond chance.
        explanation: one line.
        headline: whether it stands in the short table.
        tested: whether it is one of the few that were chosen beforehand to be tested together (Holm, 1979).
        human: what people do, where that is known.
        of: the observations it summarises, if they are another metric's.
        among: the metric whose occasions are all that happened, of which this one's are those that could be measured.
        family: whose rule it is: "" for ours, else the benchmark's name.
    """

    name: str
    title: str
    unit: str
    better: Better
    statistic: Statistic
    explanation: str
    headline: bool = False
    tested: bool = False
    human: float | None = None
    of: str = ""
    among: str = ""
    family: str = ""

    @property
    def observed(self) -> str:
        """The name its observations carry."""
        return self.of or self.name
