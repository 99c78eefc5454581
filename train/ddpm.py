"""The recipe of `ddpm-digits`: a class-conditional diffusion model of MNIST."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from playground import pictures
from playground.data import digits
from playground.models import ddpm
from playground.sampling import last
from train import loop


@dataclass(frozen=True)
class Recipe(loop.Options):
    """Twice twenty-five epochs of 60,000 digits; v-prediction and a decayed rate lift it over the plain defaults.

    Attributes:
        config: of the model.
        class_dropout: share of the classes hidden in training, for guidance.
    """

    name: str = "ddpm-digits"
    steps: int = 23_400
    lr: float = 6e-4
    cycles: int = 2
    config: ddpm.Config = field(default_factory=lambda: ddpm.Config(prediction="v"))
    class_dropout: float = 0.1

    @property
    def learns_from(self) -> str:
        return digits.TRAINING


RECIPES = [Recipe()]

EVALUATED = {
    "ddim-12-eta1": ddpm.Settings(sampler="ddim", steps=12, eta=1.0),
    "ddim-20-eta1": ddpm.Settings(sampler="ddim", steps=20, eta=1.0),
    "ddim-50-eta1": ddpm.Settings(sampler="ddim", steps=50, eta=1.0),
    "ddim-20": ddpm.Settings(sampler="ddim", steps=20),
    "ddim-20-eta1-w1.5": ddpm.Settings(sampler="ddim", steps=20, eta=1.0, w=1.5),
    "dpm-10": ddpm.Settings(sampler="dpm-solver++", steps=10),
    "dpm-50": ddpm.Settings(sampler="dpm-solver++", steps=50),
}


def evaluated(config: ddpm.Config) -> dict[str, ddpm.Settings]:
    """The rows that `train.evaluate` fills in for samples of a model, and the settings that each samples with."""
    return EVALUATED


def train(recipe: Recipe, data: tuple[Tensor, Tensor] | None = None) -> Path | None:
    """Train, or go on training; the path of the checkpoint when the last step is done.

    Args:
        data: images (N, C, H, W) in [-1, 1] and labels (N,); MNIST by default.
    """
    run = loop.Run(recipe, lambda: ddpm.Model(recipe.config))
    both = data or run.fetched(lambda: digits.load(recipe.data, "train", download=True))
    images, labels = (part.to(run.accelerator.device) for part in both)

    def loss(model: nn.Module, step: int, generator: torch.Generator) -> Tensor:
        index = run.batch(len(images), step)
        return ddpm.loss(model, images[index], labels[index], generator, recipe.class_dropout)

    return loop.follow(run, run.train(loss=loss), _picture)


def _picture(model: ddpm.Model, path: Path) -> None:
    """Twenty digits, the classes in turn."""
    x = last(ddpm.sample(model, ddpm.Settings(n=20, steps=25))).x
    pictures.image(pictures.grid(pictures.to_uint8(x), columns=10)).save(path)
