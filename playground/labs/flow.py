"""A normalizing flow in the plane, step by step: what it makes of the data, and of noise, layer by layer."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import cast

import torch
from torch import Tensor, nn

from playground import validation
from playground.data.densities import Density
from playground.invertible import ActNorm, Coupling, Mix, Transform, initialize, transforms
from playground.labs import CALLED, averaged, descend, falling, seeded
from playground.models.flow import log_normal
from playground.nets import zero_init
from playground.sampling import generator


@dataclass(frozen=True)
class Settings:
    """Of a training; checked when made, so that page, API and command line refuse alike.

    Attributes:
        coupling: "affine" or "spline".
        couplings: how many, each after a normalisation and a mixing of the coordinates.
        bins: of a spline.
        width: of the two hidden layers of a coupling's network.
        lr: of Adam, which falls to 0 in a straight line.
        batch: points a step.
        steps: of the whole training.
        average: decay of the moving average of the weights, which is shown; 0 for the weights as they are.
        seed: of the weights and the data.
    """

    coupling: str = "spline"
    couplings: int = 6
    bins: int = 8
    width: int = 48
    lr: float = 5e-3
    batch: int = 512
    steps: int = 6_000
    average: float = 0.998
    seed: int = 0

    def __post_init__(self) -> None:
        whole = {"couplings": (1, 16), "bins": (2, 32), "width": (4, 256), "batch": (8, 2048), "steps": (1, 50_000),
                 "seed": (0, validation.MAX_SEED)}  # fmt: skip
        real = {"lr": (1e-6, 1.0), "average": (0.0, 0.9999)}
        validation.choice("coupling", self.coupling, transforms(2))
        validation.bound(self, whole, real, CALLED)


class Flow(nn.ModuleList):
    """Layers from points x (B, 2) to z (B, 2), which should look like N(0, I)."""

    def __init__(self, settings: Settings):
        transform = transforms(settings.bins)[settings.coupling]
        super().__init__(
            layer
            for _ in range(settings.couplings)
            for layer in (ActNorm(2), Mix(2), Coupling(transform, _network(settings.width, transform)))
        )

    def forth(self, x: Tensor, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """From x to z, from layer `start` on: the points after 0, 1, ... layers, and log |det| (B,) so far."""
        log_det = torch.zeros(len(x))
        yield x, log_det
        for layer in islice(self, start, None):
            x, more = layer(x)
            log_det = log_det + more
            yield x, log_det

    def back(self, z: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """From z to x, likewise."""
        log_det = torch.zeros(len(z))
        yield z, log_det
        for layer in reversed(self):
            z, more = layer.inverse(z)  # type: ignore[operator]
            log_det = log_det + more
            yield z, log_det

    def log_prob(self, x: Tensor, start: int = 0) -> Tensor:
        """log p(x) (B,) in nats, exactly; as if the flow began with layer `start`."""
        *_, (z, log_det) = self.forth(x, start)
        return log_normal(z) + log_det


def _network(width: int, transform: Transform) -> nn.Sequential:
    """Of a coupling, which starts as the identity: (B, 1) -> (B, count)."""
    last = zero_init(nn.Linear(width, transform.count))
    return nn.Sequential(nn.Linear(1, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), last)


class Lab:
    """A flow in training."""

    def __init__(self, data: Density, settings: Settings):
        self.data, self.settings = data, settings
        self.random = generator(settings.seed)
        with seeded(settings.seed):
            self.flow = Flow(settings)
        initialize(self.flow, self.flow.log_prob, data.sample(2_000, generator(settings.seed, 1)))
        self.average = averaged(self.flow, settings.average)
        self.adam = torch.optim.Adam(self.flow.parameters(), lr=settings.lr, fused=True)
        self.steps = 0

    @property
    def limit(self) -> int:
        """Steps of the whole training."""
        return self.settings.steps

    @property
    def learned(self) -> Flow:
        """The averaged flow."""
        return cast(Flow, self.average.module)

    def step(self) -> dict[str, float]:
        """Take one; its loss, in nats.

        Raises:
            Diverged: the loss, or its gradient, is not a finite number.
        """
        loss = -self.flow.log_prob(self.data.sample(self.settings.batch, self.random)).mean()
        descend(self.adam, loss, falling(self.settings.lr, self.steps, self.settings.steps))
        self.steps += 1
        self.average.update_parameters(self.flow)
        return {"loss": loss.item()}
