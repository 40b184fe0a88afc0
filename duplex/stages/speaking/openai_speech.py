"""A voice behind an OpenAI-compatible interface, POST /v1/audio/speech: hosted, or a server of one's own. Needs the extra `llm`.

Its sound is played as it comes: 24 kHz, 16 bit, without a header. It marks no words, so their times are estimated by letters;
nothing is tried again unless that is asked for.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE
from duplex.speech import Speech
from duplex.stages.served import Server, Serves
from duplex.stages.speaking.letters import LetterTimes
from duplex.stages.speaking.pieces import joined
from duplex.stages.speaking.tts import FULL_SCALE, check

if TYPE_CHECKING:
    from openai import APIResponse

SAMPLE_BYTES: Final = 2  # of 16 bit
PIECE_BYTES: Final = FRAME_SAMPLES * SAMPLE_BYTES
RAW: Final = ("", "audio/pcm", "audio/x-pcm", "audio/raw", "audio/l16", "application/octet-stream", "binary/octet-stream")
HEADERS: Final = (b"RIFF", b"ID3", b"OggS", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"<!doc", b"<!DOC", b"<html", b'{"')


class VoiceFailed(OSError):
    """A voice gave no speech that can be used; the message says why, and what would be right."""


SERVES: Final = Serves(
    VoiceFailed, "voice", "sentence", "first_sound_seconds", "use a faster voice",
    {400: "has it such a voice, and does it take these settings?",
     404: "is there such a model, does base_url end in /v1, and does the server speak at /audio/speech?"})


class OpenAISpeech:
    """One voice of one server.

    Args:
        model: its name there.
        voice: likewise.
        base_url: of the server, as in http://localhost:8880/v1; None for OpenAI's own, or what OPENAI_BASE_URL says.
        api_key_env: the environment variable that holds the key; it may be unset where the server wants none.
        first_sound_seconds: how long it may be silent, at first and between any two pieces.
        total_seconds: how long it may be waited for in one sentence.
        max_retries: of a request that failed before anything came.
        extra: put into the request as it is, as in {speed: 1.1} or {instructions: Speak calmly.}.

    Raises:
        ImportError: openai is missing.
    """

    def __init__(self, model: str, voice: str, base_url: str | None = None, api_key_env: str = "OPENAI_API_KEY",
                 first_sound_seconds: float = 5.0, total_seconds: float = 30.0, max_retries: int = 0,
                 extra: Mapping[str, Any] | None = None):
        self.server = Server(SERVES, f"{model}, voice {voice},", base_url, api_key_env, first_sound_seconds, total_seconds,
                             max_retries)
        self.model, self.voice = model, voice
        self.name = self.server.name
        self.extra = dict(extra or {}) or None

    def synthesise(self, text: str) -> Speech:
        return joined(self.stream(text))

    def stream(self, text: str) -> Iterator[Speech]:
        """`text` spoken, as it comes.

        Raises:
            ValueError: `text` has no word in it.
            VoiceFailed: no speech came, or only half of it.
        """
        check(text)
        times = LetterTimes(text)
        for sound in self.sounds(text):
            yield times.spoken(sound)
        yield times.rest()

    def sounds(self, text: str) -> Iterator[np.ndarray]:
        """The sound in pieces of 80 ms or more, but for the last one: (num_samples,) float32."""
        waiting, num_bytes = b"", 0
        for sent in self.sent(text):
            if not num_bytes and sent.startswith(HEADERS):
                raise self.server.failed(f"this is no raw sound, it begins with {sent[:12]!r}; does it serve "
                                         "response_format=pcm?")
            num_bytes += len(sent)
            waiting += sent
            if len(waiting) >= PIECE_BYTES:
                whole = len(waiting) // SAMPLE_BYTES * SAMPLE_BYTES
                yield samples(waiting[:whole])
                waiting = waiting[whole:]
        if not num_bytes:
            raise self.server.failed("an empty answer; has it such a voice?")
        if num_bytes % SAMPLE_BYTES:
            raise self.server.failed(f"{num_bytes} bytes are no samples of 16 bit; does it serve response_format=pcm?")
        if waiting:
            yield samples(waiting)

    def sent(self, text: str) -> Iterator[bytes]:
        """What the server sends."""
        ask = partial(self.server.client.audio.speech.with_streaming_response.create, model=self.model, voice=self.voice,
                      input=text, response_format="pcm", extra_body=self.extra)
        return self.server.streamed(ask, self.raw)

    def raw(self, response: "APIResponse[Any]") -> Iterator[bytes]:
        self.check_kind(response.headers.get("content-type", ""))
        return response.iter_bytes()

    def check_kind(self, content_type: str) -> None:
        kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
        if kind not in RAW:
            raise self.server.failed(f"it sent {kind}, not raw sound; does it serve response_format=pcm, and is base_url right?")
        rate = dict(part.split("=", 1) for part in parameters if "=" in part).get("rate", str(SAMPLE_RATE))
        if rate != str(SAMPLE_RATE):
            raise self.server.failed(f"its sound has {rate} samples a second, not {SAMPLE_RATE}; set it to {SAMPLE_RATE} there")


def samples(sound: bytes) -> np.ndarray:
    """Raw 16 bit, little-endian -> (num_samples,) float32."""
    return np.frombuffer(sound, "<i2").astype(np.float32) / FULL_SCALE
