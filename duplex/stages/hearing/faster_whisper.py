"""Whisper by CTranslate2, in this process. Needs the extra `whisper`.

Its files are those of the Systran and mobiuslabsgmbh repositories, or what `ct2-transformers-converter` writes.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from faster_whisper import WhisperModel

from duplex.speech_lm.hub import Folder, Repository, Source, licence
from duplex.stages.hearing.whisper import Part

FILES: Final = ("config.json", "tokenizer.json", "model.bin")
OPTIONAL: Final = ("preprocessor_config.json", "vocabulary.json", "vocabulary.txt")  # one of the vocabularies


class FasterWhisper:
    """A converted model.

    Args:
        repo: on the Hub.
        revision: branch, tag or commit of it.
        path: a folder with its files, instead of a repository.
        device: cpu, cuda, or None for a GPU where there is one.
        dtype: as CTranslate2 names it, e.g. int8, float16, float32; None for what suits the device.
        language: two letters; None where the model is to find out itself.
        beam_size: 1 is greedy.
        threads: of a CPU; 0 for CTranslate2's own choice.

    Raises:
        ImportError: faster-whisper is missing.
        ValueError: this is no such model, or the machine does not do.
        OSError: a file can not be had.
    """

    def __init__(self, repo: str = "Systran/faster-whisper-small.en", revision: str | None = None, path: str | None = None,
                 device: str | None = None, dtype: str | None = None, language: str | None = "en", beam_size: int = 1,
                 threads: int = 0):
        source: Source = Folder(Path(path)) if path else Repository(repo, revision)
        folder = gathered(source)
        try:
            self.model: Any = WhisperModel(str(folder), device=device or "auto", compute_type=dtype or "default",
                                           cpu_threads=threads)  # classes made in C++
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{source.name} is no Whisper that CTranslate2 can load: {str(error).splitlines()[0]}") from error
        self.language, self.beam_size = language if self.model.model.is_multilingual else None, beam_size
        self.facts: Mapping[str, str | None] = {"source": source.name, "revision": source.revision, "licence": licence(source)}

    def parts(self, sound: np.ndarray, prompt: str, wanted: Callable[[], bool]) -> Iterator[Part]:
        found, _ = self.model.transcribe(
            sound, language=self.language, beam_size=self.beam_size, temperature=0.0, condition_on_previous_text=False,
            no_speech_threshold=None, log_prob_threshold=None, initial_prompt=prompt or None, without_timestamps=True)
        for segment in found:
            if not wanted():
                return
            yield Part(segment.text, segment.no_speech_prob, segment.avg_logprob)


def gathered(source: Source) -> Path:
    """The folder in which all files lie.

    Raises:
        FileNotFoundError: naming those that are missing.
    """
    found = {name: source.file(name) for name in (*FILES, *OPTIONAL)}
    lacking = [name for name in FILES if found[name] is None]
    if not any(found[name] for name in OPTIONAL[1:]):
        lacking.append(" or ".join(OPTIONAL[1:]))
    if lacking:
        raise FileNotFoundError(f"{source.name} lacks {', '.join(lacking)}: it is no Whisper in CTranslate2's format; convert "
                                "one with ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json")
    (folder,) = {path.parent for path in found.values() if path is not None}
    return folder
