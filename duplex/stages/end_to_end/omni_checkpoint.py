"""What a Qwen-Omni checkpoint is: which architecture, whose voices, how it wants to be talked to.

Nothing is loaded here but its config.
"""

import json
from math import prod
from typing import Any, Final

from transformers import Qwen2_5OmniForConditionalGeneration, Qwen3OmniMoeForConditionalGeneration

from duplex.speech_lm.hub import Source

NEWER: Final = "qwen3_omni_moe"  # as `model_type` in a checkpoint's config.json
MODELS: Final = {"qwen2_5_omni": Qwen2_5OmniForConditionalGeneration, NEWER: Qwen3OmniMoeForConditionalGeneration}


def kind_of(source: Source) -> str:
    """Which architecture a checkpoint has.

    Raises:
        ValueError: none of these, or one that does not speak.
    """
    found = source.file("config.json")
    if found is None:
        raise ValueError(f"{source.name!r} is no Qwen-Omni: there is no config.json in it")
    config = json.loads(found.read_text(encoding="utf-8"))
    if config.get("model_type") not in MODELS:
        raise ValueError(f"{source.name!r} is a model of type {config.get('model_type')!r}; this is for {' and '.join(MODELS)}")
    if not config.get("enable_audio_output", True):
        raise ValueError(f"{source.name!r} writes and does not speak: its config has enable_audio_output false; take one with a "
                         "talker")
    return str(config["model_type"])


def check_speaker(model: Any, speaker: str, name: str) -> None:
    known = getattr(model, "speaker_map", None) or model.config.talker_config.speaker_id or {}
    if speaker not in known and speaker.lower() not in known:
        raise ValueError(f"{name!r} has no speaker {speaker!r}, only {', '.join(sorted(known)) or 'none'}")


def template_of(source: Source) -> str:
    """The chat template that lies beside the tokenizer, as processors keep theirs."""
    found = source.file("chat_template.json")
    if found is None:
        raise ValueError(f"{source.name!r} has no chat template, neither of the tokenizer nor in chat_template.json")
    return str(json.loads(found.read_text(encoding="utf-8"))["chat_template"])


def code_samples(config: Any) -> int:
    """Samples of sound that one code of the talker stands for."""
    if config.model_type == NEWER:
        return prod((*config.code2wav_config.upsample_rates, *config.code2wav_config.upsampling_ratios))
    decoder = config.token2wav_config
    return int(decoder.dit_config.repeats) * prod(decoder.bigvgan_config.upsample_rates)
