"""duplex-export: what a system said to a data set, in the folders that Full-Duplex-Bench's own scripts read.

    duplex-export run=runs/monday to=exports/monday                  the run's agent, on its first clock, by its first seed
    duplex-export run=runs/monday to=exports/cascade system=cascade  the baseline

Beside a copy of each item's input stands `output.wav`, of the same length and with the same first sample, and `output.json`,
the agent's words where it knows them; in version 1.5 also `clean_output.wav` and its words. Its recogniser and its judge are
its own. What has no recording is named, and then the exit code is 1.
"""

import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import soundfile
import soxr
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from duplex import programs
from duplex.build import built
from duplex.frame import SAMPLE_RATE, Word
from duplex.manifest import read_manifest
from duplex.recording import AGENT, FULL_SCALE, USER, Recording, load, moment
from duplex.speech import AUDIBLE_DECIBELS, levels
from eval.compat.folders import CATEGORIES, FILES, GROUND_TRUTH, INTERRUPTION, OVERLAP, TEXTS, Content, Item
from eval.compat.full_duplex_bench_cast import FullDuplexBench
from eval.programs import say

INPUTS: Final = (*FILES, "context.wav", "interrupt.wav")  # what is copied
INCOMPLETE: Final = 1  # exit code
T = TypeVar("T")
SAME: Final = 1.5 / FULL_SCALE  # a recording is on the 16-bit grid


@dataclass
class Settings:
    """See configs/export.yaml."""

    run: str
    to: str
    data: str | None
    system: str | None
    clock: str | None
    seed: int | None
    rate: int | None


def export(settings: Settings, console: Console) -> bool:
    """Writes the folders; returns whether every item is there.

    Raises:
        ValueError: the run is of no data set, or of another one; it has no such system, clock or seed; or something is
            already where the folders should go.
    """
    about, to = read_manifest(Path(settings.run)), Path(settings.to)
    cast = data_set(about, settings)
    system = one_of(settings.system, [about["agent"], about["baseline"]], "system")
    clock = one_of(settings.clock, about["clocks"], "clock")
    seed = one_of(settings.seed, about["seeds"], "seed")
    if settings.rate is not None and settings.rate <= 0:
        raise ValueError(f"rate is in Hz, as in rate=16000, or null, not {settings.rate}")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ValueError(f"{to} is already there, and nothing is overwritten; choose another folder, or remove it")
    copy_inputs(cast, to)
    missing, wordless = [], []
    for item in cast.items.values():
        try:
            recording, found = heard(cast, item, Path(settings.run, "conversations", clock, system, f"{item.name}-{seed}"))
        except (ValueError, OSError) as error:  # named and counted
            missing.append(f"missing {item.name}: {programs.complaint(error)}")
        else:
            write_sound(recording, item, to / item.place, settings.rate)
            if not write_words(recording, found, item, to / item.place):
                wordless.append(item.name)
    for line in missing:
        say(console, line)
    if wordless:
        say(console, f"{len(wordless)} without words, which only a recogniser can tell: {', '.join(wordless[:3])}"
                     f"{', …' if len(wordless) > 3 else ''}")
    say(console, f"{len(cast.items) - len(missing)} of {len(cast.items)} items of {system} on {clock}, seed {seed}: {to}")
    return not missing


def data_set(about: Mapping[str, Any], settings: Settings) -> FullDuplexBench:
    """What the run was played from."""
    user = OmegaConf.create(dict(about.get("config", {}).get("user", {})))
    if settings.data is not None:
        user["path"] = settings.data
    cast = built(user) if str(user.get("_target_", "")).endswith(f".{FullDuplexBench.__name__}") else None
    if not isinstance(cast, FullDuplexBench):
        raise ValueError(f"{settings.run} was not made with user=full_duplex_bench, so there are no folders to fill")
    if cast.digest() != about["suite_digest"]:
        raise ValueError(f"{cast.path} is not what {settings.run} was made from: a file has changed, has come or has gone")
    return cast


def one_of(wanted: T | None, there_are: Iterable[T | None], what: str) -> T:
    known = [name for name in there_are if name is not None]
    if wanted is not None and wanted not in known:
        raise ValueError(f"the run has no {what} {wanted!r}; there {'is' if len(known) == 1 else 'are'} "
                         f"{', '.join(map(str, known))}")
    return known[0] if wanted is None else wanted


def heard(cast: FullDuplexBench, item: Item, folder: Path) -> tuple[Recording, Content]:
    """The recording of an item, and the item.

    Raises:
        ValueError, OSError: it was not played, it failed or was cut short, or it is not the recording of this item.
    """
    recording = load(folder)
    if recording.failure is not None:
        raise ValueError(recording.failure)
    found = cast.content(item)
    samples = found.speech.samples
    if recording.audio.shape[1] < len(samples):
        raise ValueError(f"{folder} ends at {recording.seconds:.2f} s, {item.sound} at {found.speech.seconds:.2f} s; play it "
                         "with a larger max_seconds")
    if np.abs(recording.audio[USER, :len(samples)] - samples).max() > SAME:
        raise ValueError(f"the user of {folder} did not say {item.sound}")
    return recording, found


def copy_inputs(cast: FullDuplexBench, to: Path) -> None:
    for item in cast.items.values():
        (to / item.place).mkdir(parents=True, exist_ok=True)
        for name in INPUTS:
            if (item.folder / name).is_file():
                shutil.copyfile(item.folder / name, to / item.place / name)
    for path in cast.path.rglob(GROUND_TRUTH):
        shutil.copyfile(path, to / path.relative_to(cast.path))


def write_sound(recording: Recording, item: Item, folder: Path, rate: int | None) -> None:
    """The agent's channel from the input's first sample to its last, at `rate` or the input's own."""
    about = soundfile.info(str(item.sound))
    rate = rate or about.samplerate
    length = round(about.frames * rate / about.samplerate)
    samples = recording.audio[AGENT]
    if rate != SAMPLE_RATE:
        samples = np.clip(soxr.resample(samples, SAMPLE_RATE, rate, quality="VHQ"), -1.0, 1.0)
    samples = np.pad(samples[:length], (0, max(0, length - len(samples))))
    whole = np.rint(samples * FULL_SCALE).astype(np.int16)  # exactly what the recording holds, at its own rate
    soundfile.write(str(folder / f"{'clean_' * item.clean}output.wav"), whole, rate)


def write_words(recording: Recording, found: Content, item: Item, folder: Path) -> bool:
    """What was said, as its recogniser would write it; false where an agent spoke and nobody knows its words.

    After an interruption of version 1 only what can be heard after its end, as there the file is cut before it is recognised.
    """
    words, seconds = recording.words[AGENT], found.speech.seconds
    given = folder / TEXTS[item.clean]
    if found.facts["category"] == CATEGORIES[OVERLAP] and found.words and not given.exists():
        write_text(found.words, 0.0, seconds, given)
    if not words and (levels(recording.audio[AGENT, :len(found.speech.samples)]) > AUDIBLE_DECIBELS).any():
        return False
    interruptions = [event.end for event in found.speech.events if found.facts["category"] == CATEGORIES[INTERRUPTION]
                     and event.kind == "interruption"]
    write_text(words, max(interruptions, default=0.0), seconds, folder / f"{'clean_' * item.clean}output.json")
    return True


def write_text(words: Iterable[Word], start: float, end: float, path: Path) -> None:
    """The words heard between `start` and `end`, in the form of its recogniser's."""
    chunks = [{"text": word.text, "timestamp": [moment(max(word.start, start)), moment(min(word.end, end))]}
              for word in sorted(words, key=lambda word: word.start) if word.end > start and word.start < end]
    text = " ".join(str(chunk["text"]) for chunk in chunks)
    path.write_text(json.dumps({"text": text, "chunks": chunks}, indent=1) + "\n", encoding="utf-8")


def act(config: DictConfig) -> None:
    if not export(programs.settings(config, Settings), programs.console()):
        sys.exit(INCOMPLETE)


def main() -> None:
    programs.run(act, "export")


if __name__ == "__main__":
    main()
