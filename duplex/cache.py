"""Where things lie that can be made again: rendered speech, language models.

Nothing here decides what is kept or for how long; deleting any of these folders costs only time.
"""

import os
from pathlib import Path


def cache_folder(kind: str) -> Path:
    """Folder for one kind of made thing, e.g. "speech": `$DUPLEX_CACHE/kind` or `~/.cache/duplex-harness/kind`.

    The variable is read at each call, so that a test can point it elsewhere. The folder exists on return.
    """
    root = os.environ.get("DUPLEX_CACHE")
    folder = (Path(root) if root else Path.home() / ".cache" / "duplex-harness") / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder
