"""Barge-in or backchannel: whether what is said into somebody's speech wants the floor.

By words where they are known, by length where they are not: "uh huh" never takes the floor, "wait" does, "yes" does
where it answers a question, and who speaks for a second in other words wants it.
"""

from typing import Final

from duplex.stages.language.llm import ANSWERED, Dialogue

BACKCHANNELS: Final = frozenset("uh huh mm hmm hm mhm um ah ha oh yeah yes yep right okay ok sure i see really".split())
CALLS: Final = frozenset("wait stop sorry actually hold excuse no hey".split())
MAX_WORDS: Final = 2  # 99.3 % of Switchboard's backchannels have no more


def aside(heard: str, dialogue: Dialogue) -> bool:
    """Whether an utterance that took the floor was for somebody else: nothing of it means anything here."""
    return dialogue.meaning(heard) is None and not calls(heard)


def calls(heard: str) -> bool:
    """Whether it calls on the other party: who says "wait" and is not understood is asked again."""
    return not CALLS.isdisjoint(heard.split())


def claims_floor(heard: str, seconds: float, longest: float, dialogue: Dialogue) -> bool:
    """Whether an utterance in progress wants the floor.

    Args:
        heard: what was understood of it so far, perhaps nothing.
        seconds: how long it has lasted.
        longest: seconds a backchannel may last.
        dialogue: says whether the words mean anything to it; recognisers make "but" of "uh huh".
    """
    words = heard.split()
    if words and dialogue.completeness(heard) == ANSWERED:
        return True
    if words and BACKCHANNELS.issuperset(words):
        return False
    if calls(heard):
        return True
    return seconds > longest or len(words) > MAX_WORDS or dialogue.meaning(heard) is not None
