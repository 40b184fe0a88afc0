"""Operating points: what lies between the points of a sweep, and when an agent fails on a bad line."""

import math
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawing import drawn
from endpointing_curve import overrides
from operating_points import best, with_frontier
from points import Point, Staged, composed, kept, known, summarised
from sweep import crossing, gain_at, latency_at
from tolerance_curve import Condition, first_failures, is_lost, self_stop

from eval.metrics.catalogue import metric
from eval.metrics.occasions import Observation
from eval.observations import as_rows, read_observations, write_observations

LEVELS = (-40.0, -30.0, -20.0)


def observed(**points: tuple[float, int]) -> pd.DataFrame:
    """Ten conversations of each point, with one turn, answered after so many seconds, and one pause, of which so many
    are talked into."""
    rows = [{"run": "", "system": name, "conversation": f"{name}/{number}", "scenario": f"{number}", "seed": 0,
             "metric": measure, "start": 1.0, "value": value, "censored": False, "per": 1.0}
            for name, (latency, starts) in points.items() for number in range(10)
            for measure, value in (("switch_latency", latency), ("pause_false_start", float(number < starts)))]
    return pd.DataFrame(rows)


def table(*fails: bool) -> pd.DataFrame:
    """Of an agent with an echo of LEVELS after 100 ms."""
    conditions = [Condition("moshi", "clean"), *(Condition("moshi", "echo", level, 100.0) for level in LEVELS)]
    return pd.DataFrame([{**one._asdict(), "fails": failed}
                         for one, failed in zip(conditions, (False, *fails), strict=True)])


def test_latency_lies_between_the_points_as_the_rate_does():
    found = latency_at(observed(hasty=(0.6, 2), patient=(1.0, 0)), ("hasty", "patient"), 0.05)
    assert found.value == pytest.approx(0.6 + 0.75 * 0.4)  # 5 % is three quarters of the way from 20 % to 0
    assert found.reached


def test_interval_of_the_latency_holds_it_and_stays_between_the_points():
    found = latency_at(observed(hasty=(0.6, 4), patient=(1.0, 0)), ("hasty", "patient"), 0.05)
    assert 0.6 <= found.low < found.value < found.high <= 1.0


def test_sweep_without_false_starts_says_that_its_hastiest_point_is_only_a_bound():
    found = latency_at(observed(hasty=(0.6, 0), patient=(1.0, 0)), ("hasty", "patient"), 0.05)
    assert (found.value, found.reached) == (0.6, False)


def test_sweep_that_never_has_so_few_false_starts_has_no_latency():
    found = latency_at(observed(hasty=(0.6, 9), patient=(1.0, 5)), ("hasty", "patient"), 0.05)
    assert (found.value, found.high) == (None, None)


def test_false_starts_must_come_down_for_good():
    rates, latencies = np.array([0.2, 0.0, 0.1, 0.0]), np.array([0.5, 0.6, 0.7, 0.8])
    assert crossing(latencies, rates, 0.05) == pytest.approx(0.75)


def test_unanswered_turns_leave_no_latency_to_interpolate():
    assert crossing(np.array([0.5, math.inf]), np.array([0.1, 0.0]), 0.05) == math.inf


def test_resample_without_a_pause_says_nothing():
    assert math.isnan(crossing(np.array([0.5, 0.6]), np.array([math.nan, math.nan]), 0.05))


def test_gain_is_what_the_reference_answers_sooner():
    found = gain_at(observed(hasty=(0.6, 2), patient=(1.0, 0), duplex=(0.4, 0)), ("hasty", "patient"), "duplex", 0.05)
    assert found.value == pytest.approx(0.5)
    assert 0.2 - 1e-9 <= found.low < 0.5 < found.high <= 0.6 + 1e-9


def test_points_are_compared_on_what_all_of_them_played():
    points = observed(hasty=(0.6, 2), patient=(1.0, 0))
    fewer = points[(points["system"] == "hasty") | (points["scenario"] != "0")]  # of nine, one pause is talked into
    assert latency_at(fewer, ("hasty", "patient"), 0.05).value == pytest.approx(1.0 - 0.05 * 9 * 0.4)


def test_frontier_has_no_point_that_another_beats():
    points = pd.DataFrame({"point": ["a", "b", "c", "incremental"], "switch_latency": [0.8, 0.9, 1.0, 0.4],
                           "pause_false_start": [0.2, 0.0, 0.1, 0.0]})
    assert list(with_frontier(points)["frontier"]) == [True, True, False, False]


def test_single_false_start_does_not_make_a_point_worse():
    points = pd.DataFrame({
        "point": ["careful", "quick", "hasty"], "switch_latency": [1.3, 0.9, 0.8], "prepared_in_vain": [0.0] * 3,
        "pause_false_start": [0.0, 1 / 36, 13 / 36], "pause_false_start_low": [0.0, 0.005, 0.22],
        "pause_false_start_high": [0.11, 0.15, 0.53], **{f"{measure}{end}": [1.0] * 3 for end in ("", "_low", "_high")
                                                         for measure in ("response_rate", "task_success")},
        **{f"switch_latency{end}": [1.0] * 3 for end in ("_low", "_high", "_p95", "_p95_low", "_p95_high")}})
    assert best(points)["point"] == "quick"


def staged(threshold: float) -> list[Staged]:
    return composed([Point("a", ("agent=cascade", f"agent.endpointing.threshold={threshold}"))],
                    Namespace(clock="ideal", max_seconds=9.0))


def rows(system: str) -> list[dict[str, Any]]:
    return as_rows([Observation("task_success", 0.0, 1.0)], {"system": system, "clock": "ideal"}, Path("conversations"))


def test_points_whose_settings_have_changed_are_forgotten_for_good(tmp_path: Path):
    known(staged(0.1), tmp_path)
    write_observations([*rows("a"), *rows("b")], tmp_path / "observations.parquet")
    assert set(known(staged(0.1), tmp_path)["system"]) == {"a", "b"}
    assert set(known(staged(0.2), tmp_path)["system"]) == {"b"}
    assert set(known(staged(0.2), tmp_path)["system"]) == {"b"}


def test_what_was_played_is_kept_when_somebody_stops_it(tmp_path: Path):
    def stopped() -> Iterator[list[dict[str, Any]]]:
        yield rows("a")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(pd.DataFrame(), stopped(), tmp_path)
    assert list(read_observations(tmp_path / "observations.parquet")["system"]) == ["a"]


def test_sweep_settings_are_in_the_name():
    assert overrides("two_stage-0.06-0.24-0.8")[1:] == [
        "agent.endpointing.threshold=0.06", "agent.endpointing.fast=0.24", "agent.endpointing.slow=0.8",
        "agent.endpointing.unfinished=1.2"]


def test_unknown_point_is_told_what_there_is():
    with pytest.raises(ValueError, match="give silence-SECONDS, two_stage-THRESHOLD-FAST-SLOW"):
        overrides("silence-0.2-0.3")


def test_condition_is_a_line_and_a_name():
    echo = Condition("cascade", "echo", -20.0, 400.0)
    assert echo.name == "cascade@echo-20dB400ms"
    assert echo.overrides == ("agent=cascade", "perturb=self_echo", "perturb.decibels=-20.0", "perturb.delay=0.4")
    assert Condition("cascade", "clean").name == "cascade@clean"


def broken(user: str, agent: str) -> list[float]:
    return [observation.value for observation in self_stop(drawn(user, agent))]


def test_answer_with_a_silence_in_it_is_broken_off():
    assert broken("ttt.................",
                  "....###....###......") == [1.0]


def test_silence_between_sentences_breaks_nothing_off():
    assert broken("ttt.................",
                  "....####...####.....") == [0.0]


def test_agent_that_stops_for_the_caller_breaks_nothing_off():
    assert broken("ttt.....iii.........",
                  "....#####.....####..") == [0.0, 0.0]


def test_every_answer_is_an_occasion():
    assert broken("ttt.............ttt...............",
                  "....###.....###.....##############") == [1.0, 0.0]


def test_turn_without_an_answer_is_no_occasion():
    assert broken("ttt" + "." * 70, "") == []


def failing(measure: str, clean: float, worse: float, *, conversations: int = 40) -> bool:
    """Whether a point fails that has `worse` of a share where the clean line has `clean`."""
    def played(system: str, share: float) -> pd.DataFrame:
        return pd.DataFrame([
            {"run": "", "system": system, "conversation": f"{system}/{number}", "scenario": f"{number}", "seed": 0,
             "metric": measure, "start": 0.0, "value": float(number < share * conversations), "censored": False,
             "per": 1.0} for number in range(conversations)])

    return is_lost(summarised(played("echo", worse), played("clean", clean), [metric(measure)]), metric(measure))


def test_point_fails_that_loses_much_for_certain():
    assert failing("task_success", 1.0, 0.5)
    assert failing("pause_false_start", 0.0, 0.5)


def test_point_that_gains_does_not_fail():
    assert not failing("task_success", 0.5, 1.0)
    assert not failing("pause_false_start", 0.5, 0.0)


def test_small_loss_is_no_failure():
    assert not failing("task_success", 1.0, 0.95, conversations=400)


def test_loss_that_may_be_chance_is_no_failure():
    assert not failing("task_success", 0.6, 0.4, conversations=5)


def test_level_of_failure_is_the_least():
    assert first_failures(table(False, True, False)) == {"moshi": {"100 ms": -30.0}}


def test_agent_that_never_fails_has_no_level():
    assert first_failures(table(False, False, False)) == {"moshi": {"100 ms": None}}
