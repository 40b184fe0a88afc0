"""What was said to a data set, in the folders of Full-Duplex-Bench: aligned to the sample, whole, and nothing lost unsaid."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import full_duplex_bench_items as made
import numpy as np
import pytest
import soundfile
from piped import complaint, program
from rich.console import Console

from duplex.agents.simple import Echo, NeverAnswers, Responder
from duplex.conversation import ConversationFailed, Participant, converse
from duplex.frame import Frame, Word
from duplex.manifest import manifest, write_manifest
from duplex.recording import load, save
from eval.compat.full_duplex_bench_cast import FullDuplexBench
from eval.export import Settings, export


class Speaker(Responder):
    """A responder who knows its words: one every 0.4 s of the conversation."""

    def reset(self, *begun: Any) -> None:
        super().reset(*begun)
        self.frame = -1

    def step(self, heard: Frame) -> Frame:
        self.frame += 1
        said = super().step(heard)
        return Frame(said.samples, (Word(f"w{self.frame // 5}", 0.0, 0.4),)) if self.frame % 5 == 0 else said


def run_of(data: Path, agent: Participant, run: Path) -> Path:
    """A run with a data set, as a bench leaves it."""
    cast = FullDuplexBench(str(data))
    for scenario in cast.scenarios:
        caller = cast.caller(scenario, 0)
        try:
            recording = converse(caller, agent, facts=caller.facts)
        except ConversationFailed as failed:
            recording = failed.recording
        save(recording, run / "conversations/ideal/agent" / f"{scenario.name}-0")
    user = {"_target_": "eval.compat.full_duplex_bench_cast.FullDuplexBench", "path": str(data)}
    write_manifest(manifest({"agent": "agent", "baseline": None, "clocks": ["ideal"], "seeds": [0],
                             "suite_digest": cast.digest(), "config": {"user": user}}), run)
    return run


def exported(run: Path, to: Path, **changed: Any) -> tuple[bool, str]:
    """Whether everything was there, and what was said."""
    console = Console(width=200, file=StringIO())
    done = export(Settings(**{"run": str(run), "to": str(to), "data": None, "system": None, "clock": None, "seed": None,
                              "rate": None, **changed}), console)
    return done, console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO


def test_an_echo_lags_by_exactly_its_delay(tmp_path: Path) -> None:
    """The loop adds no offset: 0.24 s at 24 kHz are 5,760 samples."""
    made.turn_taking(tmp_path / "data/1")
    assert exported(run_of(tmp_path / "data", Echo(0.24), tmp_path / "run"), tmp_path / "to")[0]
    given, rate = soundfile.read(tmp_path / "data/1/input.wav", dtype="int16")
    said, said_rate = soundfile.read(tmp_path / "to/1/output.wav", dtype="int16")
    assert rate == said_rate and len(said) == len(given)
    np.testing.assert_allclose(said[5_760:], given[:-5_760], atol=1)
    assert not said[:5_760].any()


@pytest.mark.parametrize(("given", "rate", "wanted"), [
    (16_000, None, 16_000), (24_000, 16_000, 16_000), (48_000, 24_000, 24_000)])
def test_an_echo_lags_by_its_delay_at_any_rate(tmp_path: Path, given: int, rate: int | None, wanted: int) -> None:
    made.turn_taking(tmp_path / "data/1", rate=given)
    exported(run_of(tmp_path / "data", Echo(0.24), tmp_path / "run"), tmp_path / "to", rate=rate)
    said, said_rate = soundfile.read(tmp_path / "to/1/output.wav")
    heard, _ = soundfile.read(tmp_path / "data/1/input.wav")
    assert said_rate == wanted and len(said) == round(len(heard) * wanted / given)
    step = given // np.gcd(given, wanted), wanted // np.gcd(given, wanted)  # every so many samples fall together
    lag = round(0.24 * wanted)
    of_input, of_output = heard[:len(heard) - round(0.24 * given)], said[lag:]
    likeness = [float(np.dot(of_input[::step[0]][100:-100], np.roll(of_output, shift)[::step[1]][100:-100]))
                for shift in range(-3, 4)]
    assert np.argmax(likeness) == 3  # not a sample earlier or later


def test_an_output_is_as_long_as_its_input_to_the_sample(tmp_path: Path) -> None:
    made.turn_taking(tmp_path / "data/1")
    samples, rate = soundfile.read(tmp_path / "data/1/input.wav")
    soundfile.write(tmp_path / "data/1/input.wav", samples[:-1_234], rate)  # ends within a frame
    exported(run_of(tmp_path / "data", Responder(), tmp_path / "run"), tmp_path / "to")
    assert soundfile.info(tmp_path / "to/1/output.wav").frames == len(samples) - 1_234
    said, _ = soundfile.read(tmp_path / "to/1/output.wav", dtype="int16")
    np.testing.assert_array_equal(
        said, np.rint(load(tmp_path / "run/conversations/ideal/agent/1-0").audio[1] * 32_767)[:len(said)])


def test_the_inputs_lie_beside_what_was_said(tmp_path: Path) -> None:
    made.interruption(tmp_path / "data/interruptions/1")
    made.backchannel(tmp_path / "data/listening/7")
    made.overlap(tmp_path / "data/user_backchannel/2")
    (tmp_path / "data/listening/7/output.json").write_text('{"of": "another model"}')
    done, text = exported(run_of(tmp_path / "data", Responder(0.2), tmp_path / "run"), tmp_path / "to")
    found = sorted(path.relative_to(tmp_path / "to").as_posix() for path in (tmp_path / "to").rglob("*.*"))
    assert found == [
        "interruptions/1/input.wav", "interruptions/1/interrupt.json", "interruptions/1/output.wav",
        "listening/7/input.wav", "listening/7/output.wav", "listening/7/transcription.json",
        "listening/icc_gt_distribution.json",
        *(f"user_backchannel/2/{name}" for name in (
            "clean_input.wav", "clean_output.wav", "input.wav", "metadata.json", "output.wav"))]
    assert done and "4 of 4 items of agent on ideal, seed 0" in text
    assert "4 without words, which only a recogniser can tell: interruptions-1, listening-7, " in text


def test_words_are_written_as_its_recogniser_writes_them(tmp_path: Path) -> None:
    made.turn_taking(tmp_path / "data/1")
    exported(run_of(tmp_path / "data", Speaker(), tmp_path / "run"), tmp_path / "to")
    written = json.loads((tmp_path / "to/1/output.json").read_text())
    assert written["chunks"][:2] == [{"text": "w0", "timestamp": [0.0, 0.4]}, {"text": "w1", "timestamp": [0.4, 0.8]}]
    assert written["text"].split() == [f"w{index}" for index in range(25)]


def test_after_an_interruption_only_what_is_heard_from_its_end_on_is_written(tmp_path: Path) -> None:
    """5.63 s lies within the word from 5.6 to 6.0 s."""
    made.interruption(tmp_path / "data/1")
    exported(run_of(tmp_path / "data", Speaker(), tmp_path / "run"), tmp_path / "to")
    assert json.loads((tmp_path / "to/1/output.json").read_text())["chunks"][0] == {"text": "w14", "timestamp": [5.63, 6.0]}


def test_silence_is_a_text_without_words(tmp_path: Path) -> None:
    made.turn_taking(tmp_path / "data/1")
    exported(run_of(tmp_path / "data", NeverAnswers(), tmp_path / "run"), tmp_path / "to")
    assert json.loads((tmp_path / "to/1/output.json").read_text()) == {"text": "", "chunks": []}


def test_known_words_of_the_user_are_written_for_version_1_5(tmp_path: Path) -> None:
    item = made.overlap(tmp_path / "data/user_backchannel/1")
    made.annotated(item, "transcription.json", [{"text": "hours", "timestamp": [0.5, 1.5]}])
    made.annotated(item, "clean_input.json", {"text": "hours", "chunks": [{"text": "hours", "timestamp": [0.5, 1.4]}]})
    exported(run_of(tmp_path / "data", Speaker(), tmp_path / "run"), tmp_path / "to")
    texts = {name: json.loads((tmp_path / "to/user_backchannel/1" / name).read_text())
             for name in ("input.json", "clean_input.json", "output.json", "clean_output.json")}
    assert texts["input.json"] == {"text": "hours", "chunks": [{"text": "hours", "timestamp": [0.5, 1.5]}]}
    assert texts["clean_input.json"]["chunks"][0]["timestamp"] == [0.5, 1.4]
    assert texts["output.json"]["text"] == texts["clean_output.json"]["text"] != ""


def test_what_is_missing_is_named_and_counted(tmp_path: Path) -> None:
    for name in "1234":
        made.turn_taking(tmp_path / "data" / name)
    (tmp_path / "data/3/turn_taking.json").write_text("[")
    run = run_of(tmp_path / "data", Responder(), tmp_path / "run")
    (run / "conversations/ideal/agent/1-0/log.json").unlink()
    other = load(run / "conversations/ideal/agent/2-0")
    other.audio[0, 100] += 0.5
    save(other, run / "conversations/ideal/agent/2-0")
    done, text = exported(run, tmp_path / "to")
    assert not done
    assert [line.partition(": ")[0] for line in text.splitlines() if line.startswith("missing")] == [
        "missing 1", "missing 2", "missing 3"]
    assert "no recording in " in text and "did not say " in text and "turn_taking.json is not JSON" in text
    assert "1 of 4 items of agent" in text
    assert not list(tmp_path.glob("to/[123]/output*")) and (tmp_path / "to/4/output.wav").is_file()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    made.turn_taking(tmp_path / "data/1")
    run = run_of(tmp_path / "data", Responder(), tmp_path / "run")
    exported(run, tmp_path / "to")
    with pytest.raises(ValueError, match="is already there, and nothing is overwritten"):
        exported(run, tmp_path / "to")
    with pytest.raises(ValueError, match="is already there"):
        exported(run, tmp_path / "data")


def test_another_data_set_is_refused(tmp_path: Path) -> None:
    made.turn_taking(tmp_path / "data/1")
    run = run_of(tmp_path / "data", Responder(), tmp_path / "run")
    made.annotated(tmp_path / "data/1", "turn_taking.json", [{"timestamp": [4.4, 4.9]}])
    with pytest.raises(ValueError, match="is not what .*run was made from"):
        exported(run, tmp_path / "to")
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize(("setting", "said"), [
    ({"system": "zip"}, "the run has no system 'zip'; there is agent"),
    ({"clock": "real"}, "the run has no clock 'real'; there is ideal"), ({"seed": 3}, "the run has no seed 3; there is 0"),
    ({"rate": 0}, "rate is in Hz")])
def test_what_the_run_lacks_is_named(tmp_path: Path, setting: dict[str, Any], said: str) -> None:
    made.turn_taking(tmp_path / "data/1")
    with pytest.raises(ValueError, match=said):
        exported(run_of(tmp_path / "data", NeverAnswers(), tmp_path / "run"), tmp_path / "to", **setting)


@pytest.mark.slow
def test_the_program_ends_with_1_where_something_is_missing(tmp_path: Path) -> None:
    for name in "12":
        made.turn_taking(tmp_path / "data" / name)
    run = run_of(tmp_path / "data", Responder(), tmp_path / "run")
    assert program("eval.export", f"run={run}", f"to={tmp_path}/whole").returncode == 0
    assert soundfile.info(tmp_path / "whole/1/output.wav").samplerate == 16_000
    assert "nothing is overwritten" in complaint(program("eval.export", f"run={run}", f"to={tmp_path}/whole"))
    (run / "conversations/ideal/agent/2-0/log.json").unlink()
    done = program("eval.export", f"run={run}", f"to={tmp_path}/part")
    assert done.returncode == 1 and "missing 2: " in done.stdout and "1 of 2 items" in done.stdout
