"""A tiny checkpoint of Kyutai's synthesiser: random weights of the real architecture, which asks for its words at random."""

import json
from pathlib import Path
from typing import Any, Final

import torch
from moshi.models import loaders
from safetensors.torch import save_file
from tiny_checkpoint import CODEBOOKS, DIM, MIMI_CONFIG_NAME, lm_config, make_tokenizer, mimi_config, random_mimi

NAMES: Final = {
    "tokenizer_name": "tokenizer_spm_8k_en_fr_audio.model", "mimi_name": "tokenizer-e351c8d8-checkpoint125.safetensors",
    "moshi_name": "dsm_tts.safetensors", "mimi_config_name": MIMI_CONFIG_NAME, "model_type": "tts"}
DELAY: Final = 4  # frames of the sound behind the text; 16 in the released model
VOICE_DIM: Final = 8
VOICE_SUFFIX: Final = ".test@1.safetensors"


def make(folder: Path, voices: bool = True) -> Path:
    """Writes it, with a voice anna; without `voices` a model that takes none."""
    folder.mkdir(parents=True, exist_ok=True)
    text_card = make_tokenizer(folder / NAMES["tokenizer_name"])
    conditioners: dict[str, Any] = {
        name: {"type": "lut", "lut": {"n_bins": 7, "dim": 8, "tokenizer": "noop", "possible_values": values}}
        for name, values in (("control", ["ok", "also_ok"]), ("cfg", ["1.0", "1.5", "2.0"]))}
    if voices:
        conditioners["speaker_wavs"] = {"type": "tensor", "tensor": {"dim": VOICE_DIM}}
    config: dict[str, Any] = lm_config(text_card) | {
        "n_q": CODEBOOKS, "dep_q": CODEBOOKS, "delays": [0, 0, *[2] * (CODEBOOKS - 1)], "conditioners": conditioners,
        "fuser": {"sum": ["control", "cfg"], "cross": ["speaker_wavs"] if voices else [], "prepend": [],
                  "cross_attention_pos_emb": False, "cross_attention_pos_emb_scale": 1.0},
        "cross_attention": voices, "demux_second_stream": True, "existing_text_padding_id": 3}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        mimi = random_mimi()
        lm = loaders.get_moshi_lm(None, lm_kwargs=json.loads(json.dumps(config)), dtype=torch.float32)
        for parameter in lm.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=DIM ** -0.5)
        save_file({"speaker_wavs": torch.randn(1, VOICE_DIM, 12)}, folder / f"anna{VOICE_SUFFIX}")
    save_file(mimi.state_dict(), folder / NAMES["mimi_name"])
    save_file(lm.state_dict(), folder / NAMES["moshi_name"])
    tts = {"audio_delay": DELAY / 12.5, "second_stream_ahead": 2}
    (folder / "config.json").write_text(json.dumps(config | NAMES | {"tts_config": tts, "model_id": {"sig": "test", "epoch": 1}}))
    (folder / MIMI_CONFIG_NAME).write_text(json.dumps(mimi_config()))
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n\nRandom weights for tests. They say nothing.\n")
    return folder
