"""A server's disk makes nobody wait, loses nothing that was written, and tells whom it concerns when it is full."""

import time
from pathlib import Path

import numpy as np
import pytest

from duplex.frame import FRAME_SAMPLES, Frame
from duplex.journal import Journal, recover
from duplex.recording import load
from duplex.server.disk import Disk


def frame(number: int) -> Frame:
    return Frame(np.full(FRAME_SAMPLES, number / 1000, np.float32))


def test_what_was_said_is_on_disk_within_a_round_and_in_order(tmp_path: Path) -> None:
    disk = Disk(every=0.02)
    kept = disk.keep(Journal(tmp_path, {"seed": 0}))
    for number in range(40):
        kept.write(frame(number), frame(-number), 0.001)
        time.sleep(0.002)
    time.sleep(0.2)
    for file in (kept.journal.sound, kept.journal.times, kept.journal.lines):
        file.close()
    assert recover(tmp_path)  # as if the process had been killed now
    np.testing.assert_allclose(load(tmp_path).audio[:, ::FRAME_SAMPLES], [np.arange(40) / 1000, -np.arange(40) / 1000], atol=2e-5)
    disk.close()


def test_a_call_that_is_over_is_whole_without_waiting_for_a_round(tmp_path: Path) -> None:
    disk = Disk(every=60.0)
    kept = disk.keep(Journal(tmp_path, {}))
    kept.write(frame(1), frame(2), 0.0)
    kept.tell({"tally": {"user": {"frames": 1}}})
    kept.finish("user")
    assert (load(tmp_path).seconds, load(tmp_path).facts["tally"]) == (0.08, {"user": {"frames": 1}}) and not disk.kept


def test_a_disk_that_fails_is_told_in_the_call_it_concerns_and_in_no_other(tmp_path: Path) -> None:
    disk = Disk(every=0.02)
    full, fine = (disk.keep(Journal(tmp_path / name, {})) for name in ("full", "fine"))
    full.journal.sound.close()
    full.journal.sound = open("/dev/full", "wb", buffering=0)  # a disk without space
    for kept in (full, fine):
        kept.write(frame(0), frame(0), 0.0)
    time.sleep(0.2)
    with pytest.raises(OSError, match="free space or choose another folder"):
        full.write(frame(1), frame(1), 0.0)
    fine.write(frame(1), frame(1), 0.0)
    fine.finish("user")
    assert load(tmp_path / "fine").seconds == pytest.approx(0.16)
    disk.close()
