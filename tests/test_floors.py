"""What a laptop client or a notebook imports stays light: floor 0 needs numpy alone, and pyyaml for data."""

import ast
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
FLOOR_0: Final = (
    "duplex.frame",
    "duplex.speech",
    "duplex.schedule",
    "duplex.conversation",
    "duplex.recording",
    "duplex.latency",
    "duplex.workers",
    "duplex.wav",
    "duplex.perturbations", "duplex.network", "duplex.concealment", "duplex.packet_line", "duplex.placement",
    "duplex.telephone",
    "duplex.number_words",
    "duplex.replay",
    "duplex.playout",
    "duplex.pace",
    "duplex.journal",
    "duplex.live.resampling",
    "duplex.live.devices",
    "duplex.live.calibration",
    "duplex.live.echo",
    "duplex.live.microphone",
    "duplex.wire.messages",
    "duplex.wire.ogg",
    "duplex.wire.opus",
    "duplex.remote.jitter",
    "duplex.remote.traffic",
    "duplex.remote.fragments",
    "duplex.remote.state",
    "duplex.wire.wishes",
    "duplex.server.visitor",
    "duplex.server.disk",
    "duplex.speech_lm.text",
    "duplex.agents.simple",
    "duplex.stages.language.domain",
    "duplex.stages.language.tools",
    "duplex.stages.language.understanding",
    "duplex.stages.language.role",
    "duplex.stages.language.chat",
    "duplex.stages.language.chat_model",
    "duplex.stages.language.functions",
    "duplex.stages.language.markup",
    "duplex.stages.language.speakable",
    "duplex.stages.language.openai_chat",
    "duplex.stages.language.transformers_chat",
    "duplex.stages.language.llm",
    "duplex.stages.language.manager",
    "duplex.stages.turns.endpoint",
    "duplex.stages.turns.backchannel",
    "duplex.stages.speaking.mouth",
    "eval.callers.task",
    "eval.callers.scenario",
    "eval.callers.caller",
    "eval.activity",
    "eval.timeline",
    "eval.turn_taking",
    "eval.beside",
    "eval.counterfactual",
    "eval.trust.integrity",
    "eval.trust.alignment",
    "eval.statistics.estimates",
    "eval.compat.dgslm",
    "eval.compat.eva",
    "eval.compat.full_duplex_bench",
    "eval.compat.full_duplex_bench_15",
    "eval.compat.tau_voice",
    "eval.compat.vap",
    "eval.metrics.catalogue",
)
HEAVY: Final = (
    "torch", "moshi", "transformers", "onnxruntime", "pocketsphinx", "sounddevice", "soundfile", "soxr", "livekit",
    "opuslib_next", "websockets", "aiohttp", "pandas", "pyarrow", "hydra", "omegaconf", "matplotlib", "wandb", "jinja2", "rich",
    "scipy", "openai", "httpx",
)


def heavy_imports(module: str) -> list[str]:
    """What of HEAVY a fresh interpreter has loaded after importing `module`."""
    program = f"import sys, {module}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    return done.stdout.split() if done.returncode == 0 else [done.stderr.strip().splitlines()[-1]]


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    with ThreadPoolExecutor(4) as pool:  # each interpreter is a process of its own
        return dict(zip(FLOOR_0, pool.map(heavy_imports, FLOOR_0)))


@pytest.mark.parametrize("module", FLOOR_0)
def test_floor_0_imports_nothing_heavy(loaded: dict[str, list[str]], module: str) -> None:
    assert loaded[module] == []


def test_a_heavy_import_would_be_found() -> None:
    assert "soundfile" in heavy_imports("soundfile")


def imported(path: Path) -> set[str]:
    """Top-level names of the packages that `path` imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_duplex_never_imports_eval() -> None:
    paths = sorted((ROOT / "duplex").rglob("*.py"))
    assert len(paths) > 10
    assert [path.name for path in paths if "eval" in imported(path)] == []


def test_scoring_needs_no_torch_and_no_speech_parts() -> None:
    assert not {"torch", "moshi", "transformers", "onnxruntime", "pocketsphinx"} & set(heavy_imports("eval.score"))


@pytest.mark.parametrize("package", ["duplex", "eval"])
def test_packages_are_empty_at_the_top(package: str) -> None:
    assert [str(path) for path in (ROOT / package).rglob("__init__.py") if path.stat().st_size] == []
