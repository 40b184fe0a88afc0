"""A language model leads the dialogue: it talks in a stream, uses tools, hands off, and nothing unheard has happened."""

import json

import pytest
from chat_server import Scripted, calls

from duplex.conversation import Prompt
from duplex.frame import Event
from duplex.stages.language.chat import ChatDialogue, State
from duplex.stages.language.chat_model import FunctionCall, ModelFailed
from duplex.stages.language.domain import domain
from duplex.stages.language.llm import UNDERSTOOD, UNKNOWN, Reply, Usage
from duplex.stages.language.role import role_of

ORDER = "one two three four five"
RECORDS = {"orders": {ORDER: {"status": "is being packed", "day": "friday"}}}
PROMPT = Prompt(role_of(domain("orders"), RECORDS), RECORDS, "orders")
CANCEL = calls("cancel_order", order="12345")
LEAVE = {"reason": "asked for a person", "who": "", "wants": "a refund", "verified": ["order = 12345"], "mood": "upset"}


def dialogue(*script: object, **settings: int) -> ChatDialogue:
    made = ChatDialogue(Scripted(*script), **settings)  # type: ignore[arg-type]  # lines of a script
    made.reset(PROMPT, 0)
    return made


def model(of: ChatDialogue) -> Scripted:
    assert isinstance(of.model, Scripted)
    return of.model


def whole(reply: Reply) -> list[Reply]:
    """A reply and all that comes after it."""
    parts = [reply]
    while parts[-1].rest is not None:
        parts.append(parts[-1].rest())
    return parts


def said(reply: Reply) -> list[str]:
    return [sentence for part in whole(reply) for sentence in part.sentences]


def done(reply: Reply) -> list[Event]:
    return [event for part in whole(reply) for event in part.events]


def say(talk: ChatDialogue, heard: str) -> list[Event]:
    """Has it said to the end; what was done."""
    parts = whole(talk.reply(heard))
    for part in parts:
        talk.commit(part)
    return [event for part in parts for event in part.events]


def state(of: ChatDialogue) -> State:
    return of.state


# What the model is told


def test_the_model_is_told_its_role_its_manners_and_what_it_may_call() -> None:
    talk = dialogue("Hello there.")
    assert said(talk.reply("hi")) == ["Hello there."]
    system, heard = model(talk).asked[0]
    assert system.role == "system" and system.text.startswith(PROMPT.text) and "hand_off" in system.text
    assert (heard.role, heard.text) == ("user", "hi")
    offered = {function.name: function for function in model(talk).offered[0]}
    assert set(offered) == {*domain("orders").tools, "hand_off"}
    assert offered["find_order"].description == "Looks an order up by its number."
    moved = offered["change_delivery_day"].parameters
    assert moved["required"] == ["order", "day"]
    assert moved["properties"]["day"]["enum"] == list(domain("orders").values["day"].choices)


def test_without_a_domain_there_is_only_the_handoff() -> None:
    talk = ChatDialogue(Scripted("Hello."))
    talk.reset(Prompt("You are kind."), 0)
    talk.reply("hi")
    assert [function.name for function in model(talk).offered[0]] == ["hand_off"]
    assert not talk.has_tools and dialogue("Hello.").has_tools


def test_words_mean_themselves_and_silence_nothing() -> None:
    talk = dialogue("Hello.")
    assert talk.meaning("Where  is it") == talk.meaning("where is it") != talk.meaning("it")
    assert talk.meaning(" ") is None
    assert (talk.completeness(""), talk.completeness("no")) == (UNKNOWN, UNDERSTOOD)
    assert (talk.expected_digits(), talk.continuations("my order")) == (0, ())


def test_nothing_heard_asks_no_model() -> None:
    talk = dialogue("Hello.")
    assert talk.reply("").sentences and model(talk).asked == []


# Streams and history


def test_the_first_sentence_comes_before_the_model_has_written_the_second() -> None:
    talk = dialogue(["Yes. ", "It ", RuntimeError("nobody may read so far")])
    assert talk.reply("is it there").sentences == ("Yes.",)


def test_each_further_sentence_comes_with_the_rest_of_the_one_before() -> None:
    parts = whole(dialogue("One. Two. Three.").reply("count"))
    assert [part.sentences for part in parts] == [("One.",), ("Two.",), ("Three.",)]


def test_what_nobody_asks_for_is_not_read_to_the_end_and_is_counted() -> None:
    talk = dialogue("One. Two. Three.")
    talk.reply("count")
    assert model(talk).unread == 1
    assert len(talk.spent) == 1 and talk.spent[0].estimated and talk.spent[0].output_tokens == 3  # of "One. Two."


def test_asking_changes_nothing_until_it_is_committed() -> None:
    talk = dialogue("Hello.", "Goodbye.")
    talk.reply("a guess")
    say(talk, "hi")
    talk.reply("bye")
    assert [message.text for message in model(talk).asked[2][1:]] == ["hi", "Goodbye.", "bye"]


def test_only_the_sentences_that_were_said_are_history() -> None:
    talk = dialogue("One. Two. Three.")
    first = talk.reply("count")
    talk.commit(first)
    assert first.rest is not None
    talk.commit(first.rest())
    talk.reply("stop")
    assert [(message.role, message.text) for message in model(talk).asked[1][1:]] == [
        ("user", "count"), ("assistant", "One. Two."), ("user", "stop")]


def test_what_is_retracted_never_happened_with_all_that_came_of_it() -> None:
    talk = dialogue("Hello.", [CANCEL], "Cancelled. Anything else?")
    say(talk, "hi")
    before = state(talk)
    assert [event.kind for event in say(talk, "cancel it")] == ["tool_call"]
    assert state(talk).records != RECORDS
    talk.retract()
    assert state(talk) == before and state(talk).records == RECORDS


# Tools


def test_a_tool_changes_the_records_and_is_logged_with_its_arguments_in_words() -> None:
    talk = dialogue([CANCEL], "Order one two three is cancelled.")
    (made,) = say(talk, "cancel it")
    assert made.detail == {"tool": "cancel_order", "refused": "", "order": ORDER}
    assert state(talk).records["orders"][ORDER]["status"] == "is cancelled"
    told = model(talk).asked[1][-1]
    assert (told.role, told.call_id, json.loads(told.text)) == ("tool", "call_1", {"done": "yes"})


def test_a_tool_that_refuses_says_why() -> None:
    talk = dialogue([calls("find_order", order="9 9 9 9 9")], "I can not find it.")
    (made,) = say(talk, "where is it")
    assert made.detail["refused"] == "unknown"
    assert json.loads(model(talk).asked[1][-1].text) == {"refused": "unknown"}


def test_a_number_is_taken_for_its_digits() -> None:
    (made,) = say(dialogue([calls("find_order", order=12345)], "It is being packed."), "where is it")
    assert made.detail["order"] == ORDER


def test_what_is_said_while_a_tool_runs_is_said_first_and_is_not_what_did_it() -> None:
    parts = whole(dialogue(["Let me see. ", CANCEL], "Done.").reply("cancel it"))
    assert [(part.sentences, [event.kind for event in part.events]) for part in parts] == [
        (("Let me see.",), []), (("Done.",), ["tool_call"])]
    assert isinstance(parts[0].state, State) and parts[0].state.records == RECORDS
    assert [message.role for message in parts[0].state.messages] == ["system", "user", "assistant"]


@pytest.mark.parametrize(("made", "complaint"), [
    (calls("fly", to="rome"), "there is no tool 'fly'; there are find_order"),
    (calls("find_order"), "find_order takes order, not none"),
    (calls("find_order", order=["1"]), "find_order takes words; order is none"),
    (FunctionCall("call_1", "find_order", "{oops"), "the arguments of find_order are not JSON"),
    (FunctionCall("call_1", "find_order", "[1]"), "the arguments of find_order are an object"),
    (FunctionCall("call_1", "", "{oops"), "this is no call"),
    (calls("hand_off", why="so"), "hand_off takes reason, who, wants, verified, mood, not why"),
    (calls("hand_off", verified="all"), "verified is a list of name=value"),
    (calls("hand_off", mood=3.5), "mood is words"),
])
def test_a_wrong_call_does_nothing_and_is_told_to_the_model(made: FunctionCall, complaint: str) -> None:
    talk = dialogue([made], "Sorry.")
    assert say(talk, "cancel it") == []
    assert complaint in json.loads(model(talk).asked[1][-1].text)["error"]


def test_a_model_that_only_calls_is_an_error_after_so_many_rounds() -> None:
    talk = dialogue([calls("fly", to="rome")], max_tool_rounds=2)
    with pytest.raises(ModelFailed, match="3 times in a row, the last one wrong: .*there is no tool 'fly'.*max_tool_rounds"):
        talk.reply("cancel it")
    assert len(model(talk).asked) == len(talk.spent) == 3


@pytest.mark.parametrize("nothing", [[], "", "😀 **", "<think>hm</think>"])
def test_an_answer_that_can_not_be_said_is_an_error(nothing: object) -> None:
    with pytest.raises(ModelFailed, match="scripted answered 'hi' with nothing that can be said"):
        dialogue(nothing).reply("hi")


# Handoff


def test_a_handoff_is_logged_with_what_the_person_needs() -> None:
    talk = dialogue([CANCEL], "Done.", [calls("hand_off", **LEAVE)], "Somebody will be with you.")
    say(talk, "cancel it")
    (event,) = say(talk, "let me talk to a human")
    assert (event.kind, event.detail) == ("handoff", {
        "reason": "asked for a person", "who": "", "wants": "a refund", "mood": "upset", "verified": [f"order={ORDER}"],
        "tried": ["cancel_order"]})


def test_who_says_so_while_handing_off_is_not_asked_again() -> None:
    talk = dialogue(["I will connect you now. ", calls("hand_off", **LEAVE)])
    (part,) = whole(talk.reply("let me talk to a human"))
    assert part.sentences == ("I will connect you now.",) and [event.kind for event in part.events] == ["handoff"]
    assert len(model(talk).asked) == 1


def test_what_is_said_beside_a_wrong_handoff_is_said_all_the_same() -> None:
    talk = dialogue(["I will connect you now. ", calls("hand_off", why="so")], [calls("hand_off", **LEAVE)], "One moment.")
    reply = talk.reply("let me talk to a human")
    assert reply.sentences == ("I will connect you now.",) and reply.events == ()
    assert [event.kind for event in done(reply)] == ["handoff"] and len(model(talk).asked) == 3


def test_a_person_is_called_once() -> None:
    talk = dialogue([calls("hand_off", **LEAVE)], "Somebody comes.", [calls("hand_off", **LEAVE)], "Soon.")
    assert [len(say(talk, heard)) for heard in ("a human please", "when")] == [1, 0]


def lost(*script: object) -> ChatDialogue:
    talk = dialogue(*script)
    talk.reset(Prompt("You sell books.", {"orders": {ORDER: {"status": "is lost"}}}, "orders"), 0)
    return talk


def test_where_a_tool_sends_the_call_to_a_person_the_model_writes_the_packet() -> None:
    talk = lost([calls("find_order", order="12345")], [calls("hand_off", **LEAVE)], "Somebody comes.")
    looked, left = say(talk, "where is it")
    assert (looked.kind, left.kind, left.detail["wants"]) == ("tool_call", "handoff", "a refund")
    assert json.loads(model(talk).asked[1][-1].text)["a_person_must_go_on"] == "lost order"


def test_a_model_that_forgets_after_talking_hands_off_with_what_was_known_before() -> None:
    talk = lost([calls("find_order", order="12345")], "I see. It is lost. Goodbye.")
    assert [event.detail.get("verified") for event in say(talk, "where is it")] == [None, [f"order={ORDER}"]]


def test_a_model_that_forgets_hands_off_all_the_same() -> None:
    looked, left = say(lost([calls("find_order", order="12345")], "It is lost."), "where is it")
    assert (left.kind, left.detail["reason"], left.detail["verified"], left.detail["tried"]) == (
        "handoff", "lost order", [f"order={ORDER}"], ["find_order"])


# Cost


def test_what_a_model_says_it_cost_is_taken_and_else_four_characters_are_a_token() -> None:
    talk = dialogue(["Hello.", Usage(100, 2)], ["Hello you."])
    say(talk, "hi")
    assert talk.spent == [Usage(100, 2)]
    say(talk, "hi")
    assert talk.spent[1].estimated and talk.spent[1].output_tokens == 3
    talk.reset(PROMPT, 1)
    assert talk.spent == []
