"""Mimi's codes as sound, a frame at a time, as transformers has the codec (Défossez et al., 2024; `MimiModel` of 4.57).

The library decodes whole stretches only: its transformer has a cache, its convolutions have none. All of them look back alone, so
each frame is decoded with as much of the past as they reach. What is said is the same as of the whole. No encoding.
"""

from typing import Any, Final

import numpy as np
import torch
from transformers import DynamicCache

from duplex.frame import SAMPLE_RATE

UPSAMPLED_PAST: Final = 1  # frames of codes that the way up to the transformer's rate looks back
PAST: Final = 10  # steps of the transformer that the convolutions behind it look back; Mimi's reach 8


class MimiSound:
    """One stretch of sound under way.

    Args:
        codec: transformers' MimiModel.
    """

    def __init__(self, codec: Any):  # a class made at run time
        self.codec = codec
        self.cache = DynamicCache(config=codec.config)
        self.codes: torch.Tensor | None = None  # the last frames, (1, num_codebooks, frames)
        self.past: torch.Tensor | None = None  # what the transformer said last, (1, steps, hidden)
        self.frame_samples = round(SAMPLE_RATE / codec.config.frame_rate)

    @torch.inference_mode()
    def spoken(self, codes: torch.Tensor) -> np.ndarray:
        """The sound of the next frames: codes (num_codebooks, num_frames) -> (num_samples,) float32."""
        new = codes[None]
        seen = new if self.codes is None else torch.cat([self.codes, new], dim=-1)
        self.codes = seen[..., -UPSAMPLED_PAST:]
        steps = self.codec.upsample(self.codec.quantizer.decode(seen))
        steps = steps[..., -(steps.shape[-1] // seen.shape[-1]) * new.shape[-1]:].transpose(1, 2)
        steps = self.codec.decoder_transformer(steps, past_key_values=self.cache, use_cache=True,
                                               return_dict=True).last_hidden_state
        seen = steps if self.past is None else torch.cat([self.past, steps], dim=1)
        self.past = seen[:, -PAST:]
        sound = self.codec.decoder(seen.transpose(1, 2))[0, 0, -self.frame_samples * new.shape[-1]:]
        made: np.ndarray = sound.float().cpu().numpy()
        return made
