"""What the report says of a clock."""

from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from duplex.manifest import CHECKOUT
from eval.report.page import clock_words


def manifest(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
        return {"config": OmegaConf.to_container(compose("bench", list(overrides)))}


def test_a_declared_profile_is_told_with_its_medians() -> None:
    words = clock_words("cloud_typical", manifest())
    assert words["tab"] == "Declared: cloud typical" and "stt final 0.25, llm 0.36, tts 0.13" in words["meaning"]


def test_of_a_placed_profile_the_places_are_told_and_what_computing_costs_there() -> None:
    words = clock_words("far", manifest("+latency@clocks.far=three_regions"))
    assert words["tab"] == "Declared: three regions" and words["stages"]["llm"]["p50"] == 0.36
    assert "llm 0.36" in words["meaning"]
    assert "from virginia: stt partial in virginia, stt final in virginia, llm in california, tts in dublin" in words["meaning"]
