"""Watching a conversation: as it grows in a terminal, or one plain line per utterance and decision where output is piped.

It hears what the two say to each other and changes nothing.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, Final

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from duplex.frame import FRAME_BY_FRAME, FRAME_SECONDS, Event, Frame
from duplex.recording import AGENT, PARTIES, USER
from duplex.speech import AUDIBLE_DECIBELS, HOP_SAMPLES, SAMPLE_RATE, levels

LANE_FRAMES: Final = 60  # 4.8 s
FLOOR_FRAMES: Final = 125  # 10 s, in which everybody pauses for breath
ABOVE_FLOOR_DECIBELS: Final = 12.0  # rooms are not silent
BLOCKS: Final = " ▁▂▃▄▅▆▇█"
LOUDEST_DECIBELS: Final = -14.0  # fills its block; speech at -23 dB has louder syllables
UTTERANCE_GAP: Final = 0.6  # seconds of silence between two utterances
TOLD_BY_WORDS: Final = ("turn", "pause")  # acts of a caller that its words show already
STYLES: Final = ("cyan", "magenta")
HOP_SECONDS: Final = HOP_SAMPLES / SAMPLE_RATE
COUNTED_EVERY: Final = 12  # frames, a second
COUNTED: Final = {  # in what words, and which counts of a tally together
    "xruns": ("xruns_input", "xruns_output"), "late": ("late",), "dropped": ("dropped_user", "dropped_agent"),
    "starved": ("starved",)}


class Party:
    """What is known of one side.

    Attributes:
        onset: of the utterance under way, seconds; None between utterances.
        offset: where sound was last heard.
        words: of the utterance under way.
        lane: level of the last frames, as blocks.
    """

    def __init__(self) -> None:
        self.onset: float | None = None
        self.offset = 0.0
        self.words: list[str] = []
        self.lane: deque[str] = deque(BLOCKS[0] * LANE_FRAMES, LANE_FRAMES)
        self.quietest: deque[float] = deque(maxlen=FLOOR_FRAMES)  # 10 ms of each frame

    def hear(self, start: float, frame: Frame) -> bool:
        """Takes a frame that begins at `start` seconds; true if an utterance begins in it."""
        loudness = levels(frame.samples)
        self.lane.append(block(float(loudness.max())))
        self.quietest.append(float(loudness.min()))
        loud = np.flatnonzero(loudness > max(AUDIBLE_DECIBELS, min(self.quietest) + ABOVE_FLOOR_DECIBELS))
        begins = self.onset is None and (len(loud) > 0 or len(frame.words) > 0)
        if begins:
            self.onset = start + (loud[0] * HOP_SECONDS if len(loud) else 0.0)
        if len(loud):
            self.offset = start + (loud[-1] + 1) * HOP_SECONDS
        self.words += [word.text for word in frame.words]
        return begins


class Watcher:
    """Turns frames into lines; `watch` of `converse`.

    Attributes:
        latency: of the last switch from the user to the agent, seconds; None before the first. Only switches without
            overlap count here: what an overlap means is for `eval` to say.
    """

    def __init__(self) -> None:
        self.parties = (Party(), Party())
        self.now = 0.0
        self.latency: float | None = None
        self.user_spoke_last = False
        self.waiting: list[tuple[float, int, Text]] = []  # lines that something said earlier may still precede

    def __call__(self, index: int, from_user: Frame, from_agent: Frame) -> list[Text]:
        """Hears a frame of both; the lines that are complete with it, in the order of their times."""
        start, self.now = index * FRAME_SECONDS, (index + 1) * FRAME_SECONDS
        for row, frame in ((USER, from_user), (AGENT, from_agent)):
            begins = self.parties[row].hear(start, frame)
            if begins and row == AGENT:
                self.measure()
            if self.parties[row].onset is not None:
                self.user_spoke_last = row == USER if begins else self.user_spoke_last
            for event in frame.events:
                if event.kind not in (FRAME_BY_FRAME if row == AGENT else TOLD_BY_WORDS):
                    self.note(start + event.start, row, decision(event))
            if self.now - self.parties[row].offset >= UTTERANCE_GAP:
                self.close(row)
        return self.told()

    def measure(self) -> None:
        """The agent begins to speak: how long after the user's last sound?"""
        user, onset = self.parties[USER], self.parties[AGENT].onset
        if self.user_spoke_last and onset is not None and onset >= user.offset:
            self.latency = onset - user.offset

    def finish(self) -> list[Text]:
        """The lines that are left when the conversation is over."""
        for row in (USER, AGENT):
            self.close(row)
        return self.told()

    def close(self, row: int) -> None:
        party = self.parties[row]
        if party.onset is not None:
            said = " ".join(party.words) or f"(speech of {party.offset - party.onset:.2f} s)"
            self.note(party.onset, row, said)
        party.onset, party.words = None, []

    def note(self, seconds: float, row: int, what: str) -> None:
        self.waiting.append((seconds, row, Text(f"{seconds:6.2f} {PARTIES[row]:5}  {what}", STYLES[row])))

    def told(self) -> list[Text]:
        """The waiting lines before which nothing can come any more."""
        open_since = min((party.onset for party in self.parties if party.onset is not None), default=np.inf)
        ready = [line for line in self.waiting if line[0] < open_since]
        self.waiting = [line for line in self.waiting if line[0] >= open_since]
        return [text for _, _, text in sorted(ready, key=lambda line: line[:2])]

    def picture(self, counted: str = "") -> Group:
        """What is under way at a glance: the words so far, both lanes, the time, the last latency, and what was counted."""
        latency = "–" if self.latency is None else f"{self.latency:.2f} s"
        under_way = [f"{party.onset:6.2f} {PARTIES[row]:5}  {' '.join(party.words)} …" if party.onset is not None else ""
                     for row, party in enumerate(self.parties)]
        lanes = [f"{name:5} {''.join(party.lane)}" for name, party in zip(PARTIES, self.parties, strict=True)]
        return Group(*[Text(line, STYLES[row], no_wrap=True, overflow="ellipsis")
                       for lines in (under_way, lanes) for row, line in enumerate(lines)],
                     Text(f"{self.now:6.2f} s   last switch {latency}{counted}", "bold"))


class Watch:
    """Shows what a `Watcher` notices: lines as they are complete, and below them in a terminal what is under way.

    Args:
        tallies: what the participants of a live call have counted so far (`duplex.conversation.counted`).
    """

    def __init__(self, console: Console, live: Live | None, tallies: Callable[[], Mapping[str, Any]]):
        self.console, self.live, self.tallies = console, live, tallies
        self.watcher = Watcher()
        self.counted = ""

    def __call__(self, index: int, from_user: Frame, from_agent: Frame) -> None:
        if self.live is not None and index % COUNTED_EVERY == COUNTED_EVERY - 1:
            self.counted = in_short(self.tallies())
        self.show(self.watcher(index, from_user, from_agent))

    def show(self, lines: list[Text]) -> None:
        for line in lines:
            self.console.print(line, soft_wrap=True)
        if self.live is not None:
            self.live.update(self.watcher.picture(self.counted))


@contextmanager
def watching(console: Console, tallies: Callable[[], Mapping[str, Any]] = dict) -> Iterator[Watch]:
    """The `watch` of a conversation."""
    with Live(console=console, refresh_per_second=12.5) if console.is_terminal else nullcontext() as live:
        watch = Watch(console, live, tallies)
        try:
            yield watch
        finally:  # what was said before a failure is told too
            watch.show(watch.watcher.finish())


def in_short(facts: Mapping[str, Any]) -> str:
    """The counts of a live call that a person should see, and the sound card's own delay, behind the last switch."""
    tally = {name: number for counts in facts.get("tally", {}).values() for name, number in counts.items()}
    device = f" + {tally['device_seconds']:.2f} s at the sound card" if tally.get("device_seconds") else ""
    return device + "".join(f"   {name} {sum(tally[key] for key in keys)}" for name, keys in COUNTED.items()
                            if all(key in tally for key in keys))


def block(decibels: float) -> str:
    """One character for a level."""
    height = (decibels - AUDIBLE_DECIBELS) / (LOUDEST_DECIBELS - AUDIBLE_DECIBELS)
    return BLOCKS[0] if height <= 0.0 else BLOCKS[min(len(BLOCKS) - 1, 1 + int(height * (len(BLOCKS) - 1)))]


def decision(event: Event) -> str:
    """ "[endpoint] heard='what are your opening hours' silence=0.16" """
    details = " ".join(f"{name}={shown(value)}" for name, value in event.detail.items()
                       if value not in (None, "", [], ()) and name not in ("expects", "answer"))
    return f"[{event.kind}] {details}".rstrip()


def shown(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else repr(value)
