"""The recipe of `ddpm-digits`: a class-conditional diffusion model of MNIST, or of other images."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from playground.families import ddpm
from playground.families.score_matching import langevin, samplers
from playground.runtime import pictures, validation
from playground.runtime.rng import Noise
from playground.runtime.run import last_frame
from train import device, processes
from train.checks import check_shapes
from train.fit import N_VALIDATION, fit, publish
from train.options import ImageOptions
from train.run import Run


@dataclass(frozen=True)
class Recipe(ImageOptions):
    """Two cycles of 25 epochs of 60,000 digits. V-prediction and a decaying learning rate beat the plain defaults."""

    name: str = "ddpm-digits"
    steps: int = 23_400
    lr: float = 6e-4
    cycles: int = 2
    # Settings of the model; it has no more classes than the data.
    config: ddpm.Config = field(default_factory=lambda: ddpm.Config(prediction="v"))
    class_dropout: float = 0.1  # Fraction of the classes dropped in training, for classifier-free guidance.

    def __post_init__(self) -> None:
        super().__post_init__()
        validation.check_bounds(self, {}, {"class_dropout": (0.0, 1.0)})

    @property
    def image_shape(self) -> tuple[int, int]:
        return self.config.channels, self.config.size


RECIPES = [Recipe()]

EVALUATION_SETTINGS = {
    "ddim-12-eta1": ddpm.Settings(sampler="ddim", steps=12, eta=1.0),
    "ddim-20-eta1": ddpm.Settings(sampler="ddim", steps=20, eta=1.0),
    "ddim-50-eta1": ddpm.Settings(sampler="ddim", steps=50, eta=1.0),
    "ddim-20": ddpm.Settings(sampler="ddim", steps=20),
    "ddim-20-eta1-w1.5": ddpm.Settings(sampler="ddim", steps=20, eta=1.0, w=1.5),
    "dpm-10": ddpm.Settings(sampler="dpm-solver++", steps=10),
    "dpm-50": ddpm.Settings(sampler="dpm-solver++", steps=50),
}


Data = tuple[Tensor, Tensor]
N_EVALUATIONS, BATCH = 200, 250  # of the network for a sample; samples at a time
LOW, HIGH, SIZE = 0.05, 10.0, 0.3  # the least and the largest sigma, and the step size, as on the page


def evaluation_settings(config: ddpm.Config) -> dict[str, ddpm.Settings]:
    """Return the rows of samples to evaluate, and the settings of each."""
    return EVALUATION_SETTINGS


def extra_rows() -> dict[str, tuple[str, Callable[[Path, Tensor, int], Tensor]]]:
    """Return the rows of samplers that use the network as a score: the settings as text, and a function that samples
    from (path, classes, seed)."""
    settings_text = f"{N_EVALUATIONS} evaluations, from sigma = {HIGH:g} to {LOW:g}"
    return {f"score: {name}": (settings_text, partial(sample_by_score, name)) for name in samplers.FROM_NOISE}


@torch.no_grad()
def sample_by_score(sampler: str, path: Path, classes: Tensor, seed: int) -> Tensor:
    """Sample digits (N, C, H, W) of given classes (N,) by the score that follows from the noise prediction."""
    model: ddpm.Model = device.load(path)
    config = model.config

    def sample_batch(first: int) -> Tensor:
        y = classes[first : first + BATCH].to(device.DEVICE)
        score = langevin.denoiser_to_score(model.denoiser(y, 1.0, clip=True), model.schedule)
        noise = Noise(seed, len(y), first)
        x = HIGH * noise((config.channels, config.size, config.size), device.DEVICE)
        run = samplers.sample(score, x, sampler, (LOW, HIGH), N_EVALUATIONS, SIZE, noise)
        end = last_frame(run)
        return (end.x + end.sigma**2 * end.score).cpu()  # Tweedie's formula removes the last noise

    starts = range(0, len(classes), BATCH)
    return torch.cat(processes.share(sample_batch, starts, f"{sampler}, seed {seed}"))


def train(recipe: Recipe, data: Data | None = None, test: Data | None = None) -> Path | None:
    """Start or resume training; return the path of the finished checkpoint. Images for training and validation are (N,
    C, H, W) in [-1, 1], with labels (N,); those of the recipe's data set by default."""
    caller_data = data is not None
    if data is None:
        dataset = recipe.training_data
        data, test = processes.main_process_first(
            lambda: (
                dataset.load(recipe.data, "train", download=True),
                dataset.load(recipe.data, "test", download=True, subset=slice(N_VALIDATION)),
            )
        )
        classes = min(recipe.config.classes, len(dataset.classes))
        recipe = replace(recipe, config=replace(recipe.config, classes=classes))
    check_shapes(recipe.config, *data)
    run = Run(recipe, lambda: ddpm.Model(recipe.config), caller_data=caller_data)

    def loss(model: nn.Module, x0: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        return ddpm.loss(model, x0, y, rng, recipe.class_dropout)

    for step in fit(run, _picture, loss, test or ()):
        x0, y = step.batch(*data)
        step.minimize(loss(run.model, x0, y, step.rng))
    return publish(run)


def _picture(model: ddpm.Model) -> Image.Image:
    x = last_frame(ddpm.sample(model, ddpm.Settings(n=20, steps=25))).x
    return pictures.to_pil(pictures.make_grid(pictures.to_uint8(x), columns=10))
