"""The contract of `duplex.conversation.Participant`, for everybody who takes part in a conversation.

To add yours, write one line in PARTICIPANTS (or in PERTURBATIONS, if it goes around an agent): its name and a
constructor without arguments.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Final, Literal

import exact
import numpy as np
import pytest
from says import bursts
from tiny_checkpoint import make

from duplex.agents import scripted, simple
from duplex.agents.end_to_end import EndToEnd
from duplex.agents.moshi import Moshi
from duplex.agents.personaplex import PersonaPlex, known_voice
from duplex.conversation import Participant, Prompt, converse, facts_of, leave
from duplex.frame import FRAME_SAMPLES, SILENCE, Event, Frame, Word, checked, frozen
from duplex.latency import Ideal
from duplex.perturbations import Babble, Delay, Noise, SelfEcho, TelephoneLine, clean
from duplex.recording import FULL_SCALE, Recording, save
from duplex.replay import Replay
from duplex.speech import Speech, frames
from duplex.speech_lm.serving import Deployment, Served, loaded
from duplex.stages.end_to_end.composed import Composed
from duplex.stages.hearing.language_model import LanguageModel, language_model
from duplex.stages.hearing.stt import Oracle, Sphinx
from duplex.stages.hearing.vad import EnergyVad, SileroVad, SpeechDetector
from duplex.stages.language.domain import domain
from duplex.stages.language.manager import Manager
from duplex.stages.turns.endpoint import Completion, Silence, TwoStage
from duplex.talk import HangUp
from duplex.wav import write_pcm16
from duplex.workers import Charged
from eval.callers.caller import Caller
from eval.callers.scenario import Line, Scenario


@cache
def sound_file() -> Path:
    path = Path(tempfile.mkdtemp()) / "caller.wav"
    write_pcm16(path, np.rint(bursts((0.1, 1.0), (1.7, 2.2)) * FULL_SCALE).astype(np.int16)[None])
    return path


@cache
def recorded() -> Path:
    folder = Path(tempfile.mkdtemp())
    save(Recording(np.stack([bursts((0.1, 1.92)), bursts((0.5, 1.92))]), words=((Word("yes", 0.16, 0.4),), ()),
                   events=((Event("turn", 0.1, 1.9),), ())), folder)
    return folder


PERTURBATIONS: Final[dict[str, Callable[[Participant], Participant]]] = {
    "clean": clean,
    "self echo": SelfEcho,
    "white noise": Noise,
    "pink noise": partial(Noise, colour="pink"),
    "babble": partial(Babble, num_talkers=2),
    "recorded babble": lambda agent: Babble(agent, num_talkers=2, folder=sound_file().parent),
    "delay": partial(Delay, seconds=0.123),
    "telephone": TelephoneLine,
    "A-law telephone": partial(TelephoneLine, law="a"),
    "telephone in noise with delay": lambda agent: Delay(Noise(TelephoneLine(agent))),
}

@cache
def model() -> LanguageModel:
    return language_model(domain("optician").sentences())


def real_cascade() -> Participant:
    """What `agent=cascade` is, on the ideal clock."""
    return exact.cascade(vad=SileroVad(), recogniser=Sphinx(domain("optician").sentences()),
                         endpointing=TwoStage(model()))


def real_incremental() -> Participant:
    return exact.incremental(vad=SileroVad(), recogniser=Sphinx(domain("optician").sentences()),
                             completion=Completion(model()))


def end_to_end() -> Participant:
    composed = Composed(Oracle(0.2), Manager(), exact.Voice())
    return EndToEnd(EnergyVad(), SpeechDetector(start_windows=2), Silence(0.5), composed, Charged(Ideal()))


def livekit() -> Participant:
    pytest.importorskip("livekit.agents")
    from livekit_sessions import agent
    return agent()


def pipecat() -> Participant:
    pytest.importorskip("pipecat")
    from pipecat_bots import agent
    return agent(recogniser=Oracle(0.2))


def caller() -> Participant:
    line = partial(Line, cue="at", act="turn")
    return Caller(Scenario("call", "smooth", "optician", (line("is there parking", seconds=0.5),
                                                          line("thanks goodbye", seconds=4.5))), exact.Voice())


@cache
def checkpoint(family: str) -> Path:
    return make(family, Path(tempfile.mkdtemp()))


def speech_model(family: Literal["moshi", "personaplex"]) -> Served:
    """A tiny model of its own."""
    return loaded(Deployment(family, path=str(checkpoint(family)), dtype="float32", device="cpu"))


def personaplex() -> Participant:
    its = speech_model("personaplex")
    return PersonaPlex(its, voice=known_voice(its, "NATF0", consent=False))


PARTICIPANTS: Final[dict[str, Callable[[], Participant]]] = {
    "echo": simple.Echo,
    "slow echo": partial(simple.Echo, 0.777),
    "responder": simple.Responder,
    "interrupter": simple.Interrupter,
    "backchanneller": partial(simple.Backchanneller, every=0.5),
    "never yields": simple.NeverYields,
    "yields": simple.Yields,
    "never answers": simple.NeverAnswers,
    "late": simple.Late,
    "scripted": partial(scripted.Scripted, [scripted.Line(0.5, [(0.0, 1.0)], [Word("hello", 0.0, 0.5)], if_heard=0.2)]),
    "cascade": lambda: exact.cascade(recogniser=Oracle(0.2)),
    "incremental": lambda: exact.incremental(recogniser=Oracle(0.2)),
    "end to end": end_to_end,
    "livekit": livekit,
    "pipecat": pipecat,
    "cascade with real parts": real_cascade,
    "incremental with real parts": real_incremental,
    "moshi": lambda: Moshi(speech_model("moshi")),
    "personaplex": personaplex,
    "caller": caller,
    "replayed file": lambda: Replay(sound_file(), tail=20.0),
    "replayed recording": lambda: Replay(recorded(), tail=20.0),
    **{f"{name} around echo": partial(lambda around: around(simple.Echo()), around)
       for name, around in PERTURBATIONS.items()},
    **{f"{name} around responder": partial(lambda around: around(simple.Responder()), around)
       for name, around in PERTURBATIONS.items()},
}

each_participant = pytest.mark.parametrize("make", PARTICIPANTS.values(), ids=PARTICIPANTS.keys())
each_perturbation = pytest.mark.parametrize("around", PERTURBATIONS.values(), ids=PERTURBATIONS.keys())

CALLER: Final = tuple(frames(Speech(
    bursts((0.1, 2.0), (3.0, 3.5), (4.5, 5.6)), (Word("hello", 0.1, 0.6), Word("there", 0.7, 1.0)),
    (Event("turn", 0.1, 2.0),))))
OTHER_CALLER: Final = tuple(frames(Speech(bursts((0.5, 0.7), (1.5, 5.6), level=0.3))))


def said(participant: Participant, heard: Sequence[Frame]) -> list[Frame | None]:
    """What it says to `heard`, from the first frame of a conversation."""
    return [participant.step(frame) for frame in (SILENCE, *heard)]


def same(one: Sequence[Frame | None], other: Sequence[Frame | None]) -> bool:
    return all(
        a is b is None or (a is not None and b is not None and np.array_equal(a.samples, b.samples)
                           and a.words == b.words and a.events == b.events)
        for a, b in zip(one, other, strict=True))


def fresh(make: Callable[[], Participant], seed: int = 5) -> Participant:
    participant = make()
    called.append(participant)
    participant.reset(Prompt(), seed)
    return participant


called: Final[list[Participant]] = []


@pytest.fixture(autouse=True)
def everybody_leaves() -> Iterator[None]:
    """Whoever was reset holds something perhaps: a slot, a loop."""
    yield
    while called:
        leave(called.pop())


@each_participant
def test_every_frame_is_a_frame(make: Callable[[], Participant]) -> None:
    for frame in said(fresh(make), CALLER):
        assert frame is not None
        checked(frame, "it")


@each_participant
def test_reset_forgets(make: Callable[[], Participant]) -> None:
    participant = fresh(make, seed=1)
    said(participant, OTHER_CALLER[:40])
    participant.reset(Prompt(), 5)
    assert same(said(participant, CALLER), said(fresh(make), CALLER))


@each_participant
def test_instances_share_nothing(make: Callable[[], Participant]) -> None:
    one, other = fresh(make), fresh(make, seed=9)
    together = []
    for frame, other_frame in zip((SILENCE, *CALLER), (SILENCE, *OTHER_CALLER)):
        together.append(one.step(frame))
        other.step(other_frame)
    assert same(together, said(fresh(make), CALLER))


@each_participant
def test_what_is_heard_is_not_changed(make: Callable[[], Participant]) -> None:
    participant = fresh(make)
    for frame in CALLER:  # they are read-only, so an attempt raises; a copy catches those who lift that
        before = frame.samples.copy()
        participant.step(frame)
        assert not frame.samples.flags.writeable
        np.testing.assert_array_equal(frame.samples, before)


@each_participant
def test_what_was_said_does_not_change_later(make: Callable[[], Participant]) -> None:
    participant, kept = fresh(make), []
    for frame in CALLER:
        answer = participant.step(frame)
        assert answer is not None
        kept.append((answer.samples, answer.samples.copy()))
    assert all(np.array_equal(now, then) for now, then in kept)


@each_participant
@pytest.mark.parametrize("sound", ["full-scale noise", "full-scale square", "silence", "click"])
def test_extreme_sound_is_survived(make: Callable[[], Participant], sound: str) -> None:
    samples = {
        "full-scale noise": np.sign(np.random.default_rng(0).standard_normal(FRAME_SAMPLES)),
        "full-scale square": np.where(np.arange(FRAME_SAMPLES) % 240 < 120, 1.0, -1.0),
        "silence": np.zeros(FRAME_SAMPLES),
        "click": np.eye(1, FRAME_SAMPLES, 700)[0],
    }[sound].astype(np.float32)
    for frame in said(fresh(make), [Frame(frozen(samples))] * 20 + [SILENCE] * 20):
        assert frame is not None
        checked(frame, "it")


class HangsUp:
    """Says three frames of a constant and hangs up."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.frames_left = 3

    def step(self, heard: Frame) -> Frame | None:
        self.frames_left -= 1
        return None if self.frames_left < 0 else Frame(frozen(np.full(FRAME_SAMPLES, 0.1, np.float32)))


@each_perturbation
def test_hanging_up_passes_through(around: Callable[[Participant], Participant]) -> None:
    answers = said(fresh(lambda: around(HangsUp())), [SILENCE] * 9)
    hung_up = next(index for index, answer in enumerate(answers) if answer is None)
    assert 3 <= hung_up <= 5  # 5: two frames of delay in which the last words are still on the line


@each_perturbation
def test_words_and_events_pass_through(around: Callable[[Participant], Participant]) -> None:
    heard = [frame for frame in said(fresh(lambda: around(simple.Echo())), CALLER) if frame is not None]
    assert [word.text for frame in heard for word in frame.words] == ["hello", "there"]
    assert [event.kind for frame in heard for event in frame.events] == ["turn"]


class Model(HangsUp):
    """Holds a slot for as long as it is called, knows what its steps cost, and says what it is."""

    facts = {"licence": "CC-BY 4.0"}
    left = 0

    def step(self, heard: Frame) -> Frame | None:
        said = super().step(heard)
        return None if said is None else replace(said, seconds=0.1 * (self.frames_left + 1))

    def leave(self) -> None:
        self.left += 1


@each_perturbation
def test_what_a_model_needs_passes_through(around: Callable[[Participant], Participant]) -> None:
    model = Model()
    recording = converse(Replay(sound_file(), tail=20.0), around(model))
    assert model.left == 1
    assert facts_of(around(model)) == recording.facts["agent"] == Model.facts
    assert recording.step_seconds[:3] == pytest.approx([0.3, 0.2, 0.1])


def test_a_user_who_can_be_hung_up_on_leaves_too() -> None:
    user = Model()
    converse(HangUp(user), simple.Echo())
    assert user.left == 1


@pytest.mark.parametrize("make", [lambda: Replay(sound_file(), tail=0.5), lambda: Replay(recorded(), tail=0.5)])
def test_a_replay_hangs_up_and_stays_away(make: Callable[[], Participant]) -> None:
    answers = said(fresh(make), CALLER)
    hung_up = answers.index(None)
    assert hung_up > 20 and answers[hung_up:] == [None] * (len(answers) - hung_up)
