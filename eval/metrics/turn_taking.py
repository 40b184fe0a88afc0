"""How the two share the time: units, pauses, gaps, overlaps and floor transfers, whatever was meant by them.

Nothing here knows what the caller wanted. Counts are kept by parts of about a minute, so that a table can say how much
there is per minute and whether that drifts; lengths and offsets are kept one by one.
"""

from typing import Final

from duplex.recording import AGENT, USER, moment
from eval.metrics.occasions import Observation
from eval.timeline import Segment, Timeline, overlap
from eval.turn_taking import gaps, overlaps, pauses, transfers, turns

PART_SECONDS: Final = 60.0


def per_minute(timeline: Timeline) -> list[Observation]:
    """Counts and seconds per minute of both parties' units, pauses, gaps, overlaps and turns (Nguyen et al., 2023).

    `ipus`: inter-pausal units, speech bounded by at least 0.2 s of its speaker's silence. `pauses`: silences between two
    units of one party; `gaps`: between units of different parties; `overlaps`: stretches in which both speak; `turns`:
    units without backchannels, those of one party in a row being one. Each belongs to the part in which it begins; its
    length is `ipu_seconds`, `pause_seconds`, `gap_seconds`, `overlap_seconds`. A silence at the edge of the recording, or
    with both parties on one side, is nobody's.
    """
    found = {"ipu": [*timeline.user, *timeline.agent]}
    for name, of in (("pause", pauses), ("gap", gaps), ("overlap", overlaps)):
        found[name] = [Segment(start, end) for _, start, end in of(timeline)]
    held = [turn.start for turn in turns(timeline)]
    observations = []
    for start, end in parts(timeline):
        minutes = (end - start) / 60.0
        for name, spans in found.items():
            own = [span.end - span.start for span in spans if start <= span.start < end]
            observations += [Observation(f"{name}s", start, float(len(own)), per=minutes),
                             Observation(f"{name}_seconds", start, moment(sum(own)), per=minutes)]
        observations.append(Observation("turns", start, float(sum(start <= turn < end for turn in held)), per=minutes))
    return observations


def talk_share(timeline: Timeline) -> list[Observation]:
    """The agent's share of the speech of both, in parts of about a minute; two people have a half each.

    Seconds in which both speak count for both.

    A part in which nobody speaks is no occasion.
    """
    observations = []
    for start, end in parts(timeline):
        spoken = [overlap(own, start, end) for own in (timeline.user, timeline.agent)]
        if sum(spoken):
            observations.append(Observation("talk_share", start, spoken[AGENT], per=moment(sum(spoken))))
    return observations


def lengths(timeline: Timeline) -> list[Observation]:
    """Seconds of each unit of the agent (`ipu_length`), each pause between two of them (`pause_length`), each gap and each
    overlap (`gap_length`, `overlap_length`)."""
    return [
        *(Observation("ipu_length", start, moment(end - start)) for start, end in timeline.agent),
        *(Observation("pause_length", start, moment(end - start))
          for party, start, end in pauses(timeline) if party == AGENT),
        *(Observation("gap_length", start, moment(end - start)) for _, start, end in gaps(timeline)),
        *(Observation("overlap_length", start, moment(end - start)) for _, start, end in overlaps(timeline))]


def floor_transfers(timeline: Timeline) -> list[Observation]:
    """Floor transfer offsets: onset of a turn minus the end of the other party's turn before it, negative in overlap.

    Of every turn of the agent (`floor_transfer`) and of the caller (`caller_transfer`, which says how human the simulation
    is), whether or not an answer was due (Heldner & Edlund, 2010). Backchannels take no floor.
    """
    names = {AGENT: "floor_transfer", USER: "caller_transfer"}
    return [Observation(names[party], start, offset) for party, start, offset in transfers(timeline)]


def floor_transfer_below_zero(timeline: Timeline) -> list[Observation]:
    """Share of the agent's floor transfers that begin before the caller's turn has ended."""
    return [Observation("floor_transfer_below_zero", start, float(offset < 0.0))
            for party, start, offset in transfers(timeline) if party == AGENT]


def parts(timeline: Timeline) -> list[tuple[float, float]]:
    """The conversation in equal parts as close to a minute as can be."""
    if not timeline.seconds:
        return []
    number = max(1, round(timeline.seconds / PART_SECONDS))
    edges = [moment(timeline.seconds * index / number) for index in range(number + 1)]
    return list(zip(edges, edges[1:]))
