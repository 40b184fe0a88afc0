"""Which of the observations a statistic reads, of one system or of two on what they have in common, and what is drawn.

Nothing is estimated here.
"""

import math
from collections.abc import Sequence

import numpy as np

from eval.metrics.metric import Statistic
from eval.statistics.bootstrap import PASSES, Sample, only, sides
from eval.statistics.repeats import tasks


def read(sample: Sample, statistic: Statistic) -> tuple[Sample, Statistic]:
    """What is read, and which statistic of it is computed: a ratio of chances taken, and pass^k over tasks, are rates."""
    if statistic in PASSES:
        return tasks(sample, statistic), "rate"
    if statistic == "ratio" and counts_chances(sample):
        return chances(sample), "rate"
    return usable(sample, statistic), statistic


def read_both(first: Sample, second: Sample, statistic: Statistic,
              conversations: Sequence[str] | Sequence[int] | np.ndarray | None = None) -> tuple[
                  list[Sample], np.ndarray, Statistic]:
    """The same of two systems on the conversations that both had, with the names of what is drawn.

    Args:
        conversations: what both recorded, occasions or not; None for those with occasions of both.
    """
    common = np.intersect1d(first.conversations, second.conversations) if conversations is None else np.unique(
        np.asarray(conversations))
    if statistic == "ratio" and counts_chances(first) and counts_chances(second):
        first, second, statistic = chances(first), chances(second), "rate"
    draws_groups = statistic in PASSES or statistic == "contrast"
    samples = [only(sample, np.isin(sample.conversations, common)) for sample in (first, second)]
    if statistic in PASSES:
        samples, statistic = [tasks(sample, statistic) for sample in samples], "rate"
    else:
        samples = [usable(sample, statistic) for sample in samples]
    if draws_groups:
        common = np.intersect1d(samples[0].conversations, samples[1].conversations)
        samples = [only(sample, np.isin(sample.conversations, common)) for sample in samples]
    return samples, common, statistic


def usable(sample: Sample, statistic: Statistic) -> Sample:
    """The occasions that a statistic is about.

    A drift has no use for censored values, nor for a share of nothing, nor for a conversation that has all its occasions
    at one time. A contrast has none for a group that stands on one side alone; its groups are what is drawn.
    """
    if statistic == "contrast":
        return of_both_sides(sample if sample.groups is None else sample._replace(conversations=sample.groups))
    if statistic != "drift":
        return sample
    assert sample.starts is not None
    per = np.ones(len(sample.values)) if sample.per is None else sample.per
    kept = ~sample.censored.astype(bool) & (per > 0.0)
    names, members = np.unique(sample.conversations, return_inverse=True)
    first, last = np.full(len(names), math.inf), np.full(len(names), -math.inf)
    np.minimum.at(first, members[kept], sample.starts[kept])
    np.maximum.at(last, members[kept], sample.starts[kept])
    return only(sample, kept & (first < last)[members])


def of_both_sides(sample: Sample) -> Sample:
    above, below = sides(sample)
    both = np.intersect1d(sample.conversations[above], sample.conversations[below])
    return only(sample, (above | below) & np.isin(sample.conversations, both))


def counts_chances(sample: Sample) -> bool:
    """Whether a ratio is a rate: each occasion was a chance or none, and was taken or not."""
    return sample.per is not None and len(sample.values) > 0 and bool(
        np.isin(sample.per, (0.0, 1.0)).all() and np.isin(sample.values, (0.0, 1.0)).all()
        and (sample.values <= sample.per).all())


def chances(sample: Sample) -> Sample:
    assert sample.per is not None
    return only(sample, sample.per > 0.0)
