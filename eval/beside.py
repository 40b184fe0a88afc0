"""What was made of a recording once and is kept beside it: a transcript, a second opinion.

It is found again only for the sound that it was made of, by whom it was made. Nothing here makes anything.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from duplex.recording import read_log


def found(path: Path, by: Mapping[str, Any] | None = None) -> Mapping[str, Any] | None:
    """What `keep` wrote there; None if nobody did, was stopped while writing, or did so of another sound or by another.

    Args:
        by: who makes it: name, version, settings; None for whoever it was.
    """
    if not path.is_file():
        return None
    try:
        made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError:  # its writer was stopped
        return None
    is_of_this = made.get("sound") == sound(path.parent) and (by is None or made.get("by") == by)
    return made if is_of_this else None


def keep(path: Path, by: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    """Writes what was made of the recording in the folder of `path`."""
    path.write_text(json.dumps({"by": by, "sound": sound(path.parent), **made}) + "\n", encoding="utf-8")


def sound(folder: Path) -> dict[str, Any]:
    """What tells the sound of a recording from another; `duplex.recording.load` sees to it that it is true."""
    log = read_log(folder)
    return {"seconds": log["seconds"], "crc32": log.get("crc32")}
