"""A laptop needs no torch: what talks, scores and reads results is installed alone, and talks to a server elsewhere."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

from piped import ROOT  # noqa: E402
from serving import serving  # noqa: E402
from test_floors import heavy_imports  # noqa: E402

UV = Path(sys.executable).parent / "uv"
HEAVY = ("torch", "torchaudio", "moshi", "transformers", "livekit", "aiohttp", "onnxruntime", "pocketsphinx")
MOST_MEGABYTES = 450  # of which pandas and pyarrow, which read results, are two thirds


@pytest.mark.parametrize("module", ["eval.talk", "duplex.live.microphone", "duplex.agents.remote", "duplex.doctor"])
def test_a_laptops_programs_import_nothing_heavy(module: str) -> None:
    assert not {"torch", "moshi", "transformers", "onnxruntime", "pocketsphinx"} & set(heavy_imports(module))


@pytest.mark.slow
@pytest.mark.skipif(not UV.exists(), reason="uv is not installed beside python; the Makefile installs it")
def test_the_laptops_install_is_light_and_talks_to_a_server(tmp_path: Path) -> None:
    here = tmp_path / "laptop"
    python = here / "bin/python"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, here], check=True)
    subprocess.run([UV, "pip", "install", "--quiet", "--link-mode=copy", "--python", python, "-e", f"{ROOT}[live]"], check=True)
    look = f"from importlib.util import find_spec; print([name for name in {HEAVY} if find_spec(name)])"
    found = subprocess.run([python, "-c", look], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert found == "[]\n"
    size = sum(file.stat().st_size for file in here.rglob("*") if file.is_file()) / 1e6
    print(f"{size:.0f} MB")
    assert size < MOST_MEGABYTES
    with serving(tmp_path / "kept", "agent=responder") as it:
        done = subprocess.run(
            [python, "-m", "eval.talk", "agent=remote", f"agent.url=ws://{it.host_port}", "agent.mode=lockstep", "user=replay",
             f"user.path={speech(tmp_path)}", f"hydra.run.dir={tmp_path}/run", "report=false"],
            capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Turns answered" in done.stdout and "100 %" in done.stdout, done.stdout


def speech(folder: Path) -> Path:
    import soundfile
    from says import bursts
    soundfile.write(folder / "call.wav", bursts((0.5, 1.5), (5.0, 6.0)), 24_000)
    return folder / "call.wav"
