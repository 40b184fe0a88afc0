"""The report page of a run, alive in a browser."""

import re

import pytest
from browser import browser, needs_chromium
from reported import SEEDS, interrupted, run

from eval.metrics.catalogue import METRICS
from eval.report import page as report
from eval.report.page import write_report

pytestmark = [pytest.mark.slow, needs_chromium]
HOSTILE = "</script><script>alert(1)</script>"
VISIBLE = "[...document.querySelectorAll('#table [data-panel]:not([hidden]) {}')].filter((one) => one.checkVisibility())"


@pytest.fixture
def opened(tmp_path):
    """Opens the report of a run in a browser."""
    with browser(tmp_path / "profile") as page:
        def go(folder, address=""):
            page.open(f"{write_report(folder).as_uri()}{address}")
            page.until("document.documentElement.dataset.ready === '1'")
            return page
        yield go
        assert page.errors == [] and page.value("document.documentElement.dataset.errors") is None


@pytest.mark.parametrize("inline", [40, 0], ids=["in the page", "beside it"])
def test_both_lanes_are_drawn(tmp_path, monkeypatch, opened, inline):
    monkeypatch.setattr(report, "INLINE_CONVERSATIONS", inline)
    page = opened(run(tmp_path, word=HOSTILE, num_seeds=2), "#conversation=ideal/quick/call-1&compare=1")
    page.until("document.querySelectorAll('[data-lane]').length === 4")
    assert page.value("[...document.querySelectorAll('.wave')].every((wave) => wave.getAttribute('d').length > 500)")
    told = page.value("[...document.querySelectorAll('.bracket text')].map((one) => one.textContent)")
    assert told == ["+0.40\u00a0s", "+1.00\u00a0s"]
    assert page.value("document.querySelectorAll('[data-picture=ideal] .dot').length") == 4  # two turns of each system
    assert page.value("document.querySelectorAll('[data-over-time=ideal] .dot').length") == 4
    assert page.value("document.querySelectorAll('script[src]').length") == (0 if inline else 2)


def test_agent_that_never_answers_has_no_median(tmp_path, opened):
    page = opened(run(tmp_path, silent="quick", num_seeds=SEEDS))
    told = page.value("document.querySelector('[data-picture] svg').getAttribute('aria-label')")
    assert told.endswith("quick none s, slow 1.00 s")
    assert "10 never answered" in page.text("[data-picture]")


def test_metric_is_found_by_a_part_of_its_name(tmp_path, opened):
    page = opened(run(tmp_path, num_seeds=2))
    wanted = {metric.name for metric in METRICS
              if "drift" in f"{metric.name} {metric.title} {metric.explanation} {metric.family}".lower()}
    page.value("find = document.getElementById('find'); find.value = 'drift'; find.dispatchEvent(new Event('input'))")
    names = page.value(f"{VISIBLE.format('[data-find] .define')}.map((link) => link.hash)")
    assert {name.removeprefix("#definition=") for name in names} == wanted
    assert page.text("#found") == f"{len(wanted)} of {len(METRICS)}"
    page.value("find.value = ''; find.dispatchEvent(new Event('input'))")
    assert page.value(f"{VISIBLE.format('.group[open]')}.length") == 0


def test_definition_opens_at_the_metric_and_leads_on_and_back(tmp_path, opened):
    page = opened(run(tmp_path, num_seeds=1))
    page.click("[data-panel]:not([hidden]) a[href='#definition=switch_latency']")
    assert page.text("#definition h1") == "Switch latency"
    assert page.text("#definition .asked td").strip() == "switch_latency"
    page.value("document.querySelector('#definition a[href=\"#definition=about-statistics\"]').click()")
    assert page.text("#definition h1") == "Statistics"
    page.click("#definition .back")
    assert page.text("#definition h1") == "Switch latency" and "definition=switch_latency" in page.value("location.hash")
    page.value("document.getElementById('definition').close()")
    page.until("location.hash === ''")


def test_conversation_is_heard_without_the_act_and_with_it_again(tmp_path, opened):
    page = opened(interrupted(tmp_path), "#conversation=ideal/quick/call-0")
    page.until("document.querySelector('.without') !== null")
    page.click(".without rect")
    assert page.value("document.querySelector('audio').src").endswith("counterfactuals/ideal/quick/call-0/3000/audio.wav")
    assert page.text(".hearing") == "without the interruption at 3.0\u00a0s"
    spoken = page.value("(({ x, width }) => [x, width])(document.querySelector('.otherwise .spoken').getBBox())")
    scale = page.value("[...players][0].scale")
    assert spoken == [pytest.approx(3.0 * scale, abs=0.1), pytest.approx(1.0 * scale, abs=0.1)]  # until 4 s
    page.until("[...players][0].audio.currentTime > 1.5")
    page.click(".without rect")
    assert page.value("document.querySelector('audio').src").endswith("conversations/ideal/quick/call-0/audio.wav")
    assert page.text(".hearing") == "" and page.value("document.querySelector('.otherwise .spoken')") is None


@pytest.mark.parametrize("kind", ["noise", "background_talk", "opportunity"])
def test_act_is_drawn_like_its_kin(tmp_path, opened, kind):
    page = opened(interrupted(tmp_path, aside=kind), "#conversation=ideal/quick/call-0")
    page.until("document.querySelector('.lanes') !== null")
    kin = {"opportunity": "path", "noise": "rect", "background_talk": "rect"}[kind]
    assert page.value(f"document.querySelectorAll('.act.{kind} {kin}').length") == 1
    assert re.match(kind.replace("_", " "), page.value(f"document.querySelector('.act.{kind}').dataset.tip").replace("_", " "))


def test_page_of_a_phone_is_no_wider_than_the_phone(tmp_path, opened):
    page = opened(interrupted(tmp_path), "#conversation=ideal/quick/call-0")
    page.look(390, 844)
    page.value("for (const group of document.querySelectorAll('details')) group.open = true")
    assert page.value("document.documentElement.scrollWidth") <= 390
