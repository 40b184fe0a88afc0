"""The cast: which voice, at which rate, plays the caller of a scenario.

Drawn from scenario and seed, so that every agent meets the same callers.
"""

from collections.abc import Sequence
from random import Random

from duplex.stages.voices import RATES, VOICES, voice
from eval.caller import Caller
from eval.scenario import Scenario


class Cast:
    """Callers with voices.

    Args:
        voices: names in `duplex.stages.voices`; None for all that come with pip.
        rates: names of speaking rates.

    Raises:
        ValueError: no such voice or rate.
    """

    def __init__(self, voices: Sequence[str] | None = None, rates: Sequence[str] = tuple(RATES)):
        self.voices = tuple(voices) if voices is not None else tuple(
            name for name, one in VOICES.items() if not one.debian)
        self.rates = tuple(rates)
        if unknown := [name for name in self.voices if name not in VOICES]:
            raise ValueError(f"no voice {', '.join(unknown)}; there are {', '.join(VOICES)}")
        if unknown := [name for name in self.rates if name not in RATES]:
            raise ValueError(f"no rate {', '.join(unknown)}; there are {', '.join(RATES)}")

    def part(self, scenario: Scenario, seed: int) -> tuple[str, str]:
        """Voice and rate of the caller."""
        random = Random(f"cast {scenario.name} {seed}")
        chosen = random.choice(self.voices), random.choice(self.rates)
        return scenario.voice or chosen[0], scenario.rate or chosen[1]

    def caller(self, scenario: Scenario, seed: int) -> Caller:
        """Who plays a drawn scenario."""
        name, rate = self.part(scenario, seed)
        return Caller(scenario, voice(name, rate), careful=voice(name, "slow" if rate == "normal" else "normal"))
