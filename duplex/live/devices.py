"""Sound cards: which there are, how one is named, and what each can do.

Nothing here opens one; `duplex.live.microphone` does. Where there is none, everything but a live call works, and what
is raised says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Final, Literal, TypeAlias

from duplex.frame import SAMPLE_RATE

RATES: Final = (SAMPLE_RATE, 48_000, 44_100, 16_000)  # Hz, the best first: the harness's own needs no conversion
HEADER: Final = ("", "name", "system", "in", "out", "Hz", "latency in", "latency out", "default", "can do")
OR_A_FILE: Final = "; a file can play the caller: user=replay user.path=..."
Direction: TypeAlias = Literal["input", "output"]


@dataclass(frozen=True)
class Device:
    """A sound card as PortAudio sees it.

    Attributes:
        index: PortAudio's; it changes when something is plugged in.
        system: the host's sound system, e.g. "ALSA", "Core Audio".
        num_inputs, num_outputs: channels.
        rate: its own choice, Hz.
        latencies: (input, output) in seconds, as it promises them for a stream that must not stutter.
        default_for: "input", "output", both or neither.
    """

    index: int
    name: str
    system: str
    num_inputs: int
    num_outputs: int
    rate: float
    latencies: tuple[float, float]
    default_for: tuple[Direction, ...]

    def has(self, direction: Direction) -> bool:
        return (self.num_inputs if direction == "input" else self.num_outputs) > 0


def devices() -> list[Device]:
    """Every device of this machine, inputs and outputs.

    Raises:
        ImportError: when sounddevice or PortAudio is missing, naming what to install.
        ValueError: when there is no sound card.
    """
    portaudio = sounddevice()
    systems = [str(system["name"]) for system in portaudio.query_hostapis()]
    defaults: list[tuple[Direction, int]] = list(zip(("input", "output"), portaudio.default.device))
    found = [Device(
        index, str(one["name"]), systems[one["hostapi"]], int(one["max_input_channels"]), int(one["max_output_channels"]),
        float(one["default_samplerate"]), (float(one["default_high_input_latency"]), float(one["default_high_output_latency"])),
        tuple(direction for direction, default in defaults if default == index))
        for index, one in enumerate(portaudio.query_devices())]
    if not found:
        raise ValueError("no sound card: PortAudio finds no device on this machine" + OR_A_FILE)
    return found


def chosen(which: int | str | None, direction: Direction) -> Device:
    """The device of that index, of that name or unique part of a name in any case, or the default for None.

    Raises:
        ValueError: when there is none such, or more than one, listing what there is.
    """
    able = [device for device in devices() if device.has(direction)]
    if not able:
        raise ValueError(f"no sound card has an {direction}" + OR_A_FILE)
    found = matching(able, which, direction)
    if len(found) == 1:
        return found[0]
    wanted = f"there is no default {direction} device" if which is None else (
        f"{len(found)} {direction} devices match {which!r}" if found else f"there is no {direction} device {which!r}")
    raise ValueError(f"{wanted}; there are " + ", ".join(f"{device.index} {device.name!r}" for device in able))


def matching(able: Sequence[Device], which: int | str | None, direction: Direction) -> list[Device]:
    if which is None:
        return [device for device in able if direction in device.default_for]
    if isinstance(which, int):
        return [device for device in able if device.index == which]
    exact = [device for device in able if device.name.casefold() == which.casefold()]
    return exact[:1] or [device for device in able if which.casefold() in device.name.casefold()]


def rate_of(microphone: Device, speaker: Device, rate: int | None, channels: tuple[int, int]) -> int:
    """The rate in Hz at which both devices can run together, the best first unless one is asked for.

    Args:
        rate: the only one that will do, or None.
        channels: how many of the (microphone, speaker) are used.

    Raises:
        ValueError: when there is none.
    """
    if rate is not None and rate not in RATES:
        raise ValueError(f"a device's rate is {', '.join(map(str, RATES[:-1]))} or {RATES[-1]} Hz, not {rate}")
    for one in RATES if rate is None else (rate,):
        if can(microphone, "input", one, channels[0]) and can(speaker, "output", one, channels[1]):
            return one
    wanted = " or ".join(str(one) for one in (RATES if rate is None else (rate,)))
    raise ValueError(
        f"{microphone.name!r} ({rates(microphone, 'input')} Hz) and {speaker.name!r} ({rates(speaker, 'output')} Hz) "
        f"cannot both run at {wanted} Hz; choose other devices or another rate")


def rates(device: Device, direction: Direction) -> str:
    """Which of RATES it can do, in words."""
    return ", ".join(str(rate) for rate in sorted(RATES) if can(device, direction, rate, 1)) or "none of ours"


def can(device: Device, direction: Direction, rate: int, num_channels: int) -> bool:
    portaudio = sounddevice()
    check = portaudio.check_input_settings if direction == "input" else portaudio.check_output_settings
    try:
        check(device=device.index, channels=num_channels, dtype="float32", samplerate=rate)
    except (portaudio.PortAudioError, ValueError):
        return False
    return True


def table() -> list[tuple[str, ...]]:
    """What `--list-devices` shows: HEADER, then a row for each device."""
    rows: list[tuple[str, ...]] = [HEADER]
    for one in devices():
        direction: Direction = "input" if one.has("input") else "output"
        rows.append((
            str(one.index), one.name, one.system, str(one.num_inputs), str(one.num_outputs), f"{one.rate:.0f}",
            *(f"{latency:.3f} s" if channels else "" for latency, channels in
              zip(one.latencies, (one.num_inputs, one.num_outputs))),
            " ".join(one.default_for), f"{rates(one, direction)} Hz"))
    return rows


def sounddevice() -> ModuleType:
    """The module, or what to install.

    Raises:
        ImportError: it or PortAudio is missing.
    """
    try:
        import sounddevice as module
    except OSError as error:  # what sounddevice raises without PortAudio
        raise ImportError("a microphone needs the PortAudio library: apt-get install libportaudio2 (on macOS and Windows "
                          "sounddevice brings it)" + OR_A_FILE) from error
    except ImportError as error:
        raise ImportError('a microphone needs sounddevice: pip install "duplex-harness[live]"' + OR_A_FILE) from error
    return module
