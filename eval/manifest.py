"""The manifest of a bench: what it compares, and whether it may go on with a run that was begun before."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from duplex.manifest import read_manifest
from eval.callers.scenario import Scenario

MAY_DIFFER: Final = ("processes", "report", "words", "recogniser", "prices")  # change nothing that is played


def suite_digest(scenarios: Sequence[Scenario]) -> str:
    """What tells a suite from one of the same name with other words."""
    return hashlib.sha256(repr(scenarios).encode()).hexdigest()[:16]


def check_resumable(run: Path, about: Mapping[str, Any]) -> None:
    """Looks whether a run that is to be made is the one that `run` holds already.

    Raises:
        ValueError: naming what differs.
    """
    if not (run / "manifest.json").is_file():
        return
    before = read_manifest(run)
    old, new = ({**given.get("config", {}), "suite_digest": given.get("suite_digest"), "agent": given.get("agent"),
                 "agent config": given.get("config", {}).get("agent"), "baseline": given.get("baseline"),
                 "baseline config": given.get("config", {}).get("baseline"),
                 "weights": given.get("weights", before.get("weights"))} for given in (before, about))
    different = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key) and key not in MAY_DIFFER)
    if different:
        raise ValueError(f"{run} holds a run that differs in {', '.join(different)}, so this one cannot go on with it; "
                         "choose another hydra.run.dir")
