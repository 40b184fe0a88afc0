"""What callers are likely to say: domain sentences mixed with general English, for the recogniser.

A domain trigram alone hears 35 % of the words wrong as soon as a caller leaves the templates, general English alone
10 %, digits worse; half of each hears both. The domain trigram also says when a sentence may be over. Nothing here
hears sound.
"""

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from duplex.cache import cache_folder
from duplex.stages.hearing.general_english import Bigrams, dictionary, general_english
from duplex.stages.language.domain import caller_sentences
from duplex.stages.speaking.tts import plain_words

LOG: Final = logging.getLogger(__name__)
FORMAT: Final = 2  # counts up whenever the same sentences give another model
START, END = "<s>", "</s>"
DISCOUNT: Final = 0.5  # share of probability the domain keeps for what its sentences do not contain
FULL: Final = 0.9999  # no history gives all its probability to the words seen after it


@dataclass(frozen=True)
class Arpa:
    """A back-off n-gram model as read from an ARPA file.

    Attributes:
        logs: log10 probability of each n-gram.
        backoffs: log10 factor on the shorter history when an n-gram is missing.
    """

    logs: dict[tuple[str, ...], float]
    backoffs: dict[tuple[str, ...], float]

    def probability(self, word: str, history: tuple[str, ...]) -> float:
        """P(word | the last two words of `history`), 0 for a word the model does not know."""
        history, backoff = history[-2:], 0.0
        while (*history, word) not in self.logs:
            if not history:
                return 0.0
            backoff += self.backoffs.get(history, 0.0)
            history = history[1:]
        return float(10.0 ** (backoff + self.logs[(*history, word)]))


@dataclass(frozen=True)
class LanguageModel:
    """A model on disk, ready for the recogniser.

    Attributes:
        arpa: the mixed trigram model.
        domain: the trigram model of the domain's sentences alone.
        general_words, domain_weight: as in `language_model`.
    """

    arpa: Path
    domain: Path = field(repr=False)
    general_words: int
    domain_weight: float

    def of(self, domain: str) -> "LanguageModel":
        """As good a model of what the callers of another domain say; this one for ""."""
        return of_domain(domain, self.general_words, self.domain_weight) if domain else self

    def end_probability(self, words: Sequence[str]) -> float:
        """P(the sentence ends here | its last two words) by the domain's sentences; 0 before the first word.

        Half of the probability is kept for the unseen (`DISCOUNT`), so that even a certain end is at most 0.5.
        """
        if not words:
            return 0.0
        return _arpa(self.domain).probability(END, (START, *words))


def language_model(sentences: Sequence[str], general_words: int = 5000, domain_weight: float = 0.5) -> LanguageModel:
    """The model of `sentences` and general English; built once per content, then found in the cache.

    Args:
        sentences: what callers say; a sentence given twice counts twice.
        general_words: how many of the commonest English words it can hear besides.
        domain_weight: share of the domain, strictly between 0 and 1.

    Raises:
        ValueError: no sentences, or words that the recogniser's dictionary lacks.
        ImportError: pocketsphinx is not installed.
    """
    plain = [words for words in (plain_words(sentence) for sentence in sentences) if words]
    if not plain:
        raise ValueError("a language model needs sentences, got none")
    if not 0.0 < domain_weight < 1.0:
        raise ValueError(f"domain_weight lies between 0 and 1, not {domain_weight}")
    unknown = sorted({word for words in plain for word in words} - dictionary())
    if unknown:
        raise ValueError(f"the recogniser's dictionary lacks {', '.join(unknown)}"
                         " (spell numbers out, split compounds, or say it in other words)")
    content = json.dumps([FORMAT, general_words, domain_weight, plain]).encode()
    folder = cache_folder("language_models") / hashlib.sha256(content).hexdigest()[:24]
    if not folder.exists():
        _build(folder, plain, general_words, domain_weight)
    return LanguageModel(folder / "mixed.arpa", folder / "domain.arpa", general_words, domain_weight)


@cache
def of_domain(domain: str, general_words: int, domain_weight: float) -> LanguageModel:
    """The model of a domain's callers."""
    return language_model(caller_sentences(domain), general_words, domain_weight)


def read_arpa(path: Path) -> Arpa:
    """The n-grams of an ARPA file of any order."""
    logs: dict[tuple[str, ...], float] = {}
    backoffs: dict[tuple[str, ...], float] = {}
    order = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            columns = line.split()
            if line.startswith("\\"):
                order = int(line[1]) if line.rstrip().endswith("-grams:") else 0
            elif order and columns:
                gram = tuple(columns[1:1 + order])
                logs[gram] = float(columns[0])
                if len(columns) > 1 + order:
                    backoffs[gram] = float(columns[1 + order])
    return Arpa(logs, backoffs)


@lru_cache(maxsize=8)
def _arpa(path: Path) -> Arpa:
    return read_arpa(path)


def _build(folder: Path, sentences: list[list[str]], general_words: int, domain_weight: float) -> None:
    """Both files, in a folder that appears at once: of two processes that build it, the slower one's is thrown away."""
    LOG.info("building a language model of %d sentences in %s", len(sentences), folder)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
    try:
        _write_domain(unfinished / "domain.arpa", sentences)
        domain = read_arpa(unfinished / "domain.arpa")
        general = _commonest(general_english(), general_words, {word for words in sentences for word in words})
        _write_mixture(unfinished / "mixed.arpa", domain, general, domain_weight)
        unfinished.rename(folder)
    except OSError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_domain(path: Path, sentences: list[list[str]]) -> None:
    from pocketsphinx.lm import ArpaBoLM

    model = ArpaBoLM(text="\n".join(" ".join(words) for words in sentences), add_start=True, discount_mass=DISCOUNT)
    model.compute()
    with open(path, "w", encoding="utf-8") as file:
        model.write(file)


def _commonest(english: Bigrams, num_words: int, domain: set[str]) -> Bigrams:
    """`english` over its commonest words and the domain's, unigrams summing to one without `<s>`."""
    known = dictionary()
    speakable = np.array([word in known for word in english.words])
    rank = np.argsort(np.where(speakable, -english.unigrams, 0.0), kind="stable")[:num_words]
    chosen = {english.words[place] for place in rank} | domain | {START, END}
    words = tuple(sorted(chosen))
    place = {word: index for index, word in enumerate(words)}
    new = np.array([place.get(word, -1) for word in english.words])  # -1: left out
    unigrams, backoffs = np.zeros(len(words)), np.ones(len(words))
    unigrams[new[new >= 0]] = english.unigrams[new >= 0]
    backoffs[new[new >= 0]] = english.backoffs[new >= 0]
    unigrams[place[START]] = 0.0
    first, second = new[english.first], new[english.second]
    kept = (first >= 0) & (second >= 0) & (second != place[START]) & (first != place[END])
    return Bigrams(words, unigrams / unigrams.sum(), backoffs, first[kept], second[kept], english.bigrams[kept])


class _Table:
    """A back-off bigram model that answers for whole arrays of word pairs."""

    def __init__(self, model: Bigrams) -> None:
        self.model = model
        keys = model.first * len(model.words) + model.second
        order = np.argsort(keys)
        self.keys, self.bigrams = keys[order], model.bigrams[order]

    def probability(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """P(second | first), both (num_pairs,) -> (num_pairs,)."""
        keys = first * len(self.model.words) + second
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        backed_off = self.model.backoffs[first] * self.model.unigrams[second]
        return np.where(self.keys[at] == keys, self.bigrams[at], backed_off)


def _write_mixture(path: Path, domain: Arpa, general: Bigrams, weight: float) -> None:
    """Probabilities are mixed n-gram by n-gram; what is left of each history becomes its back-off."""
    words = general.words
    place = {word: index for index, word in enumerate(words)}
    table, own = _Table(general), _Table(_bigrams_of(domain, words, place))
    unigrams = weight * own.model.unigrams + (1 - weight) * general.unigrams
    keys = np.union1d(own.keys, table.keys)
    first, second = keys // len(words), keys % len(words)
    bigrams = weight * own.probability(first, second) + (1 - weight) * table.probability(first, second)
    bigrams, backoffs = _normalised(bigrams, unigrams[second], first, len(words))
    grams = [gram for gram in domain.logs if len(gram) == 3]
    triples = np.array([[place[word] for word in gram] for gram in grams], np.int64).reshape(-1, 3)
    # every history and every tail of a domain trigram is a domain bigram, so both are found in `keys`
    history = np.searchsorted(keys, triples[:, 0] * len(words) + triples[:, 1])
    tail = np.searchsorted(keys, triples[:, 1] * len(words) + triples[:, 2])
    trigrams = (weight * 10.0 ** np.array([domain.logs[gram] for gram in grams])
                + (1 - weight) * table.probability(triples[:, 1], triples[:, 2]))
    trigrams, pair_backoffs = _normalised(trigrams, bigrams[tail], history, len(keys))
    order = np.argsort(history, kind="stable")  # pocketsphinx wants trigrams grouped like their bigrams
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"\\data\\\nngram 1={len(words)}\nngram 2={len(keys)}\nngram 3={len(grams)}\n")
        file.writelines(_lines(1, (words,), unigrams, backoffs))
        named = [[words[index] for index in column] for column in (first, second)]
        file.writelines(_lines(2, named, bigrams, pair_backoffs))
        file.writelines(_lines(3, [[grams[index][at] for index in order] for at in range(3)], trigrams[order], None))
        file.write("\n\\end\\\n")


def _bigrams_of(domain: Arpa, words: tuple[str, ...], place: dict[str, int]) -> Bigrams:
    unigrams = 10.0 ** np.array([domain.logs.get((word,), -np.inf) for word in words])
    unigrams[place[START]] = 0.0  # a sentence starts once: no word is followed by its start
    backoffs = 10.0 ** np.array([domain.backoffs.get((word,), 0.0) for word in words])
    pairs = [gram for gram in domain.logs if len(gram) == 2]
    first, second = np.array([[place[word] for word in pair] for pair in pairs], np.int64).reshape(-1, 2).T
    bigrams = 10.0 ** np.array([domain.logs[pair] for pair in pairs])
    return Bigrams(words, unigrams / unigrams.sum(), backoffs, first, second, bigrams)


def _normalised(probabilities: np.ndarray, shorter: np.ndarray, history: np.ndarray,
                num_histories: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that leave something to back off to, and each history's back-off factor.

    Args:
        probabilities: (num_grams,) mixed.
        shorter: (num_grams,) probability of the same word after the shorter history.
        history: (num_grams,) index of each n-gram's history.
        num_histories: how many there are; one that nothing follows backs off entirely.
    """
    total = np.bincount(history, probabilities, num_histories)
    scale = np.where(total > FULL, FULL / np.maximum(total, FULL), 1.0)
    left = 1.0 - np.minimum(total, FULL)
    unseen = np.maximum(1.0 - np.bincount(history, shorter, num_histories), 1e-6)
    return probabilities * scale[history], left / unseen


def _lines(order: int, words: Sequence[Sequence[str]], probabilities: np.ndarray,
           backoffs: np.ndarray | None) -> Iterable[str]:
    yield f"\n\\{order}-grams:\n"
    logs = np.where(probabilities > 0.0, np.log10(np.maximum(probabilities, 1e-12)), -99.0).tolist()
    if backoffs is None:
        yield from (f"{log:.4f} {' '.join(gram)}\n" for log, *gram in zip(logs, *words))
    else:
        factors = np.log10(backoffs).tolist()
        yield from (f"{log:.4f} {' '.join(gram)} {factor:.4f}\n" for log, factor, *gram in zip(logs, factors, *words))
