"""The program at a (virtual) sound card: a person talks, hangs up with Ctrl-C, and gets the table of the call."""

import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sound_card
import soxr
from piped import complaint, program
from serving import serving

from duplex.frame import SAMPLE_RATE
from duplex.recording import load
from duplex.stages.speaking.voices import voice

pytestmark = [pytest.mark.slow, pytest.mark.alone,
              pytest.mark.skipif(sound_card.missing() is not None, reason=str(sound_card.missing()))]


def question() -> np.ndarray:
    """(num_samples,) float32 at the card's rate: a greeting's worth of quiet, a question, and time for the answer."""
    said = voice("dan").synthesise("what are your opening hours").samples
    return soxr.resample(np.concatenate([np.zeros(SAMPLE_RATE), said, np.zeros(5 * SAMPLE_RATE)]).astype(np.float32),
                         SAMPLE_RATE, sound_card.CARD_RATE)


def talked(card: sound_card.SoundCard, run: Path, *overrides: str) -> tuple[str, str, int]:
    """What a call says that is hung up after the question; stdout, stderr and exit code."""
    call = card.start("-m", "eval.talk", "user.check=false", f"hydra.run.dir={run}", *overrides)
    try:
        sound_card.until(lambda: any(sound.stat().st_size > 10_000 for sound in run.rglob("audio.wav")), "somebody speaks")
        card.play(question())
        call.send_signal(signal.SIGINT)
        out, err = call.communicate(timeout=60)
    finally:
        call.kill()
    return out, err, call.returncode


def test_a_person_talks_to_the_embedded_agent_and_gets_a_table(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    with sound_card.sound_card() as card:
        out, err, code = talked(card, tmp_path)
    assert code == 0, out + err
    assert "we are open from nine a m" in out and "the user hung up; the recording is in" in out
    assert "Turns answered" in out and "at the sound card every latency is" in out
    [folder] = tmp_path.glob("conversations/live/incremental/*")
    kept = load(folder)
    tally = kept.facts["tally"]["user"]
    assert kept.ended_by == "user" and 0.05 < tally["device_seconds"] < 1.0
    assert kept.clock.shape == (2, len(kept.step_seconds)) and np.isfinite(kept.clock[0]).all()
    np.testing.assert_allclose(np.polyfit(np.arange(kept.clock.shape[1]), kept.clock[0], 1)[0], 0.08, rtol=0.02)
    table = pd.read_csv(tmp_path / "table.csv").set_index("metric")
    assert table.loc["response_rate", "agent"] == 1.0 and 0.0 < table.loc["switch_latency", "agent"] < 3.0


def test_a_person_talks_to_an_agent_elsewhere(tmp_path: Path) -> None:
    with serving(tmp_path / "there", "agent=responder") as it, sound_card.sound_card() as card:
        out, err, code = talked(card, tmp_path / "here", "agent=remote", f"agent.url=ws://{it.host_port}")
        assert code == 0, out + err
        assert sound_card.until(lambda: bool(list(it.folder.glob("*/log.json"))), "the server's own is whole") is None
    assert "Turns answered" in out and "the line:" in out
    [here], [there] = (list(path.glob("**/log.json")) for path in (tmp_path / "here", it.folder))
    for kept in (load(here.parent), load(there.parent)):
        assert kept.ended_by == "user" and np.abs(kept.audio[1]).max() > 0.01  # it answered


def test_a_call_whose_process_is_killed_is_scored_all_the_same(tmp_path: Path) -> None:
    with sound_card.sound_card() as card:
        call = card.start("-m", "eval.talk", "agent=echo", "user.check=false", f"hydra.run.dir={tmp_path}")
        sound_card.until(lambda: any(sound.stat().st_size > 10_000 for sound in tmp_path.rglob("audio.wav")), "somebody speaks")
        began = time.monotonic()
        card.play(question())
        call.kill()
        lasted = time.monotonic() - began
        call.communicate()
    scored = program("eval.score", f"run={tmp_path}", "report=false")
    assert scored.returncode == 0 and "1 conversations scored" in scored.stdout, scored.stderr
    [log] = tmp_path.rglob("log.json")
    assert load(log.parent).seconds > lasted - 0.3 and load(log.parent).ended_by == "failure"


def test_devices_are_listed_and_a_wrong_one_is_one_line(tmp_path: Path) -> None:
    with sound_card.sound_card() as card:
        listed = card.run("-m", "eval.talk", "--list-devices")
        assert listed.returncode == 0 and "pulse" in listed.stdout and "24000" in listed.stdout, listed.stderr
        wrong = card.run("-m", "eval.talk", "user.input=loudhailer", f"hydra.run.dir={tmp_path}")
        assert "there is no input device 'loudhailer'; there are" in complaint(wrong)


def test_the_sound_cards_delay_is_measured_by_chirps(tmp_path: Path) -> None:
    with sound_card.sound_card() as card, card.looped_back():
        done = card.run("-m", "eval.talk", "--calibrate", f"hydra.run.dir={tmp_path}")
    assert done.returncode == 0 and "5 of 5 chirps were heard: the device's delay is" in done.stdout, done.stderr


@pytest.mark.skipif(any(Path("/proc/asound").glob("card*")), reason="this machine has a sound card")
def test_without_a_sound_card_it_says_so(tmp_path: Path) -> None:
    nowhere = {"HOME": str(tmp_path), "PULSE_SERVER": "unix:/nowhere"}
    said = complaint(program("eval.talk", f"hydra.run.dir={tmp_path}", env=nowhere))
    assert "no sound card" in said and "user=replay user.path=" in said
