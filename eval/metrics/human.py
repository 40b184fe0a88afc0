"""How people do: reference values for the table.

Telephone talk between strangers, computed from the word alignments of Switchboard (Godfrey et al., 1992; Mississippi State
alignments; 2,438 conversations, 259.1 h, 106,193 floor transfers) by the units and turns of `eval.turn_taking`. People also
take the floor in overlap that nobody minds, so these are no targets for a machine that answers a caller.
"""

from typing import Final

# Floor transfers: these follow from the histogram in human_transfers.json, see `eval.statistics.human_distance`.
FLOOR_TRANSFER_MEDIAN: Final = 0.08  # seconds; Levinson & Torreira (2015) find a mode of 0.2 in ten languages
FLOOR_TRANSFER_P95: Final = 1.92  # seconds
BELOW_ZERO: Final = 0.44
EARLY: Final = 0.33  # below -0.2 s
NATURAL: Final = 0.87  # below 0.8 s
SLOW: Final = 0.06  # 0.8 to 1.5 s
MACHINE: Final = 0.07  # above 1.5 s

CLAMPED_MEAN: Final = 0.39  # seconds; mean of max(0, offset), the rule by which Full-Duplex-Bench reports latency

# Of both together, per minute of conversation; in brackets 95 % intervals over conversations.
IPUS_PER_MINUTE: Final = 28.42  # [28.25, 28.58]
IPU_SECONDS_PER_MINUTE: Final = 51.05  # seconds [50.89, 51.23]
PAUSES_PER_MINUTE: Final = 13.54  # [13.41, 13.67]
PAUSE_SECONDS_PER_MINUTE: Final = 7.87  # seconds [7.76, 7.97]
GAPS_PER_MINUTE: Final = 8.16  # [8.03, 8.27]
GAP_SECONDS_PER_MINUTE: Final = 3.09  # seconds [3.03, 3.15]
OVERLAPS_PER_MINUTE: Final = 6.34  # [6.20, 6.47]
OVERLAP_SECONDS_PER_MINUTE: Final = 2.24  # seconds [2.18, 2.30]
TURNS_PER_MINUTE: Final = 7.0
SHORT_UTTERANCES_PER_MINUTE: Final = 4.64  # [4.58, 4.72]; up to 1 s, alone for 1 s (Ekstedt & Skantze, 2022)

# Of one speaker, per minute of conversation. Gaps and overlaps are nobody's alone.
SPEAKER_IPUS_PER_MINUTE: Final = IPUS_PER_MINUTE / 2.0
SPEAKER_IPU_SECONDS_PER_MINUTE: Final = IPU_SECONDS_PER_MINUTE / 2.0  # seconds
SPEAKER_PAUSES_PER_MINUTE: Final = PAUSES_PER_MINUTE / 2.0
SPEAKER_PAUSE_SECONDS_PER_MINUTE: Final = PAUSE_SECONDS_PER_MINUTE / 2.0  # seconds
SPEAKER_TURNS_PER_MINUTE: Final = TURNS_PER_MINUTE / 2.0
BACKCHANNELS_PER_MINUTE: Final = 2.28  # 4.55 of both (Switchboard Dialog Act Corpus, act "b", 1,155 conversations)
BACKCHANNELS_PER_LISTENING_MINUTE: Final = 4.55  # of a listener, who listens half of the time

# Medians, seconds.
IPU_MEDIAN: Final = 1.31
PAUSE_MEDIAN: Final = 0.48
GAP_MEDIAN: Final = 0.27
OVERLAP_MEDIAN: Final = 0.31
