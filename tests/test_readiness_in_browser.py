"""The readiness page, looked at in a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Page, browser, needs_chromium
from ready import GOOD, observed, run, table_of

from eval.report.readiness import write_readiness

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A run in which one system ships, and one whose policy is invented, 14 to 25 % of the time, does not."""
    of = table_of(observed("quick", GOOD), observed("slow", {**GOOD, "policy_invented": (22, 120), "escalation_recall": (4, 8)}))
    write_readiness(tmp_path, run(tmp_path, of), "on the ideal clock")
    with browser(tmp_path / "profile") as opened:
        opened.look(1280, 1000)
        opened.open((tmp_path / "readiness.html").as_uri())
        opened.until("document.documentElement.dataset.ready === '1'")
        yield opened
        assert opened.errors == []


def box(page: Page, selector: str) -> dict[str, float]:
    found: dict[str, float] = page.value(f"document.querySelector({selector!r}).getBoundingClientRect().toJSON()")
    return found


def test_the_verdicts_stand_above_all(page: Page) -> None:
    assert page.text("h1") == "Ready for customers?"
    assert page.value("[...document.querySelectorAll('.word')].map((one) => one.textContent)") == ["Ship.", "Do not ship."]


def test_an_interval_is_drawn_on_its_side_of_the_bound(page: Page) -> None:
    first = ".criteria li:first-child"
    bound = box(page, f"{first} .agent .bound")["left"] + 1.0
    ours, theirs = box(page, f"{first} .agent .bar"), box(page, f"{first} .baseline .bar")
    assert ours["right"] < bound < theirs["left"]
    track = box(page, f"{first} .agent .track")
    assert bound == pytest.approx(track["left"] + track["width"] * 0.05 / 0.3, abs=1.5)  # drawn to 30 %, beyond 26 %


def test_what_was_not_tried_often_enough_has_no_bar(page: Page) -> None:
    assert page.value("document.querySelectorAll('.open .bar').length") == 0
    assert "8 of the 10 occasions" in page.text(".baseline.open .number")


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_the_page_is_no_wider_than_the_screen(page: Page, width: int) -> None:
    page.look(width, 844)
    assert page.value("document.documentElement.scrollWidth") <= width


def test_dark_is_dark_and_light_again(page: Page) -> None:
    colours = []
    for _ in range(2):
        page.click("#theme")
        colours.append(page.value("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(13, 18, 24)", "rgb(247, 248, 250)"]


def test_paper_shows_the_bars(page: Page) -> None:
    page.command("Emulation.setEmulatedMedia", media="print")
    assert page.value("getComputedStyle(document.querySelector('.track .right')).printColorAdjust") == "exact"
    assert page.value("document.querySelector('#theme').checkVisibility()") is False
