"""What a model with so many slots takes of a device's memory, counted before anything is loaded.

Weights and streaming state are counted exactly, on models without memory; graphs and workspace are an allowance. What other
programs hold is in `available`, not in the plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass, replace
from math import floor
from pathlib import Path
from typing import Any, Final

import torch
from moshi.models.compression import MimiModel
from moshi.models.lm import LMModel
from moshi.modules.transformer import RingKVCache
from torch import nn

from duplex.frame import FRAME_SECONDS
from duplex.speech_lm.engine import CODEBOOKS
from duplex.speech_lm.weights import empty_lm, empty_mimi

GIB: Final = 1 << 30
INT8: Final = "int8"
BYTES: Final = {"float32": 4, "bfloat16": 2, "float16": 2, INT8: 2}  # of a number that is not quantised; of a key or value
ALLOWANCE: Final = {"cuda": 1.5, "cpu": 0.25}  # GiB: the CUDA context, libraries' workspaces, captured graphs; activations
LEAST_CONTEXT: Final = 125  # frames, 10 s: with less no conversation is possible


@dataclass(frozen=True)
class Plan:
    """Memory, part by part.

    Attributes:
        slots: conversations at a time.
        context: frames that the language model looks back.
        dtype: of the language model.
        device: where it all lies.
        parameters: of the language model, how many.
        linear: how many of them are in linear layers, which int8 makes small.
        linear_rows: how many rows those layers have; int8 has a float32 scale for each.
        position: keys and values of one frame of one slot, how many numbers.
        row: what else one slot holds in the language model, in bytes.
        mimi: Mimi's weights in bytes.
        mimi_row: Mimi's state for one slot, in bytes.
        allowance: for what can not be counted, in bytes.
    """

    slots: int
    context: int
    dtype: str
    device: str
    parameters: int
    linear: int
    linear_rows: int
    position: int
    row: int
    mimi: int
    mimi_row: int
    allowance: int

    @property
    def weights(self) -> int:
        """Bytes of the language model's parameters."""
        if self.dtype == INT8:
            return (self.parameters - self.linear) * BYTES[INT8] + self.linear + 4 * self.linear_rows
        return self.parameters * BYTES[self.dtype]

    @property
    def lm_row(self) -> int:
        """Bytes of the language model's state for one conversation."""
        return self.context * self.position * BYTES[self.dtype] + self.row

    @property
    def rows(self) -> list[tuple[str, float]]:
        """What the memory is for, in GiB."""
        slots = f"{self.slots} slot{'s' if self.slots > 1 else ''}"
        return [(name, size / GIB) for name, size in (
            (f"language model, {self.parameters / 1e9:.3f} B parameters in {self.dtype}", self.weights),
            (f"context of {self.context} frames ({self.context * FRAME_SECONDS:.0f} s) for {slots}",
             self.slots * self.lm_row),
            ("context of the prompt being read", self.lm_row),
            ("Mimi", self.mimi), (f"Mimi's state for {slots}", self.slots * self.mimi_row),
            ("allowance for graphs and workspace", self.allowance))]

    @property
    def total(self) -> int:
        """Bytes."""
        return self.weights + (self.slots + 1) * self.lm_row + self.mimi + self.slots * self.mimi_row + self.allowance

    def __str__(self) -> str:
        return f"{self.total / GIB:.2f} GiB on {self.device}: " + ", ".join(
            f"{name} {size:.2f}" for name, size in self.rows)


def plan(lm_config: Mapping[str, Any], mimi_config: Mapping[str, Any] | None, slots: int, context: int | None, dtype: str,
         device: str) -> Plan:  # Any: JSON
    """What `slots` conversations take with a model of these configs.

    Args:
        lm_config: with `dep_q` as it is loaded: 16 only to score the user.
        context: frames; None is the config's own.

    Raises:
        ValueError: when a config describes no model, or a number is not one.
    """
    if slots < 1 or (context is not None and context < 1) or dtype not in BYTES:
        raise ValueError(f"slots and context are from 1 on and dtype is one of {', '.join(BYTES)}, not {slots}, {context} and "
                         f"{dtype!r}")
    frames = int(lm_config["context"] if context is None else context)
    lm = empty_lm({**lm_config, "context": frames, "quantize": False}, torch.float16)
    mimi = empty_mimi(mimi_config, CODEBOOKS)
    linear = [part.weight for part in lm.modules() if isinstance(part, nn.Linear)]
    position = 2 * lm_config["num_layers"] * lm_config["dim"] // lm_config.get("kv_repeat", 1)  # keys and values
    held = state(lm)
    return Plan(slots, frames, dtype, device, parameters=sum(one.numel() for one in lm.parameters()),
                linear=sum(one.numel() for one in linear), linear_rows=sum(one.shape[0] for one in linear),
                position=position, row=held - frames * position * BYTES["float16"],
                mimi=4 * sum(one.numel() for one in (*mimi.parameters(), *mimi.buffers())), mimi_row=state(mimi),
                allowance=int(ALLOWANCE["cuda" if device.startswith("cuda") else "cpu"] * GIB))


def state(model: LMModel | MimiModel) -> int:
    """Bytes that one more row of streaming state takes."""
    sizes = []
    for rows in (1, 2):
        with torch.device("meta"), model.streaming(rows):
            sizes.append(size(list(model.get_streaming_state().values())))
    return sizes[1] - sizes[0]


def size(held: object) -> int:
    """Bytes of all tensors in a state."""
    if isinstance(held, torch.Tensor):
        return held.numel() * held.element_size()
    if isinstance(held, list | tuple):
        return sum(map(size, held))
    if is_dataclass(held) or isinstance(held, RingKVCache):
        return sum(map(size, vars(held).values()))
    return 0


def check(planned: Plan, available_bytes: int | None) -> None:
    """Complains where the plan needs more than there is; None is what nobody knows.

    Raises:
        ValueError: with what would fit: fewer slots, else a shorter context, else another dtype.
    """
    if available_bytes is not None and planned.total > available_bytes:
        raise ValueError(f"{planned}; {available_bytes / GIB:.2f} GiB are free: {advice(planned, available_bytes)}")


def advice(planned: Plan, available_bytes: int) -> str:
    """What of it fits."""
    room = available_bytes - replace(planned, slots=0).total
    slots = floor(room / (planned.lm_row + planned.mimi_row))
    if slots >= 1:
        return f"{slots} slot{'s' if slots > 1 else ''} would fit at this context"
    for fewer in dict.fromkeys((planned.slots, 1)):
        context = longest_context(replace(planned, slots=fewer), available_bytes)
        if context >= LEAST_CONTEXT:
            return (f"a context of {context} frames ({context * FRAME_SECONDS:.0f} s) would fit"
                    + (" with 1 slot" if fewer < planned.slots else ""))
    for dtype in ("bfloat16", INT8):
        smaller = replace(planned, dtype=dtype, slots=1)
        context = min(planned.context, longest_context(smaller, available_bytes))
        if smaller.weights < planned.weights and context >= LEAST_CONTEXT:
            quantised = " (weights made so, as kyutai/moshiko-pytorch-q8)" if dtype == INT8 else ""
            return f"dtype={dtype}{quantised} would fit with 1 slot and a context of {context} frames"
    return "no number of slots, context or dtype would fit, it takes a larger device"


def longest_context(planned: Plan, available_bytes: int) -> int:
    """Frames, at these slots."""
    room = available_bytes - replace(planned, context=0).total
    return floor(room / ((planned.slots + 1) * planned.position * BYTES[planned.dtype]))


def available(device: str) -> int | None:
    """Bytes that are free on `device`, None where nobody says."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    meminfo = Path("/proc/meminfo")
    if torch.device(device).type != "cpu" or not meminfo.is_file():
        return None
    for line in meminfo.read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
