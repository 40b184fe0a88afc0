"""A call that was recorded is a scenario for other agents: its user says the same, at the same times, to the sample."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from piped import complaint, program
from says import Says, bursts

from duplex.agents.simple import Responder
from duplex.conversation import Prompt, converse
from duplex.frame import Event
from duplex.recording import USER, load, save
from eval.callers.recorded import Recorded, cast_of, named

CALL = Prompt("You sell glasses.", {"orders": {"one two": {"status": "shipped"}}})


def call(folder: Path, scenario: str = "call") -> Path:
    user = Says(bursts((0.5, 1.5), (4.0, 4.6)), events=[Event("turn", 0.5, 1.5)])
    save(converse(user, Responder(), prompt=CALL, max_seconds=7.0, facts={"scenario": scenario, "category": "live"}), folder)
    return folder


def test_every_recording_of_a_run_is_a_scenario(tmp_path: Path) -> None:
    for name in ("b-0", "a-0"):
        call(tmp_path / "conversations/live/echo" / name)
    cast = Recorded(str(tmp_path))
    assert [scenario.name for scenario in cast.scenarios] == ["a-0", "b-0"]
    caller = cast.caller(cast.scenarios[0], 3)
    assert caller.prompt == CALL and caller.facts["category"] == "live"


def test_the_user_says_the_same_to_another_agent(tmp_path: Path) -> None:
    cast = Recorded(str(call(tmp_path / "call")), tail=1.0)
    caller = cast.caller(cast.scenarios[0], 0)
    before, after = load(tmp_path / "call"), converse(caller, Responder(delay=1.0), max_seconds=20.0)
    np.testing.assert_array_equal(after.audio[USER][:before.audio.shape[1]], before.audio[USER])
    assert after.events[USER] == before.events[USER]


def test_recordings_of_the_same_name_are_told_apart_by_where_they_lie() -> None:
    assert list(named([Path("x/live/call-0"), Path("x/ideal/call-0")])) == ["live-call-0", "ideal-call-0"]
    assert list(named([Path("me.wav")])) == ["me"]


def test_other_sound_is_another_suite(tmp_path: Path) -> None:
    one, other = (Recorded(str(call(tmp_path / name, name))) for name in ("one", "other"))
    assert one.digest() == other.digest()
    recording = load(tmp_path / "other")
    recording.audio[USER, 30_000] += 0.5
    save(recording, tmp_path / "other")
    assert one.digest() != other.digest()


def test_who_is_no_cast_is_told_what_would_be_one() -> None:
    with pytest.raises(ValueError, match="a bench takes user=scripted, or user=replay"):
        cast_of(OmegaConf.create({"_target_": "duplex.agents.simple.Echo"}))


@pytest.mark.slow
def test_a_bench_plays_recordings_to_two_agents(tmp_path: Path) -> None:
    call(tmp_path / "calls/one")
    done = program("eval.bench", "agent=responder", "agent.delay=0.4", "agent@baseline=responder", "baseline.delay=0.9",
                   "user=replay", f"user.path={tmp_path}/calls", "~clocks.cloud_typical", "~clocks.measured",
                   f"hydra.run.dir={tmp_path}/run", "report=false")
    assert done.returncode == 0, done.stderr
    row = pd.read_csv(tmp_path / "run/table.csv").set_index("metric").loc["switch_latency"]
    assert (row["agent"], row["baseline"]) == (pytest.approx(0.4, abs=0.011), pytest.approx(0.9, abs=0.011))
    gone = program("eval.bench", "user=replay", f"user.path={tmp_path}/gone", f"hydra.run.dir={tmp_path}/never")
    assert "there is no file" in complaint(gone)
