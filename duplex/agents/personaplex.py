"""PersonaPlex as a participant: Moshi with a voice and a role, which it hears as a prompt before the call.

The prompt is one call in a state of its own, whose result is copied into the slot and kept for the next conversation with
the same voice and role. What the prompt says, to the token, stands in `duplex.speech_lm.prompt`.
"""

from typing import Literal

from duplex.agents.moshi import Moshi
from duplex.conversation import Prompt
from duplex.latency import Charges, Ideal
from duplex.speech_lm.engine import Input, Snapshot
from duplex.speech_lm.prompt import ROLE_TOKENS, Script, opening, prefix, role_tokens, stepwise, system_prompt
from duplex.speech_lm.sampling import Sampling
from duplex.speech_lm.serving import Deployment, Served, served
from duplex.speech_lm.slots import Seat
from duplex.speech_lm.voice import VoicePrompt, voice_names, voice_prompt

ROLE = "You enjoy having a good conversation."  # for a call that brings none; one of NVIDIA's own


class PersonaPlex(Moshi):
    """A model of the Moshi family that has been taught to take a voice and a role.

    Args:
        served, sampling, latency: as for `Moshi`.
        voice: None for no voice in particular.
        role: what it is told where the call's prompt says nothing.
        prompting: "prefill" hears the prompt in one call; "stepwise" frame by frame, in the shared batch.
        max_role_tokens: the longest role, with its tags.
    """

    def __init__(self, served: Served, sampling: Sampling = Sampling(), latency: Charges = Ideal(),
                 voice: VoicePrompt | None = None, role: str = ROLE, prompting: Literal["prefill", "stepwise"] = "prefill",
                 max_role_tokens: int = ROLE_TOKENS):
        super().__init__(served, sampling, latency)
        if prompting == "stepwise" and voice is not None and voice.codes is None:
            raise ValueError(f"the voice {voice.name} is a .pt without codes, which cannot be heard frame by frame; "
                             "agent.prompting=prefill hears it")
        self.voice = voice
        self.role = role
        self.prompting = prompting
        self.max_role_tokens = max_role_tokens
        self.facts = {**self.facts, "voice": voice and {"name": voice.name, "digest": voice.digest}}

    @property
    def voices(self) -> list[str]:
        """Names of the checkpoint's own voices."""
        return voice_names(self.served.model.checkpoint.voices)

    def begun(self, prompt: Prompt, seed: int) -> tuple[Seat, Input]:
        role = role_tokens(prompt.text or self.role, self.served.model.tokenizer, self.max_role_tokens)
        script = system_prompt(role, None if self.voice is None else self.voice.codes)
        slots = self.served.slots
        if self.prompting == "stepwise":
            self.seat = seat = slots.sit(seed, self.sampling)  # known before the first step, so that `leave` finds it
            for frame in stepwise(script):
                seat.step(frame)
            slots.run(lambda: slots.engine.renew_codec(seat.row))  # nobody has heard the agent speak its prompt
            return seat, opening(script)
        key = self.voice and self.voice.digest, tuple(role)
        heard = slots.run(lambda: self.served.prefixes.get(key, lambda: self.heard(script)))
        return slots.sit(seed, self.sampling, heard), opening(script)

    def heard(self, script: Script) -> Snapshot:
        """The model after the prompt, but for its last frame."""
        engine = self.served.slots.engine
        return engine.prefill(*prefix(engine.lm, script, None if self.voice is None else self.voice.heard))


def personaplex(
    *,
    repo: str | None = None,
    revision: str | None = None,
    path: str | None = None,
    weights: str | None = None,
    mimi: str | None = None,
    tokenizer: str | None = None,
    config: str | None = None,
    lora: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    context: int | None = None,
    slots: int = 1,
    live: bool = False,
    score_user: bool = False,
    temperature: float = 0.8,
    top_k: int = 250,
    text_temperature: float = 0.7,
    text_top_k: int = 25,
    voice: str | None = None,
    consent: bool = False,
    role: str = ROLE,
    prompting: Literal["prefill", "stepwise"] = "prefill",
    max_role_tokens: int = ROLE_TOKENS,
    latency: Charges = Ideal(),
) -> PersonaPlex:
    """`agent=personaplex`: as `agent=moshi`, with a voice (a name of the checkpoint's, a `.pt`, a sound file) and a role."""
    sampling = Sampling(temperature, top_k, text_temperature, text_top_k)
    deployment = Deployment("personaplex", repo, revision, path, weights, mimi, tokenizer, config, lora, device, dtype,
                            context, slots, live, score_user)
    its = served(deployment)
    speaks = its.slots.run(lambda: known_voice(its, voice, consent)) if voice else None
    return PersonaPlex(its, sampling, latency, speaks, role, prompting, max_role_tokens)


def known_voice(its: Served, voice: str, consent: bool) -> VoicePrompt:
    """What a voice says, read once."""
    if (voice, consent) not in its.voices:
        model = its.model
        its.voices[voice, consent] = voice_prompt(voice, model.checkpoint.voices, model.lm, model.mimi, consent)
    return its.voices[voice, consent]
