"""What a call spends on the stages of a cascade: sound recognised, tokens, characters synthesised; in vain or not.

What that costs in money depends on who sells it, and is `eval`'s business.
"""

from typing import Any

from duplex.frame import FRAME_SECONDS, Frame
from duplex.speech import Speech
from duplex.stages.llm import Dialogue, Spends
from duplex.stages.stt import Recogniser
from duplex.stages.tts import TTS


class MeteredRecogniser:
    """A recogniser, and how many frames it heard since `reset`."""

    def __init__(self, recogniser: Recogniser):
        self.recogniser = recogniser
        self.num_frames = 0

    def attend(self, domain: str) -> None:
        self.recogniser.attend(domain)

    def reset(self, seed: int = 0) -> None:
        self.recogniser.reset(seed)
        self.num_frames = 0

    def start(self, expected_digits: int = 0) -> None:
        self.recogniser.start(expected_digits)

    def hear(self, frame: Frame) -> str:
        self.num_frames += 1
        return self.recogniser.hear(frame)

    def finish(self) -> str:
        return self.recogniser.finish()


class MeteredTTS:
    """A synthesiser, and how long the texts were that it was given since `reset`."""

    def __init__(self, tts: TTS):
        self.tts = tts
        self.name = tts.name
        self.reset()

    def reset(self) -> None:
        self.lengths: list[int] = []  # a list, since stages work in threads

    def synthesise(self, text: str) -> Speech:
        self.lengths.append(len(text))
        return self.tts.synthesise(text)


def tally(recogniser: MeteredRecogniser, dialogue: Dialogue, tts: MeteredTTS) -> dict[str, Any]:
    """What a recording keeps of it.

    tools: whether the agent can do anything. stt_seconds: of sound given to the recogniser. llm_calls: of a language model,
    and the tokens read and written by them; of llm_calls_estimated these are taken from their characters.
    tts_characters: of text given to the synthesiser.
    """
    spent = list(dialogue.spent) if isinstance(dialogue, Spends) else []
    return {"tools": dialogue.has_tools, "stt_seconds": round(recogniser.num_frames * FRAME_SECONDS, 2),
            "llm_calls": len(spent), "llm_calls_estimated": sum(one.estimated for one in spent),
            "llm_input_tokens": sum(one.input_tokens for one in spent),
            "llm_output_tokens": sum(one.output_tokens for one in spent), "tts_characters": sum(tts.lengths)}
