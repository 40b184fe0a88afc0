"""A voice behind an OpenAI-compatible interface, over real HTTP: it speaks, stops, and fails in every way a server can."""

import re
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

pytest.importorskip("openai")
pytest.importorskip("espeakng_loader")

from chat_server import Answer, ChatServer, Wire, chat_server, fails
from exact import Costs, after, call, cascade, events, heard_from_agent, spoken, user
from test_cascade import NEW_REQUEST, PARKING, PRICE, REQUEST

from duplex.agents.cascade import BargeIn
from duplex.conversation import ConversationFailed, converse
from duplex.frame import SAMPLE_RATE
from duplex.pace import RealTime
from duplex.recording import AGENT
from duplex.speech import Speech
from duplex.stages.speaking.letters import LETTERS_PER_SECOND, LetterTimes
from duplex.stages.speaking.openai_speech import OpenAISpeech, VoiceFailed
from duplex.stages.speaking.pieces import joined
from duplex.workers import Charged, Threaded

PCM = "audio/pcm"
CHUNK = 3000  # bytes at a time: no whole number of pieces


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    patience = time.monotonic() + 5.0
    while (left := set(threading.enumerate()) - before) and time.monotonic() < patience:
        time.sleep(0.02)
    assert not left


def send(wire: Wire, sound: bytes) -> None:
    wire.handler.wfile.write(f"{len(sound):x}\r\n".encode() + sound + b"\r\n")
    wire.handler.wfile.flush()


def sends(sound: bytes, kind: str = PCM, wait: float = 0.0, whole: bool = True) -> Answer:
    """`sound` in chunks, `wait` seconds before each; the line is cut behind it unless it is `whole`."""
    def answer(wire: Wire) -> None:
        wire.head(kind=kind)
        for start in range(0, len(sound), CHUNK):
            time.sleep(wait)
            send(wire, sound[start: start + CHUNK])
        wire.end() if whole else wire.cut()
    return answer


def raw(speech: Speech) -> bytes:
    return (speech.samples * 32_768).astype("<i2").tobytes()


def noise(seconds: float) -> bytes:
    return np.random.default_rng(0).integers(-3000, 3000, round(seconds * SAMPLE_RATE)).astype("<i2").tobytes()


class Reads:
    """Answers each request with what was asked for, spoken by espeak."""

    def __init__(self, wait: float = 0.0):
        self.wait = wait
        self.server: ChatServer

    def __call__(self, wire: Wire) -> None:
        sends(raw(spoken(self.server.requests[-1]["input"])), wait=self.wait)(wire)


def voice(server: ChatServer, **settings: object) -> OpenAISpeech:
    return OpenAISpeech("tiny", "anna", server.url, **settings)  # type: ignore[arg-type]  # settings of several types


def said(*script: Answer, text: str = "hello there") -> list[Speech]:
    with chat_server(*script) as server:
        return list(voice(server).stream(text))


def complaint(*script: Answer, **settings: object) -> str:
    with chat_server(*script) as server, pytest.raises(VoiceFailed) as failed:
        voice(server, **settings).synthesise("hello there")
    return str(failed.value)


# What is asked, and what comes


def test_the_sound_is_what_the_server_sent_to_the_sample() -> None:
    sent = np.frombuffer(noise(1.0), "<i2") / np.float32(32_768)
    heard = joined(said(sends(noise(1.0)))).samples
    np.testing.assert_array_equal(heard[: len(sent)], sent)
    assert not heard[len(sent):].any() and len(heard) - len(sent) <= 240


def test_the_request_names_model_voice_and_format() -> None:
    with chat_server(sends(noise(0.5))) as server:
        voice(server, extra={"speed": 1.1}).synthesise("hello")
    assert server.requests == [{"model": "tiny", "voice": "anna", "input": "hello", "response_format": "pcm", "speed": 1.1}]


def test_the_key_comes_from_the_variable_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    with chat_server(sends(noise(0.5))) as server:
        voice(server, api_key_env="MY_KEY").synthesise("hello")
    assert server.keys == ["Bearer secret"]


def test_the_first_sound_is_there_before_the_last_one_was_sent() -> None:
    heard = threading.Event()

    def waits(wire: Wire) -> None:
        wire.head(kind=PCM)
        send(wire, noise(0.1))
        assert heard.wait(20.0)
        send(wire, noise(0.1))
        wire.end()

    with chat_server(waits) as server:
        stream = voice(server).stream("hello")
        assert next(stream).seconds == pytest.approx(0.1)
        heard.set()
        assert sum(piece.seconds for piece in stream) == pytest.approx(0.11)


def test_every_word_is_there_in_order_whatever_the_pace() -> None:
    for seconds in (0.3, 1.5, 6.0):
        speech = joined(said(sends(noise(seconds)), text="One, two: three four-five!"))
        assert [word.text for word in speech.words] == "one two three four five".split()
        assert all(0.0 <= word.start <= speech.seconds for word in speech.words)


def test_words_without_marks_begin_by_the_letters_before_them() -> None:
    times = LetterTimes("please hold on")
    (piece,) = [times.spoken(np.zeros(2 * SAMPLE_RATE, np.float32))]
    assert [word.start for word in piece.words] == pytest.approx([0.0, 6 / LETTERS_PER_SECOND, 10 / LETTERS_PER_SECOND])
    assert not times.rest().words


def test_a_text_without_a_word_is_refused() -> None:
    with chat_server() as server, pytest.raises(ValueError, match="nothing to say in '...'"):
        list(voice(server).stream("..."))
    assert not server.requests


# What goes wrong


WRONG: dict[str, tuple[Answer, str]] = {
    "refused": (fails(401, "bad key"), r"401, bad key \(export a valid key as OPENAI_API_KEY\)"),
    "no such voice": (fails(400, "no voice anna"), r"400, no voice anna \(has it such a voice"),
    "no such place": (fails(404, "not found"), r"404, not found \(is there such a model, does base_url end in /v1"),
    "busy": (fails(500, "out of memory"), r"500, out of memory \(the server failed; its log may say why\)"),
    "half a stream": (sends(noise(0.5), whole=False), "the stream broke off in mid-sentence"),
    "nothing": (sends(b""), "an empty answer; has it such a voice"),
    "odd bytes": (sends(noise(0.5) + b"x"), "24001 bytes are no samples of 16 bit; does it serve response_format=pcm"),
    "a page": (sends(b"<html>hello</html>", "text/html; charset=utf-8"), "it sent text/html, not raw sound"),
    "json": (sends(b'{"audio": ""}', "application/json"), "it sent application/json, not raw sound"),
    "a page that does not say so": (sends(b"<!DOCTYPE html>", "application/octet-stream"), "this is no raw sound"),
    "a wave file": (sends(b"RIFF\0\0\0\0WAVE" + noise(0.2)), r"this is no raw sound, it begins with b'RIFF"),
    "another rate": (sends(noise(0.5), "audio/L16; rate=16000"), "its sound has 16000 samples a second, not 24000"),
}


@pytest.mark.parametrize("what", WRONG)
def test_whatever_goes_wrong_is_one_line_that_says_what_would_be_right(what: str) -> None:
    script, message = WRONG[what]
    line = complaint(script)
    assert line.startswith("tiny, voice anna, at http://127.0.0.1:") and "\n" not in line
    assert re.search(message, line), line


def test_a_server_that_is_not_there_is_said_to_be_not_there() -> None:
    with chat_server() as server:
        gone = voice(server)
    with pytest.raises(VoiceFailed, match="can not be reached .*does a server run there"):
        gone.synthesise("hello")


def silent(after: bytes = b"") -> Callable[[Wire], None]:
    def answer(wire: Wire) -> None:
        if after:
            wire.head(kind=PCM)
            send(wire, after)
        time.sleep(1.0)
    return answer


@pytest.mark.parametrize("sent", [b"", noise(0.2)], ids=["at first", "in mid-sentence"])
def test_a_silent_server_is_waited_for_no_longer_than_was_said(sent: bytes) -> None:
    began = time.monotonic()
    assert "silent for 0.2 s; raise first_sound_seconds" in complaint(silent(sent), first_sound_seconds=0.2)
    assert time.monotonic() - began < 5.0


def test_a_slow_voice_ends_after_the_time_for_the_whole() -> None:
    assert "no end after 0.3 s; raise total_seconds" in complaint(sends(noise(5.0), wait=0.05), total_seconds=0.3)


def test_a_stream_that_waits_to_be_said_is_not_a_slow_one() -> None:
    with chat_server(sends(noise(0.5))) as server:
        stream = voice(server, total_seconds=0.5).stream("hello")
        next(stream)
        time.sleep(0.7)
        assert sum(piece.seconds for piece in stream) > 0.3


# In an agent


def test_an_agent_speaks_with_it() -> None:
    reads = Reads()
    with chat_server(reads) as reads.server:
        recording = call(cascade(tts=voice(reads.server), prepare_after=None), (0.4, REQUEST), seconds=8.0)
    assert heard_from_agent(recording) == PRICE
    assert recording.facts["tally"]["agent"]["tts_characters"] == sum(len(one["input"]) for one in reads.server.requests)


@pytest.mark.parametrize("confirm", [True, False], ids=["held first", "dropped at once"])
def test_barge_in_in_mid_sentence_hangs_up_on_the_server_and_nothing_stale_is_said(confirm: bool) -> None:
    reads = Reads(wait=0.004)
    with chat_server(reads) as reads.server:
        agent = cascade(tts=voice(reads.server), prepare_after=None, barge_in=BargeIn(confirm=confirm),
                        worker=Charged(Costs(tts_piece=0.07)))
        recording = call(agent, (0.4, REQUEST), (3.0, NEW_REQUEST), seconds=12.0)
        assert reads.server.left.wait(3.0)
    assert events(recording, "barge_in")
    assert heard_from_agent(recording, after(3.0, NEW_REQUEST)) == PARKING


def test_a_call_whose_voice_breaks_off_is_a_failure_that_says_why() -> None:
    with chat_server(sends(noise(0.5), whole=False)) as server, pytest.raises(ConversationFailed) as failed:
        call(cascade(tts=voice(server), prepare_after=None, worker=Charged(Costs(tts_piece=0.05))), (0.4, REQUEST))
    assert str(failed.value).startswith("VoiceFailed: tiny, voice anna, at http://127.0.0.1:")
    assert failed.value.recording.audio[AGENT].any()


@pytest.mark.alone
def test_beside_a_live_call_it_says_the_same() -> None:
    reads, worker = Reads(wait=0.004), Threaded()
    with chat_server(reads) as reads.server:
        agent = cascade(tts=voice(reads.server), worker=worker)
        recording = converse(RealTime(user((0.4, REQUEST))), agent, max_seconds=9.0)
        worker.pool.shutdown(wait=True)
    assert heard_from_agent(recording) == PRICE
