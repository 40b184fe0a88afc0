"""Kyutai's streaming synthesiser (Zeghidour et al., 2025, Streaming Sequence-to-Sequence Learning with Delayed Streams Modeling).

A language model that reads the words when it asks for them and says them 16 frames later, a frame of Mimi's codes at a time; so
it tells when each word begins. The loop is that of moshi 0.2.13 (moshi/models/tts.py, `TTSModel.generate`), one step a piece.
Voices are embeddings; those that are sound in front of the text (kyutai/tts-0.75b-en-public) are not taken. No batching.
"""

import hashlib
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
import torch
from moshi.models import LMGen
from moshi.models.tts import State, TTSModel
from moshi.utils.compile import no_compile

from duplex.frame import FRAME_SECONDS, Word
from duplex.speech import Speech
from duplex.speech_lm.hub import Folder, Repository, Source, licence
from duplex.stages.speaking.kyutai_tts_files import checkpoint, conditions
from duplex.stages.speaking.letters import LETTERS_PER_SECOND
from duplex.stages.speaking.pieces import joined
from duplex.stages.speaking.tts import check, plain_words

SKIPPED: Final = 2  # frames at the start, in which moshi's own `simple_generate` hears a click


@dataclass
class Seat:
    """A stream of the models for one sentence at a time: what they remember, and where their draws stand."""

    memory: list[dict[str, Any]]  # of each module by name, objects of moshi's
    chance: list[torch.Tensor] = field(default_factory=list)


@dataclass
class Sentence:
    """Where the making of one stands.

    Attributes:
        script: what is still to be read, and when each word was.
        step: of the model, the next one.
        num_said: frames of sound handed on.
        num_told: words handed on.
    """

    script: State
    step: int = 0
    num_said: int = 0
    num_told: int = 0


class KyutaiTTS:
    """One voice.

    Args:
        repo: on the Hub.
        revision: branch, tag or commit of it.
        path: a folder with its files, instead of a repository.
        voice: a name in `voice_repo`, or the path of a .safetensors file with its embedding; None for the model's own.
        voice_repo: on the Hub.
        device: as torch names it; None for a GPU where there is one.
        dtype: bfloat16, float16 or float32; None for bfloat16 on a GPU, float32 elsewhere.
        num_codebooks: that it fills, 8 to 32: fewer are faster, and sound worse.
        temperature: of words and sound.
        cfg_coef: how closely it keeps to the voice, where the model was taught it: 1 to 4 in halves.
        max_seconds: of one sentence, after which it is cut off.
        seed: of what it draws, with the text.

    Raises:
        ImportError: moshi is missing.
        ValueError: this is no such model, or it has no such voice.
        OSError: a file can not be had.
    """

    def __init__(self, repo: str = "kyutai/tts-1.6b-en_fr", revision: str | None = None, path: str | None = None,
                 voice: str | None = "vctk/p225_023.wav", voice_repo: str = "kyutai/tts-voices",
                 device: str | None = None, dtype: str | None = None, num_codebooks: int = 32, temperature: float = 0.6,
                 cfg_coef: float = 2.0, max_seconds: float = 20.0, seed: int = 0):
        source: Source = Folder(Path(path)) if path else Repository(repo, revision)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        on_gpu = self.device.type == "cuda"
        self.kernels = nullcontext if on_gpu and find_spec("triton") else no_compile  # as in kyutai_stt
        self.model = TTSModel.from_checkpoint_info(
            checkpoint(source), voice_repo=voice_repo, device=self.device,
            dtype=getattr(torch, dtype or ("bfloat16" if on_gpu else "float32")), n_q=num_codebooks, temp=temperature)
        self.model.lm.dep_q = num_codebooks
        self.model.lm.eval().requires_grad_(False)
        self.generator = LMGen(
            self.model.lm, temp=temperature, temp_text=temperature, condition_tensors=conditions(self.model, voice, cfg_coef),
            on_text_logits_hook=self.check_numbers, on_text_hook=self.read_on, on_audio_hook=self.wait_for_sound)
        self.max_steps = round(max_seconds / FRAME_SECONDS) + self.model.delay_steps
        self.seed = seed
        self.name = f"kyutai {source.name} {voice}"
        self.facts = {"source": source.name, "revision": source.revision, "licence": licence(source), "voice": voice,
                      "device": str(self.device)}
        self.lock = Lock()  # stages work in threads, on one set of modules
        self.seats: list[Seat] = []  # free ones
        self.sentence = Sentence(self.model.machine.new_state([]))

    def synthesise(self, text: str) -> Speech:
        return joined(self.stream(text))

    def stream(self, text: str) -> Iterator[Speech]:
        """`text` spoken, 80 ms at a time.

        Raises:
            ValueError: `text` has no word in it.
        """
        check(text)
        sentence = Sentence(self.model.machine.new_state(self.model.prepare_script([text], padding_between=1)))
        with self.lock:
            seat = self.seats.pop() if self.seats else self.new_seat()
            self.begin(seat, text)
        try:
            while sentence.step < self.max_steps and not self.is_over(sentence):
                with self.lock:
                    sound = self.next_frame(seat, sentence)
                if sound is not None:
                    yield Speech(sound, self.words(sentence))
        finally:
            self.seats.append(seat)

    # Words

    def words(self, sentence: Sentence) -> tuple[Word, ...]:
        """Those that begin in the frame that is handed on; each lasts until the next, if that is known, or by its letters."""
        said = sentence.script.transcript
        begun: list[Word] = []
        while sentence.num_told < len(said) and said[sentence.num_told][1] - SKIPPED <= sentence.num_said:
            text, step = said[sentence.num_told]
            sentence.num_told += 1
            start = max(0, step - SKIPPED - sentence.num_said) * FRAME_SECONDS
            begun += timed(text, start, self.end_of(sentence, start))
        sentence.num_said += 1
        return tuple(begun)

    def end_of(self, sentence: Sentence, start: float) -> float:
        said = sentence.script.transcript
        if sentence.num_told < len(said):
            return max(start, (said[sentence.num_told][1] - SKIPPED - sentence.num_said) * FRAME_SECONDS)
        return start + len(said[sentence.num_told - 1][0]) / LETTERS_PER_SECOND

    # Steps

    def is_over(self, sentence: Sentence) -> bool:
        end = sentence.script.end_step
        return end is not None and sentence.step >= end + self.model.delay_steps + self.model.final_padding

    @torch.no_grad()
    def next_frame(self, seat: Seat, sentence: Sentence) -> np.ndarray | None:
        """One step of the models; (FRAME_SAMPLES,) float32, None as long as nothing is said yet or all is."""
        self.sentence = sentence
        lm, offset = self.model.lm, sentence.step
        self.take(seat)
        try:
            with self.kernels():
                codes = self.generator.step(self.zeros(lm.n_q - lm.dep_q),
                                            self.zeros(lm.dep_q) if offset < self.model.delay_steps else None)
                sentence.step += 1
                if codes is None or offset - self.generator.max_delay < self.model.delay_steps:
                    return None
                sound = self.model.mimi.decode(codes[:, 1:])[0, 0].clamp(-1.0, 1.0)
        finally:
            self.leave(seat)
        place = offset - self.generator.max_delay - self.model.delay_steps
        end = sentence.script.end_step
        if place < SKIPPED or end is not None and place - SKIPPED >= end:
            return None
        made: np.ndarray = sound.float().cpu().numpy()
        return made

    def zeros(self, num_codebooks: int) -> torch.Tensor:
        """Codes that stand for nothing at all, (1, num_codebooks, 1)."""
        return torch.full((1, num_codebooks, 1), self.model.machine.token_ids.zero, dtype=torch.long, device=self.device)

    def check_numbers(self, logits: torch.Tensor) -> None:
        if not torch.isfinite(logits).all():
            raise OSError(f"{self.name} wrote no numbers: its weights are damaged, or its dtype does not suit it")

    def read_on(self, tokens: torch.Tensor) -> None:
        """Gives the model the next piece of the script where it asks for a word."""
        token, _ = self.model.machine.process(self.sentence.step, self.sentence.script, int(tokens[0]))
        tokens[:] = token

    def wait_for_sound(self, codes: torch.Tensor) -> None:
        """No sound before its delay is over; codes (1, num_codebooks)."""
        lm = self.model.lm
        for place, delay in enumerate(lm.delays[lm.audio_offset: lm.audio_offset + codes.shape[1]]):
            if self.sentence.step < delay + self.model.delay_steps:
                codes[:, place] = self.model.machine.token_ids.zero

    # Seats

    def modules(self) -> tuple[Any, ...]:
        return self.generator, self.model.lm, self.model.mimi

    def new_seat(self) -> Seat:
        """A stream of its own in the same weights: sentences may be under way side by side, a step at a time."""
        with self.generator.streaming(1), self.model.mimi.streaming(1):
            return Seat([module.get_streaming_state() for module in self.modules()])

    def begin(self, seat: Seat, text: str) -> None:
        """Forgets the sentence before; draws follow from the seed and the text."""
        self.take(seat)
        self.generator.reset_streaming()
        self.model.mimi.reset_streaming()
        seed = int.from_bytes(hashlib.sha256(f"{self.seed}|{text}".encode()).digest()[:7], "big")
        before = self.draws()
        torch.manual_seed(seed)
        seat.chance = self.draws()
        self.set_draws(before)
        self.leave(seat, draws=False)

    def take(self, seat: Seat) -> None:
        for module, memory in zip(self.modules(), seat.memory):
            module.set_streaming_state(memory)
        self.others = self.draws()
        if seat.chance:
            self.set_draws(seat.chance)

    def leave(self, seat: Seat, draws: bool = True) -> None:
        if draws:
            seat.chance = self.draws()
        self.set_draws(self.others)
        for module, memory in zip(self.modules(), seat.memory):
            module.set_streaming_state(dict.fromkeys(memory))

    def draws(self) -> list[torch.Tensor]:
        """Where torch's random streams stand, from which moshi draws."""
        return [torch.get_rng_state(), *([torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else [])]

    def set_draws(self, states: list[torch.Tensor]) -> None:
        torch.set_rng_state(states[0])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(states[1], self.device)


def timed(text: str, start: float, end: float) -> list[Word]:
    """The words of one entry of a script, seconds from `start` to `end` shared among them by letters."""
    words = plain_words(text)
    edges = start + (end - start) * np.cumsum([0, *map(len, words)]) / max(1, sum(map(len, words)))
    return [Word(word, float(left), float(right)) for word, left, right in zip(words, edges, edges[1:])]
