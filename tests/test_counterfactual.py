"""The same conversation without one of its acts: identical up to it, and what the agent would have done after."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from says import Says, bursts

from duplex.agents.simple import Echo, NeverYields, Responder, Yields
from duplex.conversation import Participant, Prompt, converse
from duplex.frame import SAMPLE_RATE, Event, Frame
from duplex.recording import AGENT, USER, Recording
from eval.counterfactual import Otherwise, Witness, comparable, load_otherwise, save_otherwise
from eval.metrics.catalogue import observations
from eval.timeline import speaking, timeline

TURN = Event("turn", 0.5, 1.5)
INTERRUPTION = Event("interruption", 4.03, 5.6)
HOP = 0.01 + 1e-9


class Remembers(Yields):
    """Yields, and can be taken up where it stood."""

    def snapshot(self) -> dict[str, Any]:
        return deepcopy(vars(self))

    def resume(self, moment: dict[str, Any]) -> None:
        vars(self).update(deepcopy(moment))


def held(agent: Participant, *acts: Event, seconds: float = 12.0) -> tuple[Recording, list[Otherwise]]:
    """A conversation with a user who sounds through every act, and how it goes without those that met the agent's speech."""
    user = Says(bursts(*((act.start, act.end) for act in acts)), events=acts)
    witness = Witness(agent, Prompt(), 3, {"scenario": "test"})
    recording = converse(user, agent, seed=3, max_seconds=seconds, watch=witness)
    return recording, witness.otherwise()


@pytest.mark.parametrize("make", [lambda: Yields(seconds=6.0), lambda: Remembers(seconds=6.0)], ids=["anew", "resumed"])
def test_up_to_the_act_it_is_the_same_and_after_it_the_agent_goes_on(make: Callable[[], Participant]) -> None:
    recording, (otherwise,) = held(make(), TURN, INTERRUPTION)
    assert otherwise.onset == 4.03
    onset = round(4.03 * SAMPLE_RATE)
    reaction = onset + round(0.3 * SAMPLE_RATE)
    assert np.array_equal(recording.audio[USER, :onset], otherwise.recording.audio[USER, :onset])
    assert not otherwise.recording.audio[USER, onset:].any()
    assert np.array_equal(recording.audio[AGENT, :reaction], otherwise.recording.audio[AGENT, :reaction])
    assert timeline(recording).agent[0].end == pytest.approx(4.33, abs=HOP)
    assert timeline(otherwise.recording).agent[0].end == pytest.approx(8.0, abs=HOP)  # 0.5 s after the turn, for 6 s
    assert otherwise.recording.facts["without"] == {"kind": "interruption", "start": 4.03}


def test_resuming_gives_what_starting_anew_gives_and_changes_nothing() -> None:
    (first, (anew,)), (second, (resumed,)) = (
        held(make(seconds=6.0), TURN, INTERRUPTION) for make in (Yields, Remembers))
    assert np.array_equal(first.audio, second.audio)
    assert np.array_equal(anew.recording.audio, resumed.recording.audio)


def test_an_act_into_silence_is_nothing_to_compare() -> None:
    assert held(Yields(seconds=1.0), TURN, INTERRUPTION)[1] == []
    assert held(NeverYields(), TURN, Event("turn", 4.0, 5.0))[1] == []


def test_each_act_has_its_own() -> None:
    _, found = held(NeverYields(seconds=9.0), TURN, Event("backchannel", 3.0, 3.3), Event("cough", 5.0, 5.2))
    assert [one.onset for one in found] == [3.0, 5.0]
    assert found[1].recording.audio[USER, round(3.1 * SAMPLE_RATE)] != 0.0  # the other one is still said


def test_it_ends_when_the_agent_has_said_all() -> None:
    _, (otherwise,) = held(Yields(seconds=3.0), TURN, INTERRUPTION)
    assert otherwise.recording.seconds == pytest.approx(5.6 + 2.5, abs=0.08)  # silent since 5.0
    _, (endless,) = held(NeverYields(seconds=60.0), TURN, INTERRUPTION)
    assert endless.recording.seconds == pytest.approx(5.6 + 8.0, abs=0.08)


def measured(agent: Participant) -> dict[str, list[tuple[float, float]]]:
    recording, found = held(agent, TURN, INTERRUPTION)
    result: dict[str, list[tuple[float, float]]] = {}
    for one in observations(recording, comparable(recording, [other.recording for other in found])):
        result.setdefault(one.metric, []).append((one.value, one.per))
    return result


def test_yields_are_told_from_ends() -> None:
    assert measured(Yields(seconds=6.0))["yield_excess"] == [(1.0, 1.0)]
    assert measured(NeverYields(seconds=9.0))["yield_excess"] == [(0.0, 1.0)]
    ends = measured(NeverYields(seconds=2.8))  # at 4.8 s anyway
    assert ends["yield_rate"] == [(1.0, 1.0)] and ends["yield_excess"] == [(0.0, 0.0)]


def test_a_conversation_that_went_otherwise_before_tells_nothing() -> None:
    recording, (otherwise,) = held(NeverYields(), TURN, INTERRUPTION)
    other, _ = held(NeverYields(), Event("turn", 0.6, 1.5), INTERRUPTION)
    assert list(comparable(recording, [otherwise.recording])) == [4.03]
    assert comparable(other, [otherwise.recording]) == {}


def test_an_agent_that_was_silent_then_is_not_compared() -> None:
    recording, (otherwise,) = held(NeverYields(), TURN, INTERRUPTION)
    silent = Recording(np.stack([otherwise.recording.audio[USER], np.zeros_like(otherwise.recording.audio[AGENT])]))
    assert speaking(timeline(recording).agent, 4.03)
    assert timeline(recording, {4.03: silent}).without == {}


def test_they_are_kept_beside_the_conversation(tmp_path: Path) -> None:
    recording, found = held(NeverYields(), TURN, INTERRUPTION)
    save_otherwise(found, tmp_path)
    again = load_otherwise(recording, tmp_path)
    assert np.array_equal(again[4.03].audio, found[0].recording.audio)
    assert load_otherwise(recording, tmp_path / "none") == {}


def test_what_is_kept_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    recording, found = held(NeverYields(), TURN, INTERRUPTION)
    save_otherwise(found, tmp_path)
    other, elsewhere = held(NeverYields(), TURN, Event("interruption", 4.5, 5.6))
    save_otherwise(elsewhere, tmp_path)
    assert load_otherwise(recording, tmp_path) == {} and list(load_otherwise(other, tmp_path)) == [4.5]


def test_who_watches_can_stop_what_is_held_again() -> None:
    frames = 0

    def watch(index: int, from_user: Frame, from_agent: Frame) -> None:
        nonlocal frames
        frames += 1
        if frames > 160:  # the conversation takes 150 frames
            raise KeyboardInterrupt

    witness = Witness(NeverYields(), Prompt(), 3, {"scenario": "test"}, watch)
    user = Says(bursts((TURN.start, TURN.end), (INTERRUPTION.start, INTERRUPTION.end)), events=(TURN, INTERRUPTION))
    converse(user, NeverYields(), seed=3, max_seconds=12.0, watch=witness)
    with pytest.raises(KeyboardInterrupt):
        witness.otherwise()


class Fails(Responder):
    """Fails the second time it is asked for the frame at 5 s."""

    calls = 0

    def step(self, heard: Frame) -> Frame:
        self.calls += 1
        if self.calls > 200:
            raise RuntimeError("out of memory")
        return super().step(heard)


def test_a_failure_costs_an_occasion_and_no_conversation(caplog: pytest.LogCaptureFixture) -> None:
    recording, found = held(Fails(0.5, 6.0), TURN, INTERRUPTION)
    assert recording.failure is None and found == []
    assert "no conversation without the interruption at 4.03 s: RuntimeError: out of memory" in caplog.text


def test_an_echo_is_compared_too() -> None:
    _, found = held(Echo(0.4), Event("turn", 0.5, 3.5), Event("interruption", 3.6, 4.5))
    assert [one.onset for one in found] == [3.6]


def test_a_speech_model_is_taken_up_where_it_stood(tiny: Callable[[str], Path]) -> None:
    """Random weights sound all the time, so every act meets speech: what follows without it, resumed and from the start."""
    from duplex.agents.moshi import Moshi, moshi

    class Anew:
        """The model without its moments."""

        def __init__(self, agent: Moshi):
            self.agent = agent

        def reset(self, prompt: Prompt, seed: int) -> None:
            self.agent.reset(prompt, seed)

        def step(self, heard: Frame) -> Frame:
            return self.agent.step(heard)

    acts = (Event("interruption", 1.03, 1.6),)
    agent = moshi(path=str(tiny("moshi")))
    (first, (resumed,)), (second, (anew,)) = (held(one, *acts, seconds=2.4) for one in (agent, Anew(agent)))
    np.testing.assert_allclose(first.audio, second.audio, atol=1e-4)
    shared = min(resumed.recording.audio.shape[1], anew.recording.audio.shape[1])
    np.testing.assert_allclose(resumed.recording.audio[:, :shared], anew.recording.audio[:, :shared], atol=1e-4)
    onset = round(1.2 * SAMPLE_RATE)
    assert not np.allclose(first.audio[AGENT, onset:], resumed.recording.audio[AGENT, onset:first.audio.shape[1]], atol=1e-3)
