"""One row of a batch of moshi's streaming modules: taken out, kept, and put into any row of any batch.

This is what moshi calls the streaming state, cut along the batch: rings of keys and values, tails of convolutions,
offsets. Who sits in a row, and why it is moved, is not decided here.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

import torch
from moshi.modules.streaming import StreamingModule
from moshi.modules.transformer import RingKVCache

Row: TypeAlias = dict[str, torch.Tensor]

SHARED: Final = ("exec_mask", "initial")  # which rows run is the engine's business; the initial token is everybody's


class Part(NamedTuple):
    """A tensor of a streaming state.

    Attributes:
        batch: which of its dimensions counts the rows.
        ring: the (rows,) ends of the ring of keys and values that it holds, or None.
    """

    name: str
    tensor: torch.Tensor
    batch: int
    ring: torch.Tensor | None = None


def parts(module: StreamingModule) -> Iterator[Part]:
    """All that differs between the rows of a streaming module.

    Raises:
        RuntimeError: a version of moshi keeps state in a way that is not known here.
    """
    for name, state in module.get_streaming_state().items():
        if state is None:
            raise RuntimeError(f"{name or type(module).__name__} is not streaming")
        for field, value in vars(state).items():
            if isinstance(value, RingKVCache):
                yield Part(f"{name}.{field}", value.cache, 1, value.end_offset)
                yield Part(f"{name}.{field}.end_offset", value.end_offset, 0)
            elif isinstance(value, torch.Tensor) and field not in SHARED:
                if value.shape[:1] != (state.batch_size,):
                    raise RuntimeError(f"{name}.{field} is {tuple(value.shape)}, not one of each for {state.batch_size} rows: "
                                       "this version of moshi is not known to the harness, which needs moshi 0.2.13")
                yield Part(f"{name}.{field}", value, 0)


def taken(module: StreamingModule, row: int) -> Row:
    """A copy of a row; of a ring only what has been written."""
    found: Row = {}
    for part in parts(module):
        one = part.tensor.select(part.batch, row)
        if part.ring is not None:
            one = one[:, :, :int(part.ring[row])]  # (keys and values, heads, positions, dim); a slice stops at the end
        found[part.name] = one.clone()
    return found


def clear(module: StreamingModule, row: int) -> None:
    """Zeroes a row: what moshi's reset hides behind a mask would still spread if it were not a number."""
    for part in parts(module):
        part.tensor.select(part.batch, row).zero_()


def put(module: StreamingModule, row: int, state: Row) -> None:
    """Makes `row` what was taken.

    Raises:
        ValueError: it was taken from another kind of model, or from a ring of another size that had wrapped around.
    """
    here = list(parts(module))
    if {part.name for part in here} != state.keys():
        raise ValueError("this state was taken from another model")
    for part in here:
        target, value = part.tensor.select(part.batch, row), state[part.name]
        if part.ring is not None:
            end, capacity, held = int(state[f"{part.name}.end_offset"]), target.shape[2], value.shape[2]
            if held > capacity or (end > held != capacity):
                raise ValueError(f"a conversation of {end} frames in a context of {held} does not fit a context of {capacity}")
            target = target[:, :, :held]
        if target.shape != value.shape:
            raise ValueError(f"this state was taken from another model: {part.name} is {tuple(value.shape)}, not "
                             f"{tuple(target.shape)}")
        target.copy_(value)
