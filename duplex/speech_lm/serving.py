"""A model and its slots, loaded once per process: whoever asks for the same gets the same.

What the weights are and where they lie is `duplex.speech_lm.checkpoint`'s business, who speaks with them that of the
agents.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Final, Literal, NamedTuple

import torch

from duplex.frame import FRAME_SECONDS
from duplex.speech_lm import memory
from duplex.speech_lm.checkpoint import Model, find, load
from duplex.speech_lm.engine import CODEBOOKS, Engine, Snapshot
from duplex.speech_lm.scoring import SLICES
from duplex.speech_lm.slots import Slots
from duplex.speech_lm.voice import VoicePrompt

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deployment:
    """What is loaded, and onto what.

    Attributes:
        family: whose layout the files have.
        repo: on the Hub; or
        path: a folder with the same files.
        revision: of the repo, a commit or a branch.
        weights, mimi, tokenizer, config, lora: files in place of the repo's or the folder's.
        device: None for a GPU where there is one.
        dtype: of the language model; None for what suits the device.
        context: frames that the model remembers, prompt included; None for the model's own.
        slots: conversations at a time.
        live: whether ticks have a deadline instead of waiting for everybody (`duplex.speech_lm.slots`).
        score_user: whether the model also says how surprising the user is (PersonaPlex only).
    """

    family: Literal["moshi", "personaplex"]
    repo: str | None = None
    revision: str | None = None
    path: str | None = None
    weights: str | None = None
    mimi: str | None = None
    tokenizer: str | None = None
    config: str | None = None
    lora: str | None = None
    device: str | None = None
    dtype: str | None = None
    context: int | None = None
    slots: int = 1
    live: bool = False
    score_user: bool = False


class Prefixes:
    """Prompts that the model has heard: voice and role cost a copy from the second conversation on.

    Not for several threads: `Slots.run` asks.

    Args:
        most: how many are kept; each takes its frames' share of a slot's memory.
    """

    def __init__(self, most: int = 8):
        self.most = most
        self.kept: OrderedDict[Hashable, Snapshot] = OrderedDict()

    def get(self, key: Hashable, hear: Callable[[], Snapshot]) -> Snapshot:
        """What `hear` returned for `key`; the one asked for longest ago makes place for a new one."""
        if key not in self.kept:
            self.kept[key] = hear()
        self.kept.move_to_end(key)
        if len(self.kept) > self.most:
            self.kept.popitem(last=False)
        return self.kept[key]


class Served(NamedTuple):
    """A loaded model with its seats, and the voices and prompts it knows by now."""

    model: Model
    slots: Slots
    prefixes: Prefixes
    voices: dict[Hashable, VoicePrompt]


SERVED: Final[dict[Deployment, Served]] = {}
LOADING: Final = Lock()  # threads that want the same model wait for one that loads it


def served(deployment: Deployment) -> Served:
    """The model, loaded if nobody has asked for it yet.

    Raises:
        ValueError: it cannot be found, does not fit the memory, or is not what it should be; says what would be right.
    """
    with LOADING:
        if deployment not in SERVED:
            SERVED[deployment] = loaded(deployment)
        return SERVED[deployment]


def loaded(deployment: Deployment) -> Served:
    device = deployment.device or ("cuda" if torch.cuda.is_available() else "cpu")
    checkpoint = find(
        deployment.family, repo=deployment.repo, revision=deployment.revision, path=deployment.path,
        weights=deployment.weights, mimi=deployment.mimi, tokenizer=deployment.tokenizer, config=deployment.config,
        lora=deployment.lora)
    quantised = "int8" if checkpoint.lm_config.get("quantize") else None
    dtype = deployment.dtype or quantised or ("float32" if device == "cpu" else "bfloat16")
    kept = {**checkpoint.lm_config, "dep_q": SLICES if deployment.score_user else CODEBOOKS}  # whatever the file has
    plan = memory.plan(kept, checkpoint.mimi_config, deployment.slots, deployment.context, dtype, device)
    log.info("%s", plan)
    memory.check(plan, memory.available(device))
    model = load(checkpoint, device, dtype, deployment.context, deployment.score_user)
    engine = Engine(model.lm, model.mimi, deployment.slots)
    engine.warm_up()
    return Served(model, Slots(engine, FRAME_SECONDS if deployment.live else None), Prefixes(), {})
