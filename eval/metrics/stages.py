"""Where the time of a switch goes: the parts of each latency, and the work an agent did in vain.

From what agents log ("endpoint", "answer", "prepare", "discard") beside what was heard; agents that log nothing have
no such parts. Parts sum exactly to what was heard: what no stage explains has a name of its own. After Pipecat's
contribution timeline (`UserBotLatencyObserver`, pipecat-ai 1.12.0), with the true end of speech as origin.
"""

from typing import Final

from duplex.frame import Event
from duplex.recording import moment
from eval.metrics.occasions import Observation
from eval.metrics.switch import latencies
from eval.timeline import Timeline

STAGES: Final = ("line", "transport", "stt_final", "llm", "tts", "speech_reply", "frame", "lead")  # of an "answer"
MATCH_SECONDS: Final = 0.2  # between an "answer" and its first sound: its frame and the synthesiser's first silence


def latency_parts(timeline: Timeline) -> list[Observation]:
    """Seconds that each part adds to the latency of an answer.

    `part_endpointing`: from the true end of the turn until the agent called it over, less what the caller's line takes;
    negative when it did so early.
    `part_line`: the caller's line, there and back, where one stands around the agent and says so.
    `part_transport`: on the way from the agent to its stages and back, after the turn was called over.
    `part_stt_final`, `part_llm`, `part_tts`: what that stage added after that; 0 for what was prepared ahead.
    `part_speech_reply`: the same of a model that hears the turn and says the answer.
    `part_frame`: the wait for the next frame. `part_lead`: silence at the start of the speech.
    `part_unexplained`: the rest; beyond the 10 ms grid of the segmentation it is an error of somebody's.
    """
    found = []
    for act, latency, censored in latencies(timeline):
        answer = None if censored else logged_answer(timeline, act.end + latency)
        if answer is None:
            continue
        parts = {stage: float(str(answer.detail.get(stage, 0.0))) for stage in STAGES}
        over_at = max((event.start for event in timeline.events
                       if event.kind == "endpoint" and act.start <= event.start <= answer.start), default=answer.start)
        parts = {"endpointing": over_at - act.end - parts["line"], **parts}  # it calls a turn over that reached it later
        parts["unexplained"] = latency - sum(parts.values())
        found += [Observation(f"part_{name}", act.end, moment(seconds)) for name, seconds in parts.items()]
    return found


def logged_answer(timeline: Timeline, onset: float) -> Event | None:
    """The agent's own record of the answer that was heard to begin at `onset`."""
    return next((event for event in timeline.events
                 if event.kind == "answer" and abs(moment(event.start - onset)) < MATCH_SECONDS), None)


def in_vain(timeline: Timeline) -> list[Observation]:
    """Answers prepared and not spoken, per answer spoken: what an agent pays for being early.

    Each costs a call of the language stage and a sentence of synthesis.
    """
    spoken = sum(event.kind == "answer" for event in timeline.events)
    prepared = sum(event.kind == "prepare" for event in timeline.events)
    used = sum(event.kind == "answer" and event.detail.get("prepared") is True for event in timeline.events)
    if not spoken:
        return []
    return [Observation("prepared_in_vain", 0.0, float(prepared - used), per=float(spoken))]
