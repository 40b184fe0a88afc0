"""EVA's turn-taking score by its own rules (ServiceNow, `docs/metrics/turn_taking.md`, v0.2; arXiv 2605.13841).

Its simulator, its judges and the rest of EVA-X are not here, nor are our rules, which stand in the same table.

A turn begins where the caller claims the floor and lasts until the next claim. Its segments are the caller's speech in
that act, silences under 0.6 s bridged as EVA's simulator does, and the units that the agent begins in it. Backchannels,
coughs and side talk are nobody's turn. What the agent says before the caller's first turn is EVA's turn 0, the
greeting, and is not scored. A turn needs both sides; only where the caller's last turn stays without a reply that was
due, and the recording shows the turn whole, does it score 0 ("agent timeout").

A turn with tools is one in which the agent logs an event "tool_call"; agents that call none are held to the curve
without.

What these rules do: people's timing is penalised (0.08 s, their median, scores .58; 0.5 to 2.0 s scores 1); an agent's
backchannel is an interruption; an answer that ends by itself just as the caller begins has yielded; a turn in mid-call
that is never answered is left out, so that one who talks through an interruption is judged only by the last.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from duplex.recording import moment
from eval.activity import Segment
from eval.metrics.metric import Metric
from eval.metrics.occasions import Observation
from eval.timeline import FLOOR_KINDS, Act, Timeline

USER_SILENCE_SECONDS: Final = 0.6
LEAST_OVERLAP_SECONDS: Final = 0.001
WORST_SECONDS: Final = 2.0  # of overlap, and of going on when interrupted
EARLY_SECONDS: Final = 0.2
LATE_SECONDS: Final = 2.75
LATE_WITH_TOOLS_SECONDS: Final = 4.0
PASS: Final = 0.8
TOOL_CALL: Final = "tool_call"
FAMILY: Final = "EVA"

METRICS: Final[tuple[Metric, ...]] = (
    Metric("eva_turn_taking", "Turn-taking score", "of 1", "higher", "mean",
           "mean over a conversation's turns; published: 0.28 to 0.88", family=FAMILY),
    Metric("eva_turn_taking_pass", "Conversations that pass", "share", "higher", "rate",
           "with a turn-taking score of at least 0.8", family=FAMILY),
    Metric("eva_turn_score", "Score of a turn", "of 1", "higher", "mean",
           "1 from 0.5 to 2.0 s; people's 0.08 s would score 0.58", family=FAMILY),
    Metric("eva_latency_p50", "Latency, median of each conversation", "s", "lower", "mean",
           "over turns with a reply, negative where the agent interrupts; published: 1.5 to 1.9 s", family=FAMILY),
    Metric("eva_latency_p90", "Latency, 90th percentile of each conversation", "s", "lower", "mean",
           "over turns with a reply", family=FAMILY),
    Metric("eva_early", "Turns answered early", "share", "lower", "rate",
           "in less than 0.2 s after their end, as more than half of people's are", family=FAMILY),
    Metric("eva_on_time", "Turns answered on time", "share", "higher", "rate",
           "0.2 to 2.75 s after their end, with tools 4.0 s", family=FAMILY),
    Metric("eva_late", "Turns answered late", "share", "lower", "rate",
           "2.75 s after their end or later, with tools 4.0 s", family=FAMILY),
    Metric("eva_agent_interruption", "Turns that the agent interrupts", "share", "lower", "rate",
           "it begins to speak while the caller does, be it \"uh huh\"", family=FAMILY),
    Metric("eva_user_interruption", "Turns that interrupt the agent", "share", "neither", "rate",
           "the caller begins while the agent speaks", family=FAMILY),
    Metric("eva_yield", "Yield latency", "s", "lower", "mean",
           "how long the agent goes on when the caller begins, be it to its own end", family=FAMILY),
)


def scores(timeline: Timeline) -> list[Observation]:
    """`eva_turn_score` of each turn, their mean in a conversation (`eva_turn_taking`), and whether that is at least 0.8
    (`eva_turn_taking_pass`).

    The score of a turn is `latency_score`. Where the agent interrupts it is `interruption_score` instead, where the
    caller interrupts `yield_score`, where both do the lower of the two. Published: gpt-realtime 1.5 .815, Grok
    think-fast .862, Scribe + Haiku + Flash .882, cascades .28 to .57.
    """
    scored = [(turn, turn_score(turn)) for turn in turns(timeline)]
    found = [Observation("eva_turn_score", turn.start, score) for turn, score in scored if score is not None]
    if not found:
        return []
    mean = moment(sum(observation.value for observation in found) / len(found))
    return [*found, Observation("eva_turn_taking", 0.0, mean),
            Observation("eva_turn_taking_pass", 0.0, float(mean >= PASS))]


def latencies(timeline: Timeline) -> list[Observation]:
    """Latency of each turn with a reply, from the end of the caller's last segment to the onset of the agent's first,
    signed.

    As its median and 90th percentile in a conversation (`eva_latency_p50`, `eva_latency_p90`, linear between values),
    and as a class: `eva_early` below 0.2 s, `eva_late` from 2.75 s (4.0 s with tools), `eva_on_time` between.
    """
    observations, found = [], []
    for turn in replied(timeline):
        late = turn.latency >= (LATE_WITH_TOOLS_SECONDS if turn.tools else LATE_SECONDS)
        early = turn.latency < EARLY_SECONDS
        found.append(turn.latency)
        observations += [Observation("eva_early", turn.end, float(early)),
                         Observation("eva_late", turn.end, float(late)),
                         Observation("eva_on_time", turn.end, float(not early and not late))]
    if found:
        observations += [Observation("eva_latency_p50", 0.0, moment(float(np.quantile(found, 0.5)))),
                         Observation("eva_latency_p90", 0.0, moment(float(np.quantile(found, 0.9))))]
    return observations


def interruptions(timeline: Timeline) -> list[Observation]:
    """Shares of the turns with a reply in which the agent, or the caller, interrupts (`eva_agent_interruption`,
    `eva_user_interruption`), and how long the agent goes on after the caller's onset where the caller does
    (`eva_yield`, seconds)."""
    observations = []
    for turn in replied(timeline):
        observations += [Observation("eva_agent_interruption", turn.start, float(bool(turn.joined))),
                         Observation("eva_user_interruption", turn.start, float(turn.goes_on > 0.0))]
        if turn.goes_on > 0.0:
            observations.append(Observation("eva_yield", turn.start, turn.goes_on))
    return observations


MEASURES: Final[tuple[Callable[[Timeline], list[Observation]], ...]] = (scores, latencies, interruptions)


def latency_score(latency: float, tools: bool = False) -> float:
    """0 up to -0.5 s, rising to 1 at 0.5 s, 1 up to 2.0 s (3.0 s with tools), falling to 0 at 3.5 s (5.0 s)."""
    knots = (-0.5, 0.5, 3.0, 5.0) if tools else (-0.5, 0.5, 2.0, 3.5)
    return moment(np.interp(latency, knots, (0.0, 1.0, 1.0, 0.0)))


def overlap_score(overlap: float) -> float:
    """Half, down to 0 at 2.0 s of overlap."""
    return moment(0.5 * max(0.0, 1.0 - overlap / WORST_SECONDS))


def count_score(count: int) -> float:
    """Half for one segment of the agent in the caller's speech, a quarter for two, else 0."""
    return 0.5 * max(0.0, 1.0 - (count - 1) / 2.0)


def yield_score(goes_on: float) -> float:
    """1, down to 0 at 2.0 s that the agent goes on after the caller's onset."""
    return moment(max(0.0, 1.0 - goes_on / WORST_SECONDS))


class Turn(NamedTuple):
    """A turn of the caller and what the agent begins to say in it.

    Attributes:
        user: the caller's segments, at least one.
        agent: the agent's segments, none if it did not reply.
        goes_on: seconds for which the agent's last segment from before the turn outlasts its onset; 0 if it does not.
        tools: whether the agent called one.
        timed_out: whether it is the caller's last, shown whole, and a reply was due.
    """

    user: tuple[Segment, ...]
    agent: tuple[Segment, ...]
    goes_on: float
    tools: bool
    timed_out: bool

    @property
    def start(self) -> float:
        return self.user[0].start

    @property
    def end(self) -> float:
        return self.user[-1].end

    @property
    def latency(self) -> float:
        return moment(self.agent[0].start - self.end)

    @property
    def joined(self) -> list[Segment]:
        """The agent's segments that overlap the caller's by more than 1 ms."""
        return [unit for unit in self.agent if sum(common(unit, said) for said in self.user) > LEAST_OVERLAP_SECONDS]


def replied(timeline: Timeline) -> list[Turn]:
    return [turn for turn in turns(timeline) if turn.agent]


def turns(timeline: Timeline) -> list[Turn]:
    claims = [act for act in timeline.acts if act.kind in FLOOR_KINDS]
    spoken = [(act, said) for act in claims if (said := user_segments(timeline, act))]
    onsets = [said[0].start for _, said in spoken] + [float("inf")]
    return [turn_of(timeline, act, said, onsets[index + 1]) for index, (act, said) in enumerate(spoken)]


def turn_of(timeline: Timeline, act: Act, user: tuple[Segment, ...], until: float) -> Turn:
    start = user[0].start
    agent = tuple(unit for unit in timeline.agent if start <= unit.start < until)
    before = max((unit.end for unit in timeline.agent if unit.start < start), default=start)
    tools = any(event.kind == TOOL_CALL and start <= event.start < until for event in timeline.events)
    last = until == float("inf")
    return Turn(user, agent, moment(max(0.0, before - start)), tools,
                last and not agent and act.answer_due and act.end <= timeline.seconds)


def user_segments(timeline: Timeline, act: Act) -> tuple[Segment, ...]:
    """The caller's speech in an act, cut to it; silences under 0.6 s lie within a segment."""
    found: list[Segment] = []
    for unit in timeline.user:
        start, end = max(unit.start, act.start), min(unit.end, act.end)
        if start < end and found and moment(start - found[-1].end) < USER_SILENCE_SECONDS:
            found[-1] = Segment(found[-1].start, end)
        elif start < end:
            found.append(Segment(start, end))
    return tuple(found)


def turn_score(turn: Turn) -> float | None:
    """None where a turn is not scored."""
    if not turn.agent:
        return 0.0 if turn.timed_out else None
    scored = [interruption_score(turn)] if turn.joined else []
    scored += [yield_score(turn.goes_on)] if turn.goes_on > 0.0 else []
    return min(scored, default=latency_score(turn.latency, turn.tools))


def interruption_score(turn: Turn) -> float:
    """The least of the scores of overlap, of count, and of the latency of what the agent begins after the caller's end.

    The last is left out where the agent speaks across that end, or says nothing after it.
    """
    overlap = sum(common(unit, said) for unit in turn.agent for said in turn.user)
    spans = any(unit.start < turn.end < unit.end for unit in turn.agent)
    after = None if spans else next((unit.start for unit in turn.agent if unit.start >= turn.end), None)
    later = [] if after is None else [latency_score(moment(after - turn.end), turn.tools)]
    return min(overlap_score(overlap), count_score(len(turn.joined)), *later)


def common(unit: Segment, other: Segment) -> float:
    return max(0.0, min(unit.end, other.end) - max(unit.start, other.start))
