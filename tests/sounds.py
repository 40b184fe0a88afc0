"""Recordings of bursts, for tests that listen."""

import numpy as np
from says import bursts

from duplex.frame import SAMPLE_RATE, Event
from duplex.recording import Recording


def sound(*spans: tuple[float, float], seconds: float = 10.0, level: float = 0.1) -> np.ndarray:
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    if spans:
        said = bursts(*spans, level=level)
        samples[:len(said)] = said
    return samples


def recording(user: np.ndarray, agent: np.ndarray, *acts: Event, **more: object) -> Recording:
    return Recording(np.stack([user, agent]), events=(acts, ()), **more)  # type: ignore[arg-type]  # facts of a test
