"""Moshi as a participant: it listens while it speaks, a frame of each per step.

The first frame. A model of this family never hears the first frame after a reset: position 0 of its stream is a fixed
token. Kyutai's server therefore drops the user's first frame, and its file runner feeds it twice. Here nothing is dropped
and nothing is heard twice: what an agent hears first is the silence before the call (see `converse`), and that step is
the model's lost one; the codec begins with the first frame that the user said. The policy is called *silence is lost*.
"""

import logging
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np

from duplex.conversation import Prompt
from duplex.frame import Event, Frame, frozen
from duplex.latency import Charges, Ideal
from duplex.playout import Playout
from duplex.speech_lm.engine import CODEBOOKS, Input, Snapshot
from duplex.speech_lm.sampling import Sampling
from duplex.speech_lm.serving import Deployment, Served, served
from duplex.speech_lm.slots import Seat
from duplex.speech_lm.text import Transcriber

log = logging.getLogger(__name__)

LOST: Final = Input(codes=np.zeros(CODEBOOKS, np.int64))  # the model hears its initial tokens instead


class Moment(NamedTuple):
    """A conversation stopped between two frames, from the agent's side."""

    model: Snapshot
    frame: int
    transcriber: Transcriber
    playout: Playout


class Moshi:
    """A model of the Moshi family, which takes no prompt.

    Args:
        served: the model and its seats, which other conversations share.
        sampling: how it draws its tokens.
        latency: what a step costs on the clock of the conversation, as stage "speech_lm".

    Attributes:
        facts: which weights these are, on what terms, on what device, for results.
    """

    def __init__(self, served: Served, sampling: Sampling = Sampling(), latency: Charges = Ideal()):
        self.served = served
        self.sampling = sampling
        self.latency = latency
        device = next(served.model.lm.parameters()).device
        self.facts: Mapping[str, Any] = {
            **served.model.checkpoint.facts, "device": str(device), "slots": served.slots.engine.slots}
        self.seat: Seat | None = None

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.leave()
        self.transcriber = Transcriber(self.served.model.tokenizer)
        self.playout = Playout(self.latency)
        self.playout.reset(seed)
        self.frame = 0
        self.seat, self.first = self.begun(prompt, seed)

    def begun(self, prompt: Prompt, seed: int) -> tuple[Seat, Input]:
        """A seat, and what its first step hears in place of the silence before the call."""
        if prompt.text:
            warn_of_prompt()
        return self.served.slots.sit(seed, self.sampling), LOST

    def step(self, heard: Frame) -> Frame:
        assert self.seat is not None, "reset comes before step, and leave after the last one"
        said = self.seat.step(Input(samples=heard.samples) if self.frame else self.first)
        words, events = self.transcriber.read(said.text, self.frame)
        if said.user_nats is not None:
            events += Event("user_nats", detail={"codebooks": said.user_nats.tolist()}),
        self.frame += 1
        frame = Frame(frozen(np.clip(said.samples, -1.0, 1.0)), words, events, self.seat.seconds)
        return self.playout.play(frame, self.seat.seconds)

    def leave(self) -> None:
        """Gives the seat back; `converse` sees to it when a conversation is over."""
        if self.seat is not None:
            self.seat.leave()
            self.seat = None

    def snapshot(self) -> Moment:
        """The conversation at this moment, between two steps."""
        assert self.seat is not None, "only a conversation that has begun can be kept"
        return Moment(self.seat.snapshot(), self.frame, deepcopy(self.transcriber), deepcopy(self.playout))

    def resume(self, moment: Moment) -> None:
        """Goes on from `moment`, as often as one likes: the same call with and without what happens next."""
        self.leave()
        self.frame, self.transcriber, self.playout = moment.frame, deepcopy(moment.transcriber), deepcopy(moment.playout)
        self.seat = self.served.slots.resume(moment.model)


@cache
def warn_of_prompt() -> None:
    """Once in a process."""
    log.warning("Moshi takes no prompt and plays no role; agent=personaplex does")


def moshi(
    *,
    repo: str | None = None,
    revision: str | None = None,
    path: str | None = None,
    weights: str | None = None,
    mimi: str | None = None,
    tokenizer: str | None = None,
    config: str | None = None,
    lora: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    context: int | None = None,
    slots: int = 1,
    live: bool = False,
    temperature: float = 0.8,
    top_k: int = 250,
    text_temperature: float = 0.7,
    text_top_k: int = 25,
    latency: Charges = Ideal(),
) -> Moshi:
    """`agent=moshi`: see `duplex.speech_lm.serving.Deployment` and `duplex.speech_lm.sampling.Sampling`."""
    sampling = Sampling(temperature, top_k, text_temperature, text_top_k)
    deployment = Deployment("moshi", repo, revision, path, weights, mimi, tokenizer, config, lora, device, dtype, context,
                            slots, live)
    return Moshi(served(deployment), sampling, latency)
