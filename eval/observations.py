"""From recordings to `observations.parquet`: what was measured on every occasion, kept.

What is measured is defined in `eval.metrics`; how it is summarised, in `eval.scores`. The file is the same to the byte for
the same recordings.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from duplex.recording import Recording
from eval.metrics.catalogue import METRIC_VERSION, metric, observations

COLUMNS: Final = pa.schema([
    ("run", pa.string()), ("system", pa.string()), ("clock", pa.string()), ("scenario", pa.string()),
    ("category", pa.string()), ("voice", pa.string()), ("seed", pa.int64()), ("metric", pa.string()),
    ("unit", pa.string()), ("start", pa.float64()), ("value", pa.float64()), ("censored", pa.bool_()),
    ("per", pa.float64()),
    ("conversation", pa.string()), ("metric_version", pa.int64())])
FACTS: Final = ("system", "clock", "scenario", "category", "voice")


def rows(recording: Recording, folder: Path, run: str = "",
         without: Mapping[float, Recording] | None = None) -> list[dict[str, Any]]:
    """One row for each observation of a conversation; every conversation has at least one, `conversation_failed`.

    Args:
        folder: of the recording, relative to its run.
        run: name of the run; needed where runs are pooled.
        without: the same conversation without some of its acts; see `eval.counterfactual`.
    """
    facts = {name: str(recording.facts.get(name) or "") for name in FACTS}
    return [
        {"run": run, **facts, "seed": int(recording.facts.get("seed", 0)), "metric": observation.metric,
         "unit": metric(observation.metric).unit, "start": observation.start, "value": observation.value,
         "censored": observation.censored, "per": observation.per,
         "conversation": folder.as_posix(), "metric_version": METRIC_VERSION}
        for observation in observations(recording, without)]


def write_observations(observed: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Writes one row per occasion, sorted, so that it does not matter in which order they were scored."""
    ordered = sorted(observed, key=lambda row: tuple(row[name] for name in (
        "run", "clock", "system", "conversation", "metric", "start", "value")))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(row) for row in ordered], COLUMNS), path, compression="snappy")


def read_observations(path: Path) -> pd.DataFrame:
    """What `write_observations` wrote.

    Raises:
        ValueError: when it was measured by another version of the metrics.
    """
    frame = pq.read_table(path).to_pandas()
    versions = sorted(set(frame["metric_version"]) - {METRIC_VERSION})
    if versions:
        raise ValueError(f"{path} holds metrics of version {versions[0]}, this is version {METRIC_VERSION}; "
                         f"score the recordings again")
    return frame
