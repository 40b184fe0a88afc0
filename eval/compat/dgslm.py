"""dGSLM's corpus statistics of turn-taking (Nguyen et al., 2023, "Generative Spoken Dialogue Language Modeling", TACL).

What they count is `eval.turn_taking`'s and measured once, by `eval.metrics.turn_taking`: units, pauses, gaps and
overlaps of both parties. Here they bear dGSLM's name, beside the values of people, and a generated corpus is compared
with a real one. As its authors do, nothing here tells a backchannel from an interruption.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from duplex.recording import moment
from eval.metrics import human
from eval.metrics.metric import Metric
from eval.metrics.occasions import Observation
from eval.timeline import Timeline
from eval.turn_taking import gaps, overlaps, pauses

LEAST_PAIRS: Final = 3  # through two points a line always goes
FAMILY: Final = "dGSLM"

METRICS: Final[tuple[Metric, ...]] = (
    Metric("dgslm_ipus", "Inter-pausal units", "/min", "human", "ratio",
           "of both, speech bounded by 0.2 s of silence", human=human.IPUS_PER_MINUTE, of="ipus", family=FAMILY),
    Metric("dgslm_ipu_seconds", "Inter-pausal units, cumulated", "s/min", "human", "ratio",
           "of both; double talk counts twice", human=human.IPU_SECONDS_PER_MINUTE, of="ipu_seconds", family=FAMILY),
    Metric("dgslm_pauses", "Pauses", "/min", "human", "ratio",
           "silences between units of one party", human=human.PAUSES_PER_MINUTE, of="pauses", family=FAMILY),
    Metric("dgslm_pause_seconds", "Pauses, cumulated", "s/min", "human", "ratio",
           "silences between units of one party", human=human.PAUSE_SECONDS_PER_MINUTE, of="pause_seconds",
           family=FAMILY),
    Metric("dgslm_gaps", "Gaps", "/min", "human", "ratio",
           "silences between units of different parties", human=human.GAPS_PER_MINUTE, of="gaps", family=FAMILY),
    Metric("dgslm_gap_seconds", "Gaps, cumulated", "s/min", "human", "ratio",
           "silences between units of different parties", human=human.GAP_SECONDS_PER_MINUTE, of="gap_seconds",
           family=FAMILY),
    Metric("dgslm_overlaps", "Overlaps", "/min", "human", "ratio",
           "stretches in which both speak", human=human.OVERLAPS_PER_MINUTE, of="overlaps", family=FAMILY),
    Metric("dgslm_overlap_seconds", "Overlaps, cumulated", "s/min", "human", "ratio",
           "stretches in which both speak", human=human.OVERLAP_SECONDS_PER_MINUTE, of="overlap_seconds",
           family=FAMILY),
)

MEASURES: Final[tuple[Callable[[Timeline], list[Observation]], ...]] = ()


def duration_correlations(generated: Sequence[Timeline], real: Sequence[Timeline]) -> dict[str, float | None]:
    """Pearson's correlation, over pairs of a generated and a real conversation, of the mean duration of their units
    ("ipu"), pauses ("pause"), gaps ("gap") and overlaps ("overlap"): does a model speak in long turns where people did?

    The pairs stand at the same place of both lists. A pair in which either conversation has no such stretch is left
    out. None with fewer than three pairs, or where one side does not vary.

    Raises:
        ValueError: when the lists are not equally long.
    """
    if len(generated) != len(real):
        raise ValueError(f"{len(generated)} generated and {len(real)} real conversations make no pairs: "
                         "each generated one needs the real one at its place")
    pairs = [(mean_durations(ours), mean_durations(theirs)) for ours, theirs in zip(generated, real, strict=True)]
    return {kind: correlation([(ours[kind], theirs[kind]) for ours, theirs in pairs if kind in ours and kind in theirs])
            for kind in ("ipu", "pause", "gap", "overlap")}


def mean_durations(timeline: Timeline) -> dict[str, float]:
    """Mean duration in seconds by kind, of the kinds that there are."""
    units = [unit.end - unit.start for unit in (*timeline.user, *timeline.agent)]
    durations = {"ipu": units} | {
        kind: [found.end - found.start for found in stretches(timeline)]
        for kind, stretches in (("pause", pauses), ("gap", gaps), ("overlap", overlaps))}
    return {kind: moment(sum(found) / len(found)) for kind, found in durations.items() if found}


def correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    if len(pairs) < LEAST_PAIRS:
        return None
    ours, theirs = np.array(pairs).T
    if not np.ptp(ours) or not np.ptp(theirs):
        return None
    return round(float(np.corrcoef(ours, theirs)[0, 1]), 9)
