"""The report page of a run: complete, true to its table, harmless."""

import base64
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from shutil import copytree

import numpy as np
import pandas as pd
import pytest
from reported import CLOCKS, SEEDS, identities, interrupted, run

from eval.metrics.catalogue import GROUPS, METRICS
from eval.observations import read_observations, write_observations
from eval.report import page as report
from eval.report.conversation import peaks
from eval.report.groups import ABOUT, groups, headline
from eval.report.numbers import signed
from eval.report.page import write_report
from eval.report.pictures import Likeness, stacks, wraps
from eval.report.table import Row, Value, rows, verdict
from eval.scores import table, write_table
from eval.statistics.human_distance import Closeness

HOSTILE = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Copies of a run with enough occasions, which takes a while to score."""
    made = run(tmp_path_factory.mktemp("whole"))
    return lambda folder: Path(copytree(made, folder, dirs_exist_ok=True))


def about(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def page_data(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


class Seen(HTMLParser):
    """What a reader sees of a page, without its scripts, styles and definitions."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hidden, self.parts = 0, []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in ("script", "style", "template")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style", "template")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split())


class Scripts(HTMLParser):
    """What a browser would run: the text of each script element, and attributes that run code."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.listeners: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [""] * (tag == "script")
        self.listeners += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.texts[-1] += data


def test_page_holds_every_conversation_and_the_numbers_of_the_table(tmp_path, whole):
    page = write_report(whole(tmp_path)).read_text()
    data = page_data(page)
    assert sorted(entry["id"] for entry in data["conversations"]) == sorted(identities(SEEDS))
    assert [details["id"] for details in data["inline"]] == [entry["id"] for entry in data["conversations"]]
    for details in data["inline"]:
        assert (tmp_path / details["audio"]).is_file()
    for row in rows(pd.read_csv(tmp_path / "table.csv")):
        assert row.title in page
    assert "<b>0.40</b>" in page and "<b>1.00</b>" in page and "n = 10 of 10" in page
    assert "quick takes the floor 0.60\u00a0s sooner than slow (95 % interval 0.60 to 0.60)" in page
    assert "on the declared profile three regions" in page and "a paper" in page and "on the ideal clock" in page


def test_below_ten_occasions_no_number_is_printed(tmp_path):
    seen = Seen(write_report(run(tmp_path, num_seeds=2)).read_text()).text
    assert "n/a (2 of 2)" in seen and "0.40" not in seen
    assert "Too few occasions to tell quick and slow apart in when they take the floor: 2 of 2 and 2 of 2" in seen


def test_conversation_is_drawn_with_what_was_measured_in_it(tmp_path):
    data = page_data(write_report(run(tmp_path, num_seeds=1)).read_text())
    quick = next(details for details in data["inline"] if details["id"] == "ideal/quick/call-0")
    assert quick["segments"] == [[[1.0, 2.0]], [[2.4, 3.4]]]
    assert quick["words"] == [[["hello", 1.0, 1.4]], [["friday", 2.4, 2.9]]]
    assert quick["brackets"] == [["switch_latency", 2.0, 2.4, False]]
    assert quick["decisions"] == [["endpoint", 2.2, 2.2, {"heard": "hello"}]]
    assert quick["without"] == []


def test_conversation_shows_how_it_goes_without_an_act(tmp_path):
    details = page_data(write_report(interrupted(tmp_path)).read_text())["inline"][0]
    assert details["without"] == [{
        "kind": "interruption", "onset": 3.0, "seconds": 6.0, "segments": [[2.4, 4.0]], "text": "morning",
        "audio": "counterfactuals/ideal/quick/call-0/3000/audio.wav"}]
    assert (tmp_path / details["without"][0]["audio"]).is_file()


def test_many_conversations_lie_beside_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "INLINE_CONVERSATIONS", 3)
    data = page_data(write_report(run(tmp_path, num_seeds=1)).read_text())
    assert data["inline"] == []
    parts = sorted((tmp_path / "report_data").glob("*.js"), key=lambda path: int(path.stem))
    assert [f'"id":"{entry["id"]}"' in part.read_text() for entry, part in
            zip(data["conversations"], parts, strict=True)] == [True] * len(identities(1))


def test_hostile_word_is_inert(tmp_path, monkeypatch):
    harmless, hostile = run(tmp_path / "a", num_seeds=1), run(tmp_path / "b", word=HOSTILE, name=HOSTILE, num_seeds=1)
    pages = [Scripts(), Scripts()]
    for parser, folder in zip(pages, (harmless, hostile), strict=True):
        parser.feed(write_report(folder).read_text())
    assert len(pages[0].texts) == len(pages[1].texts)
    assert pages[0].texts[1:] == pages[1].texts[1:]  # all but the data, which is no code
    assert pages[1].listeners == []
    assert HOSTILE in json.loads(pages[1].texts[0])["inline"][0]["words"][0][0][0]
    monkeypatch.setattr(report, "INLINE_CONVERSATIONS", 0)
    write_report(hostile)
    assert all("<" not in part.read_text() for part in (hostile / "report_data").iterdir())


def test_run_without_a_baseline_is_reported_alone(tmp_path, whole):
    folder = whole(tmp_path)
    about(folder, baseline=None)
    observations = read_observations(folder / "observations.parquet")
    write_table([table(observations, "quick", None, clock) for clock in CLOCKS], folder / "table.csv")
    seen = Seen(write_report(folder).read_text()).text
    assert "quick: switch latency 0.40 s (95 % interval 0.40 to 0.40)" in seen
    assert "against" not in seen.partition("When the floor changes hands")[0] and "quick minus" not in seen


def test_folder_that_was_not_scored_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"no table\.csv; score the run"):
        write_report(tmp_path)


def test_every_metric_leads_to_its_definition(tmp_path):
    page = write_report(run(tmp_path, num_seeds=1)).read_text()
    defined, pages = set(re.findall(r'<template data-definition="([^"]+)"', page)), page_data(page)["pages"]
    for metric in METRICS:
        assert f'href="#definition={metric.name}"' in page and pages[metric.name] in defined, metric.name
    assert 'href="#definition=about-statistics"' in page and "about-statistics" in defined


def test_every_metric_stands_in_one_place():
    table = [measured(Value(0.1, 0.0, 0.2, 12), metric.name, metric.better, headline=metric.headline, family=metric.family)
             for metric in METRICS]
    places = Counter(row.metric for group in (headline(table), *groups(table)) for row in group.rows)
    assert places == Counter(metric.name for metric in METRICS)
    assert {*GROUPS, *(metric.family for metric in METRICS if metric.family)} == set(ABOUT)


def test_refused_recording_is_named_before_anything_else(tmp_path, whole):
    folder = whole(tmp_path)
    about(folder, refused=[{"conversation": "conversations/ideal/slow/call-1", "wrong": "the channels are swapped"}])
    before, _, after = Seen(write_report(folder).read_text()).text.partition("When the floor changes hands")
    assert "1 recording was refused" in before
    assert "ideal/slow/call-1 the channels are swapped" in after


def test_recording_that_cannot_be_read_is_named_and_the_others_are_drawn(tmp_path):
    folder = run(tmp_path, num_seeds=1)
    (folder / "conversations/ideal/slow/call-0/audio.wav").write_bytes(b"RIFF")
    page = write_report(folder).read_text()
    assert len(page_data(page)["conversations"]) == len(identities(1)) - 1
    assert "1 recording was refused" in Seen(page).text and "<b>ideal/slow/call-0</b>" in page


@pytest.mark.parametrize(("doubt", "is_flagged"), [(0.03, False), (0.07, True)])
def test_doubt_about_who_speaks_is_flagged_above_five_percent(tmp_path, doubt, is_flagged):
    folder = run(tmp_path, num_seeds=1)
    observations = read_observations(folder / "observations.parquet")
    first = observations.iloc[0].to_dict()
    write_observations([*observations.to_dict("records"), {
        **first, "metric": "segmentation_disagreement_agent", "unit": "share", "value": doubt, "per": 1.0,
        "system": "slow"}], folder / "observations.parquet")
    before, _, after = Seen(write_report(folder).read_text()).text.partition("When the floor changes hands")
    assert (f"Energy and Silero disagree on {100 * doubt:.1f} % of slow's speech" in before) == is_flagged
    assert f"{100 * doubt:.1f} % of slow's" in after


def measured(difference: Value, metric: str = "switch_latency", better: str = "lower", n: int = 12, p_holm: float = 0.01,
             headline: bool = True, family: str = "") -> Row:
    unit = "s" if metric == "switch_latency" else "share"
    title = {"switch_latency": "Switch latency", "pause_false_start": "False starts in pauses"}.get(metric, metric)
    return Row("ideal", metric, title, unit, better, headline, float("nan"),
               Value(0.5, 0.4, 0.6, n), Value(0.8, 0.7, 0.9, n + 2), difference, p_holm, family)


def test_verdict_claims_nothing_where_the_interval_spans_zero():
    said = verdict([measured(Value(-0.04, -0.12, 0.05, 12))], "ideal", "a", "b")
    assert said.opening == ("a and b cannot be told apart in when they take the floor: difference \u22120.04\u00a0s, "
                            "95 % interval \u22120.12\u00a0s to +0.05\u00a0s.")


def test_verdict_claims_no_tested_difference_that_may_be_chance():
    said = verdict([measured(Value(-0.3, -0.5, -0.1, 12), p_holm=0.08)], "ideal", "a", "b")
    assert said.opening == ("a and b cannot be told apart in when they take the floor: difference \u22120.30\u00a0s, "
                            "95 % interval \u22120.50\u00a0s to \u22120.10\u00a0s, p\u00a0=\u00a00.080 after Holm.")


def test_difference_of_a_metric_that_was_not_tested_needs_its_interval_alone():
    untested = measured(Value(-0.3, -0.5, -0.1, 12), "answer_delay", p_holm=float("nan"))
    assert untested.outcome == "better"


def test_verdict_says_what_speed_cost():
    latency = measured(Value(0.31, 0.25, 0.37, 12))
    false_starts = measured(Value(0.2, 0.1, 0.3, 12), "pause_false_start")
    said = verdict([latency, false_starts], "ideal", "a", "b").opening
    assert said == ("a takes the floor 0.31\u00a0s later than b (95 % interval 0.25 to 0.37), "
                    "but with more false starts in pauses (+20\u00a0pp, 95 % interval +10\u00a0pp to +30\u00a0pp).")


def test_verdict_says_where_the_price_of_speed_is_not_known():
    latency = measured(Value(-0.31, -0.37, -0.25, 12))
    false_starts = measured(Value(0.2, 0.1, 0.3, 7), "pause_false_start", n=7)
    said = verdict([latency, false_starts], "ideal", "a", "b").opening
    assert said.endswith("; for false starts in pauses there were too few occasions (7 and 9).")


def test_few_occasions_have_no_outcome():
    assert measured(Value(-0.3, -0.5, -0.1, 9), n=9).outcome == "none"
    assert measured(Value(-0.3, -0.5, -0.1, 10), n=10).outcome == "better"


@pytest.mark.parametrize(("distance", "sentence"), [
    (0.12, "closer to people than chance"),
    (0.20, "0.05\u00a0s further from people than chance, which chance does 1 time in 5"),
    (0.36, "0.21\u00a0s further from people than chance")])
def test_distance_to_people_is_told_beside_chance(distance, sentence):
    assert Likeness("agent", "a", 119, Closeness(distance, 0.15, 0.26, 0.2, 119)).sentence == sentence


def test_context_of_the_agent_says_when_it_wraps():
    assert [wrap.seconds for wrap in wraps({"agent": "moshi", "config": {"agent": {"context": 750}}})] == [60.0]
    assert [wrap.seconds for wrap in wraps({"agent": "moshi", "config": {"agent": {"context": None}}})] == [240.0]


def test_part_that_passes_before_the_turn_ends_is_drawn_before_zero():
    parts = [Row("ideal", f"part_{name}", f"Of the latency: {name}", "s", "lower", False, float("nan"),
                 Value(seconds, float("nan"), float("nan"), 12), Value(*[float("nan")] * 3), Value(*[float("nan")] * 3))
             for name, seconds in (("endpointing", -0.1), ("llm", 0.3), ("unexplained", 0.1))]
    stack, = stacks("ideal", {"agent": "a"}, parts)
    assert (stack.zero, stack.total) == (20.0, pytest.approx(0.3))
    assert [(part.title, part.left, part.width) for part in stack.parts] == [
        ("endpointing", 0.0, 20.0), ("llm", 20.0, 60.0), ("unexplained", 80.0, 20.0)]


def test_difference_that_rounds_to_zero_has_no_sign():
    assert signed(-0.001, "s") == "0.00\u00a0s"
    assert signed(0.001, "share") == "0\u00a0pp"


def test_share_per_minute_is_in_percent_per_minute():
    assert signed(0.02, "share/min") == "+2\u00a0pp/min"


def test_peaks_are_the_lowest_and_highest_sample_of_each_10_ms():
    audio = np.zeros((2, 480), np.float32)
    audio[0, 10], audio[0, 20], audio[1, 300] = 0.5, -0.25, 0.5
    drawn = np.frombuffer(base64.b64decode(peaks(audio)), np.int8).reshape(2, 2, 2)
    assert drawn.tolist() == [[[-64, 127], [0, 0]], [[0, 0], [0, 127]]]
