"""The recipe of `judge-digits`: the classifier of MNIST that `train.evaluate` judges samples with."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from playground import checkpoint
from playground.data import digits
from playground.models import judge
from train import loop

Data = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Recipe(loop.Options):
    """Ten epochs of 60,000 disturbed digits.

    Attributes:
        config: of the model.
    """

    name: str = "judge-digits"
    steps: int = 4_680
    lr: float = 2e-3
    warmup: int = 200
    decay: float = 0.7
    ema: float = 0.99
    config: judge.Config = field(default_factory=judge.Config)

    @property
    def learns_from(self) -> str:
        return digits.TRAINING


RECIPES = [Recipe()]


def train(recipe: Recipe, data: Data | None = None, test: Data | None = None) -> Path | None:
    """Train, or go on training; the path of the checkpoint when the last step is done.

    Args:
        data, test: images (N, C, H, W) in [-1, 1] and labels (N,); MNIST's training and test digits by default.
    """
    run = loop.Run(recipe, lambda: judge.Model(recipe.config))
    both = data or loop.fetched(lambda: digits.load(recipe.data, "train", download=True))
    images, labels = (part.to(run.accelerator.device) for part in both)

    def loss(model: nn.Module, step: int, generator: torch.Generator) -> Tensor:
        index = run.batch(len(images), step)
        return judge.loss(model, images[index], labels[index], generator)

    def examine(path: Path) -> None:
        _examine(path, *(test or digits.load(recipe.data, "test", download=True)))

    return loop.follow(run, run.train(loss=loss), complete=examine)


def _examine(path: Path, images: Tensor, labels: Tensor) -> None:
    """Write the share of test images that the checkpoint reads right into its provenance."""
    model = checkpoint.load(path)
    with torch.no_grad():
        read = torch.cat([model(batch).argmax(1) for batch in images.split(500)])
    accuracy = (read == labels).float().mean().item()
    checkpoint.save(path, model, {**checkpoint.header(path).provenance, "test_accuracy": round(accuracy, 4)})
