"""A virtual sound card for tests: a PulseAudio daemon of our own, with a speaker and a microphone on one clock.

What a program plays on the card can be recorded beside what its microphone brings, and what is played into the
microphone the program hears. PortAudio reads where the card is when a process begins, so programs that use it are
processes of their own.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Final, NamedTuple

import numpy as np

ROOT: Final = Path(__file__).parent.parent
CARD_RATE: Final = 48_000
PATIENCE: Final = 20.0  # seconds
NEEDED: Final = ("pulseaudio", "pactl", "pacat", "parec")
PACKAGES: Final = "apt-get install libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins"
LATENCY_MS: Final = 20  # of whatever a test plugs in; a real card ticks as often
ALSA: Final = "pcm.!default {type pulse}\nctl.!default {type pulse}\n"
LEFT, RIGHT, MICROPHONE = "front-left", "front-right", "aux0"  # channels of the one device behind everything
MODULES: Final = (
    f"module-null-sink sink_name=card rate={CARD_RATE} channels=3 channel_map={LEFT},{RIGHT},{MICROPHONE}",
    f"module-remap-sink sink_name=speaker master=card channels=2 channel_map={LEFT},{RIGHT} "
    f"master_channel_map={LEFT},{RIGHT} remix=no",
    f"module-remap-sink sink_name=mic_feed master=card channels=1 channel_map=mono master_channel_map={MICROPHONE} remix=no",
    f"module-remap-source source_name=microphone master=card.monitor channels=1 channel_map=mono "
    f"master_channel_map={MICROPHONE} remix=no",
    f"module-remap-source source_name=heard master=card.monitor channels=1 channel_map=mono "
    f"master_channel_map={LEFT} remix=no")


class Heard(NamedTuple):
    """What was on the card, (num_samples,) float32 at CARD_RATE each, to the sample at the same time."""

    speaker: np.ndarray
    microphone: np.ndarray


@dataclass(frozen=True)
class SoundCard:
    """A running card.

    Attributes:
        environment: of a process that shall have this card and no other.
    """

    environment: dict[str, str]

    def run(self, *arguments: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Runs this Python with `arguments` at the card."""
        return subprocess.run([sys.executable, *arguments], env=self.environment, capture_output=True, text=True,
                              timeout=timeout, cwd=ROOT, check=False)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The same, without waiting for it."""
        return subprocess.Popen([sys.executable, *arguments], env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, cwd=ROOT)

    def control(self, *command: str) -> str:
        """`pactl`."""
        return subprocess.run(["pactl", *command], env=self.environment, capture_output=True, text=True, check=True,
                              timeout=PATIENCE).stdout.strip()

    def play(self, samples: np.ndarray) -> None:
        """Plays (num_samples,) float32 at CARD_RATE into the microphone, to its end."""
        subprocess.run(["pacat", "--playback", "--device=mic_feed", *plug(channels=1)], env=self.environment,
                       input=samples.astype("<f4").tobytes(), check=True, timeout=PATIENCE + len(samples) / CARD_RATE)

    @contextmanager
    def records(self) -> Iterator[list[Heard]]:
        """Records the card; the list holds it once the block is left."""
        heard: list[Heard] = []
        with TemporaryDirectory() as folder:
            path = Path(folder) / "heard.f32"
            with path.open("wb") as file, self.listener(file.fileno()):
                until(lambda: path.stat().st_size > 0, "the card ticks")
                yield heard
            samples = np.fromfile(path, "<f4")
            left, _, microphone = samples[:len(samples) // 3 * 3].reshape(-1, 3).T
            heard.append(Heard(left, microphone))

    @contextmanager
    def listener(self, file: int) -> Iterator[None]:
        parec = subprocess.Popen(["parec", "--device=card.monitor", *plug(channels=3),
                                  f"--channel-map={LEFT},{RIGHT},{MICROPHONE}"], env=self.environment, stdout=file)
        try:
            yield
        finally:
            parec.terminate()
            parec.wait(PATIENCE)

    @contextmanager
    def looped_back(self) -> Iterator[None]:
        """The microphone hears what the card plays, as by a cable, without any delay of its own."""
        self.control("set-default-source", "heard")
        try:
            yield
        finally:
            self.control("set-default-source", "microphone")


def plug(channels: int) -> list[str]:
    return ["--raw", "--format=float32le", f"--rate={CARD_RATE}", f"--channels={channels}",
            f"--latency-msec={LATENCY_MS}"]


def missing() -> str | None:
    """Why there can be no virtual sound card here; None where there can."""
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    if find_library("portaudio") is None:
        lacking.append("libportaudio")
    return f"a virtual sound card needs {', '.join(lacking)}: {PACKAGES}" if lacking else None


@contextmanager
def sound_card() -> Iterator[SoundCard]:
    """A card for as long as the block lasts; its folder's path must be short, because it holds a socket."""
    with TemporaryDirectory(prefix="card-") as name, ExitStack() as stack:
        folder = Path(name)
        (folder / ".asoundrc").write_text(ALSA)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PULSE_", "ALSA_"))}
        card = SoundCard(inherited | {"XDG_RUNTIME_DIR": name, "HOME": name, "PULSE_SERVER": f"unix:{folder / 'socket'}"})
        log = stack.enter_context((folder / "pulseaudio.log").open("w"))
        server = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
             *(f"--load={module}" for module in
               (f"module-native-protocol-unix auth-anonymous=1 socket={folder / 'socket'}", *MODULES))],
            env=card.environment, stdout=log, stderr=log)
        stack.callback(server.wait, PATIENCE)
        stack.callback(server.terminate)
        until(lambda: answers(card) or gone(server, folder / "pulseaudio.log"), "pulseaudio answers")
        card.control("set-default-sink", "speaker")
        card.control("set-default-source", "microphone")
        stack.enter_context(card.listener(subprocess.DEVNULL))  # a null sink ticks as often as somebody listens
        yield card


def answers(card: SoundCard) -> bool:
    done = subprocess.run(["pactl", "list", "short", "sources"], env=card.environment, capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    return "heard" in done.stdout


def gone(server: "subprocess.Popen[bytes]", log: Path) -> bool:
    if server.poll() is not None:
        raise OSError(f"pulseaudio did not start: {log.read_text()}")
    return False


def until(true: Callable[[], bool], what: str) -> None:
    deadline = monotonic() + PATIENCE
    while not true():
        if monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE} s until {what}")
        sleep(0.02)
