"""What practitioners claim of latency, beside what a simulated sweep found. Used by `practitioners_picture.py`.

The claims are those of a practitioners' guide to voice agents (2026), in our words. Plays nothing; what would need a
product, a listener or a call centre is not judged.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import pandas as pd

from duplex.frame import FRAME_SECONDS
from eval.scores import FEW

SUPPORTED, IN_PART, REFUTED, OPEN, UNDECIDED = "supported", "in part", "not supported", "not tested", "undecided"
FAR, ONE, NEAR = "cascade_three_regions", "cascade_virginia", "cascade_colocated"
VOICE, DUPLEX, DUPLEX_FAR = "end_to_end_colocated", "full_duplex_colocated", "full_duplex_remote"
HUNDREDS: Final = 0.2  # seconds, from which "hundreds of milliseconds" are some
SHIPPED: Final = (0.75, 0.9)  # seconds, from end to end


class Claim(NamedTuple):
    """A claim, and what was found.

    Attributes:
        verdict: one of the five above; undecided where the intervals, or too few occasions, allow either.
        found: the numbers it rests on.
    """

    text: str
    verdict: str
    found: str


def claims(table: pd.DataFrame) -> list[Claim]:
    """Every claim for which the systems were played, from a table with a row per system."""
    return [claim for about in (hops, phone_line, shipped, zones, largest_win, speech_to_speech, speaker_switch, barge_in)
            for claim in about(table)]


def has(table: pd.DataFrame, *systems: str) -> bool:
    return all(system in table.index for system in systems)


def meets(low: float, high: float, other_low: float, other_high: float) -> bool:
    """Whether two intervals overlap; an end that is open, not a number, bounds nothing."""
    return not low > other_high and not high < other_low


def hops(table: pd.DataFrame) -> Iterator[Claim]:
    if not has(table, FAR, NEAR):
        return
    far, near = table.loc[FAR], table.loc[NEAR]
    transport, gain = far["part_transport"] - near["part_transport"], -far["switch_latency_gain"]
    verdict = SUPPORTED if min(transport, gain) >= HUNDREDS else IN_PART if min(transport, gain) >= HUNDREDS / 2 else REFUTED
    yield Claim("Stages in three regions cross the Internet three times: hundreds of ms.", verdict,
                f"Transport adds {transport:.3f} s a turn in the mean; the median is {gain:.2f} s "
                f"[{-far['switch_latency_gain_high']:.2f}, {-far['switch_latency_gain_low']:.2f}] later than beside the line. "
                "This cascade answers the streamed words and pays two of the three ways.")


def phone_line(table: pd.DataFrame) -> Iterator[Claim]:
    if not has(table, NEAR):
        return
    seconds = table.loc[NEAR, "part_line"] + table.loc[NEAR, "part_transport"]
    yield Claim("Colocated with the phone network, or whatever line it is, round trips stay under 200 ms.",
                SUPPORTED if seconds < 0.2 else REFUTED,
                f"The line and all ways between stages take {seconds:.3f} s of a turn; the line is declared.")


def shipped(table: pd.DataFrame) -> Iterator[Claim]:
    for system in (ONE, NEAR):
        if has(table, system):
            row = table.loc[system]
            heard, without = row["switch_latency"], row["switch_latency"] - row["part_line"]
            fits = [meets(row["switch_latency_low"] - line, row["switch_latency_high"] - line, *SHIPPED)
                    for line in (0.0, row["part_line"])]
            verdict = SUPPORTED if fits[0] else IN_PART if fits[1] else REFUTED
            yield Claim(f"A cascade ({row['title'].partition(', ')[2]}) answers in 750-900 ms.", verdict,
                        f"Heard after {heard:.2f} s; {without:.2f} s without the caller's line. The stage times are declared.")


def zones(table: pd.DataFrame) -> Iterator[Claim]:
    shares = "; ".join(f"{row['title']} {row['zone_natural']:.0%}, {row['zone_machine']:.0%}" for _, row in table.iterrows())
    yield Claim("Below 800 ms feels natural, above 1.5 s is plainly a machine.", OPEN,
                f"Nobody listened. Answers below 0.8 s, and above 1.5 s: {shares}.")


def largest_win(table: pd.DataFrame) -> Iterator[Claim]:
    if not has(table, FAR, NEAR, DUPLEX):
        return
    far, duplex = table.loc[FAR], table.loc[DUPLEX]
    placing = tuple(-far[f"switch_latency_gain{end}"] for end in ("", "_high", "_low"))
    listening = tuple(duplex[f"switch_latency_gain{end}"] for end in ("", "_low", "_high"))
    verdict = UNDECIDED if meets(*placing[1:], *listening[1:]) else SUPPORTED if placing[0] > listening[0] else REFUTED
    yield Claim("Infrastructure holds the largest win.", verdict,
                f"Moving a cascade's stages beside the line gains {placing[0]:.2f} s [{placing[1]:.2f}, {placing[2]:.2f}]; "
                f"listening while it speaks and preparing ahead, on the same line, {listening[0]:.2f} s [{listening[1]:.2f}, "
                f"{listening[2]:.2f}]; endpointing takes {table.loc[NEAR, 'part_endpointing']:.2f} s of the cascade's.")


def speech_to_speech(table: pd.DataFrame) -> Iterator[Claim]:
    if not has(table, VOICE):
        return
    row = table.loc[VOICE]
    heard, without = row["switch_latency"], row["switch_latency"] - row["part_line"]
    yield Claim("Speech-to-speech answers in under 500 ms.", SUPPORTED if heard < 0.5 else REFUTED,
                f"Heard after {heard:.2f} s, {without:.2f} s without the line, of which endpointing "
                f"{row['part_endpointing']:.2f} s. A stand-in for the model, whose time is declared.")


def speaker_switch(table: pd.DataFrame) -> Iterator[Claim]:
    if has(table, DUPLEX):
        row = table.loc[DUPLEX]
        yield Claim("Full duplex (PersonaPlex) switches speakers in 70 ms.", OPEN,
                    f"PersonaPlex is not in this sweep. The incremental agent: {row['switch_latency']:.2f} s on the same line.")


def barge_in(table: pd.DataFrame) -> Iterator[Claim]:
    if not has(table, DUPLEX, DUPLEX_FAR, NEAR):
        return
    near, far = table.loc[DUPLEX, "stop_latency"], table.loc[DUPLEX_FAR, "stop_latency"]
    occasions = min(table.loc[system, "stop_latency_n"] for system in (DUPLEX, DUPLEX_FAR))
    if pd.isna(near) or pd.isna(far):  # nobody interrupted them
        return
    agrees = abs(far - near - longer_line(table)) < FRAME_SECONDS
    yield Claim("A full-duplex model pays the distance once, on a barge-in too.",
                UNDECIDED if occasions < FEW else SUPPORTED if agrees else REFUTED,
                f"It stops after {near:.2f} s, and after {far:.2f} s where the line is {longer_line(table):.2f} s longer there "
                f"and back; the cascade beside the line after {table.loc[NEAR, 'stop_latency']:.2f} s. n = {occasions:.0f}.")


def longer_line(table: pd.DataFrame) -> float:
    """Seconds there and back."""
    return float(table.loc[DUPLEX_FAR, "part_line"] - table.loc[DUPLEX, "part_line"])
