"""What an agent does when the caller interrupts it: whether and when it stops, and whether it then answers.

An interruption is eligible when the agent speaks at its onset t0 and, where the same conversation without the interruption
is known, would have spoken for another 0.5 s: only then is there anything to interrupt. Its end is t1. The agent stops
where its first silence of at least 0.4 s begins, at t0 or later. An utterance that happens to end there counts as stopped;
`yield_excess` says how much of the yielding is no such accident.
"""

import math
from typing import Final

from duplex.frame import Word
from duplex.recording import moment
from eval.metrics.occasions import Observation, answer_limit, is_answer_due, next_claim
from eval.metrics.phrases import first_spoken, normalised
from eval.timeline import Act, Timeline, first_silence, first_start, overlap, speaking

STOP_SILENCE_SECONDS: Final = 0.4
STOP_WAIT_SECONDS: Final = 2.0
LEFT_SECONDS: Final = 0.5  # what the agent must have had left to say
YIELD_SECONDS: Final = 1.0
YIELD_WINDOWS: Final = {"yield_rate_half_second": 0.5, "yield_rate": YIELD_SECONDS, "yield_rate_two_seconds": 2.0}
RECOVERY_SECONDS: Final = 3.0
EARLY_ANSWER_SECONDS: Final = 0.2
STALE_WORDS: Final = 4  # in a row; fewer are said again by chance


def stop_latency(timeline: Timeline) -> list[Observation]:
    """Seconds from the interruption's onset to where the agent stops.

    Censored at 2.0 s after the interruption's end, or at the agent's last sound if the recording ends first (the stop
    latency of Full-Duplex-Bench 1.5 and tau-voice's L_Y, with the natural onset of silence and without clamping).
    """
    observations = []
    for act in eligible(timeline):
        stop = stopped(timeline, act)
        latest = moment(act.end + STOP_WAIT_SECONDS)
        if stop is not None and stop <= latest:
            observations.append(Observation("stop_latency", act.start, moment(stop - act.start)))
        else:
            speaks_until = min(latest, timeline.agent[-1].end)
            observations.append(Observation("stop_latency", act.start, moment(speaks_until - act.start), True))
    return observations


def yield_rate(timeline: Timeline) -> list[Observation]:
    """Share of the eligible interruptions after whose onset the agent stops within 1.0 s (`yield_rate`; within 0.5 and
    2.0 s under names of their own; tau-voice's R_Y has 2 s).

    None where the recording ends before that could be seen.
    """
    return [Observation(name, act.start, float(yielded(timeline, act, window)))
            for act in eligible(timeline) for name, window in YIELD_WINDOWS.items() if seen(timeline, act, window)]


def yield_excess(timeline: Timeline) -> list[Observation]:
    """Of the interruptions through which the agent would have gone on, the share at which it stops because of them.

    (S1 - S0) / (1 - S0), S1 being the share of the interruptions after whose onset the agent stops within 1.0 s, S0 that
    in the same conversations without the interruption, with the same seed. The attributable fraction: an agent that
    never listens has 0, however short its utterances. Interruptions that met no speech, and those of which only one of the
    two is known, are no occasion.
    """
    observations = []
    for act in timeline.acts:
        without = timeline.without.get(act.start)
        if (act.kind == "interruption" and without is not None and speaking(timeline.agent, act.start)
                and seen(timeline, act, YIELD_SECONDS) and seen(without, act, YIELD_SECONDS)):
            found, anyway = yielded(timeline, act), yielded(without, act)
            observations.append(Observation("yield_excess", act.start, float(found - anyway), per=float(not anyway)))
    return observations


def stale_talk(timeline: Timeline) -> list[Observation]:
    """Share of the eligible interruptions after whose end the agent still says what it would have said without them.

    Four words in a row of what it says after the onset in the same conversation without the interruption are begun after
    the interruption's end and before the caller next claims the floor. No occasion where that conversation is not known,
    or holds fewer than four such words.
    """
    observations = []
    for act in eligible(timeline):
        stale = is_stale(timeline, act)
        if stale is not None:
            observations.append(Observation("stale_talk", act.start, float(stale)))
    return observations


def double_talk(timeline: Timeline) -> list[Observation]:
    """Seconds that the agent speaks while an eligible interruption lasts (overlap in Full-Duplex-Bench 1.5).

    None where the recording ends before the interruption does.
    """
    return [Observation("double_talk", act.start, overlap(timeline.agent, act.start, act.end))
            for act in eligible(timeline) if timeline.known_until >= act.end]


def interruption_response(timeline: Timeline) -> list[Observation]:
    """Seconds from the end of an eligible interruption to the onset of the agent's next speech, signed.

    The first onset that follows the agent's stop and lies no more than 0.2 s before the interruption's end; censored as
    `switch_latency` is, where none comes or the agent never stops.
    """
    observations = []
    for act in eligible(timeline):
        answer = answered(timeline, act)
        if is_answer_due(timeline, act, answer):
            end = answer_limit(timeline, act) if answer is None else answer
            observations.append(
                Observation("interruption_response", act.end, moment(end - act.end), answer is None))
    return observations


def recovery_rate(timeline: Timeline) -> list[Observation]:
    """Share of the eligible interruptions from which the agent recovers.

    It stops within 1.0 s of the onset, begins an answer within 3.0 s of the end, speaks one of the phrases that the
    interruption expects, from 0.2 s before its end on and before the caller next claims the floor, and does not go on with
    what it was saying (`stale_talk`, where that is known). Interruptions that expect no phrase are no occasion, nor are
    those whose answer could not be seen.
    """
    observations = []
    for act in eligible(timeline):
        answer = answered(timeline, act)
        if act.expects and is_answer_due(timeline, act, answer):
            in_time = answer is not None and moment(answer - act.end) <= RECOVERY_SECONDS
            recovered = (yielded(timeline, act) and in_time and addressed(timeline, act) is not None
                         and not is_stale(timeline, act))
            observations.append(Observation("recovery_rate", act.start, float(recovered)))
    return observations


def recovery_time(timeline: Timeline) -> list[Observation]:
    """Seconds from an eligible interruption's onset to the first word of the first phrase that addresses it.

    Where none is spoken it is censored at the caller's next claim of the floor or at the recording's end.
    """
    observations = []
    for act in eligible(timeline):
        if act.expects and is_answer_due(timeline, act, answered(timeline, act)):
            word = addressed(timeline, act)
            end = min(next_claim(timeline, act), timeline.seconds) if word is None else word
            observations.append(Observation("recovery_time", act.start, moment(end - act.start), word is None))
    return observations


def eligible(timeline: Timeline) -> list[Act]:
    return [act for act in timeline.acts if act.kind == "interruption" and is_eligible(timeline, act)]


def is_eligible(timeline: Timeline, act: Act) -> bool:
    if not speaking(timeline.agent, act.start):
        return False
    anyway = stopped(timeline.without[act.start], act) if act.start in timeline.without else None
    return anyway is None or moment(anyway - act.start) >= LEFT_SECONDS


def stopped(timeline: Timeline, act: Act) -> float | None:
    return first_silence(timeline.agent, act.start, STOP_SILENCE_SECONDS, timeline.known_until)


def yielded(timeline: Timeline, act: Act, window: float = YIELD_SECONDS) -> bool:
    stop = stopped(timeline, act)
    return stop is not None and moment(stop - act.start) <= window


def seen(timeline: Timeline, act: Act, window: float) -> bool:
    """Whether it is known if the agent stops within `window` of an act's onset."""
    return timeline.known_until >= moment(act.start + window + STOP_SILENCE_SECONDS)


def is_stale(timeline: Timeline, act: Act) -> bool | None:
    """Whether the agent goes on after an interruption as if there had been none; None if nobody knows what that would be."""
    if act.start not in timeline.without:
        return None
    meant = in_a_row(timeline.without[act.start].words, act.start, math.inf)
    said = in_a_row(timeline.words, act.end, next_claim(timeline, act))
    return bool(meant & said) if meant else None


def in_a_row(words: tuple[Word, ...], start: float, end: float) -> set[tuple[str, ...]]:
    """All runs of four words among those that begin within [start, end)."""
    texts = [part for word in words if start <= word.start < end for part in normalised(word.text)]
    return {tuple(texts[first:first + STALE_WORDS]) for first in range(len(texts) - STALE_WORDS + 1)}


def answered(timeline: Timeline, act: Act) -> float | None:
    """Onset of the answer to an interruption, if one begins in time."""
    stop = stopped(timeline, act)
    if stop is None:
        return None
    start = first_start(timeline.agent, max(moment(act.end - EARLY_ANSWER_SECONDS), stop), answer_limit(timeline, act))
    return start if start is not None and start < answer_limit(timeline, act) else None


def addressed(timeline: Timeline, act: Act) -> float | None:
    """Onset of the first expected phrase after an interruption and before the caller's next claim."""
    spoken = first_spoken(timeline.words, act.expects, moment(act.end - EARLY_ANSWER_SECONDS),
                          next_claim(timeline, act))
    return None if spoken is None else spoken[0]
