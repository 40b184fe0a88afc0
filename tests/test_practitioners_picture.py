"""The practitioner's picture: what is played on which line and clock, and what a claim is said to be worth."""

from argparse import Namespace
from pathlib import Path

import pandas as pd
import pytest
from picture_of_parts import draw
from points import circumstances, composed
from practitioners_claims import FAR, IN_PART, NEAR, OPEN, REFUTED, SUPPORTED, UNDECIDED, claims
from practitioners_picture import MEASURED, PARTS, SYSTEMS, delay_of, in_short, mean, point

from duplex.manifest import CHECKOUT

OPTIONS = Namespace(clock="cloud_typical", max_seconds=60.0)


def table(**latencies: float) -> pd.DataFrame:
    """Systems that answer after so many seconds, all of it endpointing but for a line of 0.18 s and transport."""
    rows = []
    for system, seconds in latencies.items():
        row = {f"{one.name}{end}": 0.0 for one in MEASURED
               for end in ("", "_low", "_high", "_n", "_gain", "_gain_low", "_gain_high")}
        transport = 0.15 if system == FAR else 0.001
        row |= {"switch_latency": seconds, "switch_latency_low": seconds - 0.05, "switch_latency_high": seconds + 0.05,
                "stop_latency_n": 20.0, **{f"switch_latency_gain{end}": latencies.get(NEAR, seconds) - seconds + more
                                           for end, more in (("", 0.0), ("_low", -0.02), ("_high", 0.02))},
                "part_line": 0.18, "part_transport": transport,
                "part_endpointing": seconds - 0.18 - transport, "zone_natural": 0.25, "zone_slow": 0.75}
        rows.append({"system": system, "title": SYSTEMS[system].title, **row})
    return pd.DataFrame(rows)


def verdict(found: pd.DataFrame, text: str) -> str:
    [claim] = [claim for claim in claims(found.set_index("system")) if text in claim.text]
    return claim.verdict


def test_systems_stand_on_clocks_and_lines_of_their_own() -> None:
    names = ("cascade_three_regions", "cascade_colocated", "full_duplex_colocated", "full_duplex_remote")
    staged = composed([point(name, "pstn") for name in names], OPTIONS)
    assert [list(one.config.clocks) for one in staged] == [["three_regions"], ["colocated"], ["colocated"], ["colocated"]]
    assert [one.config.perturb.link.delay for one in staged] == pytest.approx([0.02, 0.02, 0.02, 0.06])
    together = [circumstances(one) for one in staged]
    assert together[1] == together[2] and len(set(together)) == 3


def test_a_point_without_a_clock_is_played_on_the_one_that_is_asked_for() -> None:
    bare = point("cascade_colocated", "pstn")._replace(clock="")
    assert list(composed([bare], OPTIONS)[0].config.clocks) == ["cloud_typical"]


def test_the_delay_of_a_line_is_that_of_its_config() -> None:
    assert (delay_of("pstn"), delay_of("broadband")) == (0.02, 0.012)


@pytest.mark.parametrize(("far", "said"), [(1.4, IN_PART), (1.15, IN_PART), (1.05, REFUTED)])
def test_hundreds_of_milliseconds_are_counted_in_transport_and_in_what_is_heard(far: float, said: str) -> None:
    assert verdict(table(cascade_three_regions=far, cascade_colocated=1.0), "three regions") == said


@pytest.mark.parametrize(("duplex", "said"), [(0.9, SUPPORTED), (0.7, REFUTED), (0.79, UNDECIDED)])
def test_the_largest_win_is_the_larger_of_two_that_differ(duplex: float, said: str) -> None:
    systems = {"cascade_three_regions": 1.2, "cascade_colocated": 1.0}
    assert verdict(table(**systems, full_duplex_colocated=duplex), "largest win") == said


@pytest.mark.parametrize(("stops", "occasions", "said"), [(0.6, 20.0, SUPPORTED), (0.9, 20.0, REFUTED), (0.6, 7.0, UNDECIDED)])
def test_the_distance_is_paid_once_where_enough_were_interrupted(stops: float, occasions: float, said: str) -> None:
    found = table(cascade_colocated=1.0, full_duplex_colocated=0.8, full_duplex_remote=0.9).set_index("system")
    found.loc["full_duplex_remote", ["stop_latency", "part_line"]] = [stops, 0.26]
    found.loc["full_duplex_colocated", ["stop_latency", "stop_latency_n"]] = [0.5, occasions]
    assert verdict(found.reset_index(), "pays the distance once") == said


@pytest.mark.parametrize(("heard", "said"), [(0.8, SUPPORTED), (1.0, IN_PART), (1.3, REFUTED)])
def test_a_cascade_is_as_quick_as_shipped_with_its_line_or_without(heard: float, said: str) -> None:
    assert verdict(table(cascade_colocated=heard), "answers in 750-900 ms") == said


def test_what_nobody_listened_to_is_not_judged() -> None:
    assert verdict(table(cascade_colocated=1.0), "feels natural") == OPEN


def test_a_claim_about_a_system_that_was_not_played_is_not_made() -> None:
    assert not any("Speech-to-speech" in claim.text for claim in claims(table(cascade_colocated=1.0).set_index("system")))


def test_the_picture_is_drawn_of_parts_that_add_up(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = table(cascade_three_regions=1.2, cascade_colocated=1.0)
    assert [mean(row) for _, row in found.iterrows()] == pytest.approx([1.2, 1.0])
    assert draw(found, PARTS, tmp_path / "picture.png", "test") == tmp_path / "picture.png"
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_nothing_is_drawn_of_agents_that_log_nothing(tmp_path: Path) -> None:
    found = table(cascade_colocated=1.0).assign(part_endpointing=float("nan"))
    assert draw(found, PARTS, tmp_path / "picture.png", "test") is None and not list(tmp_path.iterdir())


def test_the_short_account_has_every_number_with_its_interval() -> None:
    short = in_short(table(cascade_colocated=1.0))["cascade_colocated"]
    assert short["switch_latency"] == [1.0, 0.95, 1.05] and len(short) == len(MEASURED)


def test_every_system_has_the_configs_that_it_names() -> None:
    for system in SYSTEMS.values():
        assert (CHECKOUT / "configs" / "latency" / f"{system.latency}.yaml").is_file()
