"""Full-Duplex-Bench v1 (Lin et al., 2025, arXiv 2503.04721) by its own rules, beside which ours stand in one table.

Written from the definitions in its paper and in a reading of its evaluation at commit d7336bd; its recogniser, its judge and
its data are not here. Version 1.5 has a file of its own. What its numbers do not mean stands with each rule.

It measures words, which a recogniser hears in the agent's file. Here they are the agent's own where it logs them, else a
recogniser's. Where nobody knows them each inter-pausal unit stands for one word, so that length alone decides.

It holds one number a file; here one for each act, so that the rule reaches calls of many turns. The stretch of an act goes
from its start to the caller's next claim of the floor or the recording's end; that of the first claim begins with the
recording, since Full-Duplex-Bench hears the whole file. In a call of the shape of its items the two are the same.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from duplex.frame import Word
from duplex.recording import moment
from eval.activity import Segment
from eval.metrics import human
from eval.metrics.metric import Metric
from eval.metrics.occasions import Observation, next_claim
from eval.metrics.switch import SWITCH_KINDS
from eval.timeline import FLOOR_KINDS, OPPORTUNITY, PAUSE, Act, Timeline, first_silence, speaking

FAMILY: Final = "Full-Duplex-Bench v1"
BACKCHANNEL: Final = "fdb1_backchannel"  # category of its clips of a party who listens
DISTRIBUTION: Final = "backchannel_distribution"  # fact of a clip: where 118 people would have said one
PARTNER_LATENCY: Final = "partner_latency"  # fact of a clip: the original partner's, seconds, signed
SHORT_SECONDS, FEW_WORDS = 1.0, 3  # of what does not take the floor
LONG_SECONDS, SHORT_WORDS = 3.0, 2  # of a segment that is a turn, and of one that is none
BIN_SECONDS: Final = 0.2
EPSILON: Final = 1e-10
EMPTY_DISTANCE: Final = 1.0  # out of the range of the distance, whose most is 0.8326
STOP_SILENCE_SECONDS: Final = 0.4  # as in `eval.metrics.interruption`
CHANCE_DRAWS: Final = 200

METRICS: Final = (
    Metric("fdb1_pause_tor", "Take-over in turns with a pause", "share", "lower", "rate",
           "any word, but for 3 in under 1 s; published: Moshi 98 %, PersonaPlex 58-66 %, GPT-Realtime 1-12 %", family=FAMILY),
    Metric("fdb1_turn_tor", "Take-over after turns", "share", "higher", "rate",
           "any word, but for 3 in under 1 s; published: PersonaPlex 99 %, Moshi 94 %, GPT-Realtime 100 %", family=FAMILY),
    Metric("fdb1_latency", "Latency, early answers set to 0", "s", "lower", "mean",
           "mean of max(0, first word - end of turn); published: PersonaPlex 0.070 s, its released checkpoint 0.170 s, Moshi "
           "0.265 s, GPT-Realtime 1.470 s", human=human.CLAMPED_MEAN, family=FAMILY),
    Metric("fdb1_clamped_share", "Of these latencies, set to 0", "share", "neither", "rate",
           "the first word began before the turn's end; no published row says how many", human=human.BELOW_ZERO,
           family=FAMILY),
    Metric("fdb1_partner_latency", "Latency of the original partner", "s", "neither", "mean",
           "by the same rule, from the dataset's annotation: what a person did in the agent's place", family=FAMILY),
    Metric("fdb1_interruption_tor", "Take-over after interruptions", "share", "higher", "rate",
           "talking through counts as well; published: Moshi and PersonaPlex 100 %, GPT-Realtime 97 %", family=FAMILY),
    Metric("fdb1_interruption_latency", "Latency after interruptions", "s", "lower", "mean",
           "first word heard after the interruption's end, 0 for who never stopped; published: Moshi 0.257 s, PersonaPlex "
           "0.400 s, GPT-Realtime 1.500 s", family=FAMILY),
    Metric("fdb1_talked_through_share", "Of these latencies, by an agent that had not stopped", "share", "lower", "rate",
           "no silence of 0.4 s since the interruption began", family=FAMILY),
    Metric("fdb1_backchannel_tor", "Take-over while listening", "share", "lower", "rate",
           "the last segment decides; published: Moshi 100 %, PersonaPlex 33 %, GPT-Realtime 0 %", family=FAMILY),
    Metric("fdb1_backchannel_freq", "Segments of at most 3 s while listening", "/s", "higher", "mean",
           "whatever they are; published: PersonaPlex 0.025, dGSLM 0.015, Moshi 0.001", family=FAMILY),
    Metric("fdb1_backchannel_jsd", "Distance to where people say backchannels", "distance", "lower", "mean",
           "Jensen-Shannon, 0 to 0.83, 1 for none; published: PersonaPlex 0.649, GPT-Realtime 0.980; a uniform guess has 0.245",
           family=FAMILY),
    Metric("fdb1_backchannel_jsd_chance", "That distance by chance", "distance", "neither", "mean",
           "as many segments of the same lengths, placed at random", family=FAMILY),
)


def pause_handling(timeline: Timeline) -> list[Observation]:
    """`fdb1_pause_tor`: share of the turns with a pause in them during which the agent takes the floor.

    Any word counts, before or within the pause or not (eval_pause_handling, whole file). Its clips end with the speech, so a
    turn to which an answer is due is cut at its end. `pause_false_start` is what happens in the pause.
    """
    return [Observation("fdb1_pause_tor", act.start, float(takes_over(words_in(timeline, *during(timeline, act)))))
            for act in timeline.acts if act.kind in FLOOR_KINDS and within(timeline, act, PAUSE)]


def smooth_turn_taking(timeline: Timeline) -> list[Observation]:
    """`fdb1_turn_tor`: share of the turns and corrections without a pause, answer due, in whose stretch the agent takes the
    floor. `fdb1_latency`: max(0, onset of the first word in the stretch - end of the turn), of these alone.

    (eval_smooth_turn_taking.) A greeting counts as the answer, silence not at all, and who begins 3 s early has 0.000 s:
    `fdb1_clamped_share` is the share of these latencies that were negative. `switch_latency` is ours: signed and censored.
    """
    observations = []
    for act in timeline.acts:
        if act.kind in SWITCH_KINDS and act.answer_due and not within(timeline, act, PAUSE):
            words = words_in(timeline, *stretch(timeline, act))
            took = takes_over(words)
            observations.append(Observation("fdb1_turn_tor", act.end, float(took)))
            if took:
                early = words[0].start < act.end
                observations += [
                    Observation("fdb1_latency", act.end, max(0.0, moment(words[0].start - act.end))),
                    Observation("fdb1_clamped_share", act.end, float(early))]
    return observations


def user_interruption(timeline: Timeline) -> list[Observation]:
    """`fdb1_interruption_tor`: share of the interruptions after whose end the agent takes the floor.
    `fdb1_interruption_latency`: from that end to the first word heard after it, of these alone.

    (eval_user_interruption: the file is cut at the interruption's end before anything is recognised, so a word that is being
    said there begins there.) Whoever never stops "answers" at once, and interruptions that come after the agent has finished
    count as well. `fdb1_talked_through_share` says of how many latencies the agent spoke at the interruption's onset and had
    no silence of 0.4 s since. Ours: `yield_rate`, `interruption_response`.
    """
    observations = []
    for act in timeline.acts:
        if act.kind == "interruption" and act.answer_due:
            words = cut(timeline, act.end, stretch(timeline, act)[1])
            took = takes_over(words)
            observations.append(Observation("fdb1_interruption_tor", act.end, float(took)))
            if took:
                observations += [
                    Observation("fdb1_interruption_latency", act.end, moment(words[0].start - act.end)),
                    Observation("fdb1_talked_through_share", act.end, float(talks_through(timeline, act)))]
    return observations


MEASURES: Final[tuple[Callable[[Timeline], list[Observation]], ...]] = (pause_handling, smooth_turn_taking, user_interruption)


def with_facts(timeline: Timeline, facts: Mapping[str, Any]) -> list[Observation]:
    """What takes more than times: the backchannel subset, and what the original partner did.

    `fdb1_backchannel_tor`, `fdb1_backchannel_freq`: `listened` in the clip of a party who listens; in our own calls, during
    each turn in which opportunities are marked. `fdb1_backchannel_jsd`: `distance` of the segments to the clip's own
    distribution, where it has one; `fdb1_backchannel_jsd_chance`: `distance_by_chance` of as many.

    `fdb1_partner_latency`: max(0, t1 - t0) of the annotation, t1 being the original partner's onset.
    """
    observations, is_clip = [], facts.get("category") == BACKCHANNEL
    for act in timeline.acts:
        if act.kind == "turn" and (is_clip or within(timeline, act, OPPORTUNITY)):
            start, end = during(timeline, act)
            if end <= start:  # the recording broke off before
                continue
            took, events = listened(timeline, start, end)
            observations += [
                Observation("fdb1_backchannel_tor", act.start, float(took)),
                Observation("fdb1_backchannel_freq", act.start, len(events) / (end - start))]
            if is_clip and DISTRIBUTION in facts:
                people = np.array(facts[DISTRIBUTION], float)
                observations += [
                    Observation("fdb1_backchannel_jsd", act.start, distance(events, end - start, people)),
                    Observation("fdb1_backchannel_jsd_chance", act.start, distance_by_chance(events, end - start, people))]
        if act.kind == "turn" and PARTNER_LATENCY in facts:
            observations.append(Observation("fdb1_partner_latency", act.end, max(0.0, float(facts[PARTNER_LATENCY]))))
    return observations


def takes_over(words: Sequence[Word]) -> bool:
    """The take-over rule: words that last 1.0 s or more from the first's onset to the last's end, or are more than three.

    The paper has fewer than two words for a backchannel, its evaluation three. `words` are in order.
    """
    return bool(words) and (len(words) > FEW_WORDS or moment(words[-1].end - words[0].start) >= SHORT_SECONDS)


def listened(timeline: Timeline, start: float, end: float) -> tuple[bool, list[Segment]]:
    """Whether an agent that should listen takes the floor, and its segments of at most 3 s, from `start` on.

    (eval_backchannel.) Segment by segment: one longer than 3 s takes it, and ends the count; any other takes it unless it is
    shorter than 1 s with at most two words, and whatever the segments before did is forgotten. Every segment of at most 3 s is
    counted, turns too. Segments are inter-pausal units, not those of Silero, which drops what is shorter than 0.25 s and in
    their evaluation takes every file for 16 kHz.
    """
    took = False
    events: list[Segment] = []
    for unit in timeline.agent:
        if not start <= unit.start < end:
            continue
        length = moment(unit.end - unit.start)
        if length > LONG_SECONDS:
            return True, events
        num_words = len([word for word in known_words(timeline) if word.start < unit.end and word.end > unit.start])
        took = num_words > SHORT_WORDS or length >= SHORT_SECONDS
        events.append(Segment(moment(unit.start - start), moment(unit.end - start)))
    return took, events


def distance(events: Sequence[Segment], seconds: float, people: np.ndarray) -> float:
    """Jensen-Shannon distance (its square root, natural logarithm: 0 to 0.8326) of events in a clip to a distribution.

    Without any event 1.0, which lies outside the range. More and longer events lower it more than well-timed ones: set it
    beside `distance_by_chance`.

    Args:
        events: seconds from the clip's start.
        seconds: length of the clip.
        people: (num_windows,) any positive weights; interpolated to as many windows of 0.2 s as the clip has.
    """
    return jensen_shannon(histogram(events, seconds), stretched(people, num_bins(seconds))) if events else EMPTY_DISTANCE


def distance_by_chance(events: Sequence[Segment], seconds: float, people: np.ndarray) -> float:
    """The mean distance of 200 random placements of events of the same lengths; always the same for the same events."""
    if not events:
        return EMPTY_DISTANCE
    random, wanted = np.random.default_rng(len(events)), stretched(people, num_bins(seconds))
    lengths = np.array([end - start for start, end in events])
    starts = random.uniform(0.0, np.maximum(seconds - lengths, 0.0), (CHANCE_DRAWS, len(events)))
    return float(np.mean([
        jensen_shannon(histogram([Segment(*event) for event in zip(drawn, drawn + lengths)], seconds), wanted)
        for drawn in starts]))


def histogram(events: Sequence[Segment], seconds: float) -> np.ndarray:
    """How many events touch each window of 0.2 s of a clip, and 1e-10: both edges' windows count, those beyond it do not."""
    counts = np.full(num_bins(seconds), EPSILON)
    for start, end in events:
        counts[int(start / BIN_SECONDS):int(end / BIN_SECONDS) + 1] += 1.0
    return counts


def num_bins(seconds: float) -> int:
    return int(seconds / BIN_SECONDS) + 1


def stretched(weights: np.ndarray, length: int) -> np.ndarray:
    """`weights` interpolated linearly, first to first and last to last."""
    return np.interp(np.linspace(0.0, 1.0, length), np.linspace(0.0, 1.0, len(weights)), weights)


def jensen_shannon(first: np.ndarray, second: np.ndarray) -> float:
    """Distance of two distributions, given as weights: the root of the divergence, natural logarithm."""
    first, second = first / first.sum(), second / second.sum()
    middle = (first + second) / 2.0

    def divergence(of: np.ndarray) -> float:
        some = of > 0.0
        return float(np.sum(of[some] * np.log(of[some] / middle[some])))

    return float(np.sqrt(max(0.0, (divergence(first) + divergence(second)) / 2.0)))


def stretch(timeline: Timeline, act: Act) -> tuple[float, float]:
    """From an act to the next claim; see the top of this file."""
    first = next(claim for claim in timeline.acts if claim.kind in FLOOR_KINDS)
    return 0.0 if act == first else act.start, min(next_claim(timeline, act), timeline.seconds)


def during(timeline: Timeline, act: Act) -> tuple[float, float]:
    """The stretch of an act, up to its end if an answer is due after it."""
    start, end = stretch(timeline, act)
    return start, min(act.end, end) if act.answer_due else end


def within(timeline: Timeline, act: Act, kind: str) -> bool:
    return any(inner.kind == kind and act.start <= inner.start < act.end for inner in timeline.acts)


def known_words(timeline: Timeline) -> Sequence[Word]:
    """The agent's, or a word for each of its units where nobody knows any."""
    return timeline.words or [Word("", unit.start, unit.end) for unit in timeline.agent]


def words_in(timeline: Timeline, start: float, end: float) -> list[Word]:
    """The agent's words that begin in a stretch, as far as they lie in it."""
    return [Word(word.text, word.start, min(word.end, end)) for word in known_words(timeline) if start <= word.start < end]


def cut(timeline: Timeline, start: float, end: float) -> list[Word]:
    """What can be heard of the agent's words in a stretch."""
    return [Word(word.text, max(word.start, start), min(word.end, end)) for word in known_words(timeline)
            if word.end > start and word.start < end]


def talks_through(timeline: Timeline, act: Act) -> bool:
    """Whether the agent speaks when an act begins, and has not stopped when it ends."""
    stop = first_silence(timeline.agent, act.start, STOP_SILENCE_SECONDS, timeline.known_until)
    return speaking(timeline.agent, act.start) and (stop is None or stop >= act.end)
