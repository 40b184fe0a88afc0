"""At a sound card: what a microphone hears is recorded, what the agent says is heard after the delay that the log claims,
and that delay does not grow."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import numpy as np
import pytest
from sound_card import CARD_RATE, ROOT, SoundCard, missing, sound_card

from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from duplex.live.microphone import DRIFT_FRAMES, STANDING_CALLBACKS, WAITING_BLOCKS, Card, drift
from duplex.perturbations import at_level, talker
from duplex.recording import AGENT, USER, Recording, load
from duplex.sound_file import resample

pytestmark = pytest.mark.alone
QUIET: Final = SimpleNamespace(input_overflow=False, output_underflow=False)
BLOCK: Final = np.zeros((FRAME_SAMPLES, 1), np.float32)


TALKS: Final = """
import sys
from pathlib import Path
from time import sleep
from duplex.agents.simple import Echo
from duplex.conversation import converse
from duplex.live.microphone import Microphone
from duplex.recording import save

class Slow(Echo):
    \"\"\"Computes for 0.4 s in each of four frames.\"\"\"
    def step(self, heard):
        self.frame = getattr(self, "frame", 0) + 1
        sleep(0.4 * (self.frame in SLOW))
        return super().step(heard)

class Counted(Microphone):
    \"\"\"Tells the test when it may speak.\"\"\"
    def reset(self, prompt, seed):
        super().reset(prompt, seed)
        print("listening", flush=True)

rate, SLOW, folder, seconds = eval(sys.argv[1])
user = Counted(rate=rate, check=False)
recording = converse(user, Slow(), max_seconds=seconds)
recording.facts.setdefault("tally", {"user": user.tally()})
save(recording, Path(folder))
"""


def talked(card: SoundCard, folder: Path, voice: np.ndarray, rate: int | None = None, slow: tuple[int, ...] = (),
           seconds: float = 6.0) -> tuple[Recording, np.ndarray, np.ndarray]:
    """A call with an echo in which `voice` (num_samples,) at SAMPLE_RATE is said; the recording, and what was on the
    card's loudspeaker and microphone meanwhile, at SAMPLE_RATE."""
    with card.records() as heard:
        program = card.start("-c", TALKS, repr((rate, slow, str(folder), seconds)))
        assert program.stdout is not None
        assert program.stdout.readline() == "listening\n", program.communicate()[1]
        card.play(np.repeat(voice, CARD_RATE // SAMPLE_RATE))
        _, errors = program.communicate(timeout=seconds + 30.0)
    assert program.returncode == 0, errors
    return load(folder), resample(heard[0].speaker, CARD_RATE), resample(heard[0].microphone, CARD_RATE)


def voice(seed: int, seconds: float = 1.5) -> np.ndarray:
    """(num_samples,) float32, like nothing else that was ever said."""
    return at_level(talker(np.random.default_rng(seed)), -20.0)[:round(seconds * SAMPLE_RATE)].copy()


def place(pattern: np.ndarray, sound: np.ndarray) -> tuple[float, float]:
    """Where in `sound` `pattern` is, in seconds, and how alike the two are there."""
    size = len(sound) + len(pattern)
    similarity = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(pattern, size)), size)[:len(sound)]
    peak = int(np.argmax(similarity))
    there = sound[peak:peak + len(pattern)]
    return peak / SAMPLE_RATE, float(similarity[peak] / np.sqrt(np.sum(there ** 2) * np.sum(pattern ** 2)))


def claimed(moves: list[list[float]], begin: float, end: float) -> list[float]:
    """The device's delays by the log while somebody spoke."""
    until = [frame * FRAME_SECONDS for frame, _ in moves[1:]] + [np.inf]
    return [delay for (frame, delay), over in zip(moves, until) if frame * FRAME_SECONDS < end and over > begin]


@pytest.mark.slow
@pytest.mark.parametrize("rate", [None, 16_000, 44_100, 48_000])
def test_a_voice_comes_back_from_an_echo_after_what_the_log_claims(card: SoundCard, tmp_path: Path,
                                                                   rate: int | None) -> None:
    said = voice(seed=1)
    recording, speaker, microphone = talked(card, tmp_path, said, rate)
    (asked, caught), (answered, likeness) = place(said, microphone), place(said, speaker)
    assert place(said, recording.audio[USER])[1] > caught - 0.05  # the test's own player may stutter, the microphone must not
    assert likeness > 0.4  # frames that were late on a busy machine are missing
    begin = place(said, recording.audio[USER])[0]
    claims = claimed(recording.facts["tally"]["user"]["device_seconds_from"], begin, begin + 1.5)
    assert min(abs(answered - asked - FRAME_SECONDS - claim) for claim in claims) < FRAME_SECONDS / 2.0
    assert recording.facts["tally"]["user"]["rate"] == (rate or SAMPLE_RATE)


@pytest.mark.slow
def test_the_delay_after_a_slow_agent_is_the_delay_before(card: SoundCard, tmp_path: Path) -> None:
    before, after = voice(seed=2), voice(seed=3)
    pause = np.zeros(4 * SAMPLE_RATE, np.float32)
    recording, speaker, microphone = talked(
        card, tmp_path, np.concatenate([before, pause, after]), slow=(50, 53, 56, 59), seconds=11.0)
    delays = []
    for said in (before, after):
        (asked, _), (answered, likeness) = place(said, microphone), place(said, speaker)
        assert likeness > 0.4
        delays.append(answered - asked)
    assert abs(delays[1] - delays[0]) < 1.5 * FRAME_SECONDS  # where the card takes frames in pairs, one more waits
    counted = recording.facts["tally"]["user"]
    assert counted["late"] >= 8 and counted["dropped_user"] > 0 and counted["dropped_agent"] > 0


@pytest.mark.slow
def test_a_frame_knows_when_it_was_caught(card: SoundCard, tmp_path: Path) -> None:
    recording, _, _ = talked(card, tmp_path, voice(seed=4), seconds=4.0)
    assert recording.clock.shape == (2, 50) and np.isnan(recording.clock[AGENT]).all()
    steps = np.diff(recording.clock[USER])
    assert abs(np.median(steps) - FRAME_SECONDS) < 0.005


@pytest.mark.slow
def test_a_wrong_name_lists_what_there_is(card: SoundCard) -> None:
    done = card.run("-c", "from duplex.live.microphone import microphone; microphone(input='Blue Yeti')")
    assert done.stderr.splitlines()[-1] == ("ValueError: there is no input device 'Blue Yeti'; there are 0 'pulse', "
                                            "1 'default'")
    done = card.run("-c", "from duplex.live.microphone import microphone; microphone(output=7)")
    assert done.stderr.splitlines()[-1].startswith("ValueError: there is no output device 7; there are 0 'pulse'")


@pytest.mark.slow
def test_devices_are_listed_and_chosen_by_part_of_a_name(card: SoundCard) -> None:
    done = card.run("-c", "from duplex.live.devices import chosen, table; import json; "
                          "print(json.dumps([table(), chosen('PUL', 'input').index]))")
    (header, pulse, default), index = json.loads(done.stdout)
    assert header[:3] == ["", "name", "system"] and pulse[1:3] == ["pulse", "ALSA"] and index == 0
    assert default[8] == "input output" and default[9] == "16000, 24000, 44100, 48000 Hz"


@pytest.mark.slow
@pytest.mark.parametrize("arguments, complaint", [
    ("rate=96000", "a device's rate is 24000, 48000, 44100 or 16000 Hz, not 96000"),
    ("channel=99", "there is no channel 99 (the first is 0)"),
    ("echo='loud'", "echo is 'none' (headphones) or 'cancel', not 'loud'")])
def test_what_a_card_cannot_do_is_one_line(card: SoundCard, arguments: str, complaint: str) -> None:
    done = card.run("-c", f"from duplex.live.microphone import microphone; microphone({arguments})")
    assert complaint in done.stderr.splitlines()[-1]


UNPLUGGED: Final = """
from duplex.agents.simple import Echo
from duplex.conversation import ConversationFailed, converse
from duplex.live.microphone import Microphone
class Told(Echo):
    def step(self, heard):
        self.frame = getattr(self, "frame", 0) + 1
        if self.frame == 20:
            print("talking", flush=True)
        return super().step(heard)
try:
    converse(Microphone(check=False), Told(), max_seconds=60.0)
except ConversationFailed as failed:
    print(failed.recording.seconds > 1.0, failed)
"""


@pytest.mark.slow
def test_a_card_that_is_unplugged_ends_the_call_and_keeps_its_recording() -> None:
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with sound_card() as mortal:
        program = mortal.start("-c", UNPLUGGED)
        assert program.stdout is not None
        assert program.stdout.readline() == "talking\n"
        mortal.control("exit")
        out, errors = program.communicate(timeout=30.0)
    assert out.startswith("True OSError: no sound from 'default' for 2 s: was it unplugged"), (out, errors)


def test_without_a_sound_card_one_line_says_what_works() -> None:
    done = without("", "from duplex.live.devices import devices; raise SystemExit(f'there are {devices()}')")
    if "there are" in done or "libportaudio2" in done:
        pytest.skip("this machine has a sound card, or no libportaudio")
    assert done == ("ValueError: no sound card: PortAudio finds no device on this machine; a file can play the caller: "
                    "user=replay user.path=...")


def test_without_portaudio_one_line_says_what_to_install() -> None:
    hidden = "import sys, ctypes.util; ctypes.util.find_library = lambda name: None; sys.path.insert(0, '.'); "
    done = without(hidden, "from duplex.live.microphone import microphone; microphone()")
    assert done.startswith("ImportError: a microphone needs the PortAudio library: apt-get install libportaudio2")


def test_without_sounddevice_one_line_says_what_to_install() -> None:
    done = without("import sys; sys.modules['sounddevice'] = None; ",
                   "from duplex.live.devices import devices; devices()")
    assert done.startswith('ImportError: a microphone needs sounddevice: pip install "duplex-harness[live]"')


def without(hidden: str, program: str) -> str:
    """What a process says last in which there is no sound server and what `hidden` hides is missing."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", hidden + program], env=environment, capture_output=True, text=True,
                          timeout=60.0, cwd=ROOT, check=False)
    return done.stderr.strip().splitlines()[-1]


def exchanged(card: Card, now: float = 0.0, status: object = QUIET) -> np.ndarray:
    """A callback at `now` on PortAudio's clock; what it plays."""
    plays = np.ones((FRAME_SAMPLES, 2), np.float32)
    card.exchange(BLOCK, plays, FRAME_SAMPLES,
                  SimpleNamespace(currentTime=now, inputBufferAdcTime=now - 0.09, outputBufferDacTime=now + 0.02), status)
    return plays


def test_a_frame_is_played_once_on_every_channel() -> None:
    card = Card(channel=0)
    card.say(0, np.full(FRAME_SAMPLES, 0.5, np.float32))
    assert (exchanged(card) == 0.5).all() and not exchanged(card).any()
    assert card.counts["late"] == 1 and [card.heard.get().played, card.heard.get().played] == [0, None]


def tone(number: int) -> np.ndarray:
    return np.full(FRAME_SAMPLES, 0.1 * number, np.float32)


def test_a_third_frame_displaces_the_first_and_is_counted() -> None:
    card = Card(channel=0)
    for number in range(1, 4):
        card.say(number, tone(number))
    assert [exchanged(card)[0, 0] for _ in range(3)] == pytest.approx([0.2, 0.3, 0.0])
    assert card.counts["dropped_agent"] == 1


def test_callbacks_in_pairs_lose_nothing_once_a_frame_waits() -> None:
    card = Card(channel=0)
    played = []
    for pair in range(20):  # two callbacks at once, and then the agent's answers to both
        played += [float(exchanged(card)[0, 0]) for _ in range(2)]
        card.say(2 * pair + 1, tone(2 * pair % 7 + 1))
        card.say(2 * pair + 2, tone(2 * pair % 7 + 2))
    assert card.counts["late"] == 2 and card.counts["dropped_agent"] == 0 and played[2:4] == pytest.approx([0.1, 0.2])


def test_a_frame_that_goes_on_waiting_is_displaced() -> None:
    card = Card(channel=0)
    card.say(0, tone(1))
    for number in range(1, STANDING_CALLBACKS + 10):
        card.say(number, tone(1))
        exchanged(card)
    assert card.counts["dropped_agent"] == 1 and not card.speaker


def test_blocks_that_wait_are_dropped_from_the_oldest() -> None:
    card = Card(channel=0)
    for _ in range(WAITING_BLOCKS + 3):
        exchanged(card)
    assert card.heard.qsize() == WAITING_BLOCKS and card.counts["dropped_user"] == 3
    assert card.heard.get().number == 4


def test_the_devices_delay_is_a_block_and_both_latencies() -> None:
    card = Card(channel=0)
    card.say(0, BLOCK[:, 0])
    exchanged(card, now=5.0)
    block = card.heard.get()
    assert block.sounds - block.caught == pytest.approx(0.11)


def test_a_late_callback_does_not_move_the_clock() -> None:
    card = Card(channel=0)
    exchanged(card, now=1_000.0)  # PortAudio's clock, stamped long after perf_counter's zero
    offset = card.offset
    exchanged(card, now=999.0)  # came a second later than it was stamped
    assert card.offset == offset


def test_xruns_are_counted_as_the_card_reports_them() -> None:
    card = Card(channel=0)
    exchanged(card, status=SimpleNamespace(input_overflow=True, output_underflow=False))
    exchanged(card, status=SimpleNamespace(input_overflow=False, output_underflow=True))
    assert (card.counts["xruns_input"], card.counts["xruns_output"]) == (1, 1)


def test_a_fast_clock_is_seen_in_ten_seconds() -> None:
    moments = [(number, 7.0 + number * FRAME_SECONDS / (1.0 + 50e-6)) for number in range(DRIFT_FRAMES)]
    assert drift(moments) == pytest.approx(50.0, abs=0.2) and drift(moments[1:]) is None
