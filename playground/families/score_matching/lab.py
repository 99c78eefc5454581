"""Score matching in the plane, step by step, against the true score."""

from dataclasses import dataclass
from typing import cast

import torch

from playground.datasets.densities import Density, make_true_score
from playground.families.score_matching.langevin import Score
from playground.families.score_matching.model import OBJECTIVES, Config, Model, loss, sample_sigmas
from playground.runtime import validation
from playground.runtime.averaging import ema
from playground.runtime.labs import LABELS, linear_decay, optimizer_step, seeded_init
from playground.runtime.rng import make_rng


@dataclass(frozen=True)
class Settings:
    """Settings of a training, checked when made."""

    objective: str = "denoising"  # one of `playground.families.score_matching.OBJECTIVES`
    # Range of the noise levels; equal for a single level.
    sigma_min: float = 0.05
    sigma_max: float = 5.0
    lr: float = 5e-3  # learning rate of Adam, which decays linearly to 0
    # See `playground.families.score_matching.Config`.
    width: int = 64
    layers: int = 3
    frequencies: int = 3
    batch: int = 512  # points per step
    steps: int = 8_000  # steps of the whole training
    ema_decay: float = 0.998  # decay of the moving average of the weights, which is shown; 0 for the weights themselves
    seed: int = 0  # seed of the weights, the data and the noise

    def __post_init__(self) -> None:
        integers = {"width": (4, 256), "layers": (1, 6), "frequencies": (0, 8), "batch": (8, 2048),
                    "steps": (1, 50_000), "seed": (0, validation.MAX_SEED)}  # fmt: skip
        numbers = {"sigma_min": (0.01, 10.0), "sigma_max": (0.01, 10.0), "lr": (1e-6, 1.0), "ema_decay": (0.0, 0.9999)}
        validation.check_choice("objective", self.objective, OBJECTIVES)
        validation.check_bounds(self, integers, numbers, LABELS)
        if self.sigma_min > self.sigma_max:
            raise validation.UserError("the least noise must not be above the most noise")


class Lab:
    """Training of a score network, step by step."""

    def __init__(self, data: Density, settings: Settings):
        self.data, self.settings = data, settings
        self.rng = make_rng(settings.seed)
        sigma_data = data.sample(5_000, make_rng(settings.seed, 1)).square().mean().sqrt().item()
        config = Config(data="", width=settings.width, layers=settings.layers, frequencies=settings.frequencies,
                        sigma_min=settings.sigma_min, sigma_max=settings.sigma_max, sigma_data=sigma_data)  # fmt: skip
        with seeded_init(settings.seed):
            self.model = Model(config)
        self.ema = ema(self.model, settings.ema_decay)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=settings.lr, fused=True)
        self.steps, self.limit = 0, settings.steps

    def step(self) -> dict[str, float]:
        """Take one training step and return its loss; raise DivergenceError if it or its gradient is not finite."""
        settings, n = self.settings, self.settings.batch
        sigma = sample_sigmas(settings.sigma_min, settings.sigma_max, n, self.rng, settings.objective)
        x0 = self.data.sample(n, self.rng)
        value = loss(self.model, x0, sigma, self.rng, settings.objective, self.true_score)
        optimizer_step(self.optimizer, value, linear_decay(settings.lr, self.steps, settings.steps))
        self.steps += 1
        self.ema.update_parameters(self.model)
        return {"loss": value.item()}

    @property
    def true_score(self) -> Score:
        """Return the score of the data."""
        return make_true_score(self.data)

    @property
    def learned_score(self) -> Score:
        """Return the score of the averaged network."""
        return cast(Model, self.ema.module).score()
