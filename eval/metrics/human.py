"""How people do: reference values for the table.

Floor transfers in telephone talk between strangers, computed from the word alignments of Switchboard (Godfrey et al.,
1992; Mississippi State alignments; 2,438 conversations, 259.1 h, 106,193 transfers) by the turns of `eval.timeline`.
People also take the floor in overlap that nobody minds, so these are no targets for a machine that answers a caller.
"""

from typing import Final

FLOOR_TRANSFER_MEDIAN: Final = 0.08  # seconds; Levinson & Torreira (2015) find a mode of 0.2 in ten languages
FLOOR_TRANSFER_P95: Final = 1.92  # seconds
BELOW_ZERO: Final = 0.44
EARLY: Final = 0.33  # below -0.2 s
NATURAL: Final = 0.87  # below 0.8 s
SLOW: Final = 0.06  # 0.8 to 1.5 s
MACHINE: Final = 0.07  # above 1.5 s
CLAMPED_MEAN: Final = 0.39  # seconds; mean of max(0, offset), the rule by which Full-Duplex-Bench reports latency
BACKCHANNELS_PER_MINUTE: Final = 2.28  # of one speaker; 4.55 of both (Switchboard Dialog Act Corpus, act "b")
BACKCHANNELS_PER_LISTENING_MINUTE: Final = 4.55  # of a listener, who listens half of the time

# Of both together, per minute of conversation (Switchboard, units and turns as in `eval.turn_taking`).
IPUS_PER_MINUTE: Final = 28.42
IPU_SECONDS_PER_MINUTE: Final = 51.05
PAUSES_PER_MINUTE: Final = 13.54
PAUSE_SECONDS_PER_MINUTE: Final = 7.87
GAPS_PER_MINUTE: Final = 8.16
GAP_SECONDS_PER_MINUTE: Final = 3.09
OVERLAPS_PER_MINUTE: Final = 6.34
OVERLAP_SECONDS_PER_MINUTE: Final = 2.24
TURNS_PER_MINUTE: Final = 7.0

# Medians, seconds.
IPU_MEDIAN: Final = 1.31
PAUSE_MEDIAN: Final = 0.48
GAP_MEDIAN: Final = 0.27
OVERLAP_MEDIAN: Final = 0.31
