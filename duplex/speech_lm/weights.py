"""What a weights file holds, read from its header alone: before a gigabyte moves, it is known to be whole and to fit.

Nothing here loads a tensor.
"""

import json
import re
import struct
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import torch
from moshi.models import loaders
from moshi.models.compression import MimiModel
from moshi.models.lm import LMModel

LENGTH: Final = struct.Struct("<Q")  # a safetensors file is the length of its header, the header as JSON, the tensors
SUFFIXES: Final = (".safetensors", ".sft", ".sfts")  # by which `loaders` tells them from pickles
METADATA: Final = "__metadata__"
# What the package still reads under older names: stacked projections, a codebook's buffers.
STACKED: Final = re.compile(
    r"(?P<prefix>.*\.)(?P<side>in|out)_proj(?:_weight|(?P<part>\.weight|\.lora_[AB]\.weight))(?P<scale>_scb)?$")
CODEBOOK: Final = {"inited": "_initialized", "cluster_size": "cluster_usage", "embed_avg": "embedding_sum",
                   "embed_sum": "embedding_sum"}
Shape: TypeAlias = tuple[int, ...]


class Stored(NamedTuple):
    """A tensor in a file.

    Attributes:
        dtype: as safetensors names it, e.g. "BF16".
        shape: its dimensions.
        begin: first byte, counted from the end of the header.
        end: byte after its last.
    """

    dtype: str
    shape: Shape
    begin: int
    end: int


class Contents(NamedTuple):
    """Attributes:
        tensors: by name, in the order in which they lie in the file.
        metadata: what else its maker wrote into the header.
        start: byte at which the tensors begin.
    """

    tensors: Mapping[str, Stored]
    metadata: Mapping[str, str]
    start: int


def contents(path: Path) -> Contents:
    """What the safetensors file at `path` holds.

    Raises:
        ValueError: when it is of another kind, or cut short; says by how many bytes.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path} is not .safetensors; weights of any other kind are not read, since a pickle runs code")
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(LENGTH.size)
        if first.startswith(b"version"):
            raise ValueError(f"{path} is a Git LFS pointer, not the weights: run git lfs pull where it lies")
        length = LENGTH.unpack(first)[0] if len(first) == LENGTH.size else 0
        text = file.read(min(length, size))
    if not text.startswith(b"{"):
        raise ValueError(f"{path} is no safetensors file; get it again")
    start = LENGTH.size + length
    if start > size:
        raise ValueError(f"{path} is cut short within its header, after {size} bytes; get it again")
    try:
        found = json.loads(text)
        metadata = found.pop(METADATA, {})
        tensors = {name: Stored(one["dtype"], tuple(one["shape"]), *one["data_offsets"]) for name, one in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no safetensors file: its header is damaged; get it again") from error
    whole = start + max((one.end for one in tensors.values()), default=0)
    if whole != size:
        wrong = f"{whole - size} of its {whole} bytes are missing" if whole > size else f"{size - whole} bytes too many"
        raise ValueError(f"{path} is cut short or damaged: {wrong}; get it again")
    return Contents(dict(sorted(tensors.items(), key=lambda item: item[1].begin)), metadata, start)


def check_fit(path: Path, shapes: Mapping[str, Shape], wanted: Mapping[str, Shape], config: str) -> None:
    """Complains, in one line, about a file whose tensors are not those that the model takes.

    Args:
        shapes: what the file holds, by the names of `current`.
        wanted: what the model takes.
        config: what the model was made from, for the complaint.
    """
    missing = [name for name in wanted if name not in shapes]
    unexpected = [name for name in shapes if name not in wanted]
    other = [name for name in wanted if name in shapes and shapes[name] != wanted[name]]
    if missing or unexpected or other:
        raise ValueError(f"{path} does not fit {config}: " + ", ".join([
            counted(missing, "missing", "it should have", wanted), counted(unexpected, "unexpected", "it has", shapes),
            f"{len(other)} of another shape" + (
                f" ({other[0]} is {list(shapes[other[0]])} where {list(wanted[other[0]])} belongs)" if other else "")]))


def counted(names: list[str], how: str, verb: str, shapes: Mapping[str, Shape]) -> str:
    example = f" (e.g. {verb} {names[0]} {list(shapes[names[0]])})" if names else ""
    return f"{len(names)} {'tensor' if len(names) == 1 else 'tensors'} {how}{example}"


def current(tensors: Mapping[str, Stored], wanted: Iterable[str]) -> dict[str, Shape]:
    """The shapes in a file by the names of today, as the package's own hooks rename and split them while loading."""
    names, found = set(wanted), {}
    for name, stored in tensors.items():
        head, _, tail = name.rpartition(".")
        if head.endswith("_codebook") and tail in CODEBOOK:
            name = f"{head}.{CODEBOOK[tail]}"
        split = projections(name, names) if STACKED.match(name) else []
        if split and stored.shape and stored.shape[0] % len(split) == 0:
            found.update(dict.fromkeys(split, (stored.shape[0] // len(split), *stored.shape[1:])))
        else:
            found[name] = stored.shape
    return found


def projections(name: str, names: set[str]) -> list[str]:
    """The names of today of a stacked projection: one for each step of the depformer, one in the other transformers."""
    match = STACKED.match(name)
    assert match is not None
    found: list[str] = []
    while True:
        one = "{prefix}{side}_projs.{index}{part}{scale}".format(
            prefix=match["prefix"], side=match["side"], index=len(found), part=match["part"] or ".weight",
            scale=match["scale"] or "")
        if one not in names:
            return found
        found.append(one)


def shapes_of(model: torch.nn.Module) -> dict[str, Shape]:
    """What the model takes, by name."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def empty_lm(config: Mapping[str, Any], dtype: torch.dtype = torch.bfloat16) -> LMModel:  # Any: what LMModel takes
    """The language model that `config` describes, without memory for its weights.

    Raises:
        ValueError: when the config describes none.
    """
    bare = {key: value for key, value in config.items() if key not in ("lora", "lora_rank", "lora_scaling")}
    try:
        with torch.device("meta"):
            return loaders.get_moshi_lm(None, lm_kwargs=bare, device="meta", dtype=dtype)
    except (TypeError, ValueError, KeyError, AssertionError, RuntimeError, AttributeError) as error:
        raise ValueError(f"the config describes no language model of the moshi package: {error}") from error


def empty_mimi(config: Mapping[str, Any] | None, codebooks: int) -> MimiModel:  # Any: what Mimi's parts take
    """The Mimi that `config` describes (None: Kyutai's), without memory for its weights.

    Raises:
        ValueError: when the config describes none.
    """
    try:
        with torch.device("meta"):
            mimi: MimiModel = loaders.get_mimi(None, mimi_config=None if config is None else dict(config), device="meta",
                                               num_codebooks=codebooks)
        return mimi
    except (TypeError, ValueError, KeyError, AssertionError, RuntimeError, AttributeError) as error:
        raise ValueError(f"the Mimi config describes no Mimi of the moshi package: {error!r}") from error


def size_of(shapes: Iterable[Shape]) -> int:
    return sum(prod(shape) for shape in shapes)
