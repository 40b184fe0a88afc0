"""The cast: which voice, at which rate, plays the caller of a scenario.

Drawn from scenario and seed, so that every agent meets the same callers.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from random import Random
from typing import Any

from duplex.conversation import Prompt
from duplex.stages.speaking.voices import RATES, VOICES, voice
from eval.callers.caller import Caller
from eval.callers.scenario import FOLDER, Scenario, drawn, suite

MOST_LISTED, NEAREST = 20, 5  # longer lists help nobody


class ScriptedCaller(Caller):
    """A caller that brings along what one needs to know to play its scenario.

    Attributes:
        name: of the scenario.
        prompt: what the agent is told.
        facts: what a recording keeps, and the metrics read: the scenario, what the agent must say, the voice.
    """

    def __init__(self, scenario: Scenario, voice_name: str, rate: str, other: str = ""):
        careful = "slow" if rate == "normal" else "normal"
        mood = scenario.about.mood
        super().__init__(scenario, voice(voice_name, rate, mood=mood), voice(voice_name, careful, mood=mood),
                         voice(other or voice_name, rate))
        self.name = scenario.name
        self.prompt: Prompt = scenario.prompt
        self.facts: Mapping[str, Any] = {
            "scenario": scenario.name, "category": scenario.category, "domain": scenario.domain,
            "voice": voice_name, "rate": rate, **scenario.about.facts, "expect": scenario.task.facts}


class Cast:
    """Callers with voices.

    Args:
        voices: names in `duplex.stages.speaking.voices`; None for all that come with pip.
        rates: names of speaking rates.

    Raises:
        ValueError: no such voice or rate.
    """

    def __init__(self, voices: Sequence[str] | None = None, rates: Sequence[str] = tuple(RATES)):
        self.voices = tuple(voices) if voices is not None else tuple(
            name for name, one in VOICES.items() if not one.debian)
        self.rates = tuple(rates)
        for name in self.voices:
            check_one_of(name, VOICES, "voice")
        for name in self.rates:
            check_one_of(name, RATES, "rate")
        if not self.voices or not self.rates:
            raise ValueError(f"a cast needs a voice and a rate, not voices {list(self.voices)} and rates "
                             f"{list(self.rates)}; there are {', '.join(VOICES)} and {', '.join(RATES)}")

    def part(self, scenario: Scenario, seed: int) -> tuple[str, str]:
        """Voice and rate of the caller.

        Raises:
            ValueError: the scenario wants a voice or rate that is not there.
        """
        random = Random(f"cast {scenario.drawn_as} {seed}")
        chosen = random.choice(self.voices), random.choice(self.rates)
        name, rate = scenario.voice or chosen[0], scenario.rate or chosen[1]
        check_one_of(name, VOICES, "voice", f"scenario {scenario.name!r}: ")
        check_one_of(rate, RATES, "rate", f"scenario {scenario.name!r}: ")
        return name, rate

    def bystander(self, scenario: Scenario, seed: int) -> str:
        """Who talks in the background: another voice than the caller's, where there is one."""
        caller, _ = self.part(scenario, seed)
        others = [name for name in self.voices if name != caller] or [caller]
        return Random(f"bystander {scenario.drawn_as} {seed}").choice(others)

    def caller(self, scenario: Scenario, seed: int) -> ScriptedCaller:
        """Who plays a scenario with the values of a seed."""
        played = drawn(scenario, seed)
        return ScriptedCaller(played, *self.part(played, seed), self.bystander(played, seed))

    def voices_of(self, scenarios: Iterable[Scenario], seeds: Collection[int]) -> set[str]:
        """Names of all voices that will be heard."""
        return {self.part(scenario, seed)[0] for scenario in scenarios for seed in seeds}


def caller_of(name: str, files: Sequence[str] | None = None, seed: int = 0, voices: Sequence[str] | None = None,
              rates: Sequence[str] = tuple(RATES)) -> ScriptedCaller:
    """The caller of one scenario, for a single conversation.

    Args:
        name: of the scenario.
        files: where to look for it, as in `eval.callers.scenario.suite`; None for every file in `eval/scenarios`.
        seed: draws its values, its voice and its rate, as in a bench.

    Raises:
        ValueError: no such scenario, voice or rate.
    """
    looked_in = sorted(path.stem for path in Path(FOLDER).glob("*.yaml")) if files is None else list(files)
    scenarios = {scenario.name: scenario for scenario in suite(looked_in)}
    check_one_of(name, scenarios, "scenario")
    return Cast(voices, rates).caller(scenarios[name], seed)


def check_one_of(name: str, there_are: Mapping[str, object], what: str, where: str = "") -> None:
    if name not in there_are:
        close = get_close_matches(name, there_are, NEAREST, 0.0) if len(there_are) > MOST_LISTED else list(there_are)
        raise ValueError(f"{where}no {what} {name!r}; {'nearest' if len(there_are) > MOST_LISTED else 'there'} are "
                         f"{', '.join(close)}")


def check_voice(agent_voice: str, callers: Collection[str], agent: str) -> None:
    """Complains about a caller with the voice that the agent has: who hears both could not tell them apart."""
    if same := sorted(name for name in callers if VOICES[name].variant == agent_voice):
        raise ValueError(f"the caller {same[0]} would speak with the voice of {agent}, {agent_voice!r}: choose other "
                         "user.voices, or another voice for the agent")
