"""Tiny checkpoints of Whisper: one of random weights, which writes nonsense of what it hears, and one that writes given words.

The tokenizer has the bytes, the given words and all of Whisper's own signs in their order; no words are learnt.
"""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import torch
from tokenizers import pre_tokenizers
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizerFast,
)
from transformers.models.whisper.tokenization_whisper import LANGUAGES

SIGNS: Final = ("<|endoftext|>", "<|startoftranscript|>", *(f"<|{language}|>" for language in LANGUAGES), "<|translate|>",
                "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
                *(f"<|{tick * 0.02:.2f}|>" for tick in range(1501)))
WIDTH: Final = 32  # a channel for each of the given words
BYTES: Final = sorted(pre_tokenizers.ByteLevel.alphabet())


def make(folder: Path, written: Sequence[str] = (), sureness: float = 30.0, silence: bool = False) -> Path:
    """A checkpoint that writes `written`, one token each, of any sound; one of random weights without.

    Args:
        sureness: of each token, as a logit.
        silence: it says besides that nobody speaks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pieces = [word.replace(" ", "Ġ") for word in written]
    vocabulary = dict.fromkeys([*BYTES, *pieces, *SIGNS])  # a piece may be a byte
    (folder / "vocab.json").write_text(json.dumps({piece: index for index, piece in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = WhisperTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt"), unk_token=SIGNS[0],
                                     additional_special_tokens=list(SIGNS[:-1501]))
    tokenizer.add_tokens(list(SIGNS[-1501:]))
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    ids = tokenizer.get_vocab()
    torch.manual_seed(0)
    end = ids[SIGNS[0]]
    config = WhisperConfig(vocab_size=len(tokenizer), d_model=WIDTH, encoder_layers=1, decoder_layers=1,
                           encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=8, decoder_ffn_dim=8,
                           max_target_positions=448, num_mel_bins=80, bos_token_id=end, eos_token_id=end, pad_token_id=end,
                           decoder_start_token_id=ids[SIGNS[1]], tie_word_embeddings=not written, init_std=0.5)
    model = WhisperForConditionalGeneration(config)
    if written:
        follow(model, [*(ids[piece] for piece in ("<|notimestamps|>", *pieces)), end], sureness)
        follow_too(model, ids[SIGNS[1]], ids["<|nospeech|>"], 30.0 * silence)
    model.generation_config = GenerationConfig(
        is_multilingual=True, suppress_tokens=[], begin_suppress_tokens=[], no_timestamps_token_id=ids["<|notimestamps|>"],
        lang_to_id={f"<|{language}|>": ids[f"<|{language}|>"] for language in LANGUAGES},
        task_to_id={task: ids[f"<|{task}|>"] for task in ("translate", "transcribe")},
        decoder_start_token_id=ids[SIGNS[1]], eos_token_id=end, max_length=448)
    model.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n\nRandom weights for tests.\n")
    return folder


@torch.no_grad()
def follow(model: WhisperForConditionalGeneration, line: Sequence[int], sureness: float) -> None:
    """Gives the model weights by which each token of a line is followed by the next one, whatever is heard."""
    decoder = model.model.decoder
    for weights in decoder.layers.parameters():
        weights.zero_()  # what is left is the way from a token straight to its successor
    decoder.embed_positions.weight.zero_()
    decoder.embed_tokens.weight.zero_()
    decoder.layer_norm.weight.fill_(WIDTH ** -0.5)  # of what normalising makes of a single one
    model.proj_out.weight.zero_()
    for place, (before, after) in enumerate(pairwise(line), start=1):
        decoder.embed_tokens.weight[before, place] = 1.0
        model.proj_out.weight[after, place] = sureness


@torch.no_grad()
def follow_too(model: WhisperForConditionalGeneration, before: int, after: int, sureness: float) -> None:
    model.model.decoder.embed_tokens.weight[before, 0] = 1.0
    model.proj_out.weight[after, 0] = sureness


def converted(folder: Path, out: Path) -> Path:
    """The checkpoint in `folder` as CTranslate2 reads it, written by its own converter."""
    from ctranslate2.converters import TransformersConverter
    TransformersConverter(str(folder), copy_files=["tokenizer.json", "preprocessor_config.json", "README.md"]).convert(str(out))
    return out
