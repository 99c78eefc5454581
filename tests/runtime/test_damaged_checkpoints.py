"""Tests of damaged checkpoints: each is one sentence, and costs little time and memory."""

from pathlib import Path

import pytest
import torch
from checkpoint_edits import (
    TINY,
    change_config,
    crop_tensor,
    drop_tensor,
    limited_resources,
    number_writer,
    replace_by_folder,
    rewrite,
    truncator,
)
from safetensors.torch import load_file, save_file

from playground.runtime import checkpoint
from playground.runtime.checkpoint import CheckpointError

DAMAGE = {
    "missing": (Path.unlink, "is missing: `python -m train ddpm-[a-z-]+` makes it"),
    "a folder": (replace_by_folder, "ddpm-tiny"),
    "empty": (truncator(0), "damaged"),
    "cut in the header": (truncator(0.001), "damaged"),
    "cut in the middle": (truncator(0.5), "damaged"),
    "cut at the end": (truncator(0.9999), "damaged"),
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
    "unknown field": (lambda path: change_config(path, depth=3), "depth"),
    "a tensor missing": (drop_tensor, "does not fit its own config"),
    "a tensor of another shape": (crop_tensor, "does not fit its own config"),
    "NaN in a matrix": (
        number_writer("net.stem.weight", float("nan")),
        r"net\.stem\.weight holds numbers that are not finite",
    ),
    "infinity in a vector": (number_writer("net.stem.bias", float("-inf")), "holds numbers that are not finite"),
    "another width": (lambda path: change_config(path, width=16), "does not fit its own config"),
    "absurd width": (lambda path: change_config(path, width=10**9), "does not fit its own config"),
    "absurd width beyond words": (lambda path: change_config(path, width=10**400), "does not fit its own config"),
    "absurd time": (lambda path: change_config(path, T=10**12), "does not fit its own config"),
    "absurd blocks": (lambda path: change_config(path, blocks=10**9), "does not fit its own config"),
    "as large as can be": (
        lambda path: change_config(
            path, width=2048, multipliers=[16] * 6, blocks=8, emb_dim=8192, size=1024, patch=1, T=100_000
        ),
        "does not fit its own config",
    ),
    "negative width": (lambda path: change_config(path, width=-8), "does not fit its own config"),
    "text for width": (lambda path: change_config(path, width="8"), "does not fit its own config"),
    "null for width": (lambda path: change_config(path, width=None), "does not fit its own config"),
    "NaN for dropout": (lambda path: change_config(path, dropout=float("nan")), "does not fit its own config"),
    "another prediction": (lambda path: change_config(path, prediction="score"), "does not fit its own config"),
    "judge, absurd width": (lambda path: rewrite(path, family="judge", config='{"width": 1000000000}'), "judge|config"),
    "judge, absurd classes": (lambda path: rewrite(path, family="judge", config='{"classes": 1e400}'), "judge|config"),
    "judge, text": (lambda path: rewrite(path, family="judge", config='{"width": "8"}'), "judge|config"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_checkpoint_is_one_sentence_and_takes_few_resources(path, name):
    damage, reason = DAMAGE[name]
    damage(path)
    with limited_resources(), pytest.raises(CheckpointError, match=reason) as caught:
        checkpoint.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300
    assert "ddpm" in message


def test_a_checkpoint_of_another_family_is_rejected_by_name(path):
    with pytest.raises(CheckpointError, match="holds a model of the family ddpm, not judge"):
        checkpoint.load(path, family="judge")


def test_a_checkpoint_can_be_repaired(path, model):
    """Errors are not cached."""
    content = path.read_bytes()
    path.write_bytes(content[:100])
    with pytest.raises(CheckpointError):
        checkpoint.load(path)
    path.write_bytes(content)
    assert checkpoint.load(path).config == TINY
