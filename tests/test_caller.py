"""The simulated caller speaks on cue, to the frame, says when it spoke, and answers as a person would."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from says import Says, bursts, segments

from duplex.agents.simple import NeverAnswers, NeverYields, Responder
from duplex.conversation import Participant, converse
from duplex.frame import FRAME_SECONDS, SAMPLE_RATE, Event, Word
from duplex.recording import AGENT, USER, Recording
from duplex.speech import Speech, audible
from duplex.stages.speaking.voices import VOICES, voice
from eval.callers.asides import SIDE_TALK_GAIN
from eval.callers.caller import JITTER, MAX_REPEATS, PATIENCE, TAIL, Caller, rendered
from eval.callers.cast import Cast, check_voice
from eval.callers.scenario import Line, Response, Scenario, drawn, suite

ACTS = ("turn", "interruption", "correction", "backchannel", "cough", "noise", "side_talk", "background_talk")


class Beeps:
    """A voice of exactly known times: 0.2 s a word at `level`, with 0.05 s of silence before and behind."""

    def __init__(self, level: float = 0.1):
        self.level = level

    def synthesise(self, text: str) -> Speech:
        words = text.split()
        end = 0.05 + 0.2 * len(words)
        tone = np.abs(bursts((0.05, end), level=self.level))
        tone[np.arange(len(tone)) % 48 >= 24] *= -1.0  # 500 Hz, which a room lets through
        samples = np.concatenate([tone, np.zeros(1_200, np.float32)])
        return Speech(samples, tuple(Word(word, 0.05 + 0.2 * index, 0.25 + 0.2 * index) for index, word in enumerate(words)))


def call(lines: Sequence[Line], *responses: Response, name: str = "call") -> Scenario:
    return Scenario(name, "smooth", "optician", tuple(lines), responses)


def played(lines: Sequence[Line], agent: Participant, *responses: Response, seed: int = 0, seconds: float = 60.0) -> Recording:
    return converse(Caller(call(lines, *responses), Beeps(), Beeps(0.2)), agent, seed=seed, max_seconds=seconds)


def said(recording: Recording) -> list[tuple[str, str]]:
    return [(event.kind, str(event.detail.get("text"))) for event in recording.events[USER]]


def acts(recording: Recording) -> list[Event]:
    return [event for event in recording.events[USER] if event.kind in ACTS]


def asks(*turns: tuple[float, float, str]) -> Says:
    """An agent that says things at fixed times, whatever it hears."""
    words = [Word(word, start + 0.01 * index, start + 0.01 * index + 0.01)
             for start, _, text in turns for index, word in enumerate(text.split())]
    return Says(bursts(*[(start, end) for start, end, _ in turns]), words)


OPENING = Line("hello there", "at", 0.6, "turn")


def on_cue(seconds: float, cue: float, jitter: float = 0.0) -> bool:
    """Whether something is said in the first frame that begins at its cue or later; a beep has 0.05 s of silence first."""
    return cue - 1e-6 <= seconds - 0.05 < cue + jitter + FRAME_SECONDS + 1e-6


@pytest.mark.parametrize("at", [0.0, 0.08, 0.6, 1.0, 2.345])
def test_a_cue_at_a_time_fires_in_its_frame(at: float) -> None:
    assert on_cue(acts(played([replace(OPENING, seconds=at)], NeverAnswers()))[0].start, at)


@pytest.mark.parametrize("into", [0.0, 0.5, 1.23, 4.0])
def test_a_cue_into_the_agents_turn_counts_from_its_onset(into: float) -> None:
    recording = played([OPENING, Line("wait", "into_agent_turn", into, "interruption")], NeverYields(0.5, 6.0))
    onset = segments(recording.audio[AGENT])[0][0]
    assert on_cue(acts(recording)[1].start, onset + into)
    assert acts(recording)[1].kind == "interruption"


@pytest.mark.parametrize("after", [0.6, 0.75, 1.5])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_cue_after_the_agents_turn_counts_from_its_end(after: float, seed: int) -> None:
    recording = played([OPENING, Line("and you", "after_agent_turn", after, "turn")], Responder(0.5, 1.5), seed=seed)
    end = segments(recording.audio[AGENT])[0][1]
    assert on_cue(acts(recording)[1].start, end + after, JITTER)


def test_a_cue_after_silence_counts_from_whoever_spoke_last() -> None:
    recording = played([OPENING, Line("are you there", "after_silence", 3.0, "turn")], Responder(0.5, 1.5))
    assert on_cue(acts(recording)[1].start, segments(recording.audio[AGENT])[0][1] + 3.0)


def test_a_pause_of_the_agent_is_no_end_of_its_turn() -> None:
    agent = asks((2.0, 3.0, "well"), (3.5, 4.5, "then"))
    assert on_cue(acts(played([OPENING, Line("yes", "after_agent_turn", 0.7, "turn")], agent))[1].start, 5.2, JITTER)


def test_a_backchannel_whose_moment_has_passed_is_not_said() -> None:
    lines = [OPENING, Line("uh huh", "into_agent_turn", 3.0, "backchannel"), Line("bye", "after_agent_turn", 0.7, "turn")]
    assert [text for _, text in said(played(lines, asks((2.0, 3.0, "short"))))][:2] == ["hello there", "bye"]


def test_an_interruption_of_a_shorter_turn_is_still_said() -> None:
    lines = [OPENING, Line("wait", "into_agent_turn", 3.0, "interruption")]
    assert said(played(lines, asks((2.0, 3.0, "short"))))[1] == ("interruption", "wait")


@pytest.mark.parametrize("act", ACTS)
def test_an_act_carries_its_true_edges(act: str) -> None:
    recording = played([OPENING, Line("no that is wrong", "into_agent_turn", 1.0, act)], NeverYields(0.5, 6.0))
    event = acts(recording)[1]
    assert event.kind == act
    sound = recording.audio[USER][round((event.start - 0.2) * SAMPLE_RATE):round((event.end + 0.5) * SAMPLE_RATE)]
    onset, offset = audible(sound)
    assert (event.start - 0.2 + onset, event.start - 0.2 + offset) == pytest.approx((event.start, event.end), abs=0.0101)


@pytest.mark.parametrize("name", ["carl", "ivy", "ken"])
def test_a_real_voice_carries_its_true_edges_and_pauses(name: str) -> None:
    pytest.importorskip("espeakng_loader")
    speech = rendered("how about tuesday <0.7> at nine in the morning <0.4> please", "turn", voice(name), Random(0))
    turn, *pauses = speech.events
    assert audible(speech.samples) == pytest.approx((turn.start, turn.end), abs=0.01)
    assert turn.detail["text"] == "how about tuesday at nine in the morning please"
    for pause, length in zip(pauses, (0.7, 0.4), strict=True):
        assert pause.end - pause.start == pytest.approx(length, abs=0.01)
        inside = speech.samples[round((pause.start + 0.01) * SAMPLE_RATE):round((pause.end - 0.01) * SAMPLE_RATE)]
        assert audible(inside) == (0.0, 0.0)
        for edge in (pause.start - 0.01, pause.end):  # sound reaches to within 10 ms of both its edges
            around = speech.samples[round((edge - 0.01) * SAMPLE_RATE):round((edge + 0.02) * SAMPLE_RATE)]
            assert audible(around) != (0.0, 0.0)


def test_an_opportunity_is_where_the_word_before_it_ends() -> None:
    speech = rendered("one two | three <0.5> four | five", "turn", Beeps(), Random(0))
    marks = [event.start for event in speech.events if event.kind == "opportunity"]
    ends = {word.text: word.end for word in speech.words}
    assert marks == pytest.approx([ends["two"], ends["four"]])
    assert speech.events[0].detail["text"] == "one two three four five"
    assert [word.text for word in speech.words] == ["one", "two", "three", "four", "five"]


@pytest.mark.parametrize("length", [0.3, 0.8, 1.25])
def test_a_pause_inside_a_turn_has_its_length(length: float) -> None:
    recording = played([Line(f"one two <{length}> three", "at", 0.6, "turn")], NeverAnswers(), seconds=5.0)
    (_, left), (right, _) = segments(recording.audio[USER])
    assert right - left == pytest.approx(length, abs=0.01)
    pause = next(event for event in recording.events[USER] if event.kind == "pause")
    assert (pause.start, pause.end) == pytest.approx((left, right), abs=0.01)
    third = recording.words[USER][2]
    assert (third.text, third.start) == ("three", pytest.approx(right, abs=0.001))


def test_talk_in_the_background_is_softer_in_another_voice_and_echoes() -> None:
    lines = [OPENING, Line("the train leaves", "into_agent_turn", 1.0, "background_talk")]
    caller = Caller(call(lines), Beeps(0.1), Beeps(0.1), Beeps(0.2))
    recording = converse(caller, NeverYields(0.5, 6.0), max_seconds=8.0)
    act = acts(recording)[1]
    said = recording.audio[USER][round(act.start * SAMPLE_RATE):round(act.end * SAMPLE_RATE)]
    assert act.end - act.start == pytest.approx(0.6 + 0.1, abs=0.03)
    middle = float(np.sqrt(np.mean(np.square(said[:2_400]))))
    assert 20 * np.log10(middle / 0.2) == pytest.approx(-15.0, abs=0.5)


def test_a_horn_is_heard_for_its_length_and_differs_by_seed() -> None:
    first, again, other = (rendered("", "noise", Beeps(), Random(seed)) for seed in (0, 0, 1))
    assert first.events[0].kind == "noise" and first.events[0].end - first.events[0].start == pytest.approx(0.6, abs=0.01)
    assert np.array_equal(first.samples, again.samples) and not np.array_equal(first.samples, other.samples)


def test_side_talk_is_quieter() -> None:
    usual, aside = (np.abs(rendered("not now", act, Beeps(), Random(0)).samples).max() for act in ("turn", "side_talk"))
    assert aside == pytest.approx(usual * SIDE_TALK_GAIN)


def test_what_is_asked_is_answered_in_other_words_each_time_and_only_so_often() -> None:
    number = Response(("order number",), ("one two", "it is one two"), times=3, expects=("one two",))
    agent = asks(*[(start, start + 1.0, "your order number please") for start in (2.0, 6.0, 10.0, 14.0)])
    recording = played([OPENING], agent, number)
    assert [text for _, text in said(recording)] == ["hello there", "one two", "it is one two", "one two"]
    assert all(event.detail["expects"] == ["one two"] for event in acts(recording)[1:])
    loudness = [recording.audio[USER][round((event.start + 0.1) * SAMPLE_RATE)] for event in acts(recording)]
    assert np.abs(loudness) == pytest.approx([0.1, 0.1, 0.2, 0.2], abs=1e-4)  # repeats in the careful voice


def test_the_first_response_that_fits_is_given() -> None:
    recording = played([OPENING], asks((2.0, 3.0, "i have one two is that correct")),
                       Response(("one two is that correct",), ("yes",)), Response(("is that correct",), ("no",)))
    assert said(recording)[1] == ("turn", "yes")


def test_who_was_not_understood_says_it_again_without_the_pause() -> None:
    recording = played([Line("where <0.5> is it", "at", 0.6, "turn")], asks((3.0, 4.0, "i did not understand that")))
    assert [text for kind, text in said(recording) if kind == "turn"][:2] == ["where is it", "where is it"]
    assert [event.kind for event in recording.events[USER]][:3] == ["turn", "pause", "turn"]


def test_who_gets_no_answer_asks_again_and_hangs_up() -> None:
    recording = played([OPENING], NeverAnswers())
    assert [text for _, text in said(recording)] == ["hello there"] * (1 + MAX_REPEATS)
    assert recording.ended_by == "user"
    starts = [event.start for event in acts(recording)]
    assert np.diff(starts) == pytest.approx(PATIENCE + 0.45, abs=0.2)
    assert recording.seconds == pytest.approx(acts(recording)[-1].end + PATIENCE, abs=0.2)


def test_who_has_nothing_left_to_say_hangs_up_after_the_last_word() -> None:
    recording = played([OPENING], Responder(0.5, 1.5))
    assert recording.ended_by == "user"
    assert recording.seconds == pytest.approx(segments(recording.audio[AGENT])[-1][1] + TAIL, abs=FRAME_SECONDS)


def test_the_same_seed_is_the_same_call_and_another_is_not() -> None:
    lines = [OPENING, Line("and then", "after_agent_turn", 0.7, "turn"), Line("", "into_agent_turn", 0.5, "cough")]
    first, again, other = (played(lines, Responder(0.5, 1.5), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.audio, again.audio)
    assert first.events == again.events
    assert not np.array_equal(first.audio[USER, :400_000], other.audio[USER, :400_000])


def test_a_caller_can_be_used_again() -> None:
    caller = Caller(call([OPENING], Response(("number",), ("one", "two"))), Beeps())
    first, second = (converse(caller, asks((2.0, 3.0, "the number")), seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.audio, second.audio)
    assert first.events == second.events


def test_every_agent_meets_the_same_callers() -> None:
    scenarios = suite(["smooth", "optician"])
    parts = [Cast().part(scenario, seed) for scenario in scenarios for seed in range(5)]
    assert parts == [Cast().part(scenario, seed) for scenario in scenarios for seed in range(5)]
    assert len({name for name, _ in parts}) >= 8 and {rate for _, rate in parts} == {"slow", "normal", "fast"}


def test_a_cast_caller_brings_its_prompt_and_facts() -> None:
    pytest.importorskip("espeakng_loader")
    scenario = drawn(suite(["optician"])[0], 3)
    caller = Cast(["carl"], ["fast"]).caller(scenario, 3)
    assert caller.prompt == scenario.prompt and caller.prompt.records
    assert (caller.facts["scenario"], caller.facts["voice"], caller.facts["rate"]) == (scenario.name, "carl", "fast")
    assert caller.facts["expect"]["said"] == [list(fact) for fact in scenario.task.said]


def test_no_caller_has_the_agents_voice() -> None:
    assert "en-us" not in {one.variant for one in VOICES.values()}  # the embedded agents' espeak voice
    assert not any(VOICES[name].debian for name in Cast().voices)  # flite is there for agents by default
    check_voice("en-us", VOICES, "incremental")
    with pytest.raises(ValueError, match="caller slt would speak with the voice of cascade, 'slt': choose other user.voices"):
        check_voice("slt", ["carl", "slt"], "cascade")
