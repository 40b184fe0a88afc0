"""A made-up data set in the folders of Full-Duplex-Bench: bursts, and annotations that fit them."""

import json
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from says import bursts

from duplex.frame import SAMPLE_RATE

TURN: Final = (0.5, 4.5)
PAUSED: Final = ((0.5, 1.5), (2.3, 3.5))
CONTEXT: Final = (0.5, 1.5)
INTERRUPTION: Final = (4.0, 5.63)
ASIDE: Final = (4.0, 4.3)


def turn_taking(folder: Path, rate: int = SAMPLE_RATE) -> Path:
    """A turn, answered by its original partner after 0.4 s."""
    wav(folder / "input.wav", 10.0, TURN, rate=rate)
    return annotated(folder, "turn_taking.json", [{"text": "[TURN-TAKING]", "timestamp": [4.5, 4.9]}])


def pause_handling(folder: Path) -> Path:
    wav(folder / "input.wav", 3.6, *PAUSED)
    return annotated(folder, "pause.json", [{"text": "[PAUSE]", "timestamp": [1.5, 2.3]}])


def interruption(folder: Path) -> Path:
    wav(folder / "input.wav", 12.0, CONTEXT, INTERRUPTION)
    return annotated(folder, "interrupt.json", [{"context": "hours", "interrupt": "parking", "timestamp": [4.0, 5.63]}])


def backchannel(folder: Path, distribution: bool = True) -> Path:
    """A clip of 20 s, in which people would most like to be heard after 10 s."""
    wav(folder / "input.wav", 20.0, (0.5, 19.5))
    if distribution:
        weights = [0.001] * 50 + [0.9] + [0.001] * 50
        annotated(folder.parent, "icc_gt_distribution.json", {folder.name: weights})
    return annotated(folder, "transcription.json", [{"text": "so", "timestamp": [0.5, 0.7]}])


def overlap(folder: Path) -> Path:
    """Of version 1.5; the folder above tells what overlaps."""
    wav(folder / "input.wav", 10.0, CONTEXT, ASIDE)
    wav(folder / "clean_input.wav", 10.0, CONTEXT)
    return annotated(folder, "metadata.json", {
        "context_text": "hours", "current_turn_text": "uh huh", "timestamps": [4.0, 4.3]})


def wav(path: Path, seconds: float, *spans: tuple[float, float], rate: int = SAMPLE_RATE) -> None:
    """Noise in `spans`: two pieces of it are never alike."""
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    said = bursts(*spans)
    samples[:len(said)] = said * np.random.default_rng(0).uniform(0.5, 1.5, len(said))
    path.parent.mkdir(parents=True, exist_ok=True)
    if rate != SAMPLE_RATE:
        import soxr
        samples = soxr.resample(samples, SAMPLE_RATE, rate)
    soundfile.write(str(path), samples, rate, subtype="PCM_16")


def annotated(folder: Path, name: str, found: object) -> Path:
    """Writes an annotation; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(found), encoding="utf-8")
    return folder
