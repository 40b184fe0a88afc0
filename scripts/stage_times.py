"""How long does each stage of a cascade take on this machine until its first output, and for all of it?

    python scripts/stage_times.py                                       the embedded ones
    python scripts/stage_times.py stt=sphinx second_pass=true stt=whisper model.path=FOLDER tts=espeak llm=manager
    python scripts/stage_times.py stt=kyutai device=cuda --sentences 100

A stage is a config of the group stt, tts or llm; what follows it changes its settings. Recognisers hear sentences of the
optician's callers in one voice; dialogues answer them, each as the first of a call; synthesisers say the manager's answers.
First output: of a recogniser the final text, from the last sound on; of a synthesiser the first piece of sound; of a
dialogue its first sentence. Total: all the computing that one sentence took, and divided by the length of the sound the
real-time factor. Behind: how long after the end of the first word a recogniser has written a word, in time of the sound;
nothing where it writes none while it hears. Wall time, one at a time, a first sentence not counted. What can not be had here is
listed with the reason. Prints the machine, a table and a last line of JSON.
"""

import argparse
import json
import os
import platform
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np
from hydra import compose, initialize_config_dir
from rich.console import Console
from rich.table import Table

from duplex import programs
from duplex.build import built
from duplex.conversation import Prompt
from duplex.frame import FRAME_SECONDS, SAMPLE_RATE
from duplex.manifest import CHECKOUT
from duplex.speech import Speech, frames
from duplex.stages.hearing.stt import Recogniser
from duplex.stages.language.domain import caller_sentences
from duplex.stages.language.llm import Dialogue
from duplex.stages.language.manager import Manager
from duplex.stages.speaking.tts import TTS, Espeak, StreamsSpeech

GROUPS: Final = ("stt", "llm", "tts")
EMBEDDED: Final = ("stt=sphinx", "llm=manager", "tts=espeak", "tts=flite")
DOMAIN: Final = "optician"
VOICE: Final = "en-us+klatt4"  # one that Sphinx hears as well as people's
CPU_INFO: Final = Path("/proc/cpuinfo")


class Stage(NamedTuple):
    """A config, and what is changed in it."""

    group: str
    name: str
    changes: tuple[str, ...]

    @property
    def label(self) -> str:
        return " ".join([f"{self.group}={self.name}", *self.changes])


class Taken(NamedTuple):
    """Seconds that one sentence took.

    Attributes:
        first: until the first output.
        total: all of it.
        sound: how long it is, spoken; 0.0 where nothing is.
        behind: from the end of its first word to the first word written, where it is written before the end.
    """

    first: float
    total: float
    sound: float = 0.0
    behind: float | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", metavar="group=name [setting=value]", default=list(EMBEDDED))
    parser.add_argument("--sentences", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="of the choice of sentences")
    options = parser.parse_args()
    try:
        chosen = stages(options.stages)
    except ValueError as error:
        parser.error(str(error))
    console = programs.console()
    said = sentences(options.sentences + 1, options.seed)
    spoken = [Espeak(VOICE).synthesise(sentence) for sentence in said]
    found: dict[str, dict[str, Any]] = {}
    not_here: dict[str, str] = {}
    for stage in chosen:
        try:
            found[stage.label] = measured(stage, said, spoken)
        except Exception as error:  # a library's, a service's, ours: whatever it is, the other stages can be measured
            not_here[stage.label] = programs.complaint(error)
    about = {"machine": machine(), "sentences": len(said) - 1, "voice": VOICE}
    show(about, found, not_here, console)
    print(json.dumps({**about, "stages": found, "not_here": not_here}))


def stages(arguments: Sequence[str]) -> list[Stage]:
    """Each group=name with the settings behind it.

    Raises:
        ValueError: settings come before any stage, or something is neither.
    """
    found: list[Stage] = []
    for argument in arguments:
        key, is_setting, name = argument.partition("=")
        if not is_setting or not found and key not in GROUPS:
            raise ValueError(f"{argument!r} is no stage, as in stt=sphinx; the groups are {', '.join(GROUPS)}")
        if key in GROUPS:
            found.append(Stage(key, name, ()))
        else:
            found[-1] = found[-1]._replace(changes=(*found[-1].changes, argument))
    return found


def sentences(num: int, seed: int) -> list[str]:
    """What callers of the domain say, no sentence twice where there are enough."""
    known = sorted(set(caller_sentences(DOMAIN)))
    return random.Random(seed).sample(known, min(num, len(known)))


def measured(stage: Stage, said: Sequence[str], spoken: Sequence[Speech]) -> dict[str, Any]:
    """The quantiles of a stage; the first sentence warms it up."""
    started = perf_counter()
    part = made(stage)
    loaded = perf_counter() - started
    takes = {"stt": lambda: recognised(part, spoken), "llm": lambda: answered(part, said),
             "tts": lambda: synthesised(part, answers(said))}[stage.group]
    _, *taken = takes()
    behind = [one.behind for one in taken if one.behind is not None]
    sound = sum(one.sound for one in taken)
    return {"loaded_seconds": round(loaded, 3), "first_ms": quantiles([one.first for one in taken]),
            "total_ms": quantiles([one.total for one in taken]),
            "real_time_factor": round(sum(one.total for one in taken) / sound, 5) if sound else None,
            "behind_ms": quantiles(behind) if behind else None}


def made(stage: Stage) -> Any:  # whatever its config makes
    with initialize_config_dir(str(CHECKOUT / "configs"), version_base=None):
        config = compose(overrides=[f"+{stage.group}={stage.name}", *(f"{stage.group}.{one}" for one in stage.changes)])
    return built(config[stage.group])


def recognised(recogniser: Recogniser, spoken: Sequence[Speech]) -> Iterator[Taken]:
    recogniser.reset()
    recogniser.attend(DOMAIN)
    for speech in spoken:
        recogniser.start()
        computed, written = 0.0, None
        for number, frame in enumerate(frames(speech), start=1):
            started = perf_counter()
            text = recogniser.hear(frame)
            computed += perf_counter() - started
            if text and written is None:
                written = number * FRAME_SECONDS
        started = perf_counter()
        recogniser.finish()
        last = perf_counter() - started
        yield Taken(last, computed + last, len(speech.samples) / SAMPLE_RATE,
                    None if written is None else written - speech.words[0].end)


def answered(dialogue: Dialogue, said: Sequence[str]) -> Iterator[Taken]:
    for number, sentence in enumerate(said):
        dialogue.reset(Prompt(domain=DOMAIN), number)
        started = perf_counter()
        reply = dialogue.reply(sentence)
        first = perf_counter() - started
        while reply.rest is not None:
            reply = reply.rest()
        yield Taken(first, perf_counter() - started)


def synthesised(tts: TTS, texts: Sequence[str]) -> Iterator[Taken]:
    for text in texts:
        started = perf_counter()
        pieces = tts.stream(text) if isinstance(tts, StreamsSpeech) else iter([tts.synthesise(text)])
        num_samples = len(next(pieces).samples)
        first = perf_counter() - started
        num_samples += sum(len(piece.samples) for piece in pieces)
        yield Taken(first, perf_counter() - started, num_samples / SAMPLE_RATE)


def answers(said: Sequence[str]) -> list[str]:
    """What the manager says to each sentence at the beginning of a call."""
    manager = Manager()
    manager.reset(Prompt(domain=DOMAIN), 0)
    return [manager.reply(sentence).sentences[0] for sentence in said]


def quantiles(seconds: Sequence[float]) -> list[float]:
    """Median and 95th percentile in milliseconds."""
    return [round(1_000.0 * float(number), 3) for number in np.percentile(seconds, (50.0, 95.0))]


def machine() -> dict[str, Any]:
    """Which processor, how many cores, and the GPU where something here has begun to use one."""
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines() if CPU_INFO.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    torch = sys.modules.get("torch")
    gpu = torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None
    return {"processor": named[0] if named else platform.processor() or platform.machine(), "cores": os.cpu_count(), "gpu": gpu,
            "python": platform.python_version()}


def show(about: dict[str, Any], found: dict[str, dict[str, Any]], not_here: dict[str, str], console: Console) -> None:
    known = about["machine"]
    title = (f"{known['processor']}, {known['cores']} cores, {known['gpu'] or 'no GPU'}; ms over {about['sentences']} sentences, "
             f"{about['voice']}")
    table = Table("stage", "first output p50", "p95", "total p50", "p95", "× the sound", "behind p50", "p95", "loaded in s",
                  title=title, title_justify="left")
    for label, taken in found.items():
        table.add_row(label, *(f"{one:.2f}" for one in (*taken["first_ms"], *taken["total_ms"])),
                      "" if taken["real_time_factor"] is None else f"{taken['real_time_factor']:.4f}",
                      *(f"{one:.0f}" for one in taken["behind_ms"] or ()), *[""] * (0 if taken["behind_ms"] else 2),
                      f"{taken['loaded_seconds']:.2f}")
    console.print(table)
    for label, reason in not_here.items():
        console.print(f"not here: {label}: {reason}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
