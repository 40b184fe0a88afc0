"""Timelines drawn with characters of 100 ms, so that a test can be checked by eye."""

import re
from collections.abc import Collection, Mapping

from duplex.frame import Word
from eval.activity import Segment
from eval.timeline import FLOOR_KINDS, OPPORTUNITY, PAUSE, Act, Timeline

KINDS = {"t": "turn", "i": "interruption", "c": "correction", "b": "backchannel", "k": "cough", "n": "noise",
         "s": "side_talk", "g": "background_talk"}


def drawn(user: str = "", agent: str = "", words: str = "", *, expects: Mapping[str, tuple[str, ...]] | None = None,
          unanswerable: Collection[str] = (), agent_ended: bool = False,
          without: Mapping[float, Timeline] | None = None) -> Timeline:
    """The timeline of a drawing.

    Args:
        user: "ttt" a turn, "ttppt" one with a pause, "ttott" one with an opportunity for a backchannel, other acts by
            KINDS; "#" speech without an act, "." silence.
        agent: "#" where it speaks.
        words: of the agent, each beginning where it is written.
        expects: by the letter of the act.
        unanswerable: letters of acts to which no answer is due.
        without: as of a timeline.
    """
    acts = [Act(KINDS[found.group()[0]], found.start() / 10, found.end() / 10,
                expects=(expects or {}).get(found.group()[0], ()),
                answer_due=KINDS[found.group()[0]] in FLOOR_KINDS and found.group()[0] not in unanswerable)
            for found in re.finditer(r"t[tpo]*t|t|i+|c+|b+|k+|n+|s+|g+", user)]
    pauses = [Act(PAUSE, found.start() / 10, found.end() / 10) for found in re.finditer(r"p+", user)]
    marks = [Act(OPPORTUNITY, found.start() / 10, found.start() / 10) for found in re.finditer("o", user)]
    return Timeline(
        seconds=max(map(len, (user, agent, words))) / 10,
        user=segments(user, r"[^.p]+"), agent=segments(agent, "#+"),
        acts=tuple(sorted(acts + pauses + marks, key=lambda act: act.start)),
        words=tuple(Word(found.group(), found.start() / 10, found.end() / 10)
                    for found in re.finditer(r"[^. ]+", words)),
        agent_ended=agent_ended, without=without or {})


def segments(row: str, speech: str) -> tuple[Segment, ...]:
    return tuple(Segment(found.start() / 10, found.end() / 10) for found in re.finditer(speech, row))
