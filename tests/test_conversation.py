"""The loop: who hears what when, who ends it, and what is left when somebody fails."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from says import Says, bursts

from duplex.agents.simple import Echo, NeverAnswers
from duplex.conversation import ConversationFailed, Prompt, converse, facts_of
from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Frame, frozen
from duplex.recording import AGENT, USER


class Counts:
    """Says its step's index / 1000 and keeps what it heard; from step `at` on it does `then` instead."""

    def __init__(self, at: int = 10_000, then: Callable[[], Frame | None] = lambda: None):
        self.at, self.then = at, then

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.prompt, self.seed = prompt, seed
        self.heard: list[int] = []

    def step(self, heard: Frame) -> Frame | None:
        self.heard.append(round(float(heard.samples[0]) * 1000))
        if len(self.heard) > self.at:
            return self.then()
        return Frame(frozen(np.full(FRAME_SAMPLES, len(self.heard) / 1000, np.float32)))


def raises() -> Frame:
    raise KeyError("the model is gone")


@pytest.mark.parametrize("delay", [0.08, 0.0801, 0.5, 1.2345])
def test_an_echo_in_the_loop_is_its_delay_to_the_sample(delay: float) -> None:
    sound = np.random.default_rng(1).uniform(-1.0, 1.0, SAMPLE_RATE).astype(np.float32)
    audio = converse(Says(sound), Echo(delay), max_seconds=4.0).audio
    lag = round(delay * SAMPLE_RATE)
    np.testing.assert_array_equal(audio[AGENT][lag:], audio[USER][:-lag])
    assert not audio[AGENT][:lag].any()


def test_the_agent_hears_the_last_frame_and_the_user_hears_this_one() -> None:
    user, agent = Counts(), Counts()
    converse(user, agent, max_seconds=0.4)
    assert agent.heard == [0, 1, 2, 3, 4]
    assert user.heard == [1, 2, 3, 4, 5]


def test_both_get_the_prompt_and_the_seed() -> None:
    user, agent, prompt = Counts(), Counts(), Prompt("You sell shoes.")
    recording = converse(user, agent, prompt=prompt, seed=7, max_seconds=0.16, facts={"scenario": "shoes"})
    assert (user.prompt, user.seed, agent.prompt, agent.seed) == (prompt, 7, prompt, 7)
    assert recording.facts == {"scenario": "shoes", "seed": 7, "prompt": {"text": "You sell shoes.", "records": {}, "domain": ""}}


def test_the_user_hangs_up() -> None:
    recording = converse(Counts(at=3), Counts())
    assert (recording.ended_by, recording.seconds, recording.failure) == ("user", 0.24, None)


def test_the_agent_hangs_up() -> None:
    recording = converse(Counts(), Counts(at=3))
    assert (recording.ended_by, recording.seconds, recording.failure) == ("agent", 0.24, None)


def test_hanging_up_at_once_leaves_an_empty_recording() -> None:
    assert converse(Counts(), Counts(at=0)).audio.shape == (2, 0)


@pytest.mark.parametrize("max_seconds, frames", [(0.08, 1), (4.0, 50), (120.0, 1500)])
def test_the_limit_ends_it(max_seconds: float, frames: int) -> None:
    recording = converse(Says(bursts((0.0, 0.1))), NeverAnswers(), max_seconds=max_seconds)
    assert recording.ended_by == "limit"
    assert recording.audio.shape == (2, frames * FRAME_SAMPLES)
    assert len(recording.step_seconds) == frames


@pytest.mark.parametrize("failing", ["user", "agent"])
@pytest.mark.parametrize("then, failure", [
    (raises, "KeyError: 'the model is gone'"),
    (lambda: Frame(np.zeros(480, np.float32)), "ValueError: Counts: a frame is (1920,) samples, not (480,)"),
    (lambda: Frame(np.zeros(FRAME_SAMPLES)), "ValueError: Counts: samples are float32 in [-1, 1], not float64"),
    (lambda: 17, "ValueError: Counts returned int, not a Frame (None hangs up)"),
])
def test_a_failure_keeps_the_recording_so_far(failing: str, then: Callable[[], Frame], failure: str) -> None:
    user, agent = (Counts(5, then), Counts()) if failing == "user" else (Counts(), Counts(5, then))
    with pytest.raises(ConversationFailed) as caught:
        converse(user, agent)
    recording = caught.value.recording
    assert (recording.ended_by, recording.failure) == ("failure", failure)
    assert str(caught.value) == failure and caught.value.__cause__ is not None
    assert recording.audio.shape == (2, 5 * FRAME_SAMPLES)
    assert recording.audio[AGENT, ::FRAME_SAMPLES] == pytest.approx([0.001, 0.002, 0.003, 0.004, 0.005], abs=2e-5)


def test_a_failing_reset_is_a_failed_conversation() -> None:
    class NoWeights(NeverAnswers):
        def reset(self, prompt: Prompt, seed: int) -> None:
            raise OSError("no weights")

    with pytest.raises(ConversationFailed, match="OSError: no weights") as caught:
        converse(Counts(), NoWeights())
    assert caught.value.recording.audio.shape == (2, 0)


def test_watch_sees_every_frame_of_both() -> None:
    seen: list[tuple[int, float, float]] = []
    converse(Counts(), Counts(), max_seconds=0.24, watch=lambda index, user, agent: seen.append(
        (index, round(float(user.samples[0]), 3), round(float(agent.samples[0]), 3))))
    assert seen == [(0, 0.001, 0.001), (1, 0.002, 0.002), (2, 0.003, 0.003)]


class ReusesItsBuffer:
    """Writes every frame into the same array, as code around a sound card does."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.buffer = np.zeros(FRAME_SAMPLES, np.float32)

    def step(self, heard: Frame) -> Frame:
        self.buffer += np.float32(0.1)
        return Frame(self.buffer)


def test_a_reused_buffer_is_recorded_as_it_was_said_or_refused() -> None:
    try:
        recording = converse(Says(SILENCE.samples), ReusesItsBuffer(), max_seconds=0.24)
    except ConversationFailed:
        return
    assert recording.audio[AGENT, ::FRAME_SAMPLES] == pytest.approx([0.1, 0.2, 0.3], abs=2e-5)


class Holds(Counts):
    """`Counts` that keeps a place from `reset` to `leave`."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        super().reset(prompt, seed)
        self.left = 0

    def leave(self) -> None:
        self.left += 1


def interrupts() -> Frame:
    raise KeyboardInterrupt


@pytest.mark.parametrize("ending", ["agent", "user"])
@pytest.mark.parametrize("at, then", [(3, lambda: None), (3, raises), (3, lambda: 17), (3, interrupts), (10_000, raises)])
def test_both_leave_once_however_it_ends(ending: str, at: int, then: Callable[[], Frame | None]) -> None:
    user, agent = (Holds(at, then), Holds()) if ending == "user" else (Holds(), Holds(at, then))
    try:
        converse(user, agent, max_seconds=0.4)
    except (ConversationFailed, KeyboardInterrupt):
        assert then is not None
    assert (user.left, agent.left) == (1, 1)


def test_an_interrupt_while_watching_is_no_failure_and_both_leave() -> None:
    user, agent = Holds(), Holds()
    with pytest.raises(KeyboardInterrupt):
        converse(user, agent, watch=lambda *_: interrupts() and None)
    assert (user.left, agent.left) == (1, 1)


def test_whose_reset_fails_leaves_and_who_never_began_does_not() -> None:
    class NoSlot(Holds):
        def reset(self, prompt: Prompt, seed: int) -> None:
            super().reset(prompt, seed)
            raise OSError("no slot is free")

    user, agent = Holds(), NoSlot()
    with pytest.raises(ConversationFailed, match="no slot is free"):
        converse(user, agent)
    assert (user.left, agent.left) == (1, 1)
    agent.left = 0
    with pytest.raises(ConversationFailed, match="no slot is free"):
        converse(NoSlot(), agent)
    assert agent.left == 0


def test_a_failing_leave_is_a_failed_conversation_and_the_other_leaves_too() -> None:
    class Stays(Holds):
        def leave(self) -> None:
            raise RuntimeError("locked in")

    user = Holds(at=3)
    with pytest.raises(ConversationFailed, match="locked in") as caught:
        converse(user, Stays())
    assert user.left == 1 and caught.value.recording.seconds == 0.24


def test_a_step_takes_as_long_as_its_speaker_says() -> None:
    class Knows(Counts):
        def step(self, heard: Frame) -> Frame:
            said = super().step(heard)
            assert said is not None
            return replace(said, seconds=None if len(self.heard) == 2 else 0.01 * len(self.heard))

    seconds = converse(Counts(), Knows(), max_seconds=0.24).step_seconds
    assert seconds[[0, 2]] == pytest.approx([0.01, 0.03]) and 0.0 < seconds[1] < 0.01


def test_what_an_agent_says_of_itself_is_kept() -> None:
    class Licensed(Counts):
        facts = {"source": "somewhere", "licence": "CC-BY 4.0"}

    assert facts_of(Counts()) == {}
    recording = converse(Counts(), Licensed(), seed=7, max_seconds=0.08, facts={"scenario": "shoes"})
    assert recording.facts == {"scenario": "shoes", "seed": 7, "agent": Licensed.facts}
