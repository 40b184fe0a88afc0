"""A text stream is read as words with exact times, whatever the bytes; one token a frame, on a real tokenizer."""

import io
from collections.abc import Sequence
from copy import deepcopy
from functools import cache

import pytest

from duplex.conversation import Prompt, converse
from duplex.frame import FRAME_BY_FRAME, SILENCE, Event, Frame, Word
from duplex.recording import AGENT
from duplex.speech_lm.text import Pieces, Transcriber
from duplex.watch import Watcher
from eval.report.conversation import Conversation, details

sentencepiece = pytest.importorskip("sentencepiece")

NONE, UNGENERATED = -1, -2
NAMED = {"E": 0, "<s>": 1, "</s>": 2, ".": 3}  # "." is PAD
CORPUS = ("hello there how are you", "do not worry you can pick it up tomorrow", "the glasses are twenty-five dollars")


@cache
def pieces() -> Pieces:
    """360 pieces, of which the first four are special and the next 256 bytes."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 20), model_writer=model, vocab_size=360, model_type="bpe", byte_fallback=True,
        unk_id=0, bos_id=1, eos_id=2, pad_id=3, hard_vocab_limit=False, minloglevel=2)
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def tokens(stream: str) -> list[int]:
    """The tokens of a drawing: a frame for each name, "_hello" for a piece, "C3" for a byte."""
    known = {pieces().id_to_piece(token).replace("\u2581", "_"): token for token in range(pieces().get_piece_size())}
    return [NAMED[name] if name in NAMED else known.get(name, known.get(f"<0x{name}>", -9)) for name in stream.split()]


def read(stream: str) -> tuple[list[tuple[int, Word]], list[tuple[int, Event]]]:
    """The words and the events of a drawing, each with the frame in which it was told."""
    transcriber, told, events = Transcriber(pieces()), [], []
    for frame, token in enumerate(tokens(stream)):
        assert token != -9, f"no piece {stream.split()[frame]}"
        words, written = transcriber.read(token, frame)
        told += [(frame, word) for word in words]
        events += [(frame, event) for event in written]
    told += [(frame + 1, word) for word in transcriber.flush(frame + 1)]
    return told, events


def words(stream: str) -> list[tuple[str, float, float]]:
    """Text, first frame, and the frame after the last, counted from the beginning."""
    return [(word.text, round(frame + word.start / 0.08, 6), round(frame + word.end / 0.08, 6))
            for frame, word in read(stream)[0]]


def texts(stream: str) -> list[str]:
    return [str(event.detail["text"]) for _, event in read(stream)[1]]


@pytest.mark.parametrize("stream, expected", [
    ("E _hello . .", [("hello", 1, 2)]),
    ("E _hello _there .", [("hello", 1, 2), ("there", 2, 3)]),
    (". E _t wenty . E _you", [("twenty", 2, 4), ("you", 6, 7)]),
    ("_hello E _there", [("hello", 0, 1), ("there", 2, 3)]),
    ("_hello </s> <s> _there", [("hello", 0, 1), ("there", 3, 4)]),
    ("_ h e . .", [("he", 0, 3)]),
    (". . .", []), ("E E E", []), ("_ . _ _", []),
])
def test_a_word_is_from_its_first_token_to_the_end_of_its_last(stream: str, expected: list[tuple[str, int, int]]) -> None:
    assert words(stream) == expected


def test_a_word_is_told_as_soon_as_it_is_known_to_be_over() -> None:
    assert read("E _t wenty . .")[0] == [(3, Word("twenty", pytest.approx(-0.16), 0.0))]
    assert read("_t wenty _you .")[0] == [(2, Word("twenty", pytest.approx(-0.16), 0.0)), (3, Word("you", -0.08, 0.0))]


@pytest.mark.parametrize("stream, expected", [
    ("_hello 2C . .", [("hello", 0, 2)]),
    ("_ 21 . _ 3F 21 .", []),  # "!" and "?!"
    ("_do n 27 t .", [("don't", 0, 4)]),
    ("_do n E2 80 99 t .", [("don't", 0, 6)]),  # a typesetter's apostrophe
    ("_t wenty - five .", [("twenty", 0, 2), ("five", 2, 4)]),  # as a caller would say it
    ("_ 48 e 4C l 4F .", [("hello", 0, 6)]),  # capitals
    ("_you 0A h e .", [("you", 0, 1), ("he", 1, 4)]),  # a new line
])
def test_a_word_is_as_it_is_spoken(stream: str, expected: list[tuple[str, int, int]]) -> None:
    assert words(stream) == expected


def test_accents_come_in_bytes() -> None:
    assert words("_c a f C3 A9 _you .") == [("café", 0, 5), ("you", 5, 6)]
    assert texts("_c a f C3 A9 .") == [" c", "a", "f", "", "é"]
    assert words("C3 89 t C3 A9 .") == [("été", 0, 5)], "also where no piece began the word"


def test_an_emoji_is_shown_and_not_spoken() -> None:
    assert texts("_hello _ F0 9F 99 82 .") == [" hello", " ", "", "", "", "🙂"]
    assert words("_hello _ F0 9F 99 82 .") == [("hello", 0, 1)]


@pytest.mark.parametrize("stream, expected, shown", [
    ("_c a f C3 t .", [("caf\ufffdt", 0, 5)], [" c", "a", "f", "", "\ufffdt"]),  # a letter where a byte was due
    ("_c a f C3 . t", [("caf\ufffd", 0, 4), ("t", 5, 6)], [" c", "a", "f", "", "t"]),  # nothing where a byte was due
    ("_c a f C3 _you", [("caf\ufffd", 0, 4), ("you", 4, 5)], [" c", "a", "f", "", "\ufffd you"]),
    ("_c A9 a .", [("c\ufffda", 0, 3)], [" c", "\ufffd", "a"]),  # the end of nothing
    ("_c C3 C3 A9 .", [("c\ufffdé", 0, 4)], [" c", "", "\ufffd", "é"]),
    ("_c F0 9F", [("c\ufffd", 0, 3)], [" c", "", ""]),  # cut off
])
def test_what_is_no_utf_8_is_a_replacement_character(
        stream: str, expected: list[tuple[str, int, int]], shown: list[str]) -> None:
    assert words(stream) == expected
    assert texts(stream) == shown


def test_every_token_but_pad_is_an_event_of_its_frame() -> None:
    told = [(frame, event.kind, event.start, dict(event.detail)) for frame, event in read("E _hello . C3 </s>")[1]]
    hello, half = tokens("_hello C3")
    assert told == [(0, "text_token", 0.0, {"token": 0, "text": ""}), (1, "text_token", 0.0, {"token": hello, "text": " hello"}),
                    (3, "text_token", 0.0, {"token": half, "text": ""}), (4, "text_token", 0.0, {"token": 2, "text": ""})]


@pytest.mark.parametrize("token", [NONE, UNGENERATED, 32_000, 1_000_000])
def test_a_number_that_is_no_piece_ends_a_word_and_shows_nothing(token: int) -> None:
    transcriber = Transcriber(pieces())
    transcriber.read(tokens("_hello")[0], 4)
    told, events = transcriber.read(token, 5)
    assert told == (Word("hello", -0.08, 0.0),)
    assert [event.detail["text"] for event in events] == ([] if token < 0 else [""])


def test_reset_forgets_and_a_copy_goes_on_alone() -> None:
    transcriber = Transcriber(pieces())
    for frame, token in enumerate(tokens("_c a f C3")):
        transcriber.read(token, frame)
    other = deepcopy(transcriber)
    transcriber.reset()
    assert transcriber.flush(4) == () and other.pieces is transcriber.pieces
    other.read(tokens("A9")[0], 4)
    assert other.flush(5) == (Word("café", pytest.approx(-0.4), 0.0),)


class Writes:
    """Says nothing, and writes a drawing."""

    def __init__(self, stream: str):
        self.tokens = tokens(stream)

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.transcriber = Transcriber(pieces())
        self.frame = -1

    def step(self, heard: Frame) -> Frame:
        self.frame += 1
        token = self.tokens[self.frame] if self.frame < len(self.tokens) else 3
        return Frame(SILENCE.samples, *self.transcriber.read(token, self.frame))


def transcribed(stream: str, watched: list[str] | None = None) -> Conversation:
    watcher = Watcher()
    recording = converse(Writes("."), Writes(stream), max_seconds=2.0, watch=lambda *frame: (
        watched.extend(line.plain for line in watcher(*frame)) if watched is not None else None))
    return Conversation("ideal/writer/call-0", recording, [])


def test_a_recording_has_the_words_at_their_times() -> None:
    recording = transcribed("E _hello _there . E _t wenty").recording
    assert recording.words[AGENT] == (Word("hello", 0.08, 0.16), Word("there", 0.16, 0.24), Word("twenty", 0.4, 0.56))


def test_neither_the_page_nor_a_watcher_draws_twelve_marks_a_second() -> None:
    lines: list[str] = []
    conversation = transcribed("E _hello _there . E _t wenty", lines)
    kinds: Sequence[str] = [event.kind for event in conversation.recording.events[AGENT]]
    assert len(kinds) == 6 and set(kinds) <= set(FRAME_BY_FRAME)
    assert details(conversation)["decisions"] == []
    assert lines == ["  0.16 agent  hello there twenty"]
