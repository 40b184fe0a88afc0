"""Sesame's Conversational Speech Model (CSM, 2025) by transformers 4.57: text and a past in, Mimi's codes out.

A backbone writes the first code of each 80 ms, a depth decoder the others. The loop is ours: the library's `generate` takes no
stopping criterion but a length, and draws from torch's one random stream. Who says what is `csm`'s business.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from transformers import AutoTokenizer, CsmForConditionalGeneration, DynamicCache

from duplex.frame import SAMPLE_RATE
from duplex.speech_lm.hub import Folder, Repository, Source, licence

CONTEXT: Final = "max_position_embeddings"


class Segment(NamedTuple):
    """Something that was said.

    Attributes:
        speaker: 0 or 1, as CSM tells speakers apart.
        codes: (num_frames, num_codebooks) of Mimi.
    """

    speaker: int
    text: str
    codes: torch.Tensor


class CsmModel:
    """One set of weights.

    Args:
        repo: name on the Hub.
        revision: a commit, branch or tag there.
        path: a folder with the same files instead.
        device: as torch names it; None for a GPU where there is one.
        dtype: as torch names it, or "auto" for the checkpoint's own.

    Raises:
        ValueError: this is no such model.
        OSError: the files can not be had.
    """

    def __init__(self, repo: str, revision: str, path: str | None, device: str | None, dtype: str):
        source: Source = Folder(Path(path)) if path else Repository(repo, revision)
        config = source.file("config.json")
        if config is None or json.loads(config.read_text(encoding="utf-8")).get("model_type") != "csm":
            raise ValueError(f"{source.name} has no config.json of model_type csm: "
                             "it is no CSM as transformers has it (sesame/csm-1b)")
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        where: dict[str, Any] = {"pretrained_model_name_or_path": str(Path(path).expanduser()) if path else repo,
                                 "revision": source.revision or "main"}
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(**where)  # classes made at run time
            self.model: Any = CsmForConditionalGeneration.from_pretrained(**where, dtype=dtype)
        except (OSError, ValueError, RuntimeError) as error:
            raise ValueError(f"{source.name} is no CSM that can be loaded: {str(error).splitlines()[0]}") from error
        self.model.to(self.device).eval()
        self.config = self.model.config
        self.facts = {"source": source.name, "revision": source.revision, "licence": licence(source), "device": str(self.device)}
        self.lock = Lock()  # stages work in threads

    @property
    def codec(self) -> Any:
        return self.model.codec_model

    @torch.inference_mode()
    def codes_of(self, samples: np.ndarray) -> torch.Tensor:
        """Sound (num_samples,) at SAMPLE_RATE -> codes (num_frames, num_codebooks)."""
        sound = torch.from_numpy(np.ascontiguousarray(samples)).to(self.device, self.model.dtype)[None, None]
        codes: torch.Tensor = self.codec.encode(sound, num_quantizers=self.config.num_codebooks).audio_codes[0].T
        return codes

    def positions(self, segment: Segment) -> int:
        """How much of the context a segment takes."""
        return len(self.text_tokens(segment.speaker, segment.text)) + len(segment.codes) + 1

    def room(self, text: str, max_frames: int) -> int:
        """Positions left for the past where `text` is to be said."""
        return int(getattr(self.config, CONTEXT)) - len(self.text_tokens(0, text)) - max_frames

    def text_tokens(self, speaker: int, text: str) -> list[int]:
        """As the checkpoint's chat template writes a turn: [speaker]text between the marks of a text."""
        words = self.tokenizer(f"[{speaker}]{text}", add_special_tokens=False)["input_ids"]
        return [self.tokenizer.bos_token_id, *words, self.tokenizer.eos_token_id]

    def frames(self, past: Sequence[Segment], speaker: int, text: str, max_frames: int,
               sampling: "Sampling") -> Iterator[torch.Tensor]:
        """Codes (num_codebooks,) of each 80 ms of `speaker` saying `text`, as they come, until the model ends the turn."""
        with self.lock, torch.inference_mode():
            unread, cache = self.read(past, speaker, text), DynamicCache(config=self.config)
        for _ in range(max_frames):
            with self.lock, torch.inference_mode():
                codes = self.next_codes(unread, cache, sampling)
                unread = self.model.backbone_model.embed_tokens(codes[None, None])
            if bool((codes[:-1] == self.config.codebook_eos_token_id).all()):
                return
            yield codes.clamp(max=self.codec.config.codebook_size - 1)  # two ids more than the codec has are marks

    def read(self, past: Sequence[Segment], speaker: int, text: str) -> torch.Tensor:
        """The conversation so far and the text to be said, (1, positions, hidden)."""
        end = torch.full((1, self.config.num_codebooks), self.config.codebook_eos_token_id, device=self.device)
        parts: list[torch.Tensor] = []
        for segment in past:
            parts.append(self.embedded(segment.speaker, segment.text))
            parts.append(self.model.backbone_model.embed_tokens(torch.cat([segment.codes.to(self.device), end])[None]))
        return torch.cat([*parts, self.embedded(speaker, text)], dim=1)

    def embedded(self, speaker: int, text: str) -> torch.Tensor:
        made: torch.Tensor = self.model.embed_text_tokens(torch.tensor([self.text_tokens(speaker, text)], device=self.device))
        return made

    def next_codes(self, unread: torch.Tensor, cache: DynamicCache, sampling: "Sampling") -> torch.Tensor:
        """The codes of the next 80 ms, (num_codebooks,)."""
        hidden = self.model.backbone_model(inputs_embeds=unread, past_key_values=cache, use_cache=True).last_hidden_state[:, -1]
        codes = [sampling.chosen(self.model.lm_head(hidden)[0])]
        depth = DynamicCache(config=self.config.depth_decoder_config)
        asked = torch.tensor([[0, codes[0]]], device=self.device)  # the backbone's state stands in the place of the 0
        for place in range(1, self.config.num_codebooks):
            first = place == 1
            at = torch.arange(0 if first else place, place + 1, device=self.device)
            made = self.model.depth_decoder(
                input_ids=asked, backbone_last_hidden_state=hidden if first else None, past_key_values=depth, use_cache=True,
                cache_position=at, logits_to_keep=1)
            codes.append(sampling.chosen(made.logits[0, -1]))
            asked = torch.tensor([[codes[-1]]], device=self.device)
        return torch.tensor(codes, device=self.device)


class Sampling:
    """How codes are drawn, from a random stream of its own.

    Args:
        temperature: 0 for the likeliest, always.
        top_k: of the likeliest ones.
    """

    def __init__(self, temperature: float, top_k: int, seed: int):
        self.temperature, self.top_k = temperature, top_k
        self.chance = torch.Generator().manual_seed(seed)

    def chosen(self, logits: torch.Tensor) -> int:
        """One of logits (num_codes,)."""
        if self.temperature == 0.0:
            return int(logits.argmax())
        best, places = (logits.float().cpu() / self.temperature).topk(min(self.top_k, len(logits)))
        return int(places[torch.multinomial(torch.softmax(best, -1), 1, generator=self.chance)])


assert SAMPLE_RATE == 24_000  # Mimi's rate
