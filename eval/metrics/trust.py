"""How far the recordings and the measuring itself can be trusted, as metrics.

They are measured in `eval.trust.integrity`, `eval.trust.second_opinion` and `eval.metrics.words`, each beside what it looks at.
"""

from typing import Final

from eval.metrics.metric import Metric

METRICS: Final = (
    Metric("recording_refused", "Recordings refused", "share", "lower", "rate",
           "the recording is not what it says (shifted, clipped, swapped, another sound) and was not scored"),
    Metric("segmentation_disagreement_agent", "Doubt about when the agent speaks", "share", "lower", "ratio",
           "speech of the agent that energy and Silero do not both hear, per speech by energy; beyond 5 % look for yourself"),
    Metric("segmentation_disagreement_user", "Doubt about when the user speaks", "share", "lower", "ratio",
           "speech of the user that energy and Silero do not both hear, per speech by energy; beyond 5 % look for yourself"),
    Metric("text_audio_word_error", "Word error between text and sound", "share", "lower", "ratio",
           "of the agent's own text against what a recogniser heard, its own errors included"),
)
