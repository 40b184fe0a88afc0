"""Kyutai's streaming recogniser (Zeghidour et al., 2025, Streaming Sequence-to-Sequence Learning with Delayed Streams Modeling).

A language model that reads Mimi's codes of what it hears and writes the words half a second (the 1B) or two and a half (the
2.6B) later, a token for each 80 ms. In a pause it is given that much silence faster than real time, so that the last words
need not be waited for, as Unmute does (kyutai-labs/unmute, unmute_handler.py). One conversation at a time; no batching.
"""

from contextlib import nullcontext
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
import torch
from moshi.models import LMGen, loaders
from moshi.utils.compile import no_compile

from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS, Frame, Word
from duplex.speech_lm import loading
from duplex.speech_lm.checkpoint import CONFIG, LM_KEYS, NOT_OF_THE_LM, Settings, attempted, gathered, read_config
from duplex.speech_lm.hub import Folder, Repository, Source, licence
from duplex.speech_lm.text import Transcriber
from duplex.stages.hearing.figures import said_words

MODEL_TYPE: Final = "stt"
PAUSE_HEAD: Final = 2  # of the four; the one that Unmute and Kyutai's own example read, for a pause of two seconds
LONGEST_WORD_FRAMES: Final = 12  # that a word may still be written when the delay is over; moshi's run_inference pads as much
EARLY_FRAMES: Final = 2  # that a word may be written before its delay is over
WARM_UP_STEPS: Final = 4


class KyutaiSTT:
    """The model, with its stream: what was heard in a conversation so far is what it understands the next utterance by.

    It has `pause_probability`, from 0 to 1 after the frame that it heard last, where the checkpoint has pause heads.

    Args:
        repo: on the Hub.
        revision: branch, tag or commit of it.
        path: a folder with its files, instead of a repository.
        device: as torch names it; None for a GPU where there is one. A CPU is not fast enough for real time.
        dtype: bfloat16, float16 or float32; None for bfloat16 on a GPU, float32 elsewhere.

    Attributes:
        behind: seconds that its words run behind the sound, as its config states.
        words: of the utterance, complete ones, in seconds from its first frame.
        facts: source, revision and licence of the weights.

    Raises:
        ImportError: moshi is missing.
        ValueError: this is no such model, or the machine does not do.
        OSError: a file can not be had.
    """

    every: Final = None
    pause_probability: float  # only where there is a pause head

    def __init__(self, repo: str = "kyutai/stt-1b-en_fr", revision: str | None = None, path: str | None = None,
                 device: str | None = None, dtype: str | None = None):
        source: Source = Folder(Path(path)) if path else Repository(repo, revision)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.behind, prefix = self._load(source, device, dtype or ("bfloat16" if device.startswith("cuda") else "float32"))
        self.behind_frames, self.prefix_frames = ceil(self.behind / FRAME_SECONDS), ceil(prefix / FRAME_SECONDS)
        self.facts = {"source": source.name, "revision": source.revision, "licence": licence(source)}
        self.lock = Lock()  # a conversation that was abandoned may still be catching up in its thread
        self.mimi.streaming_forever(1)
        self.generator.streaming_forever(1)
        self.reset()
        for _ in range(WARM_UP_STEPS):
            self._step(np.zeros(FRAME_SAMPLES, np.float32))
        self.reset()

    def _load(self, source: Source, device: str, dtype: str) -> tuple[float, float]:
        """The models; returns the delay of the words and the silence that comes before the first sound, seconds."""
        settings = checked(read_config(source.file(CONFIG)), source.name)
        files = gathered(source, settings, {})
        weights, mimi, tokenizer = files["weights"], files["mimi"], files["tokenizer"]
        assert weights is not None and mimi is not None and tokenizer is not None, "gathered complains otherwise"
        lm_config = {key: value for key, value in settings.items() if key not in NOT_OF_THE_LM}
        mimi_config = read_config(files["mimi_config"])
        wants = loading.settings(lm_config, device, dtype, None)
        pieces = loading.tokenizer(tokenizer, lm_config["text_card"])
        loading.check_mimi(mimi, mimi_config, lm_config["card"])
        loading.check_lm(weights, lm_config, None)
        self.mimi, lm = attempted(lambda: (
            loaders.get_mimi(mimi, None if mimi_config is None else dict(mimi_config), wants.device, lm_config["n_q"]),
            loaders.get_moshi_lm(weights, lm_kwargs=dict(lm_config), device=wants.device, dtype=wants.dtype)), wants)
        lm.eval().requires_grad_(False)
        self.name, self.device = source.name, wants.device
        self.kernels = nullcontext if wants.device.type == "cuda" and find_spec("triton") else no_compile  # a minute, else
        self.transcriber = Transcriber(pieces)
        self.has_pause_head = len(lm.extra_heads) > PAUSE_HEAD
        self.generator = LMGen(lm, use_sampling=False, condition_tensors={}, on_text_logits_hook=self._check)
        stt: dict[str, Any] = settings.get("stt_config", {})  # Any: JSON
        return float(stt.get("audio_delay_seconds", 0.0)), float(stt.get("audio_silence_prefix_seconds", 0.0))

    def attend(self, domain: str) -> None:
        """Changes nothing: it hears whoever speaks."""

    def reset(self, seed: int = 0) -> None:
        """Forgets everything; nothing is random, so `seed` changes nothing."""
        with self.lock:
            self.mimi.reset_streaming()
            self.generator.reset_streaming()
            self.fresh = True
            self.hears = False
            self._forget()

    def _forget(self) -> None:
        self.transcriber.reset()
        self.words: list[Word] = []
        self.times: list[float] = []  # of the frame that each step of the utterance read, seconds from its start
        if self.has_pause_head:
            self.pause_probability = 0.0

    def start(self, expected_digits: int = 0) -> None:
        if self.hears:
            raise ValueError("an utterance is being heard: finish() or reset() before the next start()")
        self.hears = True
        self._forget()
        if self.fresh:
            for _ in range(self.prefix_frames):
                self._step(np.zeros(FRAME_SAMPLES, np.float32))

    def hear(self, frame: Frame) -> str:
        """The words so far, as late as the model writes them."""
        with self.lock:
            self._must_hear()
            heard = self.times[-1] + FRAME_SECONDS if self.times else 0.0
            token, pause = self._step(frame.samples)
            if pause is not None:
                self.pause_probability = pause
            self._read(token, heard)
            return self._text()

    def catch_up(self, paused: bool) -> str:
        """Hears as much silence as its words are late, and more while it is in the middle of a word."""
        with self.lock:
            self._must_hear()
            now = self.times[-1] if self.times else 0.0
            for num in range(self.behind_frames + LONGEST_WORD_FRAMES):
                if num >= self.behind_frames and self.transcriber.begun is None:
                    break
                self._read(self._step(np.zeros(FRAME_SAMPLES, np.float32))[0], now)
            self._keep(self.transcriber.flush(len(self.times) - 1))
            return self._text()

    def finish(self) -> str:
        text = self.catch_up(paused=True)
        self.hears = False
        return text

    def _must_hear(self) -> None:
        if not self.hears:
            raise ValueError("nothing is heard between utterances: start() before hear(), catch_up() and finish()")

    @torch.no_grad()
    def _step(self, samples: np.ndarray) -> tuple[int, float | None]:
        """Reads a frame, (FRAME_SAMPLES,); returns the token, and how likely the speaker has finished, if there is a head."""
        with self.kernels():
            codes = self.mimi.encode(torch.from_numpy(np.array(samples)).to(self.device)[None, None])
            if self.fresh:
                self.generator.step(codes)  # in whose place the model reads where every text begins
                self.fresh = False
            written = self.generator.step_with_extra_heads(codes)
        assert written is not None, "no stream of its is delayed against another"
        tokens, heads = written
        return int(tokens[0, 0, 0]), float(heads[PAUSE_HEAD][0, 0, 0]) if self.has_pause_head else None

    def _check(self, logits: torch.Tensor) -> None:
        if not torch.isfinite(logits).all():
            raise ValueError(f"{self.name} wrote no numbers: its weights are damaged, or its dtype does not suit it")

    def _read(self, token: int, time: float) -> None:
        self.times.append(time)
        words, _ = self.transcriber.read(token, len(self.times) - 1)
        self._keep(words)

    def _keep(self, words: tuple[Word, ...]) -> None:
        """Words that the model has just completed, but for those of a sound before the utterance."""
        now = len(self.times) - 1
        for word in words:
            begun, over = now + round(word.start / FRAME_SECONDS), now + round(word.end / FRAME_SECONDS)
            if begun >= self.behind_frames - EARLY_FRAMES:
                self.words.append(Word(word.text, self._time(begun), self._time(over)))

    def _time(self, step: int) -> float:
        """When the sound was that step number `step` writes of."""
        read = step - self.behind_frames
        return self.times[min(max(read, 0), len(self.times) - 1)]

    def _text(self) -> str:
        return " ".join(said for word in self.words for said in said_words(word.text))


def checked(settings: Settings | None, name: str) -> Settings:
    """The config of a recogniser.

    Raises:
        ValueError: it is of something else.
    """
    if settings is None:
        raise ValueError(f"{name} has no {CONFIG}; a recogniser has one of model_type {MODEL_TYPE}, as kyutai/stt-1b-en_fr")
    kind, spoken = settings.get("model_type"), settings.get("dep_q")
    if kind != MODEL_TYPE or spoken != 0:
        raise ValueError(f"{name} is of model_type {kind} with dep_q {spoken}: that is no recogniser; one has model_type "
                         f"{MODEL_TYPE} and dep_q 0, as kyutai/stt-1b-en_fr")
    if lacking := [key for key in LM_KEYS if key not in settings]:
        raise ValueError(f"{CONFIG} of {name} lacks {', '.join(lacking)}")
    if any(settings["delays"]):
        raise ValueError(f"{CONFIG} of {name} delays codes: a recogniser reads them all at once, and only its words are late, by "
                         "stt_config.audio_delay_seconds")
    return settings
