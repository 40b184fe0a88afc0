"""The files of Kyutai's synthesiser: its checkpoint, and its voices, which lie in a repository of their own.

How it speaks is `duplex.stages.speaking.kyutai_tts`'s business.
"""

import json
from pathlib import Path
from typing import Any, Final

from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from moshi.models.loaders import CheckpointInfo
from moshi.models.tts import TTSModel
from requests.exceptions import RequestException

from duplex.speech_lm.hub import Source

MODEL_TYPE: Final = "tts"
FILES: Final = ("moshi_name", "mimi_name", "tokenizer_name")  # of config.json


def checkpoint(source: Source) -> CheckpointInfo:
    """The files of a synthesiser.

    Raises:
        ValueError: it is something else, or a file is missing.
    """
    config = source.file("config.json")
    if config is None:
        raise ValueError(f"{source.name} has no config.json; a synthesiser has one of model_type {MODEL_TYPE}, as "
                         "kyutai/tts-1.6b-en_fr")
    settings = json.loads(config.read_text(encoding="utf-8"))
    if settings.get("model_type") != MODEL_TYPE or "audio_delay" not in settings.get("tts_config", {}):
        raise ValueError(f"{source.name} is of model_type {settings.get('model_type')}, not {MODEL_TYPE}: it is no synthesiser, "
                         "as kyutai/tts-1.6b-en_fr is")
    found = [source.file(str(settings.get(key))) for key in FILES]
    if lacking := [str(settings.get(key)) for key, file in zip(FILES, found) if file is None]:
        raise ValueError(f"{source.name} has no {', '.join(lacking)}, which its config.json names")
    mimi_config = source.file(str(settings["mimi_config_name"])) if "mimi_config_name" in settings else None
    weights, mimi, tokenizer = found
    return CheckpointInfo.from_hf_repo(source.name, weights, mimi, tokenizer, config, mimi_config)


def conditions(model: TTSModel, voice: str | None, cfg_coef: float) -> Any:  # moshi's own mapping
    """What the model is told of its voice, for all that it says; None where it can be told nothing."""
    if voice is not None and not model.multi_speaker:
        raise ValueError("this model takes no embedding of a voice: give voice=null, or a model that does, as "
                         "kyutai/tts-1.6b-en_fr")
    if model.lm.condition_provider is None:
        return None
    levels = sorted(model.valid_cfg_conditionings)
    if levels and cfg_coef not in levels:
        raise ValueError(f"cfg_coef is one of {', '.join(map(str, levels))} for this model, not {cfg_coef}")
    voices = [] if voice is None else [embedding(voice, model)]
    attributes = model.make_condition_attributes(voices, cfg_coef if levels else None)
    return model.lm.condition_provider.prepare_and_provide([attributes])


def embedding(voice: str, model: TTSModel) -> Path:
    """The file of a voice."""
    if voice.endswith(".safetensors"):
        if not Path(voice).expanduser().is_file():
            raise ValueError(f"there is no file {voice}; a voice is a .safetensors file, or a name in "
                             f"{model.voice_repo}")
        return Path(voice).expanduser()
    try:
        return model.get_voice_path(voice)
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, RequestException, OSError) as error:
        raise OSError(f"the voice {voice} of {model.voice_repo} can not be had ({type(error).__name__}): go online, or "
                      "give voice=the path of its .safetensors file") from error
