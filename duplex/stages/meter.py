"""What a call spends on the stages of a cascade: sound recognised, tokens, characters synthesised; in vain or not.

What that costs in money depends on who sells it, and is `eval`'s business.
"""

from collections.abc import Iterator
from typing import Any

from duplex.frame import FRAME_SECONDS, Frame
from duplex.speech import Speech
from duplex.stages.hearing.stt import Recogniser
from duplex.stages.language.llm import Dialogue, Spends
from duplex.stages.speaking.tts import TTS, StreamsSpeech


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


class MeteredStreamingTTS(MeteredTTS):
    """The same of one whose speech comes in pieces; a text counts whole, however much of it was wanted."""

    def __init__(self, tts: StreamsSpeech):
        super().__init__(tts)
        self.streaming = tts

    def stream(self, text: str) -> Iterator[Speech]:
        self.lengths.append(len(text))
        return self.streaming.stream(text)


def metered(tts: TTS) -> MeteredTTS:
    """`tts` with what is counted of it, streaming where it streams."""
    return MeteredStreamingTTS(tts) if isinstance(tts, StreamsSpeech) else MeteredTTS(tts)


def stated(**parts: object) -> dict[str, Any]:
    """What the parts of an agent say of themselves in an attribute `facts`: of a model its weights' source and licence."""
    known = {name: getattr(part, "facts", None) for name, part in parts.items()}
    return {name: dict(facts) for name, facts in known.items() if facts}


def tally(recogniser: MeteredRecogniser, dialogue: Dialogue, tts: MeteredTTS, *others: object) -> dict[str, Any]:
    """What a recording keeps of it.

    tools: whether the agent can do anything. stt_seconds: of sound given to the recogniser. llm_calls: of a language model,
    and the tokens read and written by them; of llm_calls_estimated these are taken from their characters.
    tts_characters: of text given to the synthesiser. Of `others`, the tokens count.
    """
    spent = [usage for one in (dialogue, *others) if isinstance(one, Spends) for usage in one.spent]
    return {"tools": dialogue.has_tools, "stt_seconds": round(recogniser.num_frames * FRAME_SECONDS, 2),
            "llm_calls": len(spent), "llm_calls_estimated": sum(one.estimated for one in spent),
            "llm_input_tokens": sum(one.input_tokens for one in spent),
            "llm_output_tokens": sum(one.output_tokens for one in spent), "tts_characters": sum(tts.lengths)}
