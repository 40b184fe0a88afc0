"""Conversations that share a model are played beside each other in one process, and nothing of it can be heard."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from piped import ROOT, complaint, interrupted, program
from together import table

from duplex.recording import load
from duplex.stages.speaking.tts import Cached
from duplex.stages.speaking.voices import voice
from eval.callers.scenario import suite
from eval.report.page import facts
from eval.simulation import Conversation, Played, simulate

SCENARIOS = ("hours-then-parking", "price-then-payment")
SEATED = ("agent=responder", "agent._target_=together.Seated", "~clocks.measured", "~clocks.cloud_typical",
          f"scenarios.only=[{','.join(SCENARIOS)}]")


def config(*overrides: str) -> DictConfig:
    with initialize_config_dir(version_base=None, config_dir=str(ROOT / "configs")):
        return compose("bench", list(overrides))


def planned(made: DictConfig, roles: tuple[str, ...] = ("agent",), seeds: int = 2) -> list[Conversation]:
    scenarios = [one for one in suite(list(made.scenarios.files)) if one.name in SCENARIOS]
    return [Conversation(role, role, str(clock), scenario, seed)
            for seed in range(seeds) for scenario in scenarios for clock in made.clocks for role in roles]


def played(run: Path, *overrides: str, roles: tuple[str, ...] = ("agent",), seeds: int = 2) -> list[Played]:
    made = config(*SEATED, "max_seconds=8", *overrides)
    return list(simulate(made, planned(made, roles, seeds), run, 1))


def conversation_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("conversation")]


@pytest.fixture(autouse=True)
def nobody_is_left_behind() -> Iterator[None]:
    yield
    assert not conversation_threads() and not any(table(seats).seated for seats in range(1, 10))


def same_recordings(one: Path, other: Path) -> bool:
    names = [sorted(path.relative_to(run) for path in run.rglob("*") if path.name in ("audio.wav", "log.json"))
             for run in (one, other)]
    assert names[0] == names[1] and names[0]
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names[0])


def test_together_they_sound_as_they_do_one_at_a_time(tmp_path: Path) -> None:
    table.cache_clear()
    together = played(tmp_path / "together", "+agent.slots=4", "+agent.pace=0.005")
    assert table(4).most == table(4).most_served == 4, "they did sit together"
    alone = played(tmp_path / "alone", "+agent.slots=1")
    assert table(1).most == 1
    assert sorted(one.conversation.folder for one in together) == sorted(one.conversation.folder for one in alone)
    assert same_recordings(tmp_path / "together", tmp_path / "alone")
    assert not any(one.failure for one in (*together, *alone))


def test_the_recordings_say_what_the_agent_is(tmp_path: Path) -> None:
    found = played(tmp_path, "+agent.slots=2", "perturb=delay", seeds=1)
    recording = load(tmp_path / found[0].conversation.folder)
    assert recording.facts["agent"] == {"source": "tests", "licence": "CC0", "files": ["together.py"]}


def test_the_page_names_the_licence_of_the_weights() -> None:
    weights = {"agent": {"source": "hub/m", "licence": "CC-BY 4.0"}, "baseline": {"licence": "MIT"}}
    assert facts({"agent": "m", "baseline": "n", "weights": weights}) == [
        ("weights of m", "source hub/m, licence CC-BY 4.0"), ("weights of n", "licence MIT")]


def test_a_failing_conversation_frees_the_others(tmp_path: Path) -> None:
    found = played(tmp_path, "+agent.slots=4", "+agent.fails=true")
    assert sorted((one.conversation.seed, one.failure) for one in found if one.failure) == [
        (0, "RuntimeError: lost my voice")] * 2
    assert {one.seconds for one in found if one.conversation.seed == 0} == {39 * 0.08}
    assert {one.seconds for one in found if one.conversation.seed == 1} == {8.0}


def test_all_clocks_and_both_roles_together_never_take_more_than_the_slots(tmp_path: Path) -> None:
    table.cache_clear()
    found = played(tmp_path, "+latency@clocks.again=ideal", "+agent.slots=3", "+agent.seats=3", "+agent.pace=0.01",
                   "agent@baseline=responder", "baseline._target_=together.Seated", "+baseline.slots=5", "+baseline.seats=3",
                   "+baseline.pace=0.01", "max_seconds=1", roles=("agent", "baseline"))
    assert len(found) == 16 and not any(one.failure for one in found)
    assert table(3).most == 3


def test_what_was_played_is_not_played_again(tmp_path: Path) -> None:
    first = played(tmp_path, "+agent.slots=3", "max_seconds=2")
    (tmp_path / first[0].conversation.folder / "log.json").unlink()
    assert sorted(one.resumed for one in played(tmp_path, "+agent.slots=3", "max_seconds=2")) == [False, True, True, True]


def test_another_config_in_the_same_process_is_another_agent(tmp_path: Path) -> None:
    played(tmp_path / "one", "+agent.slots=2", "max_seconds=4", seeds=1)
    played(tmp_path / "other", "+agent.slots=2", "max_seconds=4", "agent.delay=0.9", seeds=1)
    assert not same_recordings(tmp_path / "one", tmp_path / "other")


@pytest.mark.parametrize("overrides", [
    ["+agent.slots=4"],
    ["+agent.slots=4", "+agent.seats=2", "+agent.waits=true"],  # two always wait for a seat
])
def test_when_the_run_stops_everybody_goes_at_once(overrides: list[str], tmp_path: Path) -> None:
    made = config(*SEATED, "+agent.pace=0.02", *overrides)
    table(made.agent.get("seats", made.agent.slots)).most = 0
    told: list[float] = []

    def press() -> None:
        told.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(1.0, press).start()
    with pytest.raises(KeyboardInterrupt):
        list(simulate(made, planned(made, seeds=5), tmp_path, 1))
    assert time.monotonic() - told[0] < 2.0 and not conversation_threads()
    assert table(made.agent.get("seats", made.agent.slots)).most > 1
    assert not list(tmp_path.rglob("log.json")), "nobody was cut off and kept as if that were all"


def test_whoever_reads_no_further_stops_the_run(tmp_path: Path) -> None:
    made = config(*SEATED, "+agent.slots=2", "+agent.pace=0.002", "max_seconds=3")
    running = simulate(made, planned(made, seeds=5), tmp_path, 1)
    next(running)
    running.close()  # type: ignore[attr-defined]  # a generator
    assert not conversation_threads() and len(list(tmp_path.rglob("log.json"))) <= 4


def test_what_cannot_be_saved_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "conversations").write_text("in the way")
    with pytest.raises(OSError, match="cannot save the recording"):
        played(tmp_path, "+agent.slots=2", "max_seconds=1")


def test_callers_speak_the_same_in_any_thread(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    texts = ("what are your opening hours", "where can i park", "how much is an eye test")
    lines = [(name, text) for name in ("carl", "eve") for text in texts] * 4

    def said(line: tuple[str, str], folder: Path) -> list[float]:
        name, text = line
        speaker = voice(name)
        assert isinstance(speaker, Cached)
        return Cached(speaker.tts, folder).synthesise(text).samples.tolist()

    alone = [said(line, tmp_path / "alone") for line in lines]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(said, lines, [tmp_path / "together"] * len(lines))) == alone


@pytest.mark.slow
def test_threads_of_this_process_sound_as_processes_of_their_own(tmp_path: Path) -> None:
    played(tmp_path / "here", "+agent.slots=4", "+agent.fails=true")
    played(tmp_path / "elsewhere", "+agent.seats=1", "+agent.fails=true")
    assert same_recordings(tmp_path / "here", tmp_path / "elsewhere")


@pytest.mark.slow
def test_a_shared_model_against_an_agent_in_processes_of_its_own(tmp_path: Path) -> None:
    def bench(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return program("eval.bench", f"hydra.run.dir={tmp_path / name}", *SEATED, "agent@baseline=never_answers", "seeds=[0,1]",
                       "+agent.fails=true", "processes=2", *arguments)

    done = bench("run", "+agent.slots=4")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "responder: 4 conversations, 2 failed; never_answers: 4 conversations, 0 failed" in done.stdout
    about = json.loads((tmp_path / "run/manifest.json").read_text())
    assert about["weights"] == {"agent": {"source": "tests", "licence": "CC0", "files": ["together.py"]}}
    page = (tmp_path / "run/report.html").read_text()
    assert "<dt>weights of responder</dt><dd>source tests, licence CC0, files together.py</dd>" in page
    again = bench("run", "+agent.slots=4", "report=false")
    assert "8 conversations (8 of them were there already)" in again.stdout, again.stderr
    about["weights"]["agent"]["source"] = "elsewhere"
    (tmp_path / "run/manifest.json").write_text(json.dumps(about))
    assert "differs in weights, so" in complaint(bench("run", "+agent.slots=4"))


@pytest.mark.slow
def test_a_talk_with_a_shared_model_leaves_it_and_says_what_it_is(tmp_path: Path) -> None:
    done = program("eval.talk", "agent=responder", "agent._target_=together.Seated", "user=scenario",
                   f"user.name={SCENARIOS[0]}", f"hydra.run.dir={tmp_path}")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    licences = [json.loads(path.read_text())[part]["agent"]["licence"] for path, part in (
        (tmp_path / "manifest.json", "weights"), (next(tmp_path.rglob("log.json")), "facts"))]
    assert licences == ["CC0", "CC0"]


@pytest.mark.slow
def test_ctrl_c_stops_threads_and_processes(tmp_path: Path) -> None:
    err = interrupted(tmp_path, "conversations/*/responder'/*/log.json",
                      *SEATED[:-1], "+agent.slots=8", "+agent.pace=0.01", "agent@baseline=responder",
                      "baseline._target_=failing.Slow", "scenarios=smooth")
    assert "conversations are kept" in err
