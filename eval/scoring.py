"""From recordings on disk to `observations.parquet`, on several cores and in little memory.

What is measured is defined in `eval.metrics`. The file is the same to the byte, however many processes score.
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from signal import SIG_IGN, SIGINT, signal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml

from duplex.frame import Word
from duplex.recording import AGENT, Recording, load, read_log
from eval import transcript
from eval.counterfactual import FOLDER, load_otherwise
from eval.metrics.words import text_audio_word_error
from eval.observations import as_rows, as_table, refused, rows
from eval.tasks.cost import Prices, costs
from eval.transcript import Source
from eval.trust import second_opinion
from eval.trust.integrity import refusal

if TYPE_CHECKING:
    import pyarrow as pa

    from duplex.stages.hearing.stt import Recogniser

CONVERSATIONS: Final = "conversations"  # the folder of a run that has them
BATCH: Final = 8  # conversations that travel together
WORTH_A_PROCESS: Final = 40  # conversations; fewer are scored before another process has begun
AHEAD: Final = 4  # batches for each process, so that none waits and few wait for the file


@dataclass(frozen=True)
class Listening:
    """How the recordings of a run are listened to, and priced.

    Attributes:
        words: whose words of the agent metrics read; see `eval.transcript.choose`.
        recogniser: its config as YAML, for recordings without a transcript; empty where nobody listens.
        twice: which conversations Silero hears as well, relative to the run.
        prices: what their calls are priced by; None for no price.
    """

    words: Source = "spoken"
    recogniser: str = ""
    twice: frozenset[Path] = frozenset()
    prices: Prices | None = None


class Scored(NamedTuple):
    """A conversation's observations, and why there are next to none: "" for a recording that can be trusted."""

    conversation: Path
    table: "pa.Table"
    wrong: str


def scored(run: Path, folder: Path, listening: Listening) -> Scored:
    """Scores one recording; one that cannot be trusted, or not even be read, is a counted failure.

    Args:
        folder: of the recording, relative to the run.
    """
    try:
        recording = load(run / folder)
        without, wrong = otherwise(recording, run, folder), refusal(recording)
    except (ValueError, FileNotFoundError) as unreadable:
        return Scored(folder, as_table(as_rows(refused(), facts_of(run, folder), folder)), str(unreadable))
    if wrong:
        return Scored(folder, as_table(rows(recording, folder)), wrong)
    heard = words_heard(recording, run / folder, listening.recogniser)
    found = rows(transcript.choose(recording, heard, listening.words), folder, without=without)
    more = text_audio_word_error(recording.words[AGENT], heard) if heard is not None else []
    if listening.prices is not None:
        more += costs(recording, listening.prices, succeeded(found))
    if folder in listening.twice:
        more += second_opinion.disagreements(recording, run / folder)
    return Scored(folder, as_table([*found, *as_rows(more, recording.facts, folder)]), "")


def succeeded(found: Sequence[Mapping[str, Any]]) -> bool | None:
    """Whether the task was achieved; None where there was none."""
    return next((row["value"] == 1.0 for row in found if row["metric"] == "task_success"), None)


def facts_of(run: Path, folder: Path) -> Mapping[str, Any]:
    """What is known of a conversation whose recording cannot be read: its log, or else where a bench would keep it."""
    try:
        facts: Mapping[str, Any] = read_log(run / folder)["facts"]
        return facts
    except (ValueError, FileNotFoundError):
        clock, system, name = folder.parts[-3:] if len(folder.parts) > 3 else ("", "", folder.name)
        scenario, _, seed = name.rpartition("-")
        return {"clock": clock, "system": system, "scenario": scenario or name, "seed": int(seed) if seed.isdecimal() else 0}


def otherwise(recording: Recording, run: Path, folder: Path) -> Mapping[float, Recording]:
    """The same conversation without some of its acts, where a bench kept it."""
    return load_otherwise(recording, run / FOLDER / folder.relative_to(CONVERSATIONS))


def words_heard(recording: Recording, folder: Path, recogniser: str) -> Sequence[Word] | None:
    """What a recogniser heard the agent say: now, if one is given that has not heard it yet, or else before, by whomever."""
    if not recogniser:
        return transcript.kept(folder)
    by = settings_of(recogniser)
    known = transcript.kept(folder, by)
    return transcript.transcribed(recording, folder, made(recogniser), by) if known is None else known


@lru_cache(maxsize=1)
def settings_of(recogniser: str) -> Mapping[str, Any]:
    """What its transcripts depend on."""
    return transcript.about(yaml.safe_load(recogniser))


@lru_cache(maxsize=1)
def made(recogniser: str) -> "Recogniser":
    """This process's recogniser, which takes seconds to make and so is made when there is something to hear."""
    from omegaconf import DictConfig, OmegaConf

    from duplex.build import built

    config = OmegaConf.create(recogniser)
    assert isinstance(config, DictConfig)
    found: Recogniser = built(config)
    return found


def score_all(run: Path, folders: Sequence[Path], listening: Listening, processes: int = 0) -> Iterator[Scored]:
    """Scores all recordings, in the order of their names, which is that of the file.

    Args:
        folders: relative to the run.
        processes: 0 for one per core; this one alone where there is little to do.
    """
    ordered = sorted(folders, key=lambda folder: folder.as_posix())
    num = min(processes or os.cpu_count() or 1, 1 if listening.recogniser == "" and len(ordered) < WORTH_A_PROCESS else
              len(ordered))
    if num <= 1:
        yield from (scored(run, folder, listening) for folder in ordered)
        return
    pool = ProcessPoolExecutor(num, get_context("spawn"), deaf)
    try:
        waiting: deque[Future[list[Scored]]] = deque()
        for start in range(0, len(ordered), BATCH):
            waiting.append(pool.submit(score_batch, run, ordered[start:start + BATCH], listening))
            if len(waiting) > AHEAD * num:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def score_batch(run: Path, folders: Sequence[Path], listening: Listening) -> list[Scored]:
    return [scored(run, folder, listening) for folder in folders]


def deaf() -> None:
    """Ctrl-C is for the process that writes the file."""
    signal(SIGINT, SIG_IGN)
