"""What the cascade and the incremental agent owe alike: every part of a latency, the floor, and nothing stale."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import yaml
from exact import (
    CLOUD,
    PROMPT,
    Costs,
    Voice,
    after,
    call,
    cascade,
    events,
    frame_of,
    heard_from_agent,
    incremental,
    lines,
    spoken,
)

from duplex.agents.cascade import Cascade
from duplex.agents.incremental import Incremental
from duplex.conversation import ConversationFailed, Participant, Prompt, converse
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, SILENCE, Frame, Word, frozen
from duplex.latency import Declared, Ideal
from duplex.recording import AGENT, USER, Recording, save
from duplex.speech import audible
from duplex.stages.hearing.stt import Oracle
from duplex.stages.language.llm import Reply
from duplex.stages.language.manager import Manager
from duplex.workers import Charged
from eval.callers.asides import cough

pytest.importorskip("espeakng_loader")

Agent = Cascade | Incremental
Make = Callable[..., Agent]
PROFILE = Path(__file__).parents[1] / "configs" / "latency" / "cloud_typical.yaml"
REQUEST = "how much is an eye test"
PRICE = "an eye test is thirty five dollars it is free if you buy glasses on the same day"
NEW_REQUEST, PARKING = "wait where can i park", "yes there is free parking behind the store for two hours"
BEGIN = 0.4

each_agent = pytest.mark.parametrize("make", [cascade, incremental], ids=["cascade", "incremental"])
each_clock = pytest.mark.parametrize("costs", [{}, CLOUD], ids=["ideal", "cloud"])


def cloud(seed: int = 0) -> Declared:
    given = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))
    return Declared(given["name"], given["stages"], seed)


def answer_times(make: Make, costs: dict[str, float]) -> tuple[float, float]:
    """When the undisturbed answer to REQUEST begins and ends."""
    recording = call(make(worker=Charged(Costs(**costs))), (BEGIN, REQUEST))
    assert heard_from_agent(recording) == PRICE
    return audible(recording.audio[AGENT])


# What was waited for


CALL: list[tuple[float, str | np.ndarray]] = [
    (0.4, "is there parking"), (7.03, "where is my order"), (13.51, "my order number is"),
    (15.2, "one two three four five"), (25.02, "yes"), (37.7, "tell me where you are located"),
    (46.0, "thanks goodbye")]


@each_agent
@pytest.mark.parametrize("changed", [{}, {"ahead": False}, {"error": 0.3}, {"trust_partial": False}], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_the_parts_of_every_latency_sum_to_what_was_heard(make: Make, changed: dict[str, Any], seed: int) -> None:
    given: dict[str, Any] = {"recogniser": Oracle(changed.get("error", 0.0))}
    if "ahead" in changed:
        given |= {"prepare_after": None} if make is cascade else {"max_prepared": 0}
    if "trust_partial" in changed and make is cascade:
        given |= {"trust_partial": False}
    recording = call(make(worker=Charged(cloud()), **given), *CALL, seconds=55.0, seed=seed)
    answers, endpoints = events(recording, "answer"), events(recording, "endpoint")
    assert len(answers) >= 5
    for answer in answers:
        endpoint = [event for event in endpoints if event.start <= answer.start][-1]
        parts = sum(float(answer.detail.get(part, 0.0)) for part in ("stt_final", "llm", "tts", "frame"))
        assert all(float(answer.detail[part]) >= -1e-9 for part in ("llm", "tts", "frame", "lead"))
        agent = recording.audio[AGENT, round(endpoint.start * SAMPLE_RATE):]
        onset = endpoint.start + audible(agent)[0]
        offset = audible(recording.audio[USER, : round(endpoint.start * SAMPLE_RATE)])[1]
        latency = (endpoint.start - offset) + parts + float(answer.detail["lead"])
        assert onset - offset == pytest.approx(latency, abs=0.01)
        assert endpoint.detail["silence"] == pytest.approx(endpoint.start - offset, abs=0.08)


def test_a_profile_charges_the_same_work_the_same_in_both_agents() -> None:
    class Noted(Declared):
        def __init__(self) -> None:
            given = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))
            super().__init__(given["name"], given["stages"])
            self.noted: dict[tuple[str, str], float] = {}

        def draw(self, stage: str, request: str) -> float:
            cost = super().draw(stage, request)
            assert self.noted.setdefault((stage, request), cost) == cost
            return cost

    one, other = Noted(), Noted()
    for make, charges in ((cascade, one), (incremental, other)):
        call(make(worker=Charged(charges)), *CALL, seconds=55.0, seed=3)
    both = one.noted.keys() & other.noted.keys()
    assert {stage for stage, _ in both} == {"stt_partial", "stt_final", "llm", "tts"} and len(both) > 30
    assert all(one.noted[work] == other.noted[work] for work in both)


# The floor


@each_agent
@each_clock
def test_an_interruption_at_any_moment_stops_it_and_is_answered(make: Make, costs: dict[str, float]) -> None:
    over = after(BEGIN, REQUEST)
    ends = answer_times(make, costs)[1]
    agent = make(worker=Charged(Costs(**costs)))
    for at in np.arange(over + 0.1, ends + 0.3, FRAME_SECONDS):
        recording = call(agent, (BEGIN, REQUEST), (at, NEW_REQUEST), seconds=at + 7.0)
        endpoint = events(recording, "endpoint")[-1]
        assert heard_from_agent(recording, endpoint.start) == PARKING, f"interrupted at {at:.2f} s"
        speech = audible(lines((at, NEW_REQUEST)).samples)[0]
        stopped = speech + (1.4 if make is cascade else 0.45)
        assert not [word for word in recording.words[AGENT] if stopped < word.start < endpoint.start], f"at {at:.2f} s"
        before = heard_from_agent(recording)[: -len(PARKING)].strip()
        assert PRICE.startswith(before), f"at {at:.2f} s: {before}"


@each_agent
@each_clock
def test_a_backchannel_at_any_moment_stops_nothing(make: Make, costs: dict[str, float]) -> None:
    starts, ends = answer_times(make, costs)
    agent = make(worker=Charged(Costs(**costs)))
    for at in np.arange(starts, ends - 0.25, FRAME_SECONDS):
        recording = call(agent, (BEGIN, REQUEST), (at, "uh huh"), seconds=ends + 2.5)
        assert without_repeats(recording) == PRICE.split(), f"at {at:.2f} s: {heard_from_agent(recording)}"


@each_agent
@each_clock
def test_a_cough_at_any_moment_stops_nothing(make: Make, costs: dict[str, float]) -> None:
    starts, ends = answer_times(make, costs)
    agent = make(worker=Charged(Costs(**costs)))
    for at in np.arange(after(BEGIN, REQUEST) + 0.1, ends + 0.3, FRAME_SECONDS):
        recording = call(agent, (BEGIN, REQUEST), (at, cough(Random(0))), seconds=ends + 3.0)
        assert without_repeats(recording) == PRICE.split(), f"at {at:.2f} s: {heard_from_agent(recording)}"


@each_agent
@each_clock
def test_talk_to_somebody_else_is_waited_out(make: Make, costs: dict[str, float]) -> None:
    starts, ends = answer_times(make, costs)
    agent = make(worker=Charged(Costs(**costs)))
    for at in np.arange(starts + 0.9, ends - 0.8, 3 * FRAME_SECONDS):
        recording = call(agent, (BEGIN, REQUEST), (at, "john come over here a moment"), seconds=ends + 9.0)
        assert heard_from_agent(recording).endswith(PRICE.split("dollars ")[1]), f"at {at:.2f} s"
        assert "sorry" not in heard_from_agent(recording), f"at {at:.2f} s"


def without_repeats(recording: Recording) -> list[str]:
    """What the agent said, where a word that was cut off and said again counts once."""
    words = [word.text for word in recording.words[AGENT]]
    return [word for word, following in zip(words, [*words[1:], ""]) if word != following]


@each_agent
@each_clock
@pytest.mark.parametrize("pause", [0.5, 0.7, 0.9, 1.1, 1.3, 1.5])
def test_a_request_with_a_pause_inside_is_answered_as_one(make: Make, costs: dict[str, float], pause: float) -> None:
    recording = call(make(worker=Charged(Costs(**costs))), (BEGIN, "how much is"),
                     (after(BEGIN, "how much is") + pause, "an eye test"), seconds=14.0)
    assert heard_from_agent(recording).endswith(PRICE)


@each_agent
def test_what_was_talked_over_never_happened(make: Make) -> None:
    """The agent takes a pause for the end, and its task for done; but "yes" was only the beginning."""
    before = (0.4, "where is my order"), (6.0, "one two three four five"), (20.0, "yes")
    recording = call(make(), *before, (after(*before[2]) + 0.6, "that is correct"), seconds=32.0)
    assert [event.detail["heard"] for event in events(recording, "answer")][2:] == ["yes", "yes that is correct"]
    assert "order one two three four five has shipped" in heard_from_agent(recording, 21.5)


@each_agent
def test_yes_over_the_end_of_a_question_answers_it(make: Make) -> None:
    before = (0.4, "where is my order"), (6.0, "one two three four five")
    asked = call(make(), *before, seconds=18.0)
    ends = audible(asked.audio[AGENT])[1]
    for early in (0.1, 0.3, 0.5):
        recording = call(make(), *before, (ends - early, "yes"), seconds=26.0)
        assert "order one two three four five has shipped" in heard_from_agent(recording), f"{early} s before its end"


# Failure


class Broken(Manager):
    def reply(self, heard: str) -> Reply:
        raise RuntimeError("the model is gone")


class Hoarse(Voice):
    def synthesise(self, text: str) -> Any:
        if "dollars" in text or "glasses" in text:
            raise RuntimeError("the voice is gone")
        return spoken(text)


class Deaf(Oracle):
    def finish(self) -> str:
        raise RuntimeError("the recogniser is gone")


@each_agent
@each_clock
@pytest.mark.parametrize("part", [{"dialogue": Broken()}, {"tts": Hoarse()}, {"recogniser": Deaf()}],
                         ids=["dialogue", "tts", "recogniser"])
def test_a_part_that_fails_ends_the_conversation(make: Make, costs: dict[str, float], part: dict[str, Any]) -> None:
    with pytest.raises(ConversationFailed, match="is gone"):
        call(make(worker=Charged(Costs(**costs)), **part), (BEGIN, REQUEST))


@each_agent
def test_a_voice_that_fails_in_the_second_sentence_ends_the_conversation(make: Make) -> None:
    class Fails(Voice):
        def synthesise(self, text: str) -> Any:
            return spoken(text) if "dollars" in text else 1 / 0

    with pytest.raises(ConversationFailed, match="ZeroDivisionError") as failed:
        call(make(worker=Charged(Costs(tts=0.2)), tts=Fails()), (BEGIN, REQUEST))
    assert heard_from_agent(failed.value.recording).startswith("an eye")


# Repetition


def two_agents() -> dict[str, Agent]:
    return {make.__name__: make(worker=Charged(cloud()), recogniser=Oracle(0.15)) for make in (cascade, incremental)}


def recorded(agent: Participant, folder: Path) -> tuple[bytes, bytes]:
    save(call(agent, *CALL[:4], (17.0, NEW_REQUEST), (26.0, REQUEST), seconds=32.0, seed=4), folder)
    return (folder / "audio.wav").read_bytes(), (folder / "log.json").read_bytes()


def test_same_seed_same_recording_to_the_byte(tmp_path: Path) -> None:
    for name, agent in two_agents().items():
        once = recorded(agent, tmp_path / name)
        assert recorded(two_agents()[name], tmp_path / "other") == once
        call(agent, (0.2, NEW_REQUEST), (1.9, "uh"), (2.9, REQUEST), seconds=5.0, seed=9)  # ends in the middle
        assert recorded(agent, tmp_path / "again") == once, "reset forgets"


def test_same_recording_in_another_process(tmp_path: Path) -> None:
    code = ("from pathlib import Path; from test_both_agents import recorded, two_agents\n"
            f"for name, agent in two_agents().items(): recorded(agent, Path({str(tmp_path)!r}) / 'there' / name)")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent,
                   env={**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": str(Path(__file__).parents[1])})
    for name, agent in two_agents().items():
        here = recorded(agent, tmp_path / "here" / name)
        assert tuple((tmp_path / "there" / name / file).read_bytes() for file in ("audio.wav", "log.json")) == here


# Floods


def flood(kind: str, index: int, random: np.random.Generator) -> Frame:
    """Frame `index` of an endless sound."""
    if kind == "silence":
        return SILENCE
    if kind == "words":
        words = (Word(Random(index).choice(REQUEST.split()), 0.0, 0.07),)
        return Frame(frozen(np.full(FRAME_SAMPLES, 0.1, np.float32)), words)
    if kind == "noise":
        return Frame(frozen((0.1 * random.standard_normal(FRAME_SAMPLES)).clip(-1, 1).astype(np.float32)))
    if kind == "crackle":
        return Frame(frozen((random.random(FRAME_SAMPLES) * (random.random() < 0.4)).astype(np.float32)))
    return Frame(frozen(np.ones(FRAME_SAMPLES, np.float32)))


class Floods:
    def __init__(self, kind: str):
        self.kind = kind

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.random, self.index = np.random.default_rng(seed), -1

    def step(self, heard: Frame) -> Frame:
        self.index += 1
        return flood(self.kind, self.index, self.random)


@each_agent
@pytest.mark.parametrize("kind", ["silence", "noise", "words", "crackle", "full scale"])
def test_a_minute_of_anything_is_survived_within_bounds(make: Make, kind: str) -> None:
    agent = make(worker=Charged(cloud()))
    recording = converse(Floods(kind), agent, prompt=PROMPT, max_seconds=60.0)
    assert recording.seconds == 60.0
    assert len(agent.ears.pending) < 15 and len(agent.ears.waiting) < 15 and len(agent.mouth.queue) < 12
    assert len(recording.events[AGENT]) < 2_000
    if kind in ("silence", "noise", "full scale"):
        assert not recording.audio[AGENT].any()
    if kind == "silence":
        assert not recording.events[AGENT]
    agent.reset(PROMPT, 0)
    assert heard_from_agent(call(agent, (BEGIN, REQUEST))) == PRICE, "and afterwards it answers as ever"


@each_agent
def test_the_floor_is_never_lost_for_good(make: Make) -> None:
    """After a minute of coughs, mumbling and backchannels at random, the next request is answered."""
    sounds: list[str | np.ndarray] = [
        "uh huh", "wait", "blah blah", "yes", "no", "how much is", cough(Random(0)), REQUEST]
    for seed in range(4):
        random = Random(seed)
        at, said = 0.5, []
        for _ in range(25):
            said.append((at, random.choice(sounds)))
            at += spoken(REQUEST).seconds * random.uniform(0.8, 2.0)
        recording = call(make(worker=Charged(cloud(seed))), *said, (at + 30.0, NEW_REQUEST), seconds=at + 42.0,
                         seed=seed)
        assert heard_from_agent(recording).endswith(PARKING), f"seed {seed}"
        assert not np.abs(recording.audio[AGENT, -SAMPLE_RATE:]).any()


@each_agent
def test_a_frame_costs_little(make: Make) -> None:
    recording = call(make(worker=Charged(Ideal())), (BEGIN, REQUEST), seconds=20.0)
    assert np.median(recording.step_seconds) < 0.002


@each_agent
def test_decisions_are_made_at_whole_frames(make: Make) -> None:
    recording = call(make(worker=Charged(cloud())), (BEGIN, REQUEST))
    for event in recording.events[AGENT]:
        assert event.start == pytest.approx(frame_of(event) * FRAME_SECONDS, abs=1e-6)
