"""A caller with a mind of its own: a chat model plays a scenario, says one thing a turn, and hangs up when it is done.

It opens the call as the scenario does, with its voice and rate, and hears the agent's words as the log tells them. From then on
it is led by what the caller wants, so that other agents are asked other things: for what scripted callers can not reach, and
not for paired comparisons. It thinks in no time; a person's pauses are the script's (`eval.callers.caller`).
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from duplex.conversation import Prompt
from duplex.frame import Frame
from duplex.stages.language.chat_model import ChatModel, Message, ModelFailed
from duplex.stages.language.markup import written
from duplex.stages.language.speakable import speakable
from duplex.stages.speaking.voices import RATES
from eval.callers.caller import TAIL, in_words
from eval.callers.cast import Cast, ScriptedCaller
from eval.callers.scenario import CLAIM_FLOOR, Line, Response, Scenario, drawn

HANG_UP: Final = "[hang up]"
MAX_TURNS: Final = 20  # of a caller who never comes to an end
BRANCH: Final = "llm"
ROLE: Final = (
    "You play a caller on the telephone, in English; what you write is spoken aloud. The other side is the agent of a "
    "service. Say one thing at a time, in one short sentence of plain words, as people talk: no markdown, no stage "
    "directions, numbers and dates in words, order numbers and codes digit by digit. Make nothing up: what you know "
    "stands below, and what does not, you do not know. Do not help the agent and do not change your mind. When you "
    f"have what you want, or can not get it, say goodbye and write {HANG_UP}.")


class Thought(NamedTuple):
    """What the caller would say to something heard, None for nothing; and whether it hangs up then."""

    heard: str = ""
    says: Response | None = None
    hangs_up: bool = False


class LLMCaller(ScriptedCaller):
    """Plays one drawn scenario.

    Args:
        model: thinks for the caller.
        scenario, voice_name, rate, other: as of a `ScriptedCaller`.
    """

    def __init__(self, model: ChatModel, scenario: Scenario, voice_name: str, rate: str, other: str = ""):
        self.model = model
        super().__init__(scenario, voice_name, rate, other)
        self.facts = {**self.facts, "caller": model.name}

    def reset(self, prompt: Prompt, seed: int) -> None:
        super().reset(prompt, seed)
        self.seed = seed
        opening = self.scenario.lines[0]
        self.lines = deque((opening,))
        self.messages = [Message("system", f"{ROLE}\n\n{goal(self.scenario)}"), Message("user", "(the line is open)"),
                         Message("assistant", in_words(opening.say))]
        self.thought = Thought()
        self.leaving = False

    @property
    def done(self) -> bool:
        return self.now - self.quiet_since >= TAIL if self.leaving else super().done

    def due_response(self) -> Response | None:
        return None if self.leaving else super().due_response()

    def next_response(self) -> Response | None:
        """What the model says to all that was heard since the caller spoke last; asked once for the same words."""
        heard = " ".join(self.words) or "(nothing that could be understood)"
        if self.thought.heard != heard:
            self.thought = self.thinks(heard)
        return self.thought.says

    def begin(self, line: Line | Response) -> Frame:
        if line is self.thought.says:
            self.uses[line] = 0  # said for the first time: not with the care of who was not understood
            self.messages += [Message("user", self.thought.heard), Message("assistant", line.say[0])]
            self.leaving = self.thought.hangs_up
            self.thought = Thought()
        return super().begin(line)

    def thinks(self, heard: str) -> Thought:
        if len(self.messages) > 2 * MAX_TURNS:
            return Thought(heard, None, True)
        try:
            text = written(self.model, (*self.messages, Message("user", heard)), self.seed)
        except ModelFailed as error:
            raise ModelFailed(f"the caller's model failed: {error}") from error
        said, hangs_up, _ = text.partition(HANG_UP)
        spoken = " ".join(speakable(line) for line in said.splitlines()).strip()
        if not spoken and not hangs_up:
            raise ModelFailed(f"the caller's model {self.model.name} answered {heard!r} with nothing that can be said: {text!r}")
        return Thought(heard, Response((), (spoken,), branch=BRANCH) if spoken else None, bool(hangs_up))


class LLMCast(Cast):
    """Callers who think, with the voices that scripted ones would have.

    Args:
        model: thinks for all of them.
        voices, rates: as of a `Cast`.
    """

    def __init__(self, model: ChatModel, voices: Sequence[str] | None = None, rates: Sequence[str] = tuple(RATES)):
        super().__init__(voices, rates)
        self.model = model

    def caller(self, scenario: Scenario, seed: int) -> LLMCaller:
        played = drawn(scenario, seed)
        return LLMCaller(self.model, played, *self.part(played, seed), self.bystander(played, seed))


def goal(scenario: Scenario) -> str:
    """What the caller wants and knows: the scenario's goal, else its lines and answers; never what the agent should say."""
    wants = [in_words(line.say) for line in scenario.lines if line.act in CLAIM_FLOOR]
    told = [scenario.about.goal or f"What you call for, in your own words: {'; '.join(wants)}."]
    told += [f"Asked about \"{' or '.join(one.to)}\", you say: {in_words(one.say[0])}." for one in scenario.responses]
    if scenario.about.mood != "calm":
        told.append(f"You are {scenario.about.mood}.")
    return "\n".join(told)
