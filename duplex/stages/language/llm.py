"""The language stage of a cascade: what it must be able to do, whatever stands behind it.

A frame-based manager (`manager`) needs nothing; a language model (`chat`) does the same.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, runtime_checkable

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
        sentences: in the order they are spoken; at least one, unless this is the rest of another reply.
        state: the dialogue afterwards; opaque to everybody but the stage that made it.
        events: what is done by saying it, logged when it begins to be spoken: tool calls, a handoff.
        rest: brings what is said after it and is still on its way, as from a model that writes while it is spoken; slow.
            None where that was all. What is never asked for is never said, nor done.
    """

    sentences: tuple[str, ...]
    state: Hashable = None
    events: tuple[Event, ...] = ()
    rest: "Callable[[], Reply] | None" = field(default=None, repr=False, compare=False)


class Usage(NamedTuple):
    """What one call of a language model cost, in tokens; `estimated` where nobody counted them."""

    input_tokens: int
    output_tokens: int
    estimated: bool = False


class Dialogue(Protocol):
    """Answers what was heard. Asking never changes it, so an agent may ask on a guess and drop the answer."""

    @property
    def has_tools(self) -> bool:
        """Whether it can do something, beside saying so."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        """Forgets the last call and reads the facts of this one."""

    def reply(self, heard: str) -> Reply:
        """What to say to `heard`, given what was committed so far. The slow part."""

    def commit(self, reply: Reply) -> None:
        """`reply`, or the rest of the one committed last, is being spoken: it is history now."""

    def retract(self) -> None:
        """The reply committed last was talked over before it was heard: it never happened, nor did what came of it."""

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


@runtime_checkable
class Spends(Protocol):
    """A language stage whose answers cost tokens.

    Attributes:
        spent: one entry for each call of its model since `reset`, in vain or not.
    """

    spent: Sequence[Usage]
