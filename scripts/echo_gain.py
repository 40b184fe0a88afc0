"""What the echo canceller gains and costs, in a simulated room: loudspeaker, walls, microphone, noise.

    python scripts/echo_gain.py
    python scripts/echo_gain.py --delays 0.06 0.18 0.4 --coupling -6

An agent speaks without a pause; then you speak over it. Prints by how many dB the agent's voice is weaker after the
canceller (its gain, while the agent speaks alone, over 1-3 s and from 4 s on), how much of your voice is left while
both speak and while you speak alone, how much later it comes, and what a frame costs. The participant is the one that a
live call uses (`duplex.live.echo.Cancelled`). Voices are espeak's. Prints a table and a last line of JSON.
"""

import argparse
import json
from collections.abc import Sequence
from statistics import fmean
from time import process_time
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from duplex.conversation import Participant, Prompt
from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, Frame
from duplex.live.echo import Cancelled
from duplex.perturbations import at_level
from duplex.schedule import Schedule, samples_in
from duplex.speech import AUDIBLE_DECIBELS, HOP_SAMPLES, levels
from duplex.stages.speaking.tts import Espeak
from duplex.stages.speaking.voices import voice

SECONDS: Final = 16.0
BOTH_FROM: Final = 8.0  # before that the agent speaks alone
EARLY: Final = (1.0, 3.0)
CONVERGED: Final = (4.0, BOTH_FROM)
ROOM_SECONDS: Final = 0.3
DECAY_SECONDS: Final = 0.05  # of the room's amplitude by e: a reverberation time of 0.35 s
SPEECH_DECIBELS: Final = -23.0
SEEDS: Final = (0, 1, 2)
AGENT_SAYS: Final = (
    "we are open from nine to six on weekdays and from ten to four on saturdays. the nearest parking is behind the "
    "building and it is free for the first two hours. your glasses are ready and you can pick them up whenever you like. "
    "please bring your receipt and the old prescription with you so that we can compare the two and write down what has "
    "changed since your last visit. is there anything else that i can do for you today")
USER_SAYS: Final = (
    "wait no that is not what i meant. i would like to move my appointment to friday afternoon if you still have one. "
    "and could you tell me what the new frames would cost")


class Room:
    """A user whose microphone also hears the loudspeaker, through a room with a decaying random response.

    Args:
        voice: (num_samples,) of the user at the microphone, may be empty.
        delay: seconds from the loudspeaker's input to the first sound at the microphone.
        coupling: dB by which the echo is weaker than the agent's voice.
        told: whether the canceller is told the delay, as the check at the start of a call does.
    """

    def __init__(self, voice: np.ndarray, delay: float, coupling: float, noise: float, told: bool, seed: int):
        random = np.random.default_rng(seed)
        time = np.arange(samples_in(ROOM_SECONDS)) / SAMPLE_RATE
        response = random.standard_normal(len(time)) * np.exp(-time / DECAY_SECONDS)
        self.response = response * 10.0 ** (coupling / 20.0) / np.sqrt(np.sum(np.square(response)))
        self.noise = at_level(random.standard_normal(samples_in(SECONDS)), noise)
        self.voice, self.delay = voice, samples_in(delay)
        self.echo_seconds = delay if told else None

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.air = Schedule()
        self.air.place(0, self.voice)
        self.air.place(0, self.noise)

    def step(self, heard: Frame) -> Frame:
        self.air.place(self.air.now + self.delay, np.convolve(heard.samples, self.response).astype(np.float32))
        return self.air.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delays", type=float, nargs="+", default=[0.06, 0.18, 0.4], help="seconds")
    parser.add_argument("--coupling", type=float, default=-6.0, help="dB, the echo relative to the agent's voice")
    parser.add_argument("--noise", type=float, default=-65.0, help="dB of full scale")
    options = parser.parse_args()
    agent = looped(Espeak(level=SPEECH_DECIBELS).synthesise(AGENT_SAYS).samples, 0.0)
    rows = [measured(agent, delay, options.coupling, options.noise, told)
            for delay in options.delays for told in (False, True)]
    show(rows, options.coupling, options.noise, Console())
    print(json.dumps({"coupling": options.coupling, "noise": options.noise, "seeds": len(SEEDS), "rows": rows}))


def measured(agent: np.ndarray, delay: float, coupling: float, noise: float, told: bool) -> dict[str, float | bool]:
    """Means over rooms and voices."""
    rows = [in_a_room(agent, delay, coupling, noise, told, seed) for seed in SEEDS]
    return {"delay": delay, "told": told} | {key: round(fmean(row[key] for row in rows), 4) for key in rows[0]}


def in_a_room(agent: np.ndarray, delay: float, coupling: float, noise: float, told: bool, seed: int) -> dict[str, float]:
    user = looped(voice(("dan", "eve", "gus")[seed]).synthesise(USER_SAYS).samples, BOTH_FROM)
    room = Room(user, delay, coupling, noise, told, seed)
    caught, without = call(room, agent)
    cleaned, with_it = call(Cancelled(room), agent)
    alone, _ = call(Cancelled(room), np.zeros_like(agent))
    late = lag(user, alone)
    cleaned, alone = cleaned[late:], alone[late:]
    return {"gain_early": gain(caught, cleaned, EARLY), "gain": gain(caught, cleaned, CONVERGED),
            "voice_in_double_talk": kept(alone, cleaned), "voice_alone": -gain(user, alone, (BOTH_FROM, SECONDS - 0.1)),
            "added_delay_ms": 1_000.0 * late / SAMPLE_RATE, "frame_ms": 1_000.0 * (with_it - without)}


def call(user: Participant, agent: np.ndarray) -> tuple[np.ndarray, float]:
    """What comes from the user's microphone while `agent` (num_samples,) plays, and seconds of processor per frame."""
    user.reset(Prompt(), 0)
    answers: list[np.ndarray] = []
    started = process_time()
    for samples in agent.reshape(-1, FRAME_SAMPLES):
        answer = user.step(Frame(samples))
        assert answer is not None
        answers.append(answer.samples)
    return np.concatenate(answers), (process_time() - started) / len(answers)


def gain(caught: np.ndarray, cleaned: np.ndarray, span: Sequence[float]) -> float:
    """Echo return loss enhancement, dB: power before over power after, both with the room's noise."""
    start, end = (samples_in(seconds) for seconds in span)
    return 10.0 * float(np.log10(np.mean(np.square(caught[start:end])) / np.mean(np.square(cleaned[start:end]))))


def kept(alone: np.ndarray, cleaned: np.ndarray) -> float:
    """How strong the user's voice is while both speak, relative to the user alone through the same canceller, dB.

    The best fit of the one to the other in each 10 ms in which the user sounds, so that what is left of the agent does
    not count.
    """
    hops = slice(samples_in(BOTH_FROM), len(alone) // FRAME_SAMPLES * FRAME_SAMPLES)
    was, left = alone[hops].reshape(-1, HOP_SAMPLES), cleaned[hops].reshape(-1, HOP_SAMPLES)
    sounds = levels(alone[hops]) > AUDIBLE_DECIBELS
    fitted = np.sum(was * left, axis=1)[sounds] / np.sum(np.square(was), axis=1)[sounds]
    power = np.sum(np.square(was), axis=1)[sounds]
    return 10.0 * float(np.log10(max(np.sum(fitted * np.abs(fitted) * power), 1e-12) / np.sum(power)))


def lag(user: np.ndarray, heard: np.ndarray) -> int:
    """Samples by which the user's voice is later in `heard`."""
    size = len(user) + len(heard)
    return int(np.argmax(np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(user, size)), size)[:SAMPLE_RATE]))


def looped(speech: np.ndarray, start: float) -> np.ndarray:
    """(SECONDS of samples,) of `speech`, repeated, silent before `start`."""
    samples = np.resize(speech, samples_in(SECONDS)).astype(np.float32)
    samples[:samples_in(start)] = 0.0
    return samples


def show(rows: Sequence[dict[str, float | bool]], coupling: float, noise: float, console: Console) -> None:
    table = Table("delay s", "told", "gain 1-3 s", "gain 4-8 s", "you over it", "you alone", "later ms", "ms per frame",
                  title_justify="left", title=f"WebRTC's canceller, dB; echo {coupling:.0f} dB, noise {noise:.0f} dB, "
                  f"mean of {len(SEEDS)} rooms")
    for row in rows:
        table.add_row(f"{row['delay']:.2f}", "yes" if row["told"] else "no", f"{row['gain_early']:.1f}",
                      f"{row['gain']:.1f}", f"{row['voice_in_double_talk']:+.1f}", f"{row['voice_alone']:+.1f}",
                      f"{row['added_delay_ms']:.1f}", f"{row['frame_ms']:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
