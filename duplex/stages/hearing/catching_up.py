"""Recognisers whose words come late: behind the sound, or not at all before they are asked for.

When to ask is for `Ears` to say; what is said by then is for the recogniser.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from duplex.stages.hearing.stt import Recogniser


@runtime_checkable
class CatchesUp(Protocol):
    """A recogniser that can be asked, in the midst of an utterance, for the words of all that it heard so far.

    Attributes:
        behind: seconds that the words of `hear` run behind the sound; infinite where `hear` never has any.
        every: seconds after which it is asked again while somebody speaks on; None where it is asked in pauses alone.
    """

    behind: float
    every: float | None

    def catch_up(self, paused: bool) -> str:
        """The words so far. Takes its time and is run by a worker; nothing else is asked of it meanwhile.

        Args:
            paused: nobody speaks, so what was said is all there. Otherwise only the words that will stay are told.
        """


def catching_up(recogniser: Recogniser) -> CatchesUp | None:
    """The recogniser, or the one within it, if its words come late; None for one that writes as it hears."""
    inner = getattr(recogniser, "recogniser", recogniser)  # that of an agent is metered
    return inner if isinstance(inner, CatchesUp) else None


def agreed(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """The words with which both begin.

    LocalAgreement-2 of Macháček et al. (2023, Turning Whisper into Real-Time Transcription System, section 3): a word is sure
    once two recognitions in a row, the later one of more sound, both have it.
    """
    num = next((num for num, pair in enumerate(zip(before, now)) if pair[0] != pair[1]), min(len(before), len(now)))
    return list(now[:num])
