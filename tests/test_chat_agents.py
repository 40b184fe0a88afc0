"""Agents whose language stage is a language model: they speak while it writes, and do nothing that is not said."""

from collections.abc import Callable

import pytest
from chat_server import Scripted
from exact import Costs, call, cascade, events, heard_from_agent, incremental, user
from test_chat import CANCEL, ORDER, PROMPT

from duplex.conversation import ConversationFailed, Participant, converse
from duplex.pace import RealTime
from duplex.recording import AGENT
from duplex.stages.language.chat import ChatDialogue
from duplex.stages.language.chat_model import ModelFailed
from duplex.stages.language.llm import Usage
from duplex.workers import Charged, Threaded

pytest.importorskip("espeakng_loader")


QUESTION = "how much is an eye test"
both = pytest.mark.parametrize("make", [cascade, incremental], ids=["cascade", "incremental"])


@both
def test_an_agent_says_the_whole_stream_in_order(make: Callable[..., Participant]) -> None:
    recording = call(make(dialogue=ChatDialogue(Scripted("One is here. Two is there. Three is gone."))), (0.4, QUESTION))
    assert heard_from_agent(recording) == "one is here two is there three is gone"
    assert len(events(recording, "answer")) == 1


@both
def test_a_slow_rest_leaves_a_gap_and_no_word_out(make: Callable[..., Participant]) -> None:
    talk = ChatDialogue(Scripted("Yes. It is there."))
    recording = call(make(dialogue=talk, worker=Charged(Costs(llm=2.0))), (0.4, QUESTION))
    assert heard_from_agent(recording) == "yes it is there"
    first, second = recording.words[AGENT][:2]
    assert second.start - first.end > 1.0


def test_work_in_threads_says_the_same() -> None:
    agent = cascade(dialogue=ChatDialogue(Scripted("One is here. Two is there.")), worker=Threaded())
    agent.reset(PROMPT, 0)
    recording = converse(RealTime(user((0.4, QUESTION))), agent, max_seconds=5.0)
    assert heard_from_agent(recording) == "one is here two is there"


def test_a_tool_is_used_when_the_answer_that_rests_on_it_begins_to_be_spoken() -> None:
    agent = cascade(dialogue=ChatDialogue(Scripted([CANCEL], "Done it is."), "orders"), prepare_after=None)
    recording = converse(user((0.4, "cancel my order")), agent, prompt=PROMPT, max_seconds=8.0)
    assert [event.kind for event in events(recording, "endpoint", "tool_call", "answer")] == ["endpoint", "tool_call", "answer"]
    assert events(recording, "tool_call")[0].detail == {"tool": "cancel_order", "refused": "", "order": ORDER}


def test_what_rests_on_a_tool_waits_until_what_was_said_before_is_over() -> None:
    agent = cascade(dialogue=ChatDialogue(Scripted(["Let me see what I can do for you here. ", CANCEL], "Done it is."), "orders"),
                    prepare_after=None)
    recording = converse(user((0.4, "cancel my order")), agent, prompt=PROMPT, max_seconds=10.0)
    assert heard_from_agent(recording) == "let me see what i can do for you here done it is"
    done_word = next(word for word in recording.words[AGENT] if word.text == "done")
    assert done_word.start - 0.16 <= events(recording, "tool_call")[0].start <= done_word.start


def test_nothing_of_an_answer_is_said_or_done_once_it_was_talked_over() -> None:
    script = Scripted(["Let me see what I can do for you here and now my friend. ", CANCEL], "Done it is.", "Free parking.")
    agent = cascade(dialogue=ChatDialogue(script, "orders"), prepare_after=None)
    recording = call(agent, (0.4, QUESTION), (4.0, "wait where can i park"))
    assert events(recording, "barge_in") and events(recording, "tool_call") == []
    assert "done" not in heard_from_agent(recording) and heard_from_agent(recording).endswith("free parking")
    assert [message.text for message in script.asked[-1][-3:]] == [
        QUESTION, "Let me see what I can do for you here and now my friend.", "wait where can i park"]


def test_who_speaks_on_at_once_is_answered_as_if_nothing_had_been_said() -> None:
    script = Scripted("Let me see what I can do for you.")
    recording = call(cascade(dialogue=ChatDialogue(script), prepare_after=None), (0.4, "how much is"), (2.24, "an eye test"))
    assert len(events(recording, "retract")) == 1
    assert [message.text for message in script.asked[-1][1:]] == ["how much is an eye test"]


def test_the_tally_counts_tokens_sound_and_characters_also_in_vain() -> None:
    agent = cascade(dialogue=ChatDialogue(Scripted(["Hello.", Usage(10, 2)]), "orders"))
    tally = call(agent, (0.4, QUESTION)).facts["tally"]["agent"]
    prepared = tally["llm_calls"]
    assert prepared > 1, "guesses cost as well"
    assert (tally["llm_input_tokens"], tally["llm_output_tokens"], tally["tts_characters"]) == (
        10 * prepared, 2 * prepared, 6 * prepared)
    assert tally["tools"] is True and tally["llm_calls_estimated"] == 0 and 1.0 < tally["stt_seconds"] < 3.0


def test_a_manager_spends_no_tokens() -> None:
    tally = call(cascade(prepare_after=None), (0.4, QUESTION)).facts["tally"]["agent"]
    assert tally["llm_calls"] == tally["llm_input_tokens"] == 0
    assert tally["tts_characters"] > 0 and tally["tools"] is False


@both
def test_a_model_that_fails_fails_the_conversation_and_says_why(make: Callable[..., Participant]) -> None:
    agent = make(dialogue=ChatDialogue(Scripted([ModelFailed("no answer today")])))
    with pytest.raises(ConversationFailed, match="ModelFailed: no answer today") as failed:
        call(agent, (0.4, QUESTION))
    assert failed.value.recording.seconds > 1.0


def test_a_stream_that_breaks_after_the_first_sentence_fails_the_conversation() -> None:
    with pytest.raises(ConversationFailed, match="broke off"):
        call(cascade(dialogue=ChatDialogue(Scripted(["Yes. ", "It ", ModelFailed("it broke off")]))), (0.4, QUESTION))
