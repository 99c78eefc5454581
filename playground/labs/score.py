"""Score matching in the plane, step by step, against the true score."""

from dataclasses import dataclass
from typing import cast

import torch

from playground import validation
from playground.data.densities import Density, true_score
from playground.labs import CALLED, averaged, descend, falling, seeded
from playground.langevin import Score
from playground.models import score
from playground.models.score import OBJECTIVES, Config
from playground.sampling import generator


@dataclass(frozen=True)
class Settings:
    """Of a training; checked when made, so that page, API and command line refuse alike.

    Attributes:
        objective: one of `playground.models.score.OBJECTIVES`.
        low, high: the noise levels that are learned; the same for a single one.
        lr: of Adam, which falls to 0 in a straight line.
        width, layers, frequencies: of the network, see `playground.models.score.Config`.
        batch: points a step.
        steps: of the whole training.
        average: decay of the moving average of the network, which is shown; 0 for the network as it is.
        seed: of the weights, the data and the noise.
    """

    objective: str = "denoising"
    low: float = 0.05
    high: float = 5.0
    lr: float = 5e-3
    width: int = 64
    layers: int = 3
    frequencies: int = 3
    batch: int = 512
    steps: int = 8_000
    average: float = 0.998
    seed: int = 0

    def __post_init__(self) -> None:
        whole = {"width": (4, 256), "layers": (1, 6), "frequencies": (0, 8), "batch": (8, 2048), "steps": (1, 50_000),
                 "seed": (0, validation.MAX_SEED)}  # fmt: skip
        real = {"low": (0.01, 10.0), "high": (0.01, 10.0), "lr": (1e-6, 1.0), "average": (0.0, 0.9999)}
        validation.choice("objective", self.objective, OBJECTIVES)
        validation.bound(self, whole, real, CALLED)
        if self.low > self.high:
            raise validation.UserError("the lowest noise level must not lie above the highest")


class Lab:
    """A network in training."""

    def __init__(self, data: Density, settings: Settings):
        self.data, self.settings = data, settings
        self.random = generator(settings.seed)
        spread = data.sample(5_000, generator(settings.seed, 1)).square().mean().sqrt().item()
        config = Config(data="", width=settings.width, layers=settings.layers, frequencies=settings.frequencies,
                        low=settings.low, high=settings.high, spread=spread)  # fmt: skip
        with seeded(settings.seed):
            self.model = score.Model(config)
        self.average = averaged(self.model, settings.average)
        self.adam = torch.optim.Adam(self.model.parameters(), lr=settings.lr, fused=True)
        self.steps = 0

    @property
    def limit(self) -> int:
        """Steps of the whole training."""
        return self.settings.steps

    def step(self) -> dict[str, float]:
        """Take one; its loss.

        Raises:
            Diverged: the loss, or its gradient, is not a finite number.
        """
        settings, n = self.settings, self.settings.batch
        sigma = score.levels(settings.low, settings.high, n, self.random, settings.objective)
        loss = score.loss(
            self.model, self.data.sample(n, self.random), sigma, self.random, settings.objective, self.truth
        )
        descend(self.adam, loss, falling(settings.lr, self.steps, settings.steps))
        self.steps += 1
        self.average.update_parameters(self.model)
        return {"loss": loss.item()}

    @property
    def truth(self) -> Score:
        """The true score."""
        return true_score(self.data)

    @property
    def learned(self) -> Score:
        """That of the averaged network."""
        return cast(score.Model, self.average.module).score()
