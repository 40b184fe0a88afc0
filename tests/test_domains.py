"""The shipped domains and their calls, in text: every call can be done, fits into a prompt, and means what it says."""

import pytest
from in_text import complaints, read

from duplex.stages.language.domain import FOLDER, domain
from duplex.stages.language.role import MAX_TOKENS, estimated_tokens
from eval.callers.scenario import Scenario, drawn, suite

TASKS = ("orders", "accounts", "appointments", "disputes", "helpdesk", "sales")
OTHERS = ("handoff", "policy", "jailbreak", "mood")
CALLS = {name: suite([name]) for name in TASKS}
ALL = suite([*TASKS, *OTHERS])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("call", [one for calls in CALLS.values() for one in calls], ids=lambda call: call.name)
def test_every_call_can_be_done_by_whoever_hears_it_right(call: Scenario, seed: int) -> None:
    made = drawn(call, seed)
    found = read(made)
    assert complaints(made, found) == [], found.turns


@pytest.mark.parametrize("name", TASKS)
def test_a_domain_has_calls_of_every_difficulty_and_a_third_of_them_are_disturbed(name: str) -> None:
    calls = CALLS[name]
    assert len(calls) >= 10 and {call.about.difficulty for call in calls} == {"easy", "medium", "hard"}
    disturbed = [call for call in calls if call.about.disturbed]
    assert 3 * len(disturbed) >= len(calls) and len({call.about.disturbed for call in disturbed}) >= 2


@pytest.mark.parametrize("call", ALL, ids=lambda call: call.name)
def test_a_disturbed_call_is_the_same_task(call: Scenario) -> None:
    if call.about.base:
        base = next(one for one in ALL if one.name == call.about.base)
        theirs, ours = drawn(base, 7), drawn(call, 7)
        assert (ours.records, ours.domain) == (theirs.records, theirs.domain)
        assert (ours.task.state, ours.task.handoff) == (theirs.task.state, theirs.task.handoff)


@pytest.mark.parametrize("call", ALL, ids=lambda call: call.name)
def test_a_role_is_short_enough_for_personaplex(call: Scenario) -> None:
    assert max(estimated_tokens(drawn(call, seed).prompt.text) for seed in range(5)) <= MAX_TOKENS


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_every_agent_is_told_the_same_facts(name: str) -> None:
    about = domain(name)
    answers = {about.intents[fact].answer for fact in about.facts if fact in about.intents}
    assert answers <= set(about.facts.values())
    told = next((call.prompt.text for call in ALL if call.domain == name), "")
    assert not told or all(fact in told for fact in about.facts.values())


def test_values_are_those_of_the_seed() -> None:
    """A suite can be made anew, with numbers that nobody has tuned to."""
    for call in ALL:
        if call.draw:
            assert drawn(call, 11) == drawn(call, 11)
            assert any(drawn(call, seed) != drawn(call, 11) for seed in range(12, 20)), call.name
