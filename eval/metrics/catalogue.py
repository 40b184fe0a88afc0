"""Every metric by name: its unit, its direction, how it is summarised, and what it is in a line.

Definitions stand in the docstrings of the functions that measure. To add a metric, write one and list it in MEASURES
and METRICS.
"""

from collections.abc import Callable
from typing import Final

from duplex.recording import Recording
from eval.metrics import human
from eval.metrics.backchannel import continues, false_response, kept
from eval.metrics.interruption import (
    double_talk,
    interruption_eligible,
    interruption_response,
    recovery_rate,
    recovery_time,
    stop_latency,
    yield_rate,
)
from eval.metrics.metric import Metric
from eval.metrics.occasions import Observation
from eval.metrics.pause import pause_false_start
from eval.metrics.stages import in_vain, latency_parts
from eval.metrics.switch import early_rate, response_rate, switch_latency, zones
from eval.metrics.task import conversation_failed, task_success
from eval.timeline import Timeline, timeline

METRIC_VERSION: Final = 2  # counts changes of meaning; results of different versions are not compared


METRICS: Final = (
    Metric("switch_latency", "Switch latency", "s", "human", "median",
           "from the end of the caller's turn to the onset of the answer; negative is early",
           headline=True, human=human.FLOOR_TRANSFER_MEDIAN),
    Metric("switch_latency_p95", "Switch latency, 95th percentile", "s", "human", "p95",
           "19 of 20 answers begin sooner", human=human.FLOOR_TRANSFER_P95, of="switch_latency"),
    Metric("response_rate", "Turns answered", "share", "higher", "rate",
           "an answer begins before 5 s are over and the caller speaks again", headline=True),
    Metric("early_rate", "Turns answered early", "share", "lower", "rate",
           "the answer begins more than 0.2 s before the turn ends", headline=True, human=human.EARLY),
    Metric("zone_natural", "Answers that feel natural", "share", "higher", "rate",
           "the answer begins within 0.8 s, or early", human=human.NATURAL),
    Metric("zone_slow", "Answers that feel slow", "share", "lower", "rate",
           "the answer begins within 0.8 to 1.5 s", human=human.SLOW),
    Metric("zone_machine", "Answers that feel like a machine's", "share", "lower", "rate",
           "the answer begins after 1.5 s or never", human=human.MACHINE),
    Metric("pause_false_start", "False starts in pauses", "share", "lower", "rate",
           "the agent begins to speak in a pause within the caller's turn", headline=True),
    Metric("interruption_eligible", "Interruptions that met speech", "share", "higher", "rate",
           "the agent was speaking when interrupted; the others measure nothing"),
    Metric("stop_latency", "Stop latency", "s", "lower", "median",
           "from the onset of an interruption to the agent's silence", headline=True),
    Metric("yield_rate", "Interruptions yielded to", "share", "higher", "rate",
           "the agent is silent within 1.0 s of the interruption's onset", headline=True),
    Metric("double_talk", "Double talk", "s", "lower", "mean",
           "how long the agent speaks while it is interrupted"),
    Metric("interruption_response", "Latency after interruptions", "s", "human", "median",
           "from the end of the interruption to the onset of the answer", human=human.FLOOR_TRANSFER_MEDIAN),
    Metric("recovery_rate", "Interruptions recovered from", "share", "higher", "rate",
           "the agent yields within 1.0 s, answers within 3.0 s, and says what the interruption asked for",
           headline=True),
    Metric("recovery_time", "Recovery time", "s", "lower", "median",
           "from the onset of an interruption to the words that address it"),
    Metric("backchannel_continue", "Backchannels talked through", "share", "higher", "rate",
           "the agent goes on while the caller says uh-huh", headline=True),
    Metric("backchannel_kept", "Answers kept despite backchannels", "share", "higher", "rate",
           "the agent says the rest of its answer after the caller said uh-huh"),
    Metric("cough_continue", "Coughs talked through", "share", "higher", "rate",
           "the agent goes on while the caller coughs"),
    Metric("cough_kept", "Answers kept despite coughs", "share", "higher", "rate",
           "the agent says the rest of its answer after the caller coughed"),
    Metric("side_talk_continue", "Side talk talked through", "share", "higher", "rate",
           "the agent goes on while the caller talks to someone else"),
    Metric("side_talk_kept", "Answers kept despite side talk", "share", "higher", "rate",
           "the agent says the rest of its answer after the caller talked to someone else"),
    Metric("false_response", "Answers to no one", "share", "lower", "rate",
           "the silent agent speaks up after a backchannel, a cough or side talk"),
    Metric("task_success", "Tasks achieved", "share", "higher", "rate",
           "the agent said all it had to say and nothing it must not", headline=True),
    Metric("part_endpointing", "Of the latency: endpointing", "s", "lower", "mean",
           "from the true end of the turn until the agent calls it over"),
    Metric("part_stt_final", "Of the latency: recognition", "s", "lower", "mean",
           "waiting for the final text after the turn was called over"),
    Metric("part_llm", "Of the latency: language", "s", "lower", "mean",
           "waiting for the reply after the turn was called over"),
    Metric("part_tts", "Of the latency: synthesis", "s", "lower", "mean",
           "waiting for the first sentence's sound after the turn was called over"),
    Metric("part_frame", "Of the latency: frames", "s", "lower", "mean", "waiting for the next 80 ms to begin"),
    Metric("part_lead", "Of the latency: silence first", "s", "lower", "mean", "silence at the start of the speech"),
    Metric("part_unexplained", "Of the latency: unexplained", "s", "lower", "mean",
           "heard, but explained by no stage; beyond 10 ms somebody is wrong"),
    Metric("prepared_in_vain", "Answers prepared in vain", "answers", "lower", "mean",
           "answers prepared and not spoken, per answer spoken"),
    Metric("conversation_failed", "Conversations failed", "share", "lower", "rate",
           "the conversation broke off with an error"),
)

MEASURES: Final[tuple[Callable[[Timeline], list[Observation]], ...]] = (
    switch_latency, response_rate, early_rate, zones, pause_false_start, interruption_eligible, stop_latency, yield_rate,
    double_talk, interruption_response, recovery_rate, recovery_time, continues, kept, false_response,
    latency_parts, in_vain)


def metric(name: str) -> Metric:
    """The metric of that name.

    Raises:
        ValueError: for an unknown name, with the known ones.
    """
    for candidate in METRICS:
        if candidate.name == name:
            return candidate
    raise ValueError(f"no metric {name!r}; there are {', '.join(candidate.name for candidate in METRICS)}")


def observations(recording: Recording) -> list[Observation]:
    """Everything that can be measured of a conversation."""
    heard, failed = timeline(recording), recording.failure is not None
    found = [observation for measure in MEASURES for observation in measure(heard)]
    return found + task_success(heard, recording.facts, failed) + conversation_failed(failed)
