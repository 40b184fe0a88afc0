"""Turn detectors side by side on one phrase, for `turn_detection_curve.py`: each at many settings, all on the same ears.

The ears hear a phrase once and nobody finishes their utterance, so that a detector that was wrong about a pause is asked again at
the next one, with the words from before. What slow models say is remembered: the same sound or text is not asked for twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig
from turn_model_alone import TurnModelAlone
from turn_phrases import Outcome, Phrase, Said, led_to, outcome, spoken

from duplex.frame import SILENCE, Frame
from duplex.manifest import CHECKOUT
from duplex.stages.hearing.ears import Ears
from duplex.stages.hearing.stt import Recogniser
from duplex.stages.hearing.vad import VAD, SpeechDetector
from duplex.stages.language.chat_model import ChatModel, Function, Message, Piece
from duplex.stages.language.llm import Dialogue
from duplex.stages.language.manager import Manager
from duplex.stages.turns.chat_turn import ChatTurn
from duplex.stages.turns.endpoint import Endpointing, Listens
from duplex.stages.turns.smart_turn import SoundModel
from duplex.workers import Charged

THRESHOLDS: Final = (0.005, 0.015, 0.03, 0.06, 0.12, 0.25, 0.45, 0.7)
TIRING_FRAMES: Final = 15  # 1.2 s, longer than any pause in the suites
SECONDS: Final = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2)


class Sweep(NamedTuple):
    """A detector and what is turned on it, from hasty to patient.

    Attributes:
        config: its name in `configs/endpointing`.
        parameter: of the constructor.
        reads: it goes by the words, so it waits until the last of them have come, as the agents do.
    """

    config: str
    parameter: str
    values: tuple[float, ...]
    unit: str
    reads: bool


SWEEPS: Final[Mapping[str, Sweep]] = {
    "silence": Sweep("silence", "seconds", SECONDS, "s", False),
    "silero": Sweep("silero", "timeout", tuple(round(seconds - 0.2, 1) for seconds in SECONDS), "s", False),
    "turn_model": Sweep("two_stage", "threshold", THRESHOLDS, "", True),
    "two_stage": Sweep("two_stage", "threshold", THRESHOLDS, "", True),
    "completion": Sweep("completion", "threshold", THRESHOLDS[2:], "", True),
    "smart_turn": Sweep("smart_turn", "threshold", (0.02, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99), "", False),
    "chat": Sweep("chat", "slow", (0.6, 1.0, 1.5, 2.0, 3.0), "s", True)}


class Setting(NamedTuple):
    """A detector at one value of its parameter."""

    detector: str
    value: float
    endpointing: Endpointing
    reads: bool


class Found(NamedTuple):
    """What a phrase brought.

    Attributes:
        outcomes: at every setting, by detector and value.
        probabilities: (time, probability) of what Smart Turn said.
        num_failed: questions to which a chat model gave no answer.
    """

    phrase: Phrase
    said: Said
    outcomes: Mapping[tuple[str, float], Outcome]
    probabilities: tuple[tuple[float, float], ...]
    num_failed: int


class Bench:
    """Ears and detectors, made once for many phrases.

    Args:
        detectors: names of `SWEEPS`.
        clock: a latency profile of `configs/latency`.
        chat: overrides of `configs/endpointing/chat.yaml`, where a chat model is among the detectors.
    """

    def __init__(self, detectors: Sequence[str], clock: str, chat: Sequence[str] = ()):
        with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
            parts = {group: compose(f"{group}/{name}")[group]
                     for group, name in (("latency", clock), ("vad", "silero"), ("stt", "sphinx"))}
            configs = {name: compose(f"endpointing/{SWEEPS[name].config}", [f"endpointing.{one}" for one in chat]
                                     if name == "chat" else [])["endpointing"] for name in detectors}
        self.worker = Charged(instantiate(parts["latency"]))
        self.vad = HeardOnce(instantiate(parts["vad"]))
        self.ears = Ears(self.vad, SpeechDetector(), Tires(instantiate(parts["stt"])), self.worker)
        self.settings = [setting for name in detectors for setting in self.swept(name, configs[name])]
        self.listeners = [one.endpointing for one in self.settings if isinstance(one.endpointing, Listens)]

    def swept(self, name: str, config: DictConfig) -> Iterator[Setting]:
        sweep = SWEEPS[name]
        plain = {name: value for name, value in config.items() if name != "_target_"}
        parts: dict[str, Any] = {}
        if "model" in config:
            model = instantiate(config["model"])
            parts["model"] = ChatOnce(model) if name == "chat" else SoundOnce(model)
        if "vad" in config:
            parts["vad"] = self.vad
        if "turn_model" in config:
            parts["turn_model"] = instantiate(config["turn_model"])
        for value in sweep.values:
            if name == "turn_model":
                made: Endpointing = TurnModelAlone(parts["turn_model"], value, config["fast"], config["slow"])
            else:
                made = get_class(config["_target_"])(**{**plain, **parts, sweep.parameter: value})
            yield Setting(name, value, made, sweep.reads)

    def hear(self, phrase: Phrase) -> Found:
        sound, said = spoken(phrase)
        dialogue = Considered(led_to(phrase))
        self.worker.reset(phrase.seed)
        self.ears.reset(phrase.seed, phrase.prompt.domain)
        for one in self.settings:
            one.endpointing.attend(phrase.prompt.domain)
        for listener in self.listeners:
            listener.reset(phrase.seed)
        calls, probabilities = self.asked((SILENCE, *sound), dialogue)
        outcomes = {(one.detector, one.value): outcome(said, calls[place]) for place, one in enumerate(self.settings)}
        failed = [listener.num_failed for listener in self.listeners if isinstance(listener, ChatTurn)]
        return Found(phrase, said, outcomes, tuple(probabilities), max(failed, default=0))

    def asked(self, sound: Sequence[Frame], dialogue: "Considered") -> tuple[list[list[float]], list[tuple[float, float]]]:
        """When each setting called the turn over, once in each pause at most; and what Smart Turn said."""
        ears, waiting = self.ears, set[int]()
        calls: list[list[float]] = [[] for _ in self.settings]
        probabilities: dict[float, float] = {}
        for frame in sound:
            self.worker.tick()
            ears.hear(frame, dialogue.expected_digits())
            for listener in self.listeners:
                for event in listener.listen(frame, ears, self.worker):
                    if "probability" in event.detail:
                        probabilities[self.worker.now] = float(str(event.detail["probability"]))
            if ears.detector.speaking:
                waiting = set(range(len(self.settings)))
            elif ears.in_utterance:
                over = {place for place in waiting if is_over(self.settings[place], ears, dialogue)}
                for place in over:
                    calls[place].append(self.worker.now)
                waiting -= over
        return calls, sorted(probabilities.items())


def is_over(one: Setting, ears: Ears, dialogue: Dialogue) -> bool:
    patient = ears.detector.silence_seconds < one.endpointing.patience(ears.hypothesis, dialogue)
    return not patient and (ears.settled or not one.reads)


class Considered(Manager):
    """A dialogue that is asked the same of the same words by many, and thinks about it once."""

    def __init__(self, dialogue: Manager):
        self.own, self.domain = dialogue.own, dialogue.domain
        self.state, self.before = dialogue.state, dialogue.before
        self.known: dict[str, float] = {}

    def completeness(self, heard: str) -> float:
        if heard not in self.known:
            self.known[heard] = super().completeness(heard)
        return self.known[heard]


class Tires:
    """A recogniser that hears no more of a silence than its first second, after which the words change no more.

    A third of a phrase is the silence in which the most patient detector waits, and it costs as much as speech.
    """

    def __init__(self, recogniser: Recogniser):
        self.recogniser = recogniser
        self.reset()

    def attend(self, domain: str) -> None:
        self.recogniser.attend(domain)

    def reset(self, seed: int = 0) -> None:
        self.recogniser.reset(seed)
        self.silent, self.said = 0, ""

    def start(self, expected_digits: int = 0) -> None:
        self.recogniser.start(expected_digits)

    def hear(self, frame: Frame) -> str:
        self.silent = 0 if frame.samples.any() else self.silent + 1
        if self.silent <= TIRING_FRAMES:
            self.said = self.recogniser.hear(frame)
        return self.said

    def finish(self) -> str:
        return self.recogniser.finish()


class HeardOnce:
    """A voice activity detector that many are given, and that hears each frame once."""

    def __init__(self, vad: VAD):
        self.vad = vad
        self.reset()

    def reset(self) -> None:
        self.vad.reset()
        self.last: Frame | None = None
        self.heard: np.ndarray = np.zeros(0, np.float32)

    def hear(self, frame: Frame) -> np.ndarray:
        if frame is not self.last:
            self.last, self.heard = frame, self.vad.hear(frame)
        return self.heard


class SoundOnce:
    """A sound model that remembers the last sounds it was asked about."""

    def __init__(self, model: SoundModel):
        self.model = model
        self.known: dict[bytes, float] = {}

    def end_probability(self, sound: np.ndarray) -> float:
        key = sound.tobytes()
        if key not in self.known:
            if len(self.known) > len(SWEEPS):  # of the phrases before
                self.known.clear()
            self.known[key] = self.model.end_probability(sound)
        return self.known[key]


class ChatOnce:
    """A chat model that remembers what it answered."""

    def __init__(self, model: ChatModel):
        self.model, self.name = model, model.name
        self.known: dict[tuple[Message, ...], list[Piece]] = {}

    def stream(self, messages: Sequence[Message], functions: Sequence[Function], seed: int) -> Iterator[Piece]:
        if tuple(messages) not in self.known:
            self.known[tuple(messages)] = list(self.model.stream(messages, functions, seed))
        yield from self.known[tuple(messages)]
