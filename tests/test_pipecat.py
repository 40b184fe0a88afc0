"""A Pipecat pipeline as an agent, in virtual time: when it answers, how it is interrupted, what it logs."""

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pipecat")
pytest.importorskip("espeakng_loader")

import exact
from exact import CLOUD, after, events, heard_from_agent
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from pipecat.processors.frame_processor import FrameProcessor
from pipecat_bots import InParts, agent, echo, foreign, staged
from says import Says
from service import RECORDS

from duplex.agents.pipecat import Pipecat
from duplex.conversation import Prompt, converse
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE
from duplex.frameworks.clock import VirtualClock
from duplex.frameworks.pipecat_pipeline import Turns
from duplex.frameworks.pipecat_transport import FrameTransport
from duplex.latency import Ideal
from duplex.manifest import CHECKOUT
from duplex.recording import AGENT, Recording
from duplex.stages.hearing.stt import Oracle
from eval.callers.scenario import suite
from eval.scoring import Listening, scored
from eval.simulation import Conversation, Stage

call = partial(exact.call, seconds=8.0)
REQUEST = "how much is an eye test"
PRICE = "an eye test is thirty five dollars it is free if you buy glasses on the same day"
RETURNS = "how do returns work"
NEW_REQUEST, PARKING = "wait where can i park", "yes there is free parking behind the store for two hours"


def answered_at(recording: Recording) -> float:
    """When the agent's first sound is heard."""
    return float(np.flatnonzero(recording.audio[AGENT])[0]) / SAMPLE_RATE


def last_sound(recording: Recording) -> float:
    return float(np.flatnonzero(recording.audio[AGENT])[-1]) / SAMPLE_RATE


# Time


@pytest.mark.parametrize(("input_rate", "later"), [(24_000, 0), (16_000, FRAME_SAMPLES + 24)])
def test_a_pipeline_that_repeats_what_it_hears_is_an_echo_of_one_frame(input_rate: int, later: int) -> None:
    """Heard at 16 kHz it comes from Pipecat's resampler a frame later, and from ours 0.7 ms."""
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, 3_000).astype(np.float32)
    sound = np.concatenate([np.zeros(FRAME_SAMPLES * 5, np.float32), noise])
    recording = converse(Says(sound), Pipecat(echo, VirtualClock(Ideal()), input_rate), max_seconds=1.6)
    size = 2 * recording.audio.shape[1]
    user, said = (np.fft.rfft(channel, size) for channel in recording.audio)
    delay = int(np.argmax(np.fft.irfft(said * np.conj(user), size)[: size // 2]))
    assert 0 <= delay - FRAME_SAMPLES <= later


def test_its_answer_is_later_by_what_its_stages_cost() -> None:
    free = call(agent(), (0.4, REQUEST))
    costs = {"llm": 0.32, "tts": 0.16}
    dear = call(agent(costs=costs), (0.4, REQUEST))
    assert heard_from_agent(free) == heard_from_agent(dear) == PRICE
    assert answered_at(dear) - answered_at(free) == pytest.approx(0.48, abs=1e-6)


@pytest.mark.parametrize(("costs", "stop"), [({}, 0.3), (CLOUD, 0.8), (CLOUD, "smart_turn"),
                                             ({**CLOUD, "stt_final": 0.7}, "smart_turn")], ids=str)
def test_the_parts_of_its_latency_add_up(costs: dict[str, float], stop: float | str) -> None:
    recording = call(agent(costs={**costs, "turn_detection": 0.07}, turns=Turns(stop=stop)), (0.4, REQUEST), seconds=4.0)
    (endpoint,), (answer,) = events(recording, "endpoint"), events(recording, "answer")
    parts = {name: float(answer.detail[name]) for name in ("transport", "stt_final", "llm", "tts", "frame")}
    assert endpoint.start + sum(parts.values()) == pytest.approx(answer.start, abs=1e-5)
    assert parts["llm"] == pytest.approx(costs.get("llm", 0.0), abs=1e-5)
    assert parts["tts"] == pytest.approx(costs.get("tts", 0.0), abs=1e-5)
    assert 0.0 <= parts["frame"] < FRAME_SECONDS + 1e-5
    assert answer.start + float(answer.detail["lead"]) == pytest.approx(answered_at(recording), abs=0.01)
    assert endpoint.detail["heard"] == answer.detail["heard"] == REQUEST


class Far(exact.Costs):
    """Of what each stage costs, 50 ms are spent on the way there and back."""

    def transport(self, stage: str, request: str) -> float:
        return 0.05


def test_what_is_spent_on_the_way_is_told_apart() -> None:
    near, far = (call(agent(VirtualClock(charges(**CLOUD)), turns=Turns(stop=0.8)), (0.4, REQUEST), seconds=4.0)
                 for charges in (exact.Costs, Far))
    (at_home,), (away,) = events(near, "answer"), events(far, "answer")
    assert away.start == at_home.start and away.detail["transport"] == pytest.approx(0.1)
    assert away.detail["llm"] == pytest.approx(float(at_home.detail["llm"]) - 0.05)


def test_waiting_for_the_last_words_is_the_recognisers_share() -> None:
    """Pipecat's strategy waits for them beside the silence: what goes beyond it is the recogniser's."""
    recording = call(agent(costs={"stt_final": 0.7}, turns=Turns(stop=0.3), ttfs_p99=2.0), (0.4, REQUEST), seconds=4.0)
    (endpoint,), (answer,) = events(recording, "endpoint"), events(recording, "answer")
    assert float(answer.detail["stt_final"]) == pytest.approx(0.7, abs=1e-5)
    assert float(endpoint.detail["silence"]) == pytest.approx(0.2, abs=1e-5)


def test_smart_turns_listening_is_charged() -> None:
    def answers(seconds: float) -> float:
        turns = Turns(stop="smart_turn")
        return answered_at(call(agent(costs={"turn_detection": seconds}, turns=turns), (0.4, REQUEST), seconds=4.0))

    assert answers(0.8) - answers(0.0) == pytest.approx(0.8, abs=1e-6)


def sound_of(recording: Recording) -> bytes:
    return recording.audio.tobytes() + repr((recording.words, recording.events)).encode()


CALLS = ((0.4, REQUEST), (3.6, NEW_REQUEST), (5.2, "how do returns work"))


def repeatable(seed: int = 3) -> Recording:
    from duplex.latency import Declared
    stages = {stage: {"p50": seconds, "p95": 2 * seconds} for stage, seconds in {**CLOUD, "turn_detection": 0.07}.items()}
    one = Pipecat(staged(turns=Turns(stop="smart_turn", longest_pause=0.8), recogniser=Oracle(0.1)),
                  VirtualClock(Declared("cloud", stages)))
    return call(one, *CALLS, seconds=9.0, seed=seed)


def test_the_same_call_again_is_the_same_recording() -> None:
    first = repeatable()
    assert sound_of(first) == sound_of(repeatable())
    assert sound_of(first) != sound_of(repeatable(seed=4))


@pytest.mark.slow
def test_it_is_the_same_in_another_process() -> None:
    program = ("from hashlib import sha256; from test_pipecat import repeatable, sound_of; "
               "print(sha256(sound_of(repeatable())).hexdigest())")
    told = set()
    for seed in ("1", "2"):
        told.add(subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parent, check=True, capture_output=True,
                                text=True, env={**os.environ, "PYTHONHASHSEED": seed,
                                                "PYTHONPATH": str(Path(__file__).parents[1])}).stdout)
    assert len(told) == 1


# Interruptions


def interrupted(later: float, costs: dict[str, float], request: str = REQUEST) -> tuple[Recording, float]:
    """A call in which another request begins `later` seconds after the answer to the first one, or would have."""
    begins = answered_at(call(agent(costs=costs), (0.4, request), seconds=5.0)) + later
    return call(agent(costs=costs), (0.4, request), (begins, NEW_REQUEST), seconds=begins + 7.0 + costs.get("tts", 0.0)), begins


@pytest.mark.parametrize(("later", "costs"), [
    (-1.5, {"llm": 2.0}), (-1.5, {"tts": 2.0}), (-0.1, CLOUD), (0.0, CLOUD), (0.3, CLOUD), (1.5, CLOUD), (2.9, CLOUD)],
    ids=["thinking", "being synthesised", "just before the first sound", "at the first sound", "hastily", "in the middle",
         "between the sentences"])
def test_who_speaks_over_it_is_answered_and_nothing_stale_is_said(later: float, costs: dict[str, float]) -> None:
    recording, begins = interrupted(later, costs)
    noticed = [event.start for event in events(recording, "user_speech") if event.start > begins][0]
    assert noticed - begins < 0.3
    stale = recording.audio[AGENT, round((noticed + FRAME_SECONDS) * SAMPLE_RATE):round((begins + 1.0) * SAMPLE_RATE)]
    assert not stale.any()
    answer = events(recording, "answer")[-1]
    assert answer.start > after(begins, NEW_REQUEST)
    assert heard_from_agent(recording, answer.start) == PARKING
    unheard = later < 0.8  # what was not answered in time is answered together with what comes
    assert answer.detail["heard"] == (f"{REQUEST} {NEW_REQUEST}" if unheard else NEW_REQUEST)


def test_who_speaks_in_its_last_frame_is_answered_alone() -> None:
    alone = call(agent(costs=CLOUD), (0.4, REQUEST), seconds=12.0)
    begins = last_sound(alone) - 0.06
    recording = call(agent(costs=CLOUD), (0.4, REQUEST), (begins, NEW_REQUEST), seconds=begins + 8.0)
    assert last_sound(recording) > begins + 1.0
    assert heard_from_agent(recording, begins + 0.5) == PARKING


def test_what_was_prevented_from_being_heard_never_happened() -> None:
    recording, _ = interrupted(0.3, CLOUD)
    assert [event.kind for event in events(recording, "barge_in", "retract")] == ["retract", "barge_in"]
    assert not events(interrupted(1.5, CLOUD)[0], "retract")


def test_it_goes_on_speaking_until_so_many_words_were_understood() -> None:
    def stops(min_words: int) -> float:
        one = agent(costs=CLOUD, turns=Turns(stop=0.4, min_words=min_words))
        recording = call(one, (0.4, RETURNS), (5.0, NEW_REQUEST))
        return events(recording, "barge_in")[0].start

    assert stops(1) < stops(3)


def test_its_context_keeps_only_what_was_spoken() -> None:
    kept: list[list[dict[str, str]]] = []

    pipeline = staged()

    def build(transport: FrameTransport, prompt: Prompt) -> Sequence[FrameProcessor]:
        made = pipeline(transport, prompt)
        kept.append(made[-1].context.get_messages())  # type: ignore[attr-defined]  # the assistant's aggregator has one
        return made

    one = Pipecat(build, VirtualClock(exact.Costs(**CLOUD)))
    call(one, (0.4, REQUEST), (4.0, NEW_REQUEST), seconds=12.0)
    roles = [message["role"] for message in kept[0]]
    assert roles == ["user", "assistant", "user", "assistant"]
    spoken = kept[0][1]["content"]
    assert "thirty" in spoken.lower() and "same day" not in spoken


# What is done by saying it


def test_tools_are_called_when_the_answer_is_said_and_not_before() -> None:
    caller = exact.user((0.4, "where is my order"), (5.0, "one two three four five"), (11.0, "yes"))
    recording = converse(caller, agent(costs={**CLOUD, "tts": 1.0}), prompt=Prompt("", RECORDS, "orders"), max_seconds=16.0)
    made = events(recording, "tool_call")
    assert made and all(any(event.start == answer.start for answer in events(recording, "answer")) for event in made)


def test_of_an_answer_in_parts_only_those_happen_that_were_begun_to_be_said() -> None:
    whole, cut = InParts(), InParts()
    recording = call(agent(costs=CLOUD, dialogue=whole), (0.4, REQUEST))
    assert heard_from_agent(recording) == PRICE and len(whole.kept) == 2
    (later,), (answer,) = events(recording, "later"), events(recording, "answer")
    second = next(word.start for word in recording.words[AGENT] if word.text == "it")
    assert answer.start < later.start <= second < later.start + 0.4
    call(agent(costs=CLOUD, dialogue=cut), (0.4, REQUEST), (3.4, NEW_REQUEST), seconds=8.0)
    assert cut.kept == [whole.kept[0], *cut.kept[1:]] and whole.kept[1] not in cut.kept


# Services of others


@pytest.mark.parametrize("tells_times", [False, True])
def test_a_synthesiser_of_others_is_heard_with_its_words(tells_times: bool) -> None:
    ours = call(agent(), (0.4, REQUEST))
    recording = call(Pipecat(partial(foreign, tells_times=tells_times), VirtualClock(Ideal())), (0.4, REQUEST))
    assert heard_from_agent(recording) == heard_from_agent(ours) == PRICE
    (answer,) = events(recording, "answer")
    assert answer.start + float(answer.detail["lead"]) == pytest.approx(answered_at(recording), abs=0.03)
    sentence = [word for word in recording.words[AGENT]][:7]
    wanted = [word.start for word in ours.words[AGENT]][:7]
    assert [word.start for word in sentence] == pytest.approx(wanted, abs=0.02 if tells_times else 0.25)


# Through the bench


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["pipecat", "pipecat_defaults"])
def test_through_the_bench_it_does_what_callers_want(tmp_path: Path, preset: str) -> None:
    pytest.importorskip("pocketsphinx")
    with initialize_config_dir(version_base=None, config_dir=str(CHECKOUT / "configs")):
        config = compose("bench", [f"agent={preset}", "scenarios=optician", "counterfactuals=false"])
    stage = Stage(OmegaConf.to_yaml(config), tmp_path)
    scenario = next(one for one in suite(list(config.scenarios.files)) if one.name == "order-status-shipped")
    played = stage.play(Conversation("agent", preset, "cloud_typical", scenario, 0))
    rows = scored(tmp_path, played.conversation.folder, Listening()).table.to_pylist()
    numbers = {row["metric"]: row["value"] for row in rows}
    assert numbers["task_success"] == 1.0
    assert [row["value"] for row in rows if row["metric"] == "part_unexplained"] == pytest.approx(
        [0.0] * sum(row["metric"] == "part_unexplained" for row in rows), abs=0.021)  # two edges on the grid of 10 ms
    assert "part_llm" in numbers and "recording_refused" not in [row["metric"] for row in rows if row["value"]]
