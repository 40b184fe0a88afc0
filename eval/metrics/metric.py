"""What a table says about a metric: its unit, its direction, how its observations are summarised.

Which metrics there are stands in `eval.metrics.catalogue`; how they are summarised, in `eval.statistics`.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Better: TypeAlias = Literal["lower", "higher", "human", "neither"]
Statistic: TypeAlias = Literal[
    "median", "p95", "rate", "mean", "ratio", "drift", "human_distance", "pass_hat_2", "pass_hat_3", "pass_at_2", "pass_at_3",
    "contrast", "top_five"]
By: TypeAlias = Literal["", "scenario", "task", "domain"]  # columns of the observations
GROUPED: Final = ("pass_hat_2", "pass_hat_3", "pass_at_2", "pass_at_3", "contrast", "top_five")


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
            "human_distance" how far the distribution lies from people's, beyond chance; "pass_hat_3" the chance that all of
            three tries of a task succeed, "pass_at_3" that one does; "contrast" the mean of the values with `per` above zero
            minus that of those below, on the tasks that have both; "top_five" the share of the five commonest values.
        explanation: one line.
        headline: whether it stands in the short table.
        tested: whether it is one of the few that were chosen beforehand to be tested together (Holm, 1979).
        human: what people do, where that is known.
        of: the observations it summarises, if they are another metric's.
        among: the metric whose occasions are all that happened, of which this one's are those that could be measured.
        family: whose rule it is: "" for ours, else the benchmark's name.
        by: the column that groups its occasions: what a try is a try of, which occasions of a contrast belong together, whose
            commonest values are counted. Only for statistics in GROUPED.
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
    by: By = ""

    def __post_init__(self) -> None:
        if bool(self.by) != (self.statistic in GROUPED):
            wants = "names what groups its occasions (by)" if self.statistic in GROUPED else "groups nothing (by)"
            raise ValueError(f"{self.name}: a {self.statistic} {wants}, not {self.by!r}")

    @property
    def observed(self) -> str:
        """The name its observations carry."""
        return self.of or self.name
