"""A scenario is read as it is meant or refused with what would be right; the shipped suites can be played and won."""

from pathlib import Path
from typing import Any, Final

import in_text
import pytest
import yaml

from duplex.stages.hearing.general_english import dictionary
from duplex.stages.speaking.tts import plain_words
from eval.callers.cast import Cast, caller_of
from eval.callers.scenario import FOLDER, PAUSE, Scenario, drawn, suite

SUITES: Final = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SHIPPED: Final = suite(SUITES)
HELLO: Final = {"at": 0.5, "say": "hello"}
Given = dict[str, Any]  # as YAML has it


def read(folder: Path, *scenarios: object, **file: object) -> tuple[Scenario, ...]:
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({"category": "smooth", "domain": "optician", "scenarios": list(scenarios), **file}))
    return suite([str(path)])


def one(**changes: object) -> Given:
    return {"name": "call", "lines": [HELLO], **changes}


def test_a_line_has_its_cue_and_its_act(tmp_path: Path) -> None:
    call = read(tmp_path, one(lines=[
        HELLO, {"into_agent_turn": 2, "say": "wait"}, {"after_agent_turn": 0.7, "say": "well <0.5> bye", "expects": ["bye"]},
        {"into_agent_turn": 1.5, "act": "cough"}, {"after_silence": 2.0, "say": "still there", "answer": False}]))[0]
    assert [(line.cue, line.seconds, line.act, line.answer) for line in call.lines] == [
        ("at", 0.5, "turn", True), ("into_agent_turn", 2.0, "interruption", True), ("after_agent_turn", 0.7, "turn", True),
        ("into_agent_turn", 1.5, "cough", False), ("after_silence", 2.0, "turn", False)]
    assert call.lines[2].expects == ("bye",)


@pytest.mark.parametrize("changes, message", [
    ({"lines": [{"say": "hello"}]}, "line 1: cue 'hello' needs one of at, into_agent_turn, after_agent_turn, after_silence, not"),
    ({"lines": [{**HELLO, "after_silence": 2.0}]}, "needs one of .* not at and after_silence"),
    ({"lines": [{"at": -1.0, "say": "hello"}]}, "at is seconds >= 0, not -1.0"),
    ({"lines": [{"at": "soon", "say": "hello"}]}, "at is seconds >= 0, not 'soon'"),
    ({"lines": [{"at": True, "say": "hello"}]}, "at is seconds >= 0, not True"),
    ({"lines": [{"at": float("nan"), "say": "hello"}]}, "at is seconds >= 0, not nan"),
    ({"lines": [HELLO, {"after_agent_turn": 0.3, "say": "bye"}]},
     r"line 2: .* after 0.6 s of silence, so after_agent_turn: 0.3 cannot be played; use into_agent_turn"),
    ({"lines": [{"into_agent_turn": 1.0, "say": "wait"}]}, "first line cannot wait for the agent's turn.*use at"),
    ({"lines": [{"after_agent_turn": 1.0, "say": "wait"}]}, "first line cannot wait for the agent's turn.*use at"),
    ({"lines": [{"at": 5.0, "say": "b"}, {"at": 2.0, "say": "a"}]}, "said in order, so their times at 5, 2 must grow"),
    ({"lines": [{**HELLO, "act": "sneeze"}]}, "act 'sneeze' is not one of turn, interruption"),
    ({"lines": [{"at": 1.0}]}, "line 1: a turn needs something to say"),
    ({"lines": [{"at": 1.0, "say": True}]}, "say is words, not True; put quotes around yes, no and numbers"),
    ({"lines": [{"at": 1.0, "say": "well <soon> bye"}]}, "a pause stands between words and is written <0.8>"),
    ({"lines": [{"at": 1.0, "say": "well <0.5>"}]}, "a pause stands between words"),
    ({"lines": [{"at": 1.0, "say": "<0.5> well"}]}, "a pause stands between words"),
    ({"lines": [{**HELLO, "expect": ["hi"]}]}, "line 1: unknown expect; known are act, after_agent_turn, after"),
    ({"lines": [{**HELLO, "expects": "hi"}]}, "expects is a list of phrases, not 'hi'"),
    ({"lines": [{**HELLO, "expects": 5}]}, "expects is a list of phrases, not 5"),
    ({"lines": ["hello"]}, "line 1: 'hello' needs keys, of "),
    ({"lines": []}, "needs a name and at least one line"),
    ({"lines": HELLO}, "needs a name and at least one line"),
    ({"name": ""}, "needs a name and at least one line"),
    ({"speed": 3}, "unknown speed; known are answers, base, difficulty"),
    ({"expect": {"heard": ["hi"]}}, "expect: unknown heard; known are distress, handoff, invented"),
    ({"expect": {"said": "hi"}}, "said is a list of phrases, not 'hi'"),
    ({"answers": [{"to": ["hi"]}]}, "answers: each needs to .* and say"),
    ({"answers": [{"to": "hi", "say": "ho"}]}, "to is a list of phrases, not 'hi'"),
    ({"answers": [{"to": ["hi"], "say": ["ho", False]}]}, "say is words, not False"),
    ({"answers": [{"to": ["hi"], "say": "ho", "times": 0}]}, "times is how often at most, 1 or more, not 0"),
    ({"answers": [{"to": ["hi"], "say": "ho", "act": "shout"}]}, "act 'shout' is not one of"),
    ({"answers": [{"to": ["hi"], "say": "ho", "when": 3}]}, "answers: unknown when"),
    ({"lines": [{"at": 1.0, "say": "on $day"}]}, r"day stands behind a \$ but is not drawn"),
    ({"draw": {"colour": "colour"}}, "cannot draw 'colour': domain 'optician' has no 'colour', only order, day, time"),
    ({"draw": {f"day{index}": "day" for index in range(7)}}, "cannot draw 7 different values of 'day', there are 6"),
])
def test_what_cannot_be_played_is_refused(tmp_path: Path, changes: Given, message: str) -> None:
    with pytest.raises(ValueError, match=f"own.yaml, scenario .*{message}"):
        read(tmp_path, one(**changes))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no scenarios 'holiday': there are .*backchannels, .* path that ends in .yaml"):
        suite(["holiday"])
    with pytest.raises(ValueError, match="no scenarios '/no/such.yaml'"):
        suite(["/no/such.yaml"])
    (tmp_path / "bad.yaml").write_text("{a: [")
    with pytest.raises(ValueError, match="bad.yaml is not YAML"):
        suite([str(tmp_path / "bad.yaml")])
    (tmp_path / "list.yaml").write_text("- a")
    with pytest.raises(ValueError, match="list.yaml needs category, domain and scenarios"):
        suite([str(tmp_path / "list.yaml")])
    with pytest.raises(ValueError, match="scenarios is a list of at least one"):
        read(tmp_path)
    with pytest.raises(ValueError, match="no domain 'zoo': there is .*optician"):
        read(tmp_path, one(), domain="zoo")


def test_two_of_a_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names must differ in a suite: call"):
        read(tmp_path, one(), one())


def test_a_voice_or_rate_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scenario 'call': no voice 'bob'; there are carl, dan"):
        Cast().part(read(tmp_path, one(voice="bob"))[0], 0)
    with pytest.raises(ValueError, match="scenario 'call': no rate 'hasty'; there are slow, normal, fast"):
        Cast().part(read(tmp_path, one(rate="hasty"))[0], 0)
    with pytest.raises(ValueError, match="no scenario 'hour-then-parking'; nearest are hours-then-parking"):
        caller_of("hour-then-parking")


def call_with_draws(folder: Path) -> Scenario:
    return read(folder, one(
        draw={"a": "day", "b": "day", "c": "day", "d": "day", "e": "day", "f": "day", "n": "order"},
        records={"orders": {"$n": {"day": "$a"}}}, lines=[{"at": 0.5, "say": "$a $b $c $d $e $f $n", "expects": ["$n"]}],
        answers=[{"to": ["$a"], "say": ["$b"]}], expect={"said": ["$n on $a"], "not_said": ["$b"]}))[0]


def test_values_follow_from_the_seed(tmp_path: Path) -> None:
    template = call_with_draws(tmp_path)
    assert drawn(template, 3) == drawn(template, 3)
    assert len({drawn(template, seed).lines[0].say for seed in range(20)}) == 20


def test_values_of_one_kind_differ_and_go_everywhere(tmp_path: Path) -> None:
    for seed in range(20):
        call = drawn(call_with_draws(tmp_path), seed)
        *days, number = call.lines[0].say.split(" ", 6)
        assert len(set(days)) == 6 and len(number.split()) == 5
        assert call.lines[0].expects == (number,)
        assert (call.responses[0].to, call.responses[0].say) == ((days[0],), (days[1],))
        assert call.records == {"orders": {number: {"day": days[0]}}}
        assert (call.task.said, call.task.not_said) == (((f"{number} on {days[0]}",),), ((days[1],),))
        assert f"orders: {number}: day {days[0]}." in call.prompt.text


def test_the_shipped_suites_are_of_every_kind() -> None:
    assert len(SHIPPED) >= 40
    assert {one.category for one in SHIPPED} >= {
        "smooth", "pause", "interruption", "backchannel", "correction", "optician", "paraphrase"}
    assert {line.act for one in SHIPPED for line in one.lines} == {
        "turn", "interruption", "correction", "backchannel", "cough", "noise", "side_talk", "background_talk"}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("template", suite(["smooth", "pauses", "interruptions", "corrections", "optician", "paraphrases"]),
                         ids=lambda scenario: scenario.name)
def test_every_phrase_can_be_spoken_by_the_manager(template: Scenario, seed: int) -> None:
    """Those of customer service are in test_domains.py."""
    call = drawn(template, seed)
    found = in_text.read(call)
    assert in_text.complaints(call, found) == [], found.turns


def test_every_word_of_the_callers_is_in_the_recognisers_dictionary() -> None:
    pytest.importorskip("pocketsphinx")
    said = [line.say for one in SHIPPED for line in drawn(one, 0).lines]
    said += [say for one in SHIPPED for response in drawn(one, 0).responses for say in response.say]
    assert sorted({word for say in said for word in plain_words(PAUSE.sub(" ", say))} - dictionary()) == []


def test_a_disturbed_scenario_is_the_same_call_in_the_same_voice(tmp_path: Path) -> None:
    plain = one(draw={"n": "order"}, lines=[{"at": 0.5, "say": "it is $n"}])
    twin = {**plain, "name": "twin", "base": "call", "disturbed": "correction", "lines": [{"at": 0.5, "say": "no it is $n"}]}
    base, other = read(tmp_path, plain, twin)
    assert drawn(other, 5).lines[0].say == "no " + drawn(base, 5).lines[0].say
    assert (base.about.counterparts, other.about.counterparts) == (("correction",), ())
    assert [Cast().part(other, seed) for seed in range(9)] == [Cast().part(base, seed) for seed in range(9)]


def test_a_base_is_in_the_suite(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scenario 'call': there is no scenario 'plain' in the suite to be its base"):
        read(tmp_path, one(base="plain"))


def test_what_a_call_must_achieve_is_filled_and_kept(tmp_path: Path) -> None:
    call = drawn(read(tmp_path, one(
        draw={"n": "order", "d": "day"}, lines=[{"at": 0.5, "say": "it is $n", "trigger": True}],
        answers=[{"to": ["order number", "which"], "say": "$n"}], mood="upset", line={"noise": 12},
        expect={"said": [["on $d", "$d"], "done"], "state": {"orders": {"$n": {"day": "$d"}}}, "handoff": "should",
                "needs": {"order": "$n"}, "severity": 10, "distress": "voice"}))[0], 4)
    caller = Cast().caller(read(tmp_path, one(name="other"))[0], 0)
    number, day = call.lines[0].say.removeprefix("it is "), call.task.said[0][1]
    assert call.task.facts == {
        "said": [[f"on {day}", day], ["done"]], "not_said": [], "state": {"orders": {number: {"day": day}}},
        "handoff": "should", "needs": {"order": number}, "severity": 10, "distress": "voice"}
    assert call.about.facts == {"difficulty": "", "base": "", "disturbed": "", "mood": "upset", "counterparts": [],
                                "line": {"noise": 12}}
    assert call.lines[0].trigger and call.responses[0].branch == "order number"
    assert caller.facts["expect"] == {"said": [], "not_said": [], "severity": 1} and caller.facts["mood"] == "calm"
    assert call.prompt.domain == "optician"


@pytest.mark.parametrize(("expect", "message"), [
    ({"handoff": "maybe"}, "handoff 'maybe' is not one of '', 'should', 'should_not'"),
    ({"severity": 2}, "severity 2 is not one of 1, 3, 10"),
    ({"distress": True}, "distress True is not one of"),
    ({"state": {"orders": {"one": {"day": 5}}}}, "state is table: key: field: value, of words"),
    ({"state": ["orders"]}, "state is table: key: field: value, of words"),
    ({"needs": ["order"]}, "needs is name: value, not"),
    ({"said": [["a", 5]]}, "said is a list of phrases, not"),
])
def test_a_task_that_cannot_be_is_refused(tmp_path: Path, expect: Given, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, one(expect=expect))


@pytest.mark.parametrize(("changes", "message"), [
    ({"mood": "bored"}, "mood 'bored' is not one of 'calm', 'hesitant', 'upset'"),
    ({"difficulty": "tricky"}, "difficulty 'tricky' is not one of"),
    ({"line": {"noise": "loud"}}, "the noise on the line is a signal-to-noise ratio in dB, not 'loud'"),
    ({"line": {"hiss": 3}}, "line: unknown hiss; known are noise"),
    ({"domain": "zoo"}, "no domain 'zoo'"),
])
def test_a_call_that_cannot_be_is_refused(tmp_path: Path, changes: Given, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, one(**changes))
