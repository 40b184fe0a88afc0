"""A CSM small enough for a test: random weights of the real architecture, and tokenizer files made here."""

from pathlib import Path
from typing import Final

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CsmConfig,
    CsmDepthDecoderConfig,
    CsmForConditionalGeneration,
    MimiConfig,
    PreTrainedTokenizerFast,
)

CODEBOOKS: Final = 8
SIZE: Final = 64  # of a codebook
BEGIN, END, AUDIO, AUDIO_END = "<|begin_of_text|>", "<|end_of_text|>", "<|AUDIO|>", "<|audio_eos|>"
PEAK: Final = 0.3  # of the sound it makes


def make(folder: Path, seed: int = 0, longest: int = 2048) -> Path:
    """Writes a checkpoint as `CsmForConditionalGeneration` reads it."""
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    model = CsmForConditionalGeneration(config(tokenizer, longest)).eval()
    for parameter in model.depth_decoder.codebooks_head.parameters():
        torch.nn.init.normal_(parameter)  # the library leaves it as it finds the memory
    louder(model)
    model.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n\nRandom weights.\n", encoding="utf-8")
    return folder


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Letters, and the marks that CSM's template has."""
    made = Tokenizer(models.BPE({letter: index for index, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token=BEGIN, eos_token=END, pad_token="<|pad|>",
                                   additional_special_tokens=[AUDIO, AUDIO_END])


def config(tokenizer: PreTrainedTokenizerFast, longest: int) -> CsmConfig:
    codec = MimiConfig(
        hidden_size=32, num_filters=8, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, head_dim=16,
        intermediate_size=64, codebook_size=SIZE, codebook_dim=16, vector_quantization_hidden_dimension=16,
        num_quantizers=CODEBOOKS, upsample_groups=32, sliding_window=16)
    depth = CsmDepthDecoderConfig(
        num_codebooks=CODEBOOKS, backbone_hidden_size=64, vocab_size=SIZE + 3, hidden_size=32, intermediate_size=64,
        num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, head_dim=16)
    return CsmConfig(
        num_codebooks=CODEBOOKS, vocab_size=SIZE + 3, text_vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4, head_dim=16, max_position_embeddings=longest,
        codec_config=codec.to_dict(), depth_decoder_config=depth.to_dict(), audio_token_id=tokenizer.convert_tokens_to_ids(AUDIO),
        audio_eos_token_id=tokenizer.convert_tokens_to_ids(AUDIO_END), bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id, codebook_pad_token_id=SIZE + 2, codebook_eos_token_id=0)


@torch.no_grad()
def louder(model: CsmForConditionalGeneration) -> None:
    """Codebooks that tell sounds apart, and sound that can be heard."""
    codec = model.codec_model
    for quantizer in (codec.quantizer.semantic_residual_vector_quantizer, codec.quantizer.acoustic_residual_vector_quantizer):
        for layer in quantizer.layers:
            layer.codebook.embed_sum.normal_()
            layer.codebook.cluster_usage.fill_(1.0)
    sound = codec.decode(torch.randint(0, SIZE, (1, CODEBOOKS, 60))).audio_values
    for parameter in codec.decoder.layers[-1].parameters():
        parameter.mul_(PEAK / sound.abs().max())
