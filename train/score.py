"""The recipes of `score-*`: the scores of densities in the plane, learned from their points at many noise levels."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from playground import checkpoint, validation
from playground.data import densities
from playground.data.densities import Density, Mixture
from playground.langevin import RATIO, annealed, ladder, log_likelihood, predictor_corrector
from playground.models import score
from playground.models.score import Objective
from playground.sampling import Noise, generator, last
from train import device, loop
from train.optimizers import Optimizer
from train.results import Entry

LEVELS = 10  # of the ladder that the error is measured on
POINTS = 20_000


@dataclass(frozen=True)
class Recipe(loop.Options):
    """Forty thousand batches of fresh points.

    Attributes:
        config: of the model, and the density that it learns.
        objective: one of `playground.models.score.OBJECTIVES`.
    """

    name: str = "score-grid"
    steps: int = 40_000
    batch_size: int = 1024
    lr: float = 5e-3
    decay: float = 0.9
    optimizer: Optimizer = "muon"
    betas: tuple[float, float] = (0.9, 0.99)
    precision: loop.Precision = "no"
    save_every: int = 5_000
    picture_every: int = 5_000
    config: score.Config = field(default_factory=score.Config)
    objective: Objective = "denoising"

    @property
    def learns_from(self) -> str:
        return f"the density {self.config.data!r} in the plane, drawn by this repository"


RECIPES = [
    Recipe(name=f"score-{name}", config=score.Config(data=name, spread=spread))
    for name, spread in (("grid", 1.41), ("ring", 1.42))
]


def train(recipe: Recipe) -> Path | None:
    """Train, or go on training; the path of the checkpoint when the last step is done."""
    config = recipe.config
    data = densities.DENSITIES[validation.choice("data", config.data, densities.DENSITIES)]()
    run = loop.Run(recipe, lambda: score.Model(config))
    n = recipe.batch_size // run.accelerator.num_processes

    def loss(model: nn.Module, step: int, random: torch.Generator) -> Tensor:
        sigma = score.levels(config.low, config.high, n, random, recipe.objective)
        x0 = data.sample(n, random)
        x0, sigma = (part.to(run.accelerator.device) for part in (x0, sigma))
        return score.loss(model, x0, sigma, random, recipe.objective, densities.true_score(data))

    return loop.follow(run, run.train(loss=loss))


def entries(path: Path, data: Path, n: int) -> Iterator[Entry]:
    """How near the score is to the true one, and what is made with it; `POINTS` points, whatever n is."""
    identity = {"table": "score", "checkpoint": path.stem, "sha256": checkpoint.sha256(path), "seed": 0,
                "row": "points", "settings": "", "n": POINTS}  # fmt: skip
    yield Entry(identity, lambda: measure(path))


@torch.no_grad()
def measure(path: Path) -> dict[str, float]:
    """The largest relative error of the score on the ladder; how far the log density by the probability flow is from
    the true one, in nats, of a point and of the mean of 1,000; and the modes that a quarter of `POINTS` find by
    annealed Langevin dynamics and by predictor-corrector, where they can be counted."""
    model: score.Model = device.load(path)
    config, learned, random = model.config, model.score(), generator(5)
    truth = densities.DENSITIES[config.data]()
    found = {"error": max(relative_error(model, truth, sigma) for sigma in ladder(config.low, config.high, LEVELS))}
    noised = truth.noised(config.low)
    x = noised.sample(1000, random).to(device.DEVICE)
    by_flow = last(
        log_likelihood(learned, x, ladder(config.low, config.high, 200)[::-1], x.mean(0), x.var(0).mean().item())
    ).log_p
    wrong = by_flow - noised.log_prob(x)
    found |= {"nats": wrong.abs().mean().item(), "nats of the mean": wrong.mean().abs().item()}
    if isinstance(truth, Mixture) and truth.apart:
        noise = Noise(0, POINTS // 4)
        start = config.high * noise((2,), device.DEVICE)
        for name, run in (
            ("annealed", annealed(learned, start, ladder(config.low, config.high, 20), 20, 0.1, noise)),
            ("corrected", predictor_corrector(learned, start, ladder(config.low, config.high, 60), 1, RATIO, noise)),
        ):
            covered = densities.coverage(last(run).x.cpu(), truth)
            kl = min(covered.reverse_kl, math.log(len(covered.shares)))
            found |= {f"{name} modes": covered.modes, f"{name} reverse kl": kl, f"{name} quality": covered.quality}
    return found


def relative_error(model: score.Model, truth: Density, sigma: float) -> float:
    """The root of E |s - s_true|^2 / E |s_true|^2 over points with noise."""
    noised = truth.noised(sigma)
    x = noised.sample(POINTS, generator(4))
    exactly, found = noised.score(x), model.score()(x.to(device.DEVICE), sigma).cpu()
    return ((found - exactly).square().sum() / exactly.square().sum()).sqrt().item()
