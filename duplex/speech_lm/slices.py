"""PersonaPlex's depformer predicts the user's eight codebooks after the agent's: sixteen slices, of which a listener needs eight.

The user's codes are known before they are predicted, so dropping their slices changes no token of the agent. What the other
eight are good for, scoring what the user said, is not here.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from duplex.cache import cache_folder
from duplex.speech_lm.engine import CODEBOOKS
from duplex.speech_lm.scoring import SLICES as BOTH
from duplex.speech_lm.weights import LENGTH, METADATA, Contents, Stored, contents

log = logging.getLogger(__name__)

CHUNK: Final = 1 << 24  # bytes
NUMBERED: Final = re.compile(
    r"(?P<part>linears|depformer_in|depformer_emb|depformer_norms|"
    r"depformer\.layers\.\d+\.(?:gating|self_attn\.(?:in|out)_projs))\.(?P<slice>\d+)\.")
STACKED: Final = re.compile(r"depformer\.layers\.\d+\.self_attn\.(?:in_proj_weight|in_proj\.weight|out_proj\.weight)(?:_scb)?$")


def num_slices(tensors: Mapping[str, Stored]) -> int:
    """How many codebooks the depformer of a file predicts."""
    return len([name for name in tensors if re.fullmatch(r"linears\.\d+\.weight", name)])


def eight_slices(weights: Path) -> Path:
    """A file like `weights` with the agent's slices alone: itself where it has no others, else written once to the cache.

    Raises:
        ValueError: when the file has neither 8 nor 16 slices, or they are not laid out as PersonaPlex's.
        OSError: when the disk is too small for the copy.
    """
    whole = contents(weights)
    count = num_slices(whole.tensors)
    if count == CODEBOOKS:
        return weights
    if count != BOTH:
        raise ValueError(f"{weights} has {count} depformer slices; a checkpoint for conversations has {CODEBOOKS} or {BOTH}")
    check_layout(weights, whole.tensors)
    source, status = weights.resolve(), weights.stat()
    digest = hashlib.sha256(f"{source} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:16]
    made = cache_folder("weights") / f"{digest}.safetensors"
    if not is_whole(made):
        log.info("writing the agent's half of %s to %s, once", weights, made)
        write(weights, whole, made)
    return made


def check_layout(weights: Path, tensors: Mapping[str, Stored]) -> None:
    """Complains where a part does not have one piece for each slice."""
    highest: dict[str, int] = {}
    for name, stored in tensors.items():
        if match := NUMBERED.match(name):
            highest[match["part"]] = max(int(match["slice"]), highest.get(match["part"], 0))
        elif STACKED.match(name) and (not stored.shape or stored.shape[0] % BOTH):
            raise ValueError(f"{weights}: {name} {list(stored.shape)} can not be divided into {BOTH} slices")
    for part, last in highest.items():
        if last + 1 != kept(part, BOTH):
            raise ValueError(f"{weights}: {part} has {last + 1} slices where {kept(part, BOTH)} belong")


def kept(part: str, slices: int) -> int:
    """Pieces of a part for so many slices: the last codebook is never an input to the depformer."""
    return slices - 1 if part == "depformer_emb" else slices


def write(weights: Path, whole: Contents, made: Path) -> None:
    """Copies what is kept, byte by byte: memory never holds more than a chunk, and `made` exists only as a whole."""
    halves = {name: half for name, stored in whole.tensors.items() if (half := agents(name, stored)) is not None}
    header: dict[str, object] = {METADATA: dict(whole.metadata)} if whole.metadata else {}
    end = 0
    for name, stored in halves.items():
        begin, end = end, end + stored.end - stored.begin
        header[name] = {"dtype": stored.dtype, "shape": stored.shape, "data_offsets": (begin, end)}
    check_room(made.parent, end)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH.size)  # the tensors begin at a multiple of 8
    handle, part = tempfile.mkstemp(dir=made.parent, prefix=made.stem, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as target, weights.open("rb") as source:
            target.write(LENGTH.pack(len(text)) + text)
            for stored in halves.values():
                source.seek(whole.start + stored.begin)
                copy(source, target, stored.end - stored.begin)
        os.replace(part, made)
    finally:
        Path(part).unlink(missing_ok=True)


def agents(name: str, stored: Stored) -> Stored | None:
    """The agent's part of a tensor, None where all of it is the user's."""
    if match := NUMBERED.match(name):
        return stored if int(match["slice"]) < kept(match["part"], CODEBOOKS) else None
    if not STACKED.match(name):
        return stored
    rows, *rest = stored.shape
    half = stored.begin + (stored.end - stored.begin) // 2  # rows lie one after the other, the agent's first
    return Stored(stored.dtype, (rows // 2, *rest), stored.begin, half)


def check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"the agent's half of the weights takes {needed / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB "
                      "are free: make room, or point DUPLEX_CACHE at another disk")


def copy(source: BinaryIO, target: BinaryIO, num_bytes: int) -> None:
    while num_bytes > 0:
        chunk = source.read(min(CHUNK, num_bytes))
        assert chunk, "the header was checked against the size of the file"
        target.write(chunk)
        num_bytes -= len(chunk)


def is_whole(path: Path) -> bool:
    """Whether there is such a file and nothing of it is missing, as after a power cut."""
    try:
        contents(path)
    except (OSError, ValueError):
        return False
    return True
