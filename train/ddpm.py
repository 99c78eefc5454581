"""The recipe of `ddpm-digits`: a class-conditional diffusion model of MNIST."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from playground import langevin, pictures
from playground.data import digits
from playground.models import ddpm
from playground.sampling import Noise, last
from train import device, loop


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


EVALUATIONS, BATCH = 200, 250
LOW, HIGH, SIZE = 0.05, 10.0, 0.3  # as on the page


def evaluated(config: ddpm.Config) -> dict[str, ddpm.Settings]:
    """The rows that `train.evaluate` fills in for samples of a model, and the settings that each samples with."""
    return EVALUATED


def further() -> dict[str, tuple[str, Callable[[Path, Tensor, int], Tensor]]]:
    """More rows: the network as a score, by 200 evaluations. Their settings, and what draws the given classes."""
    shown = f"{EVALUATIONS} evaluations, from sigma = {HIGH:g} to {LOW:g}"
    return {f"score: {name}": (shown, partial(by_score, name)) for name in langevin.DESCENTS}


@torch.no_grad()
def by_score(sampler: str, path: Path, classes: Tensor, seed: int) -> Tensor:
    """Digits (N, C, H, W) of the given classes (N,), which follow the score that the noise prediction is."""
    model: ddpm.Model = device.load(path)
    config, drawn = model.config, []
    for first in tqdm(range(0, len(classes), BATCH), desc=f"{sampler}, seed {seed}", leave=False):
        y = classes[first : first + BATCH].to(device.DEVICE)
        score = langevin.of_denoiser(model.denoiser(y, 1.0, clip=True), model.schedule)
        noise = Noise(seed, len(y), first)
        x = HIGH * noise((config.channels, config.size, config.size), device.DEVICE)
        run = langevin.descent(score, x, sampler, (LOW, HIGH), EVALUATIONS, SIZE, noise)
        end = last(run)
        drawn.append((end.x + end.sigma**2 * end.score).cpu())  # without the noise that is left
    return torch.cat(drawn)


def train(recipe: Recipe, data: tuple[Tensor, Tensor] | None = None) -> Path | None:
    """Train, or go on training; the path of the checkpoint when the last step is done.

    Args:
        data: images (N, C, H, W) in [-1, 1] and labels (N,); MNIST by default.
    """
    run = loop.Run(recipe, lambda: ddpm.Model(recipe.config))
    both = data or loop.fetched(lambda: digits.load(recipe.data, "train", download=True))
    images, labels = (part.to(run.accelerator.device) for part in both)

    def loss(model: nn.Module, step: int, generator: torch.Generator) -> Tensor:
        index = run.batch(len(images), step)
        return ddpm.loss(model, images[index], labels[index], generator, recipe.class_dropout)

    return loop.follow(run, run.train(loss=loss), _picture)


def _picture(model: ddpm.Model, path: Path) -> None:
    """Twenty digits, the classes in turn."""
    x = last(ddpm.sample(model, ddpm.Settings(n=20, steps=25))).x
    pictures.image(pictures.grid(pictures.to_uint8(x), columns=10)).save(path)
