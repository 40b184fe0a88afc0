"""What does a step of a Moshi-family model cost on this machine, and how many conversations can it hold live?

    python scripts/step_time.py                              Moshi 7B with random weights on a GPU, at its full context
    python scripts/step_time.py --slots 1 16 --context 750   other batches; a minute of context
    python scripts/step_time.py --tiny                       a tiny model, anywhere: what the engine adds to moshi itself

Random weights cost what trained ones do, and moshi reads its whole ring at every step, so all steps cost what one at full
context does. For each number of slots: a step with all of them talking, and its parts (each waited for, so that on a GPU
they sum to more than the step). Beside it the floor: the bytes that a step must read over what this memory copies per
second. Then the stock LMGen and codec with one conversation, in turns with the engine; and a prompt, heard and from the
cache. Prints tables and a last line of JSON.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from time import perf_counter
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from moshi.models import LMGen, LMModel, MimiModel
from rich.console import Console
from rich.progress import track
from rich.table import Table
from stopwatch import quantiles
from tiny_checkpoint import lm_config, random_lm, random_mimi

from duplex import programs
from duplex.frame import FRAME_SAMPLES, FRAME_SECONDS
from duplex.speech_lm.checkpoint import loaders
from duplex.speech_lm.engine import CODEBOOKS, Engine, Input
from duplex.speech_lm.sampling import Sampling

BUDGET_MS: Final = 1_000.0 * FRAME_SECONDS
WARM_UP: Final = 10  # steps that are not counted
PROMPT_FRAMES: Final = 270  # a voice of 50 frames, a role of 200 tokens, silences
COPIED_BYTES: Final = {"cuda": 2**31, "cpu": 2**27}
TINY_TEXT_CARD: Final = 400
PARTS: Final = ("encode", "lm", "depth", "decode")


class Sound(NamedTuple):
    """(num_frames, FRAME_SAMPLES) float32 of noise that everybody says."""

    frames: np.ndarray

    @classmethod
    def of(cls, num_frames: int) -> "Sound":
        random = np.random.default_rng(0)
        return cls((0.1 * random.standard_normal((num_frames, FRAME_SAMPLES))).clip(-1.0, 1.0).astype(np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 8, 32, 64, 80])
    parser.add_argument("--context", type=int, default=None, help="frames; the model's own without it")
    parser.add_argument("--dtype", choices=["bfloat16", "float16", "float32"], default=None)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=None, help="of a CPU; torch's own choice without it")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    if options.device == "cpu" and not options.tiny:
        parser.error("7 billion parameters on a CPU take seconds a step; --tiny measures the engine, --device cuda the model")
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    dtype = getattr(torch, options.dtype or ("float32" if options.tiny else "bfloat16"))
    console, sound = programs.console(), Sound.of(options.steps + WARM_UP)
    lm, mimi = models(options.tiny, options.context, options.device, dtype)
    bandwidth = copied_per_second(options.device)
    about = {"device": device_name(options.device), "model": "tiny" if options.tiny else "Moshi 7B, random weights",
             "dtype": str(dtype).removeprefix("torch."), "context": lm.context, "threads": torch.get_num_threads(),
             "copies_gb_per_s": round(bandwidth / 1e9, 1)}
    batches = [batch_times(lm, mimi, slots, sound, bandwidth) for slots in track(options.slots, "batches", console=console)]
    stock, prompt = against_stock(lm, mimi, sound), prompt_times(lm, mimi)
    show(about, batches, stock, prompt, options.steps, console)
    live = max((batch["slots"] for batch in batches if batch["step_ms"][1] < BUDGET_MS), default=0)
    console.print(f"most conversations of those tried whose p99 is below {BUDGET_MS:.0f} ms: {live}")
    print(json.dumps({**about, "steps": options.steps, "batches": batches, "stock": stock, "prompt": prompt, "live": live}))


@torch.no_grad()
def models(tiny: bool, context: int | None, device: str, dtype: torch.dtype) -> tuple[LMModel, MimiModel]:
    torch.manual_seed(0)
    if tiny:
        config = lm_config(TINY_TEXT_CARD)
        return random_lm(config | {"context": context or config["context"]}).to(device, dtype), random_mimi().to(device)
    mimi = loaders.get_mimi(None, device=device)
    for name, buffer in mimi.named_buffers():
        if name.endswith("embedding_sum"):
            buffer.normal_()
    overrides = {"context": context} if context else {}
    return loaders.get_moshi_lm(None, device=device, dtype=dtype, lm_kwargs_overrides=overrides), mimi


def wait(device: torch.device | str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def timed(work: Callable[[], object], device: torch.device | str) -> float:
    """Seconds until the device is done with it."""
    wait(device)
    started = perf_counter()
    work()
    wait(device)
    return perf_counter() - started


def copied_per_second(device: str) -> float:
    """Bytes read and written per second by a large copy, the best of a few."""
    source = torch.zeros(COPIED_BYTES[torch.device(device).type], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2.0 * source.nbytes / min(timed(lambda: target.copy_(source), device) for _ in range(5))


def read_bytes(engine: Engine) -> tuple[int, int]:
    """What a step must read at least: all weights but the tables that tokens look up, and the rings of all rows."""
    looked_up = {id(one) for name, one in engine.lm.named_parameters() if "emb" in name}
    weights = sum(one.nbytes for one in engine.lm.parameters() if id(one) not in looked_up)
    weights += sum(one.nbytes for one in engine.mimi.parameters())
    states = [state.self_attn._streaming_state.kv_cache.cache.nbytes for state in engine.lm.transformer.layers]
    return weights, sum(states)


def batch_times(lm: LMModel, mimi: MimiModel, slots: int, sound: Sound, bandwidth: float) -> dict[str, Any]:
    """A step with all slots talking, whole and in parts."""
    engine = Engine(lm, mimi, slots)
    engine.warm_up()
    for row in range(slots):
        engine.open(row, row, Sampling())
    everybody = range(slots)
    steps = [timed(partial(engine.tick, dict.fromkeys(everybody, Input(samples=frame))), engine.device)
             for frame in sound.frames][WARM_UP:]
    parts: defaultdict[str, list[float]] = defaultdict(list)
    put_watches(engine, parts)
    for frame in sound.frames[: len(sound.frames) // 3]:
        engine.tick(dict.fromkeys(everybody, Input(samples=frame)))
    weights, rings = read_bytes(engine)
    remove_watches(engine)
    engine.close()
    return {"slots": slots, "step_ms": quantiles(steps), "parts_ms": {part: quantiles(parts[part])[0] for part in PARTS},
            "weights_gb": round(weights / 1e9, 3), "rings_gb": round(rings / 1e9, 3),
            "floor_ms": round(1_000.0 * (weights + rings) / bandwidth, 3), "times_real_time": round(
                slots * FRAME_SECONDS / float(np.median(steps)), 2)}


def put_watches(engine: Engine, parts: defaultdict[str, list[float]]) -> None:
    """Has the four parts of a step write down their seconds."""
    state = engine.generator._streaming_state
    assert state is not None

    def watched(work: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed_work(*arguments: Any) -> Any:
            answers: list[Any] = []
            parts[part].append(timed(lambda: answers.append(work(*arguments)), engine.device))
            return answers[0]

        return timed_work

    for owner, name, part in ((engine.mimi, "encode", "encode"), (state, "graphed_main", "lm"),
                              (state, "graphed_depth", "depth"), (engine.mimi, "decode", "decode")):
        setattr(owner, name, watched(getattr(owner, name), part))


def remove_watches(engine: Engine) -> None:
    """From the codec, which other engines use; the rest goes with the engine's state."""
    for name in ("encode", "decode"):
        delattr(engine.mimi, name)


def twin(lm: LMModel) -> LMModel:
    """Another model with the same weights, so that both can be in streaming mode."""
    other = deepcopy(lm, {id(one): one for one in lm.parameters()})
    assert next(other.parameters()) is next(lm.parameters())
    return other


def against_stock(lm: LMModel, mimi: MimiModel, sound: Sound) -> dict[str, Any]:
    """A step of one conversation in the engine and in moshi's own classes, in turns."""
    other_lm, other_mimi = twin(lm), deepcopy(mimi)
    engine = Engine(lm, mimi)
    engine.warm_up()
    engine.open(0, 0, Sampling())
    generator = LMGen(other_lm)
    seconds: dict[str, list[float]] = {"engine": [], "stock": []}
    with torch.no_grad(), engine.kernels(), other_mimi.streaming(1), generator.streaming(1):  # compiled both or neither
        for index, frame in enumerate(sound.frames):
            turns = [("engine", partial(engine.tick, {0: Input(samples=frame)})),
                     ("stock", partial(stock_step, generator, other_mimi, frame))]
            for name, step in turns[::-1] if index % 2 else turns:
                seconds[name].append(timed(step, engine.device))
    engine.close()
    counted = {name: np.array(each[WARM_UP:]) for name, each in seconds.items()}
    return {"engine_ms": quantiles(counted["engine"]), "stock_ms": quantiles(counted["stock"]),
            "ratio": round(float(np.median(counted["engine"]) / np.median(counted["stock"])), 4)}


def stock_step(generator: LMGen, mimi: MimiModel, frame: np.ndarray) -> np.ndarray | None:
    """What moshi's server does with a frame."""
    codes = mimi.encode(torch.from_numpy(frame).to(generator.lm_model.device)[None, None])
    tokens = generator.step(codes)
    return None if tokens is None else mimi.decode(tokens[:, 1:])[0, 0].cpu().numpy()


def prompt_times(lm: LMModel, mimi: MimiModel) -> dict[str, Any]:
    """Milliseconds until a conversation may begin: a prompt that is heard, and one that was heard before."""
    engine = Engine(lm, mimi)
    length = min(PROMPT_FRAMES, engine.context - 1)
    embeddings = torch.randn(length, lm.dim, device=engine.device, dtype=lm.dtype)
    ring = torch.zeros(1 + 2 * CODEBOOKS, 2, dtype=torch.long)
    cold = [timed(lambda: engine.open(0, 0, Sampling(), engine.prefill(embeddings, ring)), engine.device) for _ in range(6)]
    heard = engine.prefill(embeddings, ring)
    cached = [timed(lambda: engine.open(0, 0, Sampling(), heard), engine.device) for _ in range(20)]
    engine.close()
    return {"frames": length, "first_ms": round(1_000.0 * cold[0], 2), "cold_ms": quantiles(cold[1:])[0],
            "cached_ms": quantiles(cached)[0]}


def device_name(device: str) -> str:
    return torch.cuda.get_device_name() if torch.device(device).type == "cuda" else "CPU"


def show(about: dict[str, Any], batches: list[dict[str, Any]], stock: dict[str, Any], prompt: dict[str, Any], steps: int,
         console: Console) -> None:
    title = (f"{about['model']}, {about['dtype']}, context {about['context']}, on {about['device']} "
             f"({about['copies_gb_per_s']} GB/s); ms over {steps} steps")
    table = Table("slots", "p50", "p99", "max", *PARTS, "floor", "× real time", title=title, title_justify="left")
    for batch in batches:
        table.add_row(*cells(batch))
    console.print(table)
    console.print(f"one conversation: engine {stock['engine_ms'][0]:.2f} ms, moshi's own classes {stock['stock_ms'][0]:.2f} ms, "
                  f"ratio {stock['ratio']:.3f}")
    console.print(f"a prompt of {prompt['frames']} frames: the first {prompt['first_ms']:.1f} ms, "
                  f"each {prompt['cold_ms']:.1f} ms, from the cache {prompt['cached_ms']:.1f} ms")


def cells(batch: dict[str, Any]) -> Iterator[str]:
    yield str(batch["slots"])
    yield from (f"{number:.2f}" for number in (*batch["step_ms"], *batch["parts_ms"].values(), batch["floor_ms"]))
    yield f"{batch['times_real_time']:.1f}"


if __name__ == "__main__":
    main()
