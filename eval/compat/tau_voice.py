"""tau-voice's interaction panel by its own rules (tau2-bench, `docs/interaction-metrics.md`, v1.0), on ticks of 0.2 s.

Its simulated user, tasks and rewards are not here, nor are our rules, which stand in the same table.

A tick contains speech if any of it does. tau-voice calls speech whatever bytes were sent. Of the caller that is every
act from onset to offset, with the pauses inside it, and speech that no act explains; of the agent it is units of
audible speech, or a model that streams all the time would speak all the time. A cough or a noise is its vocal tic, side
talk and background talk its non-directed speech; both are effects, which sound without being the caller's speech.

A segment is a run of ticks with speech. The last tick is dropped if the caller speaks in it and not in the one before.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from duplex.recording import moment
from eval.activity import runs
from eval.metrics.metric import Metric
from eval.metrics.occasions import Observation
from eval.timeline import FLOOR_KINDS, PAUSE, Act, Timeline

TICK_SECONDS: Final = 0.2
INTERRUPTION_TICKS: Final = 10  # 2.0 s in which to yield to an interruption
ASIDE_TICKS: Final = 5  # 1.0 s in which not to yield to anything else
RESPONSE_TICKS: Final = 10  # 2.0 s in which not to answer an effect
BACKCHANNEL: Final = "backchannel"
TIC_KINDS: Final = ("cough", "noise")
NON_DIRECTED_KINDS: Final = ("side_talk", "background_talk")
SELECTIVITY: Final = {BACKCHANNEL: "tau_backchannel_selectivity", "tic": "tau_tic_selectivity",
                      "non_directed": "tau_non_directed_selectivity"}
FAMILY: Final = "tau-voice"

METRICS: Final[tuple[Metric, ...]] = (
    Metric("tau_response_latency", "L_R: response latency", "s", "lower", "mean",
           "never below 0.2 s, and only of turns that were answered; published: 1.2 to 4.2 s",
           among="tau_response_rate", family=FAMILY),
    Metric("tau_response_rate", "R_R: turns answered", "share", "higher", "rate",
           "with no limit of time, but for the caller's next turn; published: 79 to 100 %", among="tau_unmeasured",
           family=FAMILY),
    Metric("tau_unmeasured", "Turns that L_R and R_R leave out", "share", "lower", "rate",
           "the agent spoke in the 0.2 s after them, or nothing followed; not of its panel", family=FAMILY),
    Metric("tau_yield_latency", "L_Y: yield latency", "s", "lower", "mean",
           "to the first silent 0.2 s, if within 2 s; published: 0.4 to 1.4 s", among="tau_yield_rate", family=FAMILY),
    Metric("tau_yield_rate", "R_Y: interruptions yielded to", "share", "higher", "rate",
           "one silent 0.2 s within 2 s, or the end of the answer; published: 50 to 100 %", family=FAMILY),
    Metric("tau_agent_interruptions", "I_A: interruptions by the agent", "per turn", "lower", "ratio",
           "onsets while the caller speaks, per turn that was or was not answered; published: 0.10 to 0.84",
           family=FAMILY),
    Metric("tau_backchannel_selectivity", "S_BC: backchannels talked through", "share", "higher", "rate",
           "no silent 0.2 s within 1 s; published: 2 to 94 %", family=FAMILY),
    Metric("tau_tic_selectivity", "S_VT: coughs and noises let pass", "share", "higher", "rate",
           "neither silenced nor answered; published: 5 to 62 %", family=FAMILY),
    Metric("tau_non_directed_selectivity", "S_ND: talk to others let pass", "share", "higher", "rate",
           "neither silenced nor answered; published: 10 to 58 %", family=FAMILY),
)


def responses(timeline: Timeline) -> list[Observation]:
    """`tau_response_rate` (R_R), `tau_response_latency` (L_R, seconds) and what they leave out (`tau_unmeasured`).

    A segment of the caller is valid if it is no backchannel and the agent does not speak in the tick after it. If the
    agent starts a segment after it, and no later than the tick in which the next valid segment starts, it is answered,
    with a latency from its end to that start; if another valid segment comes first, it is not answered; if nothing
    follows it is dropped. There is no limit of time.

    What this does: an answer within 0.2 s of the caller's end makes the turn invalid, so L_R is never below 0.2 s and a
    quick agent loses its best answers; so does one that answers early. An agent that falls silent for good loses one
    turn. Published L_R, R_R: gpt-realtime-1.5 1.39 s, .999; gemini-3.1 (high) 3.15, .847; grok think-fast-1.0 1.21,
    1.0; LiveKit cascade 4.24, .791.
    """
    ticks = ticks_of(timeline)
    valid = [turn for turn in ticks.turns if not ticks.agent[turn.end:turn.end + 1].any()]
    observations = []
    for turn, following in zip(valid, [*valid[1:], None]):
        answer = next((segment.start for segment in ticks.agent_segments if segment.start >= turn.end), None)
        if answer is None and following is None:
            continue
        answered = answer is not None and (following is None or answer <= following.start)
        observations.append(Observation("tau_response_rate", seconds(turn.end), float(answered)))
        if answer is not None and answered:
            observations.append(Observation("tau_response_latency", seconds(turn.end), seconds(answer - turn.end)))
    measured = {observation.start for observation in observations}
    return observations + [Observation("tau_unmeasured", seconds(turn.end), float(seconds(turn.end) not in measured))
                           for turn in ticks.turns]


def yields(timeline: Timeline) -> list[Observation]:
    """`tau_yield_rate` (R_Y) and `tau_yield_latency` (L_Y, seconds) of the caller's interruptions.

    An interruption is a segment of the caller that is no backchannel and holds no effect, in whose first tick the agent
    speaks. The agent yields in the first tick without its speech, if that begins within 2.0 s of the segment's start.

    What this does: one silent tick inside an answer that goes on is a yield, and so is the answer's natural end. L_Y is
    at least 0.2 s and averages the yields alone. A turn that follows an early answer is an interruption too, whatever
    the caller meant. Published L_Y, R_Y: gpt-realtime-1.5 .42 s, 1.0; gemini-live-2.5 .86, .564; LiveKit cascade .87,
    .988.
    """
    ticks, observations = ticks_of(timeline), []
    for segment in ticks.user_segments:
        if segment.kind == "speech" and ticks.agent[segment.start]:
            tick = first_silent(ticks, segment.start, INTERRUPTION_TICKS)
            observations.append(Observation("tau_yield_rate", seconds(segment.start), float(tick is not None)))
            if tick is not None:
                observations.append(
                    Observation("tau_yield_latency", seconds(segment.start), seconds(tick - segment.start)))
    return observations


def agent_interruptions(timeline: Timeline) -> list[Observation]:
    """`tau_agent_interruptions` (I_A): segments that the agent starts while the caller speaks, backchannels among them,
    over the turns that R_R counts. It may exceed 1. One observation a conversation; none where both counts are 0.

    Published: gpt-realtime-1.5 .135, grok-voice-fast-1.0 .843, LiveKit cascade .644.
    """
    ticks = ticks_of(timeline)
    count = sum(bool(ticks.user[segment.start]) for segment in ticks.agent_segments)
    chances = sum(observation.metric == "tau_response_rate" for observation in responses(timeline))
    return [Observation("tau_agent_interruptions", 0.0, float(count), per=float(chances))] if count or chances else []


def selectivity(timeline: Timeline) -> list[Observation]:
    """`tau_backchannel_selectivity` (S_BC), `tau_tic_selectivity` (S_VT) and `tau_non_directed_selectivity` (S_ND): 1
    where the agent lets pass what asks nothing of it, 0 where it errs.

    A segment of the caller is a backchannel by the act that begins it, else a tic or non-directed if it holds such an
    effect. With the agent speaking in its first tick, a tick without the agent's speech within 1.0 s is an error. With
    the agent silent, a segment of the agent that starts between its start and 2.0 s after its end is an error; for a
    backchannel that is no occasion. An effect outside the caller's speech is judged in the same way while the agent is
    silent; while it speaks, the end of the agent's segment within 1.0 s of the effect's start is an error, and anything
    else is no occasion.

    What this does: the natural end of an answer is an error; an agent that talks through a cough earns nothing for it,
    so S_VT and S_ND are biased low; answering within 2.0 s a turn that holds a cough is an error. Published S_BC, S_VT,
    S_ND: gpt-realtime-1.5 .019, .053, .097; gemini-3.1 (high) .941, .617, .431; LiveKit cascade .667, .489, .577.
    """
    ticks = ticks_of(timeline)
    judged = [(segment, in_turn_error(ticks, segment))
              for segment in ticks.user_segments if segment.kind in SELECTIVITY]
    judged += [(effect, out_of_turn_error(ticks, effect)) for effect in ticks.effects]
    return [Observation(SELECTIVITY[segment.kind], seconds(segment.start), float(not error))
            for segment, error in judged if error is not None]


MEASURES: Final[tuple[Callable[[Timeline], list[Observation]], ...]] = (
    responses, yields, agent_interruptions, selectivity)


class Span(NamedTuple):
    """A segment or an effect.

    Attributes:
        start: its first tick.
        end: the tick behind its last.
        kind: "backchannel", "tic", "non_directed", or "speech".
    """

    start: int
    end: int
    kind: str = "speech"


class Ticks(NamedTuple):
    """A conversation as tau-voice sees it.

    Attributes:
        user: (num_ticks,) bool, contains speech of the caller.
        agent: (num_ticks,) bool.
        user_segments: in order.
        agent_segments: in order.
        effects: tics and non-directed speech in none of whose ticks the caller speaks.
    """

    user: np.ndarray
    agent: np.ndarray
    user_segments: list[Span]
    agent_segments: list[Span]
    effects: list[Span]

    @property
    def turns(self) -> list[Span]:
        """The caller's segments but backchannels."""
        return [segment for segment in self.user_segments if segment.kind != BACKCHANNEL]


def ticks_of(timeline: Timeline) -> Ticks:
    acts = [act for act in timeline.acts if act.kind in (*FLOOR_KINDS, BACKCHANNEL)]
    sounding = [act for act in timeline.acts if act.kind != PAUSE and act.end > act.start]
    unexplained = [unit for unit in timeline.user
                   if not any(act.start < unit.end and unit.start < act.end for act in sounding)]
    num_ticks = last_tick(timeline.seconds)
    spoken = [*(span(act.start, act.end) for act in acts), *(span(*unit) for unit in unexplained)]
    user, agent = (contains_speech(spans, num_ticks) for spans in (spoken, [span(*unit) for unit in timeline.agent]))
    if num_ticks > 1 and user[-1] and not user[-2]:
        user, agent = user[:-1], agent[:-1]
    sounds = [span(act.start, act.end, effect_kind(act)) for act in timeline.acts if effect_kind(act)]
    return Ticks(user, agent,
                 [Span(start, end, kind_of(acts, sounds, start, end)) for start, end in segments(user)],
                 [Span(start, end) for start, end in segments(agent)],
                 [sound for sound in sounds if sound.start < len(user) and not user[sound.start:sound.end].any()])


def effect_kind(act: Act) -> str:
    return "tic" if act.kind in TIC_KINDS else "non_directed" if act.kind in NON_DIRECTED_KINDS else ""


def kind_of(acts: Sequence[Act], effects: Sequence[Span], start: int, end: int) -> str:
    """What a segment of the caller is: a backchannel before a tic, a tic before non-directed speech."""
    first = next((act for act in acts if act.start < seconds(end) and act.end > seconds(start)), None)
    if first is not None and first.kind == BACKCHANNEL:
        return BACKCHANNEL
    within = {effect.kind for effect in effects if effect.start < end and effect.end > start}
    return next((kind for kind in ("tic", "non_directed") if kind in within), "speech")


def in_turn_error(ticks: Ticks, segment: Span) -> bool | None:
    """Whether the agent errs at a segment of the caller; None where that is no occasion."""
    if ticks.agent[segment.start]:
        return first_silent(ticks, segment.start, ASIDE_TICKS) is not None
    return None if segment.kind == BACKCHANNEL else answers(ticks, segment)


def out_of_turn_error(ticks: Ticks, effect: Span) -> bool | None:
    """Whether the agent errs at an effect outside the caller's speech; None where that is no occasion."""
    if not ticks.agent[effect.start]:
        return answers(ticks, effect)
    until = next(segment.end for segment in ticks.agent_segments if segment.end > effect.start)
    return True if until - effect.start <= ASIDE_TICKS else None


def answers(ticks: Ticks, sound: Span) -> bool:
    return any(sound.start <= segment.start <= sound.end + RESPONSE_TICKS for segment in ticks.agent_segments)


def first_silent(ticks: Ticks, start: int, within: int) -> int | None:
    """The first tick without the agent's speech that begins at most `within` ticks after `start`."""
    until = min(start + within + 1, len(ticks.agent))
    return next((tick for tick in range(start, until) if not ticks.agent[tick]), None)


def span(start: float, end: float, kind: str = "speech") -> Span:
    """The ticks that a stretch of time touches."""
    return Span(math.floor(round(start / TICK_SECONDS, 6)), last_tick(end), kind)


def last_tick(time: float) -> int:
    """The tick behind the last that holds any of the time before `time`."""
    return math.ceil(round(time / TICK_SECONDS, 6))


def contains_speech(spans: Sequence[Span], num_ticks: int) -> np.ndarray:
    flags = np.zeros(num_ticks, bool)
    for start, end, _ in spans:
        flags[start:end] = True
    return flags


def segments(flags: np.ndarray) -> list[tuple[int, int]]:
    starts, ends = runs(flags)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def seconds(ticks: int) -> float:
    return moment(ticks * TICK_SECONDS)
