"""What stands between a person and a call: sound card, machine, weights, server; each looked at, and what would mend it.

A check never raises: what it cannot find out is its finding. Programs print; see `duplex.doctor`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from time import sleep
from typing import Final

import numpy as np

from duplex.frame import FRAME_SECONDS
from duplex.live.devices import chosen, rate_of, sounddevice
from duplex.remote.address import CHECKED, Access
from duplex.remote.state import State, asked

ROUNDS: Final = 20  # of asking a server for its state
BUFFER_SECONDS: Final = FRAME_SECONDS  # that `agent=remote` keeps waiting
QUIET, LOUD = -60.0, -6.0  # dB full scale: below, a microphone is muted; above, it clips when somebody laughs
FAR_SECONDS: Final = 0.15  # of round trip, which a conversation feels
JITTERY_SECONDS: Final = 0.06


class Verdict(Enum):
    """How a finding stands."""

    FINE = "ok"
    MIND = "mind"  # a call is possible
    BAD = "bad"  # it is not
    UNKNOWN = "–"


@dataclass(frozen=True)
class Finding:
    """A line of the doctor.

    Attributes:
        about: what was looked at.
        found: what it is like.
        mend: what to do about it, "" where nothing is to be done.
        seconds: what it adds to every answer, where it adds something.
    """

    about: str
    verdict: Verdict
    found: str
    mend: str = ""
    seconds: float | None = None


def sound_card(input_device: int | str | None, output_device: int | str | None) -> Finding:
    about = "sound card"
    try:
        microphone, speaker = chosen(input_device, "input"), chosen(output_device, "output")
        rate = rate_of(microphone, speaker, None, (1, min(2, speaker.num_outputs)))
    except (ImportError, ValueError) as error:
        what, _, mend = str(error).partition(": ")
        return Finding(about, Verdict.BAD, what, mend or "duplex-talk --list-devices shows what there is")
    delay = FRAME_SECONDS + microphone.latencies[0] + speaker.latencies[1]
    return Finding(about, Verdict.FINE, f"{microphone.name} and {speaker.name} at {rate} Hz, which promise {delay:.2f} s both "
                   "ways", "duplex-talk --calibrate measures it", delay)


def microphone_level(input_device: int | str | None, seconds: float) -> Finding:
    """Listens to the room for a moment."""
    about = "microphone"
    try:
        device = chosen(input_device, "input")
        rate = round(device.rate)
        heard: np.ndarray = sounddevice().rec(round(seconds * rate), rate, 1, "float32", device=device.index)
        sounddevice().wait()
    except Exception as error:  # PortAudioError is no OSError, and its class is known only where PortAudio is
        return Finding(about, Verdict.BAD, f"cannot be opened: {error}", "close other programs that hold it")
    level, peak = (20.0 * float(np.log10(max(number, 1e-9))) for number in (
        np.sqrt(np.mean(np.square(heard))), np.abs(heard).max()))
    found = f"{level:.0f} dB of full scale for {seconds:g} s, peak {peak:.0f} dB"
    if not heard.any():
        return Finding(about, Verdict.BAD, f"{device.name} gives digital silence", "unmute it, or allow this program to hear it")
    if peak > LOUD:
        return Finding(about, Verdict.MIND, f"{found}: it will clip", "turn its level down by 10 dB")
    return Finding(about, Verdict.FINE, found + (", a quiet room" if level < QUIET else ""))


def gpu() -> Finding:
    about = "GPU"
    if find_spec("torch") is None:
        return Finding(about, Verdict.UNKNOWN, "no torch here, which a laptop does not need",
                       'a model on this machine needs pip install "duplex-harness[moshi]"')
    import torch

    if not torch.cuda.is_available():
        return Finding(about, Verdict.MIND, f"torch {torch.__version__} finds none", "let a server with one speak: "
                       "duplex-serve there, duplex-talk --ssh host here")
    free, total = torch.cuda.mem_get_info()
    gib = 1 << 30
    found = f"{torch.cuda.get_device_name()}, {free / gib:.0f} of {total / gib:.0f} GiB free"
    if free < 17 * gib:
        return Finding(about, Verdict.MIND, found, "7B in bfloat16 takes 17 GiB: agent.context=750 and agent.dtype=int8 take 10")
    return Finding(about, Verdict.FINE, found)


def weights(repo: str) -> Finding:
    """Whether the licence gate is open, and whether the files are here."""
    about = f"weights of {repo}"
    if find_spec("moshi") is None or find_spec("huggingface_hub") is None:
        return Finding(about, Verdict.UNKNOWN, "no models run here")
    import huggingface_hub
    from requests.exceptions import RequestException

    from duplex.speech_lm.hub import Repository
    cached = huggingface_hub.try_to_load_from_cache(repo, "model.safetensors")
    if isinstance(cached, str):
        return Finding(about, Verdict.FINE, f"here, {os.path.getsize(cached) / 1e9:.1f} GB")
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return Finding(about, Verdict.MIND, "not here", "unset HF_HUB_OFFLINE, or give agent.path=folder with its files")
    try:  # one question, where a download would try again and again
        huggingface_hub.auth_check(repo, token=os.environ.get("HF_TOKEN") or False)
    except huggingface_hub.errors.HfHubHTTPError as error:
        return Finding(about, Verdict.MIND, "not here", Repository(repo, None).complaint(error, "model.safetensors"))
    except RequestException:
        return Finding(about, Verdict.MIND, "not here, and the Hub cannot be reached",
                       "go online, or give agent.path=folder with its files")
    return Finding(about, Verdict.FINE, "not here yet; the licence gate is open, and they come with the first call")


def server(url: str, access: Access = CHECKED) -> Iterator[Finding]:
    """Whether a server answers, has a place, how far away it is, and what time it has."""
    states: list[State] = []
    try:
        for _ in range(ROUNDS):
            states.append(asked(url, access))
            sleep(0.02)
    except (OSError, ValueError) as error:
        yield Finding("server", Verdict.BAD, f"{url}: {error}", "is duplex-serve running there, and the tunnel open "
                      "(duplex-talk --ssh host)?")
        return
    last = states[-1]
    full = last.places is not None and last.taken >= last.places
    yield Finding("server", Verdict.MIND if full else Verdict.FINE, last.told,
                  "no place is free: wait, or agent.slots=… there" if full else "", last.step_seconds)
    rounds = np.array([state.round_trip for state in states[1:]])  # the first one opens the connection
    middle, jitter = float(np.median(rounds)), float(np.quantile(rounds, 0.95) - np.median(rounds))
    far, jittery = middle > FAR_SECONDS, jitter > JITTERY_SECONDS
    yield Finding("round trip", Verdict.MIND if far or jittery else Verdict.FINE,
                  f"{1e3 * middle:.1f} ms, 95 % within {1e3 * jitter:.1f} ms more",
                  "a server nearer by" if far else "a cable in place of wireless" if jittery else "", middle + jitter)
    offsets = [state.clock_offset for state in states if state.clock_offset is not None]
    if offsets:
        offset = float(np.median(offsets))
        yield Finding("clock", Verdict.FINE if abs(offset) < 0.5 else Verdict.MIND,
                      f"the server's runs {abs(offset) * 1e3:.0f} ms {'ahead' if offset > 0 else 'behind'}",
                      "" if abs(offset) < 0.5 else "set both by a time server; logs are compared by it")


def expected(findings: list[Finding]) -> Finding:
    """What a person will wait on top of what the agent decides."""
    added = [(finding.about, finding.seconds) for finding in findings if finding.seconds is not None]
    total = FRAME_SECONDS + sum(seconds for _, seconds in added)
    buffered = any(about == "round trip" for about, _ in added)
    parts = [("a frame", FRAME_SECONDS), *added, *([("the jitter buffer", BUFFER_SECONDS)] if buffered else [])]
    total += BUFFER_SECONDS if buffered else 0.0
    return Finding("latency to expect", Verdict.FINE if total < 0.4 else Verdict.MIND,
                   f"{total:.2f} s on top of the agent's own: " + ", ".join(
                       f"{about} {seconds:.2f}" for about, seconds in parts),
                   "" if total < 0.4 else "of the 0.8 s that feel natural little is left: look at the largest part")


