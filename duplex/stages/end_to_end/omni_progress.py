"""How far an answer of a Qwen-Omni is: watched at every token and every step of its decoder, timed by part, stopped there.

What the tokens mean, and who asked, is not known here.
"""

from collections.abc import Callable
from time import perf_counter

import torch
from transformers import StoppingCriteria

from duplex.stages.end_to_end.speech_model import Stopped
from duplex.stages.language.chat_model import ModelFailed


class NobodyListens(Exception):
    """The answer is not wanted any more."""


class AllSaid(Exception):
    """All codes are made, and their sound is made elsewhere."""


class Progress:
    """How far an answer is, and where it ends before its time.

    Args:
        stopped: whether nobody wants it any more.
        text_ends: tokens that end the text.
        code_ends: tokens that end the codes.
    """

    def __init__(self, stopped: Stopped, text_ends: set[int], code_ends: set[int]):
        self.stopped = stopped
        self.text_ends = text_ends
        self.code_ends = code_ends
        self.began = self.now = perf_counter()
        self.first_token: float | None = None
        self.seconds: dict[str, float] = {}
        self.tokens: list[int] = []  # of text, so far
        self.num_codes = 0
        self.decodes_itself = True  # the library does, once all codes are there

    def thought(self, token: int) -> None:
        """The thinker wrote a token."""
        self.pass_on("thinker_seconds")
        self.tokens.append(token)
        if self.first_token is None:
            self.first_token = self.now - self.began
            if token in self.text_ends:
                raise ModelFailed("the model answered with no words: its first token ends the text")

    def said(self, token: int) -> None:
        """The talker made a code."""
        self.pass_on("talker_seconds")
        self.num_codes += 1
        if self.num_codes == 1 and token in self.code_ends:
            raise ModelFailed("the model answered with no sound: its first code ends the speech")

    def decoding(self) -> None:
        """The decoder of the library begins a step.

        Raises:
            AllSaid: it need not.
        """
        if not self.decodes_itself:
            raise AllSaid
        self.pass_on("decoder_seconds")

    def decoded(self) -> None:
        self.pass_on("decoder_seconds")

    def paused(self) -> None:
        """Nobody waited for it in between; that time is not its own."""
        self.now = perf_counter()

    def pass_on(self, part: str) -> None:
        before, self.now = self.now, perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + self.now - before
        if self.stopped():
            raise NobodyListens

    def spent(self, max_tokens: int, max_codes: int) -> dict[str, float]:
        return {**self.seconds, "first_token_seconds": self.first_token or 0.0, "thinker_tokens": len(self.tokens),
                "talker_codes": self.num_codes, "cut_off": len(self.tokens) >= max_tokens or self.num_codes >= max_codes}


class Step(StoppingCriteria):
    """Told of every token that is generated; never stops by itself."""

    def __init__(self, tell: Callable[[int], None]):
        self.tell = tell

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        self.tell(int(input_ids[0, -1]))
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
