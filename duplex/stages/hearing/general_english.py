"""The recogniser's general English, read straight from pocketsphinx's bundled `en-us.lm.bin`.

Only words and bigrams are read. pocketsphinx 5.1.1 can itself write the model as text, but crashes when it
reaches the trigrams, so this follows the trie format of its `lm_trie.c` and takes half a second.
"""

import logging
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

LOG: Final = logging.getLogger(__name__)
MAGIC: Final = b"Trie Language Model"
LOGARITHM: Final = np.log10(1.0001)  # pocketsphinx counts probability in powers of 1.0001
QUANTISED: Final = 1 << 16  # entries of each table of probabilities and of back-offs


@dataclass(frozen=True, eq=False)
class Bigrams:
    """A back-off bigram model.

    Attributes:
        words: the vocabulary; everything else refers to a word by its place here.
        unigrams: (num_words,) probability.
        backoffs: (num_words,) factor on the unigram of a word that has no bigram with this one.
        first: (num_bigrams,) word before.
        second: (num_bigrams,) word after.
        bigrams: (num_bigrams,) probability of the second given the first.
    """

    words: tuple[str, ...]
    unigrams: np.ndarray
    backoffs: np.ndarray
    first: np.ndarray
    second: np.ndarray
    bigrams: np.ndarray


def model_folder() -> Path:
    """Folder of pocketsphinx's English: `en-us.lm.bin`, `cmudict-en-us.dict` and the acoustic model `en-us`.

    Raises:
        ImportError: pocketsphinx is not installed.
    """
    try:
        from pocketsphinx import get_model_path
    except ImportError as error:
        raise ImportError("the recogniser needs pocketsphinx: pip install duplex-harness[offline]") from error
    return Path(get_model_path()) / "en-us"


@lru_cache(maxsize=1)
def dictionary() -> frozenset[str]:
    """Every word that the recogniser can hear."""
    with open(model_folder() / "cmudict-en-us.dict", encoding="utf-8") as lines:
        return frozenset(line.split(" ", 1)[0].split("(")[0] for line in lines)


def general_english() -> Bigrams:
    """All 72 547 words and 2 051 541 bigrams of the bundled model.

    Raises:
        ValueError: the file is not the format of pocketsphinx 5.1.
    """
    path = model_folder() / "en-us.lm.bin"
    stored = path.read_bytes()
    order = stored[len(MAGIC)]
    if not stored.startswith(MAGIC) or order != 3:
        raise ValueError(f"{path} is not the trigram trie that pocketsphinx 5.1 brings: pip install pocketsphinx==5.1.1")
    offset = len(MAGIC) + 1
    num_words, num_bigrams, num_trigrams = struct.unpack_from("<3I", stored, offset)
    offset += 3 * 4 + 4  # the counts, then the kind of quantisation
    tables = np.frombuffer(stored, "<f4", 3 * QUANTISED, offset)  # bigrams, their back-offs, trigrams
    offset += tables.nbytes
    unigrams = np.frombuffer(stored, [("log", "<f4"), ("backoff", "<f4"), ("next", "<u4")], num_words + 1, offset)
    offset += unigrams.nbytes
    word_bits, next_bits = num_words.bit_length(), num_trigrams.bit_length()
    entry_bits = word_bits + 32 + next_bits
    children = np.diff(unigrams["next"].astype(np.int64))  # the trie hangs a bigram below its second word
    packed = np.frombuffer(stored, np.uint8, _num_bytes(num_bigrams, entry_bits), offset)
    first = _unpacked(packed, 0, word_bits, entry_bits, int(children.sum()))
    quantised = _unpacked(packed, word_bits, 32, entry_bits, int(children.sum()))
    offset += packed.nbytes + _num_bytes(num_trigrams, word_bits + 16)
    words = stored[offset + 4:].decode().split("\0")[:num_words]
    LOG.info("read %d words and %d bigrams of general English", num_words, len(first))
    return Bigrams(tuple(words), 10.0 ** (unigrams["log"][:-1] * LOGARITHM), 10.0 ** (unigrams["backoff"][:-1] * LOGARITHM),
                   first, np.repeat(np.arange(num_words), children), 10.0 ** (tables[quantised >> 16] * LOGARITHM))


def _num_bytes(entries: int, entry_bits: int) -> int:
    return ((1 + entries) * entry_bits + 7) // 8 + 8  # one entry more and eight bytes of slack, as pocketsphinx writes


def _unpacked(packed: np.ndarray, offset_bits: int, width_bits: int, entry_bits: int, count: int) -> np.ndarray:
    """One field of `count` bit-packed entries; packed (num_bytes,) uint8 -> (count,) int64."""
    position = np.arange(count, dtype=np.int64) * entry_bits + offset_bits
    value = np.zeros(count, np.uint64)
    for byte in range(8):
        value |= packed[(position >> 3) + byte].astype(np.uint64) << np.uint64(8 * byte)
    mask = np.uint64((1 << width_bits) - 1)
    return ((value >> (position & 7).astype(np.uint64)) & mask).astype(np.int64)
