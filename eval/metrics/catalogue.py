"""Every metric by name: its unit, its direction, how it is summarised, and what it is in a line.

Definitions stand in the docstrings of the functions that measure. To add a metric, write one and list it in MEASURES
and METRICS. Those of tasks stand in `eval.tasks.catalogue`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from duplex.recording import Recording
from eval.compat import dgslm, eva, full_duplex_bench, full_duplex_bench_15, tau_voice, vap
from eval.metrics import human
from eval.metrics.agent_backchannel import agent_backchannels, backchannel_timing, floor_theft
from eval.metrics.aside import continues, false_response, kept, stop_excess
from eval.metrics.decision import decision_times
from eval.metrics.eligibility import eligibility
from eval.metrics.interruption import (
    double_talk,
    interruption_response,
    recovery_rate,
    recovery_time,
    stale_talk,
    stop_latency,
    yield_excess,
    yield_rate,
)
from eval.metrics.machine import steps
from eval.metrics.metric import Metric
from eval.metrics.occasions import Observation
from eval.metrics.pause import pause_false_start
from eval.metrics.stages import in_vain, latency_parts
from eval.metrics.switch import answer_delay, early_rate, response_rate, switch_latency, zones
from eval.metrics.task import conversation_failed
from eval.metrics.trust import METRICS as TRUST
from eval.metrics.turn_taking import floor_transfer_below_zero, floor_transfers, lengths, per_minute, talk_share
from eval.tasks import catalogue as tasks
from eval.tasks.call import call_of
from eval.tasks.cost import METRICS as COSTS
from eval.timeline import Timeline, timeline

METRIC_VERSION: Final = 4  # counts changes of meaning; results of different versions are not compared

ASIDES: Final = {  # kind: in the plural, what the caller does
    "backchannel": ("backchannels", "says uh-huh"),
    "cough": ("coughs", "coughs"),
    "noise": ("noises", "is drowned by a noise"),
    "side_talk": ("side talk", "talks to someone else"),
    "background_talk": ("talk in the background", "has others talk behind"),
}

SWITCHES: Final = (
    Metric("switch_latency", "Switch latency", "s", "human", "median",
           "from the end of the caller's turn to the onset of the answer; negative is early",
           headline=True, tested=True, human=human.FLOOR_TRANSFER_MEDIAN, among="turn_eligible"),
    Metric("switch_latency_p95", "Switch latency, 95th percentile", "s", "lower", "p95",
           "19 of 20 answers begin sooner", headline=True, human=human.FLOOR_TRANSFER_P95, of="switch_latency",
           among="turn_eligible"),
    Metric("switch_latency_drift", "Switch latency, drift", "s/min", "lower", "drift",
           "how much later answers come with every minute of a conversation", of="switch_latency", among="turn_eligible"),
    Metric("answer_delay", "Answer delay", "s", "lower", "mean",
           "mean latency of the answers that are not early", among="turn_eligible"),
    Metric("response_rate", "Turns answered", "share", "higher", "rate",
           "an answer begins before 5 s are over and the caller speaks again", headline=True, among="turn_eligible"),
    Metric("early_rate", "Turns answered early", "share", "lower", "rate",
           "the answer begins more than 0.2 s before the turn ends", headline=True, human=human.EARLY,
           among="turn_eligible"),
    Metric("zone_natural", "Answers that feel natural", "share", "higher", "rate",
           "the answer begins within 0.8 s, or early", human=human.NATURAL, among="turn_eligible"),
    Metric("zone_slow", "Answers that feel slow", "share", "lower", "rate",
           "the answer begins within 0.8 to 1.5 s", human=human.SLOW, among="turn_eligible"),
    Metric("zone_machine", "Answers that feel like a machine's", "share", "lower", "rate",
           "the answer begins after 1.5 s or never", human=human.MACHINE, among="turn_eligible"),
    Metric("decision_latency", "Decision latency", "s", "lower", "median",
           "from the end of the caller's turn to the decision to answer, by the agent's own log", among="turn_eligible"),
    Metric("decision_to_sound", "From decision to sound", "s", "lower", "median",
           "from the decision to answer to the onset of the answer", among="turn_eligible"),
    Metric("pause_false_start", "False starts in pauses", "share", "lower", "rate",
           "the agent begins to speak in a pause within the caller's turn", headline=True, tested=True,
           among="pause_eligible"),
)

INTERRUPTIONS: Final = (
    Metric("stop_latency", "Stop latency", "s", "lower", "median",
           "from the onset of an interruption to the agent's silence", headline=True, tested=True,
           among="interruption_eligible"),
    Metric("yield_rate", "Interruptions yielded to", "share", "higher", "rate",
           "the agent is silent within 1.0 s of the interruption's onset", headline=True, among="interruption_eligible"),
    Metric("yield_rate_half_second", "Interruptions yielded to within 0.5 s", "share", "higher", "rate",
           "the agent is silent within 0.5 s of the interruption's onset", among="interruption_eligible"),
    Metric("yield_rate_two_seconds", "Interruptions yielded to within 2.0 s", "share", "higher", "rate",
           "the agent is silent within 2.0 s of the interruption's onset", among="interruption_eligible"),
    Metric("yield_excess", "Yields because of the interruption", "share", "higher", "ratio",
           "of the interruptions it would have talked through for 1.0 s, at how many the agent stops because of them",
           headline=True, among="interruption_eligible"),
    Metric("double_talk", "Double talk", "s", "lower", "mean",
           "how long the agent speaks while it is interrupted", among="interruption_eligible"),
    Metric("stale_talk", "Interruptions talked over", "share", "lower", "rate",
           "after the interruption the agent still says what it would have said without it", among="interruption_eligible"),
    Metric("interruption_response", "Latency after interruptions", "s", "human", "median",
           "from the end of the interruption to the onset of the answer", human=human.FLOOR_TRANSFER_MEDIAN,
           among="interruption_eligible"),
    Metric("recovery_rate", "Interruptions recovered from", "share", "higher", "rate",
           "the agent yields within 1.0 s, answers within 3.0 s, says what the interruption asked for, and drops the rest",
           headline=True, tested=True, among="interruption_eligible"),
    Metric("recovery_time", "Recovery time", "s", "lower", "median",
           "from the onset of an interruption to the words that address it", among="interruption_eligible"),
)

ASIDE_METRICS: Final = tuple(metric for kind, (plural, does) in ASIDES.items() for metric in (
    Metric(f"{kind}_continue", f"{plural.capitalize()} talked through", "share", "higher", "rate",
           f"the agent goes on while the caller {does}", headline=kind == "backchannel", among=f"{kind}_eligible"),
    Metric(f"{kind}_kept", f"Answers kept despite {plural}", "share", "higher", "rate",
           f"the agent says the rest of its answer after the caller {does}", among=f"{kind}_eligible"),
    Metric(f"{kind}_stop_excess", f"Stops because of {plural}", "share", "lower", "ratio",
           f"of those it would have talked through, at how many the agent stops because the caller {does}",
           among=f"{kind}_eligible"),
    Metric(f"{kind}_response", f"Answers to {plural}", "share", "lower", "rate",
           f"the silent agent speaks up when the caller {does}"),
))

MANNERS: Final = (
    Metric("false_response", "Answers to no one", "share", "lower", "rate",
           "the silent agent speaks up after a backchannel, a cough, a noise or other talk"),
    Metric("agent_backchannels", "Backchannels of the agent", "/min", "human", "ratio",
           "per minute that the caller holds the floor", human=human.BACKCHANNELS_PER_LISTENING_MINUTE),
    Metric("floor_theft", "Floor taken from the caller", "/min", "lower", "ratio",
           "how often the agent speaks up, with more than a backchannel, per minute that the caller holds the floor"),
    Metric("backchannel_precision", "Backchannels where one may come", "share", "higher", "rate",
           "the agent's backchannel begins within 0.5 s of an opportunity"),
    Metric("backchannel_recall", "Opportunities for backchannels met", "share", "neither", "rate",
           "the agent says a backchannel within 0.5 s of an opportunity"),
    Metric("backchannel_skill", "Backchannel timing beyond chance", "share", "higher", "ratio",
           "0 is as good as placed at random, 1 is perfect"),
)

TURN_TAKING: Final = (
    Metric("floor_transfer", "Floor transfer offset", "s", "human", "median",
           "from the end of the caller's turn to the onset of the agent's, answer due or not", human=human.FLOOR_TRANSFER_MEDIAN),
    Metric("floor_transfer_below_zero", "Floor transfers in overlap", "share", "human", "rate",
           "the agent's turn begins before the caller's has ended", human=human.BELOW_ZERO),
    Metric("human_distance", "Distance to people", "s", "lower", "human_distance",
           "how far the floor transfer offsets are from people's, beyond chance; 0 is as close as people", headline=True,
           human=0.0, of="floor_transfer"),
    Metric("caller_transfer", "Floor transfer offset of the caller", "s", "human", "median",
           "how human the simulated caller is", human=human.FLOOR_TRANSFER_MEDIAN),
    Metric("talk_share", "Talk share", "share", "neither", "ratio",
           "the agent's part of the speech of both", human=0.5),
    Metric("talk_share_drift", "Talk share, drift", "share/min", "neither", "drift",
           "how much more of the talk is the agent's with every minute of a conversation", of="talk_share"),
    Metric("ipus", "Inter-pausal units", "/min", "human", "ratio", "of both, bounded by 0.2 s of silence",
           human=human.IPUS_PER_MINUTE),
    Metric("ipu_seconds", "Speech", "s/min", "human", "ratio", "of both", human=human.IPU_SECONDS_PER_MINUTE),
    Metric("ipu_length", "Unit length", "s", "human", "median", "of the agent's inter-pausal units",
           human=human.IPU_MEDIAN),
    Metric("pauses", "Pauses", "/min", "human", "ratio", "silences between two units of one party",
           human=human.PAUSES_PER_MINUTE),
    Metric("pause_seconds", "Silence in pauses", "s/min", "human", "ratio", "of both",
           human=human.PAUSE_SECONDS_PER_MINUTE),
    Metric("pause_length", "Pause length", "s", "human", "median", "of the agent's pauses", human=human.PAUSE_MEDIAN),
    Metric("gaps", "Gaps", "/min", "human", "ratio", "silences between units of different parties",
           human=human.GAPS_PER_MINUTE),
    Metric("gap_seconds", "Silence in gaps", "s/min", "human", "ratio", "between the parties",
           human=human.GAP_SECONDS_PER_MINUTE),
    Metric("gap_length", "Gap length", "s", "human", "median", "of the silences between the parties",
           human=human.GAP_MEDIAN),
    Metric("overlaps", "Overlaps", "/min", "human", "ratio", "stretches in which both speak",
           human=human.OVERLAPS_PER_MINUTE),
    Metric("overlap_seconds", "Time in overlap", "s/min", "human", "ratio", "both speak",
           human=human.OVERLAP_SECONDS_PER_MINUTE),
    Metric("overlap_length", "Overlap length", "s", "human", "median", "of the stretches in which both speak",
           human=human.OVERLAP_MEDIAN),
    Metric("turns", "Turns", "/min", "human", "ratio", "of both, backchannels left out", human=human.TURNS_PER_MINUTE),
)

OUTCOMES: Final = (
    Metric("part_endpointing", "Of the latency: endpointing", "s", "lower", "mean",
           "from the true end of the turn until the agent calls it over"),
    Metric("part_line", "Of the latency: the caller's line", "s", "lower", "mean",
           "the way of the caller's sound to the agent and of its answer back"),
    Metric("part_transport", "Of the latency: transport", "s", "lower", "mean",
           "on the way to the agent's stages and back after the turn was called over"),
    Metric("part_stt_final", "Of the latency: recognition", "s", "lower", "mean",
           "waiting for the final text after the turn was called over"),
    Metric("part_llm", "Of the latency: language", "s", "lower", "mean",
           "waiting for the reply after the turn was called over"),
    Metric("part_tts", "Of the latency: synthesis", "s", "lower", "mean",
           "waiting for the first sentence's sound after the turn was called over"),
    Metric("part_speech_reply", "Of the latency: speech model", "s", "lower", "mean",
           "waiting for the first sound of a model that hears and speaks after the turn was called over"),
    Metric("part_frame", "Of the latency: frames", "s", "lower", "mean", "waiting for the next 80 ms to begin"),
    Metric("part_lead", "Of the latency: silence first", "s", "lower", "mean", "silence at the start of the speech"),
    Metric("part_unexplained", "Of the latency: unexplained", "s", "lower", "mean",
           "heard, but explained by no stage; beyond 10 ms somebody is wrong"),
    Metric("prepared_in_vain", "Answers prepared in vain", "answers", "lower", "ratio",
           "answers prepared and not spoken, per answer spoken"),
    Metric("late_steps", "Late steps", "share", "lower", "ratio", "steps that took longer than the 80 ms of a frame"),
    Metric("realtime_factor", "Real-time factor", "s/s", "lower", "ratio",
           "computing per second of sound; above 1 the agent cannot keep up"),
    Metric("conversation_failed", "Conversations failed", "share", "lower", "rate",
           "the conversation broke off with an error"),
)

ELIGIBLE: Final = tuple(
    Metric(f"{kind}_eligible", f"{title} that can be measured", "share", "neither", "rate", why) for kind, title, why in (
        ("turn", "Turns", "an answer was due and could be seen"),
        ("pause", "Pauses", "the agent was silent when they began"),
        ("interruption", "Interruptions", "the agent was speaking, with something left to say"),
        *((kind, plural.capitalize(), "the agent was speaking") for kind, (plural, _) in ASIDES.items())))

GROUPS: Final[Mapping[str, tuple[Metric, ...]]] = {  # of ours, as a reader looks for them
    "Taking the floor": SWITCHES,
    "Interruptions": INTERRUPTIONS,
    "What claims nothing": ASIDE_METRICS,
    "Listening": MANNERS,
    "Turn-taking beside people": TURN_TAKING,
    **tasks.GROUPS,
    "Time and cost": (*COSTS, *OUTCOMES),
    "What could be measured": (*TRUST, *ELIGIBLE),
}

# Other people's rules, under their own names.
OTHERS: Final = (full_duplex_bench, full_duplex_bench_15, tau_voice, eva, vap, dgslm)

METRICS: Final = (*(metric for group in GROUPS.values() for metric in group),
                  *(metric for other in OTHERS for metric in other.METRICS))

BY_NAME: Final[Mapping[str, Metric]] = {metric.name: metric for metric in METRICS}

MEASURES: Final[tuple[Callable[[Timeline], list[Observation]], ...]] = (
    eligibility, switch_latency, answer_delay, response_rate, early_rate, zones, decision_times, pause_false_start,
    stop_latency, yield_rate, yield_excess, double_talk, stale_talk, interruption_response, recovery_rate, recovery_time,
    continues, kept, stop_excess, false_response, agent_backchannels, floor_theft, backchannel_timing,
    floor_transfers, floor_transfer_below_zero, talk_share, per_minute, lengths, latency_parts, in_vain,
    *(measure for other in OTHERS for measure in other.MEASURES))


def metric(name: str) -> Metric:
    """The metric of that name.

    Raises:
        ValueError: for an unknown name, with the known ones.
    """
    if name not in BY_NAME:
        raise ValueError(f"no metric {name!r}; there are {', '.join(BY_NAME)}")
    return BY_NAME[name]


def observations(recording: Recording, without: Mapping[float, Recording] | None = None) -> list[Observation]:
    """Everything that can be measured of a conversation.

    Args:
        without: see `eval.timeline.timeline`.
    """
    heard = timeline(recording, without)
    call = call_of(recording, heard)
    found = [observation for measure in MEASURES for observation in measure(heard)]
    found += [observation for measure in tasks.MEASURES for observation in measure(call)]
    found += full_duplex_bench.with_facts(heard, recording.facts)
    return found + conversation_failed(call.failed) + steps(recording)
