"""A stopwatch for the parts of a program, used by `frame_time.py` and `bench_speed.py`.

    watch = Stopwatch(); watch.put_on(agent.ears.vad, "hear", "vad"); converse(user, agent); watch.seconds["vad"]

Counts processor time of this process, so that other programs on the machine do not count. Costs 1 µs per call.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from time import process_time
from types import ModuleType
from typing import Final, ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")
SHARES: Final = (50.0, 99.0, 100.0)


class Stopwatch:
    """Seconds of every call by part; what a part spends in another one counts for the other.

    Attributes:
        seconds: part -> one number per call.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.elsewhere = [0.0]  # spent in parts called from each part that is running

    def put_on(self, owner: object | ModuleType, name: str, part: str) -> None:
        """From now on times `owner.name`, a function of an object, a class or a module."""
        setattr(owner, name, self.timed(getattr(owner, name), part))

    def timed(self, work: Callable[P, R], part: str) -> Callable[P, R]:
        @wraps(work)
        def timed_work(*args: P.args, **options: P.kwargs) -> R:
            self.elsewhere.append(0.0)
            started = process_time()
            try:
                return work(*args, **options)
            finally:
                seconds = process_time() - started
                self.seconds[part].append(seconds - self.elsewhere.pop())
                self.elsewhere[-1] += seconds

        return timed_work


def quantiles(seconds: list[float] | np.ndarray) -> list[float]:
    """Median, 99th percentile and maximum in milliseconds."""
    return [round(1_000.0 * float(number), 4) for number in np.percentile(seconds, SHARES)]
