"""A chat model in this process: it streams, stops where nobody reads on, uses tools, and nonsense is survived."""

import threading
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("torch")
pytest.importorskip("espeakng_loader")

from exact import call, cascade, events, heard_from_agent, user
from hydra import compose, initialize_config_dir
from piped import ROOT
from test_chat import ORDER, PROMPT
from test_chat_agents import QUESTION
from tiny_chat import make

from duplex.build import built
from duplex.conversation import ConversationFailed, converse
from duplex.stages.language.chat import ChatDialogue
from duplex.stages.language.chat_model import Function, FunctionCall, Message, ModelFailed
from duplex.stages.language.llm import Usage
from duplex.stages.language.transformers_chat import TransformersChat

HI = (Message("system", "You are kind."), Message("user", "hi"))
CALL = '<tool_call>{"name": "cancel_order", "arguments": {"order": "12345"}}</tool_call>'


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> TransformersChat:
    folder = make(tmp_path_factory.mktemp("scripted"), ["It is", " there.", " Go", " and", " see."])
    return TransformersChat(str(folder), device="cpu")


@pytest.fixture(scope="module")
def clerk(tmp_path_factory: pytest.TempPathFactory) -> TransformersChat:
    """Cancels an order whatever is asked, and says so."""
    folder = make(tmp_path_factory.mktemp("clerk"), [CALL[:20], CALL[20:]], ["Order one two", " is cancelled."])
    return TransformersChat(str(folder), device="cpu")


@pytest.fixture(scope="module")
def nonsense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("nonsense"))


def test_text_comes_token_by_token_and_its_cost_last(scripted: TransformersChat) -> None:
    *text, cost = scripted.stream(HI, (), 0)
    assert text == ["It is", " there.", " Go", " and", " see."]
    assert cost == Usage(len(scripted.tokens(HI, ())), 5)


def test_the_template_reads_the_chat_and_the_functions(scripted: TransformersChat) -> None:
    called = Message("assistant", "", (FunctionCall("call_1", "f", '{"a": "one"}'),))
    chat = (*HI, called, Message("tool", "done", call_id="call_1"))
    read = scripted.tokenizer.decode(scripted.tokens(chat, (Function("f", "does it", {"type": "object"}),)))
    assert '"description": "does it"' in read and '<user>hi<assistant>f{"a": "one"}<tool>done' in read


def test_who_reads_no_further_stops_it_and_leaves_no_thread(scripted: TransformersChat) -> None:
    before = threading.active_count()
    stream = scripted.stream(HI, (), 0)
    assert next(stream) == "It is" and threading.active_count() == before
    del stream
    assert list(scripted.stream(HI, (), 0))[:2] == ["It is", " there."]


def test_a_seed_draws_the_same_nonsense_again(nonsense: Path) -> None:
    model = TransformersChat(str(nonsense), device="cpu", max_new_tokens=20, temperature=1.0)
    drawn = ["".join(map(str, model.stream(HI, (), seed))) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_half_a_character_is_never_shown(nonsense: Path) -> None:
    model = TransformersChat(str(nonsense), device="cpu", max_new_tokens=60, temperature=5.0)
    pieces = [piece for piece in model.stream(HI, (), 0) if isinstance(piece, str)]
    assert pieces and not any(piece.endswith("\ufffd") for piece in pieces)


def test_nonsense_is_survived_or_is_one_clear_error(nonsense: Path) -> None:
    model = TransformersChat(str(nonsense), device="cpu", max_new_tokens=40, temperature=1.0)
    endings = set()
    for seed in range(4):
        try:
            recording = call(cascade(dialogue=ChatDialogue(model), prepare_after=None), (0.4, QUESTION), seed=seed, seconds=6.0)
            endings.add("talked" if events(recording, "answer") else "silent")
        except ConversationFailed as failed:
            assert str(failed).startswith("ModelFailed: ") and "nothing that can be said" in str(failed)
            endings.add("failed")
    assert endings <= {"talked", "failed"}


def test_the_agent_says_what_the_model_writes(scripted: TransformersChat) -> None:
    recording = call(cascade(dialogue=ChatDialogue(scripted)), (0.4, QUESTION))
    assert heard_from_agent(recording) == "it is there go and see"
    tally = recording.facts["tally"]["agent"]
    assert tally["llm_calls"] > 1 == tally["llm_calls"] - tally["llm_calls_estimated"], "one was read to its end"


def test_a_call_that_the_model_writes_changes_the_records(clerk: TransformersChat) -> None:
    agent = cascade(dialogue=ChatDialogue(clerk), prepare_after=None)
    recording = converse(user((0.4, "cancel my order")), agent, prompt=PROMPT, max_seconds=6.0)
    assert events(recording, "tool_call")[0].detail == {"tool": "cancel_order", "refused": "", "order": ORDER}
    assert heard_from_agent(recording) == "order one two is cancelled"


def test_a_chat_longer_than_the_model_reads_is_an_error(tmp_path: Path) -> None:
    model = TransformersChat(str(make(tmp_path, longest=64)), device="cpu")
    with pytest.raises(ModelFailed, match="are more than the 64 it reads; lower max_new_tokens"):
        list(model.stream(HI, (), 0))


def test_a_folder_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no chat model that can be loaded"):
        TransformersChat(str(tmp_path))


def test_a_model_that_was_not_taught_to_chat_is_an_error(tmp_path: Path) -> None:
    (make(tmp_path) / "chat_template.jinja").unlink()
    with pytest.raises(ValueError, match="has no chat template: .*instruct"):
        TransformersChat(str(tmp_path))


def test_the_config_makes_one(nonsense: Path) -> None:
    with initialize_config_dir(version_base=None, config_dir=str(ROOT / "configs")):
        config = compose("bench", ["agent=cascade_oracle", "llm@agent.dialogue=transformers",
                                   f"agent.dialogue.model.path={nonsense}", "agent.dialogue.model.device=cpu"])
    made = built(config.agent.dialogue)
    assert isinstance(made, ChatDialogue) and made.model.name == str(nonsense)
