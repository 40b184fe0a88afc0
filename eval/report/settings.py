"""In what two systems differ by their configuration, before anybody asks what they did with it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from eval.report.numbers import in_words
from eval.report.pictures import systems

CLASS: Final = "_target_"
ABSENT: Final = ""
MOST_CHARACTERS: Final = 90  # of a value; prompts and lists of words are not read in a table


class Setting(NamedTuple):
    """A setting, its path with dots, and its value for each system; "" where a system has no such setting."""

    name: str
    values: tuple[str, ...]


def differences(manifest: Mapping[str, Any]) -> list[Setting]:
    """The settings that are not the same for the systems of a run, by their names; none for one alone."""
    configs = [dict(flat(manifest.get("config", {}).get(role, {}))) for role, _ in systems(manifest)]
    names = sorted(frozenset().union(*configs))
    found = [Setting(name, tuple(config.get(name, ABSENT) for config in configs)) for name in names]
    return [setting for setting in found if len(set(setting.values)) > 1]


def flat(config: object, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, value in words) of each setting; a class goes by its name, as what stands at its path."""
    if not isinstance(config, Mapping):
        words = in_words(config) if config is not None else "none"
        yield path, words if len(words) <= MOST_CHARACTERS else f"{words[:MOST_CHARACTERS]}\u2026"
        return
    for name, value in config.items():
        if name == CLASS:
            yield path or "agent", str(value).rpartition(".")[2]
        else:
            yield from flat(value, f"{path}.{name}" if path else str(name))
