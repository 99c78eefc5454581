"""The recipe of `judge-digits`: the classifier of MNIST, or other images, in whose features samples are compared."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from playground.families import judge
from playground.runtime import checkpoint
from train.checks import check_shapes
from train.fit import fit, publish
from train.options import DatasetOptions
from train.processes import main_process_first
from train.run import Run

Data = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Recipe(DatasetOptions):
    """Ten epochs of 60,000 augmented digits."""

    name: str = "judge-digits"
    steps: int = 4_680
    lr: float = 2e-3
    warmup: int = 200
    decay: float = 0.7
    ema: float = 0.99
    config: judge.Config = field(default_factory=judge.Config)  # Settings of the model.


RECIPES = [Recipe()]


def train(recipe: Recipe, data: Data | None = None, test: Data | None = None) -> Path | None:
    """Start or resume training; return the path of the finished checkpoint. Images for training and for the accuracy in
    its header are (N, C, H, W) in [-1, 1], with labels (N,); those of the recipe's data set by default."""
    caller_data = data is not None
    if data is None:
        load = recipe.training_data.load
        data, test = main_process_first(
            lambda: (load(recipe.data, "train", download=True), load(recipe.data, "test", download=True))
        )
    check_shapes(recipe.config, *data)
    run = Run(recipe, lambda: judge.Model(recipe.config), caller_data=caller_data)
    for step in fit(run, loss=judge.loss, test=test or ()):
        x, y = step.batch(*data)
        step.minimize(judge.loss(run.model, x, y, step.rng))
    return publish(run, partial(finalize, images=test[0], labels=test[1]) if test else None)


def finalize(path: Path, images: Tensor, labels: Tensor) -> None:
    """Add the accuracy on test images to the provenance of a checkpoint."""
    model = checkpoint.load(path)
    with torch.no_grad():
        predictions = torch.cat([model(batch).argmax(1) for batch in images.split(500)])
    accuracy = (predictions == labels).float().mean().item()
    checkpoint.save(path, model, {**checkpoint.read_header(path).provenance, "test_accuracy": round(accuracy, 4)})
