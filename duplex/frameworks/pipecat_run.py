"""One call of a Pipecat pipeline: how it begins in a loop, what goes wrong in it, and how it ends.

What the pipeline is made of is its builder's business.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any, Final, TypeAlias

from pipecat.frames.frames import ErrorFrame, VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame
from pipecat.pipeline.base_pipeline import BasePipeline
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.workers.runner import WorkerRunner

from duplex.conversation import Prompt
from duplex.frame import SAMPLE_RATE
from duplex.frameworks.clock import Clock
from duplex.frameworks.pipecat_account import Account
from duplex.frameworks.pipecat_transport import FrameTransport
from duplex.frameworks.speaker import Speaker
from duplex.frameworks.virtual_loop import tell_virtual_time

Built: TypeAlias = Sequence[FrameProcessor] | BasePipeline | PipelineWorker
Build: TypeAlias = Callable[[FrameTransport, Prompt], Built | Awaitable[Built]]
MOST_BEHIND: Final = 125  # frames, 10 s: the loop has not come round to hear the caller


class Run:
    """A pipeline at work.

    Args:
        build: makes it; called once for each call, in its loop.
        input_rate: Hz of the sound it hears.

    Attributes:
        account: of what it does.
        over: it has ended the call.
    """

    def __init__(self, build: Build, clock: Clock, speaker: Speaker, prompt: Prompt, seed: int, input_rate: int):
        self.build, self.prompt = build, prompt
        self.account = Account(clock, speaker)
        self.make_transport = lambda: FrameTransport(clock, speaker, self.account, seed, input_rate)
        self.input_rate = input_rate
        self.transport: FrameTransport | None = None
        self.runner: WorkerRunner | None = None
        self.task: asyncio.Task[None] | None = None
        self.error: ErrorFrame | None = None
        self.started = False
        self.num_frames = 0

    async def begin(self) -> None:
        """Runs it up to the moment at which it is ready to hear.

        Raises:
            ConnectionError, ValueError: it does not get that far.
        """
        give_pipecat_the_loops_time()
        self.transport = self.make_transport()
        built = self.build(self.transport, self.prompt)
        worker = self.worker(await built if isinstance(built, Awaitable) else built)
        started = asyncio.Event()

        @worker.event_handler("on_pipeline_started")
        async def on_started(worker: PipelineWorker, frame: Any) -> None:
            started.set()

        @worker.event_handler("on_pipeline_error")
        async def on_error(worker: PipelineWorker, frame: ErrorFrame) -> None:
            self.error = self.error or frame

        worker.add_observer(self.account)
        self.runner = WorkerRunner(handle_sigint=False, check_dangling_tasks=False)
        await self.runner.add_workers(worker)
        self.task = asyncio.ensure_future(self.runner.run())
        waits = asyncio.ensure_future(started.wait())
        await asyncio.wait({waits, self.task}, return_when=asyncio.FIRST_COMPLETED)
        waits.cancel()
        self.check()
        if not started.is_set():
            raise ConnectionError("the Pipecat pipeline ended before it could begin; loguru.logger.enable('pipecat') says why")
        self.started = True

    def worker(self, built: Built) -> PipelineWorker:
        if isinstance(built, PipelineWorker):
            return built
        if not isinstance(built, BasePipeline | Sequence):
            raise ValueError(f"a pipeline's builder returns its processors in order, a Pipeline or a PipelineWorker, not "
                             f"{type(built).__name__}")
        params = PipelineParams(audio_in_sample_rate=self.input_rate, audio_out_sample_rate=SAMPLE_RATE,
                                enable_metrics=True, enable_usage_metrics=True)
        return PipelineWorker(built if isinstance(built, BasePipeline) else Pipeline(list(built)), params=params,
                              idle_timeout_secs=None, enable_rtvi=False, enable_turn_tracking=False,
                              check_dangling_tasks=False)

    def check(self) -> None:
        """Raises what went wrong since, if anything did."""
        if self.error is not None:
            frame = self.error
            where = frame.processor.name.split("#")[0] if frame.processor is not None else "pipeline"
            kind = ValueError if isinstance(frame.exception, ValueError) else ConnectionError
            raise kind(f"Pipecat's {where}: {frame.error}") from frame.exception
        if self.task is not None and self.task.done() and not self.task.cancelled():
            self.task.result()
        if self.transport is not None and self.num_frames - self.transport.ears.num_heard > MOST_BEHIND:
            raise ConnectionError(f"the pipeline's event loop has not come round for {MOST_BEHIND} frames: something in it "
                                  "blocks, and belongs in a thread")

    @property
    def over(self) -> bool:
        return self.started and self.task is not None and self.task.done()

    async def finish(self) -> None:
        """Ends it, whatever it is at."""
        if self.runner is not None and self.task is not None and not self.task.done():
            await self.runner.cancel()
            await self.task


def give_pipecat_the_loops_time() -> None:
    """Pipecat's frames of voice activity are stamped by the clock that they found when they were imported."""
    tell_virtual_time()
    for kind in (VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame):
        if not hasattr(kind.__dataclass_fields__["timestamp"].default_factory, "of_virtual_loop"):
            if not hasattr(kind.__init__, "stamps"):
                kind.__init__ = stamped(kind.__init__)  # type: ignore[method-assign, assignment]


def stamped(init: Callable[..., None]) -> Callable[..., None]:
    @wraps(init)
    def stamps(*arguments: Any, **named: Any) -> None:
        if len(arguments) < 3:  # itself, seconds, timestamp
            named.setdefault("timestamp", time.time())
        init(*arguments, **named)

    stamps.stamps = True  # type: ignore[attr-defined]
    return stamps
