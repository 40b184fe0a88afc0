"""What calls cost: by hand, by the tables of the checkout, and from a recording on disk to the table of a run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rich.console import Console

from duplex.frame import SAMPLE_RATE
from duplex.manifest import CHECKOUT
from duplex.recording import Recording, save
from eval.observations import read_observations
from eval.score import observe
from eval.scoring import Listening
from eval.tasks.cost import UNITS, Prices, costs, prices

TALLY = {"stt_seconds": 30.0, "llm_input_tokens": 20_000, "llm_output_tokens": 500, "tts_characters": 400}
TABLE = {"name": "made up", **{unit: {"dollars": dollars, "source": "nobody", "read": "2026-11-24"} for unit, dollars in {
    "telephone_minute": 0.01, "stt_minute": 0.02, "llm_input_million": 1.0, "llm_output_million": 4.0, "tts_thousand": 0.05,
    "gpu_hour": 3.6}.items()}}


def table() -> Prices:
    return prices(TABLE)


def call(tally: dict[str, Any] | None = None, agent: dict[str, Any] | None = None, steps: float = 0.0, seconds: float = 60.0,
         **facts: Any) -> Recording:
    told = {"tally": {"agent": tally}} if tally is not None else {}
    known = {"agent": agent} if agent is not None else {}
    return Recording(np.zeros((2, round(seconds * SAMPLE_RATE)), np.float32), facts={**told, **known, **facts}, ended_by="user",
                     step_seconds=np.full(100, steps / 100, np.float32))


def of(recording: Recording, success: bool | None = None) -> dict[str, float]:
    return {one.metric: one.value for one in costs(recording, table(), success)}


def test_a_cascade_costs_what_its_stages_used() -> None:
    """A minute of line, half of one recognised, 20,000 and 500 tokens, 400 characters: 1 + 1 + 2.2 + 2 cents."""
    assert of(call(TALLY)) == pytest.approx(
        {"cost_per_minute": 6.2, "cost_line": 1.0, "cost_stt": 1.0, "cost_llm": 2.2, "cost_tts": 2.0})


def test_a_minute_costs_the_same_however_long_the_call() -> None:
    found, *_ = costs(call({"stt_seconds": 120.0}, seconds=120.0), table(), None)
    assert (found.value, found.per) == pytest.approx((6.0, 2.0))


def test_a_manager_without_tokens_has_no_language_to_pay() -> None:
    assert of(call({"stt_seconds": 30.0, "tts_characters": 400}))["cost_llm"] == 0.0


def test_a_call_counts_as_resolved_where_its_task_was_achieved() -> None:
    found = {success: [one for one in costs(call(TALLY), table(), success) if one.metric == "cost_per_resolved_call"]
             for success in (True, False, None)}
    assert [(one.value, one.per) for one in found[True] + found[False]] == [(6.2, 1.0), (6.2, 0.0)] and found[None] == []


def test_a_speech_model_costs_its_share_of_the_gpu() -> None:
    """Forty seconds of steps at 0.1 cents each, of which four conversations take a quarter: one cent, and one of the line."""
    assert of(call(agent={"device": "cuda:0", "slots": 4}, steps=40.0)) == pytest.approx(
        {"cost_per_minute": 2.0, "cost_line": 1.0, "cost_gpu": 1.0})


def test_steps_on_a_processor_cost_nothing() -> None:
    assert of(call(agent={"device": "cpu"}, steps=40.0))["cost_gpu"] == 0.0


def test_an_agent_that_does_not_say_what_it_used_has_no_cost() -> None:
    assert of(call()) == {} and of(call({"late_frames": 3}, agent={"url": "ws://a"})) == {}


def test_a_conversation_without_sound_has_no_cost() -> None:
    assert of(call(TALLY, seconds=0.0)) == {}


@pytest.mark.parametrize("name", ["hosted", "self_hosted"])
def test_the_tables_of_the_checkout_name_their_sources(name: str) -> None:
    found = prices(yaml.safe_load((CHECKOUT / "configs" / "prices" / f"{name}.yaml").read_text(encoding="utf-8")))
    assert found.name == name and set(found.of) == set(UNITS)
    assert all("." in one.source or one.source.startswith("as ") for one in found.of.values())  # somewhere to look it up


def test_a_gpu_of_ones_own_is_priced_by_its_throughput() -> None:
    found = prices(yaml.safe_load((CHECKOUT / "configs/prices/self_hosted.yaml").read_text(encoding="utf-8"))).of
    second = found["gpu_hour"].dollars / 3600.0
    assert found["stt_minute"].dollars == pytest.approx(second * 60.0 / 400, rel=0.01)
    assert found["llm_output_million"].dollars == pytest.approx(second * 1e6 / 12_215, rel=0.01)
    assert found["tts_thousand"].dollars == pytest.approx(second * (1000 / 750 * 60.0) / 32, rel=0.01)


@pytest.mark.parametrize(("change", "complaint"), [
    ({"source": " "}, "made up, gpu_hour: a price has dollars, a source and the day"),
    ({"dollars": -1.0}, "dollars is a number from 0 on, not -1.0"),
    ({"dollars": "3"}, "dollars is a number from 0 on, not '3'"),
    ({"read": "last week"}, "read is a day as 2026-11-24, not 'last week'")])
def test_a_price_without_source_or_day_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        prices({**TABLE, "gpu_hour": {**TABLE["gpu_hour"], **change}})  # type: ignore[dict-item]  # a mixed table


def test_a_table_has_all_prices_and_no_others() -> None:
    with pytest.raises(ValueError, match="the prices made up lack gpu_hour"):
        prices({unit: price for unit, price in TABLE.items() if unit != "gpu_hour"})
    with pytest.raises(ValueError, match="know no gpu_day"):
        prices({**TABLE, "gpu_day": TABLE["gpu_hour"]})


def test_a_run_is_priced_anew_from_its_recordings(tmp_path: Path) -> None:
    folders = [Path(f"conversations/ideal/quick/call-{seed}") for seed in range(2)]
    for seed, folder in enumerate(folders):
        save(call(TALLY, scenario="call", system="quick", clock="ideal", seed=seed), tmp_path / folder)
    dearer = prices({**TABLE, "telephone_minute": {**TABLE["telephone_minute"], "dollars": 0.02}})  # type: ignore[dict-item]
    found = []
    for priced_by in (table(), dearer, None):
        observe(tmp_path, folders, Listening(prices=priced_by), Console(quiet=True), 1)
        rows = read_observations(tmp_path / "observations.parquet")
        found.append(list(rows.loc[rows["metric"] == "cost_per_minute", "value"]))
    assert found == [[6.2, 6.2], [7.2, 7.2], []]
