"""Endpointing by a turn model's threshold alone, for `endpointing_curve.py`.

The cascade's own `TwoStage` also asks the dialogue whether a value is half spoken, or answered, and then no threshold
counts. Products whose turn detector knows no application have no such help.
"""

from duplex.stages.language.llm import Dialogue
from duplex.stages.turns.endpoint import TurnModel


class TurnModelAlone:
    """A short silence when the turn model says that what was heard is whole, a long one when it does not.

    Args:
        threshold: on its probability.
        fast: seconds of silence when whole.
        slow: seconds of silence when not.
    """

    def __init__(self, turn_model: TurnModel, threshold: float, fast: float, slow: float):
        self.own = self.turn_model = turn_model
        self.threshold = threshold
        self.fast = fast
        self.slow = slow

    def attend(self, domain: str) -> None:
        self.turn_model = self.own.of(domain)

    def patience(self, heard: str, dialogue: Dialogue) -> float:
        ends = self.turn_model.end_probability(heard.split()) if heard else 0.0
        return self.fast if ends > self.threshold else self.slow
