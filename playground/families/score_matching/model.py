"""Score matching in the plane: a network learns the gradient of the log-density of points, at many noise levels.

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

from playground.datasets.densities import Density
from playground.families.score_matching.langevin import Score
from playground.runtime import validation

Objective = Literal["denoising", "sliced", "explicit"]
OBJECTIVES: tuple[str, ...] = get_args(Objective)


@dataclass(frozen=True)
class Config:
    """Configuration of a score network."""

    # Density of the training data: ring, grid, uneven, moons, spirals, pinwheel or checkerboard, see
    # `playground.datasets.densities`; "" for a drawing.
    data: str = "grid"
    width: int = 128  # Width of the perceptron.
    layers: int = 3  # Hidden layers of the perceptron.
    frequencies: int = 4  # Number of frequencies of the Fourier features of each coordinate.
    sigma_min: float = 0.02  # Lowest noise level of the training.
    sigma_max: float = 8.0  # Highest noise level of the training.
    sigma_data: float = 1.4  # Standard deviation of the data, the root mean square of a coordinate.

    def __post_init__(self) -> None:
        integers = {"width": (4, 1024), "layers": (1, 12), "frequencies": (0, 16)}
        numbers = {"sigma_min": (1e-4, 10.0), "sigma_max": (1e-3, 1000.0), "sigma_data": (1e-3, 100.0)}
        validation.check_bounds(self, integers, numbers)
        if self.sigma_min > self.sigma_max:
            raise validation.UserError("the least noise must not be above the most noise")


class Model(nn.Module):
    """Score network: x (B, 2), sigma (B,) -> the score at x (B, 2).

    The perceptron F has inputs and outputs of unit variance: the estimate of the data is c_skip x + c_out F, and the
    score is (x0_hat - x) / sigma^2. Karras 2022, "Elucidating the Design Space of Diffusion-Based Generative Models",
    table 1.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        n_inputs = 2 + 4 * config.frequencies + 1
        widths = [n_inputs, *[config.width] * config.layers]
        hidden = [module for a, b in pairwise(widths) for module in (nn.Linear(a, b), nn.SiLU())]
        self.net = nn.Sequential(*hidden, nn.Linear(config.width, 2))

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Map points x (B, 2) and noise levels sigma (B,) to the score (B, 2)."""
        sigma, sigma_data = sigma[:, None], self.config.sigma_data
        variance = sigma**2 + sigma_data**2
        frequencies = math.pi / 2 * 2.0 ** torch.arange(self.config.frequencies, device=x.device)
        phases = (x[:, :, None] * frequencies).flatten(1) / sigma_data
        # The features fade out as the noise grows: under much noise they carry no information.
        features = torch.cat([phases.sin(), phases.cos()], dim=1) * sigma_data / variance.sqrt()
        inputs = torch.cat([x / variance.sqrt(), features, sigma.log() / 4], dim=1)
        # (c_skip x + c_out F - x) / sigma^2, with the two terms in x combined
        return sigma_data / (sigma * variance.sqrt()) * self.net(inputs) - x / variance

    def score(self) -> Score:
        """Return the network as a function of points (B, 2) and one noise level, as samplers call it."""
        return lambda x, sigma: self(x, torch.full((len(x),), sigma, dtype=x.dtype, device=x.device))


def relative_error(score: Score, density: Density, sigma: float, n: int, rng: torch.Generator) -> Tensor:
    """Return the root of E |s - s_true|^2 / E |s_true|^2 over n points of a density with noise, a scalar."""
    noised = density.add_noise(sigma)
    x = noised.sample(n, rng)
    true_score = noised.score(x)
    return ((score(x, sigma) - true_score).square().sum() / true_score.square().sum()).sqrt()


def sample_sigmas(sigma_min: float, sigma_max: float, n: int, rng: torch.Generator, objective: str) -> Tensor:
    """Sample noise levels (n,), uniform in their logarithm; for "explicit" one level for the whole batch."""
    u = torch.rand(1 if objective == "explicit" else n, generator=rng).expand(n)
    return sigma_min * (sigma_max / sigma_min) ** u


def loss(
    model: nn.Module,
    x0: Tensor,
    sigma: Tensor,
    rng: torch.Generator,
    objective: str = "denoising",
    true_score: Score | None = None,
) -> Tensor:
    """Return the mean loss of points x0 (B, 2) at noise levels sigma (B,), a scalar.

    The weights make the loss of an untrained network equal at all levels. Karras 2022, section 5.

    Args:
        objective: One of `OBJECTIVES`: regression on -eps / sigma (Vincent 2011, eq. 10); the divergence of the score
            along random directions (Song 2020, eq. 8); or regression on the true score.
        true_score: Required by "explicit", which takes the same level for the whole batch.

    Raises:
        KeyError: There is no such objective.
    """
    eps = torch.randn(x0.shape, generator=rng).to(x0)
    x = x0 + sigma[:, None] * eps
    sigma_data = cast(Model, getattr(model, "module", model)).config.sigma_data
    weight = sigma**2 * (1 + sigma**2 / sigma_data**2)
    losses = {
        "denoising": lambda: (model(x, sigma) + eps / sigma[:, None]).square().sum(1),
        "sliced": lambda: _sliced_loss(model, x, sigma, rng),
        "explicit": lambda: (model(x, sigma) - cast(Score, true_score)(x, sigma[0].item())).square().sum(1),
    }
    return (weight * losses[objective]()).mean()


def _sliced_loss(model: nn.Module, x: Tensor, sigma: Tensor, rng: torch.Generator) -> Tensor:
    """Return v . grad(v . s) + |s|^2 / 2 at each point (B,), for random directions v of entries -1 and 1."""
    x = x.detach().requires_grad_()
    v = torch.randn(x.shape, generator=rng).sign().to(x)
    s = model(x, sigma)
    (gradient,) = torch.autograd.grad((v * s).sum(), x, create_graph=True)
    return (v * gradient).sum(1) + s.square().sum(1) / 2
