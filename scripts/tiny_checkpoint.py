"""What does a checkpoint of either family look like, small enough for a test? Random weights, the real files.

    python scripts/tiny_checkpoint.py moshi FOLDER
    python scripts/tiny_checkpoint.py personaplex FOLDER --seed 1

Everything has the names, layout and number ranges of the released checkpoints; only the dimensions are small. What it says
means nothing. Prints what it wrote and a last line of JSON.
"""

import argparse
import gzip
import io
import json
import tarfile
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import sentencepiece
import torch
from moshi.models import loaders
from moshi.models.compression import MimiModel
from moshi.models.lm import LMModel
from rich.console import Console
from rich.table import Table
from safetensors.torch import save_file

from duplex.speech_lm.voice import to_pt

CARD: Final = loaders._lm_kwargs["card"]  # PersonaPlex's silence and sine are tokens of it
CODEBOOKS, CONTEXT, DIM = 8, 512, 64  # a context for a prompt and some seconds
MIMI_CONFIG_NAME: Final = "mimi_config.json"
PAD, EPAD = 3, 0
PADDING_WEIGHT: Final = {PAD: 110.0, EPAD: 70.0}  # of the text head: about half of the frames say nothing, as in speech
ALWAYS_ON: Final = 0.1  # in each of the 17 embeddings that a frame is the sum of
PEAK: Final = 0.5  # of the sound it makes
VOICES: Final = ("NATF0", "NATM0")
LICENCES: Final = {"moshi": "license: cc-by-4.0", "personaplex": "license: other\nlicense_name: nvidia-open-model-license"}
TEXT: Final = """hello how can i help you today
you work for an optician and you answer questions about orders and appointments
you enjoy having a good conversation
where is my order, my order number is one two three four five
thank you, your order has shipped and it will arrive on friday
is there parking, yes there is free parking behind the store for two hours
i need to move my appointment, what day and time would you like
how about tuesday at ten in the morning, that works
sorry i did not understand that, could you say it again please
the glasses are ready when you are, goodbye and thank you for calling"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=sorted(LICENCES))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = perf_counter()
    make(options.family, options.folder, options.seed)
    seconds = perf_counter() - began
    sizes = {path.name: path.stat().st_size for path in sorted(options.folder.iterdir())}
    table = Table("file", "bytes", title=f"tiny {options.family} in {options.folder}, {seconds:.1f} s", title_justify="left")
    for name, size in sizes.items():
        table.add_row(name, f"{size:,}")
    Console(highlight=False).print(table)
    print(json.dumps({"family": options.family, "seconds": round(seconds, 2), "bytes": sizes}))


def make(family: str, folder: Path, seed: int = 0) -> Path:
    """Writes a checkpoint of `family`, always the same for a seed, and returns `folder`."""
    if family not in LICENCES:
        raise ValueError(f"there is no family {family!r}; there are {', '.join(LICENCES)}")
    folder.mkdir(parents=True, exist_ok=True)
    text_card = make_tokenizer(folder / loaders.TEXT_TOKENIZER_NAME)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mimi = random_mimi()
        config = lm_config(text_card)
        both = family == "personaplex"
        lm = random_lm(config | {"dep_q": 2 * CODEBOOKS} if both else config)
        save_file(mimi.state_dict(), folder / loaders.MIMI_NAME)
        save_file(old_names(lm) if both else lm.state_dict(), folder / loaders.MOSHI_NAME)
        if both:
            pack(voices(lm), folder / "voices.tgz")
    names = {"moshi_name": loaders.MOSHI_NAME, "mimi_name": loaders.MIMI_NAME, "mimi_config_name": MIMI_CONFIG_NAME,
             "tokenizer_name": loaders.TEXT_TOKENIZER_NAME, "model_type": "moshi"}
    (folder / "config.json").write_text(json.dumps(config | names, indent=1), encoding="utf-8")
    (folder / MIMI_CONFIG_NAME).write_text(json.dumps(mimi_config(), indent=1), encoding="utf-8")
    (folder / "README.md").write_text(f"---\n{LICENCES[family]}\n---\n\nRandom weights for tests. They say nothing.\n",
                                      encoding="utf-8")
    return folder


def make_tokenizer(path: Path) -> int:
    """Trains the text tokenizer on TEXT and returns its number of pieces."""
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.split("\n")), model_writer=trained, vocab_size=400, hard_vocab_limit=False,
        byte_fallback=True, unk_id=EPAD, bos_id=1, eos_id=2, pad_id=PAD, num_threads=1, minloglevel=2)
    path.write_bytes(trained.getvalue())
    return int(sentencepiece.SentencePieceProcessor(model_proto=trained.getvalue()).vocab_size())


def lm_config(text_card: int) -> dict[str, Any]:
    """The keys and, but for the dimensions, the values of the 7B."""
    return {**loaders._lm_kwargs, "dim": DIM, "text_card": text_card, "num_heads": 4, "num_layers": 2, "context": CONTEXT,
            "depformer_dim": 32, "depformer_dim_feedforward": int(4.125 * 32), "depformer_num_heads": 4,
            "depformer_num_layers": 2}


def mimi_config() -> dict[str, Any]:
    dim = 32
    return {**loaders._mimi_config,
            "seanet": {**loaders._seanet_kwargs, "dimension": dim, "n_filters": 4},
            "quantizer": {**loaders._quantizer_kwargs, "dimension": 16, "n_q": CODEBOOKS, "input_dimension": dim,
                          "output_dimension": dim},
            "transformer": {**loaders._transformer_kwargs, "d_model": dim, "num_heads": 4, "num_layers": 2,
                            "dim_feedforward": 64, "input_dimension": dim, "output_dimensions": [dim]}}


@torch.no_grad()
def random_mimi() -> MimiModel:
    """Mimi with codebooks that tell sounds apart, and a last layer that makes sound of PEAK."""
    mimi: MimiModel = loaders.get_mimi(None, mimi_config=mimi_config(), num_codebooks=CODEBOOKS)
    for name, parameter in mimi.named_parameters():
        if name.endswith(("conv.bias", "convtr.bias")):
            parameter.zero_()  # else the sound is that of the biases, whatever is heard or said
    noise = torch.randn(1, 1, 100 * mimi.frame_size) * 0.1
    latent = mimi.encode_to_latent(noise, quantize=False)
    for quantizer in (mimi.quantizer.rvq_first, mimi.quantizer.rvq_rest):
        seen = quantizer.input_proj(latent)
        for layer in quantizer.vq.layers:
            layer._codebook.embedding_sum.normal_().mul_(seen.std()).add_(seen.mean((0, 2)))
            layer._codebook._initialized.fill_(1.0)
            seen = seen - seen.mean((0, 2), keepdim=True)  # what the next codebook has to say
    sound = mimi.decode(torch.randint(0, CARD, (1, CODEBOOKS, 100)))
    last = mimi.decoder.model[-1].conv.conv
    for parameter in last.parameters():
        parameter.mul_(PEAK / sound.abs().max())
    return mimi


@torch.no_grad()
def random_lm(config: dict[str, Any]) -> LMModel:
    """A model whose tokens vary, with text that is padding about half of the time.

    Channel 0 of the residual stream is always on and nothing else writes to it: the text head's weights for it are its bias.
    """
    lm = loaders.get_moshi_lm(None, lm_kwargs=config, dtype=torch.float32)
    for parameter in lm.parameters():
        if parameter.dim() > 1:
            parameter.mul_(2.0)
    for table in (lm.text_emb, *lm.emb):
        table.weight[:, 0] = ALWAYS_ON
    for layer in lm.transformer.layers:
        layer.self_attn.out_projs[0].weight[0] = 0.0
        layer.gating.linear_out.weight[0] = 0.0
    lm.text_linear.weight[PAD] = 0.0
    for token, weight in PADDING_WEIGHT.items():
        lm.text_linear.weight[token, 0] = weight
    return lm


def old_names(lm: LMModel) -> dict[str, torch.Tensor]:
    """The weights as PersonaPlex's file names them: the projections of all steps stacked in one tensor."""
    stacked: dict[str, list[torch.Tensor]] = {}
    for name, tensor in lm.state_dict().items():
        head, _, tail = name.partition("_projs.")
        old = head + {"in": "_proj_weight", "ou": "_proj.weight"}[head.rpartition(".")[2][:2]] if tail else name
        stacked.setdefault(old, []).append(tensor)
    return {name: torch.cat(tensors) for name, tensors in stacked.items()}


def voices(lm: LMModel) -> dict[str, dict[str, torch.Tensor]]:
    """Voices in the released format, of random codes: what they make the model hear is what its codes would."""
    return {name: to_pt(torch.randint(0, CARD, (CODEBOOKS, num_frames)).numpy(), lm)
            for num_frames, name in enumerate(VOICES, start=10)}


def pack(made: dict[str, dict[str, torch.Tensor]], path: Path) -> None:
    with gzip.GzipFile(path, "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, voice in made.items():
            stored = io.BytesIO()
            torch.save(voice, stored)
            entry = tarfile.TarInfo(f"voices/{name}.pt")
            entry.size = stored.tell()
            stored.seek(0)
            archive.addfile(entry, stored)


if __name__ == "__main__":
    main()
