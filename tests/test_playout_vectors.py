"""SimulEval's rule of playout, start = max(end of the one before, ready), on the loudspeaker of a streaming model."""

import numpy as np
import pytest

from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, Frame, frozen
from duplex.latency import Measured
from duplex.playout import Playout

UNIT_MILLISECONDS = 300.0  # of the notes; a unit of ours is a frame, so all times are scaled by 80 / 300


@pytest.mark.parametrize(("delays", "starts", "silence"), [
    ((0, 100, 100), (0, 300, 600), 0),
    ((0, 1000), (0, 1000), 700),
])
def test_units_are_played_first_in_first_out(
        delays: tuple[float, ...], starts: tuple[float, ...], silence: float) -> None:
    """Vector 5 of the notes. A step cannot begin before its frame was heard, so what is ready by then costs nothing."""
    playout, heard = Playout(Measured()), []
    for index, delay in enumerate(delays):
        ready = delay / UNIT_MILLISECONDS * FRAME_SECONDS
        unit = Frame(frozen(np.full(FRAME_SAMPLES, (index + 1) / 10, np.float32)))
        heard.append(playout.play(unit, max(0.0, ready - index * FRAME_SECONDS)).samples)
    silent = Frame(frozen(np.zeros(FRAME_SAMPLES, np.float32)))
    sound = np.concatenate([*heard, *(playout.play(silent, 0.0).samples for _ in range(5))])
    onsets = [int(np.argmax(np.isclose(sound, (index + 1) / 10))) for index in range(len(delays))]
    assert onsets == [round(start / UNIT_MILLISECONDS * FRAME_SAMPLES) for start in starts]
    spoken = len(delays) * FRAME_SAMPLES
    assert onsets[-1] + FRAME_SAMPLES - spoken == round(silence / UNIT_MILLISECONDS * FRAME_SAMPLES)
    assert np.count_nonzero(sound) == spoken
    assert onsets[-1] / SAMPLE_RATE == pytest.approx(starts[-1] / UNIT_MILLISECONDS * FRAME_SECONDS)
