"""The voice a PersonaPlex model speaks with: one of the checkpoint's by name, a `.pt` file, or a recording of its speaker.

A voice is a few seconds of the agent's own speech at the head of the prompt, kept in one of two ways. Mimi's codes name
the sounds themselves: they are portable, and survive a fine-tune that moves the model's embeddings. A `.pt` as NVIDIA
ships it holds the embeddings of those codes instead, and fits the one set of weights it was made with; `save_voice`
writes a `.pt` that has both. Nothing here runs the language model.
"""

import hashlib
import io
import logging
import pickle
import re
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from moshi.models.compression import MimiModel
from moshi.models.lm import LMModel
from moshi.utils.compile import no_compile, no_cuda_graph

from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE
from duplex.sound_file import SUFFIXES, read_sound
from duplex.speech_lm.engine import CODEBOOKS, FREE
from duplex.speech_lm.prompt import Prefix, columns, embedded, system_prompt

LOUDNESS: Final = -24.0  # LUFS, of a voice's recording
METER_SECONDS: Final = 0.4  # one block of a loudness meter (ITU-R BS.1770)
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
MEMBER: Final = re.compile(rf"(?:\./)?voices/({NAME.pattern})\.pt")  # all that an archive is read for
LARGEST_BYTES: Final = 2**28  # of an archive's voices; NVIDIA's have 2**23
MOVED: Final = 0.05  # of an embedding's length; bfloat16 rounds by less than a tenth of this

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class VoicePrompt:
    """A voice as codes or as what it makes the model hear: `prefix(lm, system_prompt(role, codes), heard)`.

    Attributes:
        name: as results call it.
        digest: sha256 of its content, whatever file that was in: the same for a recording and the `.pt` made of it.
        codes: (CODEBOOKS, num_frames) int64, of Mimi, or None.
        heard: the positions of a `.pt` without codes, or None.
    """

    name: str
    digest: str
    codes: np.ndarray | None = None
    heard: Prefix | None = None


def voice_prompt(wanted: str, voices: Path | None, lm: LMModel, mimi: MimiModel, consent: bool = False) -> VoicePrompt:
    """The voice that a config asks for by name or by path. Not for what strangers ask for: see `named_voice`.

    Args:
        wanted: a name that `voice_names` lists, or the path of a `.pt` or of a sound file.
        voices: the checkpoint's voices.tgz or voices folder, None where it has none.
        consent: the speaker of the sound file agreed to be imitated.
    """
    path = Path(wanted).expanduser()
    if path.suffix.lower() in SUFFIXES:
        return recorded_voice(path, mimi, consent)
    if path.suffix == ".pt" and path.is_file() and wanted.removesuffix(".pt") not in voice_names(voices):
        return saved_voice(path, lm)
    return named_voice(wanted, voices, lm)


def voice_names(voices: Path | None) -> list[str]:
    """The voices of a checkpoint, an allow list: no other name opens a file."""
    if voices is None:
        return []
    if voices.is_dir():
        return sorted(path.stem for path in voices.glob("*.pt") if NAME.fullmatch(path.stem))
    return sorted(unpacked(voices))


def named_voice(name: str, voices: Path | None, lm: LMModel) -> VoicePrompt:
    """One of the checkpoint's own voices, with or without `.pt` behind its name.

    Raises:
        ValueError: there is none of that name.
    """
    stem, known = name.removesuffix(".pt"), voice_names(voices)
    if voices is None or stem not in known:
        raise ValueError(f"there is no voice {name!r}; there are " + (", ".join(known) or "none with this checkpoint"))
    return loaded((voices / f"{stem}.pt").read_bytes() if voices.is_dir() else unpacked(voices)[stem], stem, lm)


def saved_voice(path: str | Path, lm: LMModel) -> VoicePrompt:
    """A `.pt` made by `save_voice` or by NVIDIA's server.

    Raises:
        ValueError: it is damaged, is not a voice, or was made for another model.
    """
    return loaded(Path(path).read_bytes(), Path(path).stem, lm)


def recorded_voice(path: str | Path, mimi: MimiModel, consent: bool) -> VoicePrompt:
    """The voice of whoever speaks in a sound file.

    Like `Engine.tick`, not for several threads: the codec is the one that conversations use.

    Raises:
        ValueError: without `consent`, or the file is not the sound of a voice.
    """
    if not consent:
        raise ValueError(f"to speak with the voice of {path} needs its speaker's consent; if you have it, say so with "
                         "agent.consent=true")
    return coded(encoded(mimi, levelled(read_sound(path), path)), Path(path).stem)


def save_voice(path: str | Path, codes: np.ndarray, lm: LMModel) -> None:
    """Writes a voice as a `.pt` that NVIDIA's server reads too, and that other weights can be given as well."""
    torch.save(to_pt(codes, lm) | {"codes": torch.from_numpy(codes)}, Path(path))


def to_pt(codes: np.ndarray, lm: LMModel) -> dict[str, torch.Tensor]:
    """A voice in the form of NVIDIA's server, which keeps what it has fed to the model after all frames but the last.

    Args:
        codes: (CODEBOOKS, num_frames) int64, 2 frames or more.

    Returns:
        "embeddings", (num_frames - 1, 1, 1, dim), what the model is fed at positions 0 to num_frames - 2; "cache",
        (1, 1 + 2 * CODEBOOKS, 4) int64, a ring of token columns of which the last two positions are still to be heard.
    """
    table = columns(lm, system_prompt([], codes))[:, :codes.shape[1] + 1]
    length = codes.shape[1] - 1
    undelayed = [stream for stream, delay in enumerate(lm.delays) if not delay]
    table[undelayed, length + 1] = FREE  # what follows the voice
    cache = torch.full((len(table), ring_size(lm)), FREE)
    for position in range(max(0, length + 2 - ring_size(lm)), length + 2):
        cache[:, position % ring_size(lm)] = table[:, position]
    return {"embeddings": embedded(lm, table[:, :length])[:, None, None].cpu(), "cache": cache[None]}


def ring_size(lm: LMModel) -> int:
    """How many positions NVIDIA's server keeps tokens of: 4, of which the stock package needs one less."""
    return max(lm.delays) + 3


# Reading.


def unpacked(archive: Path) -> dict[str, bytes]:
    """The voices of an archive by name, read in memory: nothing else in it is looked at, nothing is written to disk."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive) as members:
            for member in members:
                match = MEMBER.fullmatch(member.name)
                if not match or not member.isreg():
                    continue
                if member.size + sum(map(len, found.values())) > LARGEST_BYTES:
                    raise ValueError(f"the voices of {archive} have more than {LARGEST_BYTES >> 20} MiB")
                file = members.extractfile(member)
                assert file is not None  # a regular file
                found[match[1]] = file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{archive} cannot be read as an archive of voices: {error}") from error
    return found


def loaded(data: bytes, name: str, lm: LMModel) -> VoicePrompt:
    """The voice in the bytes of a `.pt`, by its codes if it has them."""
    tensors = unpickled(data, name)
    if "codes" in tensors:
        codes = tensors["codes"]
        if codes.dtype != torch.long or codes.ndim != 2 or len(codes) != CODEBOOKS or not within(codes, lm.card - 1):
            raise ValueError(f"the voice {name} was made for another model: its codes are {described(codes)}, this model's are "
                             f"({CODEBOOKS}, frames) int64 below {lm.card}")
        return coded(codes.numpy(), name)
    if not {"embeddings", "cache"} <= tensors.keys():
        raise ValueError(f"{name} is not a voice: it has {sorted(tensors)}, a voice has embeddings and cache")
    heard = Prefix(checked_embeddings(tensors["embeddings"], name, lm), checked_ring(tensors, name, lm))
    content = heard.embeddings.float().numpy().tobytes() + heard.ring.numpy().tobytes()
    return VoicePrompt(name, hashlib.sha256(content).hexdigest(), heard=heard)


def unpickled(data: bytes, name: str) -> dict[str, torch.Tensor]:
    """The tensors of a `.pt`, of which no code is ever run."""
    try:
        found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"the voice {name} was not loaded: it holds more than tensors (such a file can run code), or is "
                         "not a .pt file") from error
    except Exception as error:  # in a damaged file torch's reader stumbles over anything, from assertions to types
        raise ValueError(f"the voice {name} cannot be read: the file is cut short or damaged, or is not a .pt file") from error
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ValueError(f"{name} is not a voice: a voice is a dictionary of tensors")
    return found


def checked_embeddings(embeddings: torch.Tensor, name: str, lm: LMModel) -> torch.Tensor:
    """The embeddings (num_frames - 1, dim) of a `.pt`, on the processor and in the file's own precision."""
    if not embeddings.is_floating_point() or embeddings.ndim != 4 or embeddings.shape[1:3] != (1, 1) or not len(embeddings):
        raise ValueError(f"{name} is not a voice: its embeddings are {described(embeddings)}, not (frames, 1, 1, {lm.dim}) of "
                         "floating point")
    if embeddings.shape[3] != lm.dim:
        raise ValueError(f"the voice {name} was made for another model: its embeddings have {embeddings.shape[3]} numbers, this "
                         f"model's have {lm.dim}")
    embeddings = embeddings[:, 0, 0]
    if not torch.isfinite(embeddings).all():
        raise ValueError(f"the voice {name} is damaged: its embeddings are not all finite")
    first = embedded(lm, lm._get_initial_token()[0])[0].float().cpu()  # every conversation begins with the same tokens
    moved = float((embeddings[0].float() - first).norm() / first.norm())
    if moved > MOVED:
        logger.warning("the voice %s was probably made for other weights and may not sound like itself: its first embedding is "
                       "%.0f %% away from this model's; one made of codes or of a recording is safe", name, 100.0 * moved)
    return embeddings


def checked_ring(tensors: dict[str, torch.Tensor], name: str, lm: LMModel) -> torch.Tensor:
    """The token columns of the two positions after a `.pt`'s embeddings, FREE where the next frame decides."""
    cache, length = tensors["cache"], len(tensors["embeddings"])
    if cache.dtype != torch.long or cache.shape != (1, len(lm.delays), ring_size(lm)):
        raise ValueError(f"{name} is not a voice: its cache is {described(cache)}, not {(1, len(lm.delays), ring_size(lm))} of "
                         "int64")
    ring = cache[0][:, [length % ring_size(lm), (length + 1) % ring_size(lm)]]
    delayed = torch.tensor(lm.delays) > 0
    ring[~delayed, 1] = FREE
    if not (within(ring[0, 0], lm.text_card) and within(ring[1:, 0], lm.card) and within(ring[delayed, 1], lm.card)):
        raise ValueError(f"the voice {name} was made for another model: its last tokens are not among this model's")
    return ring


def within(tokens: torch.Tensor, largest: int) -> bool:
    return bool(((tokens >= 0) & (tokens <= largest)).all())


def described(tensor: torch.Tensor) -> str:
    return f"{tuple(tensor.shape)} of {str(tensor.dtype).removeprefix('torch.')}"


def coded(codes: np.ndarray, name: str) -> VoicePrompt:
    return VoicePrompt(name, hashlib.sha256(np.ascontiguousarray(codes, np.int64).tobytes()).hexdigest(), codes=codes)


# Recording.


def levelled(samples: np.ndarray, path: str | Path) -> np.ndarray:
    """`samples` at the loudness that PersonaPlex's voices have."""
    try:
        from pyloudnorm import Meter
    except ImportError as error:
        raise ImportError("a voice from a sound file needs pyloudnorm: pip install pyloudnorm") from error
    if len(samples) < METER_SECONDS * SAMPLE_RATE:
        raise ValueError(f"{path} has {len(samples) / SAMPLE_RATE:.2f} s of sound, a voice needs {METER_SECONDS} s or more")
    loudness = Meter(SAMPLE_RATE, block_size=METER_SECONDS).integrated_loudness(samples)
    if not np.isfinite(loudness):
        raise ValueError(f"{path} is too quiet for a voice: no {METER_SECONDS} s of it reach the -70 LUFS of a loudness meter")
    return (samples * 10.0 ** ((LOUDNESS - loudness) / 20.0)).astype(np.float32)


@torch.no_grad()
def encoded(mimi: MimiModel, samples: np.ndarray) -> np.ndarray:
    """Mimi's codes (CODEBOOKS, num_frames) of a sound, frame by frame from a fresh state, the last filled with zeros.

    Conversations that use the codec at the time do not notice: their state is put aside and comes back as it was.
    """
    frames = torch.from_numpy(np.pad(samples, (0, -len(samples) % FRAME_SAMPLES))).view(-1, 1, 1, FRAME_SAMPLES)
    device, shared = next(mimi.parameters()).device, mimi.get_streaming_state()
    mimi.set_streaming_state(dict.fromkeys(shared))
    try:
        with mimi.streaming(1), no_compile(), no_cuda_graph():
            codes = [mimi.encode(frame.to(device))[0, :CODEBOOKS, 0] for frame in frames]
    finally:
        mimi.set_streaming_state(shared)
    return torch.stack(codes, dim=1).cpu().numpy()
