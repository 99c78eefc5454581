"""Checks of a run before its first step: the config, the checkpoint to start from, and the state to resume."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from playground.runtime import checkpoint
from playground.runtime.checkpoint import JSONObject
from playground.runtime.validation import UsageError, UserError
from train.options import Options


def check_shapes(config: object, images: Tensor, labels: Tensor | None = None) -> None:
    """Check that a config fits images (N, C, H, W) and their classes (N,), or raise UsageError."""
    check_config(config, channels=images.shape[1], size=images.shape[-1])
    classes = getattr(config, "classes", 0)
    if labels is not None and 0 < classes <= (largest := int(labels.max())):
        raise UsageError(f"config.classes must be {largest + 1} or more, as the data have them, not {classes}")


def check_config(config: object, **expected_values: int) -> None:
    """Check fields of a config, those that it has, against their values in the data, or raise UsageError."""
    for name, expected in expected_values.items():
        actual = getattr(config, name, expected)
        if actual != expected:
            raise UsageError(f"config.{name} must be {expected}, as in the data, not {actual}")


def check_resumable(experiment: JSONObject, folder: Path) -> None:
    """Check that a run has the flags and the number of processes that it was started with, or raise UserError."""
    path = folder / "experiment.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    changed = [name for name, value in experiment.items() if before.get(name, value) != value]
    if changed:
        flags = ", ".join(f"{name} {before[name]}" for name in changed)
        raise UserError(f"the run in {folder} was started with {flags}: delete it, or choose another --name")


def load_start_weights(path: Path, options: Options, model: nn.Module) -> int:
    """Load the weights of a checkpoint into a model, and return the number of steps that they have taken; raise
    UserError if the config differs or all steps are taken."""
    start_model, steps_taken = checkpoint.load(path), checkpoint.read_header(path).provenance.get("steps", 0)
    if _without_digests(start_model.config) != _without_digests(model.config):
        raise UserError(f"{path} was made with another config than this run's: choose another --start, or none")
    if options.minutes is None and steps_taken >= options.steps:
        raise UserError(f"{path} has already taken {steps_taken} steps: ask for more --steps")
    model.load_state_dict(start_model.state_dict())
    return steps_taken


def _without_digests(config: Any) -> JSONObject:
    """Return the fields of a config without the digests of components, which others of the same names may replace."""
    return {name: value for name, value in asdict(config).items() if not name.endswith("_digest")}
