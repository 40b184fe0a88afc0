"""PersonaPlex's own package on tiny random weights: what it says after a voice, a role and some user frames.

    python tests/personaplex_fork.py CHECKOUT OUT.pt [VOICE.pt]

Not a test, but what test_personaplex_fork.py starts: the package is called `moshi` as well, so it needs a process of its
own. The weights and all tokens follow from fixed seeds. Without a VOICE the fork hears a voice as codes and saves it
as OUT.voice.pt by its own means; with one it replays that file.
"""

import os
import sys
from typing import Any

os.environ["NO_TORCH_COMPILE"] = "1"  # read when moshi is imported

import torch

VOICE_FRAMES, ROLE_TOKENS, USER_FRAMES, TEXT_CARD, CODEBOOKS = 14, 9, 30, 200, 8
SIZES = dict(dim=64, text_card=TEXT_CARD, num_heads=4, num_layers=2, context=72, dep_q=2 * CODEBOOKS, depformer_dim=32,
             depformer_dim_feedforward=132, depformer_num_heads=4, depformer_num_layers=2)


class Codec(torch.nn.Module):
    """Stands for Mimi while the voice is heard: its frames are these codes."""

    def __init__(self, codes: torch.Tensor):
        super().__init__()
        self.register_parameter("anything", torch.nn.Parameter(torch.zeros(1)))
        self.frames = iter(codes.T[:, None, :, None])

    def encode(self, sound: torch.Tensor) -> torch.Tensor:
        return next(self.frames)


def model(loaders: Any, LMModel: Any) -> Any:
    """Random weights, large enough that the likeliest token varies."""
    torch.manual_seed(0)
    lm = LMModel(device="cpu", dtype=torch.float32, **{**loaders._lm_kwargs, **SIZES}).eval()
    for weights in lm.parameters():
        if weights.ndim > 1:
            torch.nn.init.normal_(weights, std=2.0 * weights.shape[-1] ** -0.5)
    return lm


@torch.no_grad()
def main() -> None:
    checkout, out, *voices = sys.argv[1:]
    sys.path.insert(0, os.path.join(checkout, "moshi"))
    import moshi
    from moshi.models import loaders
    from moshi.models.lm import LMGen, LMModel
    assert os.path.realpath(moshi.__file__).startswith(os.path.realpath(checkout)), moshi.__file__

    torch.set_num_threads(1)
    lm, random = model(loaders, LMModel), torch.Generator().manual_seed(5)
    voice = torch.randint(0, lm.card, (CODEBOOKS, VOICE_FRAMES), generator=random)
    role = torch.randint(4, TEXT_CARD, (ROLE_TOKENS,), generator=random).tolist()
    user = torch.randint(0, lm.card, (USER_FRAMES, CODEBOOKS), generator=random)
    talker = LMGen(lm, device="cpu", use_sampling=False, audio_silence_frame_cnt=int(0.5 * 12.5), sample_rate=24_000,
                   frame_rate=12.5, check=True, text_prompt_tokens=role)
    if voices:
        talker.load_voice_prompt_embeddings(voices[0])
    else:
        talker.save_voice_prompt_embeddings, talker.voice_prompt = True, f"{os.path.splitext(out)[0]}.voice.wav"
        talker.voice_prompt_audio = torch.zeros(1, VOICE_FRAMES * talker._frame_size).numpy()
    talker.streaming_forever(1)
    for _ in talker._step_voice_prompt_core(Codec(voice)):
        pass
    talker.save_voice_prompt_embeddings = False  # with it, every step would return embeddings too
    talker._step_audio_silence()
    talker._step_text_prompt()
    talker._step_audio_silence()
    said = [talker.step(frame[None, :, None])[0, :1 + CODEBOOKS, 0].clone() for frame in user]
    torch.save({"sizes": SIZES, "weights": lm.state_dict(), "voice": voice, "role": role, "user": user,
                "said": torch.stack(said)}, out)


if __name__ == "__main__":
    main()
