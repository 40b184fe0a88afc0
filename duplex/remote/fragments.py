"""Reads what a server writes, a fragment of text in some frames and nothing in the others, as words with times.

Kyutai's servers and NVIDIA's send the pieces of their models' text as they are, a leading space where a word begins. When
a word begins and when it is over is decided by `duplex.speech_lm.text`, as for a model at home.
"""

import re
from typing import Final

from duplex.frame import FRAME_SAMPLES, Event, Word
from duplex.speech_lm.text import NUM_SPECIAL, PAD, Transcriber

BYTE: Final = re.compile(r"<0x[0-9A-F]{2}>")  # of a sign without a piece of its own, sent as its piece is called
UNSPOKEN: Final = ("<s>", "</s>")
TOKEN: Final = NUM_SPECIAL  # any that is not special: its piece is the fragment
QUIET_FRAMES: Final = 2  # without a fragment, after which a word is over; a fragment may come a frame behind its sound


class Fragment:
    """The fragment that came last, as the tokenizer of which it is the only piece."""

    def __init__(self) -> None:
        self.text = ""

    def get_piece_size(self) -> int:
        return TOKEN + 1

    def id_to_piece(self, token: int, /) -> str:
        return self.text

    def is_byte(self, token: int, /) -> bool:
        return BYTE.fullmatch(self.text) is not None


class Fragments:
    """Words and an event "text_token" for each fragment, in seconds from the first sample that each reading begins with."""

    def __init__(self) -> None:
        self.fragment = Fragment()
        self.transcriber = Transcriber(self.fragment)
        self.last = 0  # frame of the last fragment

    def read(self, text: str, num_samples: int) -> tuple[int, tuple[Word, ...], tuple[Event, ...]]:
        """What a fragment says that came behind `num_samples` of sound, and the first sample of its frame, the last of them."""
        frame = self.last = max(0, num_samples // FRAME_SAMPLES - 1)
        self.fragment.text = text
        words, _ = self.transcriber.read(PAD if text in UNSPOKEN else TOKEN, frame)
        return frame * FRAME_SAMPLES, words, (Event("text_token", detail={"text": text}),)

    def listen(self, num_samples: int) -> tuple[int, tuple[Word, ...]]:
        """The word that is over because `num_samples` of sound have come and nothing was written lately, if there is one."""
        frame = max(0, num_samples // FRAME_SAMPLES - 1)
        return frame * FRAME_SAMPLES, self.transcriber.flush(frame) if frame >= self.last + QUIET_FRAMES else ()
