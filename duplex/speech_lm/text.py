"""The text stream of a Moshi-family model, one token for each 80 ms, as words with times.

The model writes what it says as it says it (Défossez et al., 2024, "inner monologue"). Nothing here knows the model or its
sound: a token says when a word begins, and only what follows says that it is over.
"""

import re
from codecs import getincrementaldecoder
from copy import deepcopy
from typing import Final, Protocol

from duplex.frame import FRAME_SECONDS, Event, Word

EPAD: Final = 0  # the decision to begin a word in the next frame
PAD: Final = 3  # nothing new
NUM_SPECIAL: Final = 4  # EPAD, the beginning and the end of a text, PAD
BOUNDARY: Final = re.compile(r"[\s\u2581\-\u2010-\u2015]")  # "\u2581" is a tokenizer's space; hyphens part words too
UNSPOKEN: Final = re.compile(r"[^\w'\ufffd]")  # as in every `Word`; what could not be read keeps its place
UTF8: Final = getincrementaldecoder("utf-8")


class Pieces(Protocol):
    """The part of a `sentencepiece.SentencePieceProcessor` that is needed here."""

    def get_piece_size(self) -> int: ...

    def id_to_piece(self, token: int, /) -> str: ...

    def is_byte(self, token: int, /) -> bool: ...


class Transcriber:
    """Reads tokens as words.

    A word begins with the frame of its first token and is complete, and told, in the frame whose token is not part of it.
    The letters of a rare sign come as bytes over several frames and are read when the last is there; bytes that are no
    UTF-8 become U+FFFD. Special tokens, and numbers that are no token, are never shown.
    """

    def __init__(self, pieces: Pieces):
        self.pieces = pieces
        self.reset()

    def reset(self) -> None:
        self.decoder = UTF8(errors="replace")
        self.letters = ""  # of the word that is being written
        self.begun: int | None = None  # frame of its first token; None between words
        self.last = 0  # frame of its last token so far

    def __deepcopy__(self, memo: dict[int, object]) -> "Transcriber":
        copied = Transcriber(self.pieces)  # which have no state and are large
        vars(copied).update({name: deepcopy(value) for name, value in vars(self).items() if name != "pieces"})
        return copied

    def read(self, token: int, frame: int) -> tuple[tuple[Word, ...], tuple[Event, ...]]:
        """The words that `token`, said in frame number `frame`, shows to be complete, and what was written in the frame.

        A word's `start` is negative where it began in an earlier frame. Its `end` is an estimate: the end of the frame of
        its last token, though the voice may still be saying it.

        The event "text_token" has the token and the text that can be read now; nothing is told of PAD.
        """
        if not NUM_SPECIAL <= token < self.pieces.get_piece_size():
            events = () if token == PAD or token < 0 else (written(token, ""),)
            return self.flush(frame), events
        if self.pieces.is_byte(token):
            unread, text = "", self.decoder.decode(bytes([int(self.pieces.id_to_piece(token)[3:5], 16)]))  # "<0xE2>"
        else:
            unread, text = self.rest(), self.pieces.id_to_piece(token)
        self.letters += unread
        words: list[Word] = []
        for letter in text:
            if BOUNDARY.match(letter):
                words += self.completed(frame)
                self.begun = frame
            self.letters, self.last = self.letters + letter, frame
        self.begun, self.last = frame if self.begun is None else self.begun, frame
        return tuple(words), (written(token, unread + text.replace("\u2581", " ")),)

    def flush(self, frame: int) -> tuple[Word, ...]:
        """The word that is being written, as if nothing came after it; what a conversation ends with."""
        self.letters += self.rest()
        return self.completed(frame)

    def rest(self) -> str:
        """What became of bytes that were never completed: U+FFFD, or nothing."""
        unread = self.decoder.decode(b"", final=True)
        self.decoder.reset()
        return unread

    def completed(self, frame: int) -> tuple[Word, ...]:
        """The word that is being written, in seconds from the start of `frame`; none where nothing in it is spoken."""
        text, begun = plain(self.letters), self.begun
        self.letters, self.begun = "", None
        if not text or begun is None:
            return ()
        return (Word(text, (begun - frame) * FRAME_SECONDS, (self.last + 1 - frame) * FRAME_SECONDS),)


def written(token: int, text: str) -> Event:
    return Event("text_token", detail={"token": token, "text": text})


def plain(letters: str) -> str:
    """As a `Word` has it: lower case, without punctuation; as `duplex.stages.speaking.tts.plain_words` says it of a text."""
    return UNSPOKEN.sub("", letters.lower().replace("\u2019", "'")).strip("'_")
