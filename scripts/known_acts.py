"""What must be observed about the user's acts: answers, pauses, interruptions, asides, backchannels, and what was said.

Written from the definitions in the docstrings of `eval.metrics`, without its code. Who shares the time with whom is
`known_floor`'s.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Final, TypeAlias

from known_truth import ASIDES, FLOOR, SECOND, Act, Expected, Truth, common, falls_silent, next_claim, seconds, speaks

Found: TypeAlias = dict[str, list[Expected]]
TENTH: Final = SECOND // 10


def about_acts(truth: Truth) -> Found:
    """By metric, in order of time."""
    found: Found = defaultdict(list)
    for act in truth.acts:
        if act.kind in ("turn", "correction"):
            switch(truth, act, found)
        elif act.kind == "interruption":
            interruption(truth, act, found)
        elif act.kind == "pause":
            pause(truth, act, found)
        elif act.kind in ASIDES:
            aside(truth, act, found)
        if act.kind in FLOOR and act.start < act.end <= truth.length:
            listening(truth, act, found)
    return found


def see(found: Found, metric: str, at: int, value: float, censored: bool = False, per: float = 1.0) -> None:
    found[metric].append(Expected(seconds(at), float(value), censored, per))


# Answers.


def deadline(truth: Truth, act: Act) -> float:
    return min(next_claim(truth, act), act.end + 5 * SECOND, truth.known)


def answer_to(truth: Truth, act: Act) -> int | None:
    onsets = [start for start, end in truth.agent if act.start <= start < deadline(truth, act) and end > act.end]
    return min(onsets, default=None)


def due(truth: Truth, act: Act, answer: int | None) -> bool:
    if not act.answer_due or act.end > truth.length or truth.known - act.end < SECOND:
        return False
    return answer is not None or next_claim(truth, act) - act.end >= SECOND


def answers(truth: Truth) -> Iterator[tuple[Act, int]]:
    """Turns and corrections with the onset of their answer."""
    for act in truth.acts:
        if act.kind in ("turn", "correction"):
            onset = answer_to(truth, act)
            if onset is not None and due(truth, act, onset):
                yield act, onset


def switch(truth: Truth, act: Act, found: Found) -> None:
    onset = answer_to(truth, act)
    is_due = due(truth, act, onset)
    see(found, "turn_eligible", act.start, is_due)
    if not is_due:
        return
    latency = (deadline(truth, act) if onset is None else onset) - act.end
    early = onset is not None and latency < -2 * TENTH
    see(found, "switch_latency", act.end, seconds(latency), onset is None)
    see(found, "response_rate", act.end, onset is not None)
    see(found, "early_rate", act.end, early)
    see(found, "zone_natural", act.end, onset is not None and latency < 8 * TENTH)
    see(found, "zone_slow", act.end, onset is not None and 8 * TENTH <= latency <= 15 * TENTH)
    see(found, "zone_machine", act.end, onset is None or latency > 15 * TENTH)
    if onset is not None and not early:
        see(found, "answer_delay", act.end, seconds(latency))


def pause(truth: Truth, act: Act, found: Found) -> None:
    first, last = act.start + TENTH, act.end + 2 * TENTH
    begins = any(first <= start <= last for start, _ in truth.agent)
    talks_already = any(start < first < end for start, end in truth.agent)
    is_open = truth.known >= last and not talks_already
    see(found, "pause_eligible", act.start, is_open)
    if is_open:
        see(found, "pause_false_start", act.start, begins)


# Interruptions.


def interruption(truth: Truth, act: Act, found: Found) -> None:
    without = truth.without.get(act.start)
    excess(truth, without, act, found, "yield_excess", act.start + SECOND)
    eligible = speaks(truth.agent, act.start) and (
        without is None or falls_silent(without, act.start) - act.start >= SECOND // 2)
    see(found, "interruption_eligible", act.start, eligible)
    if not eligible:
        return
    stop = falls_silent(truth, act.start)
    latest = act.end + 2 * SECOND
    censored = stop > latest
    talks_until = min(latest, max(end for _, end in truth.agent))
    see(found, "stop_latency", act.start, seconds((talks_until if censored else stop) - act.start), censored)
    for metric, window in (("yield_rate_half_second", SECOND // 2), ("yield_rate", SECOND),
                           ("yield_rate_two_seconds", 2 * SECOND)):
        if truth.known - act.start >= window + 4 * TENTH:
            see(found, metric, act.start, stop - act.start <= window)
    if truth.known >= act.end:
        see(found, "double_talk", act.start, seconds(common(truth.agent, act.start, act.end)))
    stale = goes_on_as_before(truth, without, act)
    if stale is not None:
        see(found, "stale_talk", act.start, stale)
    recovery(truth, act, stop, bool(stale), found)


def recovery(truth: Truth, act: Act, stop: float, stale: bool, found: Found) -> None:
    onset = min((start for start, _ in truth.agent
                 if max(act.end - 2 * TENTH, stop) <= start < deadline(truth, act)), default=None)
    if not due(truth, act, onset):
        return
    wait = (deadline(truth, act) if onset is None else onset) - act.end
    see(found, "interruption_response", act.end, seconds(wait), onset is None)
    if not act.expects:
        return
    spoken = first_phrase(truth, act.expects, act.end - 2 * TENTH, next_claim(truth, act))
    recovered = (stop - act.start <= SECOND and onset is not None and wait <= 3 * SECOND and spoken is not None and not stale)
    see(found, "recovery_rate", act.start, recovered)
    heard_by = min(next_claim(truth, act), truth.length) if spoken is None else spoken[0]
    see(found, "recovery_time", act.start, seconds(heard_by - act.start), spoken is None)


def goes_on_as_before(truth: Truth, without: Truth | None, act: Act) -> bool | None:
    if without is None:
        return None
    meant = [text for text, start, _ in without.words if start >= act.start]
    said = [text for text, start, _ in truth.words if act.end <= start < next_claim(truth, act)]
    if len(meant) < 4:
        return None
    joined = f" {' '.join(meant)} "
    return any(f" {' '.join(said[first:first + 4])} " in joined for first in range(len(said) - 3))


def excess(truth: Truth, without: Truth | None, act: Act, found: Found, metric: str, until: float) -> None:
    """How much more it stops by `until` than it would have done anyway."""
    if without is None or min(truth.known, without.known) - until < 4 * TENTH:
        return
    here, there = (int(falls_silent(one, act.start) <= until) for one in (truth, without))
    see(found, metric, act.start, here - there, per=1 - there)


# Asides.


def aside(truth: Truth, act: Act, found: Found) -> None:
    talks = speaks(truth.agent, act.start)
    see(found, f"{act.kind}_eligible", act.start, talks)
    if talks:
        spoken_into(truth, act, found)
    until = act.end + 2 * SECOND
    if next_claim(truth, act) > until and truth.known >= until and is_idle(truth, act.start):
        answers_it = any(act.start <= start <= until for start, _ in truth.agent)
        for metric in ("false_response", f"{act.kind}_response"):
            see(found, metric, act.start, answers_it)


def spoken_into(truth: Truth, act: Act, found: Found) -> None:
    claim = next_claim(truth, act)
    until = min(act.end + SECOND, claim)
    stop = falls_silent(truth, act.start)
    without = truth.without.get(act.start)
    excess(truth, without, act, found, f"{act.kind}_stop_excess", until)
    rest = first_phrase(truth, act.expects, act.start, claim)
    if act.expects:
        see(found, f"{act.kind}_kept", act.start, rest is not None)
    if truth.known - until < 4 * TENTH:
        return
    would_have = math.inf if without is None else falls_silent(without, act.start)
    said_all = (rest is not None and rest[1] <= stop + 2 * TENTH
                and not any(stop <= start <= claim for start, _ in truth.agent))
    see(found, f"{act.kind}_continue", act.start, stop > until or would_have <= stop + TENTH or said_all)


def is_idle(truth: Truth, at: int) -> bool:
    if common(truth.agent, at - SECOND, at) or speaks(truth.agent, at):
        return False
    for act in truth.acts:
        if act.kind in FLOOR and act.answer_due and act.start <= at < deadline(truth, act):
            onset = answer_to(truth, act)
            if onset is None or onset >= at:
                return False
    return True


# While the user speaks.


def listening(truth: Truth, act: Act, found: Found) -> None:
    """Backchannels of the agent, and the floor it takes."""
    minutes = seconds(act.end - act.start) / 60
    begun = [unit for unit in truth.agent if act.start <= unit[0] < act.end]
    backchannels = [unit for unit in begun if unit[1] <= act.end and is_backchannel(truth, unit)]
    thefts = [unit for unit in begun if unit[0] < act.end - 2 * TENTH and unit not in backchannels]
    see(found, "agent_backchannels", act.start, len(backchannels), per=minutes)
    see(found, "floor_theft", act.start, len(thefts), per=minutes)
    marks = sorted({other.start for other in truth.acts
                    if other.kind in ("pause", "opportunity") and act.start <= other.start < act.end})
    if marks:
        timing(act, backchannels, marks, found)


def is_backchannel(truth: Truth, unit: tuple[int, int]) -> bool:
    start, end = unit
    return end - start <= SECOND and not common(truth.agent, start - 8 * TENTH, start) and not common(
        truth.agent, end, end + 8 * TENTH)


def timing(act: Act, said: list[tuple[int, int]], marks: list[int], found: Found) -> None:
    left = list(marks)
    hits = 0
    for start, _ in said:
        near = [mark for mark in left if abs(start - mark) <= SECOND // 2]
        hits += bool(near)
        see(found, "backchannel_precision", start, bool(near))
        if near:
            left.remove(near[0])
    for mark in marks:
        see(found, "backchannel_recall", mark, mark not in left)
    step = TENTH // 10  # marks and acts lie on 10 ms
    inside = sum(any(mark - SECOND // 2 <= at < mark + SECOND // 2 for mark in marks) for at in range(act.start, act.end, step))
    chance = inside * step * len(said) / (act.end - act.start)
    most = min(len(said), len(marks))
    if inside * step * len(said) < most * (act.end - act.start):
        see(found, "backchannel_skill", act.start, hits - chance, per=most - chance)


def first_phrase(truth: Truth, phrases: tuple[str, ...], start: float, end: float) -> tuple[int, int] | None:
    """Onset and end of the first of these phrases that is begun within [start, end)."""
    found = [span for phrase in phrases for span in said(truth, phrase) if start <= span[0] < end]
    return min(found, default=None)


def said(truth: Truth, phrase: str) -> list[tuple[int, int]]:
    words = phrase.split()
    texts = [text for text, _, _ in truth.words]
    return [(truth.words[first][1], truth.words[first + len(words) - 1][2])
            for first in range(len(texts)) if texts[first:first + len(words)] == words]


