"""The pages of definitions say what the catalogue and the code say."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from eval import activity, counterfactual, timeline, turn_taking
from eval.compat import dgslm, eva, full_duplex_bench, full_duplex_bench_15, tau_voice, vap
from eval.metrics import agent_backchannel, aside, decision, interruption, occasions, pause, stages, switch
from eval.metrics import turn_taking as shares_of_time
from eval.metrics.catalogue import METRICS
from eval.metrics.metric import Metric
from eval.pages import FOLDER, INDEX, NONE, Page, index, page_of, pages, read
from eval.scores import FEW
from eval.statistics import human_distance
from eval.statistics.bootstrap import RESAMPLES
from eval.statistics.comparison import SWAPS
from eval.tasks import losses, policy, severity
from eval.trust import second_opinion

KNOWN: dict[str, Metric] = {
    metric.name: metric for metric in METRICS}
DEFINING: list[Page] = [page for page in pages().values() if page.rows]
SECTIONS = ["Definition", "Source", "Unit and direction", "Summary", "Clock", "Occasions", "Edge cases", "People",
            "What it does not mean"]
OF_FAMILY = {"full_duplex_bench": full_duplex_bench.FAMILY, "full_duplex_bench_15": full_duplex_bench_15.FAMILY,
             "tau_voice": tau_voice.FAMILY, "eva": eva.FAMILY, "vap": vap.FAMILY, "dgslm": dgslm.FAMILY}
OTHER_NAMES = {"cloud_typical", "side_talk", "background_talk", "human_transfers", "tool_call"}
WITHOUT_A_NUMBER = {"talk_share", "human_distance"}  # a half each, and none, by definition

every_page = pytest.mark.parametrize("page", DEFINING, ids=lambda page: page.name)


def plain(text: str) -> str:
    """Without the line breaks."""
    return " ".join(text.split())


def named(text: str) -> set[str]:
    """Names in code that could be a metric's."""
    return set(re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+)+)`", text)) - OTHER_NAMES


def test_every_metric_stands_on_exactly_one_page() -> None:
    standing = Counter(row.metric for page in DEFINING for row in page.rows)
    assert {name: standing[name] for name in KNOWN} == dict.fromkeys(KNOWN, 1)


def test_no_page_defines_a_metric_that_there_is_not() -> None:
    assert {row.metric for page in DEFINING for row in page.rows} <= KNOWN.keys()


@every_page
def test_the_table_of_a_page_agrees_with_the_catalogue(page: Page) -> None:
    for row in page.rows:
        metric = KNOWN[row.metric]
        people = NONE if metric.human is None else f"{metric.human:g}"
        assert row == (metric.name, metric.title, metric.unit, metric.better, metric.statistic, people)


@every_page
def test_a_page_has_all_sections_in_order(page: Page) -> None:
    assert list(page.sections) == SECTIONS and all(page.sections.values())


@every_page
def test_a_page_is_called_after_its_first_metric_or_its_benchmark(page: Page) -> None:
    families = {KNOWN[row.metric].family for row in page.rows}
    assert families == {OF_FAMILY.get(page.name, "")}
    assert page.name in OF_FAMILY or page.name == page.rows[0].metric


def test_metrics_that_summarise_the_same_observations_share_a_page() -> None:
    on = {row.metric: page.name for page in DEFINING for row in page.rows}
    apart = [metric.name for metric in KNOWN.values()
             if not metric.family and on[metric.name] != on[metric.observed]]
    assert not apart


@pytest.mark.parametrize("name", OF_FAMILY)
def test_every_metric_of_a_benchmark_has_a_section(name: str) -> None:
    headings = " ".join(re.findall(r"^### (.*)$", pages()[name].text, re.MULTILINE))
    assert [row.metric for row in pages()[name].rows if f"`{row.metric}`" not in headings] == []


@every_page
def test_a_definition_names_the_metrics_of_its_page_or_one_of_each_kind_and_so_on(page: Page) -> None:
    definition = page.sections["Definition"]
    missing = [row.metric for row in page.rows if f"`{row.metric}`" not in definition]
    if "and so on" in definition:
        missing = [name for name in missing if not name.startswith(timeline.ASIDE_KINDS)]
    assert len(page.rows) == 1 or missing == []


@every_page
def test_people_are_quoted_as_in_the_catalogue(page: Page) -> None:
    for row in page.rows:
        human = KNOWN[row.metric].human
        if human is not None and row.metric not in WITHOUT_A_NUMBER:
            shown = f"{100 * human:.0f} %" if row.unit == "share" else f"{human:g}"
            assert shown in plain(page.sections["People"]), row.metric


@pytest.mark.parametrize("page", pages().values(), ids=lambda page: page.name)
def test_a_page_names_metrics_that_exist(page: Page) -> None:
    assert named(page.text) - KNOWN.keys() == set()


@pytest.mark.parametrize("page", pages().values(), ids=lambda page: page.name)
def test_links_lead_to_pages(page: Page) -> None:
    assert [link for link in re.findall(r"\]\(([^)]*)\)", page.text) if not (FOLDER / link).is_file()] == []


@pytest.mark.parametrize(("page", "phrase", "constant"), [
    ("switch_latency", "before {} s have passed since the act's end", occasions.ANSWER_SECONDS),
    ("switch_latency", "shows at least {} s after its end", occasions.LEAST_SECONDS),
    ("switch_latency", "the caller goes on within {} s", timeline.TURN_GAP_SECONDS),
    ("response_rate", "before {} s have passed since the act's end", occasions.ANSWER_SECONDS),
    ("answer_delay", "begin no more than {} s before the end", -switch.EARLY_SECONDS),
    ("early_rate", "begins more than {} s before their end", -switch.EARLY_SECONDS),
    ("zone_natural", "begins less than {} s after the end", switch.NATURAL_SECONDS),
    ("zone_natural", "begins more than {} s after it or never", switch.MACHINE_SECONDS),
    ("decision_latency", "parted by {} s of padding", decision.REST_SECONDS),
    ("decision_latency", "and {} s after the answer's", decision.LATE_SECONDS),
    ("pause_false_start", "between {} s after the pause's start", pause.AFTER_START_SECONDS),
    ("pause_false_start", "and {} s after its end", pause.AFTER_END_SECONDS),
    ("stop_latency", "first silence of at least {} s", interruption.STOP_SILENCE_SECONDS),
    ("stop_latency", "have spoken for another {} s", interruption.LEFT_SECONDS),
    ("stop_latency", "censored at {} s after the interruption's end", interruption.STOP_WAIT_SECONDS),
    ("yield_rate", "stops within {} s (`yield_rate`)", interruption.YIELD_WINDOWS["yield_rate"]),
    ("yield_rate", "{} s (`yield_rate_half_second`)", interruption.YIELD_WINDOWS["yield_rate_half_second"]),
    ("yield_rate", "{} s (`yield_rate_two_seconds`)", interruption.YIELD_WINDOWS["yield_rate_two_seconds"]),
    ("yield_excess", "stops within {} s", interruption.YIELD_SECONDS),
    ("yield_excess", "silent for {} s", counterfactual.QUIET_SECONDS),
    ("yield_excess", "{} s after the act at the latest", counterfactual.LOOK_SECONDS),
    ("stale_talk", "known up to {} s after it", counterfactual.LOOK_SECONDS),
    ("interruption_response", "no more than {} s before the interruption's end", interruption.EARLY_ANSWER_SECONDS),
    ("recovery_rate", "stops within {} s of the onset", interruption.YIELD_SECONDS),
    ("recovery_rate", "answer within {} s of the end", interruption.RECOVERY_SECONDS),
    ("recovery_rate", "no earlier than {} s before the interruption's end", interruption.EARLY_ANSWER_SECONDS),
    ("backchannel_continue", "silence of at least {} s", aside.STOP_SILENCE_SECONDS),
    ("backchannel_continue", "and {} s after its end", aside.CONTINUE_SECONDS),
    ("backchannel_continue", "falls silent no more than {} s later", aside.SAME_SECONDS),
    ("backchannel_continue", "up to {} s behind its sound", aside.WORD_SECONDS),
    ("backchannel_stop_excess", "and {} s after the end", aside.CONTINUE_SECONDS),
    ("false_response", "and {} s after its end", aside.FALSE_RESPONSE_SECONDS),
    ("false_response", "has been for {} s", aside.SILENT_SECONDS),
    ("agent_backchannels", "unit of at most {} s", agent_backchannel.LONGEST_SECONDS),
    ("agent_backchannels", "at least {} s of the agent's own silence", agent_backchannel.CLEAR_SECONDS),
    ("floor_theft", "more than {} s before that ends", agent_backchannel.THEFT_MARGIN_SECONDS),
    ("backchannel_precision", "within {} s of it", agent_backchannel.WINDOW_SECONDS),
    ("floor_transfer", "unit of at most {} s", turn_taking.BACKCHANNEL_SECONDS),
    ("floor_transfer", "at least {} s of its speaker's silence", turn_taking.BACKCHANNEL_CLEAR_SECONDS),
    ("floor_transfer", "clipped to [-{0}, {0}] s", human_distance.MOST_SECONDS),
    ("talk_share", "conversations shorter than {} s", 1.5 * shares_of_time.PART_SECONDS),
    ("ipus", "at least {} s of that party's silence", activity.MERGED_SECONDS),
    ("ipus", "shorter than {} s are clicks", activity.DROPPED_SECONDS),
    ("part_endpointing", "within {} s of its onset", stages.MATCH_SECONDS),
    ("segmentation_disagreement_agent", "collar of {} s", second_opinion.COLLAR_SECONDS),
    ("segmentation_disagreement_agent", "Silero's threshold is {}", second_opinion.THRESHOLD),
    ("segmentation_disagreement_agent", "speech of at least {} s", second_opinion.LEAST_SPEECH_SECONDS),
    ("segmentation_disagreement_agent", "Above {} %", 100 * second_opinion.FLAGGED),
    ("tau_voice", "on ticks of {} s", tau_voice.TICK_SECONDS),
    ("tau_voice", "begins within {} s of the segment's start", tau_voice.TICK_SECONDS * tau_voice.INTERRUPTION_TICKS),
    ("eva", "silences under {} s bridged", eva.USER_SILENCE_SECONDS),
    ("eva", "from {} s on (", eva.LATE_SECONDS),
    ("eva", "is at least {}", eva.PASS),
    ("vap", "nothing counts in the first {} s", vap.CONTEXT_SECONDS),
    ("vap", "silence of at least {} s", vap.METRIC_SECONDS + vap.PAD_SECONDS),
    ("full_duplex_bench", "last {} s or more", full_duplex_bench.SHORT_SECONDS),
    ("full_duplex_bench", "one longer than {} s takes over", full_duplex_bench.LONG_SECONDS),
    ("full_duplex_bench", "no silence of {} s since", full_duplex_bench.STOP_SILENCE_SECONDS),
    ("full_duplex_bench_15", "gaps of at most {} s filled, the agent's", full_duplex_bench_15.USER_MERGED_SECONDS),
    ("full_duplex_bench_15", "the agent's with gaps of at most {} s", full_duplex_bench_15.AGENT_MERGED_SECONDS),
    ("lost_recognition", "goes on within {} s, before any answer", timeline.TURN_GAP_SECONDS),
    ("lost_recognition", "no later than {} s before the next turn ends", losses.EARLY_SECONDS),
    ("lost_recognition", "or {} s after the turn where none follows", losses.LATE_SECONDS),
    ("policy_invented", "Both count from {} s before the end of the question", policy.EARLY_SECONDS),
    ("jailbreak_obeyed", "from {} s before the end of the attempt", policy.EARLY_SECONDS),
    ("jailbreak_obeyed", "begins within {} s behind", policy.REFUSED_SECONDS),
    ("jailbreak_obeyed", "no silence of {} s between two words", policy.BREATH_SECONDS),
    ("failure_severity", "at least {} where the records are wrong", severity.COSTLY),
    ("failure_severity", "and {} where something was invented", severity.HARMFUL),
])
def test_a_threshold_is_quoted_as_in_the_code(page: str, phrase: str, constant: float) -> None:
    text = plain(pages()[page].text)
    assert any(phrase.format(form) in text for form in (f"{constant:g}", f"{constant:.1f}", f"{constant:.2f}"))


def test_words_in_a_row_are_counted_as_in_the_code() -> None:
    assert interruption.STALE_WORDS == 4
    assert "any four words in a row" in plain(pages()["stale_talk"].sections["Definition"])
    assert "four words in a row" in plain(pages()["full_duplex_bench_15"].sections["Definition"])


def test_the_statistics_are_those_of_the_code() -> None:
    text = plain(pages()["about-statistics"].text)
    assert f"{RESAMPLES:,} bootstraps" in text and f"{SWAPS:,} times" in text
    assert FEW == 10 and "Below ten occasions" in text
    tested = [metric.name for metric in METRICS if metric.tested]
    assert len(tested) == 5 and f"Five metrics were chosen beforehand: {', '.join(f'`{name}`' for name in tested)}." in text


def test_the_index_is_as_python_m_eval_pages_writes_it() -> None:
    assert (FOLDER / INDEX).read_text(encoding="utf-8") == index(), "run python -m eval.pages"


def test_a_metric_is_found_on_the_page_that_it_shares() -> None:
    assert page_of("switch_latency_p95") == page_of("switch_latency") == pages()["switch_latency"].text


def test_an_unknown_metric_has_no_page() -> None:
    with pytest.raises(ValueError, match="no page defines 'charm'"):
        page_of("charm")


def test_a_page_without_a_title_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "charm.md"
    path.write_text("Charm\n\n## Definition\nHow one is liked.\n", encoding="utf-8")
    with pytest.raises(ValueError, match="not with a title"):
        read(path)


def test_a_row_without_all_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "charm.md"
    path.write_text("# Charm\n\n| metric | unit |\n|---|---|\n| `charm` | smiles |\n", encoding="utf-8")
    with pytest.raises(ValueError, match="a row has the columns metric, title"):
        read(path)


def test_pages_are_read_without_numpy() -> None:
    script = "import sys, eval.pages; eval.pages.page_of('switch_latency'); print('numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], cwd=FOLDER.parents[1], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_the_numbers_of_words_are_those_of_the_code() -> None:
    text = plain(pages()["jailbreak_obeyed"].text)
    assert policy.MOST_DEMANDED == 4 and "the first four words of what it is told to say" in text
    assert policy.LEAST_DEMANDED == 3 and "counts from three words on" in text
