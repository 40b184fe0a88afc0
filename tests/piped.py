"""The programs as a script runs them: in a process of their own, their output piped."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent


def program(name: str, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT,
            before: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `python -m name` with output piped."""
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-m", name, *arguments], capture_output=True, text=True, cwd=cwd, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": path, **(env or {})}, preexec_fn=before)


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a program that could not do what it was asked."""
    assert done.returncode == 2, done.stderr + done.stdout
    assert len(done.stderr.splitlines()) == 1 and done.stdout == "", done.stderr + done.stdout
    return done.stderr.strip()
