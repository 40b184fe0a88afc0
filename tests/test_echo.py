"""The canceller takes the agent's voice out of a simulated room and leaves the user's."""

import sys
from collections.abc import Callable

import numpy as np
import pytest

from duplex.agents.simple import Echo
from duplex.conversation import Prompt, Tallies, converse, leave
from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, Event, Frame
from duplex.pace import keeps_time
from duplex.perturbations import at_level, talker
from duplex.recording import USER
from duplex.schedule import Schedule

pytest.importorskip("livekit")
from duplex.live.echo import Cancelled  # noqa: E402  # needs livekit to be made, not to be imported

CONVERGED: int = 4 * SAMPLE_RATE


class Room:
    """A user in a room with a loudspeaker: the microphone hears `voice` and what is played, `delay` seconds later."""

    keeps_time = True

    def __init__(self, delay: float = 0.06, decibels: float = -6.0, voice: np.ndarray | None = None,
                 echo_seconds: float | None = None):
        random = np.random.default_rng(3)
        decay = random.standard_normal(4_800) * np.exp(-np.arange(4_800) / 700)
        self.response = decay * 10.0 ** (decibels / 20.0) / np.sqrt(np.sum(np.square(decay)))
        self.noise = at_level(random.standard_normal(20 * SAMPLE_RATE), -65.0)
        self.delay = round(delay * SAMPLE_RATE)
        self.voice = np.zeros(0, np.float32) if voice is None else voice
        self.echo_seconds = echo_seconds
        self.has_left = False

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.air = Schedule()
        self.air.place(0, self.noise)
        self.air.place(0, self.voice)

    def step(self, heard: Frame) -> Frame | None:
        self.air.place(self.air.now + self.delay, np.convolve(heard.samples, self.response).astype(np.float32))
        return self.air.read()

    def leave(self) -> None:
        self.has_left = True

    def tally(self) -> dict[str, object]:
        return {"device_seconds": 0.25, "late": 3, "echo": {"checked": True}}


class Speaker:
    """An agent that talks without a pause, if `talks`."""

    def __init__(self, talks: bool = True, seed: int = 5):
        self.voice = at_level(talker(np.random.default_rng(seed)), -23.0 if talks else -120.0)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.frame = 0

    def step(self, heard: Frame) -> Frame:
        self.frame += 1
        return Frame(self.voice[(self.frame - 1) * FRAME_SAMPLES:self.frame * FRAME_SAMPLES])


def level(samples: np.ndarray) -> float:
    return 10.0 * float(np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))


def removed(around: Callable[[Room], Room | Cancelled], room: Room) -> float:
    """Level in dB of what the microphone brings of an agent alone, after four seconds."""
    return level(converse(around(room), Speaker(), max_seconds=9.6).audio[USER, CONVERGED:])


@pytest.mark.parametrize("delay", [0.06, 0.18])
def test_the_agent_alone_is_taken_out(delay: float) -> None:
    gain = removed(lambda room: room, Room(delay)) - removed(Cancelled, Room(delay))
    assert gain > 20.0


def test_a_delay_that_is_known_is_found_however_long_it_is() -> None:
    untold, told = Room(0.9), Room(0.9, echo_seconds=0.9)
    assert removed(Cancelled, untold) - removed(Cancelled, told) > 10.0


def test_a_user_who_talks_alone_is_kept_whole() -> None:
    voice = at_level(talker(np.random.default_rng(8)), -23.0)
    heard = converse(Cancelled(Room(voice=voice)), Speaker(talks=False), max_seconds=9.6).audio[USER, CONVERGED:]
    assert level(heard) == pytest.approx(level(voice[CONVERGED:CONVERGED + len(heard)]), abs=1.0)


def test_the_users_voice_comes_later_by_what_the_canceller_says() -> None:
    voice = at_level(talker(np.random.default_rng(8)), -23.0)
    user = Cancelled(Room(voice=voice))
    heard = converse(user, Speaker(talks=False), max_seconds=4.8).audio[USER]
    similarity = np.fft.irfft(np.fft.rfft(heard, 2**18) * np.conj(np.fft.rfft(voice[:len(heard)], 2**18)))
    assert user.seconds == pytest.approx(0.024, abs=0.0001)
    assert np.argmax(similarity) / SAMPLE_RATE == pytest.approx(user.seconds, abs=0.001)


def test_in_double_talk_something_of_the_user_is_left() -> None:
    voice = at_level(talker(np.random.default_rng(8)), -20.0)
    voice[:CONVERGED] = 0.0
    both = converse(Cancelled(Room(voice=voice)), Speaker(), max_seconds=9.6).audio[USER, CONVERGED:]
    assert level(both) > -35.0


class Played(Room):
    """A room whose loudspeaker says that it played nothing."""

    played = np.zeros(FRAME_SAMPLES, np.float32)


def test_what_was_really_played_is_the_reference() -> None:
    assert abs(removed(Cancelled, Played()) - removed(lambda room: room, Room())) < 3.0


def test_words_and_events_come_with_the_voice() -> None:
    class Acting(Room):
        def step(self, heard: Frame) -> Frame | None:
            return Frame(np.zeros(FRAME_SAMPLES, np.float32), events=(Event("turn", 0.07, 0.07),), at=2.0)

    user = Cancelled(Acting())
    user.reset(Prompt(), 0)
    silence = Frame(np.zeros(FRAME_SAMPLES, np.float32))
    first, second = user.step(silence), user.step(silence)
    assert first is not None and second is not None
    assert first.events == () and second.events[0].start == pytest.approx(0.014, abs=0.0001)
    assert first.at == pytest.approx(2.0 - user.seconds)


def test_whoever_is_inside_keeps_time_leaves_hangs_up_and_is_counted() -> None:
    class Hangs(Room):
        def step(self, heard: Frame) -> Frame | None:
            return None

    room = Hangs()
    user = Cancelled(room)
    assert keeps_time(user) and isinstance(user, Tallies)
    recording = converse(user, Echo())
    assert recording.ended_by == "user" and room.has_left
    assert recording.facts["tally"]["user"] == {
        "device_seconds": 0.273958, "late": 3,
        "echo": {"checked": True, "cancelled": True, "removed_decibels": None, "canceller_seconds": 0.023958}}


def test_leaving_before_a_reset_is_safe() -> None:
    leave(Cancelled(Room()))


def test_the_tally_says_how_much_was_removed() -> None:
    user = Cancelled(Room())
    converse(user, Speaker(), max_seconds=9.6)
    assert user.tally()["echo"]["removed_decibels"] > 10.0


def test_without_livekit_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "livekit", None)
    with pytest.raises(ImportError, match=r'pip install "duplex-harness\[echo\]"; headphones need none'):
        Cancelled(Room())
