"""Tiny Qwen-Omni checkpoints of random weights, both architectures, with the files that the true loading path reads."""

import json
from pathlib import Path
from typing import Final, Literal

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5OmniConfig,
    Qwen2_5OmniForConditionalGeneration,
    Qwen3OmniMoeConfig,
    Qwen3OmniMoeForConditionalGeneration,
    WhisperFeatureExtractor,
)

Kind = Literal["qwen2_5_omni", "qwen3_omni_moe"]
BYTES: Final = sorted(pre_tokenizers.ByteLevel.alphabet())
SPECIAL: Final = ("<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>", "<|IMAGE|>", "<|VIDEO|>",
                  "<|tts_bos|>", "<|tts_eos|>", "<|tts_pad|>", "<|vision_bos|>", "<|vision_eos|>")
ROLES: Final = ("system", "user", "assistant")  # each a token, as Qwen3-Omni looks for them
TEMPLATE: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
TOKENS: Final = {name: len(BYTES) + index for index, name in enumerate((*SPECIAL, *ROLES))}
NUM_TOKENS: Final = len(BYTES) + len(TOKENS)
MELS: Final = 16
LARGER: Final = 6.0  # times as they are initialised: so few and so small, they would hear no difference and say nothing audible
SPEAKER: Final = {"qwen2_5_omni": "Chelsie", "qwen3_omni_moe": "Ethan"}


def make(kind: Kind, folder: Path, template_beside: bool = False) -> Path:
    """A checkpoint of the architecture; its chat template lies in the tokenizer, or beside it as a processor's."""
    made = Tokenizer(models.BPE({letter: index for index, letter in enumerate(BYTES)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_tokens([AddedToken(name, normalized=False, special=name in SPECIAL) for name in TOKENS])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|im_end|>",
                                        clean_up_tokenization_spaces=False)
    if template_beside:
        (folder / "chat_template.json").write_text(json.dumps({"chat_template": TEMPLATE}), encoding="utf-8")
    else:
        tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=MELS, chunk_length=300).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n", encoding="utf-8")
    torch.manual_seed(0)
    if kind == "qwen2_5_omni":
        model = Qwen2_5OmniForConditionalGeneration(older())
        voice = {"bos_token": TOKENS["<|tts_bos|>"], "cond": torch.randn(1, 8), "ref_mel": torch.randn(1, 20, 8)}
        torch.save({SPEAKER[kind]: voice}, folder / "spk_dict.pt")
    else:
        model = Qwen3OmniMoeForConditionalGeneration(newer())
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim > 1:
                weights.mul_(LARGER)
    model.save_pretrained(folder)
    return folder


def older() -> Qwen2_5OmniConfig:
    text = {"vocab_size": NUM_TOKENS, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 2,
            "rope_scaling": {"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"}}
    audio = {"num_mel_bins": MELS, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 16, "d_model": 16,
             "output_dim": 32}
    vision = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32,
              "fullatt_block_indexes": [0]}
    marks = {"audio_token_index": TOKENS["<|AUDIO|>"], "image_token_index": TOKENS["<|IMAGE|>"],
             "video_token_index": TOKENS["<|VIDEO|>"], "audio_start_token_id": TOKENS["<|audio_bos|>"],
             "audio_end_token_id": TOKENS["<|audio_eos|>"], "vision_start_token_id": TOKENS["<|vision_bos|>"],
             "vision_end_token_id": TOKENS["<|vision_eos|>"]}
    talker = {**marks, "vocab_size": 72, "embedding_size": 32, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
              "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "tts_codec_pad_token_id": 64,
              "tts_codec_start_token_id": 65, "tts_codec_end_token_id": 66, "tts_codec_mask_token_id": 67,
              "tts_text_start_token_id": TOKENS["<|tts_bos|>"], "tts_text_end_token_id": TOKENS["<|tts_eos|>"],
              "tts_text_pad_token_id": TOKENS["<|tts_pad|>"],
              "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"}}
    flow = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "emb_dim": 8, "head_dim": 8, "mel_dim": 8,
            "num_embeds": 72, "look_ahead_layers": [0], "look_backward_layers": [0], "enc_emb_dim": 8, "enc_dim": 8,
            "enc_channels": [8, 8, 8, 8, 24], "enc_attention_channels": 4, "enc_se_channels": 4}
    thinker = {"text_config": text, "audio_config": audio, "vision_config": vision, "user_token_id": TOKENS["user"], **marks}
    wave = {"dit_config": flow, "bigvgan_config": {"mel_dim": 8, "upsample_initial_channel": 64}}
    return Qwen2_5OmniConfig(thinker_config=thinker, talker_config=talker, token2wav_config=wave)


def newer() -> Qwen3OmniMoeConfig:
    rope = {"mrope_section": [2, 3, 3], "rope_type": "default", "interleaved": True}
    text = {"vocab_size": NUM_TOKENS, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 2, "rope_scaling": rope, "num_experts": 4, "num_experts_per_tok": 2,
            "moe_intermediate_size": 16, "head_dim": 16}
    audio = {"num_mel_bins": MELS, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 16, "d_model": 16,
             "output_dim": 32, "downsample_hidden_size": 8, "n_window": 50}
    vision = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32,
              "deepstack_visual_indexes": [0], "num_position_embeddings": 16}
    marks = {"audio_token_id": TOKENS["<|AUDIO|>"], "image_token_id": TOKENS["<|IMAGE|>"], "video_token_id": TOKENS["<|VIDEO|>"],
             "audio_start_token_id": TOKENS["<|audio_bos|>"], "vision_start_token_id": TOKENS["<|vision_bos|>"]}
    speech = {"vocab_size": 1200, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
              "num_key_value_heads": 2, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "head_dim": 8,
              "shared_expert_intermediate_size": 16,
              "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "interleaved": True}}
    finer = {"vocab_size": 176, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
             "num_key_value_heads": 2, "head_dim": 8, "num_code_groups": 4}
    talker = {**marks, "text_config": speech, "code_predictor_config": finer, "num_code_groups": 4,
              "thinker_hidden_size": 32, "accept_hidden_layer": 1, "codec_pad_id": 180, "codec_bos_id": 181,
              "codec_eos_token_id": 182,
              "codec_nothink_id": 183, "codec_think_bos_id": 184, "codec_think_eos_id": 185, "speaker_id": {"ethan": 190},
              "spatial_merge_size": 2}
    wave = {"codebook_size": 176, "hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 16,
            "num_hidden_layers": 1, "num_quantizers": 4, "decoder_dim": 32}
    thinker = {"text_config": text, "audio_config": audio, "vision_config": vision, "user_token_id": TOKENS["user"], **marks}
    return Qwen3OmniMoeConfig(
        thinker_config=thinker, talker_config=talker, code2wav_config=wave, im_start_token_id=TOKENS["<|im_start|>"],
        im_end_token_id=TOKENS["<|im_end|>"],
        tts_pad_token_id=TOKENS["<|tts_pad|>"], tts_bos_token_id=TOKENS["<|tts_bos|>"], tts_eos_token_id=TOKENS["<|tts_eos|>"],
        system_token_id=TOKENS["system"], user_token_id=TOKENS["user"], assistant_token_id=TOKENS["assistant"])
