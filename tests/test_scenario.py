"""A scenario is read as it is meant or refused with what would be right; the shipped suites can be played and won."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from duplex.stages.general_english import dictionary
from duplex.stages.manager import Manager
from duplex.stages.tts import plain_words
from eval.callers.cast import Cast, caller_of
from eval.callers.scenario import CLAIM_FLOOR, FOLDER, PAUSE, Scenario, drawn, suite

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
    ({"speed": 3}, "unknown speed; known are answers, draw"),
    ({"expect": {"heard": ["hi"]}}, "expect: unknown heard; known are not_said, said"),
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
    with pytest.raises(ValueError, match="no scenarios 'holiday': there are backchannels, .* path that ends in .yaml"):
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
    with pytest.raises(ValueError, match="no domain 'zoo': there is optician"):
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
        assert (call.said, call.not_said) == ((f"{number} on {days[0]}",), (days[1],))
        assert f"orders: {number}: day {days[0]}." in call.prompt.text


def test_the_shipped_suites_are_of_every_kind() -> None:
    assert len(SHIPPED) >= 40
    assert {one.category for one in SHIPPED} >= {
        "smooth", "pause", "interruption", "backchannel", "correction", "service", "paraphrase"}
    assert {line.act for one in SHIPPED for line in one.lines} == {
        "turn", "interruption", "correction", "backchannel", "cough", "noise", "side_talk", "background_talk"}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("template", SHIPPED, ids=lambda scenario: scenario.name)
def test_every_phrase_can_be_spoken_by_the_manager(template: Scenario, seed: int) -> None:
    call = drawn(template, seed)
    manager = Manager(call.domain)
    manager.reset(call.prompt, 0)
    answers: list[str] = []
    uses = {response: 0 for response in call.responses}

    def reply(say: str) -> None:
        replied = manager.reply(" ".join(plain_words(PAUSE.sub(" ", say))))
        manager.commit(replied)
        answers.append(" ".join(plain_words(" ".join(replied.sentences))))

    for line in call.lines:
        if line.act in CLAIM_FLOOR:
            reply(line.say)
        assert not line.expects or any(phrase in answers[-1] for phrase in line.expects), (line.say, answers[-1])
    for _ in range(8):
        due = [one for one in call.responses if uses[one] < one.times and any(phrase in answers[-1] for phrase in one.to)]
        if due:
            reply(due[0].say[uses[due[0]] % len(due[0].say)])
            uses[due[0]] += 1
    assert all(any(phrase in answer for answer in answers) for phrase in call.said), answers
    assert not any(phrase in answer for answer in answers for phrase in call.not_said), answers


def test_every_word_of_the_callers_is_in_the_recognisers_dictionary() -> None:
    pytest.importorskip("pocketsphinx")
    said = [line.say for one in SHIPPED for line in drawn(one, 0).lines]
    said += [say for one in SHIPPED for response in drawn(one, 0).responses for say in response.say]
    assert sorted({word for say in said for word in plain_words(PAUSE.sub(" ", say))} - dictionary()) == []
