"""moshi's LMGen with rows that draw their own tokens, and that can be told tokens instead.

Two hooks and one method of the stock class are used; nothing of moshi 0.2.13 is changed.
"""

from typing import Final

import torch
from moshi.models import LMGen
from moshi.models.lm import LMModel

from duplex.speech_lm.sampling import Streams

FREE: Final = -2  # moshi's "ungenerated": a token that the model chooses itself


class Generator(LMGen):
    """The language model of a batch of conversations, one token column per row and call.

    Attributes:
        streams: what each row draws with.
        text: (rows,) int64, the text token that a row is told, or FREE.
        audio: (rows, agent codebooks) int64, the codes that a row is told, or FREE.
        forcing: whether any row is told anything in this call.
        hidden: (rows, 1, dim), what the temporal transformer said in the last call.
    """

    def __init__(self, lm: LMModel, num_rows: int):
        super().__init__(lm, use_sampling=False, support_out_of_sync=True, on_text_logits_hook=self.draw_text,
                         on_text_hook=self.put_text, on_audio_hook=self.put_audio)
        self.streams = Streams(num_rows, lm.dep_q, lm.card, lm.text_linear.out_features, lm.device)
        self.text = torch.full((num_rows,), FREE, device=lm.device)
        self.audio = torch.full((num_rows, lm.dep_q), FREE, device=lm.device)
        self.hidden = torch.zeros(num_rows, 1, lm.dim, device=lm.device, dtype=lm.dtype)
        self.forcing = False

    def draw_text(self, logits: torch.Tensor) -> None:
        """Called by LMGen with (rows, 1, 1, cardinality)."""
        assert self._streaming_state is not None
        self.drawn_text = self.streams.draw_text(logits[:, 0, 0], self._streaming_state.offsets)

    def put_text(self, tokens: torch.Tensor) -> None:
        """Called by LMGen with (rows,), before the depth transformer and the ring see it."""
        tokens.copy_(torch.where(self.text == FREE, self.drawn_text, self.text) if self.forcing else self.drawn_text)

    def put_audio(self, codes: torch.Tensor) -> None:
        """Called by LMGen with (rows, agent codebooks), before the ring sees them."""
        if self.forcing:
            codes.copy_(torch.where(self.audio == FREE, codes, self.audio))

    def depformer_step(self, text_token: torch.Tensor, transformer_out: torch.Tensor) -> torch.Tensor:
        """Codes (rows, agent codebooks), drawn one after the other; what LMGen does, with a stream per row."""
        self.hidden.copy_(transformer_out)
        last, codes = text_token, []
        with self.lm_model.depformer.streaming(len(text_token)):
            for codebook in range(self.lm_model.dep_q):
                logits = self.lm_model.forward_depformer(codebook, last[:, None, None], transformer_out)
                last = self.streams.draw_audio(logits[:, 0, 0], codebook)
                codes.append(last)
        return torch.stack(codes, dim=1)
