"""Whisper by transformers, in this process. Needs the extra `moshi`.

Its own greedy loop, token by token: so it stops where nobody waits, and knows how sure it was. No batching, no timestamps.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import AutoConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizerFast

from duplex.speech_lm.hub import Folder, Repository, Source, licence
from duplex.stages.hearing.downsample import MODEL_RATE
from duplex.stages.hearing.whisper import Part

NO_SPEECH: Final = ("<|nospeech|>", "<|nocaptions|>")  # what the token before <|notimestamps|> is called, by age of the file


class TransformersWhisper:
    """A checkpoint of transformers.

    Args:
        repo: on the Hub.
        revision: branch, tag or commit of it.
        path: a folder with its files, instead of a repository.
        device: as torch names it; None for a GPU where there is one.
        dtype: as torch names it; None for float16 on a GPU, float32 elsewhere.
        language: two letters; English-only models need none.

    Raises:
        ImportError: torch or transformers is missing.
        ValueError: this is no such model, or the machine does not do.
    """

    def __init__(self, repo: str = "openai/whisper-small.en", revision: str | None = None, path: str | None = None,
                 device: str | None = None, dtype: str | None = None, language: str = "en"):
        source: Source = Folder(Path(path)) if path else Repository(repo, revision)
        self.name = source.name
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.dtype: torch.dtype = getattr(torch, dtype or ("float16" if self.device.startswith("cuda") else "float32"))
        try:
            self._load(source.name, revision or "main")
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:  # of whatever stands in the files
            raise ValueError(f"{source.name} is no Whisper that can be loaded, neither a folder nor a name on the Hub: "
                             f"{str(error).splitlines()[0]}") from error
        self.tokenizer.set_prefix_tokens(language=language if self.multilingual else None,
                                         task="transcribe" if self.multilingual else None, predict_timestamps=False)
        self.facts: Mapping[str, str | None] = {"source": source.name, "revision": self.model.config._commit_hash,
                                                "licence": licence(source)}
        self.lock = Lock()  # stages work in threads

    def _load(self, name: str, revision: str) -> None:
        kind = AutoConfig.from_pretrained(name, revision=revision).model_type
        if kind != "whisper":
            raise ValueError(f"it is a {kind}")
        self.features: Any = WhisperFeatureExtractor.from_pretrained(name, revision=revision)  # Any: classes made at run time
        self.tokenizer: Any = WhisperTokenizerFast.from_pretrained(name, revision=revision)
        self.model: Any = WhisperForConditionalGeneration.from_pretrained(name, revision=revision, dtype=self.dtype)
        self.model.to(self.device).eval()
        settings = self.model.generation_config
        self.multilingual = bool(getattr(settings, "is_multilingual", False))
        self.longest = self.model.config.max_target_positions // 2  # tokens; the other half is for what was said before
        self.end = self.tokenizer.convert_tokens_to_ids("<|endoftext|>")
        self.begin = self.tokenizer.convert_tokens_to_ids("<|startoftranscript|>")
        known = self.tokenizer.get_vocab()
        self.silence = next(known[sign] for sign in NO_SPEECH if sign in known)
        never = torch.zeros(self.model.config.vocab_size)
        never[[token for token in settings.suppress_tokens or () if token >= 0]] = -torch.inf
        never[self.end + 1:] = -torch.inf  # what is no text
        first = never.clone()
        first[list(settings.begin_suppress_tokens or ())] = -torch.inf
        self.never, self.never_first = never.to(self.device), first.to(self.device)

    def parts(self, sound: np.ndarray, prompt: str, wanted: Callable[[], bool]) -> Iterator[Part]:
        """A part for each half minute, which is what Whisper reads at a time; a word on the border is lost."""
        longest = self.features.chunk_length * MODEL_RATE
        for begin in range(0, len(sound), longest):
            if not wanted():
                return
            yield self.part(sound[begin: begin + longest], prompt, wanted)

    @torch.inference_mode()
    def part(self, sound: np.ndarray, prompt: str, wanted: Callable[[], bool]) -> Part:
        heard = self.features(sound, sampling_rate=MODEL_RATE, return_tensors="pt").input_features
        told = list(self.tokenizer.get_prompt_ids(prompt)) if prompt else []
        unread, past = [*told, *self.tokenizer.prefix_tokens], None
        written: list[int] = []
        logprob = no_speech = 0.0
        with self.lock:
            encoded = self.model.get_encoder()(heard.to(self.device, self.dtype))
        for step in range(self.longest):
            if not wanted():
                break
            with self.lock:
                made = self.model(encoder_outputs=encoded, decoder_input_ids=torch.tensor([unread], device=self.device),
                                  past_key_values=past, use_cache=True)
            logits = made.logits[0].float()
            if step == 0:
                no_speech = float(logits[unread.index(self.begin)].softmax(-1)[self.silence])
            scores = (logits[-1] + (self.never if step else self.never_first)).log_softmax(-1)
            token = int(scores.argmax())
            logprob += float(scores[token])
            if not np.isfinite(logprob):
                raise ValueError(f"{self.name} wrote no numbers: its weights are damaged, or {self.dtype} does not suit it")
            if token == self.end:
                break
            written.append(token)
            unread, past = [token], made.past_key_values
        return Part(self.tokenizer.decode(written), no_speech, logprob / (len(written) + 1))
