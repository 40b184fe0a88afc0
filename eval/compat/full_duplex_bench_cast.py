"""Full-Duplex-Bench as a suite: each item of a data set is a scenario, in which its sound is played to an agent.

What is in the folders is read by `eval.compat.folders`; the way back, into folders that its own scripts read, is
`eval.export`'s. An agent sees nothing but sound: no words travel with it, and the prompt is one for all.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from duplex.conversation import Prompt
from duplex.frame import FRAME_SAMPLES, Frame, num_frames
from duplex.schedule import Schedule
from eval.callers.scenario import Scenario
from eval.compat.folders import FILES, GROUND_TRUTH, OVERLAPS, Content, Item, content, items

CATEGORY: Final = "full_duplex_bench"  # of an item that cannot be read, and so of no subset


class ItemCaller:
    """Plays the sound of an item and hangs up with its last frame; an item that cannot be played fails in `reset`.

    Attributes:
        prompt: what the agent is told.
        facts: the item, its subset, and what its rules need to know of it.
    """

    def __init__(self, item: Item, found: Content | ValueError | OSError, prompt: Prompt):
        self.found, self.prompt = found, prompt
        known: Mapping[str, Any] = found.facts if isinstance(found, Content) else {"category": CATEGORY, "item": item.place}
        self.facts = {"scenario": item.name, "voice": "", "expect": {}, **known}

    def reset(self, prompt: Prompt, seed: int) -> None:
        if not isinstance(self.found, Content):
            raise self.found
        speech = self.found.speech
        self.mouth = Schedule()
        self.mouth.place(0, speech.samples, (), speech.events)
        self.end = num_frames(len(speech.samples)) * FRAME_SAMPLES

    def step(self, heard: Frame) -> Frame | None:
        return self.mouth.read() if self.mouth.now < self.end else None


class FullDuplexBench:
    """The cast of a bench with `user=full_duplex_bench`.

    Args:
        path: of a data set, or of any folder with items of its subsets at or below it.
        overlap: kind of act of the overlaps of version 1.5: "interruption", "backchannel", "side_talk" or
            "background_talk"; None for what the folder around the items is called.
        channel: of the sound files; None for the first.
        prompt: what every agent is told; Full-Duplex-Bench says nothing of it.

    Attributes:
        scenarios: one for each item, and one for each of version 1.5 without its overlap.

    Raises:
        ValueError: no item there. One that is broken is a scenario too, and fails when it is played.
    """

    def __init__(self, path: str, overlap: str | None = None, channel: int | None = None, prompt: str = ""):
        if overlap is not None and overlap not in OVERLAPS.values():
            raise ValueError(f"user.overlap is one of {', '.join(OVERLAPS.values())}, not {overlap!r}")
        self.path, self.overlap, self.channel = Path(path), overlap, channel
        self.prompt = Prompt(prompt)
        self.items = {item.name: item for item in items(self.path)}
        self.scenarios = tuple(Scenario(name, CATEGORY, "", ()) for name in self.items)

    def caller(self, scenario: Scenario, seed: int) -> ItemCaller:
        """Who plays an item; the same for every seed."""
        item = self.items[scenario.name]
        try:
            found: Content | ValueError | OSError = self.content(item)
        except (ValueError, OSError) as error:  # the caller raises it, so that the conversation fails and counts
            found = error
        return ItemCaller(item, found, self.prompt)

    def content(self, item: Item) -> Content:
        return content(item, self.path, self.overlap, self.channel)

    def voices_of(self, scenarios: Iterable[Scenario], seeds: Collection[int]) -> set[str]:
        """None that an agent could have as well."""
        return set()

    def digest(self) -> str:
        """What tells these items from others of the same names."""
        files = {item.folder / name for item in self.items.values() for name in FILES if (item.folder / name).is_file()}
        found = hashlib.sha256()
        for path in sorted(files | set(self.path.rglob(GROUND_TRUTH))):
            found.update(f"{path.relative_to(self.path).as_posix()}\0".encode())
            found.update(hashlib.sha256(path.read_bytes()).digest())
        return found.hexdigest()[:16]
