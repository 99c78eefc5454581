"""Tests of saving, loading and identifying checkpoints."""

import dataclasses
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from checkpoint_edits import PROVENANCE, TINY, change_config, change_tensors, drop_tensor, limited_resources, rewrite
from safetensors.torch import load_file

from playground.families import ddpm
from playground.runtime import checkpoint


def test_a_loaded_checkpoint_equals_the_saved_model(path, model):
    loaded = checkpoint.load(path, family="ddpm")
    assert isinstance(loaded, ddpm.Model)
    assert loaded.config == TINY
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    for name, tensor in model.state_dict().items():
        stored = tensor.half().float() if tensor.dim() > 1 else tensor
        assert loaded.state_dict()[name].dtype == torch.float32
        torch.testing.assert_close(loaded.state_dict()[name], stored, rtol=0, atol=0)
    torch.testing.assert_close(loaded.schedule.alpha_bar, model.schedule.alpha_bar, rtol=0, atol=0)


def test_matrices_are_in_half_precision_and_vectors_in_single(path):
    for tensor in load_file(path).values():
        assert tensor.dtype == (torch.float16 if tensor.dim() > 1 else torch.float32)


def test_the_header_holds_family_config_and_provenance(path):
    assert checkpoint.read_header(path) == ("ddpm", json.loads(json.dumps(dataclasses.asdict(TINY))), PROVENANCE)


def test_the_header_reads_no_tensors(path):
    """The header is followed by a sparse file of four gigabytes."""
    size = 4 * 2**30
    header = checkpoint.read_header(path)
    metadata = {"family": "ddpm", "config": json.dumps(header.config), "provenance": json.dumps(header.provenance)}
    entries = {"__metadata__": metadata, "x": {"dtype": "F16", "shape": [size // 2], "data_offsets": [0, size]}}
    text = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + size)
    with limited_resources():
        assert checkpoint.read_header(path) == header


def test_find_lists_checkpoints_by_name(path, model):
    for name in ("b", "a"):
        checkpoint.save(path.with_name(f"{name}.safetensors"), model, {})
    path.with_name("README.md").write_text("")
    assert [file.stem for file in checkpoint.find(path.parent)] == ["a", "b", "ddpm-tiny"]
    assert checkpoint.find(path.parent / "missing") == []


def test_a_model_is_cached_until_its_file_changes(path, model):
    first = checkpoint.load_shared(path)
    assert checkpoint.load_shared(str(path)) is first
    checkpoint.save(path, model, PROVENANCE)
    second = checkpoint.load_shared(path)
    assert second is not first
    assert checkpoint.load_shared(path) is second


def test_a_loaded_model_belongs_to_the_caller(path):
    checkpoint.load(path).double().net.stem.weight.zero_()
    assert checkpoint.load(path).net.stem.weight.abs().sum() > 0
    shared = checkpoint.load_shared(path).net.stem.weight
    assert shared.dtype == torch.float32
    assert shared.abs().sum() > 0


def test_a_failed_save_leaves_the_old_file(path, model):
    before = path.read_bytes()
    with pytest.raises(TypeError):
        checkpoint.save(path, model, {"not JSON": object()})
    assert path.read_bytes() == before


def test_a_copy_of_the_same_age_and_length_is_noticed(path, model):
    first, status = checkpoint.load(path), path.stat()
    with torch.no_grad():
        model.net.stem.weight.add_(1)
    checkpoint.save(other := path.with_name("other.safetensors"), model, PROVENANCE)
    path.write_bytes(other.read_bytes())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not torch.equal(checkpoint.load(path).net.stem.weight, first.net.stem.weight)


CHANGE_UNDER_A_LOADED_MODEL = """
import sys
from pathlib import Path
from playground.runtime import checkpoint

path, change = Path(sys.argv[1]), sys.argv[2]
model = checkpoint.load(path)
before = {name: tensor.tolist() for name, tensor in model.state_dict().items()}
with path.open("r+b") as file:
    if change == "cut":
        file.truncate(10)
    else:
        file.write(bytes(path.stat().st_size))
sys.exit(before != {name: tensor.tolist() for name, tensor in model.state_dict().items()})
"""


@pytest.mark.slow
@pytest.mark.parametrize("change", ["cut", "written over"])
def test_a_loaded_model_owns_its_memory(path, change):
    """The test runs in a process of its own, since truncating a memory-mapped file would kill it."""
    with torch.no_grad():
        checkpoint.save(path, ddpm.Model(dataclasses.replace(TINY, width=64)), PROVENANCE)  # many pages of memory
    words = [sys.executable, "-c", CHANGE_UNDER_A_LOADED_MODEL, str(path), change]
    assert subprocess.run(words, cwd=checkpoint.WEIGHTS.parent, check=False).returncode == 0


def reverse_header(path: Path) -> None:
    """Reverse the order of the entries in the header."""
    content = path.read_bytes()
    end = 8 + struct.unpack("<Q", content[:8])[0]
    head = json.dumps(dict(reversed(json.loads(content[8:end]).items()))).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + content[end:])


def reverse_config(path: Path) -> None:
    """Reverse the order of the fields in the config."""
    rewrite(path, config=json.dumps(dict(reversed(checkpoint.read_header(path).config.items()))))


EQUIVALENT: dict[str, Callable[[Path], None]] = {
    "saved again": lambda path: checkpoint.save(path, checkpoint.load(path), {"date": "another"}),
    "header in another order": reverse_header,
    "config in another order": reverse_config,
}
DIFFERENT: dict[str, Callable[[Path], None]] = {
    "another number": lambda path: rewrite(path, change_tensors(path, lambda x: x + 1)),
    "another shape": lambda path: rewrite(path, change_tensors(path, lambda x: x.flatten())),
    "another precision": lambda path: rewrite(path, change_tensors(path, lambda x: x.float())),
    "a tensor missing": lambda path: drop_tensor(path),
    "another config": lambda path: change_config(path, prediction="x0"),
    "another family": lambda path: rewrite(path, family="judge"),
}


@pytest.mark.parametrize("name", [*EQUIVALENT, *DIFFERENT])
def test_the_digest_depends_on_family_config_and_tensors_alone(path, name):
    before, content = checkpoint.digest(path), path.read_bytes()
    (EQUIVALENT | DIFFERENT)[name](path)
    assert path.read_bytes() != content
    assert (checkpoint.digest(path) == before) == (name in EQUIVALENT)
    assert len(before) == 64


@pytest.mark.slow
def test_every_shipped_checkpoint_loads_and_has_its_provenance():
    for shipped in checkpoint.find():
        provenance = checkpoint.read_header(shipped).provenance
        assert {"recipe", "flags", "seed", "steps", "data", "date"} <= set(provenance), shipped.name
        assert all(tensor.isfinite().all() for tensor in checkpoint.load(shipped).state_dict().values()), shipped.name


@pytest.mark.slow
def test_loading_shipped_checkpoints_does_not_import_dynamo() -> None:
    """Some operations on `meta` import torch._dynamo, which takes more than a second; open_clip imports it anyway."""
    load_all = (
        "import sys; from playground.runtime import checkpoint; "
        "[checkpoint.load(path) for path in checkpoint.find() if checkpoint.read_header(path).family != 'clip']; "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", load_all], cwd=checkpoint.WEIGHTS.parent, check=False).returncode == 0


def test_shipped_checkpoints_are_small() -> None:
    sizes = {path.stem: path.stat().st_size / 2**20 for path in checkpoint.find()}
    assert max(sizes.values()) <= 16
    assert sum(sizes.values()) <= 48
    assert sum(size for name, size in sizes.items() if name.startswith("vae-")) <= 6
