"""From files to models on a device: what is checked before, and the loading itself.

Which files these are was settled in `duplex.speech_lm.checkpoint`.
"""

import gc
from collections.abc import Mapping
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from moshi.models import loaders
from moshi.models.compression import MimiModel
from moshi.models.lm import LMModel
from moshi.modules.lora import replace_all_linear_with_lora
from safetensors import SafetensorError, safe_open
from sentencepiece import SentencePieceProcessor

from duplex.speech_lm.engine import CODEBOOKS
from duplex.speech_lm.slices import BOTH, eight_slices, num_slices
from duplex.speech_lm.weights import Shape, check_fit, contents, current, empty_lm, empty_mimi, shapes_of

INT8: Final = "int8"
DTYPES: Final = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32,
                 INT8: torch.bfloat16}  # of what is not quantised
LORA_RANK: Final = 128  # what the package takes where the config has none
FAILURES: Final = (torch.OutOfMemoryError, RuntimeError, SafetensorError, OSError, MemoryError)


class Wants(NamedTuple):
    """Attributes:
        device: where the models go.
        dtype: of the language model.
        quantised: whether its linear layers are int8.
    """

    device: torch.device
    dtype: torch.dtype
    quantised: bool


def settings(lm_config: Mapping[str, Any], device: str, dtype: str, context: int | None) -> Wants:  # Any: JSON
    """Device and dtype, if this machine and this checkpoint have them.

    Raises:
        ValueError: saying what would do.
    """
    if dtype not in DTYPES:
        raise ValueError(f"there is no dtype {dtype!r}; there are {', '.join(DTYPES)}")
    if context is not None and (isinstance(context, bool) or context < 1):
        raise ValueError(f"context is a number of frames from 1 on, not {context!r}")
    try:
        target = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"there is no device {device!r}; there are cpu, cuda and, of several, cuda:1") from error
    if target.type == "cuda" and (target.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device {device} is not there: torch sees {torch.cuda.device_count()} CUDA devices; "
                         "device=cpu works everywhere, slowly")
    quantised = bool(lm_config.get("quantize"))
    if quantised and dtype != INT8:
        raise ValueError(f"these weights are quantised: give dtype={INT8}, not {dtype}")
    if dtype == INT8:
        check_int8(quantised, target)
    return Wants(target, DTYPES[dtype], quantised)


def check_int8(quantised: bool, device: torch.device) -> None:
    if not quantised:
        raise ValueError(f"dtype={INT8} is for a checkpoint whose config has quantize true, as kyutai/moshiko-pytorch-q8; "
                         "these weights load as bfloat16, float16 or float32")
    if device.type != "cuda":
        raise ValueError(f"dtype={INT8} needs device=cuda, not {device}")
    if find_spec("bitsandbytes") is None:
        raise ValueError(f"dtype={INT8} needs bitsandbytes: pip install bitsandbytes")


def prepared(weights: Path, lm_config: Mapping[str, Any], context: int | None,
             score_user: bool) -> tuple[Path, dict[str, Any]]:  # Any: JSON
    """The file to load and the config that describes it: the depformer's slices for both sides, or the agent's alone."""
    both = num_slices(contents(weights).tensors) == BOTH
    if score_user and not both:
        raise ValueError(f"score_user needs the {BOTH} depformer slices that PersonaPlex's file has; {weights} has "
                         f"{num_slices(contents(weights).tensors)}")
    config = deepcopy(dict(lm_config)) | {"dep_q": BOTH if score_user else CODEBOOKS}
    if context is not None:
        config["context"] = context
    return eight_slices(weights) if both and not score_user else weights, config


def tokenizer(path: Path, text_card: int) -> SentencePieceProcessor:
    """The text tokenizer, if it is one and has a piece for every token of the model."""
    try:
        found = SentencePieceProcessor(str(path))
    except (RuntimeError, OSError) as error:
        raise ValueError(f"{path} is no sentencepiece model; give the .model file that came with the weights") from error
    if found.vocab_size() != text_card:
        raise ValueError(f"{path} has {found.vocab_size()} pieces, but the language model has {text_card} text tokens: it is "
                         "the tokenizer of another model")
    return found


def check_mimi(path: Path, config: Mapping[str, Any] | None, card: int) -> None:  # Any: JSON
    """Complains where the file is not whole, not Mimi, or speaks other codes than the language model."""
    tensors = contents(path).tensors
    empty = empty_mimi(config, 1)
    if empty.total_codebooks < CODEBOOKS:
        raise ValueError(f"Mimi has {empty.total_codebooks} codebooks; the language model needs {CODEBOOKS}")
    if empty.cardinality != card:
        raise ValueError(f"Mimi's codebooks have {empty.cardinality} entries, the language model's card is {card}: they are "
                         "not of one checkpoint")
    wanted = shapes_of(empty)
    check_fit(path, current(tensors, wanted), wanted, "the Mimi config" if config else "Kyutai's Mimi")


def check_lm(path: Path, config: Mapping[str, Any], lora: Path | None) -> None:  # Any: JSON
    """Complains where the weights, or the low-rank changes to them, are not those the config describes."""
    empty = empty_lm(config)
    wanted = shapes_of(empty)
    check_fit(path, current(contents(path).tensors, wanted), wanted, "the config")
    if lora is None:
        return
    if config.get("quantize"):
        raise ValueError(f"{lora} can not be joined with quantised weights; take the weights it was trained on")
    replace_all_linear_with_lora(empty, config.get("lora_rank", LORA_RANK), 1.0, device="meta")
    changes: dict[str, Shape] = {name: shape for name, shape in shapes_of(empty).items() if ".lora_" in name}
    check_fit(lora, current(contents(lora).tensors, changes), changes, "the config's lora_rank")


def mimi(path: Path, config: Mapping[str, Any] | None, device: torch.device) -> MimiModel:  # Any: JSON
    """Mimi in float32, as both vendors run it."""
    made: MimiModel = loaders.get_mimi(path, None if config is None else dict(config), device, CODEBOOKS)
    made.float().eval().requires_grad_(False)
    return made


def lm(path: Path, config: Mapping[str, Any], lora: Path | None, wants: Wants) -> LMModel:  # Any: JSON
    """The language model, its low-rank changes added to the weights."""
    made: LMModel = loaders.get_moshi_lm(path, lm_kwargs=dict(config), device=wants.device, dtype=wants.dtype,
                                         lora_weights=lora, fuse_lora=True)
    if wants.quantised:
        restore_scales(made, path)
    made.dep_q = CODEBOOKS  # LMGen predicts the agent's side; slices for the user's wait for who asks
    made.eval().requires_grad_(False)
    return made


def restore_scales(model: LMModel, path: Path) -> None:
    """Puts back in float32 the scales of the int8 weights, which the loader casts and bitsandbytes does not take otherwise."""
    device = str(model.device)
    with safe_open(path, framework="pt", device=device) as file:
        scales = {name: file.get_tensor(name).float() for name in file.keys() if name.endswith("_scb")}  # noqa: SIM118
    model.load_state_dict(scales, strict=False, assign=True)


def complaint(error: BaseException, wants: Wants) -> str:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return (f"the model does not fit into the memory of {wants.device}: take fewer slots, a shorter context, another "
                "dtype, or end what else runs there")
    return f"the weights could not be loaded onto {wants.device}: {error}"


def release() -> None:
    """Gives back what a failed load held."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
