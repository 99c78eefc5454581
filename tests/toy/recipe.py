"""The recipe of `toy-chequers`."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from playground.families import toy
from train.fit import fit, publish
from train.options import Options
from train.run import Run


@dataclass(frozen=True)
class Recipe(Options):
    """Three hundred steps on a chequered picture.

    Attributes:
        config: Settings of the model.
    """

    name: str = "toy-chequers"
    steps: int = 300
    batch_size: int = 16
    lr: float = 1e-2
    warmup: int = 0
    config: toy.Config = field(default_factory=toy.Config)

    @property
    def data_description(self) -> str:
        return "a chequered picture"


RECIPES = [Recipe()]


def train(recipe: Recipe) -> Path | None:
    """Start or resume training, and return the path of the checkpoint once the last step is taken."""
    run = Run(recipe, lambda: toy.Model(recipe.config))
    squares = torch.arange(recipe.config.size) % 2
    images = (2.0 * (squares[:, None] ^ squares) - 1).expand(64, 1, -1, -1)
    for step in fit(run):
        (x,) = step.batch(images)
        step.minimize(toy.loss(run.model, x, step.rng))
    return publish(run)
