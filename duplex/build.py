"""From config to objects: Hydra's `instantiate`, after a look at what the constructors take.

A wrong name or type is told before anything is made, with the place in the config, instead of a minute into a run.
"""

import inspect
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig

PLAIN: Final = (bool, int, float, str, Path, NoneType)


def built(config: DictConfig) -> Any:  # whatever `_target_` makes
    """What `config` describes.

    Raises:
        ValueError: naming the key that its `_target_` does not take, or whose value is of another type; or saying how
            a config is chosen, where a name stands in its place.
    """
    if not isinstance(config, DictConfig):
        raise ValueError(f"{config!r} stands where settings belong; a config is chosen by group@place=name, as in "
                         "agent@baseline=cascade")
    check(config, str(config._get_full_key(None)))
    return instantiate(config)


def check(config: DictConfig, where: str) -> None:
    """Compares the keys and plain values of `config`, and of all below, with what its `_target_` takes."""
    takes = parameters(config["_target_"]) if "_target_" in config else None
    for key, value in config.items():
        name = str(key)
        full_key = f"{where}.{name}"
        if takes is not None and not name.startswith("_"):
            if name not in takes:
                raise ValueError(f"there is no setting {full_key}: {config['_target_']} takes {', '.join(takes)}")
            check_type(value, takes[name].annotation, full_key)
        if isinstance(value, DictConfig):
            check(value, full_key)


def parameters(target: str) -> dict[str, inspect.Parameter] | None:
    """By name; None where anything goes."""
    found = dict(inspect.signature(get_object(target)).parameters)
    return None if any(one.kind is one.VAR_KEYWORD for one in found.values()) else found


def check_type(value: object, annotation: object, full_key: str) -> None:
    """Complains about a plain value where the annotation allows only other plain values, or a part with its own settings."""
    allowed = members(annotation)
    if isinstance(value, str) and isinstance(annotation, type) and annotation not in (*PLAIN, inspect.Parameter.empty):
        raise ValueError(f"{full_key} is a part with settings of its own, not {value!r}; a config is chosen by "
                         f"group@place=name, as in tts@agent.tts=espeak")
    if not all(one in PLAIN or get_origin(one) is Literal for one in allowed) or not isinstance(value, PLAIN):
        return
    choices = [choice for one in allowed if get_origin(one) is Literal for choice in get_args(one)]
    fits = type(value) in allowed or value in choices or (
        isinstance(value, int) and not isinstance(value, bool) and float in allowed) or (
        isinstance(value, str) and Path in allowed)
    if not fits:
        wanted = [repr(choice) for choice in choices] + [NAMES[one] for one in allowed if one in NAMES]
        raise ValueError(f"{full_key} is {' or '.join(wanted)}, not {value!r}")


NAMES: Final[dict[object, str]] = {
    bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path", NoneType: "null"}


def members(annotation: object) -> tuple[object, ...]:
    """The types that an annotation joins by |."""
    if get_origin(annotation) in (Union, UnionType):
        return get_args(annotation)
    return (NoneType,) if annotation is None else (annotation,)
