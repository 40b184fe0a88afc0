"""The programs as a script runs them: in a process of their own, their output piped."""

import os
import signal
import subprocess
import sys
import time
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


def interrupted(folder: Path, played: str, *arguments: str) -> str:
    """What a bench says on stderr that gets Ctrl-C, in all its processes, when a log matches `played`; it stops in 5 s."""
    process = subprocess.Popen(
        [sys.executable, "-m", "eval.bench", *arguments, f"hydra.run.dir={folder}"], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)])})
    patience = time.monotonic() + 60
    while not list(folder.glob(played)) and time.monotonic() < patience:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    began = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert time.monotonic() - began < 5.0
    assert len(err.splitlines()) == 1, err
    return err
