"""Tiny checkpoints of Kyutai's recogniser: one of random weights, and one that writes by the clock whatever it hears."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import torch
from moshi.models.lm import LMModel
from safetensors.torch import save_file
from sentencepiece import SentencePieceProcessor
from tiny_checkpoint import (
    CODEBOOKS,
    DIM,
    MIMI_CONFIG_NAME,
    lm_config,
    make_tokenizer,
    mimi_config,
    random_lm,
    random_mimi,
)

EPAD, PAD = 0, 3
NAMES: Final = {"tokenizer_name": "tokenizer_en_fr_audio_8000.model", "mimi_name": "mimi-pytorch-e351c8d8@125.safetensors",
                "moshi_name": "model.safetensors", "mimi_config_name": MIMI_CONFIG_NAME, "model_type": "stt"}


def make(folder: Path, cycle: Sequence[str | int] = (), heads: int = 4, delay: float = 0.5, prefix: float = 0.0) -> Path:
    """A checkpoint with the files of that family.

    Args:
        cycle: pieces and special tokens that it writes one after the other, over and over; random weights without.
        heads: of pauses, as the 1B has four.
        delay: of its words, seconds.
        prefix: silence before the first sound, seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text_card = make_tokenizer(folder / NAMES["tokenizer_name"])
    config: dict[str, Any] = lm_config(text_card) | {
        "n_q": CODEBOOKS, "dep_q": 0, "delays": [0] * (CODEBOOKS + 1), "extra_heads_num_heads": heads, "extra_heads_dim": 6}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        mimi, lm = random_mimi(), random_lm(config)
    if cycle:
        pieces = SentencePieceProcessor(str(folder / NAMES["tokenizer_name"]))
        follow(lm, [piece if isinstance(piece, int) else pieces.piece_to_id(piece) for piece in cycle])
    save_file(mimi.state_dict(), folder / NAMES["mimi_name"])
    save_file(lm.state_dict(), folder / NAMES["moshi_name"])
    stt = {"audio_delay_seconds": delay, "audio_silence_prefix_seconds": prefix}
    (folder / "config.json").write_text(json.dumps(config | NAMES | {"stt_config": stt}))
    (folder / MIMI_CONFIG_NAME).write_text(json.dumps(mimi_config()))
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n\nRandom weights for tests. They say nothing.\n")
    return folder


@torch.no_grad()
def follow(lm: LMModel, cycle: Sequence[int]) -> None:
    """Gives the model weights by which each token of the cycle is followed by the next one, whatever is heard."""
    for layer in lm.transformer.layers:
        for weights in layer.parameters():
            weights.zero_()
    for table in lm.emb:
        table.weight.zero_()
    lm.text_emb.weight.zero_()
    lm.text_linear.weight.zero_()
    assert len(set(cycle)) == len(cycle) < DIM, "each token stands once"
    start = lm.text_initial_token_id
    for place, (before, after) in enumerate([(start, cycle[0]), *pairwise([*cycle, cycle[0]])]):
        lm.text_emb.weight[before, place] = 1.0
        lm.text_linear.weight[after, place] = 10.0
