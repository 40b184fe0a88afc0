"""A loop-back of D measures D: on every clock, behind every line, through every adapter, from disk.

The raw offset of the channels is found by cross-correlation and must be D to the sample; what the metrics make of it, to
the 10 ms of the segmentation. Who cannot loop sound back is held to the same by what it can do.
"""

from collections.abc import Callable
from pathlib import Path
from threading import Semaphore
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from says import Says

from duplex.agents.simple import Echo
from duplex.conversation import Participant, Prompt, converse, hold
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Event, Frame
from duplex.journal import Journal
from duplex.latency import Charges, Declared, Ideal
from duplex.manifest import CHECKOUT
from duplex.network import Link
from duplex.pace import RealTime
from duplex.packet_line import PACKET_SECONDS, PacketLine
from duplex.perturbations import Babble, Delay, Noise, SelfEcho, TelephoneLine, clean
from duplex.playout import Playout
from duplex.recording import AGENT, Recording, load, save
from duplex.telephone import DELAY_SAMPLES
from eval.callers.scenario import suite
from eval.metrics.catalogue import observations
from eval.scoring import Listening, scored
from eval.simulation import Conversation, Stage
from eval.timeline import timeline
from eval.trust.integrity import check

if TYPE_CHECKING:
    from duplex.agents.remote import Remote

HOP: Final = 0.01 + 1e-9
DELAYS: Final = (0.08, 0.0925, 0.16, 0.24, 0.333, 0.5, 0.7775, 1.2)  # vector 10 of the notes is 0.24
TURN: Final = Event("turn", 0.5, 0.58)
LINE: Final = DELAY_SAMPLES / SAMPLE_RATE  # 10 ms, each way
PACKET: Final = PACKET_SECONDS  # each way
each_delay = pytest.mark.parametrize("delay", DELAYS)


def caller() -> Says:
    """80 ms of noise from 0.5 s on, which is like nothing but itself."""
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, round(0.08 * SAMPLE_RATE)).astype(np.float32)
    return Says(np.concatenate([np.zeros(round(0.5 * SAMPLE_RATE), np.float32), noise]), events=[TURN])


def offset(recording: Recording) -> int:
    """Samples by which the agent's channel comes after the user's, where the two are most alike."""
    user, agent = recording.audio
    size = 2 * len(user)
    return int(np.argmax(np.fft.irfft(np.fft.rfft(agent, size) * np.conj(np.fft.rfft(user, size)), size)[:len(user)]))


def measures(recording: Recording, delay: float, *, clean_channel: bool = True) -> None:
    """Holds a recording to a delay of so many seconds."""
    assert offset(recording) == round(delay * SAMPLE_RATE)
    if clean_channel:
        check(recording)
        [latency] = [found for found in observations(recording) if found.metric == "switch_latency"]
        assert latency.value + (TURN.end - TURN.start) == pytest.approx(delay, abs=HOP) and not latency.censored


def call(agent: Participant) -> Recording:
    return converse(caller(), agent, max_seconds=4.0)


@each_delay
def test_in_the_loop_and_from_disk(tmp_path: Path, delay: float) -> None:
    save(call(Echo(delay)), tmp_path)
    measures(load(tmp_path), delay)


@each_delay
@pytest.mark.parametrize(("around", "more", "clean_channel"), [
    (clean, 0.0, True),
    (Delay, 2 * 0.1, True),
    (lambda agent: Delay(agent, 0.123), 2 * 0.123, True),
    (TelephoneLine, 2 * LINE, True),
    (lambda agent: TelephoneLine(agent, "a"), 2 * LINE, True),
    (lambda agent: Delay(TelephoneLine(agent), 0.04), 2 * (0.04 + LINE), True),
    (PacketLine, 2 * (PACKET + 0.04), True),
    (lambda agent: PacketLine(agent, Link(0.03), adaptive=True), 2 * (PACKET + 0.03 + 0.04), True),
    (lambda agent: PacketLine(agent, Link(0.0125, 0.005), 0.2), 2 * (PACKET + 0.0125 + 0.2), True),  # deep enough for all
    (lambda agent: PacketLine(agent, Link(0.02), 0.04, law="mu"), 2 * (PACKET + 0.02 + 0.04 + LINE), True),
    (lambda agent: SelfEcho(agent, -60.0, 0.02), 0.0, True),
    (lambda agent: Noise(agent, 30.0), 0.0, False),  # the echo returns the noise as well, and so is never silent
    (lambda agent: Babble(agent, 30.0, num_talkers=2), 0.0, False),
    (lambda agent: Delay(Noise(TelephoneLine(agent), 30.0), 0.1), 2 * (0.1 + LINE), False),
], ids=["clean", "delay", "another delay", "telephone", "A-law telephone", "far telephone",
        "packets", "far packets", "jittery packets", "telephone by packets", "self echo", "noise", "babble",
        "far telephone in noise"])
def test_behind_a_line_it_is_what_the_line_declares_later(
        delay: float, around: Callable[[Participant], Participant], more: float, clean_channel: bool) -> None:
    measures(call(around(Echo(delay))), delay + more, clean_channel=clean_channel)


@each_delay
def test_a_live_call_on_disk(tmp_path: Path, delay: float) -> None:
    kept = Journal(tmp_path, {"clock": "live"})
    kept.finish(*hold(caller(), Echo(delay), kept, Prompt(), 0, 4.0))
    measures(load(tmp_path), delay)


class Clock:
    """A clock that moves when somebody waits."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds


@each_delay
def test_at_real_pace(delay: float) -> None:
    clock = Clock()
    measures(call(RealTime(Echo(delay), 1.0, clock, clock.wait)), delay)
    assert clock.seconds == pytest.approx(100.0 + 49 * FRAME_SECONDS)


class Streams(Echo):
    """An echo that is heard as a streaming model is: when each of its steps was computed."""

    def __init__(self, delay: float, charges: Charges):
        super().__init__(delay)
        self.playout = Playout(charges)

    def reset(self, prompt: Prompt, seed: int) -> None:
        super().reset(prompt, seed)
        if hasattr(self, "playout"):
            self.playout.reset(seed)

    def step(self, heard: Frame) -> Frame:
        return self.playout.play(super().step(heard), 0.0)


class Steps(Ideal):
    """The first step costs so much, every other 20 ms."""

    def __init__(self, first: float):
        self.first = first

    def seconds(self, stage: str, request: str, measured: float) -> float:
        return self.first if request == "0" else 0.02


@each_delay
@pytest.mark.parametrize("slowest", [0.02, 0.05, 0.08, 0.1, 0.2375])
def test_a_streaming_model_is_later_by_its_slowest_step(delay: float, slowest: float) -> None:
    measures(call(Streams(delay, Ideal())), delay)
    measures(call(Streams(delay, Steps(slowest))), delay + slowest)


@each_delay
def test_a_streaming_model_on_a_declared_clock_is_later_by_what_it_declares(delay: float) -> None:
    declared = Declared("fixed", {"speech_lm": {"p50": 0.03, "p95": 0.03}})
    measures(call(Streams(delay, declared)), delay + 0.03)


# Through the bench.


def bench(*overrides: str) -> DictConfig:
    with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
        return compose("bench", ["agent=echo", *overrides])


@pytest.mark.parametrize(("perturb", "more"), [("none", 0.0), ("delay", 0.2)])
@pytest.mark.parametrize("delay", [0.08, 0.24, 0.5])
def test_in_the_bench_on_both_clocks(tmp_path: Path, delay: float, perturb: str, more: float) -> None:
    pytest.importorskip("espeakng_loader")
    config = bench(f"agent.delay={delay}", f"perturb={perturb}", "max_seconds=6", "counterfactuals=false")
    stage = Stage(OmegaConf.to_yaml(config), tmp_path)
    scenario = next(one for one in suite(list(config.scenarios.files)) if one.name == "hours-then-parking")
    for clock in ("ideal", "cloud_typical"):
        played = stage.play(Conversation("agent", "echo", clock, scenario, 0))
        recording = load(tmp_path / played.conversation.folder)
        assert offset(recording) == round((delay + more) * SAMPLE_RATE)
        user, agent = timeline(recording).user[0], timeline(recording).agent[0]
        assert agent.start - user.start == pytest.approx(delay + more, abs=HOP)
        turn = next(act for act in timeline(recording).acts if act.kind == "turn")
        rows = scored(tmp_path, played.conversation.folder, Listening()).table.to_pylist()
        latency = next(row for row in rows if row["metric"] == "switch_latency" and row["start"] == turn.end)
        assert latency["value"] == pytest.approx(delay + more - (turn.end - turn.start), abs=HOP)


# Elsewhere.


@pytest.mark.parametrize("clock", [None, "cloud_typical"])
@pytest.mark.parametrize("delay", [0.08, 0.24, 0.333])
def test_elsewhere_in_lockstep(tmp_path: Path, delay: float, clock: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp")
    pytest.importorskip("websockets")
    monkeypatch.setenv("DUPLEX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DUPLEX_TOKEN", raising=False)
    from serving import serving

    from duplex.agents.remote import Remote
    with serving(tmp_path / "kept", "agent=echo", f"agent.delay={delay}") as it:
        measures(call(Remote(it.url, mode="lockstep", clock=clock)), delay)


class Unhurried:
    """An agent elsewhere on a good network at real pace: its answer to a frame comes after this step and before the next."""

    def __init__(self, agent: "Remote", may_answer: Semaphore):
        self.agent, self.may_answer = agent, may_answer

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.agent.reset(prompt, seed)

    def step(self, heard: Frame) -> Frame | None:
        said = self.agent.step(heard)
        assert self.agent.call is not None
        self.may_answer.release()
        until = monotonic() + 10.0
        while not self.agent.call.line.waiting():
            assert monotonic() < until, "no answer"
            sleep(0.001)
        return said


def test_in_moshis_protocol_it_is_a_frame_and_its_codec_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that returns every message: what it answers to a frame cannot have come when the next is said, but then."""
    pytest.importorskip("websockets")
    pytest.importorskip("opuslib_next")
    monkeypatch.setenv("DUPLEX_CACHE", str(tmp_path / "cache"))
    from calls import scripted
    from websockets.sync.server import ServerConnection

    from duplex.agents.remote import Remote
    from duplex.wire.messages import Kind, message

    may_answer = Semaphore(0)

    def handle(socket: ServerConnection) -> None:
        socket.send(message(Kind.HANDSHAKE))
        for sent in socket:
            assert may_answer.acquire(timeout=10.0)
            socket.send(sent)

    with scripted(handle) as url:
        recording = call(Unhurried(Remote(url, dialect="moshi", buffer=0), may_answer))
    assert offset(recording) - 2 * FRAME_SAMPLES == pytest.approx(0.003 * SAMPLE_RATE, abs=0.001 * SAMPLE_RATE)


# In a framework.


@pytest.mark.parametrize(("input_rate", "later"), [(24_000, 0.0), (16_000, FRAME_SECONDS + 16 / SAMPLE_RATE)])
def test_through_pipecats_transports(input_rate: int, later: float) -> None:
    """Heard at 16 kHz it comes out of Pipecat's resampler in the next chunk, and out of ours 16 samples late."""
    pytest.importorskip("pipecat")
    from pipecat_bots import echo

    from duplex.agents.pipecat import Pipecat
    from duplex.frameworks.clock import VirtualClock
    measures(call(Pipecat(echo, VirtualClock(Ideal()), input_rate)), FRAME_SECONDS + later)


# Who cannot loop sound back.


@pytest.mark.parametrize("stages", [
    {"llm": 0.24}, {"stt_final": 0.08, "llm": 0.06, "tts": 0.1}, {"stt_final": 0.25, "llm": 0.36, "tts": 0.19}])
def test_a_cascade_is_later_by_what_its_stages_declare(stages: dict[str, float]) -> None:
    """Told the words, and on the ideal clock, it answers after its patience alone."""
    pytest.importorskip("espeakng_loader")
    import exact

    from duplex.workers import Charged

    def latency(**costs: float) -> float:
        agent = exact.cascade(worker=Charged(exact.Costs(**costs)), prepare_after=None, trust_partial=False)
        recording = exact.call(agent, (0.4, "how much is an eye test"))
        return next(found.value for found in observations(recording) if found.metric == "switch_latency")

    assert latency(**stages) - latency() == pytest.approx(sum(stages.values()), abs=1e-6)


def test_the_engine_of_a_speech_model_adds_no_frame(tiny: Callable[[str], Path]) -> None:
    """What it says in frame n depends on what the user said in frame n-1, as an echo of 80 ms does, and on nothing later.

    A change does not always make another token, so some are heard a frame later; none sooner.
    """
    from duplex.agents.moshi import moshi
    agent = moshi(path=str(tiny("moshi")))
    sound = np.random.default_rng(0).uniform(-0.2, 0.2, 10 * FRAME_SAMPLES).astype(np.float32)
    usual = converse(Says(sound), agent, max_seconds=0.96, seed=3).audio[AGENT]
    after = []
    for changed in range(2, 7):
        other = sound.copy()
        other[changed * FRAME_SAMPLES:(changed + 1) * FRAME_SAMPLES] = 0.0
        said = converse(Says(other), agent, max_seconds=0.96, seed=3).audio[AGENT]
        after.append(int(np.flatnonzero(said != usual)[0]) // FRAME_SAMPLES - changed)
    assert min(after) == 1, after


def test_the_clock_of_a_speech_model_adds_what_it_declares(tiny: Callable[[str], Path]) -> None:
    from duplex.agents.moshi import moshi
    sound = np.random.default_rng(0).uniform(-0.2, 0.2, 12 * FRAME_SAMPLES).astype(np.float32)
    step = 0.0375
    declared = Declared("fixed", {"speech_lm": {"p50": step, "p95": step}})
    ideal, late = (converse(Says(sound), moshi(path=str(tiny("moshi")), latency=clock), max_seconds=1.2, seed=3).audio[AGENT]
                   for clock in (Ideal(), declared))
    shift = round(step * SAMPLE_RATE)
    assert not late[:shift].any()
    np.testing.assert_array_equal(late[shift:], ideal[:-shift])
