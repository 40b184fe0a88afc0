"""A model behind an OpenAI-compatible interface, over real HTTP: it answers, calls tools, and fails in every way a server can."""

import gc
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("openai")
pytest.importorskip("espeakng_loader")

from chat_server import Answer, ChatServer, Wire, calls_tools, chat_server, fails, says
from exact import call, cascade, events, heard_from_agent, user
from hydra import compose, initialize_config_dir
from piped import ROOT, program
from test_chat import ORDER, PROMPT
from test_chat_agents import QUESTION

from duplex.conversation import ConversationFailed, converse
from duplex.recording import load
from duplex.stages.language.chat import ChatDialogue
from duplex.stages.language.chat_model import Function, FunctionCall, Message, ModelFailed, Piece
from duplex.stages.language.llm import Usage
from duplex.stages.language.openai_chat import OpenAIChat
from eval.callers.scenario import suite
from eval.simulation import Conversation, simulate

HI = (Message("system", "You are kind."), Message("user", "hi"))


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    patience = time.monotonic() + 5.0
    while (left := set(threading.enumerate()) - before) and time.monotonic() < patience:
        time.sleep(0.02)
    assert not left


def model(server: ChatServer, **settings: object) -> OpenAIChat:
    return OpenAIChat("tiny", server.url, **settings)  # type: ignore[arg-type]  # settings of several types


def answer(*script: Answer, **settings: object) -> list[Piece]:
    with chat_server(*script) as server:
        return list(model(server, **settings).stream(HI, (), 3))


def complaint(*script: Answer, **settings: object) -> str:
    with pytest.raises(ModelFailed) as failed:
        answer(*script, **settings)
    return str(failed.value)


# What is asked, and what comes


def test_text_comes_in_pieces_and_its_cost_last() -> None:
    assert answer(says("Hello to you.", (12, 4))) == ["Hello", " to", " you.", Usage(12, 4)]


def test_a_server_that_does_not_count_is_not_guessed_for() -> None:
    assert answer(says("Hello.")) == ["Hello."]


def test_the_request_has_messages_functions_seed_and_settings() -> None:
    with chat_server(says("Hello.")) as server:
        made = model(server, max_tokens=7, extra={"top_k": 1})
        history = (*HI, Message("assistant", "", (FunctionCall("id_1", "f", "{}"),)), Message("tool", "done", call_id="id_1"))
        list(made.stream(history, (Function("f", "does it", {"type": "object"}),), 3))
    (asked,) = server.requests
    assert [message["role"] for message in asked["messages"]] == ["system", "user", "assistant", "tool"]
    assert asked["messages"][2]["tool_calls"] == [
        {"id": "id_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    assert asked["messages"][3]["tool_call_id"] == "id_1"
    assert asked["tools"] == [{"type": "function", "function": {"name": "f", "description": "does it",
                                                                "parameters": {"type": "object"}}}]
    assert {name: asked[name] for name in ("model", "seed", "temperature", "max_tokens", "top_k", "stream")} == {
        "model": "tiny", "seed": 3, "temperature": 0.0, "max_tokens": 7, "top_k": 1, "stream": True}


def test_what_a_model_does_not_take_is_not_sent() -> None:
    with chat_server(says("Hello.")) as server:
        list(model(server, temperature=None, seeded=False).stream(HI, (), 3))
    assert not {"seed", "temperature", "max_tokens", "tools"} & server.requests[0].keys()


def test_the_key_comes_from_the_variable_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with chat_server(says("Hello.")) as server:
        list(model(server, api_key_env="MY_KEY").stream(HI, (), 0))
        list(model(server).stream(HI, (), 0))
    assert server.keys == ["Bearer secret", "Bearer none"]


@pytest.mark.parametrize("indexed", [True, False], ids=["with an index", "by their ids"])
def test_calls_are_put_together_of_their_pieces(indexed: bool) -> None:
    made = answer(calls_tools(("f", '{"a": "one"}'), ("g", '{"b": "two"}'), text="Wait.", indexed=indexed))
    assert made == ["Wait.", FunctionCall("id_0", "f", '{"a": "one"}'), FunctionCall("id_1", "g", '{"b": "two"}')]


def test_the_first_word_is_there_before_the_last_one_was_sent() -> None:
    heard = threading.Event()

    def waits(wire: Wire) -> None:
        wire.head()
        wire.delta(content="One")
        assert heard.wait(20.0)
        wire.delta("stop", content=" two")
        wire.done()

    with chat_server(waits) as server:
        stream = model(server).stream(HI, (), 0)
        assert next(stream) == "One"
        heard.set()
        assert list(stream) == [" two"]


def test_who_reads_no_further_hangs_up_on_the_server() -> None:
    with chat_server(says("word " * 200, wait=0.02)) as server:
        stream = model(server).stream(HI, (), 0)
        next(stream)
        del stream
        gc.collect()
        assert server.left.wait(3.0)


# What goes wrong


def silent(seconds: float) -> Answer:
    def answer(wire: Wire) -> None:
        time.sleep(seconds)
        wire.head()
    return answer


def half(text: str, then: Callable[[Wire], None]) -> Answer:
    def answer(wire: Wire) -> None:
        wire.head()
        wire.delta(content=text)
        then(wire)
    return answer


def sends(*lines: str) -> Answer:
    def answer(wire: Wire) -> None:
        wire.head()
        for line in lines:
            wire.raw(line)
        wire.end()
    return answer


def page(wire: Wire) -> None:
    wire.head(kind="text/html")
    wire.raw("<html>It works!</html>")
    wire.end()


def finishes(reason: str, **delta: str) -> Answer:
    def answer(wire: Wire) -> None:
        wire.head()
        wire.delta(reason, **delta)
        wire.done()
    return answer


WRONG: dict[str, tuple[Answer, str]] = {
    "no key": (fails(401, "who are you"), "who are you.*export a valid key as OPENAI_API_KEY"),
    "no access": (fails(403, "not you"), "not you.*OPENAI_API_KEY"),
    "no such model": (fails(404, "no tiny"), "no tiny.*base_url end in /v1"),
    "too many": (fails(429, "slow down"), "slow down.*fewer processes"),
    "a bad request": (fails(400, "no tools"), "no tools.*does it serve chat with tools"),
    "a broken server": (fails(500, "out of memory"), "out of memory.*the server failed"),
    "half a stream, cut": (half("One. ", Wire.cut), "the stream broke off in mid-answer"),
    "half a stream, ended": (half("One. ", Wire.end), "the stream ended in mid-answer"),
    "half a stream, done": (half("One. ", Wire.done), "the stream ended in mid-answer"),
    "an error in the stream": (half("One. ", lambda wire: wire.data({"error": {"message": "no memory"}})),
                               "gave up in mid-answer: no memory"),
    "nothing at all": (sends(), "the stream ended in mid-answer"),
    "no JSON": (sends("data: {oops\n\n"), "no stream of chat completions"),
    "other JSON": (sends("data: [1, 2]\n\n"), "no (chunk of a chat completion|stream of chat completions)"),
    "chunks of something else": (sends('data: {"choices": [{"delta": 3}]}\n\n'), "no chunk of a chat completion"),
    "no text": (sends("data: \xff\n\n"), "no stream of chat completions"),
    "a web page": (page, "the stream ended in mid-answer: is base_url right"),
    "a refusal": (finishes("stop", refusal="I will not."), "refused: 'I will not.'"),
    "a filter": (finishes("content_filter", content="One."), "stopped by the server's filter"),
}


@pytest.mark.parametrize("what", WRONG)
def test_whatever_goes_wrong_is_one_error_that_names_the_model_and_what_would_be_right(what: str) -> None:
    script, message = WRONG[what]
    said = complaint(script)
    assert said.startswith("tiny at http://127.0.0.1:") and "\n" not in said
    assert re.search(message, said), said


def test_a_server_that_is_not_there_is_said_to_be_not_there() -> None:
    with chat_server() as server:
        gone = model(server)
    with pytest.raises(ModelFailed, match="can not be reached .*does a server run there"):
        list(gone.stream(HI, (), 0))


def test_a_silent_server_is_waited_for_no_longer_than_was_said() -> None:
    assert "silent for 0.2 s; raise first_token_seconds" in complaint(silent(1.0), first_token_seconds=0.2)
    assert "silent for 0.2 s" in complaint(half("One. ", lambda wire: time.sleep(1.0)), first_token_seconds=0.2)


def test_a_slow_answer_ends_after_the_time_for_the_whole() -> None:
    said = complaint(says("word " * 50, wait=0.05), first_token_seconds=20.0, total_seconds=0.3)
    assert "no end after 0.3 s; raise total_seconds" in said


def test_a_stream_that_waits_to_be_read_is_not_a_slow_one() -> None:
    with chat_server(says("One two.")) as server:
        stream = model(server, total_seconds=2.0).stream(HI, (), 0)
        assert next(stream) == "One"
        time.sleep(2.2)
        assert list(stream) == [" two."]


def test_it_is_tried_again_only_where_that_is_asked_for() -> None:
    assert answer(fails(500, "busy"), says("Hello."), max_retries=1) == ["Hello."]
    with chat_server(fails(500, "busy"), says("Hello.")) as server, pytest.raises(ModelFailed):
        list(model(server).stream(HI, (), 0))
    assert len(server.requests) == 1


# In an agent


def test_a_tool_call_over_http_changes_the_records_and_is_in_the_log() -> None:
    with chat_server(calls_tools(("cancel_order", '{"order": "12345"}')), says("Order one two is cancelled.", (90, 8))) as server:
        agent = cascade(dialogue=ChatDialogue(model(server)), prepare_after=None)
        recording = converse(user((0.4, "cancel my order")), agent, prompt=PROMPT, max_seconds=6.0)
        (made,) = events(recording, "tool_call")
        assert made.detail == {"tool": "cancel_order", "refused": "", "order": ORDER}
        assert agent.dialogue.state.records["orders"][ORDER]["status"] == "is cancelled"  # type: ignore[attr-defined]
        assert heard_from_agent(recording) == "order one two is cancelled"
    assert [message["role"] for message in server.requests[1]["messages"]] == ["system", "user", "assistant", "tool"]
    tally = recording.facts["tally"]["agent"]
    assert (tally["llm_calls"], tally["llm_calls_estimated"], tally["llm_output_tokens"] > 8) == (2, 1, True)


def test_barge_in_during_the_stream_leaves_nothing_of_the_old_answer() -> None:
    with chat_server(says("It is a very long story that I will tell you now. Secondly it goes on. Thirdly it ends."),
                     says("Free parking.")) as server:
        agent = cascade(dialogue=ChatDialogue(model(server)), prepare_after=None)
        recording = call(agent, (0.4, QUESTION), (3.4, "wait where can i park"))
    barge_in = events(recording, "barge_in")[0].start
    assert heard_from_agent(recording, barge_in) == "free parking"


def test_a_guess_that_is_dropped_hangs_up_on_the_server() -> None:
    with chat_server(says("One. " * 200, wait=0.01)) as server:
        talk = ChatDialogue(model(server))
        talk.reply("a guess")
        assert server.left.wait(3.0)
        assert len(talk.spent) == 1


# In a bench


BENCH = ("agent=cascade_oracle", "llm@agent.dialogue=openai", "agent.dialogue.model.model=tiny", "agent.prepare_after=null",
         "~clocks.measured", "~clocks.cloud_typical", "max_seconds=8", "counterfactuals=false")


def test_a_failing_model_is_a_counted_failure_and_the_run_goes_on(tmp_path: Path) -> None:
    with chat_server(fails(500, "out of memory"), says("We open at nine.")) as server:
        with initialize_config_dir(version_base=None, config_dir=str(ROOT / "configs")):
            config = compose("bench", [*BENCH, f"agent.dialogue.model.base_url={server.url}", "scenarios=smooth"])
        chosen = [one for one in suite(["smooth"]) if one.name in ("hours-then-parking", "price-then-payment")]
        played = list(simulate(config, [Conversation("agent", "llm", "ideal", one, 0) for one in chosen], tmp_path, 1))
    failures = [one.failure for one in played if one.failure]
    assert len(played) == 2 and len(failures) == 1
    assert failures[0].startswith("ModelFailed: tiny at http://127.0.0.1:") and "out of memory" in failures[0]
    kept = [load(tmp_path / one.conversation.folder) for one in played]
    assert sorted(one.ended_by for one in kept) == ["failure", "user"]
    assert any("nine" in heard_from_agent(one) for one in kept)


@pytest.mark.slow
def test_a_bench_counts_the_failures_of_a_model(tmp_path: Path) -> None:
    with chat_server(fails(500, "out of memory"), says("We open at nine.")) as server:
        done = program("eval.bench", *BENCH, f"agent.dialogue.model.base_url={server.url}", f"hydra.run.dir={tmp_path}",
                       "agent@baseline=never_answers", "scenarios.only=[hours-then-parking,price-then-payment]", "processes=1",
                       "report=false")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "cascade_oracle: 2 conversations, 1 failed; never_answers: 2 conversations, 0 failed" in done.stdout
    assert "out of memory (the server failed" in done.stdout
    assert json.loads((tmp_path / "manifest.json").read_text())["failures"] == 1


def test_a_model_without_a_name_is_one_line(tmp_path: Path) -> None:
    done = program("eval.bench", "agent=cascade_oracle", "llm@agent.dialogue=openai", f"hydra.run.dir={tmp_path}")
    assert done.returncode == 2 and "agent.dialogue.model.model is missing: give agent.dialogue.model.model=..." in done.stderr


def test_a_conversation_says_what_a_server_that_is_not_there_would_need() -> None:
    with chat_server() as server:
        agent = cascade(dialogue=ChatDialogue(model(server)))
    with pytest.raises(ConversationFailed, match="ModelFailed: tiny at .* can not be reached"):
        call(agent, (0.4, QUESTION))
