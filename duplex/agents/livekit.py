"""A real LiveKit `AgentSession` as an agent: its turn taking and interruptions, with our stages or any of its services.

LiveKit Agents 1.8.9 (LiveKit, Apache-2.0) runs in an event loop that the frames drive, in virtual time or by the clock on the
wall; there is no room and no server. Its bundled voice activity and end-of-turn models (livekit-local-inference) are licensed
for use with LiveKit Agents only, and are used nowhere else.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from duplex.conversation import Prompt
from duplex.frame import Frame
from duplex.frameworks.clock import Clock
from duplex.frameworks.speaker import Speaker
from duplex.stages.hearing.downsample import MODEL_RATE

if TYPE_CHECKING:
    from duplex.frameworks.livekit_run import Build, Run


class LiveKit:
    """Runs a session, one for each call.

    What it does is logged as a cascade logs it, read from LiveKit's own events. A service that fails ends the call with its own
    words; a session that closes hangs up.

    Args:
        session: makes it: called in the loop at the beginning of each call with the Prompt, returns the AgentSession and the
            Agent that begins. The session gets its sound in and out from here.
        clock: how the loop keeps time. Services over sockets need the clock on the wall.
        input_rate: Hz of the sound that the session hears, 16 000 or 24 000. LiveKit resamples the latter for its own models,
            with a noise that is never the same twice.
    """

    def __init__(self, session: "Build", clock: Clock, input_rate: int = MODEL_RATE):
        self.session = session
        self.clock = clock
        self.input_rate = input_rate
        self.needs_time = clock.needs_time
        self.speaker = Speaker()
        self.run: Run | None = None

    def warm_up(self) -> None:
        prepare = getattr(self.session, "warm_up", None)
        if prepare is not None:
            prepare()

    def reset(self, prompt: Prompt, seed: int) -> None:
        from duplex.frameworks.livekit_run import Run

        self.leave()
        self.speaker.reset()
        self.run = Run(self.session, self.clock, self.speaker, prompt, seed, self.input_rate)
        self.clock.begin(seed, self.run.begin)

    def step(self, heard: Frame) -> Frame | None:
        run = self.run
        assert run is not None, "reset comes before step"
        self.clock.tick()
        self.clock.act(partial(run.hear, heard))
        run.check()
        if run.over and not self.speaker.waiting_seconds:
            return None
        before = self.speaker.num_played
        frame = self.speaker.read()
        if self.speaker.num_played > before:
            self.clock.act(run.loudspeaker.follow)
        return replace(frame, events=(*frame.events, *run.taken()))

    def leave(self) -> None:
        run, self.run = self.run, None
        self.clock.end(None if run is None else run.end)

    def tally(self) -> Mapping[str, Any]:
        counts = getattr(self.session, "tally", None)
        if counts is not None:
            return dict(counts())
        return {} if self.run is None else self.run.usage()
