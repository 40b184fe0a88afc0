"""The protocol and the loop: two participants, one frame clock.

Whoever blocks keeps the time: live is real time because a sound card blocks, a simulation is fast because nobody
does. Measuring what was said is `eval`'s business.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, Protocol

from duplex.frame import FRAME_SECONDS, SILENCE, Frame, checked
from duplex.recording import Recorder, Recording

MAX_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Prompt:
    """What an agent is told before the call; every agent of a scenario gets the same facts.

    Attributes:
        text: the role in prose, as PersonaPlex and language models read it.
        records: the same facts as data, table -> key -> field -> value, as a dialogue manager reads them.
    """

    text: str = ""
    records: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)


class Participant(Protocol):
    """A model, a cascade, a simulated caller, or you at a microphone."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        """Forgets the last conversation; everything random in the next one follows from `seed`."""

    def step(self, heard: Frame) -> Frame | None:
        """Hears 80 ms and says 80 ms; None hangs up. `heard` must not be changed."""


class ConversationFailed(Exception):
    """A participant raised or answered nonsense; `recording` holds everything up to then."""

    def __init__(self, recording: Recording):
        super().__init__(recording.failure)
        self.recording = recording


Watch = Callable[[int, Frame, Frame], None]


def converse(
    user: Participant,
    agent: Participant,
    *,
    prompt: Prompt = Prompt(),
    seed: int = 0,
    max_seconds: float = MAX_SECONDS,
    watch: Watch | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Recording:
    """Lets `user` and `agent` talk until one hangs up or `max_seconds` have passed.

    The agent says frame n having heard the user up to frame n-1; the user hears frame n while saying frame n. So the
    channels line up to the sample, and no agent can answer faster than one frame.

    Args:
        watch: called after every frame with its index, the user's frame and the agent's.
        facts: JSON-like, kept in the recording: which scenario, system and clock this is.

    Raises:
        ConversationFailed: from what a participant raised, with the recording so far.
    """
    recorder = Recorder(facts={**(facts or {}), "seed": seed})
    from_user = SILENCE
    try:
        user.reset(prompt, seed)
        agent.reset(prompt, seed)
        for index in range(round(max_seconds / FRAME_SECONDS)):
            started = perf_counter()
            from_agent = agent.step(from_user)
            seconds = perf_counter() - started
            if from_agent is None:
                return recorder.finish(ended_by="agent")
            heard = checked(from_agent, name(agent))
            answer = user.step(heard)
            if answer is None:
                return recorder.finish(ended_by="user")
            from_user = checked(answer, name(user))
            recorder.write(from_user, heard, seconds)
            if watch is not None:
                watch(index, from_user, heard)
    except Exception as error:  # not swallowed: it travels on, with what was recorded so that nothing is lost
        failure = f"{type(error).__name__}: {error}"
        raise ConversationFailed(recorder.finish(ended_by="failure", failure=failure)) from error
    return recorder.finish(ended_by="limit")


def name(participant: Participant) -> str:
    return type(participant).__name__
