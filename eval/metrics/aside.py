"""Whether an agent can tell what claims the floor from what does not: backchannels, coughs, noise, words to someone else
and other people's talk.

Each kind has metrics under its own name, `backchannel_continue`, `cough_continue`, `noise_continue` and so on. The agent's
own backchannels are `eval.metrics.agent_backchannel`'s.
"""

from typing import Final

from duplex.recording import moment
from eval.metrics.occasions import Observation, answer_limit, next_claim, response
from eval.metrics.phrases import first_spoken
from eval.timeline import ASIDE_KINDS, FLOOR_KINDS, Act, Timeline, first_silence, first_start, overlap, speaking

STOP_SILENCE_SECONDS: Final = 0.4
CONTINUE_SECONDS: Final = 1.0
FALSE_RESPONSE_SECONDS: Final = 2.0
SILENT_SECONDS: Final = 1.0  # an agent that fell silent later may be between two sentences of its answer
SAME_SECONDS: Final = 0.1  # an agent that holds its breath over an aside ends that much later
WORD_SECONDS: Final = 0.2  # a word's logged end may lie so far behind its sound


def continues(timeline: Timeline) -> list[Observation]:
    """Share of the asides into the agent's speech through which it goes on.

    It goes on unless a silence of at least 0.4 s begins between the onset of the aside and 1.0 s after its end, or the
    caller's next claim of the floor if that comes first. A silence at the end of what the agent had to say is not held
    against it. It counts as such an end only if there is proof: in the same conversation without the aside the agent falls
    silent no more than 0.1 s later; or it spoke one of the phrases that the aside expects between its onset and the
    silence, and says nothing after it before the caller next claims the floor. (The selectivity of tau-voice, S_BC and
    S_VT, where any end within the window counts as a stop.)

    No occasion when the agent is silent at the onset, or the recording ends before the answer is seen.
    """
    observations = []
    for act in spoken_into(timeline):
        until = moment(min(act.end + CONTINUE_SECONDS, next_claim(timeline, act)))
        stop = stopped(timeline, act)
        if timeline.known_until >= moment(until + STOP_SILENCE_SECONDS):
            goes_on = stop is None or stop > until or has_finished(timeline, act, stop)
            observations.append(Observation(f"{act.kind}_continue", act.start, float(goes_on)))
    return observations


def stop_excess(timeline: Timeline) -> list[Observation]:
    """Of the asides through which the agent would have gone on, the share at which it stops because of them.

    (S1 - S0) / (1 - S0), S1 being the share of the asides at which it falls silent between their onset and 1.0 s after
    their end, S0 that in the same conversations without the aside. Only asides of which both are known are occasions.
    """
    observations = []
    for act in spoken_into(timeline):
        without = timeline.without.get(act.start)
        until = moment(min(act.end + CONTINUE_SECONDS, next_claim(timeline, act)))
        if without is not None and min(timeline.known_until, without.known_until) >= moment(until + STOP_SILENCE_SECONDS):
            found, anyway = (stop is not None and stop <= until for stop in (stopped(timeline, act), stopped(without, act)))
            observations.append(
                Observation(f"{act.kind}_stop_excess", act.start, float(found - anyway), per=float(not anyway)))
    return observations


def kept(timeline: Timeline) -> list[Observation]:
    """Share of the asides into the agent's speech after which it still says what it had to say.

    One of the phrases that the aside expects, from the rest of the agent's answer, begins after the aside's onset and
    before the caller next claims the floor, whether the agent went on or stopped and resumed. Asides that expect no
    phrase are no occasion.
    """
    return [Observation(f"{act.kind}_kept", act.start, float(rest_of_answer(timeline, act) is not None))
            for act in spoken_into(timeline) if act.expects]


def false_response(timeline: Timeline) -> list[Observation]:
    """Share of the asides into silence that the agent takes for a turn: it begins to speak within 2.0 s of their end.

    `false_response` of all, `backchannel_response`, `cough_response` and so on of each kind.

    An aside is an occasion when the agent has been silent for 1.0 s, no answer is due that has not begun, the caller
    does not claim the floor before the 2.0 s are over, and the recording does not end before.
    """
    observations = []
    for act in timeline.acts:
        until = moment(act.end + FALSE_RESPONSE_SECONDS)
        undisturbed = next_claim(timeline, act) > until and timeline.known_until >= until
        if act.kind in ASIDE_KINDS and undisturbed and is_idle(timeline, act.start):
            began = first_start(timeline.agent, act.start, until)
            observations += [Observation(name, act.start, float(began is not None))
                             for name in ("false_response", f"{act.kind}_response")]
    return observations


def spoken_into(timeline: Timeline) -> list[Act]:
    """The asides at whose onset the agent speaks."""
    return [act for act in timeline.acts if act.kind in ASIDE_KINDS and speaking(timeline.agent, act.start)]


def stopped(timeline: Timeline, act: Act) -> float | None:
    """Where the agent first falls silent from the onset of an act on."""
    return first_silence(timeline.agent, act.start, STOP_SILENCE_SECONDS, timeline.known_until)


def rest_of_answer(timeline: Timeline, act: Act) -> tuple[float, float] | None:
    return first_spoken(timeline.words, act.expects, act.start, next_claim(timeline, act))


def has_finished(timeline: Timeline, act: Act, stop: float) -> bool:
    """Whether the silence at `stop` is proven to be the end of the agent's answer."""
    without = timeline.without.get(act.start)
    anyway = None if without is None else stopped(without, act)
    if anyway is not None and anyway <= moment(stop + SAME_SECONDS):
        return True
    rest = rest_of_answer(timeline, act)
    resumes = first_start(timeline.agent, stop, next_claim(timeline, act))
    return rest is not None and rest[1] <= moment(stop + WORD_SECONDS) and resumes is None


def is_idle(timeline: Timeline, time: float) -> bool:
    """Whether the agent neither speaks, nor just spoke, nor owes an answer."""
    owes = any(act.kind in FLOOR_KINDS and act.answer_due and act.start <= time < answer_limit(timeline, act)
               and (response(timeline, act) or time) >= time
               for act in timeline.acts)
    return not owes and not speaking(timeline.agent, time) and not overlap(timeline.agent, time - SILENT_SECONDS, time)
