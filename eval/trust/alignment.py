"""Whether a channel's sound stands where its log says, and if not, what was done to it.

Scripted acts are true to 10 ms, so a channel that was moved by 40 ms is found. What else can be wrong with a recording
is `eval.trust.integrity`'s business.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from duplex.frame import FRAME_SECONDS, SAMPLE_RATE, Event, Word
from duplex.recording import AGENT, USER, moment
from eval.activity import DROPPED_SECONDS, HOP_SECONDS, MERGED_SECONDS, Segment, hops
from eval.timeline import OPPORTUNITY, PAUSE, Act, acts, overlap

LEAST_COVERED: Final = 0.5
EDGE_SECONDS: Final = 0.3  # noise may swallow the soft edges of a sound, and people annotate so well, but not more
LAG_SECONDS: Final = 0.035  # an act moved by 0.04 s, and its edges are known to 5 ms
COHERENT_SECONDS: Final = 0.03  # a move takes both edges along, unlike noise, which takes something off each
EDGES_FOR_A_MEDIAN: Final = 4
LEAST_LIKENESS: Final = 0.8
RATES: Final = (8_000, 11_025, 12_000, 16_000, 22_050, 32_000, 44_100, 48_000)  # often mistaken for one another

PHRASE_GAP_SECONDS: Final = MERGED_SECONDS
PHRASE_REACH_SECONDS: Final = 0.6
WORD_SECONDS: Final = 0.02  # by which words of a synthesiser miss the sound
WORD_LAG_SECONDS: Final = 0.1
LEAST_EVIDENCE: Final = 3  # edges


class Lag(NamedTuple):
    """By how much the sound of an act comes after what its log says, seconds: at its edges, where these can be seen."""

    act: Act
    onset: float | None
    offset: float | None

    @property
    def both(self) -> float | None:
        """Of the act as a whole, to 5 ms: units stand on the outside of the sound, which the mean of both edges undoes."""
        if self.onset is None or self.offset is None or abs(self.onset - self.offset) > COHERENT_SECONDS:
            return None
        return moment((self.onset + self.offset) / 2)


def user_misalignment(events: Iterable[Event], user: Sequence[Segment], agent: Sequence[Segment], seconds: float) -> str:
    """What is wrong between the acts of a user and the units of its channel, in words; empty if nothing.

    An act must be heard for at least half its length, and both its edges within 0.3 s. Unless people annotated it (detail
    `annotated`), it may moreover not be moved by 0.04 s or more as a whole, alone or in the median of all edges.
    """
    events = list(events)
    pauses = [act for act in acts(events) if act.kind == PAUSE]
    spoken = [act for act in acts(events) if act.kind not in (PAUSE, OPPORTUNITY) and act.end <= seconds]
    by_hand = {(event.start, event.end) for event in events if event.detail.get("annotated")}
    lags = [lag(act, user) for act in spoken if (act.start, act.end) not in by_hand]
    for act in spoken:
        if silent := silent_part(user, act, pauses):
            where = f"the {act.kind} at {act.start:.2f}-{act.end:.2f} s {silent} on the user's channel"
            return f"{where}: {cause(spoken, pauses, user, agent, seconds)}"
    moved = [found for found in lags if found.both is not None and abs(found.both) >= LAG_SECONDS]
    if moved and (slope := stretch(lags)):
        return (f"the user's channel takes {1 + slope:.4f} times as long as its log says: it was stretched, or recorded by "
                "another clock; resample it")
    if moved or abs(middle(lags)) >= LAG_SECONDS:
        amount = middle(lags) if not moved else float(np.median([found.both for found in moved if found.both is not None]))
        first = moved[0].act if moved else spoken[0]
        return (f"the user's channel comes {abs(amount):.3f} s {'after' if amount > 0 else 'before'} its log, from the "
                f"{first.kind} at {first.start:.2f} s on; a log is true to 0.01 s: move one of them, or mark acts that "
                "people annotated as such")
    return ""


def lag(act: Act, user: Sequence[Segment]) -> Lag:
    return Lag(act, nearest([unit.start for unit in user], act.start, EDGE_SECONDS),
               nearest([unit.end for unit in user], act.end, EDGE_SECONDS))


def nearest(edges: Iterable[float], time: float, reach: float) -> float | None:
    """How much later than `time` the nearest edge is; None if it is out of reach."""
    off = min((moment(edge - time) for edge in edges), key=abs, default=None)
    return off if off is not None and abs(off) <= reach else None


def middle(lags: Sequence[Lag]) -> float:
    """The median lag of all edges, 0 where onsets and offsets do not agree in direction or are too few."""
    onsets = [found.onset for found in lags if found.onset is not None]
    offsets = [found.offset for found in lags if found.offset is not None]
    if len(onsets) + len(offsets) < EDGES_FOR_A_MEDIAN or not onsets or not offsets:
        return 0.0
    onset, offset = float(np.median(onsets)), float(np.median(offsets))
    return (onset + offset) / 2 if onset * offset > 0 else 0.0


def stretch(lags: Sequence[Lag]) -> float:
    """How much the lag grows with time, seconds per second; 0 where a constant lag explains it better."""
    at = np.array([(found.act.start + found.act.end) / 2 for found in lags if found.both is not None])
    late = np.array([found.both for found in lags if found.both is not None])
    if len(at) < 2:
        return 0.0
    slope = float(at @ late / (at @ at))
    miss, constant_miss = np.abs(late - slope * at).max(), np.abs(late - np.median(late)).max()
    return slope if miss < min(constant_miss, WORD_SECONDS) else 0.0


def silent_part(user: Sequence[Segment], act: Act, pauses: Iterable[Act]) -> str:
    """Which part of what an act claims to say cannot be heard, in words; empty if none."""
    said = act.end - act.start - sum(max(0.0, min(pause.end, act.end) - max(pause.start, act.start)) for pause in pauses)
    if said < 2 * DROPPED_SECONDS:  # may be taken for a click
        return ""
    if overlap(user, act.start, act.end) < LEAST_COVERED * said:
        return "is silent"
    if not overlap(user, act.start, act.start + EDGE_SECONDS):
        return "begins silently"
    if not overlap(user, act.end - EDGE_SECONDS, act.end):
        return "ends silently"
    return ""


def cause(spoken: Sequence[Act], pauses: Sequence[Act], user: Sequence[Segment], agent: Sequence[Segment],
          seconds: float) -> str:
    """What most likely happened to a channel on which acts are silent, in words."""
    log = [Segment(act.start, act.end) for act in spoken]
    wanted = grid(log, seconds) & ~grid([Segment(pause.start, pause.end) for pause in pauses], seconds)
    channels = [grid(units, seconds) for units in (user, agent)]
    if likeness(wanted, channels[AGENT]) > likeness(wanted, channels[USER]):
        return f"the channels look swapped (row {USER} is the user, row {AGENT} the agent)"
    found = {rate: resampled_likeness(wanted, channels[USER], rate) for rate in RATES}
    rate = max(found, key=lambda rate: found[rate])
    steps, shifted = best_shift(wanted, channels[USER])
    if max(found[rate], shifted) < LEAST_LIKENESS:
        return "the log and the sound are not of the same conversation, or not aligned; record it again"
    if found[rate] > shifted:
        return f"the sound looks like one of {rate} Hz that is labelled {SAMPLE_RATE} Hz; resample it"
    return (f"the channel comes {abs(steps) * HOP_SECONDS:.2f} s {'after' if steps > 0 else 'before'} its log; move one of "
            "them")


def grid(units: Iterable[Segment], seconds: float) -> np.ndarray:
    """Whether there is speech in each 10 ms."""
    active = np.zeros(hops(seconds) + 1, bool)
    for start, end in units:
        active[hops(start):hops(end)] = True
    return active


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def resampled_likeness(wanted: np.ndarray, active: np.ndarray, rate: int) -> float:
    """How like `wanted` it is, were its sound of `rate` and played as such, as far as it goes."""
    at = np.arange(len(active)) * rate // SAMPLE_RATE
    seen = int(np.count_nonzero(at < len(active)))
    return likeness(wanted[:seen], active[at[:seen]])


def best_shift(wanted: np.ndarray, active: np.ndarray) -> tuple[int, float]:
    """By how many hops `active` comes later, and how like `wanted` it is once moved back."""
    size = 2 * len(wanted)
    common = np.fft.irfft(np.fft.rfft(active, size) * np.conj(np.fft.rfft(wanted, size)), size)
    steps = int(np.argmax(common))
    steps -= size if steps > len(wanted) else 0
    moved = np.zeros_like(active)
    moved[max(0, -steps):len(active) - max(0, steps)] = active[max(0, steps):len(active) - max(0, -steps)]
    return steps, likeness(wanted, moved)


def agent_misalignment(words: Iterable[Word], agent: Sequence[Segment]) -> str:
    """What is wrong between the words of an agent and the units of its channel, in words; empty if nothing.

    A synthesiser's words begin with its sound to 20 ms; a speech model's do not, and prove nothing. So words are believed
    where they do not all lie on frames of 80 ms, and where most phrases (words less than 0.2 s apart) begin by the same
    amount after their words: three quarters of them, to 20 ms, and with phrase ends three such edges or more. That amount
    must then be below 0.1 s.
    """
    said = sorted(words, key=lambda word: word.start)
    on_frames = sum(abs(word.start / FRAME_SECONDS - round(word.start / FRAME_SECONDS)) < 1e-3 for word in said)
    if not said or on_frames > len(said) / 2:
        return ""
    apart = [later.start - word.end >= PHRASE_GAP_SECONDS for word, later in zip(said, said[1:])]
    firsts = [word for word, begins in zip(said, [True, *apart]) if begins]
    lasts = [word for word, ends in zip(said, [*apart, True]) if ends]
    onsets = [nearest([unit.start for unit in agent], word.start, PHRASE_REACH_SECONDS) for word in firsts]
    offsets = [nearest([unit.end for unit in agent], word.end, PHRASE_REACH_SECONDS) for word in lasts]
    seen = [onset for onset in onsets if onset is not None]
    amount = float(np.median(seen)) if seen else 0.0
    begin, end = (sum(off is not None and abs(off - amount) <= WORD_SECONDS for off in edges) for edges in (onsets, offsets))
    if abs(amount) < WORD_LAG_SECONDS or begin < 0.75 * len(firsts) or begin + end < LEAST_EVIDENCE:
        return ""
    return (f"the agent's channel comes {abs(amount):.2f} s {'after' if amount > 0 else 'before'} its words, by {begin} of "
            f"{len(firsts)} phrases: move one of them")
