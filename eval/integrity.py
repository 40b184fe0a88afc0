"""Whether a recording is what it says: what is wrong with it is found before it is measured.

What was said when is `eval.timeline`'s business.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from duplex.recording import AGENT, PARTIES, USER, Recording
from eval.activity import DROPPED_SECONDS, Segment, activity, clipped_share
from eval.timeline import PAUSE, Act, acts, overlap

MOST_CLIPPED: Final = 0.01
LEAST_COVERED: Final = 0.5
EDGE_SECONDS: Final = 0.3  # noise may swallow the soft edges of a sound, but not more


def check(recording: Recording) -> None:
    """Looks for recordings that would be measured without an error and wrongly.

    Raises:
        ValueError: naming what is wrong: clipping, acts outside the recording or where the user's channel is silent,
            channels that look swapped.
    """
    for party, channel in zip(PARTIES, recording.audio, strict=True):
        if not np.isfinite(channel).all():
            raise ValueError(f"the {party}'s channel holds values that are no numbers")
        if clipped_share(channel) > MOST_CLIPPED:
            raise ValueError(f"{clipped_share(channel):.1%} of the {party}'s samples are clipped, "
                             f"more than {MOST_CLIPPED:.0%}: lower its level and record again")
    spoken = [act for act in acts(recording.events[USER]) if act.kind != PAUSE and act.end <= recording.seconds]
    user, agent = (activity(recording.audio[party]) for party in (USER, AGENT))
    swapped = sum(overlap(agent, act.start, act.end) > overlap(user, act.start, act.end) for act in spoken)
    for act in acts(recording.events[USER]):
        where = f"the {act.kind} at {act.start:.2f}-{act.end:.2f} s"
        if not 0 <= act.start <= act.end or act.start > recording.seconds:
            raise ValueError(f"{where} does not lie within the recording's {recording.seconds:.2f} s")
    for act in spoken:
        where = f"the {act.kind} at {act.start:.2f}-{act.end:.2f} s"
        silent = silent_part(user, act, recording)
        if silent and swapped > len(spoken) / 2:
            raise ValueError(f"{where} is silent on the user's channel and spoken on the agent's: "
                             f"the channels look swapped (row {USER} is the user, row {AGENT} the agent)")
        if silent:
            raise ValueError(f"{where} {silent} on the user's channel: the log and the sound are not aligned")


def silent_part(user: Sequence[Segment], act: Act, recording: Recording) -> str:
    """Which part of what an act claims to say cannot be heard, in words; empty if none."""
    said = act.end - act.start - sum(
        max(0.0, min(pause.end, act.end) - max(pause.start, act.start))
        for pause in acts(recording.events[USER]) if pause.kind == PAUSE)
    if said < 2 * DROPPED_SECONDS:  # may be taken for a click
        return ""
    if overlap(user, act.start, act.end) < LEAST_COVERED * said:
        return "is silent"
    if not overlap(user, act.start, act.start + EDGE_SECONDS):
        return "begins silently"
    if not overlap(user, act.end - EDGE_SECONDS, act.end):
        return "ends silently"
    return ""
