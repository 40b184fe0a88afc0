"""How surprising the user's own sound is to the model: the eight codebooks of PersonaPlex that listening does not need.

Its file has 16 depth slices, the last eight of which predict the user. They are fed what was really said, one frame
later, when it is known; so this changes nothing that the model says.
"""

import torch
from moshi.models.lm import LMModel

from duplex.speech_lm.generator import Generator

SLICES = 16  # eight for the agent, eight for the user


def predicts_user(lm: LMModel) -> bool:
    """Whether the weights have slices for the user's codebooks."""
    return len(lm.linears) == SLICES


def user_nats(generator: Generator, hidden: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood of the user's codes at the position that the last call was fed.

    Args:
        generator: after the call.
        hidden: (rows, 1, dim), what the temporal transformer had said one call earlier.

    Returns:
        (rows, 8) float32 in nats: the first codebook of that frame, the others of the frame before (their delay is one
        frame). What it says of a row in its first two calls means nothing.
    """
    lm, state = generator.lm_model, generator._streaming_state
    assert state is not None and predicts_user(lm)
    ring = state.cache
    position = ((state.offsets - 1) % ring.shape[2])[:, None, None].expand(-1, ring.shape[1], 1)
    column = ring.gather(2, position).clamp(min=0)
    agent_slices, lm.dep_q = lm.dep_q, SLICES
    try:
        logits = lm.forward_depformer_training(column, hidden)  # (rows, SLICES, 1, card)
    finally:
        lm.dep_q = agent_slices
    told = column[:, 1 + agent_slices:].clamp(max=lm.card - 1)
    logs = logits[:, agent_slices:, 0].float().log_softmax(-1)
    return -logs.gather(-1, told)[..., 0]
