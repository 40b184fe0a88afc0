"""Checkpoints of the Moshi family, tiny ones: found, refused for one clear reason, loaded, halved, and counted."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("moshi")

import huggingface_hub  # noqa: E402  # after the question whether there is moshi
from huggingface_hub import errors  # noqa: E402
from moshi.models import LMGen, loaders  # noqa: E402
from moshi.utils.compile import no_compile  # noqa: E402
from requests import ConnectionError, Response  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from sentencepiece import SentencePieceProcessor  # noqa: E402
from tiny_checkpoint import CONTEXT, EPAD, PAD, make, make_tokenizer  # noqa: E402

from duplex.speech_lm import loading, memory  # noqa: E402
from duplex.speech_lm.checkpoint import Checkpoint, Model, find, load  # noqa: E402
from duplex.speech_lm.memory import GIB  # noqa: E402
from duplex.speech_lm.slices import eight_slices, num_slices  # noqa: E402
from duplex.speech_lm.weights import contents  # noqa: E402

FAMILIES = ("moshi", "personaplex")
WEIGHTS, MIMI, TOKENIZER = loaders.MOSHI_NAME, loaders.MIMI_NAME, loaders.TEXT_TOKENIZER_NAME
COMMIT = "0123456789abcdef0123456789abcdef01234567"
Tiny = Callable[[str], Path]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUPLEX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)


@pytest.fixture
def folder(tiny: Tiny, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a tiny checkpoint that a test may spoil."""
    return lambda family: Path(shutil.copytree(tiny(family), tmp_path / family))


def changed(path: Path, **keys: Any) -> None:
    """Sets `keys` in a JSON file; a value of None takes the key out."""
    settings = json.loads(path.read_text()) | keys
    path.write_text(json.dumps({key: value for key, value in settings.items() if value is not None}))


def resaved(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Lets `change` act on the tensors of a file."""
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def tokens(model: Model, num_frames: int = 40) -> Any:
    """What the model says greedily to the same user, (num_frames, 9): text and the agent's codes."""
    user = torch.randint(0, 2048, (num_frames + 1, 1, 8, 1), generator=torch.Generator().manual_seed(1))
    generator = LMGen(model.lm, use_sampling=False)
    with no_compile(), generator.streaming(1):
        said = [generator.step(codes) for codes in user]
    assert said[0] is None
    return torch.cat(said[1:])[:, :, 0]


# Both families


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_in_a_folder_loads_and_speaks(tiny: Tiny, family: str) -> None:
    model = load(find(family, path=tiny(family)), dtype="float32")
    said = tokens(model)
    text, codes = said[:, 0], said[:, 1:]
    assert said.shape == (40, 9) and codes.min() >= 0 and codes.max() < 2048
    assert len(codes[:, 0].unique()) > 20 and 0 <= text.min() and text.max() < model.tokenizer.vocab_size()
    sound = model.mimi.decode(codes.T[None])
    assert sound.shape == (1, 1, 40 * 1920) and sound.abs().max() < 1.0 and sound.square().mean().sqrt() > 0.01
    assert model.lm.dep_q == model.mimi.num_codebooks == 8
    assert not model.lm.training and not model.mimi.training
    assert {one.dtype for one in model.mimi.parameters()} == {torch.float32}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tiny_checkpoint_pads_about_half_of_its_text(tiny: Tiny, family: str) -> None:
    text = tokens(load(find(family, path=tiny(family)), dtype="float32"), 120)[:, 0]
    silent = (text == PAD).float().mean()
    assert 0.25 < silent < 0.85 and (text == EPAD).sum() > 0 and len(text.unique()) > 10


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tiny_mimi_tells_sounds_apart(tiny: Tiny, family: str) -> None:
    mimi = load(find(family, path=tiny(family))).mimi
    sounds = torch.randn(2, 1, 20 * 1920, generator=torch.Generator().manual_seed(0)) * 0.1
    one, other = mimi.encode(sounds)
    assert (one != other).float().mean() > 0.8
    assert all(len(codebook.unique()) > 5 for codebook in one)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tiny_checkpoint_is_the_same_every_time(tiny: Tiny, tmp_path: Path, family: str) -> None:
    again = make(family, tmp_path / "again")
    names = {path.name for path in tiny(family).iterdir()}
    assert names == {path.name for path in again.iterdir()} and ("voices.tgz" in names) is (family == "personaplex")
    assert all((tiny(family) / name).read_bytes() == (again / name).read_bytes() for name in names)
    other = make(family, tmp_path / "other", seed=1)
    assert (other / WEIGHTS).read_bytes() != (again / WEIGHTS).read_bytes()


@pytest.mark.parametrize(("dtype", "expected"), [("bfloat16", torch.bfloat16), ("float16", torch.float16),
                                                 ("float32", torch.float32)])
def test_the_language_model_has_the_dtype_asked_for(tiny: Tiny, dtype: str, expected: Any) -> None:
    model = load(find("moshi", path=tiny("moshi")), dtype=dtype)
    assert {one.dtype for one in model.lm.parameters()} == {expected}


def test_the_context_can_be_shorter_than_the_checkpoints(tiny: Tiny) -> None:
    found = find("moshi", path=tiny("moshi"))
    rings = []
    for context in (None, 16):
        lm = load(found, context=context).lm
        with lm.streaming(1):
            rings.append({state.kv_cache.capacity for state in lm.get_streaming_state().values()
                          if getattr(state, "kv_cache", None)})
    assert rings == [{CONTEXT}, {16}] and CONTEXT > 16


def test_facts_say_what_the_model_is(tiny: Tiny) -> None:
    found = find("personaplex", path=tiny("personaplex"))
    assert found.facts == {
        "source": str(tiny("personaplex")), "revision": None, "licence": "nvidia-open-model-license",
        "family": "personaplex", "weights_bytes": (tiny("personaplex") / WEIGHTS).stat().st_size, "lora": None}
    assert found.voices == tiny("personaplex") / "voices.tgz"
    assert find("moshi", path=tiny("moshi")).facts["licence"] == "cc-by-4.0"


@pytest.mark.parametrize(("card", "text", "licence"), [
    ("---\nlicense: mit\n---\n", None, "mit"), ("---\nlicense: [mit, apache-2.0]\n---\n", None, "mit, apache-2.0"),
    ("---\nlicense: other\nlicense_name: own\n---\n", "not read", "own"), ("---\nlicense: other\n---\n", None, "other"),
    ("# A card", "\nSome Licence\nmore", "Some Licence"), ("---\n: [\n---\n", "Some Licence", "Some Licence"),
    (None, "Some Licence", "Some Licence"), ("---\ntags: []\n---\n", None, "not stated"), (None, None, "not stated")])
def test_the_licence_is_what_the_card_states(folder: Tiny, card: str | None, text: str | None, licence: str) -> None:
    place = folder("moshi")
    (place / "README.md").unlink()
    for name, said in (("README.md", card), ("LICENSE", text)):
        if said is not None:
            (place / name).write_text(said)
    assert find("moshi", path=place).licence == licence


def test_a_folder_of_voices_stands_for_the_archive(folder: Tiny) -> None:
    place = folder("personaplex")
    (place / "voices").mkdir()
    assert find("personaplex", path=place).voices == place / "voices"
    assert find("moshi", path=place).voices is None


def test_each_file_can_be_ones_own(folder: Tiny, tiny: Tiny) -> None:
    place = folder("moshi")
    for name in (WEIGHTS, MIMI, TOKENIZER, "config.json"):
        (place / name).unlink()
    own = tiny("moshi")
    found = find("moshi", path=place, weights=own / WEIGHTS, mimi=str(own / MIMI), tokenizer=own / TOKENIZER,
                 config=own / "config.json")
    assert (found.weights, found.mimi, found.tokenizer) == (own / WEIGHTS, own / MIMI, own / TOKENIZER)
    assert found.mimi_config is not None and found.lm_config["dim"] == 64


def test_a_checkpoint_without_a_language_model_in_its_config_is_the_7b(folder: Tiny) -> None:
    place = folder("personaplex")
    (place / "config.json").write_text('{"model_type": "personaplex", "version": "7b"}')
    assert find("personaplex", path=place).lm_config == loaders._lm_kwargs
    (place / "config.json").unlink()
    assert find("moshi", path=place).lm_config == loaders._lm_kwargs


# The Hub


@pytest.fixture
def hub(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A Hub that has the tiny PersonaPlex; what it was asked."""
    asked: list[dict[str, Any]] = []
    snapshot = tmp_path / "models--o--n" / "snapshots" / COMMIT
    shutil.copytree(tiny("personaplex"), snapshot)

    def download(repo: str, name: str, **settings: Any) -> str:
        asked.append({"repo": repo, "name": name} | settings)
        if not (snapshot / name).is_file():
            raise answer(errors.EntryNotFoundError, 404)
        return str(snapshot / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return asked


def answer(kind: type[Exception], status: int) -> Exception:
    response = Response()
    response.status_code = status
    return kind("several\nlines of the Hub's own", response)  # type: ignore[call-arg]  # all of them take a response


def test_a_repository_is_read_at_one_commit(hub: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    found = find("personaplex", repo="o/n", revision="main")
    assert found.revision == COMMIT and found.source == "o/n" and found.licence == "nvidia-open-model-license"
    assert [one["revision"] for one in hub] == ["main"] + [COMMIT] * (len(hub) - 1) and len(hub) >= 6
    assert {one["token"] for one in hub} == {False}
    monkeypatch.setenv("HF_TOKEN", "hf_of_mine")
    find("personaplex", repo="o/n")
    assert hub[-1]["token"] == "hf_of_mine"


def test_without_a_repository_the_familys_own_is_taken(hub: list[dict[str, Any]]) -> None:
    assert find("personaplex").source == "nvidia/personaplex-7b-v1"
    assert find("moshi").source == "kyutai/moshiko-pytorch-bf16"


def test_what_is_local_is_not_downloaded(hub: list[dict[str, Any]], tiny: Tiny) -> None:
    find("personaplex", weights=tiny("personaplex") / WEIGHTS)
    assert {"config.json", MIMI} <= {one["name"] for one in hub} and WEIGHTS not in {one["name"] for one in hub}


@pytest.mark.parametrize(("error", "complaint"), [
    (answer(errors.GatedRepoError, 403), "o/n is gated: accept its licence at https://huggingface.co/o/n and set HF_TOKEN "
     "to a token of your account, or give path=folder"),
    (answer(errors.RepositoryNotFoundError, 404), "there is no repository 'o/n' on the Hub, or it is private"),
    (errors.HFValidationError("Repo id must be …"), "there is no repository 'o/n' on the Hub"),
    (answer(errors.RevisionNotFoundError, 404), "o/n has no revision 'v9': give a branch, tag or commit"),
    (errors.LocalEntryNotFoundError("long words"), "config.json of o/n is not in the Hub's cache and the Hub can not be "
     "reached"),
    (answer(errors.HfHubHTTPError, 500), r"did not give config.json of o/n \(status 500\): try again"),
    (ConnectionError("refused"), r"did not give config.json of o/n \(ConnectionError\)")])
def test_what_the_hub_refuses(monkeypatch: pytest.MonkeyPatch, error: Exception, complaint: str) -> None:
    def refuse(*arguments: object, **settings: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(OSError, match=complaint) as raised:
        find("moshi", repo="o/n", revision="v9")
    assert "\n" not in str(raised.value)


def test_offline_and_not_cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # the library's own switch, read at import
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OSError, match="config.json of o/n is not in the Hub's cache and HF_HUB_OFFLINE is set: unset it"):
        find("moshi", repo="o/n")


def test_a_repository_that_lacks_a_file(hub: list[dict[str, Any]], tiny: Tiny, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    shutil.copy(tiny("moshi") / "config.json", config)
    changed(config, moshi_name="other.safetensors")
    with pytest.raises(OSError, match="o/n lacks other.safetensors: a checkpoint has config.json"):
        find("moshi", repo="o/n", config=config)


# What is refused when files are looked for


@pytest.mark.parametrize(("keys", "complaint"), [
    ({"dim": None, "delays": None}, "config.json of .* does not describe a language model .*: it lacks dim, delays "
     r"\(PersonaPlex's own lacks them all, and is agent=personaplex\)"),
    ({"model_type": "stt"}, "is of model_type 'stt', which does not converse"),
    ({"model_type": "hibiki"}, "is of model_type 'hibiki'"),
    ({"n_q": 32, "dep_q": 0}, "has n_q 32 and dep_q 0; a model that listens while it speaks has n_q 16 and dep_q 8"),
    ({"moshi_name": "../model.safetensors"}, r"'../model.safetensors' is no plain file name"),
    ({"mimi_name": "/etc/passwd"}, "'/etc/passwd' is no plain file name"),
    ({"tokenizer_name": ".."}, r"'..' is no plain file name"),
    ({"lora_name": "sub\\lora.safetensors"}, "is no plain file name"),
    ({"mimi_config_name": "hf://o/n/c.json"}, "'hf://o/n/c.json' is no plain file name"),
    ({"mimi_name": 3}, "mimi_name in the config of .* is a file name, not 3"),
    ({"lora": True}, "the config says lora, but names no lora_name: give agent.lora=file")])
def test_a_config_that_does_not_do(folder: Tiny, keys: dict[str, Any], complaint: str) -> None:
    place = folder("moshi")
    changed(place / "config.json", **keys)
    with pytest.raises(ValueError, match=complaint):
        find("moshi", path=place)


@pytest.mark.parametrize(("text", "complaint"), [
    ("{", "config.json is not JSON"), ("[1]", "config.json is not a JSON object, but a list"),
    ("{}", "it lacks dim, num_heads, num_layers, n_q, dep_q, card, text_card, delays .* agent=personaplex")])
def test_a_config_that_is_none(folder: Tiny, text: str, complaint: str) -> None:
    place = folder("moshi")
    (place / "config.json").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        find("moshi", path=place)


def test_a_folder_that_lacks_files_is_told_all_of_them(folder: Tiny) -> None:
    place = folder("moshi")
    for name in (MIMI, TOKENIZER):
        (place / name).unlink()
    with pytest.raises(OSError, match=f"lacks {TOKENIZER}, {MIMI}: a checkpoint has config.json .*{WEIGHTS}"):
        find("moshi", path=place)


@pytest.mark.parametrize(("settings", "complaint"), [
    ({"path": "nowhere"}, "there is no folder nowhere"), ({"weights": "no.safetensors"}, "no file no.safetensors for "
     "agent.weights"), ({"config": "no.json"}, "there is no file no.json for agent.config")])
def test_what_is_not_there(tiny: Tiny, settings: dict[str, str], complaint: str) -> None:
    with pytest.raises(OSError, match=complaint):
        find("moshi", **{"path": tiny("moshi")} | settings)


def test_a_family_that_is_none() -> None:
    with pytest.raises(ValueError, match="there is no family 'mamba'; there are moshi, personaplex"):
        find("mamba")  # type: ignore[arg-type]  # that is the point


def test_a_lora_needs_a_config_that_knows_it(folder: Tiny) -> None:
    place = folder("moshi")
    with pytest.raises(ValueError, match="is a LoRA, but the config has no lora, lora_rank and lora_scaling"):
        find("moshi", path=place, lora=place / WEIGHTS)


# What is refused when they are loaded


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize(("name", "spoil", "complaint"), [
    (WEIGHTS, cut, "model.safetensors is cut short or damaged: 1000 of its [0-9]+ bytes are missing"),
    (MIMI, cut, "checkpoint125.safetensors is cut short or damaged: 1000 of its"),
    (WEIGHTS, lambda path: path.write_bytes(path.read_bytes()[:500]), "cut short within its header, after 500 bytes"),
    (WEIGHTS, lambda path: path.write_bytes(path.read_bytes() + b"more"), "4 bytes too many"),
    (WEIGHTS, lambda path: path.write_bytes(b"PK\x03\x04" * 100), "is no safetensors file"),
    (WEIGHTS, lambda path: path.write_bytes(b""), "is no safetensors file"),
    (WEIGHTS, lambda path: path.write_bytes((9).to_bytes(8, "little") + b'{"a": 1 }'), "its header is damaged"),
    (WEIGHTS, lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "is a Git LFS pointer"),
    (WEIGHTS, lambda path: resaved(path, lambda tensors: tensors.pop("out_norm.alpha")),
     r"does not fit the config: 1 tensor missing \(e.g. it should have out_norm.alpha \[1, 1, 64\]\), 0 tensors unexpected"),
    (WEIGHTS, lambda path: resaved(path, lambda tensors: tensors.update(extra=torch.zeros(2, 3))),
     r"0 tensors missing, 1 tensor unexpected \(e.g. it has extra \[2, 3\]\), 0 of another shape"),
    (WEIGHTS, lambda path: resaved(path, lambda tensors: tensors.update({"out_norm.alpha": torch.ones(1, 1, 32)})),
     r"1 of another shape \(out_norm.alpha is \[1, 1, 32\] where \[1, 1, 64\] belongs\)"),
    (MIMI, lambda path: resaved(path, lambda tensors: tensors.update(extra=torch.zeros(2))),
     "does not fit the Mimi config: .*1 tensor unexpected"),
    ("config.json", lambda path: changed(path, num_layers=3), "[0-9]+ tensors missing .*layers.2"),
    ("config.json", lambda path: changed(path, delays=[0]), "the config describes no language model"),
    ("config.json", lambda path: changed(path, hidden_layers=[0]), "the config describes no language model .*hidden_layers"),
    ("mimi_config.json", lambda path: path.write_text("{}"), "the Mimi config describes no Mimi"),
    ("config.json", lambda path: changed(path, card=1024), "entries, the language model's card is 1024"),
    (TOKENIZER, lambda path: path.write_bytes(b"nonsense"), "is no sentencepiece model"),
    ("config.json", lambda path: changed(path, text_card=32000), "has 354 pieces, but the language model has 32000"),
])
def test_files_that_do_not_do(folder: Tiny, name: str, spoil: Callable[[Path], object], complaint: str) -> None:
    place = folder("moshi")
    spoil(place / name)
    with pytest.raises(ValueError, match=complaint) as raised:
        load(find("moshi", path=place))
    assert "\n" not in str(raised.value)


def test_a_mimi_with_too_few_codebooks(folder: Tiny) -> None:
    place = folder("moshi")
    settings = json.loads((place / "mimi_config.json").read_text())
    changed(place / "mimi_config.json", quantizer=settings["quantizer"] | {"n_q": 4})
    with pytest.raises(ValueError, match="Mimi has 4 codebooks; the language model needs 8"):
        load(find("moshi", path=place))


def test_a_pickle_is_never_read(folder: Tiny) -> None:
    place = folder("moshi")
    torch.save({"fsdp_best_state": {"model": load_file(place / WEIGHTS)}}, place / "model.pt")
    with pytest.raises(ValueError, match="model.pt is not .safetensors"):
        load(find("moshi", path=place, weights=place / "model.pt"))
    torch.save({"model": load_file(place / MIMI)}, place / "mimi.th")
    with pytest.raises(ValueError, match="mimi.th is not .safetensors"):
        load(find("moshi", path=place, mimi=place / "mimi.th"))


@pytest.mark.parametrize(("settings", "complaint"), [
    ({"dtype": "int4"}, "there is no dtype 'int4'; there are bfloat16, float16, float32, int8"),
    ({"dtype": "int8"}, "dtype=int8 is for a checkpoint whose config has quantize true"),
    ({"context": 0}, "context is a number of frames from 1 on, not 0"),
    ({"device": "gpu"}, "there is no device 'gpu'"),
    ({"device": "cuda:63"}, "device cuda:63 is not there: torch sees [0-9]+ CUDA devices"),
    ({"score_user": True}, "score_user needs the 16 depformer slices .* has 8")])
def test_settings_that_do_not_do(tiny: Tiny, settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        load(find("moshi", path=tiny("moshi")), **settings)


def test_quantised_weights_are_int8_on_cuda(folder: Tiny) -> None:
    place = folder("moshi")
    changed(place / "config.json", quantize=True)
    with pytest.raises(ValueError, match="these weights are quantised: give dtype=int8, not bfloat16"):
        load(find("moshi", path=place))
    with pytest.raises(ValueError, match="dtype=int8 needs device=cuda, not cpu"):
        load(find("moshi", path=place), dtype="int8")


def test_memory_that_runs_out_is_one_line_and_is_given_back(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[bool] = []

    def full(*arguments: object, **settings: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 7 GiB")

    monkeypatch.setattr(loading, "lm", full)
    monkeypatch.setattr(loading, "release", lambda: released.append(True))
    with pytest.raises(ValueError, match="does not fit into the memory of cpu: take fewer slots, a shorter context"):
        load(find("moshi", path=tiny("moshi")))
    assert released == [True]


# LoRA


def with_lora(place: Path, rank: int = 4) -> Path:
    """Adds a LoRA that changes one layer to a checkpoint; its file."""
    changed(place / "config.json", lora=True, lora_rank=rank, lora_scaling=2.0, lora_name="lora.safetensors")
    config = find("moshi", path=place, lora=place / WEIGHTS).lm_config
    lm = loaders.get_moshi_lm(None, lm_kwargs=config, dtype=torch.float32)
    tensors = {name: torch.zeros_like(one) if "lora_B" in name else torch.randn_like(one)
               for name, one in lm.state_dict().items() if "lora_" in name}
    tensors["text_linear.lora_B.weight"] += 1.0
    save_file(tensors, place / "lora.safetensors")
    return place / "lora.safetensors"


def test_a_lora_is_added_to_the_weights(folder: Tiny) -> None:
    place = folder("moshi")
    changes = load_file(with_lora(place))
    found = find("moshi", path=place)
    lm = load(found, dtype="float32").lm
    plain = load_file(place / WEIGHTS)
    added = 2.0 * changes["text_linear.lora_B.weight"] @ changes["text_linear.lora_A.weight"]
    assert added.abs().max() > 1.0
    torch.testing.assert_close(lm.text_linear.weight, plain["text_linear.weight"] + added)
    torch.testing.assert_close(lm.linears[0].weight, plain["linears.0.weight"])
    assert found.facts["lora"] == "lora.safetensors"


def test_a_lora_of_another_model(folder: Tiny) -> None:
    place = folder("moshi")
    with_lora(place)
    changed(place / "config.json", lora_rank=8)
    with pytest.raises(ValueError, match="lora.safetensors does not fit the config's lora_rank: .*of another shape"):
        load(find("moshi", path=place))


# Slices


def test_eight_slices_say_what_sixteen_say(tiny: Tiny) -> None:
    found = find("personaplex", path=tiny("personaplex"))
    both, half = load(found, dtype="float32", score_user=True), load(found, dtype="float32")
    assert (len(both.lm.linears), len(half.lm.linears)) == (16, 8) and both.lm.dep_q == half.lm.dep_q == 8
    assert torch.equal(tokens(both), tokens(half))
    assert len(tokens(half)[:, 8].unique()) > 20


def test_the_half_is_written_once_and_as_the_package_reads_it(tiny: Tiny, tmp_path: Path) -> None:
    weights = tiny("personaplex") / WEIGHTS
    made = eight_slices(weights)
    first = made.stat().st_mtime_ns
    assert eight_slices(weights) == made and made.stat().st_mtime_ns == first
    assert list(made.parent.iterdir()) == [made] and made.parent == tmp_path / "cache" / "weights"
    whole, half = load_file(weights), load_file(made)
    gone = whole.keys() - half.keys()
    assert half.keys() < whole.keys() and len(gone) == 8 + 8 + 8 + 8 * 2 * 2  # linears, in, emb, gating of two layers
    stacked = [name for name in half if half[name].shape != whole[name].shape]
    assert len(stacked) == 4 and all("depformer.layers." in name and "self_attn" in name for name in stacked)
    assert all(torch.equal(half[name], whole[name][: len(half[name])]) for name in stacked)
    assert all(torch.equal(half[name], whole[name]) for name in half.keys() - set(stacked))
    assert num_slices(contents(made).tensors) == 8


def test_a_half_that_is_damaged_is_made_again(tiny: Tiny) -> None:
    weights = tiny("personaplex") / WEIGHTS
    made = eight_slices(weights)
    size = made.stat().st_size
    cut(made)
    assert eight_slices(weights) == made and made.stat().st_size == size


def test_slices_under_todays_names_are_dropped_alike(tiny: Tiny, folder: Tiny) -> None:
    place = folder("personaplex")
    lm = load(find("personaplex", path=place), dtype="float32", score_user=True).lm
    said = tokens(load(find("personaplex", path=place), dtype="float32"))
    save_file(lm.state_dict(), place / WEIGHTS)
    assert "depformer.layers.0.self_attn.in_projs.15.weight" in contents(place / WEIGHTS).tensors
    assert torch.equal(tokens(load(find("personaplex", path=place), dtype="float32")), said)


def test_a_file_with_eight_slices_is_returned_as_it_is(tiny: Tiny) -> None:
    assert eight_slices(tiny("moshi") / WEIGHTS) == tiny("moshi") / WEIGHTS


@pytest.mark.parametrize(("spoil", "complaint"), [
    (lambda tensors: tensors.pop("linears.15.weight"), "has 15 depformer slices; .* has 8 or 16"),
    (lambda tensors: tensors.pop("depformer_emb.14.weight"), "depformer_emb has 14 slices where 15 belong"),
    (lambda tensors: tensors.update({"depformer.layers.0.self_attn.in_proj_weight": torch.zeros(9, 32)}),
     r"in_proj_weight \[9, 32\] can not be divided into 16 slices")])
def test_slices_that_are_laid_out_otherwise(folder: Tiny, spoil: Callable[[dict[str, Any]], object], complaint: str) -> None:
    place = folder("personaplex")
    resaved(place / WEIGHTS, spoil)
    with pytest.raises(ValueError, match=complaint):
        eight_slices(place / WEIGHTS)


def test_a_disk_that_is_too_small_for_the_half(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(OSError, match="0.0 GB are free: make room, or point DUPLEX_CACHE at another disk"):
        eight_slices(tiny("personaplex") / WEIGHTS)
    assert list((tmp_path / "cache" / "weights").iterdir()) == []


# Memory


@pytest.fixture(scope="module")
def seven_b() -> memory.Plan:
    return memory.plan(loaders._lm_kwargs, None, 1, None, "bfloat16", "cuda")


def test_the_7b_is_counted_exactly(seven_b: memory.Plan) -> None:
    assert seven_b.parameters == 7_687_729_152 and seven_b.weights == 2 * 7_687_729_152
    assert seven_b.context == 3_000 and seven_b.context * seven_b.position * 2 == 1_500 * 1024 ** 2
    assert seven_b.lm_row / 1024 ** 2 == pytest.approx(1_500, abs=0.01)
    assert seven_b.mimi == 4 * (79_308_609 + 16_842_784)
    assert seven_b.mimi_row == pytest.approx(16.4e6, rel=0.01)  # keys and values of 16 layers, and tails of convolutions


def test_sixteen_slices_are_counted_exactly() -> None:
    both = memory.plan({**loaders._lm_kwargs, "dep_q": 16}, None, 1, 750, "bfloat16", "cuda")
    assert both.parameters == 8_371_408_896 and both.lm_row / 1024 ** 2 == pytest.approx(375, abs=0.01)


def test_a_plan_is_the_sum_of_its_rows(seven_b: memory.Plan) -> None:
    assert sum(size for _, size in seven_b.rows) * GIB == pytest.approx(seven_b.total)
    assert str(seven_b).startswith("19.12 GiB on cuda: language model, 7.688 B parameters in bfloat16 14.32, context of 3000")


def test_a_tiny_plan_is_what_is_loaded(tiny: Tiny) -> None:
    found = find("moshi", path=tiny("moshi"))
    planned = memory.plan(found.lm_config, found.mimi_config, 3, 32, "float32", "cpu")
    model = load(found, dtype="float32", context=32)
    assert planned.weights == sum(one.numel() * 4 for one in model.lm.parameters())
    with model.lm.streaming(3):
        rings = [state.kv_cache.cache for state in model.lm.get_streaming_state().values() if getattr(state, "kv_cache", None)]
    assert sum(ring.numel() * 4 for ring in rings) == 3 * 32 * planned.position * 4 and len(rings) == 2


@pytest.mark.parametrize(("dtype", "slots", "gib", "fits"), [
    ("bfloat16", 8, 22, "2 slots would fit at this context"),
    ("bfloat16", 8, 19.2, "1 slot would fit at this context"),
    ("bfloat16", 8, 18.5, "a context of 500 frames .* would fit"),
    ("bfloat16", 8, 16.6, "a context of [0-9]+ frames .* would fit with 1 slot"),
    ("float32", 1, 20, "dtype=bfloat16 would fit with 1 slot and a context of 3000 frames"),
    ("bfloat16", 1, 15, r"dtype=int8 \(weights made so, as kyutai/moshiko-pytorch-q8\) would fit with 1 slot"),
    ("bfloat16", 1, 4, "no number of slots, context or dtype would fit, it takes a larger device")])
def test_a_refusal_names_what_fits(dtype: str, slots: int, gib: float, fits: str) -> None:
    planned = memory.plan(loaders._lm_kwargs, None, slots, None, dtype, "cuda")
    with pytest.raises(ValueError, match=f"GiB on cuda: .*; {gib:.2f} GiB are free: {fits}") as raised:
        memory.check(planned, int(gib * GIB))
    assert "\n" not in str(raised.value)


def test_a_plan_that_fits_passes_to_the_byte(seven_b: memory.Plan) -> None:
    memory.check(seven_b, seven_b.total)
    memory.check(seven_b, None)
    with pytest.raises(ValueError, match="are free: a context of 2999 frames"):
        memory.check(seven_b, seven_b.total - 1)


@pytest.mark.parametrize("wrong", [{"slots": 0}, {"context": 0}, {"dtype": "int4"}])
def test_a_plan_of_nonsense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="slots and context are from 1 on"):
        memory.plan(**{"lm_config": loaders._lm_kwargs, "mimi_config": None, "slots": 1, "context": 1, "dtype": "int8",
                       "device": "cpu"} | wrong)


def test_free_memory_is_known_where_the_system_says() -> None:
    free = memory.available("cpu")
    assert (free is not None and 1 << 20 < free < 1 << 50) is Path("/proc/meminfo").is_file()
    assert memory.available("mps") is None


def test_the_tokenizer_reads_what_it_never_saw(tmp_path: Path) -> None:
    assert make_tokenizer(tmp_path / "text.model") == 354
    pieces = SentencePieceProcessor(str(tmp_path / "text.model"))
    assert (pieces.unk_id(), pieces.bos_id(), pieces.eos_id(), pieces.pad_id()) == (EPAD, 1, 2, PAD)
    assert pieces.decode(pieces.encode("<system> Żółw 9 <system>")) == "<system> Żółw 9 <system>"


def test_a_checkpoint_is_a_value(tiny: Tiny) -> None:
    one, other = (find("moshi", path=tiny("moshi")) for _ in range(2))
    assert isinstance(one, Checkpoint) and one == other
