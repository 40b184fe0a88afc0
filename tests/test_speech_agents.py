"""Moshi and PersonaPlex as participants, on tiny checkpoints with the files of the real ones."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("moshi")

from piped import program  # noqa: E402  # after the skip
from says import Says, bursts  # noqa: E402
from talking import DRAWN, LOST, alone, tokens  # noqa: E402

from duplex.agents.moshi import Moshi, moshi, warn_of_prompt  # noqa: E402
from duplex.agents.personaplex import PersonaPlex, personaplex  # noqa: E402
from duplex.conversation import ConversationFailed, Prompt, converse  # noqa: E402
from duplex.frame import FRAME_SAMPLES, SILENCE, Frame, frozen  # noqa: E402
from duplex.recording import AGENT, USER, load  # noqa: E402
from duplex.speech_lm.engine import Input  # noqa: E402
from duplex.speech_lm.serving import SERVED  # noqa: E402

Tiny = Callable[[str], Path]
ROLE = Prompt("you work for an optician")
SETTINGS = {"temperature": DRAWN.temperature, "top_k": DRAWN.top_k, "text_temperature": DRAWN.text_temperature,
            "text_top_k": DRAWN.text_top_k}


@pytest.fixture(autouse=True)
def loaded_anew() -> None:
    SERVED.clear()


def hears(num_frames: int, seed: int = 0) -> list[Frame]:
    random = np.random.default_rng(seed)
    return [Frame(frozen(random.uniform(-0.2, 0.2, FRAME_SAMPLES).astype(np.float32))) for _ in range(num_frames)]


def said(agent: Moshi, prompt: Prompt, heard: list[Frame], seed: int = 3) -> np.ndarray:
    agent.reset(prompt, seed)
    samples = [agent.step(frame).samples for frame in (SILENCE, *heard)]
    agent.leave()
    return np.concatenate(samples)


def test_the_silence_before_the_call_is_the_lost_frame(tiny: Tiny) -> None:
    agent = moshi(path=str(tiny("moshi")), **SETTINGS)
    user = bursts((0.0, 0.8))
    recording = converse(Says(user), agent, max_seconds=1.2, seed=3)
    heard = [Input(samples=frame) for frame in recording.audio[USER].reshape(-1, FRAME_SAMPLES)[:-1]]
    engine = agent.served.slots.engine
    expected = alone(engine, [LOST, *heard], 3, DRAWN)  # every frame of the user, from the first one on
    assert not recording.audio[AGENT, :FRAME_SAMPLES].any()
    sound = np.concatenate([one.samples for one in expected])
    np.testing.assert_allclose(recording.audio[AGENT], sound.clip(-1.0, 1.0), atol=1e-4)
    written = [event.detail["token"] for event in recording.events[AGENT] if event.kind == "text_token"]
    assert written == [one.text for one in expected if one.text >= 0 and one.text != 3]
    assert len(set(tokens(expected))) > 10


def test_results_say_which_weights_spoke_and_on_what_terms(tiny: Tiny) -> None:
    one, other = moshi(path=str(tiny("moshi"))), personaplex(path=str(tiny("personaplex")), voice="NATF0")
    assert one.facts["licence"] == "cc-by-4.0" and "nvidia-open-model-license" in other.facts["licence"]
    assert other.facts["voice"]["name"] == "NATF0" and len(other.facts["voice"]["digest"]) == 64


def test_moshi_says_once_that_it_plays_no_role(tiny: Tiny, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_prompt.cache_clear()
    agent = moshi(path=str(tiny("moshi")))
    with caplog.at_level(logging.WARNING, "duplex"):
        for seed in range(2):
            agent.reset(ROLE, seed)
    agent.leave()
    assert [record.message for record in caplog.records if "prompt" in record.message] == [
        "Moshi takes no prompt and plays no role; agent=personaplex does"]


def test_the_same_settings_share_a_model(tiny: Tiny) -> None:
    path = str(tiny("moshi"))
    one, same, other = moshi(path=path, slots=2), moshi(path=path, slots=2, temperature=0.5), moshi(path=path, slots=3)
    assert one.served is same.served is not other.served


def test_a_role_and_a_voice_change_what_is_said(tiny: Tiny) -> None:
    path = str(tiny("personaplex"))
    with_voices = [personaplex(path=path, voice=voice, **SETTINGS) for voice in ("NATF0", "NATM0", None)]
    heard = hears(6)
    variants = [said(agent, prompt, heard) for agent in with_voices for prompt in (Prompt(), ROLE)]
    assert len({samples.tobytes() for samples in variants}) == len(variants)
    np.testing.assert_array_equal(said(with_voices[0], ROLE, heard), variants[1])


def test_a_prompt_is_heard_once(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = personaplex(path=str(tiny("personaplex")), voice="NATF0")
    engine, calls = agent.served.slots.engine, []
    prefill = engine.prefill
    monkeypatch.setattr(engine, "prefill", lambda *arguments: calls.append(1) or prefill(*arguments))
    for prompt in (ROLE, ROLE, Prompt("you are a friendly teacher"), ROLE):
        agent.reset(prompt, 0)
    agent.leave()
    assert len(calls) == 2


def test_a_prompt_frame_by_frame_is_the_same(tiny: Tiny, tmp_path: Path) -> None:
    from duplex.sound_file import read_sound
    from duplex.wav import write_pcm16
    path = tmp_path / "speaker.wav"
    random = np.random.default_rng(0)
    write_pcm16(path, (random.standard_normal(24_000) * 3_000).astype(np.int16)[None])
    assert len(read_sound(path)) == 24_000
    heard, settings = hears(8), {"path": str(tiny("personaplex")), "voice": str(path), "consent": True, **SETTINGS}
    at_once = said(personaplex(**settings), ROLE, heard)
    stepwise = said(personaplex(**settings, prompting="stepwise"), ROLE, heard)
    np.testing.assert_allclose(at_once, stepwise, atol=1e-5)
    assert at_once[FRAME_SAMPLES:].any()


def test_a_call_goes_on_with_and_without_an_interruption(tiny: Tiny) -> None:
    agent = personaplex(path=str(tiny("personaplex")), voice="NATM0", **SETTINGS)
    before, quiet, loud = hears(6), [SILENCE] * 8, hears(8, seed=9)
    expected = said(agent, ROLE, [*before, *quiet])
    agent.reset(ROLE, 3)
    start = [agent.step(frame).samples for frame in (SILENCE, *before)]
    moment = agent.snapshot()
    futures = []
    for heard in (loud, quiet, loud):
        agent.resume(moment)
        futures.append(np.concatenate([*start, *(agent.step(frame).samples for frame in heard)]))
    agent.leave()
    np.testing.assert_allclose(futures[1], expected, atol=1e-5)
    np.testing.assert_allclose(futures[0], futures[2], atol=1e-5)
    assert not np.allclose(futures[0], futures[1], atol=1e-3)


@pytest.mark.parametrize("settings, message", [
    ({"voice": "BOB"}, "there is no voice 'BOB'; there are NATF0, NATM0"),
    ({"voice": "../NATF0"}, "there is no voice '../NATF0'"),
    ({"voice": "me.wav"}, "needs its speaker's consent"),
    ({"voice": "NATF0", "prompting": "stepwise"}, "cannot be heard frame by frame; agent.prompting=prefill hears it"),
    ({"top_k": 1000}, "top_k is 1 to 250, not 1000"),
    ({"slots": 0}, "slots"),
])
def test_a_wrong_setting_is_named(tiny: Tiny, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        personaplex(path=str(tiny("personaplex")), **settings)  # type: ignore[arg-type]  # wrong on purpose


def test_a_role_over_the_budget_fails_its_conversation_and_frees_the_slot(tiny: Tiny) -> None:
    agent = personaplex(path=str(tiny("personaplex")), max_role_tokens=20)
    with pytest.raises(ValueError, match="the role has .* tokens with its tags, at most 20 fit"):
        agent.reset(Prompt("you work for an optician and you answer all the questions about orders"), 0)
    assert isinstance(agent, PersonaPlex) and len(said(agent, Prompt("hi"), hears(2)))


def test_a_prompt_that_breaks_off_frame_by_frame_frees_the_slot(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = personaplex(path=str(tiny("personaplex")), prompting="stepwise")
    with monkeypatch.context() as patch, pytest.raises(ConversationFailed, match="out of memory"):
        patch.setattr(agent.served.slots.engine, "say", out_of_memory)
        converse(Says(bursts((0.0, 0.4))), agent, max_seconds=0.4)
    assert not agent.served.slots.seats


def out_of_memory(*_: object) -> None:
    raise RuntimeError("out of memory")


BENCH = ("agent=moshi", "agent@baseline=responder", "~clocks.cloud_typical", "~clocks.measured", "max_seconds=2.4",
         "agent.slots=2", "scenarios.only=[hours-then-parking,price-then-payment]")


@pytest.mark.slow
def test_a_bench_holds_many_conversations_at_a_time_and_goes_on(tiny: Tiny, tmp_path: Path) -> None:
    command = ("eval.bench", *BENCH, f"agent.path={tiny('moshi')}", f"hydra.run.dir={tmp_path}")
    done = program(*command)
    assert done.returncode == 0, done.stderr
    assert "context of 512 frames (41 s) for 2 slots" in done.stderr
    folders = sorted(tmp_path.glob("conversations/ideal/moshi/*"))
    kept = [load(folder) for folder in folders]
    assert len(kept) == 2 and all(one.facts["agent"]["licence"] == "cc-by-4.0" and one.failure is None for one in kept)
    (folders[0] / "log.json").unlink()
    again = program(*command)
    assert "3 of them were there already" in again.stdout
    np.testing.assert_allclose(load(folders[0]).audio, kept[0].audio, atol=2e-4)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_one_line(tiny: Tiny, tmp_path: Path) -> None:
    for file in tiny("moshi").iterdir():
        data = file.read_bytes()
        (tmp_path / file.name).write_bytes(data[:len(data) // 2] if file.name == "model.safetensors" else data)
    done = program("eval.bench", *BENCH, f"agent.path={tmp_path}", f"hydra.run.dir={tmp_path}/run")
    plan, complaint = done.stderr.splitlines()
    assert done.returncode == 2 and "for 2 slots" in plan
    assert re.search(r"model.safetensors is cut short or damaged: 69\d+ of its 138\d+ bytes are missing", complaint)
