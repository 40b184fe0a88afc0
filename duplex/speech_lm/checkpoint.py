"""A checkpoint of the Moshi family: its files, found in a folder or on the Hub, and the models they make.

Whether it all fits into memory is asked in `duplex.speech_lm.memory`, between `find` and `load`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from moshi.models import loaders
from moshi.models.compression import MimiModel
from moshi.models.lm import LMModel
from sentencepiece import SentencePieceProcessor

from duplex.speech_lm import loading
from duplex.speech_lm.engine import CODEBOOKS
from duplex.speech_lm.hub import Folder, Repository, Source, licence
from duplex.speech_lm.slices import BOTH

Family: TypeAlias = Literal["moshi", "personaplex"]
REPOSITORIES: Final[dict[str, str]] = {"moshi": loaders.DEFAULT_REPO, "personaplex": "nvidia/personaplex-7b-v1"}
CONFIG, VOICES = "config.json", "voices"
NAMES: Final = {"tokenizer": ("tokenizer_name", loaders.TEXT_TOKENIZER_NAME), "mimi": ("mimi_name", loaders.MIMI_NAME),
                "mimi_config": ("mimi_config_name", None), "lora": ("lora_name", None),
                "weights": ("moshi_name", loaders.MOSHI_NAME)}  # part: (key in the config, name without one); largest last
NOT_OF_THE_LM: Final = {*(key for key, _ in NAMES.values()), "model_type", "lm_gen_config", "tts_config", "stt_config",
                        "model_id"}
LM_KEYS: Final = ("dim", "num_heads", "num_layers", "n_q", "dep_q", "card", "text_card", "delays")
MODEL_TYPES: Final = ("moshi", "personaplex")
Settings: TypeAlias = Mapping[str, Any]  # JSON: what moshi's constructors take


@dataclass(frozen=True)
class Checkpoint:
    """Where the parts of a model lie and how they are built.

    Attributes:
        weights: the language model, safetensors.
        mimi: Mimi, safetensors.
        tokenizer: of the text, sentencepiece.
        lm_config: keyword arguments of moshi's `LMModel`, as `loaders.get_moshi_lm` takes them.
        mimi_config: likewise of Mimi's parts; None for Kyutai's own.
        lora: low-rank changes to the weights.
        voices: PersonaPlex's voices.tgz, or a folder voices.
        family: whose prompt it takes.
        source: repository or folder.
        revision: the commit of the repository.
        licence: of the weights, as the model card states it.
    """

    weights: Path
    mimi: Path
    tokenizer: Path
    lm_config: Settings
    mimi_config: Settings | None
    lora: Path | None
    voices: Path | None
    family: Family
    source: str
    revision: str | None
    licence: str

    @property
    def facts(self) -> dict[str, str | int | None]:
        """What results should say about the model."""
        return {"source": self.source, "revision": self.revision, "licence": self.licence, "family": self.family,
                "weights_bytes": self.weights.stat().st_size, "lora": self.lora.name if self.lora else None}


class Model(NamedTuple):
    """Attributes:
        mimi: float32, with as many codebooks as one side has.
        lm: the language model, ready for `LMGen`.
        tokenizer: of its text.
        checkpoint: what it was loaded from.
    """

    mimi: MimiModel
    lm: LMModel
    tokenizer: SentencePieceProcessor
    checkpoint: Checkpoint


def find(family: Family, repo: str | None = None, revision: str | None = None, path: str | Path | None = None,
         weights: str | Path | None = None, mimi: str | Path | None = None, tokenizer: str | Path | None = None,
         config: str | Path | None = None, lora: str | Path | None = None) -> Checkpoint:
    """The files of a checkpoint, downloaded where they are neither local nor in the Hub's cache.

    Args:
        repo: on the Hub; None is the family's own.
        revision: branch, tag or commit of it.
        path: a folder with the files, instead of a repository.
        weights: a local file instead of the one there, as are `mimi`, `tokenizer`, `config` and `lora`.

    Raises:
        ValueError: when the config is of another kind of model.
        OSError: when a file or its source can not be had.
    """
    if family not in REPOSITORIES:
        raise ValueError(f"there is no family {family!r}; there are {', '.join(REPOSITORIES)}")
    source: Source = Folder(Path(path)) if path else Repository(repo or REPOSITORIES[family], revision)
    settings = read_config(local(config, "config") or source.file(CONFIG))
    given = {"weights": weights, "mimi": mimi, "tokenizer": tokenizer, "lora": lora}
    files = gathered(source, settings or {}, {part: local(file, part) for part, file in given.items()})
    mimi_config = read_config(files["mimi_config"])
    lm_config = checked_config(settings, family, f"{CONFIG} of {source.name}" if config is None else str(config))
    check_lora(lm_config, files["lora"])
    found = {part: file for part in ("weights", "mimi", "tokenizer") if (file := files[part]) is not None}
    return Checkpoint(**found, lm_config=lm_config, mimi_config=mimi_config, lora=files["lora"],
                      voices=voices(source) if family == "personaplex" else None, family=family, source=source.name,
                      revision=source.revision, licence=licence(source))


def local(file: str | Path | None, part: str) -> Path | None:
    """A file of one's own, if it is one."""
    if file is None:
        return None
    path = Path(file).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {file} for agent.{part}")
    return path


def read_config(path: Path | None) -> Settings | None:
    """The JSON object at `path`."""
    if path is None:
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is not a JSON object, but a {type(found).__name__}")
    return found


def gathered(source: Source, settings: Settings, given: Mapping[str, Path | None]) -> dict[str, Path | None]:
    """The files of all parts; what the config does not name and nobody gave is None."""
    names = {part: settings.get(key) or name for part, (key, name) in NAMES.items()}
    if wrong := [key for part, (key, _) in NAMES.items() if not isinstance(names[part], str | None)]:
        raise ValueError(f"{wrong[0]} in the config of {source.name} is a file name, not {settings[wrong[0]]!r}")
    files = {part: given.get(part) or (source.file(name) if name else None) for part, name in names.items()}
    lacking = [str(name) for part, name in names.items() if name and files[part] is None]
    if lacking:
        raise FileNotFoundError(f"{source.name} lacks {', '.join(lacking)}: a checkpoint has {CONFIG} (unless it is a 7B), "
                                + ", ".join(str(name) for name in names.values() if name)
                                + "; each can also be a local file, as in agent.weights=file")
    return files


def checked_config(settings: Settings | None, family: Family, where: str) -> Settings:
    """What `LMModel` takes; the 7B's where there is no config, and PersonaPlex's has no such keys."""
    lacking = [key for key in LM_KEYS if key not in (settings or {})]
    if settings is None or (family == "personaplex" and len(lacking) == len(LM_KEYS)):
        return dict(loaders._lm_kwargs)
    if lacking:
        raise ValueError(f"{where} does not describe a language model of the moshi package: it lacks {', '.join(lacking)}"
                         " (PersonaPlex's own lacks them all, and is agent=personaplex)")
    kind = settings.get("model_type", "moshi")
    if kind not in MODEL_TYPES:
        raise ValueError(f"{where} is of model_type {kind!r}, which does not converse: model_type moshi does, as in "
                         + " or ".join(REPOSITORIES.values()))
    streams = settings["n_q"], settings["dep_q"]
    if streams not in ((BOTH, CODEBOOKS), (BOTH, BOTH)):
        raise ValueError(f"{where} has n_q {streams[0]} and dep_q {streams[1]}; a model that listens while it speaks has n_q "
                         f"{BOTH} and dep_q {CODEBOOKS} (or {BOTH})")
    return {key: value for key, value in settings.items() if key not in NOT_OF_THE_LM}


def check_lora(lm_config: Settings, lora: Path | None) -> None:
    """Complains about one without the other."""
    if lora and not lm_config.get("lora"):
        raise ValueError(f"{lora} is a LoRA, but the config has no lora, lora_rank and lora_scaling: give agent.config=file, "
                         "the config.json its training wrote")
    if lm_config.get("lora") and not lora:
        raise ValueError("the config says lora, but names no lora_name: give agent.lora=file")


def voices(source: Source) -> Path | None:
    """PersonaPlex's voices, packed or not."""
    unpacked = Path(source.name).expanduser() / VOICES
    return unpacked if isinstance(source, Folder) and unpacked.is_dir() else source.file(f"{VOICES}.tgz")


def load(checkpoint: Checkpoint, device: str = "cpu", dtype: str = "bfloat16", context: int | None = None,
         score_user: bool = False) -> Model:
    """The models of `checkpoint`, after every file was found whole and fitting.

    Args:
        device: "cpu", "cuda" or "cuda:1".
        dtype: of the language model: "bfloat16", "float16", "float32", or "int8" where the checkpoint is quantised.
        context: frames that the language model looks back; None is the checkpoint's own.
        score_user: keeps the slices that predict the user, which a PersonaPlex file has.

    Raises:
        ValueError: when the machine, a setting or a file does not do; nothing stays in memory.
    """
    wants = loading.settings(checkpoint.lm_config, device, dtype, context)
    weights, lm_config = loading.prepared(checkpoint.weights, checkpoint.lm_config, context, score_user)
    tokenizer = loading.tokenizer(checkpoint.tokenizer, lm_config["text_card"])
    loading.check_mimi(checkpoint.mimi, checkpoint.mimi_config, lm_config["card"])
    loading.check_lm(weights, lm_config, checkpoint.lora)
    mimi, lm = attempted(lambda: (loading.mimi(checkpoint.mimi, checkpoint.mimi_config, wants.device),
                                  loading.lm(weights, lm_config, checkpoint.lora, wants)), wants)
    return Model(mimi, lm, tokenizer, checkpoint)


def attempted(build: Callable[[], tuple[MimiModel, LMModel]], wants: loading.Wants) -> tuple[MimiModel, LMModel]:
    """What `build` makes, or one clear line and memory as it was."""
    try:
        return build()
    except loading.FAILURES as error:
        wrong = loading.complaint(error, wants)
    loading.release()  # only here have the frames gone that held what was already loaded
    raise ValueError(wrong)
