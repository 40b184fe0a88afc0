"""Whether a recording is what it says: what is wrong with it is found before it is measured.

How a log and its sound drift apart is `eval.trust.alignment`'s business, what was said when `eval.timeline`'s.
"""

from typing import Final

import numpy as np

from duplex.frame import SAMPLE_RATE
from duplex.recording import AGENT, FULL_SCALE, PARTIES, USER, Recording, moment
from eval.activity import CLIPPED, clipped_share, once, units
from eval.metrics.occasions import Observation
from eval.tasks.call import call_of
from eval.tasks.state import drift
from eval.timeline import acts, timeline
from eval.trust.alignment import agent_misalignment, user_misalignment

MOST_CLIPPED: Final = 0.01  # of all samples, at full scale
MOST_FLAT: Final = 0.001  # of the audible samples; speech that was not clipped has none
MOST_ROUNDED: Final = 0.01  # of the audible samples; speech has none, and what was driven 14 dB into saturation has more
LEAST_PEAK: Final = 0.02  # a quieter channel has flat tops from the 16-bit grid alone
AUDIBLE_OF_PEAK: Final = 0.1
FLAT_SAMPLES: Final = 3
FLAT_STEPS: Final = 1.5  # of the 16-bit grid
ROUNDED_SAMPLES: Final = SAMPLE_RATE // 2_000  # 0.5 ms
ROUNDED_OF_PEAK: Final = 0.9
MOST_OFFSET: Final = 10.0 ** (-50.0 / 20.0)  # a constant that would by itself be loud enough for speech
LEAST_RESIDUE: Final = 1e-3  # of a channel's energy; an agent that repeats its user does so a frame later
LEAST_WORDS_SECONDS: Final = 0.5


def check(recording: Recording) -> None:
    """Looks for recordings that would be measured without an error and wrongly.

    Raises:
        ValueError: saying what is wrong and what would be right: values that are no numbers, a channel that is empty though
            its log has speech, a constant offset, clipping, one channel on both sides, acts outside the recording, channels
            swapped, shifted or stretched against their log, tools that do something else today than they did in the call. A
            channel with its polarity turned round is as good as any.
    """
    for party, channel in zip(PARTIES, recording.audio, strict=True):
        if not np.isfinite(channel).all():
            raise ValueError(f"the {party}'s channel holds values that are no numbers; record this conversation again")
    check_empty(recording)
    for party, channel in zip(PARTIES, recording.audio, strict=True):
        if fault := distortion(channel):
            raise ValueError(f"the {party}'s channel {fault}")
    if are_one(recording.audio[USER], recording.audio[AGENT]):
        raise ValueError("both channels hold the same sound: left is the user alone, right the agent alone; a file in mono "
                         "is no conversation")
    for act in acts(recording.events[USER]):
        if not 0 <= act.start <= act.end or act.start > recording.seconds:
            raise ValueError(f"the {act.kind} at {act.start:.2f}-{act.end:.2f} s does not lie within the recording's "
                             f"{recording.seconds:.2f} s: the sound is cut off, or of another sample rate than {SAMPLE_RATE} Hz")
    user, agent = units(recording)
    if fault := user_misalignment(recording.events[USER], user, agent, recording.seconds):
        raise ValueError(fault)
    if fault := agent_misalignment(recording.words[AGENT], agent) or drift(call_of(recording, timeline(recording))):
        raise ValueError(fault)


@once
def refusal(recording: Recording) -> str:
    """What is wrong with a recording, in words; empty for one that may be scored."""
    try:
        check(recording)
    except ValueError as wrong:
        return str(wrong)
    return ""


def recording_refused(refused: bool) -> list[Observation]:
    """Share of the conversations whose recording is not what it says, by `check`, or cannot be read at all.

    A refused recording is measured by nothing else, and counts as a failed conversation. Every conversation is an occasion.
    """
    return [Observation("recording_refused", 0.0, float(refused))]


def check_empty(recording: Recording) -> None:
    """Looks for a channel of digital silence whose log says that there is speech."""
    user, agent = (bool(channel.any()) for channel in recording.audio)
    meant = [act for act in acts(recording.events[USER]) if act.end <= recording.seconds and act.text]
    if meant and not user:
        raise ValueError(f"the user's channel is empty and its log has {len(meant)} acts; "
                         + ("the channels look swapped: left is the user, right the agent" if agent else
                            "record this conversation again"))
    words = [word for word in recording.words[AGENT] if word.end <= recording.seconds]
    if moment(sum(word.end - word.start for word in words)) >= LEAST_WORDS_SECONDS and not agent:
        raise ValueError(f"the agent's channel is empty and its log has {len(words)} words; record this conversation again")


def distortion(channel: np.ndarray) -> str:
    """What the way to the file has done to a channel (num_samples,), in words; empty if nothing.

    * Offset: its mean lies at -50 dB of full scale or above.
    * Clipped: more than 1 % of its samples stand at full scale. Or flat tops at any level: more than 0.1 % of its audible
      samples (above a tenth of its peak) lie in runs of 3 or more on its highest or lowest value. Or saturation: more than
      1 % lie in runs of 0.5 ms or more above 90 % of its peak. Speech has neither; a pure tone below 290 Hz has the latter.
    """
    if not len(channel):
        return ""
    if abs(offset := float(channel.mean())) >= MOST_OFFSET:
        return f"has a constant offset of {offset:+.4f} of full scale; take its mean away"
    top, bottom = float(channel.max()), -float(channel.min())
    peak = max(top, bottom)
    if peak >= CLIPPED and (clipped := clipped_share(channel)) > MOST_CLIPPED:
        return f"is clipped: {clipped:.1%} of its samples are at full scale; lower its level and record again"
    if peak < LEAST_PEAK:
        return ""
    audible = np.count_nonzero(np.abs(channel) > AUDIBLE_OF_PEAK * peak)
    step = FLAT_STEPS / FULL_SCALE
    flat = sum(in_runs(side >= most - step, FLAT_SAMPLES) for side, most in ((channel, top), (-channel, bottom))) / audible
    if flat > MOST_FLAT:
        return (f"is clipped: {flat:.1%} of what is audible lies on flat tops at {peak:.2f} of full scale; "
                "lower its level and record again")
    rounded = sum(in_runs(side >= ROUNDED_OF_PEAK * peak, ROUNDED_SAMPLES) for side in (channel, -channel)) / audible
    if rounded > MOST_ROUNDED:
        return (f"is saturated: {rounded:.1%} of what is audible lies on round tops at {peak:.2f} of full scale; "
                "lower its level and record again")
    return ""


def in_runs(high: np.ndarray, at_least: int) -> int:
    """How many of the true values stand in runs of at least so many."""
    where = np.flatnonzero(high)
    if not len(where):
        return 0
    starts = np.flatnonzero(np.diff(where, prepend=-2) > 1)
    lengths = np.diff(starts, append=len(where))
    return int(lengths[lengths >= at_least].sum())


def are_one(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether a channel is the other, perhaps louder or turned round, and not silent."""
    # not np.dot: its library has threads of its own, which get into the way of the processes that score
    energy, others, common = (float(np.einsum("i,i->", a, b)) for a, b in ((one, one), (other, other), (one, other)))
    return energy > 0.0 and others > 0.0 and 1.0 - common * common / (energy * others) < LEAST_RESIDUE
