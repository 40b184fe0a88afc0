"""An agent that plays a script says each line at its moment, or leaves it out where the user is silent."""

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from says import Says, bursts, segments

from duplex.agents.scripted import Line, Scripted
from duplex.build import built
from duplex.conversation import converse
from duplex.frame import Event, Word
from duplex.manifest import CHECKOUT
from duplex.recording import AGENT, Recording


def call(*lines: Line, hang_up: float | None = None, user: tuple[float, float] = (1.0, 1.5)) -> Recording:
    return converse(Says(bursts(user)), Scripted(lines, hang_up), max_seconds=4.0)


def test_a_line_sounds_where_it_says_to_the_sample() -> None:
    recording = call(Line(0.7775, [(0.0, 0.5), (0.8, 1.2345)]))
    assert segments(recording.audio[AGENT]) == [(0.7775, 1.2775), (1.5775, 2.012)]


def test_a_line_brings_its_words_and_events() -> None:
    recording = call(Line(0.7, [(0.1, 0.5)], [Word("hello", 0.1, 0.5)], [Event("endpoint", 0.05, 0.05)]))
    assert recording.words[AGENT] == (Word("hello", 0.8, 1.2),)
    assert [(event.kind, event.start) for event in recording.events[AGENT]] == [("endpoint", 0.75)]


def test_a_line_takes_the_place_of_the_one_before() -> None:
    recording = call(Line(0.5, [(0.0, 3.0)], [Word("one", 0.0, 0.4), Word("two", 1.0, 1.4)]), Line(1.25, [(0.5, 1.0)]))
    assert segments(recording.audio[AGENT]) == [(0.5, 1.25), (1.75, 2.25)]
    assert [word.text for word in recording.words[AGENT]] == ["one"]


def test_a_line_without_sound_is_silence() -> None:
    assert segments(call(Line(0.5, [(0.0, 3.0)]), Line(1.31)).audio[AGENT]) == [(0.5, 1.31)]


@pytest.mark.parametrize(("if_heard", "is_said"), [(0.99, False), (1.0, True), (1.49, True), (1.5, False)])
def test_a_line_may_depend_on_whether_the_user_is_heard(if_heard: float, is_said: bool) -> None:
    assert call(Line(2.0, [(0.0, 1.0)], if_heard=if_heard)).audio[AGENT].any() == is_said


def test_what_is_heard_is_known_in_the_next_frame() -> None:
    assert call(Line(1.04, [(0.0, 1.0)], if_heard=1.03)).audio[AGENT].any()
    with pytest.raises(ValueError, match="a line at 1.03 s cannot depend on what is heard at 1.0 s"):
        Line(1.03, [(0.0, 1.0)], if_heard=1.0)


def test_it_hangs_up_with_the_first_frame_from_then_on() -> None:
    recording = call(Line(0.5, [(0.0, 3.0)]), hang_up=1.0)
    assert recording.ended_by == "agent" and recording.seconds == pytest.approx(1.04)


def test_a_script_may_stand_in_a_config() -> None:
    with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
        agent = built(compose("bench", ["agent=scripted"]).agent)
    recording = converse(Says(bursts((0.0, 0.5))), agent, max_seconds=4.0)
    assert segments(recording.audio[AGENT]) == [(1.0, 3.0)]
    assert np.abs(recording.audio[AGENT]).max() < 1.0
