"""One conversation as the report page draws it: peaks, segments, words, events and latency brackets.

How it looks is decided in `html/`; what its sounds mean, in `eval.timeline`; what is kept of it beside itself, as it
goes when the caller leaves an act out, in `eval.counterfactual`.
"""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from duplex.frame import FRAME_BY_FRAME, SAMPLE_RATE, Event
from duplex.recording import AGENT, PARTIES, Recording
from eval.activity import activity, units
from eval.counterfactual import FOLDER, load_otherwise
from eval.metrics.catalogue import GROUPS
from eval.metrics.switch import MACHINE_SECONDS
from eval.report.lost import notes, task_of
from eval.tasks.call import Call, call_of
from eval.timeline import timeline

PEAKS_PER_SECOND: Final = 100
PEAK_FULL_SCALE: Final = 127  # of int8
QUIETEST_PEAK: Final = 0.05  # a recording of silence is drawn flat, not blown up
BRACKETS: Final = ("switch_latency", "interruption_response", "stop_latency")  # from `start`, lasting `value`
SAID_TWICE: Final = ("answer_delay", "zone_", "yield_rate_half_second", "yield_rate_two_seconds", "_excess")  # by others
TELLING: Final = frozenset(
    metric.observed for group in ("Taking the floor", "Interruptions", "What claims nothing") for metric in GROUPS[group]
    if not any(part in metric.name for part in SAID_TWICE)) | {"false_response", "task_success", "prepared_in_vain"}

Plain = dict[str, Any]  # what JSON can hold


@dataclass(frozen=True)
class Conversation:
    """A recording with what was measured in it.

    Attributes:
        identity: clock/system/scenario-seed, its address in the page and below `conversations/`.
        observed: rows of `observations.parquet` that belong to it and `is_told`.
        without: the same as it goes without one of the caller's acts, by its onset.
    """

    identity: str
    recording: Recording
    observed: Sequence[Mapping[str, Any]]
    without: Mapping[float, Recording] = field(default_factory=dict)

    @cached_property
    def call(self) -> Call:
        return call_of(self.recording, timeline(self.recording))

    @cached_property
    def task(self) -> list[str] | None:
        """What became of its task, as of `task_of`."""
        return task_of(self.call)


def is_told(metric: str) -> bool:
    """Whether an opened conversation shows what was observed of a metric: all that happened at a moment, said once."""
    return metric in TELLING or metric.startswith("part_")


def otherwise(run_folder: Path, identity: str, recording: Recording) -> dict[float, Recording]:
    """The conversation as it goes without each of the acts for which a bench has kept that."""
    return load_otherwise(recording, run_folder / FOLDER / identity)


def index_entry(conversation: Conversation) -> Plain:
    """What the list of conversations needs to show, filter and search one."""
    recording = conversation.recording
    facts = recording.facts
    return plain({
        "id": conversation.identity,
        "scenario": facts.get("scenario", ""), "category": facts.get("category", ""),
        "system": facts.get("system", ""), "clock": facts.get("clock", ""), "seed": facts.get("seed", 0),
        "seconds": round(recording.seconds, 2),
        "outcomes": outcomes(conversation),
        "task": conversation.task,
        "bars": [[round(100 * edge) for segment in activity(channel) for edge in segment] for channel in recording.audio],
        "text": " ".join(word.text for party in recording.words for word in party),
    })


def details(conversation: Conversation) -> Plain:
    """Everything else, needed once a conversation is opened."""
    recording, heard = conversation.recording, conversation.call.timeline
    return plain({
        "id": conversation.identity,
        "audio": quote(f"conversations/{conversation.identity}/audio.wav"),
        "peaks": peaks(recording.audio), "peaksPerSecond": PEAKS_PER_SECOND,
        "segments": [[[start, end] for start, end in party] for party in (heard.user, heard.agent)],
        "acts": [[act.kind, round(act.start, 3), round(act.end, 3), act.text, act.expects] for act in heard.acts],
        "words": [[[word.text, round(word.start, 3), round(word.end, 3)] for word in party] for party in recording.words],
        "decisions": [event_row(event) for event in heard.events if event.kind not in FRAME_BY_FRAME],
        "brackets": brackets(conversation.observed),
        "observed": [[row["metric"], row["value"], row["start"], bool(row["censored"])] for row in conversation.observed],
        "without": [without(conversation.identity, onset, other) for onset, other in sorted(conversation.without.items())],
        "expect": recording.facts.get("expect") or {}, "notes": notes(conversation.call, conversation.task),
        "voice": recording.facts.get("voice", ""),
        "endedBy": recording.ended_by, "failure": recording.failure,
    })


def without(identity: str, onset: float, other: Recording) -> Plain:
    """What the agent does when an act is left out: when it speaks, what it says, how it sounds."""
    return {
        "kind": other.facts["without"]["kind"], "onset": round(onset, 3), "seconds": round(other.seconds, 2),
        "audio": quote(f"{FOLDER}/{identity}/{round(1000 * onset)}/audio.wav"),
        "segments": [[start, end] for start, end in units(other)[AGENT] if end > onset],
        "text": " ".join(word.text for word in other.words[AGENT] if word.end > onset),
    }


def event_row(event: Event) -> list[Any]:
    return [event.kind, round(event.start, 3), round(event.end, 3), dict(event.detail)]


def peaks(audio: np.ndarray) -> str:
    """Lowest and highest sample of each 10 ms; (2, num_samples) -> base64 of int8 (2, num_peaks, 2).

    Both channels share a scale, so that a soft party looks soft.
    """
    hop = SAMPLE_RATE // PEAKS_PER_SECOND
    num_peaks = -(-audio.shape[1] // hop)
    padded = np.zeros((len(PARTIES), num_peaks * hop), np.float32)
    padded[:, : audio.shape[1]] = audio
    hops = padded.reshape(len(PARTIES), num_peaks, hop)
    scale = PEAK_FULL_SCALE / max(QUIETEST_PEAK, float(np.abs(padded).max(initial=0.0)))
    ends = np.stack([hops.min(axis=2), hops.max(axis=2)], axis=2) if num_peaks else hops[:, :, :2]
    return base64.b64encode(np.rint(ends * scale).astype(np.int8).tobytes()).decode("ascii")


def brackets(observed: Iterable[Mapping[str, Any]]) -> list[list[Any]]:
    """What was measured as a span of time, to be drawn where it was: [metric, start, end, censored]."""
    return [[row["metric"], round(row["start"], 3), round(row["start"] + row["value"], 3), bool(row["censored"])]
            for row in observed if row["metric"] in BRACKETS]


def outcomes(conversation: Conversation) -> list[str]:
    """What went wrong, for the filter: "crashed", "failed task", "false start", "unanswered", "late"."""
    def values(metric: str) -> list[float]:
        return [row["value"] for row in conversation.observed if row["metric"] == metric]
    happened = {
        "crashed": conversation.recording.failure is not None,
        "failed task": 0.0 in values("task_success"),
        "false start": 1.0 in values("pause_false_start"),
        "unanswered": any(row["metric"] == "switch_latency" and row["censored"] for row in conversation.observed),
        "late": any(value > MACHINE_SECONDS for value in values("switch_latency")),
    }
    return [outcome for outcome, did in happened.items() if did]


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return value


def folders(run_folder: Path) -> list[Path]:
    """The folder of every whole conversation of a run, those of one scenario beside each other."""
    return sorted(log.parent for log in run_folder.glob("conversations/*/*/*/log.json"))
