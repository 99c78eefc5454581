"""Score matching in the plane: a network learns the gradient of the log density of points, at many levels of noise.

Hyvarinen 2005, "Estimation of non-normalized statistical models by score matching"; Vincent 2011, "A connection between
score matching and denoising autoencoders"; Song and Ermon 2019, "Generative Modeling by Estimating Gradients of the
Data Distribution"; Song 2020, "Sliced score matching". Shapes: B batch.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from playground import validation
from playground.langevin import Score

Objective = Literal["denoising", "sliced", "explicit"]
OBJECTIVES: tuple[str, ...] = get_args(Objective)


@dataclass(frozen=True)
class Config:
    """What rebuilds a network.

    Attributes:
        data: the density that it learned, a name in `playground.data.densities.DENSITIES`; "" for a drawing.
        width, layers: of the perceptron.
        frequencies: sines and cosines of each coordinate that it is given, beside the coordinate.
        low, high: the noise levels that it learned.
        spread: of the data, the root mean square of a coordinate.
    """

    data: str = "grid"
    width: int = 128
    layers: int = 3
    frequencies: int = 4
    low: float = 0.02
    high: float = 8.0
    spread: float = 1.4

    def __post_init__(self) -> None:
        """A config may come from a file of unknown origin: what it asks for is bounded before anything is built."""
        whole = {"width": (4, 1024), "layers": (1, 12), "frequencies": (0, 16)}
        real = {"low": (1e-4, 10.0), "high": (1e-3, 1000.0), "spread": (1e-3, 100.0)}
        validation.bound(self, whole, real)
        if self.low > self.high:
            raise validation.UserError("the lowest noise level must not lie above the highest")


class Model(nn.Module):
    """x (B, 2), sigma (B,) -> the score there (B, 2).

    The perceptron gets numbers of unit variance, and gives such: the estimate of the data is c_skip x + c_out F, and
    the score (x0_hat - x) / sigma^2. Karras 2022, "Elucidating the Design Space of Diffusion-Based Generative Models",
    table 1.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        given = 2 + 4 * config.frequencies + 1
        widths = [given, *[config.width] * config.layers]
        hidden = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.SiLU())]
        self.net = nn.Sequential(*hidden, nn.Linear(config.width, 2))

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        sigma, spread = sigma[:, None], self.config.spread
        variance = sigma**2 + spread**2
        scales = math.pi / 2 * 2.0 ** torch.arange(self.config.frequencies, device=x.device)
        waves = (x[:, :, None] * scales).flatten(1) / spread
        waves = (
            torch.cat([waves.sin(), waves.cos()], dim=1) * spread / variance.sqrt()
        )  # in much noise they say nothing
        told = torch.cat([x / variance.sqrt(), waves, sigma.log() / 4], dim=1)
        # (c_skip x + c_out F - x) / sigma^2, with the two terms in x taken together
        return spread / (sigma * variance.sqrt()) * self.net(told) - x / variance

    def score(self) -> Score:
        """As the samplers call it."""
        return lambda x, sigma: self(x, torch.full((len(x),), sigma, dtype=x.dtype, device=x.device))


def levels(low: float, high: float, n: int, random: torch.Generator, objective: str) -> Tensor:
    """Noise levels (n,) of a batch, uniform in their logarithm; all are alike for "explicit"."""
    share = torch.rand(1 if objective == "explicit" else n, generator=random).expand(n)
    return low * (high / low) ** share


def loss(
    model: nn.Module,
    x0: Tensor,
    sigma: Tensor,
    random: torch.Generator,
    objective: str = "denoising",
    truth: Score | None = None,
) -> Tensor:
    """Mean loss of points x0 (B, 2) at noise levels sigma (B,), weighted so that an untrained network's is as large at
    every level. Karras 2022, section 5.

    Args:
        model: a `Model`, or one wrapped for several processes.
        objective: one of `OBJECTIVES`: regression on -eps / sigma (Vincent 2011, eq. 10); by the divergence of the
            score along random directions (Song 2020, eq. 8); or regression on the true score.
        truth: the true score, for "explicit"; all levels are then the same.

    Raises:
        KeyError: there is no such objective.
    """
    eps = torch.randn(x0.shape, generator=random).to(x0)
    x = x0 + sigma[:, None] * eps
    spread = cast(Model, getattr(model, "module", model)).config.spread
    weight = sigma**2 * (1 + sigma**2 / spread**2)
    errors = {
        "denoising": lambda: (model(x, sigma) + eps / sigma[:, None]).square().sum(1),
        "sliced": lambda: _sliced(model, x, sigma, random),
        "explicit": lambda: (model(x, sigma) - cast(Score, truth)(x, sigma[0].item())).square().sum(1),
    }
    return (weight * errors[objective]()).mean()


def _sliced(model: nn.Module, x: Tensor, sigma: Tensor, random: torch.Generator) -> Tensor:
    """v . grad(v . s) + |s|^2 / 2 of each point (B,), for directions v of signs."""
    x = x.detach().requires_grad_()
    v = torch.randn(x.shape, generator=random).sign().to(x)
    s = model(x, sigma)
    (slope,) = torch.autograd.grad((v * s).sum(), x, create_graph=True)
    return (v * slope).sum(1) + s.square().sum(1) / 2
