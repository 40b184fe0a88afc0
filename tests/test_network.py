"""Links and lines of packets: exact times, weather that repeats, loss as declared, holes that are filled and not heard louder."""

import math
from typing import Final

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from says import Says, bursts, segments

from duplex.agents.simple import Echo
from duplex.concealment import FADED, Concealer
from duplex.conversation import Participant, Prompt, converse
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, SILENCE, Event, Frame, Word
from duplex.latency import Declared
from duplex.manifest import CHECKOUT
from duplex.network import Link, Loss, Traffic
from duplex.packet_line import PACKET_SAMPLES, PACKET_SECONDS, PacketLine
from duplex.perturbations import Delay, TelephoneLine
from duplex.recording import AGENT, USER, Recording

NUM_PACKETS: Final = 20_000
LINES: Final = ("network", "broadband", "mobile", "pstn", "pstn_a", "laptop_over_ssh")


def arrivals(link: Link, key: tuple[int, ...] = (0,), num_packets: int = NUM_PACKETS) -> list[float | None]:
    traffic = Traffic(link, key)
    return [traffic.arrival(number * PACKET_SECONDS) for number in range(num_packets)]


def came(found: list[float | None]) -> np.ndarray:
    return np.array([arrival for arrival in found if arrival is not None])


# A link.


def test_without_jitter_and_loss_every_packet_takes_the_delay() -> None:
    assert arrivals(Link(0.035), num_packets=100) == [pytest.approx(number * 0.02 + 0.035) for number in range(100)]


def test_jitter_has_its_mean_and_the_deviation_of_a_gamma_distribution_of_shape_2() -> None:
    traffic = Traffic(Link(0.03, 0.004), (7,))
    late = np.array([traffic.arrival(float(number)) or 0.0 for number in range(NUM_PACKETS)]) - np.arange(NUM_PACKETS) - 0.03
    assert late.min() >= 0.0  # a second apart, nobody waits for another
    assert late.mean() == pytest.approx(0.004, rel=0.03)
    assert late.std() == pytest.approx(0.004 / math.sqrt(2.0), rel=0.05)


def test_nothing_overtakes() -> None:
    assert (np.diff(came(arrivals(Link(0.03, 0.02, Loss(0.02, 3.0, 0.5))))) >= 0.0).all()


def test_the_weather_of_a_packet_follows_from_seed_and_number_alone() -> None:
    link = Link(0.03, 0.01, Loss(0.05, 4.0, 0.5))
    assert arrivals(link, (1, 2, 0)) == arrivals(link, (1, 2, 0))
    assert arrivals(link, (1, 2, 0), 100) == arrivals(link, (1, 2, 0))[:100]
    assert len({tuple(arrivals(link, key, 50)) for key in ((1, 2, 0), (1, 2, 1), (1, 3, 0), (2, 2, 0))}) == 4


@pytest.mark.parametrize("loss", [Loss(0.01, 1.0), Loss(0.05, 4.0, 0.5), Loss(0.2, 3.0, 0.8)])
def test_loss_has_its_rate_within_four_deviations_of_a_chain(loss: Loss) -> None:
    lost = np.array([arrival is None for arrival in arrivals(Link(loss=loss))])
    stays = 1.0 - loss.enter - 1.0 / loss.burst  # correlation of the state with the packet before
    spread = math.sqrt(loss.rate * (1.0 - loss.rate) / NUM_PACKETS * (1.0 + max(0.0, stays)) / (1.0 - max(0.0, stays)))
    assert abs(lost.mean() - loss.rate) < 4.0 * spread


def test_losses_come_in_bursts_of_their_length() -> None:
    lost = np.array([arrival is None for arrival in arrivals(Link(loss=Loss(0.05, 5.0)))])
    starts = np.count_nonzero(lost & ~np.concatenate([[False], lost[:-1]]))
    assert lost.sum() / starts == pytest.approx(5.0, rel=0.15)


def test_what_is_sent_again_comes_later_and_holds_up_what_is_behind_it() -> None:
    lossy, reliable = Link(0.02, loss=Loss(0.02, 1.0)), Link(0.02, loss=Loss(0.02, 1.0), retransmit=0.1)
    lost = [number for number, arrival in enumerate(arrivals(lossy)) if arrival is None]
    found = arrivals(reliable)
    late = {round(0.02 * number + 0.02 + 0.1, 6) for number in lost}
    assert None not in found and {round(came(found)[number], 6) for number in lost} <= late | {max(late)}
    first = lost[0]
    assert found[first] == found[first + 1] == found[first + 4] == pytest.approx(0.02 * first + 0.12)


@pytest.mark.parametrize("given", [(0.5, 1.0, 0.5), (-0.1,), (0.1, 0.5), (0.9, 1.0)])
def test_a_loss_that_no_chain_has_is_refused(given: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="loss needs 0 <= rate < severity <= 1"):
        Loss(*given)


# Concealment.


def voiced(seconds: float, hertz: float = 100.0) -> np.ndarray:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return sum(0.2 * np.sin(2 * np.pi * hertz * harmonic * time) / harmonic for harmonic in (1, 2, 3)).astype(np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_concealment_is_never_louder_than_what_came_before(seed: int) -> None:
    random = np.random.default_rng(seed)
    stream, concealer = random.uniform(-0.5, 0.5, 100 * PACKET_SAMPLES).astype(np.float32), Concealer()
    stream *= np.repeat(random.uniform(0.0, 1.0, 100), PACKET_SAMPLES).astype(np.float32)
    before = np.zeros(1, np.float32)
    for packet in stream.reshape(100, -1):
        if random.random() < 0.3:
            assert np.abs(concealer.conceal(len(packet))).max() <= np.abs(before).max() + 1e-6
        else:
            before = np.concatenate([before, concealer.hear(packet)])[-840:]  # all that it remembers


def test_a_lost_packet_of_a_steady_voice_is_hardly_missed() -> None:
    voice, concealer = voiced(0.2), Concealer()
    packets = list(voice.reshape(-1, PACKET_SAMPLES))
    heard = [concealer.conceal(PACKET_SAMPLES) if number == 5 else concealer.hear(packet)
             for number, packet in enumerate(packets)]
    error = np.concatenate(heard[5:7]) - np.concatenate(packets[5:7])
    assert np.sqrt(np.mean(np.square(error))) < 0.2 * np.sqrt(np.mean(np.square(voice)))  # silence would be 0.7 of it


def test_a_long_hole_falls_silent_after_60_ms() -> None:
    concealer = Concealer()
    concealer.hear(voiced(0.1))
    hole = concealer.conceal(FADED + PACKET_SAMPLES)
    assert np.abs(hole[:240]).max() > 0.2 and not hole[FADED:].any()


def test_what_comes_whole_is_left_alone() -> None:
    concealer, voice = Concealer(), voiced(0.1)
    assert all(np.array_equal(concealer.hear(packet), packet) for packet in voice.reshape(-1, PACKET_SAMPLES))


# A line.


class Hears:
    """Keeps what it hears and says nothing."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.heard: list[Frame] = []

    def step(self, heard: Frame) -> Frame:
        self.heard.append(heard)
        return SILENCE


class HangsUp:
    """Says a second of sound and hangs up."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.frames = 0

    def step(self, heard: Frame) -> Frame | None:
        self.frames += 1
        return Frame(np.full(FRAME_SAMPLES, 0.1, np.float32)) if self.frames <= 12 else None


class Answers(Hears):
    """Logs an answer in its sixth frame, and counts."""

    def step(self, heard: Frame) -> Frame:
        super().step(heard)
        return Frame(SILENCE.samples, events=(Event("answer"),)) if len(self.heard) == 6 else SILENCE

    def tally(self) -> dict[str, int]:
        return {"frames": len(self.heard)}


def call(agent: Participant, seconds: float = 4.0, seed: int = 0) -> Recording:
    said = bursts((0.5, 1.0), (1.5, 1.8))
    return converse(Says(said, [Word("one", 0.5, 1.0), Word("two", 1.5, 1.8)], [Event("turn", 0.5, 1.0)]), agent,
                    max_seconds=seconds, seed=seed)


@pytest.mark.parametrize(("line", "each_way"), [
    (lambda agent: PacketLine(agent, Link(0.0333), 0.06), PACKET_SECONDS + 0.0333 + 0.06),
    (lambda agent: PacketLine(agent, Link(0.02), 0.0), PACKET_SECONDS + 0.02)], ids=["far", "without a buffer"])
def test_words_and_acts_come_with_their_sound(line: type[PacketLine], each_way: float) -> None:
    agent = Hears()
    call(line(agent))
    words = [(word.text, (number - 1) * FRAME_SECONDS + word.start) for number, frame in enumerate(agent.heard)
             for word in frame.words]
    acts = [(number - 1) * FRAME_SECONDS + event.start for number, frame in enumerate(agent.heard) for event in frame.events]
    assert words == [("one", pytest.approx(0.5 + each_way, abs=1e-4)), ("two", pytest.approx(1.5 + each_way, abs=1e-4))]
    assert acts == [pytest.approx(0.5 + each_way, abs=1e-4)]
    assert segments(np.concatenate([frame.samples for frame in agent.heard[1:]])) == [
        pytest.approx((0.5 + each_way, 1.0 + each_way), abs=1e-4), pytest.approx((1.5 + each_way, 1.8 + each_way), abs=1e-4)]


def test_two_agents_behind_a_line_meet_the_same_weather() -> None:
    def weather(agent: Participant, seed: int) -> dict[str, object]:
        tally: dict[str, dict[str, dict[str, object]]] = call(
            PacketLine(agent, Link(0.03, 0.02, Loss(0.1, 3.0, 0.5))), seed=seed).facts["tally"]["agent"]
        return {way: {what: tally["line"][way][what] for what in ("sent", "lost", "late")} for way in tally["line"]}

    assert weather(Echo(0.5), 3) == weather(Hears(), 3) != weather(Hears(), 4)


def test_the_same_seed_gives_the_same_recording() -> None:
    def heard(seed: int) -> np.ndarray:
        return call(PacketLine(Echo(0.2), Link(0.03, 0.02, Loss(0.1, 3.0, 0.5)), adaptive=True), seed=seed).audio[AGENT]

    assert np.array_equal(heard(1), heard(1)) and not np.array_equal(heard(1), heard(2))


def test_a_deeper_buffer_misses_fewer_packets() -> None:
    def late(buffer: float) -> int:
        found = call(PacketLine(Hears(), Link(0.03, 0.02), buffer), 20.0).facts["tally"]["agent"]["line"]["to_agent"]
        assert (found["sent"], found["lost"], found["buffer"]) == (1000, 0, buffer)
        return int(found["late"])

    misses = [late(buffer) for buffer in (0.0, 0.02, 0.04, 0.08, 0.16)]
    assert misses == sorted(misses, reverse=True) and misses[0] > 950 and misses[2] > 50 and misses[-1] < 5


def test_an_adaptive_buffer_grows_where_packets_are_late_and_only_between_speech() -> None:
    said = bursts(*((start, start + 0.5) for start in np.arange(0.5, 19.0, 1.0)))
    lines = [PacketLine(Hears(), Link(0.03, 0.02), 0.02, adaptive) for adaptive in (False, True)]
    fixed, adaptive = (converse(Says(said), line, max_seconds=20.0).facts["tally"]["agent"]["line"]["to_agent"]
                       for line in lines)
    assert adaptive["buffer"] > 0.06 and adaptive["late"] < 0.3 * fixed["late"]
    quiet = converse(Says(np.zeros(1, np.float32)), lines[1], max_seconds=20.0)
    assert quiet.facts["tally"]["agent"]["line"]["to_agent"]["buffer"] == 0.02


def test_what_is_lost_in_silence_is_not_concealed() -> None:
    lossy = Link(0.0, loss=Loss(0.3, 2.0))
    silent = converse(Says(np.zeros(1, np.float32)), PacketLine(Hears(), lossy), max_seconds=4.0)
    assert silent.facts["tally"]["agent"]["line"]["to_agent"]["lost"] > 30
    assert silent.facts["tally"]["agent"]["line"]["to_agent"]["concealed"] == 0
    spoken = call(PacketLine(Hears(), lossy)).facts["tally"]["agent"]["line"]["to_agent"]
    assert 0 < spoken["concealed"] < spoken["lost"]


def test_the_line_delivers_what_an_agent_said_before_it_hung_up() -> None:
    for delay in (0.0, 0.05, 0.3):
        recording = converse(Says(np.zeros(1, np.float32)), PacketLine(HangsUp(), Link(delay)), max_seconds=4.0)
        assert recording.ended_by == "agent"
        assert segments(recording.audio[AGENT]) == [pytest.approx((delay + 0.06, delay + 0.06 + 12 * 0.08), abs=1e-4)]


def test_the_agents_own_count_is_kept_beside_the_lines() -> None:
    tally = call(PacketLine(Answers())).facts["tally"]["agent"]
    assert tally["frames"] == 50 and tally["line"]["from_agent"]["sent"] == 200


@pytest.mark.parametrize(("around", "seconds"), [
    (lambda agent: PacketLine(agent, Link(0.03)), 2 * (PACKET_SECONDS + 0.03 + 0.04)),
    (lambda agent: PacketLine(agent, Link(0.03), law="a"), 2 * (PACKET_SECONDS + 0.03 + 0.04 + 0.01)),
    (lambda agent: Delay(agent, 0.12), 2 * 0.12), (TelephoneLine, 2 * 0.01),
    (lambda agent: Delay(TelephoneLine(agent), 0.12), 2 * 0.13)], ids=["packets", "G.711", "delay", "telephone", "nested"])
def test_an_answer_tells_what_the_lines_around_the_agent_take_there_and_back(around: type[PacketLine], seconds: float) -> None:
    recording = call(around(Answers()))
    [answer] = recording.events[AGENT]
    assert answer.detail["line"] == pytest.approx(seconds)
    assert answer.start == pytest.approx(5 * FRAME_SECONDS + seconds / 2.0)


def test_the_recording_keeps_the_caller_as_they_spoke() -> None:
    lossy = call(PacketLine(Hears(), Link(0.03, 0.02, Loss(0.3, 2.0)), law="mu"))
    assert np.array_equal(lossy.audio[USER], call(Hears()).audio[USER])


@pytest.mark.parametrize("name", LINES)
def test_a_named_line_carries_a_call_within_what_callers_bear(name: str) -> None:
    with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
        around = instantiate(compose("bench", ["agent=echo", f"perturb={name}"]).perturb)
    found = call(around(Hears()), 20.0).facts["tally"]["agent"]["line"]["to_agent"]
    assert found["seconds"] <= 0.15  # ITU-T G.114
    assert found["lost"] + found["late"] <= 0.03 * found["sent"] == 30


def test_on_a_declared_clock_the_line_adds_nothing_to_what_a_step_cost() -> None:
    class Steps(Hears):
        def step(self, heard: Frame) -> Frame:
            return Frame(super().step(heard).samples, seconds=Declared("d", {"x": {"p50": 0.01, "p95": 0.01}}).draw("x", ""))

    assert call(PacketLine(Steps())).step_seconds == pytest.approx(0.01)
