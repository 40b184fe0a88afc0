"""Sampling with a random stream for each conversation, counted instead of advanced.

The noise of a token follows from (seed, position, codebook, token) and from nothing else. So a seed gives the same
tokens in any slot, beside any neighbours, in a batch of any size and after a resume, and there is no generator whose
state would have to be kept.
"""

from dataclasses import dataclass
from typing import Final

import torch

MAX_TOP_K: Final = 250  # what Moshi's own server samples from; a batch draws noise for as many candidates in every row
GOLDEN: Final = 0x9E3779B97F4A7C15 - 2**64  # the gamma of SplitMix64, as a signed number
MIX_1: Final = 0xBF58476D1CE4E5B9 - 2**64
MIX_2: Final = 0x94D049BB133111EB - 2**64
MANTISSA: Final = 23  # bits of a uniform number that float32 holds with half a step more


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; the defaults are Moshi's own.

    Attributes:
        temperature: of the agent's audio codes; 0 takes the likeliest.
        top_k: how many of the likeliest audio codes are drawn from, 1 to MAX_TOP_K.
        text_temperature: of the text; 0 takes the likeliest.
        text_top_k: how many of the likeliest text tokens are drawn from, 1 to MAX_TOP_K.
    """

    temperature: float = 0.8
    top_k: int = 250
    text_temperature: float = 0.7
    text_top_k: int = 25

    def __post_init__(self) -> None:
        for name in ("temperature", "text_temperature"):
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is 0 or more (0 takes the likeliest token), not {getattr(self, name)}")
        for name in ("top_k", "text_top_k"):
            if not 1 <= getattr(self, name) <= MAX_TOP_K:
                raise ValueError(f"{name} is 1 to {MAX_TOP_K}, not {getattr(self, name)}")


GREEDY: Final = Sampling(temperature=0.0, text_temperature=0.0)


class Streams:
    """What each row of a batch draws its tokens with.

    The tensors have one entry per row and are changed in place, so that a captured CUDA graph sees the change.

    Args:
        codebooks: how many audio codes are drawn per frame.
        card: of an audio codebook.
        text_card: of the text.
    """

    def __init__(self, num_rows: int, codebooks: int, card: int, text_card: int, device: torch.device):
        self.keys = torch.zeros(num_rows, dtype=torch.long, device=device)
        self.text, self.audio = Stream(num_rows, text_card, device), Stream(num_rows, card, device)
        self.noise = torch.zeros(num_rows, codebooks, card, device=device)
        self.codebooks = torch.arange(1, 1 + codebooks, device=device)

    def set(self, row: int, seed: int, sampling: Sampling) -> None:
        self.keys[row] = mixed(torch.tensor(seed * GOLDEN % 2**64 - 2**63))
        self.text.set(row, sampling.text_temperature, sampling.text_top_k)
        self.audio.set(row, sampling.temperature, sampling.top_k)

    def draw_text(self, logits: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Tokens (rows,) from the text logits (rows, text_card) at `positions` (rows,); draws the noise of the audio too."""
        rows = mixed(self.keys + positions * GOLDEN)[:, None]
        self.noise.copy_(gumbel(mixed(rows + self.codebooks * GOLDEN)[..., None], self.audio.tokens))
        values, tokens = self.text.likeliest(logits)
        return self.text.drawn(values, tokens, gumbel(rows, tokens))

    def draw_audio(self, logits: torch.Tensor, codebook: int) -> torch.Tensor:
        """Codes (rows,) of one codebook from its logits (rows, card)."""
        values, tokens = self.audio.likeliest(logits)
        return self.audio.drawn(values, tokens, self.noise[:, codebook].gather(1, tokens))


class Stream:
    """The settings of one kind of token, row by row."""

    def __init__(self, num_rows: int, card: int, device: torch.device):
        self.temperature = torch.zeros(num_rows, 1, device=device)
        self.cut = torch.zeros(num_rows, min(MAX_TOP_K, card), device=device)  # 0 within the top k, -inf below
        self.tokens = torch.arange(card, device=device)

    def set(self, row: int, temperature: float, top_k: int) -> None:
        self.temperature[row] = temperature
        self.cut[row, :top_k], self.cut[row, top_k:] = 0.0, -torch.inf

    def likeliest(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (rows, candidates) in falling order, and their tokens."""
        return logits.float().topk(self.cut.shape[1])

    def drawn(self, values: torch.Tensor, tokens: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The Gumbel-max trick: the largest of logit + temperature * noise is a draw from softmax(logit / temperature)."""
        scores = torch.addcmul(values + self.cut, self.temperature, noise)
        return tokens.gather(1, scores.argmax(1, keepdim=True))[:, 0]


def gumbel(keys: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Standard Gumbel noise of `tokens`, whatever order they come in; `keys` int64 broadcast against them."""
    bits = mixed(keys + tokens * GOLDEN)
    uniform = (logical_shift(bits, 64 - MANTISSA).float() + 0.5) / 2.0**MANTISSA
    return -torch.log(-torch.log(uniform))


def mixed(numbers: torch.Tensor) -> torch.Tensor:
    """SplitMix64's output function on int64 that wraps around (Steele, Lea and Flood, OOPSLA 2014)."""
    numbers = (numbers ^ logical_shift(numbers, 30)) * MIX_1
    numbers = (numbers ^ logical_shift(numbers, 27)) * MIX_2
    return numbers ^ logical_shift(numbers, 31)


def logical_shift(numbers: torch.Tensor, bits: int) -> torch.Tensor:
    """Right, without the sign."""
    return (numbers >> bits) & ((1 << (64 - bits)) - 1)
