"""A Moshi with random weights that is made in half a second and has the real one's cardinality, so that prompts fit."""

import torch
from moshi.models import loaders
from moshi.models.compression import MimiModel
from moshi.models.lm import LMModel
from tiny_checkpoint import CARD, random_mimi

__all__ = ["CARD", "small_lm", "small_mimi"]  # CARD: of the codes in PersonaPlex's prompt

torch.set_num_threads(1)  # so little work that threads only wait for one another


@torch.no_grad()
def small_mimi(seed: int = 0) -> MimiModel:
    torch.manual_seed(seed)
    return random_mimi()


@torch.no_grad()
def small_lm(seed: int = 0, dim: int = 64, context: int = 96) -> LMModel:
    torch.manual_seed(seed)
    lm: LMModel = loaders.get_moshi_lm(None, dtype=torch.float32, lm_kwargs={
        **loaders._lm_kwargs, "dim": dim, "text_card": 200, "num_heads": 4, "num_layers": 2, "context": context,
        "depformer_dim": 32, "depformer_dim_feedforward": 132, "depformer_num_heads": 4, "depformer_num_layers": 2})
    for weights in lm.parameters():
        if weights.ndim > 1:  # large enough that the likeliest token varies
            torch.nn.init.normal_(weights.data, std=2.0 * weights.shape[-1] ** -0.5)
    return lm
