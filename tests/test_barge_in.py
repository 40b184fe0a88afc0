"""A barge-in at every stage of every agent: it stops, says nothing stale afterwards, and answers the new request.

The caller asks for the opening hours and then, while that is being thought about, about to be said, said, or just over, where to
park. When each of these is, an undisturbed call has told.
"""

from functools import cache
from typing import Final, NamedTuple

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from says import Says, segments

from duplex.build import built
from duplex.conversation import Participant, Prompt, converse
from duplex.frame import FRAME_SECONDS, SAMPLE_RATE, Word
from duplex.manifest import CHECKOUT
from duplex.recording import AGENT, Recording
from duplex.stages.speaking.voices import voice

pytest.importorskip("espeakng_loader")
FIRST_AT: Final = 0.6
HOURS: Final = "what are your opening hours"
PARKING: Final = "wait where can i park"
STAGES: Final = ("thinking", "before the first sound", "in the middle", "in the last frame")
STOPS_WITHIN: Final = {  # seconds from the onset of the barge-in to the last sound of the old answer, by each one's own rules
    "cascade": 1.2, "incremental": 1.2, "end_to_end": 1.2,
    "cascade_livekit": 2.0,  # half a second of unbroken speech
    "pipecat": 1.2, "livekit": 2.0,
}


class Call(NamedTuple):
    """What the caller says, as (seconds, text)."""

    lines: tuple[tuple[float, str], ...]

    def held(self, agent: Participant, seconds: float) -> Recording:
        spoken = [(at, voice("dan").synthesise(text)) for at, text in self.lines]
        samples = np.zeros(round(max(at + speech.seconds for at, speech in spoken) * SAMPLE_RATE) + 1, np.float32)
        words = []
        for at, speech in spoken:
            begin = round(at * SAMPLE_RATE)
            samples[begin:begin + len(speech.samples)] += speech.samples
            words += [Word(word.text, word.start + at, word.end + at) for word in speech.words]
        return converse(Says(samples, words), agent, prompt=Prompt(domain="optician"), max_seconds=seconds)


def config(name: str) -> DictConfig:
    with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
        found = compose("bench", [f"agent={name}"])
    found.latency = found.clocks.cloud_typical
    return found


@cache
def agent(name: str) -> Participant:
    made: Participant = built(config(name).agent)
    return made


@cache
def undisturbed(name: str) -> tuple[float, float, float]:
    """When the caller's question ends, and when its answer begins and ends."""
    recording = Call(((FIRST_AT, HOURS),)).held(agent(name), 9.0)
    assert "nine" in said(recording), said(recording)
    spoken = segments(recording.audio[AGENT], pause=0.5)
    return FIRST_AT + voice("dan").synthesise(HOURS).seconds, spoken[0][0], spoken[-1][1]


def said(recording: Recording, begin: float = 0.0) -> str:
    return " ".join(word.text for word in recording.words[AGENT] if word.start >= begin)


def moment(name: str, stage: str) -> float:
    """When the barge-in begins."""
    asked, begins, ends = undisturbed(name)
    assert begins - asked > 2 * FRAME_SECONDS, "it thinks for a while on this clock"
    return {"thinking": (asked + begins) / 2, "before the first sound": begins - FRAME_SECONDS,
            "in the middle": (begins + ends) / 2, "in the last frame": ends - FRAME_SECONDS}[stage]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", STOPS_WITHIN)
def test_it_stops_and_answers_the_new_request(name: str, stage: str) -> None:
    at = moment(name, stage)
    recording = Call(((FIRST_AT, HOURS), (at, PARKING))).held(agent(name), at + 9.0)
    over = at + voice("dan").synthesise(PARKING).seconds
    spoken = segments(recording.audio[AGENT], pause=0.5)
    before = [end for begin, end in spoken if begin < over]
    assert not before or before[-1] < at + STOPS_WITHIN[name], (spoken, at)
    answer = said(recording, over)
    assert "parking" in answer, recording.events[AGENT]
    assert stage == "thinking" or "nine" not in answer, "what was dropped is not said later"
