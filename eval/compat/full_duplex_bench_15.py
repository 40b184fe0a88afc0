"""Full-Duplex-Bench v1.5 (Lin et al., 2025, arXiv 2507.23159) by its own rules: what an agent does when somebody talks over it.

Written from the definitions in its paper and in a reading of its evaluation at commit d7336bd. Its measures of the voice
before and after (UTMOS, pitch, pace) are not here, nor is its judge: the behaviour is told by rules, as said there.

Its four overlaps are the caller's interruption, backchannel, words to somebody else, and other people's talk. Its script
lists times of whole files and leaves open how they are averaged. Here each act has its own, and the table has their mean.
"""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Final

from duplex.frame import Word
from duplex.recording import moment
from eval.activity import Segment
from eval.metrics.interruption import in_a_row
from eval.metrics.metric import Metric
from eval.metrics.occasions import Observation, next_claim
from eval.metrics.phrases import normalised
from eval.timeline import Act, Timeline

FAMILY: Final = "Full-Duplex-Bench v1.5"
USER_MERGED_SECONDS: Final = 0.6  # its constants; its comments say 0.3 and 0.05 s
AGENT_MERGED_SECONDS: Final = 0.5
EARLY_SECONDS: Final = 0.2  # an answer to an interruption may begin so long before its end
UNCERTAIN: Final = (  # what is said by who did not understand
    "pardon", "excuse me", "come again", "say that again", "say it again", "repeat that", "repeat it", "could you repeat",
    "can you repeat", "please repeat", "what was that", "what did you say", "what do you mean", "who are you talking to",
    "are you talking to me", "didn't catch", "did not catch", "didn't hear", "did not hear", "couldn't hear", "can't hear",
    "cannot hear", "didn't understand", "did not understand", "don't understand", "do not understand", "didn't get that",
    "not sure what you", "not sure i understand")
NOT_UNDERSTOOD: Final = frozenset(tuple(normalised(phrase)) for phrase in UNCERTAIN)
TAGS: Final = ("respond", "resume", "continue", "uncertain", "unknown")

OVERLAPS: Final = {  # kind: in the plural, what is published
    "interruption": ("interruptions", {
        "respond": "GPT-4o Realtime 78 %, Freeze-Omni 72 %, Moshi 50 %",
        "stop": "GPT-4o Realtime 0.23 s, Moshi 1.16 s, Freeze-Omni 1.42 s",
        "response": "Freeze-Omni 1.35 s, Moshi 1.47 s, GPT-4o Realtime 1.50 s"}),
    "backchannel": ("backchannels", {
        "resume": "Nova Sonic 98 %, GPT-4o Realtime 70 %, Moshi 6 %",
        "stop": "Gemini Live 0.66 s, Moshi 0.42 s, GPT-4o Realtime 0.21 s"}),
    "side_talk": ("side talk", {"resume": "Gemini Live 99 %, Moshi 19 %, GPT-4o Realtime 2 %",
                                "stop": "GPT-4o Realtime 0.18 s"}),
    "background_talk": ("talk in the background", {"resume": "Nova Sonic 98 %, Moshi 7 %, GPT-4o Realtime 4 %"}),
}
SAYS: Final = {
    "respond": "it addresses what was said",
    "resume": "after a silence it goes on with what it had to say; a judge's RESUME may hold CONTINUE too",
    "continue": "no silence of more than 0.5 s; the judge has no such tag",
    "uncertain": "it says that it did not understand",
    "unknown": "none of these, silence too",
}


def published(numbers: dict[str, str], what: str) -> str:
    return f"; published: {numbers[what]}" if what in numbers else ""


METRICS: Final = tuple(
    metric for kind, (plural, numbers) in OVERLAPS.items() for metric in (
        Metric(f"fdb15_{kind}_stop", f"Stop latency, {plural}", "s", "lower" if kind == "interruption" else "higher", "mean",
               f"how long both speak, the user's and the agent's gaps filled{published(numbers, 'stop')}", family=FAMILY),
        Metric(f"fdb15_{kind}_response", f"Response latency, {plural}", "s", "lower", "mean",
               f"from the end to the agent's next start, however late{published(numbers, 'response')}", family=FAMILY),
        *(Metric(f"fdb15_{kind}_{tag}", f"{tag.upper()}, {plural}", "share",
                 {"interruption": "higher" if tag == "respond" else "lower"}.get(
                     kind, "higher" if tag in ("resume", "continue") else "lower"), "rate",  # type: ignore[arg-type]  # a Better
                 f"{SAYS[tag]}{published(numbers, tag)}", family=FAMILY) for tag in TAGS)))


def timing(timeline: Timeline) -> list[Observation]:
    """`fdb15_interruption_stop`, `fdb15_interruption_response`, and the same of the other overlaps.

    (get_timing.) The user's spans are units of speech with gaps of at most 0.6 s filled, the agent's with 0.5 s. Stop
    latencies are the lengths of all intersections of the two. Response latencies run from the end of each span of the user's
    to the agent's next start strictly later; where two ends share a start, the later has it. Theirs are of whole files, the
    first answer included; here only those that belong to the span of the user's in which the act lies. Units are those of
    `eval.activity`, not Silero's at 16 kHz.

    Who finishes during the overlap "stops", who talks through it "stops" when the user does, and the next start may come long
    after and answer something else. Ours: `stop_latency`, `interruption_response`, `backchannel_continue`.
    """
    user, agent = merged(timeline.user, USER_MERGED_SECONDS), merged(timeline.agent, AGENT_MERGED_SECONDS)
    responses = response_latencies(user, agent)
    observations = []
    for act in timeline.acts:
        if act.kind in OVERLAPS:
            spans = [span for span in user if span.start < act.end and span.end > act.start]
            observations += [
                Observation(f"fdb15_{act.kind}_stop", both.start, moment(both.end - both.start))
                for both in intersections(spans, agent) if both.end > act.start]
            observations += [Observation(f"fdb15_{act.kind}_response", span.end, responses[span])
                             for span in spans if span in responses]
    return observations


def behaviour(timeline: Timeline) -> list[Observation]:
    """`fdb15_interruption_respond`, `…_resume`, `…_continue`, `…_uncertain`, `…_unknown`, and the same of the other overlaps:
    shares that add up to 1.

    Theirs: the tags RESPOND, RESUME, UNCERTAIN and UNKNOWN, given by a language model (GPT-4o) that reads the words of both
    with and without the overlap, for the agent's first new segment after its onset. Ours: the rules below, which know phrases
    and no meaning, and CONTINUE, which by the letter of theirs is UNKNOWN since nothing new begins.

    What is said first after the onset of the act, and before the caller next claims the floor, decides. RESPOND: an
    interruption's expected phrase begins no earlier than 0.2 s before its end. RESUME: after a silence of more than 0.5 s, the
    agent says a phrase that an aside expects, which is of the rest of its answer, or four words in a row of what it says in
    the same conversation without the act. UNCERTAIN: after such a silence, or having been silent, it says one of the phrases
    in UNCERTAIN. If none of these is said: CONTINUE if it spoke at the onset and had no such silence before the act's end,
    else UNKNOWN.

    An interruption without a phrase is no occasion, since no rule can tell whether it was answered; nor is an aside where
    neither a phrase nor the conversation without it tells what the agent had left to say.
    """
    observations = []
    for act in timeline.acts:
        if act.kind in OVERLAPS and (act.expects or (act.kind != "interruption" and act.start in timeline.without)):
            found = tag(timeline, act)
            observations += [Observation(f"fdb15_{act.kind}_{name}", act.start, float(name == found)) for name in TAGS]
    return observations


MEASURES: Final[tuple[Callable[[Timeline], list[Observation]], ...]] = (timing, behaviour)


def merged(units: Sequence[Segment], gap: float) -> list[Segment]:
    """Units of one party with the silences of at most `gap` seconds filled."""
    spans: list[Segment] = []
    for unit in units:
        if spans and moment(unit.start - spans[-1].end) <= gap:
            spans[-1] = Segment(spans[-1].start, unit.end)
        else:
            spans.append(unit)
    return spans


def intersections(user: Sequence[Segment], agent: Sequence[Segment]) -> list[Segment]:
    """Every stretch in which a span of one meets a span of the other."""
    found = [Segment(max(theirs.start, ours.start), min(theirs.end, ours.end)) for theirs in user for ours in agent]
    return [both for both in found if both.end > both.start]


def response_latencies(user: Sequence[Segment], agent: Sequence[Segment]) -> dict[Segment, float]:
    """From the end of a span of the user's to the agent's next start; only the last of those that share a start."""
    last: dict[float, Segment] = {}
    for span in user:
        start = next((unit.start for unit in agent if unit.start > span.end), None)
        if start is not None:
            last[start] = span
    return {span: moment(start - span.end) for start, span in last.items()}


def tag(timeline: Timeline, act: Act) -> str:
    until = next_claim(timeline, act)
    silence = silent_from(timeline, act)
    said = {"respond": responds(timeline, act, until)}
    if silence is not None:
        said["resume"] = resumes(timeline, act, silence, until)
        said["uncertain"] = spoken(timeline.words, NOT_UNDERSTOOD, silence, until)
    first = min(said, key=lambda name: said[name])
    if said[first] < math.inf:
        return first
    return "continue" if silence is None or silence >= act.end else "unknown"


def silent_from(timeline: Timeline, act: Act) -> float | None:
    """Where the agent's first silence of more than 0.5 s begins, from an act's onset on; None if it speaks to the end."""
    span = next((span for span in merged(timeline.agent, AGENT_MERGED_SECONDS) if span.end > act.start), None)
    if span is None or span.start > act.start:
        return act.start
    return None if span.end >= timeline.seconds else span.end


def responds(timeline: Timeline, act: Act, until: float) -> float:
    """Onset of what addresses an interruption; infinite if nothing does."""
    wanted = {wordwise(phrase) for phrase in act.expects if act.kind == "interruption"}
    return spoken(timeline.words, wanted, moment(act.end - EARLY_SECONDS), until)


def resumes(timeline: Timeline, act: Act, silence: float, until: float) -> float:
    """Onset of what the agent had left to say, after a silence; infinite if it leaves it."""
    wanted = {wordwise(phrase) for phrase in act.expects if act.kind != "interruption"}
    if act.start in timeline.without:
        wanted |= in_a_row(timeline.without[act.start].words, act.start, math.inf)
    return spoken(timeline.words, wanted, silence, until)


def spoken(words: Sequence[Word], phrases: Collection[tuple[str, ...]], start: float, end: float) -> float:
    """Onset of the first of `phrases` whose words all begin within [start, end); infinite if there is none."""
    parts = [(part, word.start) for word in words if start <= word.start < end for part in normalised(word.text)]
    texts, lengths = [part for part, _ in parts], {len(phrase) for phrase in phrases}
    return next((onset for first, (_, onset) in enumerate(parts) for length in lengths
                 if tuple(texts[first:first + length]) in phrases), math.inf)


def wordwise(phrase: str) -> tuple[str, ...]:
    return tuple(normalised(phrase))
