"""Intervals hold the truth as often as they say, on simulated benches; the script does the same with many more."""

import pytest
from interval_coverage import CASES, coverage

BENCHES = 200  # the standard error of a coverage of 95 % is 1.5 points, the bands are 3 of them and the card's bias


@pytest.mark.parametrize("name", ["median", "mean", "rate 3 %", "rate 40 %", "ratio", "drift", "difference of medians",
                                  "difference of 90 and 60 %"])
def test_an_interval_of_thirty_conversations_holds_the_truth(name: str) -> None:
    shares = coverage(CASES[name], 30, BENCHES)[1]
    assert 0.89 <= shares["in use"] <= 1.0


@pytest.mark.parametrize("name", ["human distance, people", "human distance, 0.5 s later"])
def test_an_interval_of_a_distance_to_people_holds_the_expected_one(name: str) -> None:
    assert coverage(CASES[name], 10, BENCHES // 2)[1]["in use"] >= 0.88


def test_ten_conversations_are_enough_for_the_interval_of_a_rare_event_and_not_for_its_bootstrap() -> None:
    shares = coverage(CASES["rate 3 %"], 10, BENCHES)[1]
    assert shares["in use"] >= 0.93 and shares["percentile"] < 0.75 and shares["BCa"] < 0.75


def test_an_open_end_holds_the_95th_percentile_that_no_bootstrap_reaches() -> None:
    shares = coverage(CASES["p95"], 10, BENCHES)[1]
    assert shares["in use"] >= 0.95 and shares["percentile"] < 0.85


def test_wilsons_interval_as_if_occasions_were_independent_is_too_narrow() -> None:
    shares = coverage(CASES["rate 40 %"], 30, BENCHES, alike=0.8)[1]
    assert shares["in use"] >= 0.9 > 0.87 >= shares["Wilson of occasions"]
