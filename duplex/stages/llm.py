"""The language stage of a cascade: what it must be able to do, whatever stands behind it.

A frame-based manager (`duplex.stages.manager`) needs nothing; a language model does the same seven things.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Protocol

from duplex.conversation import Prompt
from duplex.frame import Event

HALF_SPOKEN: Final = 0.0  # a value that was asked for has begun, or a correction was announced
UNKNOWN: Final = 0.5  # nothing understood
UNDERSTOOD: Final = 0.75  # something to go on with; more may come
ANSWERED: Final = 1.0  # all that was asked for


@dataclass(frozen=True)
class Reply:
    """What would be said to something heard, and where that would leave the dialogue.

    Attributes:
        sentences: in the order they are spoken.
        state: the dialogue afterwards; opaque to everybody but the stage that made it.
        events: what is done by saying it, logged when it begins to be spoken: tool calls, a handoff.
    """

    sentences: tuple[str, ...]
    state: Hashable = None
    events: tuple[Event, ...] = ()


class Dialogue(Protocol):
    """Answers what was heard. Asking never changes it, so an agent may ask on a guess and drop the answer."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        """Forgets the last call and reads the facts of this one."""

    def reply(self, heard: str) -> Reply:
        """What to say to `heard`, given what was committed so far. The slow part."""

    def commit(self, reply: Reply) -> None:
        """`reply` is being spoken: it is history now."""

    def retract(self) -> None:
        """The reply committed last was talked over before it was heard: it never happened."""

    def meaning(self, heard: str) -> Hashable:
        """Equal for texts that get the same reply, None when nothing was understood yet. Cheap: asked every frame."""

    def completeness(self, heard: str) -> float:
        """How far what was heard is something to go on with: HALF_SPOKEN, UNKNOWN, UNDERSTOOD or ANSWERED."""

    def expected_digits(self) -> int:
        """How many digits the caller was asked for, 0 for none: recognisers hear digits better when told."""

    def continuations(self, heard: str) -> tuple[str, ...]:
        """Whole utterances that `heard` will likely become, likeliest first, for agents that prepare ahead.

        Of "" it is what the caller will likely say next. Empty when nothing or too much is likely.
        """
