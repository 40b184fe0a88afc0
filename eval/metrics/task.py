"""Whether the conversation achieved what it was for, by what the agent was heard to say.

How it was said, and how quickly, is measured elsewhere.
"""

from collections.abc import Mapping
from typing import Any

from eval.metrics.occasions import Observation
from eval.metrics.phrases import occurrences
from eval.timeline import Timeline


def task_success(timeline: Timeline, facts: Mapping[str, Any], failed: bool) -> list[Observation]:
    """Share of the conversations in which the agent says all that had to be said and nothing that must not be.

    The scenario names phrases that must and must not be spoken; they are compared as consecutive words, whoever asked
    and in any order. A conversation that failed has no success. One without such phrases has no task.

    An agent that speaks without a log of its words is taken to have said nothing; transcribe it first.
    """
    expect = facts.get("expect") or {}
    required, forbidden = expect.get("said") or (), expect.get("not_said") or ()
    if not required and not forbidden:
        return []
    said = all(occurrences(timeline.words, phrase) for phrase in required)
    spoiled = any(occurrences(timeline.words, phrase) for phrase in forbidden)
    return [Observation("task_success", 0.0, float(said and not spoiled and not failed))]


def conversation_failed(failed: bool) -> list[Observation]:
    """Share of the conversations that broke off with an error. Every conversation is an occasion, so this also counts
    the conversations."""
    return [Observation("conversation_failed", 0.0, float(failed))]
