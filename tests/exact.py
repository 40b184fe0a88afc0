"""Agents made of exact parts, and users who say given lines at given times: for tests that count frames.

The recogniser is told the words, voice activity is a level, the turn model knows the domain's phrases by heart.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import numpy as np
from says import Says

from duplex.agents.cascade import Cascade
from duplex.agents.incremental import Incremental
from duplex.conversation import Participant, Prompt, converse
from duplex.frame import FRAME_SECONDS, SAMPLE_RATE, Event, Frame, Word
from duplex.latency import Ideal
from duplex.recording import AGENT, Recording
from duplex.speech import Speech
from duplex.stages.hearing.stt import Oracle
from duplex.stages.hearing.vad import EnergyVad, SpeechDetector
from duplex.stages.language.domain import domain
from duplex.stages.language.manager import Manager
from duplex.stages.speaking.tts import Espeak
from duplex.stages.turns.endpoint import Completion, TwoStage
from duplex.workers import Charged

CALLER: Final = "en-us+klatt4"
RECORDS: Final = {
    "orders": {"one two three four five": {"status": "has shipped", "day": "friday"}},
    "appointments": {"caller": {"day": "monday", "time": "nine in the morning"}}}
PROMPT: Final = Prompt("You work for an optician.", RECORDS)
CLOUD: Final = {"stt_partial": 0.2, "stt_final": 0.25, "llm": 0.36, "tts": 0.13}


@cache
def spoken(text: str, voice: str = "en-us") -> Speech:
    return Espeak(voice).synthesise(text)


class Voice:
    """The agent's voice, each text rendered once."""

    name = "exact"

    def synthesise(self, text: str) -> Speech:
        return spoken(text)


class Whole:
    """A turn model that is sure: a whole phrase of the domain ends a turn, and nothing else does."""

    def __init__(self) -> None:
        self.phrases = domain("optician").phrases

    def end_probability(self, words: list[str]) -> float:
        return float(self.phrases.whole(words))

    def of(self, domain: str) -> "Whole":
        return self


class Costs:
    """Charges by stage, the same for every request; what is not named costs nothing."""

    name = "costs"

    def __init__(self, **stages: float):
        self.stages: Mapping[str, float] = stages

    def reset(self, seed: int) -> None:
        pass

    def seconds(self, stage: str, request: str, measured: float) -> float:
        return self.stages.get(stage, 0.0)

    def lag(self, stage: str, request: str) -> float:
        return self.stages.get(stage, 0.0)


def parts(**changed: Any) -> dict[str, Any]:  # keyword arguments of several types
    made = {"vad": EnergyVad(), "detector": SpeechDetector(start_windows=2), "recogniser": Oracle(),
            "dialogue": Manager(), "tts": Voice(), "worker": Charged(Ideal())}
    return {**made, **changed}


def cascade(**changed: Any) -> Cascade:
    return Cascade(**{"endpointing": TwoStage(Whole()), "prepare_after": 0.0, **parts(**changed)})


def incremental(**changed: Any) -> Incremental:
    return Incremental(**{"completion": Completion(Whole()), **parts(**changed)})


def lines(*said: tuple[float, str | np.ndarray]) -> Speech:
    """What a user says: texts, or sounds without words, each from its time in seconds on."""
    speeches = [(at, spoken(what, CALLER) if isinstance(what, str) else Speech(what)) for at, what in said]
    samples = np.zeros(max(round(at * SAMPLE_RATE) + len(speech.samples) for at, speech in speeches), np.float32)
    words: list[Word] = []
    for at, speech in speeches:
        samples[round(at * SAMPLE_RATE):][: len(speech.samples)] += speech.samples
        words += [Word(word.text, word.start + at, word.end + at) for word in speech.words]
    return Speech(samples, tuple(words))


def user(*said: tuple[float, str | np.ndarray]) -> Participant:
    speech = lines(*said)
    return Says(speech.samples, speech.words)


def call(agent: Participant, *said: tuple[float, str | np.ndarray], seconds: float = 12.0, seed: int = 0) -> Recording:
    return converse(user(*said), agent, prompt=PROMPT, seed=seed, max_seconds=seconds)


def heard_from_agent(recording: Recording, start: float = 0.0) -> str:
    """The words that the agent began to say from `start` seconds on."""
    return " ".join(word.text for word in recording.words[AGENT] if word.start >= start)


def events(recording: Recording, *kinds: str) -> list[Event]:
    return [event for event in recording.events[AGENT] if event.kind in kinds]


def frame_of(event: Event) -> int:
    return round(event.start / FRAME_SECONDS)


def after(at: float, what: str) -> float:
    """When a line said at `at` seconds is over."""
    return at + spoken(what, CALLER).words[-1].end


def quiet(num_frames: int) -> list[Frame]:
    return [Frame(np.zeros(round(FRAME_SECONDS * SAMPLE_RATE), np.float32)) for _ in range(num_frames)]
