"""Data sets in the folders of Full-Duplex-Bench: one folder an item, with `input.wav` and the annotation of its subset.

Who plays them is `eval.compat.full_duplex_bench_cast`; what is measured on them, the files of its rules. Nothing of its data
is here. Which subset an item belongs to is told by the files it has, so that folders may be mixed. Times in annotations are
seconds from the first sample of `input.wav`.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from duplex.frame import SAMPLE_RATE, Event, Word
from duplex.recording import moment
from duplex.sound_file import read_sound
from duplex.speech import Speech
from eval.activity import activity
from eval.compat.full_duplex_bench import BACKCHANNEL, DISTRIBUTION, PARTNER_LATENCY

INPUT, CLEAN_INPUT = "input.wav", "clean_input.wav"
TRANSCRIPTION: Final = "transcription.json"
GROUND_TRUTH: Final = "icc_gt_distribution.json"  # beside the items, or above them
PAUSES, TURNS, INTERRUPTION, OVERLAP = "pause.json", "turn_taking.json", "interrupt.json", "metadata.json"
CATEGORIES: Final = {  # annotation: category
    PAUSES: "fdb1_pause_handling", TURNS: "fdb1_turn_taking", INTERRUPTION: "fdb1_interruption", OVERLAP: "fdb15_overlap",
    TRANSCRIPTION: BACKCHANNEL}
TEXTS: Final = ("input.json", "clean_input.json")  # what was recognised in the sounds
FILES: Final = (INPUT, CLEAN_INPUT, *TEXTS, *CATEGORIES)  # all that is read of an item
OVERLAPS: Final = {  # name of the folder, in version 1.5: kind of act
    "user_interruption": "interruption", "user_backchannel": "backchannel", "talking_to_other": "side_talk",
    "background_speech": "background_talk"}
BEYOND_SECONDS: Final = 0.1  # that an annotation may reach past the sound, having been rounded


@dataclass(frozen=True)
class Item:
    """One folder of a data set, as it is found: nothing in it has been read yet.

    Attributes:
        name: unique in the data set, fit for a folder of a run.
        folder: where it lies.
        place: where it lies, relative to the data set.
        clean: whether `clean_input.wav` is played, the same without the overlap.
    """

    name: str
    folder: Path
    place: str
    clean: bool = False

    @property
    def sound(self) -> Path:
        return self.folder / (CLEAN_INPUT if self.clean else INPUT)

    @property
    def annotation(self) -> str:
        """The file that tells the subset.

        Raises:
            ValueError: there is none, or more than one.
        """
        found = [name for name in CATEGORIES if (self.folder / name).is_file()]
        found = [name for name in found if name != TRANSCRIPTION] or found
        if len(found) != 1:
            raise ValueError(f"{self.folder} has {' and '.join(found) or 'no annotation'}; one of "
                             f"{', '.join(CATEGORIES)} tells what an item is for")
        return found[0]


@dataclass(frozen=True)
class Content:
    """What an item says.

    Attributes:
        speech: the user's sound, and its acts as events; no words, which no agent is to see.
        words: of the user, where a file tells.
        facts: what a recording keeps of it.
    """

    speech: Speech
    words: tuple[Word, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def items(path: Path) -> tuple[Item, ...]:
    """All items at or below `path`, by name. An empty folder among items is one whose files are lost.

    Raises:
        ValueError: there is none, or two would have the same name.
    """
    if not path.is_dir():
        raise ValueError(f"there is no folder {path}")
    folders = [folder for folder in (path, *path.rglob("*"))
               if folder.is_dir() and not any(part.startswith(".") for part in folder.relative_to(path).parts)]
    holding = [folder for folder in folders if any((folder / name).is_file() for name in (INPUT, *CATEGORIES))]
    parents = {folder.parent for folder in holding if folder != path}
    lost = [folder for folder in folders if folder.parent in parents and folder not in holding and not any(folder.iterdir())]
    found = [one for folder in (*holding, *lost) for one in both(folder, path)]
    names = [one.name for one in found]
    if doubles := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{path} has two items that would be called {doubles[0]}: rename one of their folders")
    if not found:
        raise ValueError(f"{path} holds no item of Full-Duplex-Bench: a folder for each, with {INPUT} and one of "
                         f"{', '.join(CATEGORIES)}")
    return tuple(sorted(found, key=lambda one: one.name))


def both(folder: Path, path: Path) -> Iterator[Item]:
    """The item in a folder, and without the overlap if it has one."""
    parts = folder.relative_to(path).parts
    name, place = "-".join(parts) or folder.resolve().name, "/".join(parts)
    yield Item(name, folder, place)
    if (folder / OVERLAP).is_file() or (folder / CLEAN_INPUT).is_file():
        yield Item(f"{name}-clean", folder, place, clean=True)


def content(item: Item, root: Path, overlap: str | None = None, channel: int | None = None) -> Content:
    """What is in the files of an item.

    Args:
        root: of the data set; the distribution of the backchannel clips lies beside an item or above it, up to here.
        overlap: kind of act of the overlaps of version 1.5; None for what the name of a folder around the item says.
        channel: of the sound; None for the first.

    Raises:
        ValueError: naming the file that is missing, broken or does not fit the others.
    """
    annotation = item.annotation
    samples = read_sound(item.sound, channel)
    seconds, units = len(samples) / SAMPLE_RATE, activity(samples)
    start, end = (units[0].start, units[-1].end) if units else (0.0, seconds)
    facts: dict[str, Any] = {"category": CATEGORIES[annotation], "item": item.place, "clean": item.clean}
    if annotation == TRANSCRIPTION:
        load_json(item.folder / TRANSCRIPTION)
        facts |= distribution(item, root)
        events = [turn(start, end)]
    elif annotation == PAUSES:
        path = item.folder / PAUSES
        events = [turn(start, end), *(Event("pause", *span(entry, path, seconds)) for entry in entries(path))]
    elif annotation == TURNS:
        path = item.folder / TURNS
        end, partner = times(entries(path)[0], path)
        facts[PARTNER_LATENCY] = moment(partner - end)
        events = [turn(*within_sound(min(start, end), end, path, seconds), answer=True)]
    else:
        kind = "interruption" if annotation == INTERRUPTION else overlap or overlap_of(item)
        context = [unit for unit in units if unit.end <= overlap_span(item, annotation)[0]]
        events = [turn(context[0].start, context[-1].end)] if context else []
        if not item.clean:
            events.append(overlapping(item, annotation, kind, seconds))
    return Content(Speech(samples, events=tuple(sorted(events, key=lambda event: event.start))), user_words(item), facts)


def turn(start: float, end: float, answer: bool = False) -> Event:
    """A turn; no answer is due where Full-Duplex-Bench measures none, so that a row holds the items of its subset alone."""
    return Event("turn", start, end, {"answer": answer})


def overlapping(item: Item, annotation: str, kind: str, seconds: float) -> Event:
    """The act by which the agent is talked over."""
    path = item.folder / annotation
    entry = overlap_entry(path)
    text = entry.get("interrupt") or entry.get("current_turn_text") or ""
    return Event(kind, *span(entry, path, seconds), {"text": str(text)})


def overlap_span(item: Item, annotation: str) -> tuple[float, float]:
    path = item.folder / annotation
    return span(overlap_entry(path), path, math.inf)  # the clean sound may be shorter


def overlap_entry(path: Path) -> Mapping[str, Any]:
    return entries(path)[0] if path.name == INTERRUPTION else entry_of(load_json(path), path)


def overlap_of(item: Item) -> str:
    """The kind of act that the name of a folder around an item of version 1.5 tells, the nearest first."""
    kind = next((OVERLAPS[part] for part in reversed(item.folder.resolve().parts) if part in OVERLAPS), None)
    if kind is None:
        raise ValueError(f"{item.folder} lies in no folder {', '.join(OVERLAPS)}, and nothing else tells what talks over the "
                         f"agent; give user.overlap, one of {', '.join(OVERLAPS.values())}")
    return kind


def distribution(item: Item, root: Path) -> dict[str, list[float]]:
    """Where people would say a backchannel in a clip, as a fact: a weight for each window; none where nobody asked them."""
    places = [item.folder, *item.folder.parents]
    above = places[:places.index(root) + 1] if root in places else places[:2]
    path = next((folder / GROUND_TRUTH for folder in above if (folder / GROUND_TRUTH).is_file()), None)
    if path is None:
        return {}
    weights = entry_of(load_json(path), path).get(item.folder.name)
    if not isinstance(weights, list) or not all(is_time(weight) for weight in weights) or not sum(weights):
        raise ValueError(f"{path} has no list of weights for {item.folder.name!r}")
    return {DISTRIBUTION: [float(weight) for weight in weights]}


def user_words(item: Item) -> tuple[Word, ...]:
    """What a recogniser heard of the user, in the form of Full-Duplex-Bench's own; none where no file has that form."""
    for name in TEXTS[1:] if item.clean else (TEXTS[0], TRANSCRIPTION):
        path = item.folder / name
        if not path.is_file():
            continue
        found = load_json(path)
        chunks = found.get("chunks") if isinstance(found, dict) else found
        if isinstance(chunks, list) and chunks and all(isinstance(chunk, dict) and "text" in chunk for chunk in chunks):
            return tuple(Word(str(chunk["text"]), *span(chunk, path, math.inf)) for chunk in chunks)
    return ()


def entries(path: Path) -> list[Mapping[str, Any]]:
    """The entries of an annotation, at least one."""
    found = load_json(path)
    if not isinstance(found, list) or not found:
        raise ValueError(f"{path} is a list of at least one entry, not {found!r}")
    return [entry_of(entry, path) for entry in found]


def entry_of(found: object, path: Path) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise ValueError(f"{path}: an entry has keys and values, unlike {found!r}")
    return found


def span(entry: Mapping[str, Any], path: Path, seconds: float) -> tuple[float, float]:
    return within_sound(*times(entry, path), path, seconds)


def times(entry: Mapping[str, Any], path: Path) -> tuple[float, float]:
    """The two times of an entry, "timestamp" in version 1 and "timestamps" in 1.5."""
    found = entry.get("timestamp", entry.get("timestamps"))
    if not isinstance(found, list) or len(found) != 2 or not all(is_time(time) for time in found):
        raise ValueError(f"{path}: a timestamp is [start, end] in seconds, not {found!r}")
    return moment(found[0]), moment(found[1])


def within_sound(start: float, end: float, path: Path, seconds: float) -> tuple[float, float]:
    if not start <= end <= seconds + BEYOND_SECONDS:
        raise ValueError(f"{path}: {start:.3f}-{end:.3f} s does not lie within the sound's {seconds:.3f} s")
    return start, min(end, seconds)


def is_time(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < math.inf


def load_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no text
        raise ValueError(f"{path} is not JSON: {error}") from error
