"""What a recogniser heard the agent say, with times, kept beside the recording: one pair of ears for every system.

Whose words a metric reads is decided in `choose`. Needs the extra `offline` to hear; what was heard before is read
without it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from duplex.frame import SAMPLE_RATE, Word
from duplex.manifest import installed
from duplex.recording import AGENT, USER, Recording, moment
from duplex.speech import Speech, frames
from duplex.stages.hearing.general_english import dictionary
from duplex.stages.hearing.stt import Recogniser
from duplex.stages.language.domain import SLOT, Domain, domain, shipped
from duplex.stages.speaking.tts import plain_words
from eval.activity import Segment, units
from eval.beside import found, keep

Source: TypeAlias = Literal["spoken", "recognised"]
NAME: Final = "transcript.json"  # beside the sound
PHRASE_GAP_SECONDS: Final = 0.6  # units closer than this are heard together: a recogniser lives on context
MARGIN_SECONDS: Final = 0.2  # of silence, before and after
FRAMES_PER_SECOND: Final = 100  # of pocketsphinx
LEARNING_SECONDS: Final = 5.0  # of speech, heard once before to learn the channel (cepstral means) and forgotten
COPIES: Final = 20  # of each phrase, slots filled in anew


def both_sides(name: str | None = None) -> list[str]:
    """What either side says in a domain, or in all that are shipped: training text for a recogniser of agents.

    Answers as they are written, with values of the domain in their slots; without the sentences that have a slot for what
    is looked up or a word (a name) that the dictionary lacks.
    """
    return [sentence for one in ([name] if name else shipped()) for sentence in sides(domain(one))]


def sides(known: Domain) -> list[str]:
    asked = [text for one in known.intents.values() for text in (
        one.answer, one.confirm, one.unknown, *one.ask.values(), *(refusal.say for refusal in one.refusals.values()))]
    sentences = [part.strip() for text in (*known.say.values(), *asked) for part in re.split(r"[.?]", text)]
    random = Random(1)
    filled = [known.filled(part, random) for part in sorted(set(sentences) - {""}) for _ in range(COPIES)
              if set(SLOT.findall(part)) <= known.values.keys() | known.fields.keys()]
    known_words = dictionary()
    return [*known.sentences(COPIES), *(part for part in filled if set(plain_words(part)) <= known_words)]


def choose(recording: Recording, heard: Sequence[Word] | None, source: Source) -> Recording:
    """`recording` with the words that metrics are to read: the agent's own ("spoken"), and what was heard where it logs
    none; or what was heard, whoever it is ("recognised")."""
    own = recording.words[AGENT]
    if heard is None or (source == "spoken" and own):
        return recording
    return replace(recording, words=(recording.words[USER], tuple(heard)))


def kept(folder: Path, by: Mapping[str, Any] | None = None) -> tuple[Word, ...] | None:
    """The transcript beside a recording, if there is one of this sound.

    Args:
        by: the recogniser as `about` tells it; None for whoever it was.
    """
    made = found(folder / NAME, by)
    return None if made is None else tuple(Word(*word) for word in made["words"])


def transcribed(recording: Recording, folder: Path, recogniser: Recogniser, by: Mapping[str, Any]) -> tuple[Word, ...]:
    """What the recogniser hears the agent say, from the file beside the recording, or heard now and kept there."""
    words = kept(folder, by)
    if words is None:
        words = transcribe(recording.audio[AGENT], units(recording)[AGENT], recogniser)
        keep(folder / NAME, by, {"words": words})
    return words


def about(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a transcript depends on: the recogniser's settings, its version, and ours."""
    return {"recogniser": dict(config), "package": f"pocketsphinx {installed('pocketsphinx')}",
            "phrase_gap": PHRASE_GAP_SECONDS, "margin": MARGIN_SECONDS, "learning": LEARNING_SECONDS}


def transcribe(samples: np.ndarray, spoken: Sequence[Segment], recogniser: Recogniser) -> tuple[Word, ...]:
    """The words of one channel (num_samples,), phrase by phrase, by a recogniser that knows the channel and no neighbours."""
    recogniser.reset()
    cut = [(start, samples[round(start * SAMPLE_RATE):round(end * SAMPLE_RATE)]) for start, end in phrases(spoken)]
    learnt = 0.0
    for _, said in cut:
        if learnt < LEARNING_SECONDS:
            heard(said, recogniser)
            learnt += len(said) / SAMPLE_RATE
    return tuple(Word(word.text, moment(start + word.start), moment(start + word.end))
                 for start, said in cut for word in heard(said, recogniser))


def phrases(spoken: Iterable[Segment]) -> list[Segment]:
    """Units less than 0.6 s apart as one, with 0.2 s around them."""
    joined: list[Segment] = []
    for unit in spoken:
        start, end = max(0.0, unit.start - MARGIN_SECONDS), unit.end + MARGIN_SECONDS
        if joined and start - joined[-1].end < PHRASE_GAP_SECONDS - 2 * MARGIN_SECONDS:
            joined[-1] = Segment(joined[-1].start, end)
        else:
            joined.append(Segment(start, end))
    return joined


def heard(samples: np.ndarray, recogniser: Recogniser) -> list[Word]:
    """One phrase's words, seconds from its first sample; by the recogniser's own account of when, else spread evenly."""
    recogniser.start()
    decoder = getattr(recogniser, "decoder", None)
    for frame in frames(Speech(samples)):
        recogniser.hear(frame)
    text = recogniser.finish().split()
    if decoder is not None and (timed := segments(decoder)) and [word.text for word in timed] == text:
        return timed
    step = len(samples) / SAMPLE_RATE / max(1, len(text))
    return [Word(word, moment(index * step), moment((index + 1) * step)) for index, word in enumerate(text)]


def segments(decoder: Any) -> list[Word]:  # pocketsphinx, which has no types
    """Words and their times of the utterance that a decoder has just ended."""
    return [Word(spelled, segment.start_frame / FRAMES_PER_SECOND, (segment.end_frame + 1) / FRAMES_PER_SECOND)
            for segment in decoder.seg() or () if (spelled := segment.word.partition("(")[0])[:1] not in ("<", "[", "+", "")]
