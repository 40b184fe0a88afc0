"""Smart Turn: a small network that hears in the caller's voice whether the turn is over (Daily, 2025; BSD-2-Clause).

Pipecat's default, after its strategy: it is asked when somebody pauses, and where it says that more is to come, only a long
silence ends the turn. The weights are read from the installed pipecat-ai; nothing of Pipecat is imported, nor its own VAD used.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from hashlib import sha256
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from duplex.frame import FRAME_SECONDS, Event, Frame
from duplex.stages.hearing.downsample import MODEL_RATE, Downsampler
from duplex.stages.language.llm import Dialogue
from duplex.stages.turns.endpoint import Hears
from duplex.stages.turns.pause import Question
from duplex.workers import Worker

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BUNDLED: Final = Path("audio", "turn", "smart_turn", "data", "smart-turn-v3.2-cpu.onnx")  # in pipecat-ai 1.12.0
MOST_SECONDS: Final = 8.0  # what the network hears, ending now; silence before it where there is less
BEFORE_SECONDS: Final = 0.5  # of sound before the turn's first: Pipecat's pre_speech_ms


class SoundModel(Protocol):
    """Anything that hears how likely a turn is over."""

    def end_probability(self, sound: np.ndarray) -> float:
        """Of the turn's `sound` up to now, (num_samples,) float32 at 16 kHz. The slow part: 72 ms for Smart Turn on one core."""


class SmartTurnModel:
    """The network, by onnxruntime on one core; loaded when it is first asked.

    Args:
        path: of an ONNX file of Smart Turn v3; None for the one that comes with pipecat-ai, v3.2.

    Attributes:
        facts: which weights, and their licence where they are pipecat-ai's.

    Raises:
        ImportError: onnxruntime or pipecat-ai is missing.
        FileNotFoundError: there is no such file.
    """

    def __init__(self, path: str | None = None):
        self.path = bundled() if path is None else Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"no Smart Turn model at {self.path}: give the path of smart-turn-v3.2-cpu.onnx, or none for "
                                    "the one that pipecat-ai 1.12.0 brings")
        self.facts = {"file": self.path.name, "sha256": sha256(self.path.read_bytes()).hexdigest(),
                      "licence": "BSD-2-Clause" if path is None else "unknown"}

    @cached_property
    def session(self) -> "InferenceSession":
        return loaded(self.path)

    @cached_property
    def features(self) -> Callable[[np.ndarray], np.ndarray]:
        """What the network hears of its sound: Pipecat's own, log-mel as of Whisper."""
        from loguru import logger
        logger.disable("pipecat")  # it greets on import
        from pipecat.audio.turn.smart_turn._whisper_features import compute_whisper_log_mel_features
        return compute_whisper_log_mel_features

    def end_probability(self, sound: np.ndarray) -> float:
        num_samples = round(MOST_SECONDS * MODEL_RATE)
        heard = np.zeros(num_samples, np.float32)
        kept = sound[-num_samples:]
        heard[num_samples - len(kept):] = kept
        probability, *_ = self.session.run(None, {"input_features": self.features(heard)[np.newaxis]})
        return float(np.asarray(probability).item())


class SmartTurn:
    """A short silence when the sound is that of a turn's end, a long one when it is not.

    Args:
        model: hears it.
        threshold: on its probability.
        fast: seconds of silence when over.
        slow: seconds of silence when not, or not known yet.
        ask_after: seconds of silence after which the model is asked; once in each pause.
    """

    def __init__(self, model: SoundModel, threshold: float = 0.5, fast: float = 0.2, slow: float = 3.0, ask_after: float = 0.2):
        self.model = model
        self.facts: Mapping[str, Any] = getattr(model, "facts", {})
        self.threshold = threshold
        self.fast = fast
        self.slow = slow
        self.question: Question[float] = Question(ask_after)
        self.reset(0)

    def attend(self, domain: str) -> None:
        """Changes nothing: it hears no words."""

    def reset(self, seed: int) -> None:
        self.downsampler = Downsampler()
        self.recent: deque[np.ndarray] = deque(maxlen=round(MOST_SECONDS / FRAME_SECONDS))  # at 16 kHz
        self.num_frames = 0  # of the turn so far
        self.question.reset()

    def listen(self, frame: Frame, ears: Hears, worker: Worker) -> Sequence[Event]:
        self.recent.append(self.downsampler(frame.samples))
        if not ears.in_utterance:
            self.num_frames = 0
        elif not self.num_frames or ears.onset != self.question.onset:
            self.num_frames = ceil((ears.detector.speech_seconds + BEFORE_SECONDS) / FRAME_SECONDS)
        else:
            self.num_frames += 1
        self.question.follow(ears)
        if self.question.due:
            sound = np.concatenate(list(self.recent)[-self.num_frames:])
            self.question.ask(worker.run("turn_detection", f"{len(sound)} samples", partial(self.model.end_probability, sound)))
        probability = self.question.news()
        if probability is None:
            return ()
        return (Event("turn_detection", detail={"whole": probability > self.threshold, "probability": round(probability, 4)}),)

    def patience(self, heard: str, dialogue: Dialogue) -> float:
        probability = self.question.answer
        return self.fast if probability is not None and probability > self.threshold else self.slow


def bundled() -> Path:
    """The file that comes with pipecat-ai."""
    package = find_spec("pipecat")
    if package is None or package.origin is None:
        raise ImportError("Smart Turn's weights come with pipecat-ai: pip install duplex-harness[pipecat], or give a path")
    return Path(package.origin).parent / BUNDLED


@lru_cache(maxsize=2)
def loaded(path: Path) -> "InferenceSession":
    """One session for each file in a process: it has no state of its own."""
    if find_spec("onnxruntime") is None:
        raise ImportError("Smart Turn needs onnxruntime: pip install duplex-harness[offline]")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
