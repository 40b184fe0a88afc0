"""A conversation is watched as it happens, kept whatever becomes of it, and ready to be scored."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from piped import complaint, program
from rich.console import Console
from says import Says, bursts

from duplex.agents.simple import Responder
from duplex.conversation import converse
from duplex.frame import Event, Word
from duplex.recording import load
from duplex.stages.speaking.voices import voice
from duplex.watch import BLOCKS, Watcher, block, watching


def watched(user: Says, agent: Says, seconds: float = 8.0) -> list[str]:
    """The lines that are printed where output is piped."""
    console = Console(file=io.StringIO(), width=40)
    with watching(console) as watch:
        converse(user, agent, max_seconds=seconds, watch=watch)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_an_utterance_and_a_decision_are_a_line_each_in_the_order_of_their_times() -> None:
    user = Says(bursts((1.0, 2.0)), [Word("what", 1.0, 1.4), Word("hours", 1.5, 2.0)], [Event("turn", 1.0, 2.0)])
    agent = Says(bursts((2.3, 3.0), (3.3, 4.0), (6.0, 7.0)),
                 [Word("from", 2.3, 2.8), Word("nine", 3.4, 3.8), Word("bye", 6.0, 6.5)],
                 [Event("prepare", 1.5, 1.5, {"heard": "what"}), Event("endpoint", 2.2, 2.2, {"silence": 0.2, "n": 3})])
    assert watched(user, agent) == [
        "  1.00 user   what hours", "  1.50 agent  [prepare] heard='what'", "  2.20 agent  [endpoint] silence=0.20 n=3",
        "  2.30 agent  from nine", "  6.00 agent  bye"]


def test_speech_without_words_and_acts_without_floor_are_told() -> None:
    user = Says(bursts((1.0, 2.5), (4.0, 4.3)), events=[Event("turn", 1.0, 2.5), Event("cough", 4.0, 4.3)])
    assert watched(user, Says(bursts((5.0, 5.5)))) == [
        "  1.00 user   (speech of 1.50 s)", "  4.00 user   [cough]", "  4.00 user   (speech of 0.30 s)",
        "  5.00 agent  (speech of 0.50 s)"]


def test_the_last_switch_is_measured_where_nobody_overlaps() -> None:
    watcher = Watcher()
    converse(Says(bursts((1.0, 2.0))), Responder(0.7, 1.0), max_seconds=5.0, watch=lambda *frame: watcher(*frame) and None)
    assert watcher.latency == pytest.approx(0.7, abs=1e-6)
    overlapping = Watcher()
    converse(Says(bursts((1.0, 4.0))), Says(bursts((3.0, 5.0))), max_seconds=6.0,
             watch=lambda *frame: overlapping(*frame) and None)
    assert overlapping.latency is None


def test_a_room_that_is_not_silent_is_no_speech() -> None:
    noise = 0.005 * np.random.default_rng(0).standard_normal(8 * 24_000).astype(np.float32)  # -46 dB
    noise[24_000:48_000] += bursts((0.0, 1.0))
    assert [line for line in watched(Says(noise), Says(bursts((6.0, 6.5)))) if "user" in line][-1:] == [
        "  1.00 user   (speech of 1.00 s)"]


def test_levels_are_drawn_as_blocks() -> None:
    assert [block(decibels) for decibels in (-120.0, -50.0, -49.0, -33.0, -14.0, 0.0)] == [
        " ", " ", BLOCKS[1], BLOCKS[4], BLOCKS[8], BLOCKS[8]]


def test_a_terminal_sees_lanes_words_time_and_latency() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=30)
    user = Says(bursts((1.0, 2.0)), [Word("hello", 1.0, 2.0)])
    with watching(console) as watch:
        converse(user, Says(bursts((2.5, 4.0)), [Word("hi", 2.5, 2.8)]), max_seconds=4.0, watch=watch)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    for part in ("1.00 user   hello", "2.50 agent  hi", "user  ", "▇", "4.00 s   last switch 0.50 s"):
        assert part in shown, part


def call_of_a_person(folder: Path) -> Path:
    """44.1 kHz, stereo, 24 bit, in a room that is not silent: two questions, 6 s to answer each."""
    import soxr

    said = [voice("dan").synthesise(text).samples for text in ("what are your opening hours", "where can i park")]
    call = np.concatenate([part for speech in said for part in (speech, np.zeros(6 * 24_000, np.float32))])
    sound = soxr.resample(call, 24_000, 44_100)
    room = 10 ** (-60 / 20) * np.random.default_rng(0).standard_normal(len(sound))
    soundfile.write(folder / "person.wav", np.stack([sound + room, room], axis=1), 44_100, subtype="PCM_24")
    return folder / "person.wav"


@pytest.mark.slow
def test_a_recording_of_a_person_is_answered_watched_and_scored(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    run = tmp_path / "run"
    done = program("eval.talk", "user=replay", f"user.path={call_of_a_person(tmp_path)}", f"hydra.run.dir={run}")
    assert done.returncode == 0 and done.stderr == "" and "\x1b" not in done.stdout, done.stderr
    told, _, table = done.stdout.partition("the user hung up; the recording is in")
    *lines, _ = told.splitlines()
    assert "free parking behind the store" in told and "we are open from nine a m" in told
    times = [float(line[:6]) for line in lines]
    assert times == sorted(times) and all(line[7:12] in ("user ", "agent") for line in lines)
    assert load(run / "conversations/measured/incremental/person-0").ended_by == "user"
    assert "Turns answered" in table and "100 %" in table and "1 conversations scored" in table
    assert (run / "report.html").is_file() and not pd.read_csv(run / "table.csv").empty


@pytest.mark.slow
def test_a_simulated_caller_can_be_watched_and_brings_its_prompt(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    done = program("eval.talk", "user=scenario", "user.name=order-status-shipped", f"hydra.run.dir={tmp_path}", "report=false")
    assert "has shipped it will arrive on" in done.stdout, done.stderr
    assert pd.read_csv(tmp_path / "table.csv").set_index("metric").loc["task_success", "agent"] == 1.0


@pytest.mark.slow
def test_a_talk_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "page.wav").write_text("<html>" * 100)
    wrong = {("user=replay", "user.path=gone.wav"): "there is no file gone.wav",
             ("user=replay",): "user.path is missing: give user.path=...", ("--ssh",): "--ssh wants a host",
             ("user=replay", f"user.path={tmp_path}/page.wav"): "page.wav is not a sound file",
             ("user=scenario",): "user.name is missing", ("user=scenario", "user.name=zip"): "no scenario 'zip'",
             ("user=scripted",): "user=scripted is no single caller; use user=microphone"}
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda arguments: program("eval.talk", f"hydra.run.dir={tmp_path}/run", *arguments), wrong)
        for one, message in zip(done, wrong.values(), strict=True):
            assert message in complaint(one)


@pytest.mark.slow
def test_a_talk_with_a_failing_agent_is_kept(tmp_path: Path) -> None:
    sound = call_of_a_person(tmp_path)
    done = program("eval.talk", "agent=responder", "agent._target_=failing.Fails", "user=replay", f"user.path={sound}",
                   f"hydra.run.dir={tmp_path}/run")
    assert done.returncode == 2 and done.stderr.splitlines() == ["the conversation broke off: RuntimeError: lost my voice"]
    assert load(tmp_path / "run/conversations/measured/responder/person-0").seconds == pytest.approx(3.12)
