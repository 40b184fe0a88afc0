"""From recordings to `observations.parquet`: what was measured on every occasion, kept.

What is measured is defined in `eval.metrics`; how it is summarised, in `eval.scores`. The file is the same to the byte for
the same recordings: its rows are ordered by run, conversation, metric, start and value.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from duplex.recording import Recording
from eval.metrics.catalogue import METRIC_VERSION, METRICS, observations
from eval.metrics.occasions import Observation
from eval.metrics.task import conversation_failed
from eval.trust.integrity import recording_refused, refusal

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: Final = pa.schema([
    ("run", pa.string()), ("system", pa.string()), ("clock", pa.string()), ("scenario", pa.string()),
    ("category", pa.string()), ("domain", pa.string()), ("difficulty", pa.string()), ("task", pa.string()),
    ("voice", pa.string()), ("seed", pa.int64()), ("metric", pa.string()),
    ("unit", pa.string()), ("start", pa.float64()), ("value", pa.float64()), ("censored", pa.bool_()),
    ("per", pa.float64()),
    ("conversation", pa.string()), ("metric_version", pa.int64())])
ORDER: Final = ("run", "conversation", "metric", "start", "value")
ROWS_IN_MEMORY: Final = 16_384
UNITS: Final = {metric.observed: metric.unit for metric in reversed(METRICS)}
FACTS: Final = ("system", "clock", "scenario", "category", "domain", "difficulty", "task", "voice")


def rows(recording: Recording, folder: Path, run: str = "",
         without: Mapping[float, Recording] | None = None) -> list[dict[str, Any]]:
    """One row for each observation of a conversation; every conversation has at least `conversation_failed` and
    `recording_refused`, and one whose recording is refused (`eval.trust.integrity.check`) has nothing else.

    Args:
        folder: of the recording, relative to its run.
        run: name of the run; needed where runs are pooled.
        without: the same conversation without some of its acts; see `eval.counterfactual`.
    """
    found = refused() if refusal(recording) else [*observations(recording, without), *recording_refused(False)]
    return as_rows(found, recording.facts, folder, run)


def refused() -> list[Observation]:
    """What is known of a conversation whose recording cannot be trusted."""
    return [*conversation_failed(True), *recording_refused(True)]


def as_rows(found: Iterable[Observation], about: Mapping[str, Any], folder: Path, run: str = "") -> list[dict[str, Any]]:
    """Observations of a conversation with facts `about` it, as `rows`."""
    about = {**about, "task": about.get("base") or about.get("scenario")}  # with a disturbance or without it
    facts = {name: str(about.get(name) or "") for name in FACTS}
    return [
        {"run": run, **facts, "seed": int(about.get("seed", 0)), "metric": observation.metric,
         "unit": UNITS[observation.metric], "start": observation.start, "value": observation.value,
         "censored": observation.censored, "per": observation.per,
         "conversation": folder.as_posix(), "metric_version": METRIC_VERSION}
        for observation in found]


def as_table(observed: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows in the order of the file."""
    ordered = sorted(observed, key=lambda row: tuple(row[name] for name in ORDER))
    return pa.table([[row[name] for row in ordered] for name in COLUMNS.names], COLUMNS)


def write_observations(observed: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Writes one row per occasion, sorted, so that it does not matter in which order they were scored."""
    with written(path) as keep:
        keep(as_table(observed))


@contextmanager
def written(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    """Writes tables that come in the order of the file, and holds no more than a block of them in memory.

    The blocks of the file are of so many rows, however many come at a time. Whoever is interrupted leaves the old file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        with pq.ParquetWriter(part, COLUMNS, compression="snappy") as file:
            blocks = Blocks(file)
            yield blocks.keep
            blocks.flush()
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    part.replace(path)


class Blocks:
    """Rows on their way into a file, in blocks of the same size."""

    def __init__(self, file: pq.ParquetWriter):
        self.file = file
        self.waiting: list[pa.Table] = [COLUMNS.empty_table()]

    def keep(self, table: pa.Table) -> None:
        self.waiting.append(table)
        if sum(map(len, self.waiting)) >= ROWS_IN_MEMORY:
            held = pa.concat_tables(self.waiting)
            whole = len(held) // ROWS_IN_MEMORY * ROWS_IN_MEMORY
            self.file.write_table(held[:whole].combine_chunks(), ROWS_IN_MEMORY)
            self.waiting = [held[whole:].combine_chunks()]

    def flush(self) -> None:
        self.file.write_table(pa.concat_tables(self.waiting).combine_chunks())


def read_observations(path: Path) -> "pd.DataFrame":
    """What `write_observations` wrote.

    Raises:
        ValueError: when it was measured by another version of the metrics, or has not all columns.
    """
    frame: pd.DataFrame = pq.read_table(path).to_pandas()
    if missing := [name for name in COLUMNS.names if name not in frame]:
        raise ValueError(f"{path} has no {', '.join(missing)}, which are kept now; score the recordings again")
    versions = sorted(set(frame["metric_version"]) - {METRIC_VERSION})
    if versions:
        raise ValueError(f"{path} holds metrics of version {versions[0]}, this is version {METRIC_VERSION}; "
                         f"score the recordings again")
    return frame
