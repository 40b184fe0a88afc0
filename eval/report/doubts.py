"""What a reader must know before believing a run: recordings that were not scored, and doubt about who speaks when.

What makes a recording untrustworthy is decided in `eval.trust.integrity`; who listens twice, in `eval.trust.second_opinion`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from eval.report.pictures import identity
from eval.scores import conversations
from eval.trust.second_opinion import FLAGGED, measured


@dataclass(frozen=True)
class Doubts:
    """What was not scored, and what may have been scored wrongly.

    Attributes:
        counts: (clock, system, conversations, failed), refused ones among the failed.
        refused: (conversation, what is wrong with its recording).
        disagreement: how much of whose speech energy and Silero do not both hear, as a share; empty where nobody listened
            twice.
        flagged_above: share from which on somebody should listen.
    """

    counts: tuple[tuple[str, str, int, int], ...]
    refused: tuple[tuple[str, str], ...]
    disagreement: Mapping[str, float]
    flagged_above: float = FLAGGED

    @property
    def flagged(self) -> dict[str, float]:
        return {whose: share for whose, share in self.disagreement.items() if share > self.flagged_above}

    @property
    def num_failed(self) -> int:
        return sum(failed for *_, failed in self.counts)

    @property
    def are_serious(self) -> bool:
        return bool(self.refused or self.flagged)


def doubts(run_folder: Path, manifest: Mapping[str, Any], observations: pd.DataFrame,
           unreadable: Sequence[tuple[str, str]]) -> Doubts:
    """What the observations and the manifest say about a run's recordings.

    Args:
        unreadable: (conversation, why) of those that could not be read for the page.
    """
    why = {identity(str(one["conversation"])): str(one["wrong"]) for one in manifest.get("refused") or ()} | dict(unreadable)
    is_refused = (observations["metric"] == "recording_refused") & (observations["value"] > 0.0)
    refused = sorted({*map(identity, observations.loc[is_refused, "conversation"]), *why})
    counted = conversations(observations)
    return Doubts(
        tuple((str(row.clock), str(row.system), int(row.conversations), int(row.failed))  # type: ignore[arg-type]  # a frame's
              for row in counted.itertuples()),
        tuple((name, why.get(name, "the recording is not what its log says")) for name in refused),
        measured(run_folder / "observations.parquet"))
