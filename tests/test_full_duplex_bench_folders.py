"""Data sets of Full-Duplex-Bench as a suite: what is played, what fails and counts, and what the numbers then are."""

import json
import re
from pathlib import Path

import full_duplex_bench_items as made
import numpy as np
import pandas as pd
import pytest
import soundfile
from omegaconf import OmegaConf
from piped import complaint, program

from duplex.agents.simple import Backchanneller, Interrupter, NeverAnswers, NeverYields, Responder
from duplex.conversation import ConversationFailed, Participant, converse
from duplex.frame import SAMPLE_RATE, Frame
from duplex.recording import USER, Recording
from eval.callers.recorded import cast_of
from eval.compat import full_duplex_bench, full_duplex_bench_15
from eval.compat.full_duplex_bench_cast import FullDuplexBench
from eval.metrics.interruption import stop_latency, yield_rate
from eval.metrics.switch import switch_latency
from eval.timeline import timeline
from eval.trust.integrity import check

HOP = 0.01 + 1e-9  # tolerance in seconds: units are known to 10 ms


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One item of every subset."""
    made.turn_taking(tmp_path / "turns/1")
    made.pause_handling(tmp_path / "pauses/1")
    made.interruption(tmp_path / "interruptions/1")
    made.backchannel(tmp_path / "listening/1")
    made.overlap(tmp_path / "user_backchannel/1")
    return tmp_path


def call(data: Path, name: str, agent: Participant) -> Recording:
    cast = FullDuplexBench(str(data))
    caller = cast.caller(next(one for one in cast.scenarios if one.name == name), 0)
    recording = converse(caller, agent, prompt=caller.prompt, facts=caller.facts)
    check(recording)
    return recording


def numbers(recording: Recording) -> dict[str, float]:
    """The means of all that is measured by the rules of both versions."""
    heard = timeline(recording)
    found = [one for rules in (full_duplex_bench, full_duplex_bench_15) for measure in rules.MEASURES for one in measure(heard)]
    found += full_duplex_bench.with_facts(heard, recording.facts)
    names = {one.metric for one in found}
    return {name: float(np.mean([one.value for one in found if one.metric == name])) for name in names}


def failure(data: Path, name: str) -> str:
    with pytest.raises(ConversationFailed) as failed:
        call(data, name, NeverAnswers())
    assert failed.value.recording.audio.shape == (2, 0)
    return str(failed.value)


def test_every_item_is_a_scenario(data: Path) -> None:
    assert [one.name for one in FullDuplexBench(str(data)).scenarios] == [
        "interruptions-1", "listening-1", "pauses-1", "turns-1", "user_backchannel-1", "user_backchannel-1-clean"]


@pytest.mark.parametrize(("name", "category", "acts"), [
    ("turns-1", "fdb1_turn_taking", [("turn", 0.5, 4.5, True)]),
    ("pauses-1", "fdb1_pause_handling", [("turn", 0.5, 3.5, False), ("pause", 1.5, 2.3, None)]),
    ("interruptions-1", "fdb1_interruption", [("turn", 0.5, 1.5, False), ("interruption", 4.0, 5.63, None)]),
    ("listening-1", "fdb1_backchannel", [("turn", 0.5, 19.5, False)]),
    ("user_backchannel-1", "fdb15_overlap", [("turn", 0.5, 1.5, False), ("backchannel", 4.0, 4.3, None)]),
    ("user_backchannel-1-clean", "fdb15_overlap", [("turn", 0.5, 1.5, False)]),
])
def test_an_item_is_played_with_its_annotation(data: Path, name: str, category: str, acts: list[tuple[object, ...]]) -> None:
    recording = call(data, name, NeverAnswers())
    assert recording.facts["category"] == category
    assert [(act.kind, act.start, act.end, act.detail.get("answer")) for act in recording.events[USER]] == acts


@pytest.mark.parametrize("name", ["turns/1/input.wav", "user_backchannel/1/clean_input.wav"])
def test_the_sound_is_played_from_its_first_sample_to_its_last(data: Path, name: str) -> None:
    samples, _ = soundfile.read(data / name)
    scenario = "turns-1" if "turns" in name else "user_backchannel-1-clean"
    recording = call(data, scenario, NeverAnswers())
    assert recording.seconds == len(samples) / SAMPLE_RATE
    np.testing.assert_allclose(recording.audio[USER], samples, atol=1 / 32_767)


def test_stereo_of_another_rate_is_played_as_long_as_it_is(tmp_path: Path) -> None:
    made.turn_taking(tmp_path / "1", rate=16_000)
    samples, _ = soundfile.read(tmp_path / "1/input.wav")
    soundfile.write(tmp_path / "1/input.wav", np.stack([samples, 0.0 * samples], axis=1), 16_000)
    assert call(tmp_path, "1", NeverAnswers()).seconds == 10.0


def test_an_agent_hears_sound_and_no_words(data: Path) -> None:
    class Listener(NeverAnswers):
        def __init__(self) -> None:
            self.words: list[object] = []

        def step(self, heard: Frame) -> Frame:
            self.words += heard.words
            return super().step(heard)

    agent = Listener()
    assert not call(data, "listening-1", agent).words[USER] and not agent.words


def test_a_prompt_is_told_to_every_agent(data: Path) -> None:
    cast = FullDuplexBench(str(data), prompt="You are a friend.")
    assert cast.caller(cast.scenarios[0], 0).prompt.text == "You are a friend."


BROKEN = {
    "no annotation": (lambda item: (item / "turn_taking.json").unlink(), "has no annotation; one of pause.json"),
    "no sound": (lambda item: (item / "input.wav").unlink(), "there is no file .*input.wav"),
    "two annotations": (lambda item: (item / "pause.json").write_text("[]"), "has pause.json and turn_taking.json"),
    "no JSON": (lambda item: (item / "turn_taking.json").write_text("[{"), "turn_taking.json is not JSON"),
    "no text": (lambda item: (item / "turn_taking.json").write_bytes(b"\xff\xfe\xfa"), "turn_taking.json is not JSON"),
    "no entry": (lambda item: (item / "turn_taking.json").write_text("[]"), "a list of at least one entry, not \\[\\]"),
    "no time": (lambda item: (item / "turn_taking.json").write_text('[{"timestamp": [1, "two"]}]'), "is \\[start, end\\] in"),
    "a time beyond the sound": (
        lambda item: (item / "turn_taking.json").write_text('[{"timestamp": [90, 91]}]'), "does not lie within the sound's 10"),
    "no sound in it": (lambda item: (item / "input.wav").write_bytes(b"RIFF"), "is not a sound file"),
    "an empty sound": (lambda item: (item / "input.wav").write_bytes(b""), "is empty"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_item_is_a_failed_conversation(data: Path, what: str) -> None:
    damage, said = BROKEN[what]
    damage(data / "turns/1")
    assert re.search(said, failure(data, "turns-1"))
    assert "fdb1_pause_tor" in numbers(call(data, "pauses-1", NeverAnswers()))  # its neighbours are what they were


def test_an_item_that_lost_all_its_files_is_a_failed_conversation(data: Path) -> None:
    (data / "turns/2").mkdir()
    assert "has no annotation" in failure(data, "turns-2")


def test_an_overlap_without_its_clean_sound_is_one_failure(data: Path) -> None:
    (data / "user_backchannel/1/clean_input.wav").unlink()
    assert "there is no file" in failure(data, "user_backchannel-1-clean")
    assert "fdb15_backchannel_response" not in numbers(call(data, "user_backchannel-1", NeverAnswers()))


def test_a_clip_that_nobody_judged_fails_where_others_were(data: Path) -> None:
    made.backchannel(data / "listening/2", distribution=False)
    assert "has no list of weights for '2'" in failure(data, "listening-2")


def test_a_folder_that_tells_no_overlap_wants_to_be_told(tmp_path: Path) -> None:
    made.overlap(tmp_path / "mine/1")
    assert "give user.overlap, one of interruption, backchannel" in failure(tmp_path, "mine-1")
    cast = FullDuplexBench(str(tmp_path), overlap="side_talk")
    assert cast.content(cast.items["mine-1"]).speech.events[-1].kind == "side_talk"


@pytest.mark.parametrize("path", ["", "gone"])
def test_a_folder_without_an_item_is_one_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="holds no item of Full-Duplex-Bench: a folder for each|there is no folder"):
        FullDuplexBench(str(tmp_path / path))


def test_items_of_the_same_name_are_an_error(tmp_path: Path) -> None:
    made.turn_taking(tmp_path / "a/b-c")
    made.turn_taking(tmp_path / "a-b/c")
    with pytest.raises(ValueError, match="two items that would be called a-b-c"):
        FullDuplexBench(str(tmp_path))


def test_an_unknown_overlap_is_an_error(data: Path) -> None:
    with pytest.raises(ValueError, match="user.overlap is one of interruption, backchannel, side_talk, background_talk"):
        FullDuplexBench(str(data), overlap="noise")


def test_a_changed_file_is_another_data_set(data: Path) -> None:
    before = FullDuplexBench(str(data)).digest()
    (data / "turns/1/output.json").write_text("{}")  # nothing that is played
    assert FullDuplexBench(str(data)).digest() == before
    made.annotated(data / "turns/1", "turn_taking.json", [{"timestamp": [4.4, 4.9]}])
    assert FullDuplexBench(str(data)).digest() != before


def test_a_bench_takes_it_for_a_cast(data: Path) -> None:
    config = OmegaConf.merge(OmegaConf.load("configs/user/full_duplex_bench.yaml"), {"path": str(data)})
    assert isinstance(cast_of(config), FullDuplexBench)  # type: ignore[arg-type]  # a DictConfig


@pytest.mark.parametrize("delay", [0.1, 0.24, 0.77, 2.0])
def test_a_responder_has_its_delay_by_both_rules(data: Path, delay: float) -> None:
    recording = call(data, "turns-1", Responder(delay))
    found = numbers(recording)
    assert found["fdb1_latency"] == pytest.approx(delay, abs=HOP)
    assert (found["fdb1_turn_tor"], found["fdb1_clamped_share"]) == (1.0, 0.0)
    assert found["fdb1_partner_latency"] == 0.4
    assert [one.value for one in switch_latency(timeline(recording))] == pytest.approx([delay], abs=HOP)


def test_three_seconds_early_is_nothing_by_their_rule_and_minus_three_by_ours(data: Path) -> None:
    recording = call(data, "turns-1", Interrupter(after=1.0, seconds=4.0))
    found = numbers(recording)
    assert (found["fdb1_latency"], found["fdb1_clamped_share"], found["fdb1_turn_tor"]) == (0.0, 1.0, 1.0)
    assert [one.value for one in switch_latency(timeline(recording))] == pytest.approx([-3.0], abs=HOP)


def test_who_talks_through_an_interruption_answers_at_once_by_their_rule_and_never_yields_by_ours(data: Path) -> None:
    recording = call(data, "interruptions-1", NeverYields(seconds=9.0))
    found, heard = numbers(recording), timeline(recording)
    assert (found["fdb1_interruption_tor"], found["fdb1_interruption_latency"]) == (1.0, 0.0)
    assert found["fdb1_talked_through_share"] == 1.0
    assert [one.value for one in yield_rate(heard)] == [0.0, 0.0, 0.0]
    assert [one.censored for one in stop_latency(heard)] == [True]


@pytest.mark.parametrize(("agent", "taken"), [
    (NeverAnswers(), 0.0), (Interrupter(after=1.2), 1.0), (Responder(0.4, 1.0), 1.0), (Responder(1.0, 1.0, pause=0.9), 0.0)])
def test_taking_a_pause_for_the_end_is_a_take_over(data: Path, agent: Participant, taken: float) -> None:
    assert numbers(call(data, "pauses-1", agent)) == {"fdb1_pause_tor": taken}


def test_a_backchanneller_is_counted_by_the_second(data: Path) -> None:
    """Every 2.0 s from 0.5 s on until the turn's end: 9 in 20 s, of which none is longer than 1 s."""
    found = numbers(call(data, "listening-1", Backchanneller(every=2.0, seconds=0.4, delay=0.8)))
    assert found["fdb1_backchannel_freq"] == pytest.approx(9 / 20)
    assert found["fdb1_backchannel_tor"] == 0.0
    assert 0.0 < found["fdb1_backchannel_jsd"] < 0.8326


def test_a_short_answer_to_a_whole_clip_is_no_take_over(data: Path) -> None:
    found = numbers(call(data, "listening-1", Responder(0.2, 0.25, pause=0.1)))
    assert (found["fdb1_backchannel_tor"], found["fdb1_backchannel_freq"]) == (0.0, 1 / 20)


def test_silence_is_perfect_in_a_pause_and_nothing_elsewhere(data: Path) -> None:
    found = {name: value for scenario in ("turns-1", "pauses-1", "interruptions-1", "listening-1")
             for name, value in numbers(call(data, scenario, NeverAnswers())).items()}
    assert found == {"fdb1_turn_tor": 0.0, "fdb1_pause_tor": 0.0, "fdb1_interruption_tor": 0.0, "fdb1_backchannel_tor": 0.0,
                     "fdb1_backchannel_freq": 0.0, "fdb1_backchannel_jsd": 1.0, "fdb1_backchannel_jsd_chance": 1.0,
                     "fdb1_partner_latency": 0.4}


@pytest.mark.parametrize(("agent", "stop"), [(NeverYields(seconds=6.0), 0.3), (Responder(0.5, 2.1), 0.1)])
def test_an_overlap_has_its_own_times(data: Path, agent: Participant, stop: float) -> None:
    """Who speaks from 2.0 to 4.1 s "stops" 0.1 s into a backchannel at 4.0 s."""
    found = numbers(call(data, "user_backchannel-1", agent))
    assert found["fdb15_backchannel_stop"] == pytest.approx(stop, abs=HOP)


@pytest.mark.slow
def test_a_table_of_a_data_set_is_what_one_computes_by_hand(data: Path, tmp_path: Path) -> None:
    """Three turns, one of them broken; a responder after 0.4 s against who begins 3 s early."""
    made.turn_taking(data / "turns/2")
    made.turn_taking(data / "turns/3")
    (data / "turns/3/turn_taking.json").unlink()
    done = program("eval.bench", "agent=responder", "agent.delay=0.4", "agent@baseline=interrupter", "baseline.after=1.0",
                   "baseline.seconds=4.0", "user=full_duplex_bench", f"user.path={data}/turns", "~clocks.cloud_typical",
                   "~clocks.measured", f"hydra.run.dir={tmp_path}/run", "report=false")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "run/table.csv").set_index("metric")
    for metric, agent, baseline in (("fdb1_latency", 0.4, 0.0), ("switch_latency", 0.4, -3.0), ("fdb1_clamped_share", 0.0, 1.0),
                                    ("fdb1_turn_tor", 1.0, 1.0), ("fdb1_partner_latency", 0.4, 0.4)):
        row = table.loc[metric]
        assert (row["agent"], row["baseline"]) == (pytest.approx(agent, abs=HOP), pytest.approx(baseline, abs=HOP)), metric
        assert row["agent_n"] == 2
    assert (table["agent_conversations"].iloc[0], table["agent_failed"].iloc[0]) == (3, 1)
    assert "failed conversations/ideal/responder/3-0: ValueError: " in done.stdout
    log = json.loads((tmp_path / "run/conversations/ideal/responder/3-0/log.json").read_text())
    assert "has no annotation" in log["failure"]


@pytest.mark.slow
def test_a_bench_of_nothing_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = program("eval.bench", "user=full_duplex_bench", f"user.path={tmp_path}/empty", f"hydra.run.dir={tmp_path}/run")
    assert "holds no item of Full-Duplex-Bench" in complaint(done)
