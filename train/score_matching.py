"""The recipes of `score-*`: the scores of densities in the plane, learned from their points at many noise levels."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from playground.datasets import densities
from playground.datasets.densities import Density, Mixture
from playground.families import score_matching
from playground.families.score_matching import Objective
from playground.families.score_matching.langevin import annealed, geometric_sigmas, log_likelihood, predictor_corrector
from playground.families.score_matching.samplers import CORRECTOR_SNR
from playground.runtime import checkpoint, validation
from playground.runtime.rng import Noise, make_rng
from playground.runtime.run import last_frame
from train import device
from train.evaluation.results import Measurement
from train.fit import fit, publish
from train.optimizers import Optimizer
from train.options import Options, Precision
from train.run import Run

LEVELS = 10  # noise levels at which the error is measured
POINTS = 20_000


@dataclass(frozen=True)
class Recipe(Options):
    """Forty thousand batches of new points."""

    name: str = "score-grid"
    steps: int = 40_000
    batch_size: int = 1024
    lr: float = 5e-3
    decay: float = 0.9
    optimizer: Optimizer = "muon"
    betas: tuple[float, float] = (0.9, 0.99)
    precision: Precision = "no"
    save_every: int = 5_000
    picture_every: int = 5_000
    # Settings of the model, and the density that it learns.
    config: score_matching.Config = field(default_factory=score_matching.Config)
    # One of denoising, sliced and explicit; see `playground.families.score_matching.loss`.
    objective: Objective = "denoising"

    def __post_init__(self) -> None:
        super().__post_init__()
        validation.check_choice("config.data", self.config.data, densities.DENSITIES)

    @property
    def data_name(self) -> str:
        return self.config.data

    @property
    def data_description(self) -> str:
        return f"the density {self.config.data!r} in the plane, drawn by this repository"


RECIPES = [
    Recipe(name=f"score-{name}", config=score_matching.Config(data=name, sigma_data=spread))
    for name, spread in (("grid", 1.41), ("ring", 1.42))
]


def train(recipe: Recipe) -> Path | None:
    """Start or resume training, and return the path of the checkpoint once the last step is taken."""
    config = recipe.config
    data = densities.DENSITIES[config.data]()
    true_score = densities.make_true_score(data)
    run = Run(recipe, lambda: score_matching.Model(config))
    n = recipe.batch_size // run.accelerator.num_processes

    for step in fit(run):
        sigma = score_matching.sample_sigmas(config.sigma_min, config.sigma_max, n, step.rng, recipe.objective)
        x0, sigma = (part.to(run.accelerator.device) for part in (data.sample(n, step.rng), sigma))
        step.minimize(score_matching.loss(run.model, x0, sigma, step.rng, recipe.objective, true_score))
    return publish(run)


def measurements(path: Path, data: Path, n: int, judges: Path) -> Iterator[Measurement]:
    """Yield the measurement of the score and its samples against the truth, on `POINTS` points."""
    identity = {"table": "score", "checkpoint": path.stem, "sha256": checkpoint.sha256(path), "seed": 0,
                "row": "points", "settings": "", "n": POINTS}  # fmt: skip
    yield Measurement(identity, lambda: measure(path))


@torch.no_grad()
def measure(path: Path) -> dict[str, float]:
    """Measure a score against the true one, and the samples that it leads to.

    Returns:
        "error", the largest relative error of the score over `LEVELS` noise levels; that of the log-density by the
        probability flow, in nats, for a point ("nats") and for the mean of 1,000 ("nats of the mean"); and, where the
        density has modes to count, their coverage by a quarter of `POINTS` samples.
    """
    model: score_matching.Model = device.load(path)
    truth = densities.DENSITIES[model.config.data]()
    sigmas = geometric_sigmas(model.config.sigma_min, model.config.sigma_max, LEVELS)
    figures = {"error": max(relative_error(model, truth, sigma) for sigma in sigmas)}
    log_p_error = _log_density_error(model, truth)
    figures |= {"nats": log_p_error.abs().mean().item(), "nats of the mean": log_p_error.mean().abs().item()}
    if isinstance(truth, Mixture) and truth.multimodal:
        figures |= _measure_samples(model, truth)
    return figures


def _log_density_error(model: score_matching.Model, truth: Density) -> Tensor:
    """Return the error of the probability flow's log-density at 1,000 points (1000,), in nats."""
    config, noised = model.config, truth.add_noise(model.config.sigma_min)
    x = noised.sample(1000, make_rng(5)).to(device.DEVICE)
    sigmas = geometric_sigmas(config.sigma_min, config.sigma_max, 200)[::-1]
    frame = last_frame(log_likelihood(model.score(), x, sigmas, x.mean(0), x.var(0).mean().item()))
    return frame.extras["log_p"] - noised.log_prob(x)


def _measure_samples(model: score_matching.Model, truth: Mixture) -> dict[str, float]:
    """Measure the modes and the quality of samples by annealed Langevin dynamics and by predictor-corrector; where none
    is near a mode, the KL is that of all at the lightest."""
    config, score_fn, noise = model.config, model.score(), Noise(0, POINTS // 4)
    start = config.sigma_max * noise((2,), device.DEVICE)
    few, many = (geometric_sigmas(config.sigma_min, config.sigma_max, n) for n in (20, 60))
    runs = {
        "annealed": annealed(score_fn, start, few, 20, 0.1, noise),
        "corrected": predictor_corrector(score_fn, start, many, 1, CORRECTOR_SNR, noise),
    }
    figures = dict[str, float]()
    for name, run in runs.items():
        coverage = densities.measure_coverage(last_frame(run).x.cpu(), truth)
        kl = min(coverage.reverse_kl, truth.collapse_kl)
        figures |= {f"{name} modes": coverage.modes, f"{name} reverse kl": kl, f"{name} quality": coverage.quality}
    return figures


def relative_error(model: score_matching.Model, truth: Density, sigma: float) -> float:
    """Return the relative error of the score over `POINTS` points."""

    def score(x: Tensor, sigma: float) -> Tensor:
        return model.score()(x.to(device.DEVICE), sigma).cpu()

    return score_matching.relative_error(score, truth, sigma, POINTS, make_rng(4)).item()
