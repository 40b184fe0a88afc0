"""Rows, files and tables, from recordings to what is printed."""

import hashlib
import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from says import bursts

from duplex.frame import SAMPLE_RATE, Event
from duplex.recording import Recording
from eval.metrics.catalogue import METRIC_VERSION, METRICS
from eval.observations import COLUMNS, read_observations, rows, write_observations
from eval.printed_table import colour, print_table, zone_bar
from eval.scores import conversations, seed_of, table, write_table


def conversation(latency: float, *, system: str = "quick", clock: str = "ideal", seed: int = 0,
                 failure: str | None = None) -> Recording:
    """A turn of one second answered after `latency` seconds; 10 and more is never."""
    audio = np.zeros((2, 12 * SAMPLE_RATE), np.float32)
    for channel, said in zip(audio, (bursts((1, 2)), bursts((2 + latency, 3 + latency))), strict=True):
        channel[:min(len(said), len(channel))] = said[:len(channel)]
    return Recording(audio, events=((Event("turn", 1.0, 2.0),), ()), failure=failure,
                     ended_by="failure" if failure else "limit",
                     facts={"scenario": "booking", "category": "smooth", "system": system, "clock": clock, "seed": seed,
                            "voice": "anna", "expect": {"said": ["goodbye"]}})


def scored(*found: Recording) -> list[dict[str, Any]]:
    return [row for recording in found for row in rows(
        recording, Path(f"conversations/{recording.facts['clock']}/{recording.facts['system']}"
                        f"/booking-{recording.facts['seed']}"), run="monday")]


def two_systems(num_seeds: int = 12) -> list[dict[str, Any]]:
    return scored(*[conversation(latency + 0.01 * seed, system=system, clock=clock, seed=seed)
                    for clock, extra in (("ideal", 0.0), ("cloud_typical", 0.4))
                    for system, latency in (("quick", 0.2 + extra), ("slow", 0.9 + extra)) for seed in range(num_seeds)])


@pytest.fixture(scope="module")
def observed() -> pd.DataFrame:
    return pd.DataFrame(two_systems())


def test_a_row_says_what_was_measured_where() -> None:
    assert next(row for row in scored(conversation(0.3, seed=7)) if row["metric"] == "switch_latency") == {
        "run": "monday", "system": "quick", "clock": "ideal", "scenario": "booking", "category": "smooth", "domain": "",
        "difficulty": "", "task": "booking", "voice": "anna", "seed": 7, "metric": "switch_latency", "unit": "s",
        "start": 2.0, "value": 0.3, "censored": False, "per": 1.0,
        "conversation": "conversations/ideal/quick/booking-7", "metric_version": METRIC_VERSION}


def test_a_failed_conversation_stays_in_the_count() -> None:
    cut = conversation(10.0, failure="KeyError")
    cut = Recording(cut.audio[:, :round(2.2 * SAMPLE_RATE)], events=cut.events, failure="KeyError",
                    ended_by="failure", facts=cut.facts)
    values = {row["metric"]: (row["value"], row["censored"]) for row in scored(cut)}
    assert values["task_success"] == (0.0, False)
    assert values["response_rate"] == (0.0, False)
    assert values["switch_latency"] == (5.0, True)
    counted = conversations(pd.DataFrame(scored(cut, conversation(0.3, seed=1))))
    assert counted.to_dict("records") == [{"clock": "ideal", "system": "quick", "conversations": 2, "failed": 1}]


def test_observations_survive_the_disk(tmp_path: Path) -> None:
    found = two_systems(2)
    write_observations(found, tmp_path / "run" / "observations.parquet")
    read = read_observations(tmp_path / "run" / "observations.parquet")
    assert list(read.columns) == COLUMNS.names
    assert sorted(map(str, read.to_dict("records"))) == sorted(map(str, found))


def test_observations_are_the_same_to_the_byte_in_any_order(tmp_path: Path) -> None:
    found = two_systems(2)
    for name, ordered in (("a", found), ("b", found[::-1])):
        write_observations(ordered, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_observations_of_another_version_are_refused(tmp_path: Path) -> None:
    write_observations([{**row, "metric_version": 0} for row in two_systems(1)], tmp_path / "old.parquet")
    with pytest.raises(ValueError, match=f"version 0, this is version {METRIC_VERSION}; score the recordings again"):
        read_observations(tmp_path / "old.parquet")


def test_the_table_has_a_row_per_metric(observed: pd.DataFrame) -> None:
    found = table(observed, "quick", "slow", "ideal")
    assert list(found["metric"]) == [metric.name for metric in METRICS]
    latency = found.set_index("metric").loc["switch_latency"]
    assert latency["agent"] == pytest.approx(0.25) and latency["baseline"] == pytest.approx(0.95)
    assert latency["difference"] == pytest.approx(-0.7)
    assert latency["difference_low"] == pytest.approx(-0.7) and latency["difference_high"] == pytest.approx(-0.7)
    assert latency["agent_low"] < latency["agent"] < latency["agent_high"]
    assert (latency["agent_n"], latency["agent_conversations"], latency["agent_failed"]) == (12, 12, 0)
    assert (latency["clock"], latency["human"], latency["better"]) == ("ideal", 0.08, "human")


def test_the_95th_percentile_summarises_the_latencies(observed: pd.DataFrame) -> None:
    found = table(observed, "quick", "slow", "ideal").set_index("metric").loc["switch_latency_p95"]
    assert found["agent"] == pytest.approx(0.31) and found["agent_n"] == 12


def test_a_number_of_few_occasions_is_kept_with_them(observed: pd.DataFrame) -> None:
    found = table(observed[observed["seed"] < 9], "quick", "slow", "ideal").set_index("metric")
    assert found.loc["switch_latency", "agent_n"] == 9
    assert found.loc["switch_latency", "agent"] == pytest.approx(0.24)


def test_what_had_no_occasion_has_no_number(observed: pd.DataFrame) -> None:
    found = table(observed, "quick", "slow", "ideal").set_index("metric").loc["stop_latency"]
    assert np.isnan(found["agent"]) and found["agent_n"] == 0


def test_only_common_scenarios_are_compared() -> None:
    found = pd.DataFrame(scored(
        *[conversation(0.3, seed=seed) for seed in range(4)],
        *[conversation(0.5, system="slow", seed=seed) for seed in range(2, 8)]))
    latency = table(found, "quick", "slow", "ideal").set_index("metric").loc["switch_latency"]
    assert (latency["difference_n"], latency["difference_n_conversations"]) == (2, 2)
    assert (latency["agent_n"], latency["baseline_n"]) == (4, 6)


def test_clocks_are_never_mixed(observed: pd.DataFrame) -> None:
    found = table(observed, "quick", "slow", "cloud_typical").set_index("metric").loc["switch_latency"]
    assert found["agent"] == pytest.approx(0.65) and found["agent_n"] == 12


def test_one_system_alone_has_a_table(observed: pd.DataFrame) -> None:
    found = table(observed, "quick", None, "ideal").set_index("metric").loc["switch_latency"]
    assert found["agent"] == pytest.approx(0.25) and np.isnan(found["baseline"]) and np.isnan(found["difference"])


def test_an_unknown_system_is_named(observed: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="no conversation of 'moshi' on the clock 'ideal'; there are quick on cloud_typ"):
        table(observed, "moshi", None, "ideal")


def test_the_table_file_is_the_same_to_the_byte(tmp_path: Path, observed: pd.DataFrame) -> None:
    for name in ("a.csv", "b.csv"):
        shuffled = observed.sample(frac=1.0, random_state=len(name) + ord(name[0]))
        write_table([table(shuffled, "quick", "slow", clock) for clock in ("ideal", "cloud_typical")], tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    read = pd.read_csv(tmp_path / "a.csv")
    assert list(read["clock"].unique()) == ["ideal", "cloud_typical"]
    assert "0.250000" in (tmp_path / "a.csv").read_text(encoding="utf-8")


def test_a_run_seeds_its_intervals(tmp_path: Path, observed: pd.DataFrame) -> None:
    assert seed_of("monday") == int(hashlib.sha256(b"monday").hexdigest()[:16], 16)
    monday, again, tuesday = (table(observed, "quick", "slow", "ideal", seed_of(name)).set_index("metric").loc["gap_seconds"]
                              for name in ("monday", "monday", "tuesday"))
    assert monday["agent_low"] == again["agent_low"] != tuesday["agent_low"]
    assert monday["agent"] == tuesday["agent"]


def test_the_table_says_how_many_happened_that_could_not_be_measured() -> None:
    found = pd.DataFrame([*scored(*[conversation(0.3, seed=seed) for seed in range(4)]),
                          *[{**row, "system": "slow"} for row in scored(*[conversation(0.3, seed=seed) for seed in range(3)])]])
    is_first = (found["metric"] == "switch_latency") & (found["seed"] == 0) & (found["system"] == "quick")
    row = table(found[~is_first], "quick", "slow", "ideal").set_index("metric").loc["switch_latency"]
    assert (row["agent_n"], row["agent_n_of"], row["baseline_n"], row["baseline_n_of"]) == (3, 4, 3, 3)


def test_what_is_among_nothing_has_no_such_count(observed: pd.DataFrame) -> None:
    found = table(observed, "quick", None, "ideal").set_index("metric")
    assert np.isnan(found.loc["conversation_failed", "agent_n_of"])
    assert (found.loc["switch_latency", "agent_n_of"], found.loc["switch_latency", "baseline_n_of"]) == (12, 0)


def test_five_metrics_are_tested_and_adjusted(observed: pd.DataFrame) -> None:
    found = table(observed, "quick", "slow", "ideal").set_index("metric")
    tested = [metric.name for metric in METRICS if metric.tested]
    assert sorted(tested) == ["pause_false_start", "recovery_rate", "stop_latency", "switch_latency", "task_success"]
    assert set(found.index[found["p_value"].notna()]) == {"switch_latency", "task_success"}  # the others had no occasion
    latency = found.loc["switch_latency"]
    assert latency["p_value"] < 0.005 and latency["p_holm"] == pytest.approx(5 * latency["p_value"])
    assert found.loc["task_success", "p_value"] == found.loc["task_success", "p_holm"] == 1.0


def test_one_system_alone_is_not_tested(observed: pd.DataFrame) -> None:
    assert table(observed, "quick", None, "ideal")[["p_value", "p_holm"]].isna().all(axis=None)


# printed


def lines(tables: pd.DataFrame, width: int = 160) -> dict[str, str]:
    """What is printed, by the first words of its line."""
    console = Console(width=width, record=True, file=io.StringIO())
    print_table(tables, console)
    return {line.strip("│ ").split("  ")[0]: line for line in console.export_text().splitlines()}


def test_a_system_of_which_nothing_could_be_scored_has_an_empty_bar() -> None:
    record = {"metric": "zone_natural", "agent_name": "quick", "agent": float("nan"), "agent_n": 30, "agent_conversations": 30}
    assert zone_bar([record], "agent").plain == "quick: "
    assert "natural" in zone_bar([{**record, "agent": 0.5}], "agent").plain


def test_the_printed_table_says_clock_values_intervals_and_people(observed: pd.DataFrame) -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    print_table(pd.concat([table(observed, "quick", "slow", clock) for clock in ("ideal", "cloud_typical")]), console)
    printed = console.export_text()
    assert "quick and slow, ideal clock" in printed and "cloud_typical clock" in printed
    line = next(line for line in printed.splitlines() if "Switch latency " in line)
    assert "0.25 s [" in line and "-0.70 s [-0.70, -0.70] p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.0" in line and "0.08 s" in line
    assert "natural 100 %" in printed and "slow 100 %" in printed
    assert "12 conversations, 0 failed" in printed
    assert "Stop latency" not in printed


def test_counts_stand_beside_every_number(observed: pd.DataFrame) -> None:
    more = pd.concat([observed, observed[(observed["system"] == "slow") & (observed["metric"] == "turn_eligible")]])
    found = lines(table(more, "quick", "slow", "ideal"))
    assert " 12/12, 12/24 " in found["Switch latency"]
    assert found["Talk share"].rstrip("│ ").endswith(" 12")


def test_below_ten_occasions_no_number_is_printed(observed: pd.DataFrame) -> None:
    few = observed[(observed["seed"] < 9) | (observed["metric"] == "turn_eligible")]
    found, kept = lines(table(few, "quick", "slow", "ideal")), table(few, "quick", "slow", "ideal").set_index("metric")
    assert found["Switch latency"].count("n/a (9 of 12)") == 2 and found["Switch latency"].count("n/a") == 3
    assert " s [" not in found["Switch latency"] and "p " not in found["Switch latency"].split("people")[0]
    assert found["Talk share"].count("n/a (9)") == 2
    assert "%" not in found["quick:"]
    assert kept.loc["switch_latency", "agent"] == pytest.approx(0.24)


def test_a_difference_needs_ten_occasions_on_either_side(observed: pd.DataFrame) -> None:
    few = observed[(observed["seed"] < 9) | (observed["system"] == "quick")]
    cells = [cell.strip() for cell in lines(table(few, "quick", "slow", "ideal"))["Talk share"].split("│")]
    assert cells[2].startswith("50 % [") and cells[3:5] == ["n/a (9)", "n/a"]


def test_what_happened_and_was_no_occasion_is_printed(observed: pd.DataFrame) -> None:
    met = observed[observed["metric"] == "turn_eligible"].assign(metric="interruption_eligible", value=0.0)
    assert lines(table(pd.concat([observed, met]), "quick", "slow", "ideal"))["Stop latency"].count("n/a (0 of 12)") == 2


def test_other_peoples_rules_stand_below_ours_under_their_name(observed: pd.DataFrame) -> None:
    tables = table(observed, "quick", "slow", "ideal")
    tables.loc[tables["metric"] == "response_rate", "family"] = "A benchmark"
    order = list(lines(tables))
    assert order.index("A benchmark") > order.index("Talk share")
    assert order[order.index("A benchmark") + 1] == "Turns answered"


def test_a_narrow_terminal_keeps_titles_and_whole_numbers(observed: pd.DataFrame) -> None:
    found = "\n".join(lines(table(observed, "quick", "slow", "ideal"), 100).values())
    assert "Switch latency" in found and "[-0.70, -0.70]" in found and "…" not in found


def test_silence_is_printed_as_not_reached() -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    found = pd.DataFrame(scored(*[conversation(10.0, seed=seed) for seed in range(10)]))
    print_table(table(found, "quick", None, "ideal"), console)
    line = next(line for line in console.export_text().splitlines() if "Switch latency " in line)
    assert "not reached" in line


def test_a_difference_is_coloured_by_direction(observed: pd.DataFrame) -> None:
    console = Console(width=160, record=True, force_terminal=True, file=io.StringIO())
    print_table(table(observed, "slow", "quick", "ideal"), console)
    assert "\x1b[31m+0.70 s [+0.70, +0.70]\x1b" in console.export_text(styles=True)


@pytest.mark.parametrize(("better", "human", "found"), [("neither", 0.5, ""), ("human", np.nan, ""), ("human", 0.9, "red"),
                                                        ("human", 0.1, "green"), ("lower", np.nan, "green")])
def test_a_colour_says_what_is_better(better: str, human: float, found: str) -> None:
    record = {"agent": 0.2, "baseline": 0.8, "difference": -0.6, "difference_low": -0.7, "difference_high": -0.5,
              "agent_n": 10, "baseline_n": 10, "difference_n": 10, "agent_conversations": 10, "baseline_conversations": 10,
              "better": better, "human": human}
    assert colour(record) == found


def test_a_large_comparison_takes_seconds() -> None:
    rng = np.random.default_rng(0)
    names = [metric.observed for metric in METRICS]
    found = pd.DataFrame([
        {"run": "", "system": system, "clock": "ideal", "scenario": "s", "category": "", "domain": "", "task": "s",
         "voice": "", "seed": seed, "metric": name, "unit": "s", "start": 0.0,
         "value": float(rng.random()), "censored": False, "per": 1.0, "conversation": str(seed), "metric_version": 1}
        for system in ("quick", "slow") for seed in range(100) for name in names for _ in range(2)])
    started = time.process_time()
    table(found, "quick", "slow", "ideal")
    assert time.process_time() - started < 8.0  # 2 s on an idle core
