"""Agents whose behaviour is exact, measured through the loop, the disk, the segmenter and the metric."""

from collections.abc import Callable
from pathlib import Path

import pytest
from says import Says, bursts

from duplex.agents.simple import (
    Backchanneller,
    Echo,
    Interrupter,
    Late,
    NeverAnswers,
    NeverYields,
    Responder,
    Yields,
)
from duplex.conversation import Participant, converse
from duplex.frame import Event
from duplex.recording import Recording, load, save
from eval.metrics.catalogue import observations
from eval.metrics.occasions import Observation
from eval.timeline import timeline
from eval.trust.integrity import check

HOP = 0.01 + 1e-9  # tolerance in seconds: units are known to 10 ms
Measured = dict[str, list[Observation]]
Measure = Callable[..., Measured]


@pytest.fixture
def measured(tmp_path: Path) -> Measure:
    """What is measured of a call of a user who commits `acts`, by metric."""

    def measure(agent: Participant, *acts: Event, seconds: float = 12.0) -> Measured:
        recording = conversation(agent, *acts, seconds=seconds)
        save(recording, tmp_path)
        found = load(tmp_path)
        check(found)
        by_metric: Measured = {}
        for observation in observations(found):
            by_metric.setdefault(observation.metric, []).append(observation)
        return by_metric

    return measure


def conversation(agent: Participant, *acts: Event, seconds: float) -> Recording:
    """What was said to a user who sounds through every act but its pauses."""
    pauses = [act for act in acts if act.kind == "pause"]
    spoken = []
    for act in acts:
        if act.kind != "pause":
            inside = [pause for pause in pauses if act.start < pause.start < act.end]
            edges = [act.start, *(edge for pause in inside for edge in (pause.start, pause.end)), act.end]
            spoken += list(zip(edges[::2], edges[1::2], strict=True))
    return converse(Says(bursts(*spoken), events=acts), agent, max_seconds=seconds)


def numbers(found: Measured, metric: str) -> list[float]:
    return [observation.value for observation in found.get(metric, [])]


TURN = Event("turn", 0.5, 2.1)


@pytest.mark.parametrize("delay", [0.08, 0.1, 0.16, 0.24, 0.333, 0.5, 0.777, 1.0, 1.2345])
def test_an_echo_is_measured_as_its_delay(tmp_path: Path, delay: float) -> None:
    """Vector 10 of the notes: 0.24 s is 0.24 s, and so is every other delay, also between frames."""
    act = Event("turn", 1.0, 1.1)
    save(conversation(Echo(delay), act, seconds=4.0), tmp_path)
    heard = timeline(load(tmp_path))
    assert heard.agent[0].start - heard.user[0].start == pytest.approx(delay, abs=HOP)
    latency = next(found for found in observations(load(tmp_path)) if found.metric == "switch_latency")
    assert latency.value == pytest.approx(delay - 0.1, abs=HOP)
    assert not latency.censored


@pytest.mark.parametrize("end", [2.0, 2.05, 2.1, 2.13, 2.16])
@pytest.mark.parametrize("delay", [0.09, 0.1, 0.2, 0.24, 0.35, 0.5, 0.77, 1.111, 2.0, 4.5])
def test_a_responder_is_measured_as_its_delay(measured: Measure, delay: float, end: float) -> None:
    found = measured(Responder(delay), Event("turn", 0.5, end), seconds=8.0)
    assert numbers(found, "switch_latency") == pytest.approx([delay], abs=HOP)
    assert numbers(found, "response_rate") == [1.0]
    assert numbers(found, "early_rate") == [0.0]
    zone = "natural" if delay < 0.8 else "slow" if delay <= 1.5 else "machine"
    assert numbers(found, f"zone_{zone}") == [1.0]


def test_each_turn_is_measured(measured: Measure) -> None:
    turns = [Event("turn", start, start + 1.0) for start in (0.5, 4.0, 7.5)]
    assert numbers(measured(Responder(0.3, 1.0), *turns), "switch_latency") == pytest.approx(3 * [0.3], abs=HOP)


def test_an_interrupter_is_early(measured: Measure) -> None:
    found = measured(Interrupter(after=1.0, seconds=1.5), TURN)
    assert numbers(found, "switch_latency") == pytest.approx([-0.6], abs=HOP)
    assert numbers(found, "early_rate") == [1.0]
    assert numbers(found, "zone_natural") == [1.0]


def test_an_agent_that_never_answers_is_censored(measured: Measure) -> None:
    found = measured(NeverAnswers(), TURN)
    assert found["switch_latency"] == [Observation("switch_latency", 2.1, 5.0, censored=True)]
    assert numbers(found, "response_rate") == [0.0]
    assert numbers(found, "zone_machine") == [1.0]


def test_a_late_agent_is_censored(measured: Measure) -> None:
    found = measured(Late(8.0), TURN)
    assert found["switch_latency"] == [Observation("switch_latency", 2.1, 5.0, censored=True)]
    assert numbers(found, "response_rate") == [0.0]


PAUSED = (Event("turn", 0.5, 3.5), Event("pause", 1.5, 2.3))


def test_a_hasty_responder_starts_in_a_pause(measured: Measure) -> None:
    assert numbers(measured(Responder(0.4, 1.0), *PAUSED), "pause_false_start") == [1.0]


def test_a_patient_responder_waits_for_the_end(measured: Measure) -> None:
    found = measured(Responder(1.0, 1.0, pause=0.9), *PAUSED)
    assert numbers(found, "pause_false_start") == [0.0]
    assert numbers(found, "switch_latency") == pytest.approx([1.0], abs=HOP)


@pytest.mark.parametrize(("every", "pause", "wanted"), [
    (1.08, (1.46, 2.3), 1.0),  # 0.12 s into the pause: not yet known for one
    (0.7, (1.5, 2.3), 0.0),    # due 0.4 s into it, and left out: it heard silence
    (2.0, (1.5, 2.3), 1.0),    # 0.2 s after it
    (2.2, (1.5, 2.3), 0.0),    # later
])
def test_a_backchannel_counts_in_a_pause_only(
        measured: Measure, every: float, pause: tuple[float, float], wanted: float) -> None:
    found = measured(Backchanneller(every=every, delay=1.2, pause=1.0), Event("turn", 0.5, 3.5), Event("pause", *pause))
    assert numbers(found, "pause_false_start") == [wanted]


def test_backchannels_are_no_answers(measured: Measure) -> None:
    found = measured(Backchanneller(every=1.0, seconds=0.3, delay=0.6), Event("turn", 0.5, 3.9))
    assert numbers(found, "switch_latency") == pytest.approx([0.6], abs=HOP)
    assert numbers(found, "early_rate") == [0.0]


INTERRUPTED = (Event("turn", 0.5, 1.5), Event("interruption", 4.0, 5.63))


def test_an_agent_that_never_yields_is_censored(measured: Measure) -> None:
    found = measured(NeverYields(seconds=9.0), *INTERRUPTED, seconds=14.0)
    assert numbers(found, "interruption_eligible") == [1.0]
    assert [(stop.value, stop.censored) for stop in found["stop_latency"]] == [(3.63, True)]
    assert numbers(found, "yield_rate") == [0.0]
    assert numbers(found, "double_talk") == [1.63]
    assert [response.censored for response in found["interruption_response"]] == [True]


@pytest.mark.parametrize("stop", [0.08, 0.1, 0.3, 0.457, 0.8, 1.0, 1.01, 1.3])
def test_an_agent_that_yields_is_measured_as_its_stop(measured: Measure, stop: float) -> None:
    found = measured(Yields(stop=stop), *INTERRUPTED)
    assert numbers(found, "stop_latency") == pytest.approx([stop], abs=HOP)
    assert numbers(found, "double_talk") == pytest.approx([stop], abs=HOP)
    assert numbers(found, "yield_rate") == [float(stop <= 1.0)]
    assert numbers(found, "interruption_response") == pytest.approx([0.5], abs=HOP)


def test_an_agent_that_has_finished_is_not_interrupted(measured: Measure) -> None:
    found = measured(Yields(seconds=1.0), *INTERRUPTED)
    assert numbers(found, "interruption_eligible") == [0.0]
    assert "stop_latency" not in found


ASIDE = Event("backchannel", 4.0, 4.3)


def test_yielding_to_a_backchannel_costs(measured: Measure) -> None:
    assert numbers(measured(Yields(), INTERRUPTED[0], ASIDE), "backchannel_continue") == [0.0]
    assert numbers(measured(NeverYields(seconds=3.9), INTERRUPTED[0], ASIDE), "backchannel_continue") == [1.0]


def test_answering_a_cough_costs(measured: Measure) -> None:
    cough = Event("cough", 4.0, 4.3)
    assert numbers(measured(Responder(), cough), "false_response") == [1.0]
    assert numbers(measured(NeverAnswers(), cough), "false_response") == [0.0]
