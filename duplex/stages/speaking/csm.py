"""Sesame's CSM as a voice that hears how both sides of the conversation have spoken, and speaks on. Needs the extra `moshi`.

It writes no words: "it cannot generate text", says its README (SesameAILabs/csm). Behind it stands the language stage of a
cascade, so `agent=csm` is a cascade with a context-conditioned voice. Words are timed by letters. What the caller said is
given as it was understood, not as it was said. CSM's own package adds a watermark; this does not.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from duplex.frame import FRAME_SECONDS
from duplex.recording import AGENT
from duplex.sound_file import read_sound
from duplex.speech import Speech
from duplex.stages.speaking.csm_model import CsmModel, Sampling, Segment
from duplex.stages.speaking.letters import LetterTimes
from duplex.stages.speaking.mimi_sound import MimiSound
from duplex.stages.speaking.pieces import joined
from duplex.stages.speaking.tts import check, plain_words

OWN, CALLER = 0, 1  # CSM's speakers


@dataclass
class Turn:
    """Something that was said; its codes are made when they are first wanted, in the background."""

    speaker: int
    text: str
    samples: np.ndarray
    codes: torch.Tensor | None = None


class Csm:
    """One voice.

    Args:
        repo: name on the Hub.
        revision: a commit, branch or tag there; it should be a commit where results matter.
        path: a folder with the same files instead.
        device: as torch names it; None for a GPU where there is one.
        dtype: as torch names it, or "auto" for the checkpoint's own.
        temperature: 0 for the likeliest code, always.
        top_k: of the likeliest codes.
        context_turns: how many turns of the conversation it hears before it speaks, the last ones.
        context_seconds: of sound in them, and in no case more than its context holds.
        prompt: a sound file of somebody who speaks, whose voice it takes; without one it has another voice in every call.
        prompt_text: what is said in it.
        max_seconds: of one sentence, after which it is cut off.
        seed: of what it draws, with the text.

    Raises:
        ValueError: this is no CSM, or a prompt has no text.
        OSError: a file can not be had.
    """

    def __init__(self, repo: str = "sesame/csm-1b", revision: str = "main", path: str | None = None, device: str | None = None,
                 dtype: str = "auto", temperature: float = 0.9, top_k: int = 50, context_turns: int = 6,
                 context_seconds: float = 60.0, prompt: str | None = None, prompt_text: str = "", max_seconds: float = 20.0,
                 seed: int = 0):
        if (prompt is None) != (not prompt_text):
            raise ValueError("a prompt is a sound file and what is said in it: give prompt and prompt_text, or neither")
        self.model = CsmModel(repo, revision, path, device, dtype)
        self.temperature, self.top_k = temperature, top_k
        self.context_turns, self.context_seconds = context_turns, context_seconds
        self.prompt = [] if prompt is None else [Turn(OWN, prompt_text, read_sound(prompt))]
        self.max_frames = round(max_seconds / FRAME_SECONDS)
        self.seed = seed
        self.name = f"csm {self.model.facts['source']}"
        self.facts = {**self.model.facts, "kind": "cascade with a context-conditioned voice"}
        self.forget()

    def forget(self) -> None:
        self.turns: list[Turn] = []  # as they were heard
        self.own: list[Turn] = []  # sentences of the answer that is being said, of which nobody knows yet whether they were heard

    def remember(self, party: int, text: str, samples: np.ndarray) -> None:
        said = as_written(" ".join(turn.text for turn in self.own), text) if party == AGENT else text
        self.own = []
        if len(samples) and said:
            self.turns = [*self.turns, Turn(OWN if party == AGENT else CALLER, said, samples)]

    def synthesise(self, text: str) -> Speech:
        return joined(self.stream(text))

    def stream(self, text: str) -> Iterator[Speech]:
        """`text` spoken, each 80 ms as soon as its codes are there.

        Raises:
            ValueError: `text` has no word in it, or is longer than what the model reads.
        """
        check(text)
        room = self.model.room(text, self.max_frames)
        if room < 0:
            raise ValueError(f"{text[:40]!r}… leaves no room for {self.max_frames} frames of sound in {self.name}: lower "
                             "max_seconds, or say less at a time")
        sound, times, made, own = MimiSound(self.model.codec), LetterTimes(text), list[torch.Tensor](), self.own
        for codes in self.model.frames(self.past(room), OWN, text, self.max_frames, self.sampling(text)):
            made.append(codes)
            yield times.spoken(np.clip(sound.spoken(codes[:, None]), -1.0, 1.0))
        yield times.rest()
        if made:
            own.append(Turn(OWN, text, np.zeros(0, np.float32), torch.stack(made)))  # of no use any more if all is dropped

    def sampling(self, text: str) -> Sampling:
        """Draws that follow from the seed, the text and how much was said before, not from what else was asked."""
        key = f"{self.seed}|{len(self.turns)}|{text}".encode()
        return Sampling(self.temperature, self.top_k, int.from_bytes(hashlib.sha256(key).digest()[:7], "big"))

    def past(self, room: int) -> list[Segment]:
        """The prompt and the last whole turns that fit into `room` positions."""
        kept: list[Segment] = []
        room -= sum(self.model.positions(self.segment(turn)) for turn in self.prompt)
        seconds = self.context_seconds
        for turn in reversed([*self.turns, *self.own][-self.context_turns:] if self.context_turns else []):
            segment = self.segment(turn)
            room -= self.model.positions(segment)
            seconds -= len(segment.codes) * FRAME_SECONDS
            if room < 0 or seconds < 0.0:
                break
            kept.append(segment)
        return [*map(self.segment, self.prompt), *reversed(kept)]

    def segment(self, turn: Turn) -> Segment:
        if turn.codes is None:
            turn.codes = self.model.codes_of(turn.samples)
        return Segment(turn.speaker, turn.text, turn.codes)


def as_written(text: str, heard: str) -> str:
    """What was heard of `text`, with its capitals and stops, by which CSM speaks; `heard` where that is not its beginning."""
    wanted, taken, words = heard.split(), [], 0
    for token in text.split():
        if words >= len(wanted):
            break
        taken.append(token)
        words += len(plain_words(token))
    written = " ".join(taken)
    return written if plain_words(written)[: len(wanted)] == wanted else heard
