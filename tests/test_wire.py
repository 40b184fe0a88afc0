"""Messages say what they mean, and what does not is refused with what would be right; so is Ogg, and so are wishes."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duplex.frame import FRAME_SAMPLES, Event, Frame, Word
from duplex.wire.messages import Kind, about, frame_bytes, frame_of, frame_samples, json_object, message, opened
from duplex.wire.ogg import HEADER, Pages, Reader, checksum, headers
from duplex.wire.wishes import wished

SOUND = np.linspace(-1.0, 1.0, FRAME_SAMPLES, dtype=np.float32)


def test_a_message_is_its_kind_and_a_payload() -> None:
    assert message(Kind.TEXT, " né") == b"\x02 n\xc3\xa9"
    assert opened(b"\x02 n\xc3\xa9") == (Kind.TEXT, b" n\xc3\xa9")


def test_an_unknown_kind_is_ignored_and_no_kind_is_wrong() -> None:
    assert opened(b"\x07\x05hello") is None
    with pytest.raises(ValueError, match="at least one byte"):
        opened(b"")


def test_a_frame_travels_to_the_bit() -> None:
    frame = Frame(SOUND, (Word("hi", -0.08, 0.02),), (Event("endpoint", 0.01, 0.01, {"heard": "é", "n": 3}),), 0.03)
    told = json_object(json.dumps(about(frame)).encode())
    came = frame_of(frame_samples(frame_bytes(SOUND)), told)
    assert np.array_equal(came.samples, SOUND) and (came.words, came.events, came.seconds) == (
        frame.words, frame.events, 0.03)
    assert about(Frame(SOUND)) is None


@pytest.mark.parametrize("payload, message", [
    (b"\0" * 7_679, "1920 float32 in 7680 bytes, not 7679"),
    (np.full(FRAME_SAMPLES, np.nan, "<f4").tobytes(), "finite"), (np.full(FRAME_SAMPLES, 1.5, "<f4").tobytes(), r"\[-1, 1\]")])
def test_what_is_no_frame_is_refused(payload: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frame_samples(payload)


@pytest.mark.parametrize("told", [{"words": [["hi"]]}, {"words": 3}, {"events": [["a", "b", 0, {}]]}, {"seconds": "soon"}])
def test_metadata_that_is_none_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a frame's metadata has words"):
        frame_of(SOUND, told)


def test_metadata_is_a_json_object() -> None:
    for payload in (b"{", b"[1]", b"\xff"):
        with pytest.raises(ValueError, match="a metadata message is"):
            json_object(payload)


def test_the_checksum_is_oggs() -> None:
    """That of the first page of a stream written by libogg (`sphn` 0.2.1)."""
    sphn = pytest.importorskip("sphn")
    page = bytes(sphn.OpusStreamWriter(24_000).append_pcm(np.zeros(1_920, np.float32)))
    length = HEADER.size + page[26] + sum(page[HEADER.size:HEADER.size + page[26]])
    told = int.from_bytes(page[22:26], "little")
    assert checksum(page[:22] + bytes(4) + page[26:length]) == told


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=1_500), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_packets_are_read_however_their_pages_are_cut(packets: list[bytes], random: object) -> None:
    pages = Pages()
    stream = b"".join(pages.page([packet], 0) for packet in packets)
    reader, read = Reader(), list[bytes]()
    while stream:
        cut = random.randint(1, 700)  # type: ignore[attr-defined]  # hypothesis's Random
        read += [packet.data for packet in reader.read(stream[:cut])]
        stream = stream[cut:]
    assert read == packets


def test_a_packet_goes_on_in_the_next_page() -> None:
    def page(flags: int, segments: bytes, body: bytes) -> bytes:
        return HEADER.pack(b"OggS", 0, flags, 0, 1, 0, 0, len(segments)) + segments + body

    reader = Reader()
    assert reader.read(page(0, b"\xff", b"a" * 255)) == []
    assert [packet.data for packet in reader.read(page(1, b"\x05", b"b" * 5))] == [b"a" * 255 + b"b" * 5]
    assert reader.read(page(0, b"\xff", b"a" * 255)) == []
    assert [packet.data for packet in reader.read(page(0, b"\x05", b"c" * 5))] == [b"ccccc"]  # its beginning was lost


@pytest.mark.parametrize("data, message", [
    (b"RIFF....", "begins with b'OggS', not b'RIFF'"), (b"OggS\x01" + b"\0" * 30, "version 1")])
def test_what_is_not_ogg_is_named(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reader().read(data)


def test_headers_are_told_from_sound() -> None:
    pages = Pages()
    stream = b"".join(pages.page([packet], 0) for packet in (*headers(120, 24_000), b"\x48sound"))
    assert [packet.is_header for packet in Reader().read(stream)] == [True, True, False]


def test_wishes_are_read_by_everybodys_names() -> None:
    kyutai = wished({"text_temperature": "0.7", "text_topk": "25", "audio_temperature": "0.8", "audio_topk": "250",
                     "pad_mult": "0", "text_seed": "12", "audio_seed": "34", "repetition_penalty": "1"})
    assert kyutai.settings == {"temperature": 0.8, "top_k": 250, "text_temperature": 0.7, "text_top_k": 25}
    assert (kyutai.seed, kyutai.role, kyutai.pcm, kyutai.extended) == (34, None, False, False)
    personaplex = wished({"text_prompt": "You are a teacher.", "voice_prompt": "NATF0.pt", "seed": "7"})
    assert (personaplex.role, personaplex.seed, personaplex.settings) == ("You are a teacher.", 7, {"voice": "NATF0"})
    assert wished({}) == wished({"voice_prompt": "", "text_prompt": " ", "worker_auth_id": "x"})


@pytest.mark.parametrize("query, message", [
    ({"audio_topk": "0"}, "audio_topk is a whole number from 1, not '0'"), ({"seed": "x"}, "seed is a whole number"),
    ({"text_temperature": "nan"}, "a number from 0 to 10"), ({"voice_prompt": "../../etc/passwd"}, "the name of one of"),
    ({"voice_prompt": "/tmp/a.pt"}, "the name of one of"), ({"mode": "fast"}, "live, lockstep"),
    ({"mode": "lockstep"}, "goes with ext=1 and audio=pcm"), ({"text_prompt": "a" * 5_000}, "at most 4000")])
def test_a_wish_that_is_none_is_named(query: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wished(query)
