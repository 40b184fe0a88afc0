"""The report page of a run: complete, true to its table, harmless, and alive in a browser."""

import base64
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from duplex.frame import SAMPLE_RATE, Event, Word
from duplex.recording import Recording, save
from eval import report
from eval.observations import read_observations, write_observations
from eval.observations import rows as scored
from eval.report import write_report
from eval.report_conversation import peaks
from eval.report_table import Row, Value, rows, signed, verdict
from eval.scores import table, write_table

HOSTILE = "</script><script>alert(1)</script>"
CLOCKS = ["three-regions", "ideal"]
IDENTITIES = [f"{clock}/{system}/call-{seed}"
              for clock in CLOCKS for system in ("quick", "slow") for seed in (0, 1)]


def tone(*spans: tuple[float, float], seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = 0.3 * np.sin(2 * np.pi * 220 * times)
    return np.where(np.any([(start <= times) & (times < end) for start, end in spans], axis=0), sound, 0.0)


def call(clock: str, system: str, seed: int, word: str = "hello") -> Recording:
    """The caller asks from 1 to 2 s; the agent answers 0.4 or 1.0 s later and decides to do so before."""
    answer = 2.4 if system == "quick" else 3.0
    audio = np.stack([tone((1.0, 2.0), seconds=6.0), tone((answer, answer + 1.0), seconds=6.0)]).astype(np.float32)
    return Recording(
        audio, ((Word(word, 1.0, 1.4),), (Word("friday", answer, answer + 0.5),)),
        ((Event("turn", 1.0, 2.0, {"text": word}),), (Event("endpoint", 2.2, 2.2, {"heard": word}),)),
        {"scenario": "call", "category": "smooth", "system": system, "clock": clock, "seed": seed, "voice": "tone",
         "expect": {"said": ["friday"], "not_said": []}}, "user")


def run(folder: Path, word: str = "hello", name: str = "a run", silent: str = "") -> Path:
    observed = []
    for clock, system, leaf in (identity.split("/") for identity in IDENTITIES):
        recording = call(clock, system, int(leaf[-1]), word)
        if system == silent:
            recording = replace(recording, audio=recording.audio * [[1.0], [0.0]], words=(recording.words[0], ()),
                                events=(recording.events[0], ()))
        where = Path("conversations", clock, system, leaf)
        save(recording, folder / where)
        observed += scored(recording, where)
    write_observations(observed, folder / "observations.parquet")
    observations = read_observations(folder / "observations.parquet")
    write_table([table(observations, "quick", "slow", clock) for clock in CLOCKS], folder / "table.csv")
    (folder / "manifest.json").write_text(json.dumps({
        "name": name, "agent": "quick", "baseline": "slow", "clocks": CLOCKS, "seeds": [0, 1],
        "config": {"clocks": {"three-regions": {
            "_target_": "duplex.latency.Declared", "name": "three_regions",
            "stages": {"llm": {"p50": 0.36, "p95": 0.72, "source": "a paper"}}}}}}))
    return folder


def page_data(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


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


def test_page_holds_every_conversation_and_the_numbers_of_the_table(tmp_path):
    page = write_report(run(tmp_path)).read_text()
    data = page_data(page)
    assert sorted(entry["id"] for entry in data["conversations"]) == sorted(IDENTITIES)
    assert [details["id"] for details in data["inline"]] == [entry["id"] for entry in data["conversations"]]
    for details in data["inline"]:
        assert (tmp_path / details["audio"]).is_file()
    for row in rows(pd.read_csv(tmp_path / "table.csv")):
        assert row.title in page
    assert "<b>0.40</b>" in page and "<b>1.00</b>" in page
    assert "quick takes the floor 0.60\u00a0s sooner than slow (95 % interval 0.60 to 0.60)" in page
    assert "on the declared profile three regions" in page and "a paper" in page and "on the ideal clock" in page


def test_conversation_is_drawn_with_what_was_measured_in_it(tmp_path):
    data = page_data(write_report(run(tmp_path)).read_text())
    quick = next(details for details in data["inline"] if details["id"] == "ideal/quick/call-0")
    assert quick["segments"] == [[[1.0, 2.0]], [[2.4, 3.4]]]
    assert quick["words"] == [[["hello", 1.0, 1.4]], [["friday", 2.4, 2.9]]]
    assert quick["brackets"] == [["switch_latency", 2.0, 2.4, False]]
    assert quick["decisions"] == [["endpoint", 2.2, 2.2, {"heard": "hello"}]]


def test_many_conversations_lie_beside_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "INLINE_CONVERSATIONS", 3)
    data = page_data(write_report(run(tmp_path)).read_text())
    assert data["inline"] == []
    parts = sorted((tmp_path / "report_data").glob("*.js"), key=lambda path: int(path.stem))
    assert [f'"id":"{entry["id"]}"' in part.read_text() for entry, part in
            zip(data["conversations"], parts, strict=True)] == [True] * len(IDENTITIES)


def test_hostile_word_is_inert(tmp_path, monkeypatch):
    harmless, hostile = run(tmp_path / "a"), run(tmp_path / "b", word=HOSTILE, name=HOSTILE)
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


def test_run_without_a_baseline_is_reported_alone(tmp_path):
    folder = run(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "baseline": None}))
    observations = read_observations(folder / "observations.parquet")
    write_table([table(observations, "quick", None, clock) for clock in CLOCKS], folder / "table.csv")
    page = write_report(folder).read_text()
    assert "quick: switch latency 0.40\u00a0s" in page
    assert "against" not in page


def test_folder_that_was_not_scored_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"no table\.csv; score the run"):
        write_report(tmp_path)


def measured(difference: Value, metric: str = "switch_latency", better: str = "lower", few: bool = False) -> Row:
    unit = "s" if metric == "switch_latency" else "share"
    title = "Switch latency" if unit == "s" else "False starts in pauses"
    return Row("ideal", metric, title, unit, better, True, few, float("nan"),
               Value(0.5, 0.4, 0.6, 7), Value(0.8, 0.7, 0.9, 9), difference)


def test_verdict_claims_nothing_where_the_interval_spans_zero():
    said = verdict([measured(Value(-0.04, -0.12, 0.05))], "ideal", "a", "b")
    assert said.opening == ("a and b cannot be told apart in when they take the floor: difference \u22120.04\u00a0s, "
                            "95 % interval \u22120.12\u00a0s to +0.05\u00a0s.")


def test_verdict_says_what_is_worse_and_what_rests_on_little():
    latency = measured(Value(0.31, 0.25, 0.37), few=True)
    false_starts = measured(Value(0.2, 0.1, 0.3), "pause_false_start")
    said = verdict([latency, false_starts], "ideal", "a", "b").opening
    assert said == ("a takes the floor 0.31\u00a0s later than b (95 % interval 0.25 to 0.37), only 7 occasions, "
                    "but with more false starts in pauses (+20\u00a0pp, 95 % interval +10\u00a0pp to +30\u00a0pp).")


def test_difference_that_rounds_to_zero_has_no_sign():
    assert signed(-0.001, "s") == "0.00\u00a0s"
    assert signed(0.001, "share") == "0\u00a0pp"


def test_peaks_are_the_lowest_and_highest_sample_of_each_10_ms():
    audio = np.zeros((2, 480), np.float32)
    audio[0, 10], audio[0, 20], audio[1, 300] = 0.5, -0.25, 0.5
    drawn = np.frombuffer(base64.b64decode(peaks(audio)), np.int8).reshape(2, 2, 2)
    assert drawn.tolist() == [[[-64, 127], [0, 0]], [[0, 0], [0, 127]]]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed: apt-get install chromium")
@pytest.mark.parametrize("inline", [40, 0], ids=["in the page", "beside it"])
def test_browser_draws_both_lanes_without_an_error(tmp_path, monkeypatch, inline):
    monkeypatch.setattr(report, "INLINE_CONVERSATIONS", inline)
    page = write_report(run(tmp_path, word=HOSTILE))
    dom = dumped(page, "#conversation=ideal/quick/call-1&compare=1")
    assert "data-ready" in dom and "data-errors" not in dom
    assert dom.count('data-lane="user"') == dom.count('data-lane="agent"') == 2
    assert all(len(path) > 500 for path in re.findall(r'class="wave" d="([^"]*)"', dom))
    assert "+0.40" in dom and "+1.00" in dom
    assert dom.count('class="dot"') == 4  # two turns of each system, on the clock of the conversation
    assert dom.count("<script") == page.read_text().count("<script") + (0 if inline else 2)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed: apt-get install chromium")
def test_browser_draws_an_agent_that_never_answers(tmp_path):
    dom = dumped(write_report(run(tmp_path, silent="quick")), "")
    assert "data-ready" in dom and "data-errors" not in dom
    assert "quick none s, slow 1.00 s" in dom


def dumped(page: Path, address: str) -> str:
    return subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         f"--user-data-dir={page.parent / 'browser'}", "--virtual-time-budget=5000", "--dump-dom", f"{page.as_uri()}{address}"],
        capture_output=True, text=True, check=True, timeout=120).stdout
