"""PersonaPlex's system prompt, to the token: a voice, silence, a role, silence, and then the conversation begins.

Frames of a script become columns of tokens with the model's delays, and columns the embeddings that `Engine.prefill`
hears in one call (Roy et al., 2026, and the order of NVIDIA's server). Where a voice comes from is
`duplex.speech_lm.voice`'s business; who waits for a prompt is not decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
import torch
from moshi.models.lm import LMModel

from duplex.frame import FRAME_SECONDS
from duplex.speech_lm.engine import CODEBOOKS, FREE, Input
from duplex.speech_lm.text import PAD

SILENCE: Final = np.array([948, 243, 1178, 546, 1736, 1030, 1978, 2008])  # Mimi's codes of a silent agent
SINE: Final = np.array([430, 1268, 381, 1611, 1095, 1495, 56, 472])  # and of 440 Hz, which stands for the user
SILENCE_SECONDS: Final = 0.5
SILENCE_FRAMES: Final = int(SILENCE_SECONDS / FRAME_SECONDS)  # 6, the whole frames in 6.25
ROLE_TOKENS: Final = 200  # the longest role PersonaPlex was made for
TAG: Final = "<system>"  # opens and closes a role: there is no closing tag


class Tokenizer(Protocol):
    """A sentencepiece processor, of which this is all that is needed."""

    def encode(self, text: str) -> list[int]: ...


@dataclass(frozen=True, eq=False)
class Script:
    """What a prompt makes everybody say, frame by frame; made by `system_prompt`.

    Attributes:
        user: (num_frames, CODEBOOKS) int64, Mimi's codes.
        agent: (num_frames, CODEBOOKS) int64, likewise.
        text: (num_frames,) int64, the agent's text tokens.
    """

    user: np.ndarray
    agent: np.ndarray
    text: np.ndarray


class Prefix(NamedTuple):
    """What the model has heard before its next tick: the arguments of `Engine.prefill`, and all that a `.pt` voice holds.

    Attributes:
        embeddings: (S, dim), what the model is fed at positions 0 to S - 1.
        ring: (1 + 2 * CODEBOOKS, 2) int64, tokens of positions S and S + 1, FREE where they are not known yet.
    """

    embeddings: torch.Tensor
    ring: torch.Tensor


def wrapped(text: str) -> str:
    """`text` between the tags that PersonaPlex knows a role by; what has them keeps them."""
    text = text.strip()
    return text if text.startswith(TAG) and text.endswith(TAG) else f"{TAG} {text} {TAG}"


def role_tokens(text: str, tokenizer: Tokenizer, budget: int = ROLE_TOKENS) -> list[int]:
    """The tokens of a role with its tags; none for a blank text, with which the agent is nobody in particular.

    Raises:
        ValueError: there are more than `budget`.
    """
    tokens = list(tokenizer.encode(wrapped(text))) if text.strip() else []
    if len(tokens) > budget:
        raise ValueError(f"the role has {len(tokens)} tokens with its tags, at most {budget} fit; shorten it by "
                         f"{1.0 - budget / len(tokens):.0%}")
    return tokens


def system_prompt(role: Sequence[int], voice: np.ndarray | None = None) -> Script:
    """The whole prompt: the voice, silence, a token of the role in each frame, silence.

    Args:
        role: from `role_tokens`.
        voice: (CODEBOOKS, num_frames) codes of the voice; None after a `.pt` voice, which brings its own frames.
    """
    spoken = np.empty((0, CODEBOOKS), np.int64) if voice is None else voice.T
    agent = np.concatenate([spoken, np.tile(SILENCE, (SILENCE_FRAMES + len(role) + SILENCE_FRAMES, 1))])
    text = np.full(len(agent), PAD)
    text[len(spoken) + SILENCE_FRAMES:len(agent) - SILENCE_FRAMES] = role
    return Script(np.tile(SINE, (len(agent), 1)), agent, text)


def prefix(lm: LMModel, script: Script, voice: Prefix | None = None) -> Prefix:
    """All of a prompt but its last frame, for `Engine.prefill`; `opening` is the tick that follows.

    Args:
        script: from `system_prompt`.
        voice: what a `.pt` voice makes the model hear before the script.

    Raises:
        ValueError: the prompt does not fit the model's context.
    """
    num_frames = len(script.text) + (0 if voice is None else len(voice.embeddings) + 1)
    if lm.context is not None and num_frames > lm.context:
        raise ValueError(f"the prompt has {num_frames} frames, but the model was loaded with a context of {lm.context}; give "
                         f"it a context of {num_frames} frames and {1.0 / FRAME_SECONDS} more for each second of conversation")
    table = columns(lm, script, None if voice is None else voice.ring)
    embeddings = embedded(lm, table[:, :-2])
    if voice is not None:
        embeddings = torch.cat([voice.embeddings.to(embeddings), embeddings])
    return Prefix(embeddings, table[:, -2:])


def opening(script: Script) -> Input:
    """The call of the last prompt frame, the first in the shared batch: what the agent says next depends on the seed.

    It returns that last frame, a silent one.
    """
    return Input(codes=script.user[-1], audio=np.array([FREE, *script.agent[-1, 1:]]))


def stepwise(script: Script) -> list[Input]:
    """All calls before the `opening`, one frame each: what `prefix` does at once, for when a call must be short."""
    return [Input(codes=script.user[frame], text=int(script.text[frame + 1]),
                  audio=np.array([script.agent[frame + 1, 0], *script.agent[frame, 1:]]))
            for frame in range(len(script.text) - 1)]


def columns(lm: LMModel, script: Script, ring: torch.Tensor | None = None) -> torch.Tensor:
    """The tokens (1 + 2 * CODEBOOKS, num_positions) that a script puts at each position, FREE where the model chooses.

    A stream with a delay says its frame that many positions later. Up to its delay a stream says its initial token, so
    the first frame of a conversation is never heard.

    Args:
        ring: (1 + 2 * CODEBOOKS, 2), the first two columns where the script goes on from earlier frames. The first of
            them belongs to the frame before the script; without it, position 0 to the script's own first frame.
    """
    head = lm._get_initial_token()[0].expand(-1, 2) if ring is None else ring.to(lm.device)
    begin = 0 if ring is None else 1
    said = np.concatenate([script.text[:, None], script.agent, script.user], axis=1).T
    end = begin + said.shape[1]
    table = torch.full((len(said), end + 1), FREE, device=lm.device)
    for stream, delay in enumerate(lm.delays):
        row = torch.from_numpy(said[stream])
        table[stream, begin + delay:end + delay] = row[:end + 1 - begin - delay]
        table[stream, :delay + 1] = head[stream, :delay + 1]
    return table


@torch.no_grad()
def embedded(lm: LMModel, table: torch.Tensor) -> torch.Tensor:
    """What the model feeds itself (num_positions, dim) for columns of tokens: the sum of its own embeddings.

    In the order of LMModel.forward_text, so that the sum is the same to the bit.
    """
    text, *audio = table
    embeddings = lm.emb[0](audio[0])
    for embedding, codes in zip(lm.emb[1:], audio[1:]):
        embeddings = embeddings + embedding(codes)
    return embeddings + lm.text_emb(text)
