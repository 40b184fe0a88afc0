"""Kyutai's `moshi.server`, unmodified, in a process of its own and on a tiny checkpoint, for tests. Nothing is downloaded.

    python tests/moshi_server.py --port 8998 …     runs it with moshi.server's own arguments

Its warm-up waits for a GPU without asking whether there is one, and so does not start without: that one wait is left out.
"""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from duplex.remote.tunnel import accepts, free_port

START_SECONDS: Final = 90.0


@dataclass(frozen=True)
class MoshiServer:
    """A running server.

    Attributes:
        log: what it prints.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def moshi_server(checkpoint: Path, folder: Path) -> Iterator[MoshiServer]:
    """`python -m moshi.server` with the model in `checkpoint`, printing into `folder`, until it takes connections."""
    from moshi.models import loaders
    port, log = free_port(), folder / "moshi_server.log"
    config = hf_config(checkpoint, folder)
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--static", "none", "--device", "cpu", "--config-path", str(config),
                 "--moshi-weight", str(checkpoint / loaders.MOSHI_NAME), "--mimi-weight", str(checkpoint / loaders.MIMI_NAME),
                 "--tokenizer", str(checkpoint / loaders.TEXT_TOKENIZER_NAME)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "NO_TORCH_COMPILE": "1", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, __file__, *arguments], stdout=out, stderr=out, env=environment)
    try:
        until = monotonic() + START_SECONDS
        while not accepts(port):
            assert process.poll() is None and monotonic() < until, log.read_text(errors="replace")[-2_000:]
            sleep(0.1)
        yield MoshiServer(f"ws://127.0.0.1:{port}", process, log)
    finally:
        process.kill()
        process.wait()


def hf_config(checkpoint: Path, folder: Path) -> Path:
    """The checkpoint's config, which names Mimi's as a file of this machine: moshi.server has no argument for it."""
    told = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    told["mimi_config_name"] = f"file://{checkpoint / told['mimi_config_name']}"
    config = folder / "config.json"
    config.write_text(json.dumps(told), encoding="utf-8")
    return config


if __name__ == "__main__":
    import torch
    if not torch.cuda.is_available():
        torch.cuda.synchronize = lambda *_: None  # type: ignore[assignment]  # see above
    runpy.run_module("moshi.server", run_name="__main__", alter_sys=True)
