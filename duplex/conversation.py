"""The protocol and the loop: two participants, one frame clock.

Whoever blocks keeps the time: live is real time because a sound card blocks, a simulation is fast because nobody
does. Measuring what was said is `eval`'s business.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any, Final, Protocol, runtime_checkable

from duplex.frame import FRAME_SECONDS, SILENCE, Frame, checked
from duplex.recording import Keeps, Recorder, Recording

MAX_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Prompt:
    """What an agent is told before the call; every agent of a scenario gets the same facts.

    Attributes:
        text: the role in prose, as PersonaPlex and language models read it.
        records: the same facts as data, table -> key -> field -> value, as a dialogue manager reads them.
        domain: whose desk it is, a domain's name or the path of its YAML; "" for an agent's own.
    """

    text: str = ""
    records: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    domain: str = ""


class Participant(Protocol):
    """A model, a cascade, a simulated caller, or you at a microphone."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        """Forgets the last conversation; everything random in the next one follows from `seed`."""

    def step(self, heard: Frame) -> Frame | None:
        """Hears 80 ms and says 80 ms; None hangs up. `heard` must not be changed."""


@runtime_checkable
class Leaves(Protocol):
    """A participant that holds something for the length of a conversation: a slot of a shared model, a connection.

    Only whoever holds something has this part of the protocol. What stands around a participant needs not pass it on.
    """

    def leave(self) -> None:
        """The conversation is over, however it ended: called once for each `reset`, even for one that failed."""


@runtime_checkable
class Tallies(Protocol):
    """A participant that counts what only it can know: late frames of a sound card, packets of a line."""

    def tally(self) -> Mapping[str, Any]:
        """What it counted, JSON-like; asked once a conversation is over, before `leave`."""


@runtime_checkable
class WarmsUp(Protocol):
    """An agent whose first conversation would wait for something that can be done before: a recogniser that is loaded."""

    def warm_up(self) -> None:
        """Does it. A `reset` follows before anybody speaks."""


@runtime_checkable
class Resumes(Participant, Protocol):
    """An agent that can be taken up where it stood, as often as one likes: one moment has many futures."""

    def snapshot(self) -> Any:
        """The conversation at this moment, between two steps, from the agent's side."""

    def resume(self, moment: Any, /) -> None:
        """Goes on from a moment in place of `reset`."""


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
        facts: JSON-like, kept in the recording: which scenario, system and clock this is. What the agent says of
            itself (see `facts_of`) stands beside them as "agent".

    Raises:
        ConversationFailed: from what a participant raised, with the recording so far.
    """
    recorder = Recorder(described(agent, prompt, seed, facts))
    ended_by, failure = hold(user, agent, recorder, prompt, seed, max_seconds, watch)
    if failure is not None:
        raise ConversationFailed(recorder.finish(ended_by, complaint(failure))) from failure
    return recorder.finish(ended_by)


def hold(user: Participant, agent: Participant, recorder: Keeps, prompt: Prompt, seed: int, max_seconds: float,
         watch: Watch | None = None) -> tuple[str, Exception | None]:
    """The conversation itself, written to `recorder`, which is left to be finished; returns who ended it, and what failed."""
    try:
        with ExitStack() as when_over:
            for participant in (user, agent):
                when_over.callback(leave, participant)
                participant.reset(prompt, seed)
            when_over.callback(lambda: recorder.tell(counted(user, agent)))  # before anybody leaves
            ended_by = exchange(user, agent, recorder, round(max_seconds / FRAME_SECONDS), watch)
    except Exception as error:  # not swallowed: whoever holds the conversation keeps what was recorded and tells it
        return "failure", error
    return ended_by, None


def described(agent: Participant, prompt: Prompt, seed: int, facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a recording keeps of a conversation that is about to begin: enough to hold it with another agent."""
    known = facts_of(agent)
    return {**(facts or {}), "seed": seed, **({"prompt": asdict(prompt)} if prompt != Prompt() else {}),
            **({"agent": dict(known)} if known else {})}


def complaint(failure: Exception) -> str:
    return f"{type(failure).__name__}: {failure}"


def counted(user: Participant, agent: Participant) -> dict[str, Any]:
    """What the two counted, as facts of a recording; nothing where nobody counts."""
    tallies: dict[str, Any] = {}
    for party, participant in (("user", user), ("agent", agent)):
        if outermost := next((one for one in layers(participant) if isinstance(one, Tallies)), None):
            tallies[party] = dict(outermost.tally())
    return {"tally": tallies} if tallies else {}


def exchange(user: Participant, agent: Participant, recorder: Keeps, num_frames: int, watch: Watch | None) -> str:
    """The loop; returns who ended it."""
    from_user = SILENCE
    for index in range(num_frames):
        started = perf_counter()
        from_agent = agent.step(from_user)
        measured = perf_counter() - started
        if from_agent is None:
            return "agent"
        heard = checked(from_agent, name(agent))
        answer = user.step(heard)
        if answer is None:
            return "user"
        from_user = checked(answer, name(user))
        recorder.write(from_user, heard, measured if heard.seconds is None else heard.seconds)
        if watch is not None:
            watch(index, from_user, heard)
    return "limit"


def leave(participant: Participant) -> None:
    """Tells whoever holds something for a conversation that it is over."""
    for one in layers(participant):
        if isinstance(one, Leaves):
            one.leave()


def warm_up(agent: Participant) -> None:
    """Lets an agent do before a live call what that would otherwise wait for."""
    for one in layers(agent):
        if isinstance(one, WarmsUp):
            one.warm_up()


def facts_of(agent: Participant) -> Mapping[str, Any]:
    """What an agent says of itself in an attribute `facts`, JSON-like: of a model its weights' source and licence."""
    *_, innermost = layers(agent)
    known: Mapping[str, Any] = getattr(innermost, "facts", {})
    return known


def layers(participant: Participant) -> Iterator[Participant]:
    """`participant` and whoever it stands around, from the outside in; what stands around one keeps it as `agent` or `user`."""
    yield participant
    while (inner := getattr(participant, "agent", getattr(participant, "user", None))) is not None:
        participant = inner
        yield participant


def name(participant: Participant) -> str:
    return type(participant).__name__
