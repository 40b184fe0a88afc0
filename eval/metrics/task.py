"""Whether a conversation was held to its end. Whether it achieved what it was for is measured in `eval.tasks`."""

from eval.metrics.occasions import Observation


def conversation_failed(failed: bool) -> list[Observation]:
    """Share of the conversations that broke off with an error. Every conversation is an occasion, so this also counts
    the conversations."""
    return [Observation("conversation_failed", 0.0, float(failed))]
