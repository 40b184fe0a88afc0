"""The script that measures stages: what it is asked for, what it prints, and what it says of what can not be had."""

import json
import subprocess
import sys
from math import inf
from pathlib import Path

import pytest

pytest.importorskip("espeakng_loader")

from stage_times import Stage, answers, quantiles, recognised, sentences, stages, synthesised  # noqa: E402  # after the skip

from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, Frame  # noqa: E402
from duplex.speech import Speech  # noqa: E402
from duplex.stages.hearing.stt import Oracle  # noqa: E402
from duplex.stages.speaking.tts import Espeak  # noqa: E402

SCRIPT = Path(__file__).parents[1] / "scripts" / "stage_times.py"


def test_settings_belong_to_the_stage_before_them() -> None:
    assert stages(["stt=whisper", "model.path=a", "every=1.0", "tts=espeak"]) == [
        Stage("stt", "whisper", ("model.path=a", "every=1.0")), Stage("tts", "espeak", ())]


@pytest.mark.parametrize("wrong", [["sphinx"], ["every=1.0", "stt=sphinx"], ["agent=cascade"]])
def test_what_is_no_stage_is_told(wrong: list[str]) -> None:
    with pytest.raises(ValueError, match=f"'{wrong[0]}' is no stage, as in stt=sphinx; the groups are stt, llm, tts"):
        stages(wrong)


def test_the_same_seed_chooses_the_same_sentences() -> None:
    assert sentences(5, 1) == sentences(5, 1) != sentences(5, 2) and len(set(sentences(50, 0))) == 50
    assert len(answers(sentences(5, 1))) == 5


def test_a_recogniser_is_behind_from_the_end_of_the_first_word_to_the_end_of_a_frame() -> None:
    spoken = Espeak("en-us").synthesise("is there parking")
    (taken,) = recognised(Oracle(), [spoken])
    assert taken.behind is not None and 0.0 <= taken.behind < 0.08 and taken.sound == len(spoken.samples) / SAMPLE_RATE
    assert 0.0 < taken.first < taken.total


def test_one_that_writes_nothing_while_it_hears_is_not_behind() -> None:
    class Late(Oracle):
        behind = inf

        def hear(self, frame: Frame) -> str:
            super().hear(frame)
            return ""

    (taken,) = recognised(Late(), [Espeak("en-us").synthesise("is there parking")])
    assert taken.behind is None


def test_a_streaming_voice_is_timed_to_its_first_piece() -> None:
    class Pieces:
        name = "pieces"

        def synthesise(self, text: str) -> Speech:
            raise AssertionError("it streams")

        def stream(self, text: str):  # type: ignore[no-untyped-def]  # a generator
            for _ in range(3):
                yield Espeak("en-us").synthesise(text)

    (taken,) = synthesised(Pieces(), ["parking"])
    assert 0.0 < taken.first < 0.9 * taken.total and taken.sound > 3 * FRAME_SAMPLES / SAMPLE_RATE


def test_quantiles_are_milliseconds() -> None:
    assert quantiles([0.001, 0.002, 0.003]) == [2.0, 2.9]


@pytest.mark.slow
def test_what_can_not_be_had_is_listed_with_the_reason() -> None:
    asked = ["--sentences", "3", "llm=manager", "stt=nothing", "tts=espeak", "rate=1000"]
    run = subprocess.run([sys.executable, str(SCRIPT), *asked], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout.splitlines()[-1])
    assert list(found["stages"]) == ["llm=manager"] and found["sentences"] == 3
    assert found["stages"]["llm=manager"]["first_ms"][0] > 0.0
    reasons = found["not_here"]
    assert "no stt 'nothing'" in reasons["stt=nothing"] and "80 to 450 words per minute" in reasons["tts=espeak rate=1000"]
    assert "not here: stt=nothing: " in run.stdout
