"""Sound goes through Opus with the least delay, to and from Moshi's own codec, and garbage is refused."""

import numpy as np
import pytest

pytest.importorskip("opuslib_next")

from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE  # noqa: E402
from duplex.wire.opus import OpusDecoder, OpusEncoder  # noqa: E402

SECONDS = 3.0


def sweep() -> np.ndarray:
    """(num_frames, FRAME_SAMPLES) float32."""
    times = np.arange(round(SECONDS / 0.08) * FRAME_SAMPLES) / SAMPLE_RATE
    return (0.2 * np.sin(2 * np.pi * (300 + 300 * times) * times)).astype(np.float32).reshape(-1, FRAME_SAMPLES)


def delay(heard: np.ndarray, said: np.ndarray) -> int:
    """Samples by which `heard` comes after `said`, and is like it there."""
    window = said[12_000:36_000]
    found = max(range(400), key=lambda lag: float(heard[12_000 + lag:36_000 + lag] @ window))
    shifted = heard[12_000 + found:36_000 + found]
    assert 10 * np.log10(np.mean(window**2) / np.mean((shifted - window) ** 2)) > 15.0  # dB
    return found


def test_what_was_said_is_heard_3_ms_later_and_every_frame_is_whole() -> None:
    encoder, decoder = OpusEncoder(), OpusDecoder()
    heard = [decoder.decode(encoder.encode(frame)) for frame in sweep()]
    assert {len(part) for part in heard} == {FRAME_SAMPLES}
    assert delay(np.concatenate(heard), sweep().ravel()) <= 80  # 60 of Opus, 16 of resampling: 3.2 ms


def test_moshis_own_codec_reads_it_and_is_read() -> None:
    sphn = pytest.importorskip("sphn")
    encoder, reader = OpusEncoder(), sphn.OpusStreamReader(SAMPLE_RATE)
    assert delay(np.concatenate([reader.append_bytes(encoder.encode(frame)) for frame in sweep()]), sweep().ravel()) <= 80
    writer, decoder = sphn.OpusStreamWriter(SAMPLE_RATE), OpusDecoder()
    heard = [decoder.decode(bytes(writer.append_pcm(frame))) for frame in sweep()]
    assert {len(part) for part in heard} == {FRAME_SAMPLES}
    assert delay(np.concatenate(heard), sweep().ravel()) <= 180


def test_each_frame_is_one_page_and_the_first_brings_the_headers() -> None:
    encoder = OpusEncoder()
    counts = [encoder.encode(frame).count(b"OggS") for frame in sweep()[:3]]
    assert counts == [3, 1, 1]


def test_a_stream_is_read_from_its_middle_and_cut_anywhere() -> None:
    encoder = OpusEncoder()
    pages = [encoder.encode(frame) for frame in sweep()]
    late, cut = OpusDecoder(), OpusDecoder()
    assert sum(len(late.decode(page)) for page in pages[3:]) == (len(pages) - 3) * FRAME_SAMPLES
    stream = b"".join(pages)
    assert sum(len(cut.decode(stream[at:at + 97])) for at in range(0, len(stream), 97)) == len(pages) * FRAME_SAMPLES


def test_a_second_stream_in_the_same_connection_is_read() -> None:
    decoder = OpusDecoder()
    for encoder in (OpusEncoder(), OpusEncoder()):
        assert [len(decoder.decode(encoder.encode(frame))) for frame in sweep()[:5]] == [FRAME_SAMPLES] * 5


@pytest.mark.parametrize("data, message", [(b"no ogg at all", "not Ogg"), (b"OggS\x09" + b"\0" * 40, "version 9")])
def test_garbage_is_named(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OpusDecoder().decode(data)


def test_a_packet_of_garbage_is_named() -> None:
    from duplex.wire.ogg import Pages
    with pytest.raises(ValueError, match="not Opus: a packet of 200 bytes cannot be decoded"):
        OpusDecoder().decode(Pages().page([b"\xff" * 200], 0))
