"""A real Pipecat pipeline as an agent: its voice activity, turn taking and interruptions, with our stages or any of its services.

Pipecat 1.12.0 (Daily, BSD-2-Clause) runs in an event loop that the frames drive, in virtual time or by the clock on the wall.
What is in the pipeline is `duplex.frameworks.pipecat_pipeline`'s business, or the user's own.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from loguru import logger

from duplex.conversation import Prompt
from duplex.frame import Frame
from duplex.frameworks.clock import Clock
from duplex.frameworks.speaker import Speaker
from duplex.stages.hearing.downsample import MODEL_RATE

if TYPE_CHECKING:
    from duplex.frameworks.pipecat_run import Build, Run

logger.disable("pipecat")  # it greets on import and tells of every frame on stderr; loguru.logger.enable("pipecat") lets it


class Pipecat:
    """Runs a pipeline, one for each call.

    What it does is logged as a cascade logs it, read from Pipecat's own frames. A service that fails ends the call with its own
    words; a pipeline that ends hangs up.

    Args:
        pipeline: makes it: called in the loop at the beginning of each call with the transport, whose `input()` and `output()`
            belong first and last, and the Prompt; returns the processors in order, a Pipeline or a PipelineWorker, or awaits one.
        clock: how the loop keeps time. Services over sockets need the clock on the wall.
        input_rate: Hz of the sound that the pipeline hears, 16 000 or 24 000; it speaks at any rate.
    """

    def __init__(self, pipeline: "Build", clock: Clock, input_rate: int = MODEL_RATE):
        self.pipeline = pipeline
        self.clock = clock
        self.input_rate = input_rate
        self.needs_time = clock.needs_time
        self.speaker = Speaker()
        self.run: Run | None = None

    def reset(self, prompt: Prompt, seed: int) -> None:
        from duplex.frameworks.pipecat_run import Run

        self.leave()
        self.speaker.reset()
        self.run = Run(self.pipeline, self.clock, self.speaker, prompt, seed, self.input_rate)
        self.clock.begin(seed, self.run.begin)

    def step(self, heard: Frame) -> Frame | None:
        run = self.run
        assert run is not None and run.transport is not None, "reset comes before step"
        self.clock.tick()
        run.num_frames += 1
        self.clock.act(partial(run.transport.ears.hear, heard))
        run.check()
        run.account.tell()
        return None if run.over and not self.speaker.waiting_seconds else self.speaker.read()

    def leave(self) -> None:
        run, self.run = self.run, None
        self.clock.end(None if run is None else run.finish)

    def tally(self) -> Mapping[str, Any]:
        told = getattr(self.pipeline, "tally", None)
        if told is not None:
            return dict(told())
        return {} if self.run is None else dict(self.run.account.usage)
