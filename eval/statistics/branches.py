"""How much of what happens follows a few branches: the share of the commonest values of each group.

The five commonest of few occasions are common by luck: their share is too high, 61 % in place of 12 % where forty
branches are equally common and ten calls of each of six groups were seen. So the lower end of an interval is of another
share, which is too low: how much of each conversation follows the branches that are the commonest in the others. What
the values are is decided elsewhere.
"""

from typing import Final

import numpy as np

from eval.statistics.proportions import rate_interval

BRANCHES: Final = 5  # of each group


class Branches:
    """Occasions sorted by their value within their group, so that weighing them anew costs one pass.

    Args:
        values: (num_occasions,) float; equal ones are the same branch.
        groups: (num_occasions,) names or numbers; each group has commonest branches of its own.
    """

    def __init__(self, values: np.ndarray, groups: np.ndarray):
        _, group = np.unique(groups, return_inverse=True)
        self.order = np.lexsort((values, group))
        group, values = group[self.order], values[self.order]
        is_first = np.append(True, (np.diff(group) != 0) | (np.diff(values) != 0))[:len(values)]
        self.starts = np.flatnonzero(is_first)  # of the branches
        self.branch = np.cumsum(is_first) - 1  # of each occasion, in order
        first = np.flatnonzero(np.append(True, np.diff(group[self.starts]) != 0))[:len(self.starts)]
        self.groups = [slice(start, end) for start, end in zip(first, [*first[1:], len(self.starts)], strict=True)]

    def shares(self, weights: np.ndarray) -> np.ndarray:
        """The share of the occasions, of all groups together, whose value is one of the five commonest of their group.

        Args:
            weights: (num_rows, num_occasions) how often each occasion counts.
        """
        counts = np.add.reduceat(weights[:, self.order].astype(np.int32), self.starts, axis=1)
        common = np.zeros(len(counts), np.int64)
        for own in (counts[:, group] for group in self.groups):
            common += (own if own.shape[1] <= BRANCHES else np.partition(own, -BRANCHES, axis=1)[:, -BRANCHES:]).sum(axis=1)
        total = counts.sum(axis=1)
        return np.where(total > 0, common / np.maximum(total, 1), np.nan)

    def interval(self, members: np.ndarray, num_conversations: int) -> tuple[float, float]:
        """From the lower end of the share that follows the others' five branches, which is expected below the true one, to
        the upper end of the share that follows its own, which is expected above.

        Args:
            members: (num_occasions,) index of the conversation of each.
        """
        occasions = np.bincount(members, minlength=num_conversations).astype(float)
        others, own = np.zeros(num_conversations), np.zeros(num_conversations)
        for group in self.groups:
            inside = np.flatnonzero((self.branch >= group.start) & (self.branch < group.stop))
            names, who = np.unique(members[self.order[inside]], return_inverse=True)
            counts = np.zeros((len(names), group.stop - group.start))
            np.add.at(counts, (who, self.branch[inside] - group.start), 1.0)
            total = counts.sum(axis=0)
            np.add.at(others, names, (counts * chosen(total - counts)).sum(axis=1))
            np.add.at(own, names, (counts * chosen(total[None])).sum(axis=1))
        return rate_interval(others, occasions)[0], rate_interval(own, occasions)[1]


def chosen(counts: np.ndarray) -> np.ndarray:
    """The chance of each branch to be among the five commonest of its row, where ties are broken by lot, (num_rows,
    num_branches); one that never happened is none of them."""
    if counts.shape[1] <= BRANCHES:
        return (counts > 0.0).astype(float)
    fifth = np.partition(counts, -BRANCHES, axis=1)[:, -BRANCHES, None]
    above, tied = counts > fifth, counts == fifth
    places = (BRANCHES - above.sum(axis=1, keepdims=True)) / tied.sum(axis=1, keepdims=True)
    return np.where(counts > 0.0, above + tied * places, 0.0)
