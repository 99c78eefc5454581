"""Checkpoints rebuild themselves, and every way to be broken ends in one sentence."""

import dataclasses
import json
import resource
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from playground import checkpoint
from playground.checkpoint import CheckpointError
from playground.models import ddpm

TINY = ddpm.Config(size=8, classes=3, width=8, blocks=1, emb_dim=16)
PROVENANCE = {
    "recipe": "ddpm",
    "flags": {"lr": 1e-3, "config": {"multipliers": [1, 2]}},
    "seed": 3,
    "date": "2025-01-01",
}


@pytest.fixture
def model() -> ddpm.Model:
    torch.manual_seed(0)
    return ddpm.Model(TINY)


@pytest.fixture
def path(tmp_path, model) -> Path:
    checkpoint.save(tmp_path / "new" / "ddpm-tiny.safetensors", model, PROVENANCE)
    return tmp_path / "new" / "ddpm-tiny.safetensors"


def rewrite(path: Path, tensors=None, **metadata) -> None:
    """Write the same file again, but for these parts; a part that is None is left out."""
    found = checkpoint.header(path)
    whole = {"family": found.family, "config": json.dumps(found.config), "provenance": json.dumps(found.provenance)}
    whole = {key: value for key, value in {**whole, **metadata}.items() if value is not None}
    save_file(load_file(path) if tensors is None else tensors, path, whole)


def with_config(path: Path, **changes) -> None:
    rewrite(path, config=json.dumps({**checkpoint.header(path).config, **changes}))


# --- what works -----------------------------------------------------------------------------------


def test_a_checkpoint_comes_back(path, model):
    loaded = checkpoint.load(path, expect="ddpm")
    assert isinstance(loaded, ddpm.Model)
    assert loaded.config == TINY
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    for name, tensor in model.state_dict().items():
        kept = tensor.half().float() if tensor.dim() > 1 else tensor
        assert loaded.state_dict()[name].dtype == torch.float32
        torch.testing.assert_close(loaded.state_dict()[name], kept, rtol=0, atol=0)
    torch.testing.assert_close(loaded.schedule.alpha_bar, model.schedule.alpha_bar, rtol=0, atol=0)


def test_matrices_are_in_half_precision_and_vectors_in_single(path):
    for tensor in load_file(path).values():
        assert tensor.dtype == (torch.float16 if tensor.dim() > 1 else torch.float32)


def test_the_header_tells_family_config_and_provenance(path):
    assert checkpoint.header(path) == ("ddpm", json.loads(json.dumps(dataclasses.asdict(TINY))), PROVENANCE)


def test_the_header_reads_no_tensors(path):
    """Four gigabytes follow this one, none of them on the disk."""
    size = 4 * 2**30
    found = checkpoint.header(path)
    metadata = {"family": "ddpm", "config": json.dumps(found.config), "provenance": json.dumps(found.provenance)}
    head = {"__metadata__": metadata, "x": {"dtype": "F16", "shape": [size // 2], "data_offsets": [0, size]}}
    text = json.dumps(head).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + size)
    with little():
        assert checkpoint.header(path) == found


def test_find_lists_checkpoints_by_name(path, model):
    for name in ("b", "a"):
        checkpoint.save(path.with_name(f"{name}.safetensors"), model, {})
    path.with_name("README.md").write_text("")
    assert [found.stem for found in checkpoint.find(path.parent)] == ["a", "b", "ddpm-tiny"]
    assert checkpoint.find(path.parent / "missing") == []


def test_a_model_is_kept_until_its_file_changes(path, model):
    first = checkpoint.load(path)
    assert checkpoint.load(str(path)) is first
    time.sleep(0.01)
    checkpoint.save(path, model, PROVENANCE)
    second = checkpoint.load(path)
    assert second is not first
    assert checkpoint.load(path) is second


def test_a_failed_save_leaves_the_old_file(path, model):
    before = path.read_bytes()
    with pytest.raises(TypeError):
        checkpoint.save(path, model, {"not JSON": object()})
    path.with_suffix(".partial").mkdir()  # where the new file would be written first
    with pytest.raises(Exception, match=r"partial|directory|I/O"):
        checkpoint.save(path, model, {})
    assert path.read_bytes() == before


def test_every_shipped_checkpoint_loads_and_says_where_it_is_from():
    for shipped in checkpoint.find():
        found = checkpoint.header(shipped)
        assert {"recipe", "flags", "seed", "steps", "data", "date"} <= set(found.provenance), shipped.name
        assert all(tensor.isfinite().all() for tensor in checkpoint.load(shipped).state_dict().values()), shipped.name


# --- what does not --------------------------------------------------------------------------------


class little:
    """Less than a few seconds and 200 MB, or it fails."""

    def __enter__(self) -> None:
        self.seconds, self.peak = time.process_time(), self.memory()

    def __exit__(self, *error: object) -> None:
        assert time.process_time() - self.seconds < 5
        assert self.memory() - self.peak < 200

    @staticmethod
    def memory() -> float:
        """The most that this process has held, in MB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def without_a_tensor(path: Path) -> None:
    tensors = load_file(path)
    tensors.popitem()
    rewrite(path, tensors)


def with_another_shape(path: Path) -> None:
    tensors = load_file(path)
    tensors["net.stem.weight"] = tensors["net.stem.weight"][:4].contiguous()
    rewrite(path, tensors)


def cut(share: float):
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


BROKEN = {
    "missing": (Path.unlink, "is missing: `python -m train ddpm-[a-z-]+` makes it"),
    "a folder": (folder, "ddpm-tiny"),
    "empty": (cut(0), "damaged"),
    "cut in the header": (cut(0.001), "damaged"),
    "cut in the middle": (cut(0.5), "damaged"),
    "cut at the end": (cut(0.9999), "damaged"),
    "text": (lambda path: path.write_text("not a checkpoint, but long enough to be one"), "damaged"),
    "a pickle": (lambda path: torch.save({"x": torch.ones(2)}, path), "damaged"),
    "no metadata": (lambda path: save_file(load_file(path), path), "not a checkpoint of this project"),
    "no family": (lambda path: rewrite(path, family=None), "not a checkpoint of this project"),
    "no config": (lambda path: rewrite(path, config=None), "not a checkpoint of this project"),
    "config no JSON": (lambda path: rewrite(path, config="width=8"), "not a checkpoint of this project"),
    "config a list": (lambda path: rewrite(path, config="[8]"), "config"),
    "config deep": (
        lambda path: rewrite(path, config="[" * 100_000 + "]" * 100_000),
        "not a checkpoint of this project",
    ),
    "unknown family": (lambda path: rewrite(path, family="wizard"), "there is no model family 'wizard'"),
    "a path as family": (lambda path: rewrite(path, family="../train/loop"), "there is no model family"),
    "another family": (
        lambda path: rewrite(path, family="judge", config='{"width": 8}'),
        "does not fit its own config",
    ),
    "unknown field": (lambda path: with_config(path, depth=3), "depth"),
    "a tensor missing": (without_a_tensor, "does not fit its own config"),
    "a tensor of another shape": (with_another_shape, "does not fit its own config"),
    "another width": (lambda path: with_config(path, width=16), "does not fit its own config"),
    "absurd width": (lambda path: with_config(path, width=10**9), "does not fit its own config"),
    "absurd width beyond words": (lambda path: with_config(path, width=10**400), "does not fit its own config"),
    "absurd time": (lambda path: with_config(path, T=10**12), "does not fit its own config"),
    "absurd blocks": (lambda path: with_config(path, blocks=10**9), "does not fit its own config"),
    "as large as can be": (
        lambda path: with_config(
            path, width=2048, multipliers=[16] * 6, blocks=8, emb_dim=8192, size=1024, patch=1, T=100_000
        ),
        "does not fit its own config",
    ),
    "negative width": (lambda path: with_config(path, width=-8), "does not fit its own config"),
    "text for width": (lambda path: with_config(path, width="8"), "does not fit its own config"),
    "null for width": (lambda path: with_config(path, width=None), "does not fit its own config"),
    "NaN for dropout": (lambda path: with_config(path, dropout=float("nan")), "does not fit its own config"),
    "another prediction": (lambda path: with_config(path, prediction="score"), "does not fit its own config"),
    "judge, absurd width": (lambda path: rewrite(path, family="judge", config='{"width": 1000000000}'), "judge|config"),
    "judge, absurd classes": (lambda path: rewrite(path, family="judge", config='{"classes": 1e400}'), "judge|config"),
    "judge, text": (lambda path: rewrite(path, family="judge", config='{"width": "8"}'), "judge|config"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_checkpoint_is_one_sentence_and_costs_little(path, name):
    breaks, reason = BROKEN[name]
    breaks(path)
    with little(), pytest.raises(CheckpointError, match=reason) as caught:
        checkpoint.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300
    assert "ddpm" in message


def test_a_checkpoint_of_another_family_is_refused_by_name(path):
    with pytest.raises(CheckpointError, match="holds a model of the family ddpm, not judge"):
        checkpoint.load(path, expect="judge")


def test_a_broken_checkpoint_can_be_mended(path, model):
    """A failure is not kept."""
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    with pytest.raises(CheckpointError):
        checkpoint.load(path)
    path.write_bytes(whole)
    assert checkpoint.load(path).config == TINY


def test_loading_what_is_shipped_imports_no_slow_part_of_torch() -> None:
    """Some operations on `meta` import torch._dynamo, for more than a second: a model's constructor does without.

    But for CLIP: open_clip imports it.
    """
    load_all = (
        "import sys; from playground import checkpoint; "
        "[checkpoint.load(path) for path in checkpoint.find() if checkpoint.header(path).family != 'clip']; "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", load_all], cwd=checkpoint.WEIGHTS.parent, check=False).returncode == 0


def test_what_is_shipped_is_small() -> None:
    sizes = {path.stem: path.stat().st_size / 2**20 for path in checkpoint.find()}
    assert max(sizes.values()) <= 16
    assert sum(sizes.values()) <= 48
    assert sum(size for name, size in sizes.items() if name.startswith("vae-")) <= 6
