"""What an agent would have done had the caller kept silent: the same conversation, to the frame, without one of its acts.

The caller's frames up to the act are said again, then nothing. An agent that can be taken up where it stood goes on from
there; any other hears everything again from the start, with the same seed. What follows from it is measured in
`eval.metrics`.
"""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from duplex.conversation import ConversationFailed, Participant, Prompt, Resumes, Watch, converse
from duplex.frame import FRAME_SECONDS, SAMPLE_RATE, SILENCE, Event, Frame, frozen
from duplex.journal import recordings
from duplex.recording import USER, Recording, load, moment, save
from duplex.speech import AUDIBLE_DECIBELS, levels
from eval.timeline import ASIDE_KINDS

log = logging.getLogger(__name__)

KINDS: Final = ("interruption", *ASIDE_KINDS)
FOLDER: Final = "counterfactuals"  # of a run, beside its conversations
JUST_SPOKE_FRAMES: Final = 4  # within them a party that pauses still speaks
QUIET_SECONDS: Final = 2.5  # of the agent's, after which it has nothing left to say
LOOK_SECONDS: Final = 8.0  # after the act, at most; what the agent would say later is of no interest


@dataclass(frozen=True)
class Otherwise:
    """A conversation as it goes without an act.

    Attributes:
        onset: of the act, seconds.
        recording: from the first frame on.
    """

    onset: float
    recording: Recording


class Witness:
    """Watches a conversation and holds it once more without each act that met the agent's speech.

    Args:
        agent: whom it watches; `converse` steps it.
        prompt, seed: of the conversation.
        facts: of the recordings that are made.
        watch: called after every frame of every conversation.
    """

    def __init__(self, agent: Participant, prompt: Prompt, seed: int, facts: dict[str, Any], watch: Watch | None = None):
        self.agent, self.prompt, self.seed, self.facts, self.watch = agent, prompt, seed, facts, watch
        self.heard: list[Frame] = []
        self.said: list[Frame] = []
        self.waiting: list[tuple[int, Event]] = []  # acts, by the frame they begin in, for when the conversation is over
        self.found: list[Otherwise] = []

    def __call__(self, index: int, from_user: Frame, from_agent: Frame) -> None:
        """Takes in a frame of both; the agent has not heard this frame of the user's yet."""
        if self.watch is not None:
            self.watch(index, from_user, from_agent)
        self.heard.append(kept(from_user))
        self.said.append(kept(from_agent))
        for act in from_user.events:
            if act.kind not in KINDS or not any(map(is_audible, self.said[-JUST_SPOKE_FRAMES:])):
                continue
            if isinstance(self.agent, Resumes):  # at once, since a moment of a large model is large
                now = self.agent.snapshot()
                self.hold(Resumed(self.agent, self.said, now), index, act)
                self.agent.resume(now)
            else:
                self.waiting.append((index, act))

    def otherwise(self) -> list[Otherwise]:
        """All of them, once the conversation is over."""
        for index, act in self.waiting:
            self.hold(self.agent, index, act)
        self.waiting = []
        return self.found

    def hold(self, agent: Participant, index: int, act: Event) -> None:
        user = SilentFrom(self.heard[:index + 1], act)
        onset = moment(index * FRAME_SECONDS + act.start)
        try:
            recording = converse(user, agent, prompt=self.prompt, seed=self.seed, max_seconds=user.latest, watch=self.watch,
                                 facts={**self.facts, "without": {"kind": act.kind, "start": onset}})
        except ConversationFailed as failed:  # what the agent would have done is not known, which costs an occasion
            log.warning("no conversation without the %s at %.2f s: %s", act.kind, onset, failed)
        else:
            self.found.append(Otherwise(onset, recording))


class SilentFrom:
    """A caller who says frames again, falls silent where an act begins in the last, and hangs up when the agent is done."""

    def __init__(self, frames: Sequence[Frame], act: Event):
        last = len(frames) - 1
        begun = (last * FRAME_SECONDS + act.start, last * FRAME_SECONDS + act.end)
        self.frames = [*frames[:-1], before(frames[-1], act.start)]
        self.earliest, self.latest = begun[1] + QUIET_SECONDS, begun[1] + LOOK_SECONDS
        self.reset(Prompt(), 0)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.frame = -1
        self.quiet_since = 0.0

    def step(self, heard: Frame) -> Frame | None:
        self.frame += 1
        now = (self.frame + 1) * FRAME_SECONDS
        if is_audible(heard):
            self.quiet_since = now
        if self.frame < len(self.frames):
            return self.frames[self.frame]
        return None if now >= self.earliest and now - self.quiet_since >= QUIET_SECONDS else SILENCE


class Resumed:
    """An agent from a moment on, behind the frames that it had said by then."""

    def __init__(self, agent: Resumes, said: Sequence[Frame], moment: object):
        self.agent, self.said, self.moment = agent, tuple(said), moment

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.before = iter(self.said)
        self.agent.resume(self.moment)

    def step(self, heard: Frame) -> Frame | None:
        said = next(self.before, None)
        return self.agent.step(heard) if said is None else said


def before(frame: Frame, seconds: float) -> Frame:
    """What is said in a frame before `seconds`, and nothing after."""
    samples = frame.samples.copy()
    samples[max(0, round(seconds * SAMPLE_RATE)):] = 0.0
    return replace(frame, samples=frozen(samples), words=tuple(word for word in frame.words if word.start < seconds),
                   events=tuple(event for event in frame.events if event.start < seconds))


def kept(frame: Frame) -> Frame:
    """A frame whose maker may use its array again."""
    return frame if frame is SILENCE else replace(frame, samples=frozen(frame.samples.copy()))


def is_audible(frame: Frame) -> bool:
    return bool((levels(frame.samples) > AUDIBLE_DECIBELS).any())


def save_otherwise(found: Sequence[Otherwise], folder: Path) -> None:
    """Writes each to a folder of its own, by the onset of the act in milliseconds, in place of what was there.

    What lies there is of a conversation that was stopped and is played anew, at another pace perhaps.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for one in found:
        save(one.recording, folder / f"{round(1000 * one.onset)}")


def load_otherwise(recording: Recording, folder: Path) -> dict[float, Recording]:
    """What was saved there of a conversation, by the onset of the act that is missing.

    Only those in which the caller said the same up to the act: another conversation tells nothing about this one.

    Raises:
        ValueError, FileNotFoundError: as `load`, of one that was changed or is not whole.
    """
    found = [load(other) for other in recordings(folder)] if folder.is_dir() else []
    return comparable(recording, found)


def comparable(recording: Recording, others: Sequence[Recording]) -> dict[float, Recording]:
    """Those in which the caller said the same up to the act, by its onset."""
    by_onset: dict[float, Recording] = {}
    for other in others:
        onset = float(other.facts["without"]["start"])
        same = round(onset * SAMPLE_RATE)
        if np.array_equal(recording.audio[USER, :same], other.audio[USER, :same]):
            by_onset[onset] = other
    return by_onset
