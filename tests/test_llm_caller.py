"""A caller who thinks: opens as the scenario does, says what its model says, and hangs up."""

from dataclasses import replace
from pathlib import Path

import pytest
from chat_server import Scripted, chat_server, says
from exact import cascade
from hydra import compose, initialize_config_dir
from piped import ROOT

from duplex.conversation import ConversationFailed, Participant, converse
from duplex.recording import USER, Recording
from duplex.stages.language.chat_model import ModelFailed
from eval.callers.cast import Cast
from eval.callers.llm_caller import BRANCH, HANG_UP, MAX_TURNS, LLMCaller, LLMCast, goal
from eval.callers.recorded import cast_of
from eval.callers.scenario import Scenario, drawn, suite
from eval.callers.task import About
from eval.simulation import Conversation, simulate

pytest.importorskip("espeakng_loader")

SCENARIO: Scenario = next(one for one in suite(["smooth"]) if one.name == "hours-then-parking")
OPENING = SCENARIO.lines[0].say


def caller(*script: object, scenario: Scenario = SCENARIO) -> LLMCaller:
    return LLMCaller(Scripted(*script), drawn(scenario, 0), "carl", "normal")  # type: ignore[arg-type]  # lines of a script


def talk(with_whom: LLMCaller, agent: Participant | None = None, seconds: float = 40.0) -> Recording:
    return converse(with_whom, agent or cascade(), prompt=with_whom.prompt, max_seconds=seconds)


def model(of: LLMCaller) -> Scripted:
    assert isinstance(of.model, Scripted)
    return of.model


def turns(recording: Recording) -> list[tuple[object, object]]:
    return [(event.detail["text"], event.detail["branch"]) for event in recording.events[USER] if event.kind == "turn"]


def test_it_opens_as_the_scenario_does_and_goes_on_as_its_model_says() -> None:
    recording = talk(caller("And *where* can I park?", f"Thank you. Goodbye. {HANG_UP}"))
    assert turns(recording) == [(OPENING, "opening"), ("And where can I park?", BRANCH), ("Thank you. Goodbye.", BRANCH)]
    assert recording.ended_by == "user"
    assert recording.words[USER][-1].text == "goodbye"


def test_its_model_hears_the_words_of_the_agent() -> None:
    told = caller("And where can I park?", HANG_UP)
    talk(told)
    assert [message.role for message in model(told).asked[1]] == ["system", "user", "assistant", "user", "assistant", "user"]
    opening, first, answer, second = (message.text for message in model(told).asked[1][2:])
    assert (opening, answer) == (OPENING, "And where can I park?")
    assert "nine" in first and "free parking behind the store" in second


def test_its_model_is_asked_once_for_each_turn_of_the_agent() -> None:
    told = caller("And where can I park?", HANG_UP)
    talk(told)
    assert len(model(told).asked) == 2


def test_who_hangs_up_without_a_word_is_gone_soon_after_the_answer() -> None:
    told = caller(HANG_UP)
    recording = talk(told)
    assert turns(recording) == [(OPENING, "opening")] and recording.ended_by == "user"
    assert recording.seconds < 12.0


def test_a_goodbye_is_not_answered_again() -> None:
    told = caller(f"Goodbye. {HANG_UP}")
    recording = talk(told)
    assert len(turns(recording)) == 2 and len(model(told).asked) == 1 and recording.ended_by == "user"


def test_a_caller_who_comes_to_no_end_hangs_up() -> None:
    recording = talk(caller("Where can I park?"), seconds=400.0)
    assert len(turns(recording)) == MAX_TURNS and recording.ended_by == "user"


def test_a_model_that_fails_fails_the_conversation_in_the_callers_name() -> None:
    with pytest.raises(ConversationFailed, match="ModelFailed: the caller's model failed: no answer today"):
        talk(caller([ModelFailed("no answer today")]))


def test_a_model_that_says_nothing_fails_the_conversation() -> None:
    with pytest.raises(ConversationFailed, match="the caller's model scripted answered .* with nothing that can be said"):
        talk(caller("<think>hm</think>"))


def test_it_is_told_what_it_wants_and_knows_and_not_what_the_agent_should_say() -> None:
    scenario = drawn(next(one for one in suite(["orders"]) if one.responses and one.task.said), 0)
    told = goal(scenario)
    assert scenario.lines[0].say in told and all(one.say[0] in told for one in scenario.responses)
    facts = [fact for wordings in scenario.task.said for fact in wordings]
    assert facts and not [fact for fact in facts if fact in told]


def test_a_goal_in_the_scenario_stands_for_its_lines() -> None:
    about = About(goal="You lost your glasses.", mood="upset")
    told = goal(replace(SCENARIO, about=about))
    assert told.startswith("You lost your glasses.") and told.endswith("You are upset.") and OPENING not in told


def test_it_has_the_voice_that_a_scripted_caller_would_have() -> None:
    thinking, scripted = LLMCast(Scripted(HANG_UP)).caller(SCENARIO, 3), Cast().caller(SCENARIO, 3)
    assert thinking.facts == {**scripted.facts, "caller": "scripted"}
    assert thinking.prompt == scripted.prompt


def test_a_bench_is_called_by_callers_who_think(tmp_path: Path) -> None:
    pytest.importorskip("openai")
    with chat_server(says(f"Thank you. Goodbye. {HANG_UP}")) as server:
        with initialize_config_dir(version_base=None, config_dir=str(ROOT / "configs")):
            config = compose("bench", ["agent=cascade_oracle", "user=llm", "user.model.model=tiny",
                                       f"user.model.base_url={server.url}", "~clocks.measured", "~clocks.cloud_typical",
                                       "counterfactuals=false"])
        assert isinstance(cast_of(config.user), LLMCast)
        (played,) = simulate(config, [Conversation("agent", "llm", "ideal", SCENARIO, 0)], tmp_path, 1)
    assert played.failure is None
    assert len(server.requests) == 1 and "tools" not in server.requests[0]
