"""What a model computed is heard when it is ready and its turn has come, to the sample; drawn in cells of 20 ms."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Event, Frame, Word, frozen
from duplex.latency import Declared, Ideal, Measured
from duplex.playout import Playout

CELLS = 4  # of a frame
LETTERS = ".abcdefghij"
CLOUD = Path(__file__).parent.parent / "configs/latency/cloud_typical.yaml"


def says(letter: str) -> Frame:
    return Frame(frozen(np.full(FRAME_SAMPLES, LETTERS.index(letter) / 100, np.float32)))


def drawn(frames: Sequence[Frame]) -> str:
    """The letter heard in each 20 ms, frames parted by a space."""
    cells = [frame.samples.reshape(CELLS, -1) for frame in frames]
    assert all((frame == frame[:, :1]).all() for frame in cells), "a letter begins within a cell"
    return " ".join("".join(LETTERS[round(float(cell[0]) * 100)] for cell in frame) for frame in cells)


def heard(costs: Sequence[float], said: str) -> str:
    playout = Playout(Measured())
    return drawn([playout.play(says(letter), cost) for letter, cost in zip(said, costs, strict=True)])


@pytest.mark.parametrize("costs, said, expected", [
    ([0.0, 0.0, 0.0], "abc", "aaaa bbbb cccc"),
    ([0.02, 0.02, 0.02], "abc", ".aaa abbb bccc"),
    ([0.08, 0.08, 0.08], "abc", ".... aaaa bbbb"),  # always just in time
    ([0.06, 0.02, 0.04], "abc", "...a aaab bbbc"),  # a faster step waits for its turn
    ([0.02, 0.06, 0.02], "abc", ".aaa a..b bbbc"),  # a slower one leaves a gap
    ([0.02, 0.20, 0.02, 0.02, 0.02], "abcde", ".aaa a... .... ..bb bbcc"),  # and those behind it wait with it
    ([0.12, 0.12, 0.12, 0.12, 0.12, 0.12], "abcdef", ".... ..aa aa.. bbbb ..cc cc.."),  # never keeps up
])
def test_a_frame_is_heard_when_it_is_ready_and_the_last_one_is_over(costs: list[float], said: str, expected: str) -> None:
    assert heard(costs, said) == expected


def test_it_is_what_the_formula_says() -> None:
    random = np.random.default_rng(0)
    for scale in (0.02, 0.07, 0.09):
        costs = scale * random.lognormal(sigma=0.7, size=300)
        playout, ready, end = Playout(Measured()), 0.0, 0.0
        for index, cost in enumerate(costs):
            playout.play(says("a"), cost)
            ready = max(ready, index * FRAME_SECONDS) + cost
            play = max(end, ready)
            end = play + FRAME_SECONDS
            assert playout.behind == pytest.approx(play - index * FRAME_SECONDS, abs=1e-9)


def test_it_is_exact_to_the_sample() -> None:
    sound = np.random.default_rng(0).uniform(-1.0, 1.0, (20, FRAME_SAMPLES)).astype(np.float32)
    playout = Playout(Measured())
    out = np.concatenate([playout.play(Frame(frozen(samples)), 0.0301234).samples for samples in sound])
    late = round(0.0301234 * SAMPLE_RATE)
    assert not out[:late].any()
    np.testing.assert_array_equal(out[late:], sound.ravel()[:-late])


def test_on_the_ideal_clock_every_frame_is_itself() -> None:
    playout = Playout(Ideal())
    for frame in [replace(says("a"), words=(Word("a", 0.0, 0.1),)), says("b")]:
        assert playout.play(frame, 0.5) is frame
    assert playout.behind == 0.0


def test_words_and_events_are_as_late_as_their_sound() -> None:
    playout = Playout(Measured())
    words, events = (Word("now", 0.0, 0.1), Word("soon", 0.07, 0.3)), (Event("text_token", 0.0, 0.0, {"token": 5}),)
    first = playout.play(replace(says("a"), words=words, events=events), 0.02)
    second = playout.play(says("b"), 0.02)
    assert first.words == (Word("now", 0.02, pytest.approx(0.12)),) and first.events[0].start == 0.02
    assert second.words == (Word("soon", pytest.approx(0.01), pytest.approx(0.24)),) and not second.events


def test_a_word_known_late_is_told_at_once_at_its_time() -> None:
    playout = Playout(Measured())
    playout.play(says("a"), 0.02)
    heard = playout.play(replace(says("b"), words=(Word("before", -0.08, 0.0),)), 0.02)
    assert heard.words == (Word("before", pytest.approx(-0.06), pytest.approx(0.02)),)


def test_a_frame_says_what_its_step_cost() -> None:
    playout = Playout(Measured())
    assert [playout.play(says("a"), cost).seconds for cost in (0.02, 0.2, 0.03)] == [0.02, 0.2, 0.03]


def test_how_far_behind_is_known_and_grows_for_who_cannot_keep_up() -> None:
    playout, behind = Playout(Measured()), []
    for _ in range(5):
        playout.play(says("a"), 0.10)
        behind.append(playout.behind)
    assert behind == pytest.approx([0.10, 0.12, 0.14, 0.16, 0.18])


def test_whoever_keeps_up_takes_no_more_memory_in_an_hour() -> None:
    playout = Playout(Measured())
    frame = replace(says("a"), words=(Word("a", 0.05, 0.1),), events=(Event("text_token"),))
    for index in range(45_000):
        playout.play(frame, (0.01, 0.07)[index % 2])
    assert playout.behind == pytest.approx(0.07)
    assert len(playout.line.sounds) + len(playout.line.words) + len(playout.line.events) < 5


def test_reset_forgets_the_delay_and_draws_by_the_seed() -> None:
    playout = Playout(Declared("cloud", {"speech_lm": {"p50": 0.03, "p95": 0.045}}))

    def delays(seed: int) -> list[float]:
        playout.reset(seed)
        found = []
        for _ in range(50):
            playout.play(says("a"), 9.0)  # what it took here is nobody's business on a declared clock
            found.append(playout.behind)
        return found

    assert delays(1) == delays(1) != delays(2)
    assert delays(1)[0] < delays(1)[-1]


def test_the_declared_cloud_knows_the_stage() -> None:
    declared = yaml.safe_load(CLOUD.read_text())
    charges = Declared(declared["name"], declared["stages"], declared["seed"])
    playout, costs = Playout(charges), []
    for _ in range(1_000):
        costs.append(playout.play(says("a"), 0.0).seconds)
    assert np.median(costs) == pytest.approx(0.030, rel=0.05)
    assert np.quantile(costs, 0.95) == pytest.approx(0.045, rel=0.05)
    assert playout.behind == pytest.approx(max(costs)) and playout.behind < FRAME_SECONDS
