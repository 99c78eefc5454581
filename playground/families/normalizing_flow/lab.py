"""Training of a normalizing flow in the plane, step by step."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import cast

import torch
from torch import Tensor, nn

from playground.datasets.densities import Density
from playground.families.normalizing_flow.layers import (
    ActNorm,
    Coupling,
    InvertibleConv1x1,
    Layer,
    Transform,
    initialize_actnorms,
    transforms,
)
from playground.nn.blocks import zero_init
from playground.nn.normal import log_normal
from playground.runtime import validation
from playground.runtime.averaging import ema
from playground.runtime.labs import LABELS, linear_decay, optimizer_step, seeded_init
from playground.runtime.rng import make_rng
from playground.runtime.run import Frame


@dataclass(frozen=True)
class Settings:
    """Settings of a training, checked when made."""

    coupling: str = "spline"  # "affine" or "spline"
    # Number of coupling layers, each after an activation normalization and a mixing of the coordinates.
    couplings: int = 6
    bins: int = 8  # bins of a spline
    width: int = 48  # width of the two hidden layers of a coupling's network
    lr: float = 5e-3  # learning rate of Adam, which decays linearly to 0
    batch: int = 512  # points per step
    steps: int = 6_000  # steps of the whole training
    ema_decay: float = 0.998  # decay of the moving average of the weights, which is shown; 0 for the weights themselves
    seed: int = 0  # seed of the weights and the data

    def __post_init__(self) -> None:
        integers = {"couplings": (1, 16), "bins": (2, 32), "width": (4, 256), "batch": (8, 2048),
                    "steps": (1, 50_000), "seed": (0, validation.MAX_SEED)}  # fmt: skip
        numbers = {"lr": (1e-6, 1.0), "ema_decay": (0.0, 0.9999)}
        validation.check_choice("coupling", self.coupling, transforms(2))
        validation.check_bounds(self, integers, numbers, LABELS)


class Flow(nn.ModuleList):
    """Flow of points x (B, 2) to z (B, 2), whose target distribution is N(0, I)."""

    def __init__(self, settings: Settings):
        transform = transforms(settings.bins)[settings.coupling]
        super().__init__(
            layer
            for _ in range(settings.couplings)
            for layer in (ActNorm(2), InvertibleConv1x1(2), Coupling(transform, _network(settings.width, transform)))
        )

    def encode_steps(self, x: Tensor, start: int = 0) -> Iterator[Frame]:
        """Map points x to z from layer `start` on: a frame before the first layer and one after each.

        The extra "log_det" (B,) of a frame is the log |det| of all layers so far.
        """
        yield from _apply(x, islice(self, start, None))

    def decode_steps(self, z: Tensor) -> Iterator[Frame]:
        """Map z to points x, likewise; the log-determinants are those of this direction."""
        yield from _apply(z, (cast(Layer, layer).inverse for layer in reversed(self)))

    def log_prob(self, x: Tensor, start: int = 0) -> Tensor:
        """Return the log-density of points (B,) in nats, as if the flow began with layer `start`."""
        *_, end = self.encode_steps(x, start)
        return log_normal(end.x) + end.extras["log_det"]


def _apply(x: Tensor, maps: Iterable[Callable[[Tensor], tuple[Tensor, Tensor]]]) -> Iterator[Frame]:
    log_det = torch.zeros(len(x))
    yield Frame(0, 0, x, extras={"log_det": log_det})
    for step, function in enumerate(maps, 1):
        x, more = function(x)
        log_det = log_det + more
        yield Frame(step, 0, x, extras={"log_det": log_det})


def _network(width: int, transform: Transform) -> nn.Sequential:
    """Return the network (B, 1) -> (B, count) of a coupling that starts as the identity."""
    last = zero_init(nn.Linear(width, transform.count))
    return nn.Sequential(nn.Linear(1, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), last)


class Lab:
    """Training of a flow, step by step."""

    def __init__(self, data: Density, settings: Settings):
        self.data, self.settings = data, settings
        self.rng = make_rng(settings.seed)
        with seeded_init(settings.seed):
            self.flow = Flow(settings)
        initialize_actnorms(self.flow, self.flow.log_prob, data.sample(2_000, make_rng(settings.seed, 1)))
        self.ema = ema(self.flow, settings.ema_decay)
        self.optimizer = torch.optim.Adam(self.flow.parameters(), lr=settings.lr, fused=True)
        self.steps, self.limit = 0, settings.steps

    @property
    def learned_density(self) -> Flow:
        """Return the flow with averaged weights."""
        return cast(Flow, self.ema.module)

    def step(self) -> dict[str, float]:
        """Take one training step and return its loss in nats; raise DivergenceError if it or its gradient is not
        finite."""
        loss = -self.flow.log_prob(self.data.sample(self.settings.batch, self.rng)).mean()
        optimizer_step(self.optimizer, loss, linear_decay(self.settings.lr, self.steps, self.settings.steps))
        self.steps += 1
        self.ema.update_parameters(self.flow)
        return {"loss": loss.item()}
