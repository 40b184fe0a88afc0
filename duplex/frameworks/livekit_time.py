"""LiveKit Agents in virtual time: what it needs beyond a loop whose clock is moved.

Its messages keep the order of their times of creation, and pydantic holds the clock it was given at import; a message with the
date of today would come after all answers to it. After LiveKit's own `tests/virtual_time.py`, in other words.
"""

import sys
import time
from functools import cache
from typing import Any

from duplex.frameworks.virtual_loop import tell_virtual_time


@cache
def keep_virtual_time() -> None:
    """From now on what LiveKit Agents creates in a virtual loop has that loop's time, whenever it was imported."""
    tell_virtual_time()
    import livekit.agents  # noqa: F401  # what is imported from here on takes the clocks it finds
    for model in models():
        retime(model)


def models() -> list[Any]:  # pydantic's classes
    """All pydantic models of LiveKit Agents that were imported."""
    from pydantic import BaseModel
    return [value for name, module in list(sys.modules.items()) if name.startswith("livekit.agents")
            for value in list(vars(module).values())
            if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == name]


def retime(model: Any) -> None:
    """Has a model that asks the clock on the wall ask the one that tells virtual time."""
    held = [field for field in model.model_fields.values() if getattr(field.default_factory, "__module__", "") == "time"]
    for field in held:
        field.default_factory = time.time
    if held:
        model.model_rebuild(force=True)
