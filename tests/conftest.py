"""What many tests start from: tiny checkpoints of both families, and engines with a small model."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sound_card import SoundCard

os.environ.setdefault("OMP_NUM_THREADS", "1")  # so little work that torch's threads only wait for one another


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny checkpoint of a family. It is everybody's: copy what you change."""
    pytest.importorskip("moshi")
    from tiny_checkpoint import make

    @cache
    def made(family: str) -> Path:
        return make(family, tmp_path_factory.mktemp("tiny") / family)

    return made


@pytest.fixture
def engine() -> Iterator[Callable[..., object]]:
    """Makes engines with models of their own: `engine(slots=2, context=24)`."""
    pytest.importorskip("moshi")
    from small_moshi import small_lm, small_mimi

    from duplex.speech_lm.engine import Engine
    made: list[Engine] = []

    def make(slots: int = 1, context: int = 64) -> Engine:
        made.append(Engine(small_lm(context=context), small_mimi(), slots))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def card() -> Iterator["SoundCard"]:
    """A virtual sound card."""
    from sound_card import missing, sound_card
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with sound_card() as running:
        yield running
