"""Qwen2.5-Omni (Xu et al., 2025, arXiv 2503.20215) and Qwen3-Omni (arXiv 2509.17765) by transformers: sound in, sound out.

A thinker writes the answer, a talker says it in codes, a decoder makes sound of them. `generate` of transformers 4.57 does one
after the other: time to first sound is the prefill, all of the text and, with Qwen2.5-Omni, all of the codes and of the decoding;
with Qwen3-Omni those of the first piece. Servers that let the parts overlap are faster. It stops at every token and every step of
the decoder. No tools. Of the turns before, the user's are given as sound and the agent's as text. Needs the extra `moshi`.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
import soxr
import torch
from transformers import (
    AutoTokenizer,
    StoppingCriteriaList,
    WhisperFeatureExtractor,
)
from transformers.models.qwen3_omni_moe.modeling_qwen3_omni_moe import _get_feat_extract_output_lengths

from duplex.conversation import Prompt
from duplex.frame import SAMPLE_RATE
from duplex.recording import USER
from duplex.speech import Speech
from duplex.speech_lm.hub import Folder, Repository, Source, licence
from duplex.stages.end_to_end.omni_checkpoint import MODELS, NEWER, check_speaker, code_samples, kind_of, template_of
from duplex.stages.end_to_end.omni_progress import AllSaid, NobodyListens, Progress, Step
from duplex.stages.end_to_end.omni_stream import Draws, Paced, Wave, in_turns, residual_codes
from duplex.stages.end_to_end.speech_model import Piece, SpeechReply, Stopped, Turn, spaced
from duplex.stages.language.chat_model import ModelFailed
from duplex.stages.language.domain import domain
from duplex.stages.language.role import role_of

RATE_IN: Final = 16_000
SPEAKERS: Final = {"qwen2_5_omni": "Chelsie", NEWER: "Ethan"}  # the library's own defaults
# Without this sentence "audio output may not work as expected", warns the library of Qwen2.5-Omni; the role comes after it.
FIRST_WORDS: Final = {
    "qwen2_5_omni": "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving auditory and "
                    "visual inputs, as well as generating text and speech.",
    NEWER: ""}
MANNERS: Final = "You are on the telephone. Answer in one or two short sentences."
ENDING: Final[np.ndarray] = np.zeros(SAMPLE_RATE // 100, np.float32)  # 10 ms, where all sound is out and words are left
NOTHING_HEARD: Final = "..."  # of an answer that was stopped within its first word


class QwenOmni:
    """One model, in one conversation at a time.

    Args:
        repo: name on the Hub.
        revision: a commit, branch or tag there; it should be a commit where results matter.
        path: a folder with the same files instead.
        device: as torch names it; None for a GPU where there is one.
        dtype: as torch names it, or "auto" for the checkpoint's own.
        speaker: one of the checkpoint's voices; None for the library's default.
        manners: what it is told beside its role.
        max_new_tokens: of text, after which an answer is cut off.
        max_seconds: of sound, after which an answer is cut off.
        temperature: of the text; 0 for the likeliest token, always.
        talker_temperature: of the voice; at 0 it is flat or stuck, and Qwen3-Omni draws its finer codes even so.
        piece_seconds: of sound in a piece of Qwen3-Omni's; None, and always Qwen2.5-Omni, for all of an answer at once.

    Raises:
        ValueError: there is no such model, it is another architecture, or it cannot speak.
    """

    def __init__(self, repo: str = "Qwen/Qwen2.5-Omni-7B", revision: str = "main", path: str | None = None,
                 device: str | None = None, dtype: str = "auto", speaker: str | None = None, manners: str = MANNERS,
                 max_new_tokens: int = 128, max_seconds: float = 30.0, temperature: float = 0.0,
                 talker_temperature: float = 0.9, piece_seconds: float | None = 0.4):
        source: Source = Repository(repo, revision) if path is None else Folder(Path(path))
        self.name = source.name
        self.kind = kind_of(source)
        where = repo if path is None else str(Path(path).expanduser())
        given: dict[str, Any] = {} if source.revision is None else {"revision": source.revision}
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(where, **given)  # classes made at run time, here and below
            self.features: Any = WhisperFeatureExtractor.from_pretrained(where, **given)
            self.model: Any = MODELS[self.kind].from_pretrained(where, dtype=dtype, **given)
        except OSError as error:
            raise ValueError(f"{self.name!r} is no Qwen-Omni that can be loaded, neither a folder nor a name on the Hub: "
                             f"{str(error).splitlines()[0]}") from error
        self.template = self.tokenizer.chat_template or template_of(source)
        self.model.to(self.device).eval()
        self.speaker = speaker or SPEAKERS[self.kind]
        check_speaker(self.model, self.speaker, self.name)
        self.manners = manners
        self.max_new_tokens = max_new_tokens
        self.code_samples = code_samples(self.model.config)
        self.max_codes = max(1, round(max_seconds * SAMPLE_RATE / self.code_samples))
        self.piece_codes = (max(1, round(piece_seconds * SAMPLE_RATE / self.code_samples))
                            if piece_seconds is not None and self.kind == NEWER else None)
        self.temperature = temperature
        self.talker_temperature = talker_temperature
        self.facts: Mapping[str, Any] = {
            "source": self.name, "revision": source.revision, "licence": licence(source),
            "model": self.kind, "speaker": self.speaker, "device": str(self.device), "dtype": str(self.model.dtype)}
        self.lock = Lock()  # stages work in threads, and one that nobody waits for may still be at it
        self.decoder: Any = self.model.code2wav if self.kind == NEWER else self.model.token2wav.code2wav_dit_model
        self.decoder.register_forward_pre_hook(lambda *_: self.progress.decoding())
        self.reset(Prompt(), 0)

    def warm_up(self) -> None:
        """Has nothing to do: the weights are loaded when it is made. Kernels are chosen with the first answer."""

    def reset(self, prompt: Prompt, seed: int) -> None:
        with self.lock:
            role = prompt.text or (role_of(domain(prompt.domain), prompt.records) if prompt.domain else "")
            self.role = "\n\n".join(filter(None, (FIRST_WORDS[self.kind], role, self.manners)))
            self.seed = seed
            self.progress = Progress(lambda: False, set(), set())
            self.spent: dict[str, float] = {}

    def tally(self) -> Mapping[str, Any]:
        """Seconds by part, summed over the answers; of those, to the first token of text; and how many were cut off."""
        return {"tools": False, **{name: round(value, 3) for name, value in sorted(self.spent.items())}}

    def answer(self, turns: Sequence[Turn]) -> SpeechReply:
        return SpeechReply(lambda stopped: self.pieces(turns, stopped))

    def pieces(self, turns: Sequence[Turn], stopped: Stopped) -> Generator[Piece, None, None]:
        """The answer.

        Raises:
            ModelFailed: no words, no sound, or sound that is none.
        """
        with self.lock:
            if stopped():
                return
            self.progress = progress = Progress(stopped, self.text_ends, self.code_ends)
            try:
                if self.piece_codes is None:
                    yield self.whole(self.inputs(turns), progress)
                else:
                    yield from self.streamed(self.inputs(turns), progress, self.piece_codes)
            except NobodyListens:
                return
            finally:
                self.count(progress)

    def whole(self, inputs: Mapping[str, torch.Tensor], progress: Progress) -> Piece:
        with Draws(self.seed, self.device):
            sound = self.generated(inputs, progress)
        progress.decoded()
        text = self.text(progress)
        return Piece(spaced(text, playable(sound.reshape(-1).float().cpu().numpy(), self.name)), text)

    def streamed(self, inputs: Mapping[str, torch.Tensor], progress: Progress, num_codes: int) -> Generator[Piece, None, None]:
        """Pieces of so many codes, each decoded as soon as they are there."""
        draws, paced, told = Draws(self.seed, self.device), Paced(), False
        with closing(in_turns(partial(self.decode_along, inputs, progress, draws, num_codes))) as sounds:
            for sound, last in sounds:
                text, samples = self.text(progress), playable(sound, self.name)
                words = paced.words_of(text, len(samples) / SAMPLE_RATE, last)
                yield Piece(Speech(samples, words), "" if told else text)
                told = True

    def decode_along(self, inputs: Mapping[str, torch.Tensor], progress: Progress, draws: Draws, num_codes: int,
                     give: Callable[[tuple[np.ndarray, bool]], None]) -> None:
        """Gives the sound of every `num_codes` codes while the library generates, and of what is left."""
        wave = Wave(self.decoder.forward, self.code_samples, num_codes)  # past the hook that stops the library's own decoding
        progress.decodes_itself = False

        def take(talker: object, heard: object, made: Any) -> None:
            code = residual_codes(made)
            progress.pass_on("talker_seconds")
            sound = None if code is None else wave.take(code)
            if sound is not None:
                progress.pass_on("decoder_seconds")
                with draws.given_back():
                    give((sound, False))
                progress.paused()

        hook = self.model.talker.register_forward_hook(take)
        try:
            with draws:
                self.generated(inputs, progress)
        except AllSaid:
            with torch.inference_mode():
                rest = wave.rest()
            progress.decoded()
            give((rest if len(rest) or not wave.num_samples else ENDING, True))
        finally:
            hook.remove()

    def generated(self, inputs: Mapping[str, torch.Tensor], progress: Progress) -> torch.Tensor:
        """The sound of a whole answer; what is written is in `progress`."""
        options = {
            **sampled("thinker", self.temperature), **sampled("talker", self.talker_temperature),
            "thinker_max_new_tokens": self.max_new_tokens, "talker_max_new_tokens": self.max_codes,
            "thinker_eos_token_id": sorted(self.text_ends), "thinker_pad_token_id": self.tokenizer.pad_token_id,
            "talker_pad_token_id": self.code_pad, "thinker_stopping_criteria": StoppingCriteriaList([Step(progress.thought)]),
            "talker_stopping_criteria": StoppingCriteriaList([Step(progress.said)])}
        if self.kind != NEWER:
            options["talker_eos_token_id"] = sorted(self.code_ends)
        with torch.inference_mode():
            sound: torch.Tensor = self.model.generate(**inputs, speaker=self.speaker, return_audio=True, **options)[1]
        return sound

    def text(self, progress: Progress) -> str:
        return str(self.tokenizer.decode(progress.tokens, skip_special_tokens=True)).strip()

    # What it reads

    def inputs(self, turns: Sequence[Turn]) -> dict[str, torch.Tensor]:
        """The chat as the model was taught to read it: each sound as so many tokens as its encoder makes of it."""
        sounds = [soxr.resample(turn.speech.samples, SAMPLE_RATE, RATE_IN) for turn in turns if turn.party == USER]
        heard = self.features(sounds, sampling_rate=RATE_IN, padding="longest", truncation=False, return_attention_mask=True,
                              return_tensors="pt")
        text = self.tokenizer.apply_chat_template(self.chat(turns), chat_template=self.template, tokenize=False,
                                                  add_generation_prompt=True)
        before, *after = text.split(self.audio_token)
        if len(after) != len(sounds):
            raise ModelFailed(f"{self.name}: its chat template made {len(after)} places for {len(sounds)} sounds; it is none for "
                              "this architecture")
        counts = self.num_tokens(heard["attention_mask"].sum(-1))
        spread = before + "".join(self.audio_token * count + rest for count, rest in zip(counts, after))
        read = self.tokenizer(spread, return_tensors="pt")
        made = {"input_ids": read["input_ids"], "attention_mask": read["attention_mask"],
                "input_features": heard["input_features"].to(self.model.dtype), "feature_attention_mask": heard["attention_mask"]}
        return {name: value.to(self.device) for name, value in made.items()}

    def chat(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        said = [{"role": "user", "content": [{"type": "audio", "audio": "turn"}]} if turn.party == USER else
                {"role": "assistant", "content": [{"type": "text", "text": turn.text or NOTHING_HEARD}]} for turn in turns]
        return [{"role": "system", "content": [{"type": "text", "text": self.role}]}, *said]

    def num_tokens(self, num_features: torch.Tensor) -> list[int]:
        """How many tokens stand for sounds of so many feature frames, (num_sounds,)."""
        made = (_get_feat_extract_output_lengths(num_features) if self.kind == NEWER
                else self.model.thinker.audio_tower._get_feat_extract_output_lengths(num_features)[1])
        return [int(count) for count in made]

    @property
    def audio_token(self) -> str:
        config = self.model.config.thinker_config
        token = config.audio_token_id if self.kind == NEWER else config.audio_token_index
        return str(self.tokenizer.convert_ids_to_tokens(token))

    @property
    def text_ends(self) -> set[int]:
        known = self.tokenizer.eos_token_id, self.tokenizer.get_vocab().get("<|im_end|>")
        return {token for token in known if token is not None}

    @property
    def code_ends(self) -> set[int]:
        config = self.model.config.talker_config
        if self.kind == NEWER:
            return {config.codec_eos_token_id}
        return {config.tts_codec_pad_token_id, config.tts_codec_end_token_id}

    @property
    def code_pad(self) -> int:
        config = self.model.config.talker_config
        return int(config.codec_pad_id if self.kind == NEWER else config.tts_codec_pad_token_id)

    def count(self, progress: Progress) -> None:
        for name, value in progress.spent(self.max_new_tokens, self.max_codes).items():
            self.spent[name] = self.spent.get(name, 0.0) + value


def sampled(part: str, temperature: float) -> dict[str, Any]:
    return {f"{part}_do_sample": True, f"{part}_temperature": temperature} if temperature else {f"{part}_do_sample": False}


def playable(sound: np.ndarray, name: str) -> np.ndarray:
    """`sound` if it is one, clipped.

    Raises:
        ModelFailed: it is not.
    """
    if not len(sound) or not np.isfinite(sound).all():
        wrong = "sound that is not a number: another dtype may help" if len(sound) else "no sound"
        raise ModelFailed(f"{name} answered with {wrong}")
    return np.clip(sound, -1.0, 1.0).astype(np.float32)
