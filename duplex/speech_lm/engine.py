"""Many conversations in one Moshi-family model, on the stock `moshi` package: 80 ms in and 80 ms out for each, in one batch.

A conversation lives in a row of the batch. It may join, pause and leave at any tick and never knows its neighbours.
Who waits for whom is `duplex.speech_lm.slots`' business, what a prompt says that of `duplex.speech_lm.prompt`.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from moshi.models.compression import MimiModel
from moshi.models.lm import LMModel
from moshi.modules.streaming import StreamingModule
from moshi.utils.compile import no_compile, no_cuda_graph

from duplex.frame import FRAME_SAMPLES
from duplex.speech_lm.generator import FREE, Generator
from duplex.speech_lm.rows import Row, clear, put, taken
from duplex.speech_lm.sampling import Sampling
from duplex.speech_lm.scoring import predicts_user, user_nats

CODEBOOKS: Final = 8  # of each side
WARM_UP_TICKS: Final = 4  # moshi captures a graph at its second call, and the first call of a row says nothing


class Input(NamedTuple):
    """What one conversation brings to a tick: the user's sound, or the user's codes where a prompt stands for it.

    Attributes:
        samples: (FRAME_SAMPLES,) float32, encoded by Mimi; or
        codes: (CODEBOOKS,) int64, the user's codes themselves.
        text: the text token of the next frame, or FREE.
        audio: (CODEBOOKS,) int64, the agent's codes: of the next frame in the first codebook, of this frame in the others,
            which the model says one frame later; FREE where it chooses itself.
    """

    samples: np.ndarray | None = None
    codes: np.ndarray | None = None
    text: int = FREE
    audio: np.ndarray | None = None


class Output(NamedTuple):
    """What the model said in a frame.

    Attributes:
        text: token, FREE where there is no frame yet: the first call of a conversation without a prompt.
        codes: (CODEBOOKS,) int64, of Mimi.
        samples: (FRAME_SAMPLES,) float32, not clipped; zeros where there is no frame yet.
        user_nats: (CODEBOOKS,) float32, how surprising the user's codes were (`duplex.speech_lm.scoring`), if the weights
            can say.
    """

    text: int
    codes: np.ndarray
    samples: np.ndarray
    user_nats: np.ndarray | None = None


@dataclass(frozen=True)
class Snapshot:
    """A conversation at a moment; put into a row, it goes on from there.

    Attributes:
        offset: how many positions the model has seen.
        mimi: of the codec, None where the codec starts anew.
    """

    offset: int
    generator: Row
    lm: Row
    mimi: Row | None = None
    seed: int = 0
    sampling: Sampling = Sampling()


class Engine:
    """A model with `slots` rows.

    Not for several threads: all calls come from one. A model serves one engine at a time.

    Args:
        lm: the language model, on its device; it is from now on in streaming mode.
        mimi: the codec, likewise.
        slots: conversations at a time.
    """

    def __init__(self, lm: LMModel, mimi: MimiModel, slots: int = 1):
        if slots < 1:
            raise ValueError(f"slots is 1 or more, not {slots}")
        self.lm, self.mimi, self.slots, self.device = lm, mimi, slots, lm.device
        assert lm.context is not None  # all checkpoints of the family have one
        self.context = lm.context
        # moshi compiles its norms with triton, a GPU's language, and its last one even on a CPU (in 10 s).
        self.kernels = nullcontext if self.device.type == "cuda" and find_spec("triton") else no_compile
        self.generator = Generator(lm, slots)
        self.scores = predicts_user(lm)
        self.seeds = [0] * slots
        self.samplings = [Sampling()] * slots
        self.offsets = [0] * slots
        self.masks: dict[StreamingModule[Any], tuple[bool, ...]] = {}
        self.lone = False  # whether the language model is in a state of its own
        self.sound = torch.zeros(slots, 1, FRAME_SAMPLES)
        self.user = torch.zeros(slots, CODEBOOKS, 1, dtype=torch.long)
        self.streaming = ExitStack()
        with torch.no_grad():
            self.streaming.enter_context(mimi.streaming(slots))
            self.streaming.enter_context(self.generator.streaming(slots))
        self.streaming.callback(lm.transformer.register_forward_pre_hook(self.check_shared).remove)

    def close(self) -> None:
        """Ends all conversations; another engine may use the model."""
        self.streaming.close()

    @torch.no_grad()
    def warm_up(self) -> None:
        """A few ticks of noise in every row: kernels are compiled and graphs captured before anybody's time is counted."""
        noise = np.random.default_rng(0).uniform(-0.1, 0.1, FRAME_SAMPLES).astype(np.float32)
        for _ in range(WARM_UP_TICKS):
            self.tick(dict.fromkeys(range(self.slots), Input(samples=noise)))
        for row in range(self.slots):
            self.forget(row)

    # Joining and leaving.

    @torch.no_grad()
    def open(self, row: int, seed: int, sampling: Sampling, prefix: Snapshot | None = None) -> None:
        """Begins a conversation in `row`, anew or after a prompt that the model has heard."""
        self.forget(row)
        if prefix is not None:
            self.put(row, prefix)
        self.stream(row, seed, sampling)

    @torch.no_grad()
    def snapshot(self, row: int) -> Snapshot:
        """The conversation in `row` at this moment."""
        return Snapshot(self.offsets[row], taken(self.generator, row), taken(self.lm, row), taken(self.mimi, row),
                        self.seeds[row], self.samplings[row])

    @torch.no_grad()
    def restore(self, row: int, snapshot: Snapshot) -> None:
        """Goes on from `snapshot` in `row`: with the same tokens to the same sound, whatever row it was taken from."""
        self.forget(row)
        self.put(row, snapshot)
        self.stream(row, snapshot.seed, snapshot.sampling)

    def forget(self, row: int) -> None:
        only = torch.tensor([one == row for one in range(self.slots)], device=self.device)
        for module in (self.generator, self.lm, self.mimi):
            clear(module, row)
            module.reset_streaming(only)
        self.masks.clear()  # a reset row runs again until it is told otherwise
        self.offsets[row] = 0

    @torch.no_grad()
    def renew_codec(self, row: int) -> None:
        """Lets the codec begin anew, in the middle of what the language model hears."""
        only = torch.tensor([one == row for one in range(self.slots)], device=self.device)
        clear(self.mimi, row)
        self.mimi.reset_streaming(only)
        self.masks.pop(self.mimi, None)

    def put(self, row: int, snapshot: Snapshot) -> None:
        put(self.generator, row, snapshot.generator)
        put(self.lm, row, snapshot.lm)
        if snapshot.mimi is not None:
            put(self.mimi, row, snapshot.mimi)
        self.offsets[row] = snapshot.offset

    def stream(self, row: int, seed: int, sampling: Sampling) -> None:
        self.seeds[row], self.samplings[row] = seed, sampling
        self.generator.streams.set(row, seed, sampling)

    # A tick.

    @torch.no_grad()
    def tick(self, inputs: Mapping[int, Input]) -> dict[int, Output]:
        """One frame of the conversations in `inputs`, by row; all others stand still."""
        with self.kernels():
            return self.ticked(inputs)

    def ticked(self, inputs: Mapping[int, Input]) -> dict[int, Output]:
        heard_before = self.generator.hidden.clone() if self.scores else None
        tokens = self.say(inputs, self.hear(inputs))
        nats: dict[int, np.ndarray] = {}
        if heard_before is not None:
            every = user_nats(self.generator, heard_before).cpu().numpy()
            nats = {row: every[row] for row in inputs if self.offsets[row] > self.generator.max_delay}
        for row in inputs:
            self.offsets[row] += 1
        begun = {row for row in inputs if self.offsets[row] > self.generator.max_delay}
        samples = np.zeros((self.slots, FRAME_SAMPLES), np.float32)
        if begun:
            self.run_only(self.mimi, begun)
            samples = self.mimi.decode(tokens[:, 1:].clamp(min=0))[:, 0].float().cpu().numpy()
        said = tokens[:, :, 0].cpu().numpy()
        silent = np.zeros(FRAME_SAMPLES, np.float32)
        return {row: Output(int(said[row, 0]), said[row, 1:], samples[row] if row in begun else silent, nats.get(row))
                for row in inputs}

    def hear(self, inputs: Mapping[int, Input]) -> torch.Tensor:
        """The user's codes (rows, CODEBOOKS, 1): encoded sound, or what a prompt gives."""
        codes = self.user
        if heard := {row: one.samples for row, one in inputs.items() if one.samples is not None}:
            for row, samples in heard.items():
                self.sound[row, 0] = torch.from_numpy(np.array(samples))
            self.run_only(self.mimi, heard.keys())
            codes = self.mimi.encode(self.sound.to(self.device))
        given = {row: one.codes for row, one in inputs.items() if one.codes is not None}
        if given or not heard:
            codes = codes.to(self.device, copy=True)
            for row, prompted in given.items():
                codes[row, :, 0] = torch.from_numpy(prompted).to(self.device)
        return codes

    def say(self, inputs: Mapping[int, Input], codes: torch.Tensor) -> torch.Tensor:
        """Tokens (rows, 1 + CODEBOOKS, 1): text, and the agent's codes of the same frame."""
        told = {row: one for row, one in inputs.items() if one.text != FREE or one.audio is not None}
        self.generator.forcing = bool(told)
        for row, one in told.items():
            self.generator.text[row] = one.text
            if one.audio is not None:
                self.generator.audio[row] = torch.from_numpy(one.audio).to(self.device)
        self.run_only(self.generator, inputs.keys())
        tokens = self.generator.step(codes)
        assert tokens is not None  # LMGen that supports rows out of step always answers
        for row in told:
            self.generator.text[row], self.generator.audio[row] = FREE, FREE
        return tokens

    def run_only(self, module: StreamingModule[Any], rows: Any) -> None:
        """Lets `rows` of `module` run; setting moshi's mask walks every module, so it is done when it changes."""
        mask = tuple(row in rows for row in range(self.slots))
        if self.masks.get(module) != mask:
            module.set_exec_mask(torch.tensor(mask, device=self.device))
            self.masks[module] = mask

    # Prompts.

    @torch.no_grad()
    def prefill(self, embeddings: torch.Tensor, ring: torch.Tensor) -> Snapshot:
        """Lets the model hear a prompt in one call, in a state of its own, where it cannot disturb a conversation.

        Args:
            embeddings: (S, dim), what the model is fed at positions 0 to S - 1.
            ring: (1 + 2 * CODEBOOKS, 2) int64, tokens of positions S and S + 1, FREE where they are not known yet.

        Raises:
            ValueError: the prompt is longer than the context.
        """
        length = len(embeddings)
        if length > self.context:
            raise ValueError(f"a prompt of {length} frames does not fit a context of {self.context}; give a context of more "
                             "than the prompt and the conversation, or a shorter prompt")
        with self.alone(), no_compile(), no_cuda_graph():  # its shape comes once: nothing to compile or to capture
            self.lm.transformer(embeddings[None].to(self.device, self.lm.dtype))
            heard = taken(self.lm, 0)
        generator = {name: tensor.clone() for name, tensor in taken(self.generator, 0).items()}
        generator[".offsets"] = torch.full_like(generator[".offsets"], length)
        generator[".cache"].fill_(FREE)
        for position, column in zip((length, length + 1), ring.T):
            generator[".cache"][:, position % generator[".cache"].shape[1]] = column.to(self.device)
        return Snapshot(length, generator, heard)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The language model in a fresh state with one row; the shared state is put aside and comes back as it was."""
        shared = self.lm.get_streaming_state()
        self.lm.set_streaming_state(dict.fromkeys(shared))
        try:
            with self.lm.streaming(1):
                self.lone = True
                yield
        finally:
            self.lone = False
            self.lm.set_streaming_state(shared)

    def check_shared(self, transformer: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        """Refuses what would corrupt the other rows: in a shared ring, moshi's mask holds for one position at a time only.

        A row that stands still is written beyond its end and reads itself again there; with more positions than one, a
        ring that is full or would wrap around loses what it needs.
        """
        if inputs[0].shape[1] > 1 and not self.lone:
            raise RuntimeError(f"{inputs[0].shape[1]} positions at once in the shared state of {self.slots} conversations would "
                               "corrupt those whose ring is full; Engine.prefill hears a prompt in a state of its own")
