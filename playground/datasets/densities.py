"""Densities in the plane with exact samples, log-likelihoods and scores, all about four units wide.

All but the checkerboard are mixtures of Gaussians of equal width: either of a few that are well separated, so that
covered modes can be counted, or of hundreds along a curve. A drawing becomes such a mixture too.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from playground.runtime.pictures import contrast_to_border
from playground.runtime.validation import UserError

DRAWING_SIDE = 4.4  # of the square around the middle of the plane that a drawing covers


@dataclass(frozen=True)
class Mixture:
    """Mixture of isotropic Gaussians of equal weight and width; repeated centres make a heavier component."""

    centres: Tensor  # means of the components (K, 2)
    sigma: float  # standard deviation of each component
    multimodal: bool = False  # True if the components are so far apart that each is a mode

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Sample points (n, 2)."""
        component = torch.randint(len(self.centres), (n,), generator=rng)
        return self.centres[component] + self.sigma * torch.randn(n, 2, generator=rng)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log-density (N,) at points (N, 2), in nats."""
        log_normalizer = math.log(len(self.centres) * 2 * math.pi * self.sigma**2)
        return self._exponents(x).logsumexp(1) - log_normalizer

    def score(self, x: Tensor) -> Tensor:
        """Return the gradient of the log-density (N, 2) at points (N, 2)."""
        responsibilities = self._exponents(x).softmax(1)  # (N, K)
        return (responsibilities @ self.centres.to(x) - x) / self.sigma**2

    def add_noise(self, sigma: float) -> "Mixture":
        """Return the density of x + sigma eps, for x from this density and eps from N(0, I)."""
        return replace(self, sigma=math.hypot(self.sigma, sigma))

    def modes(self) -> tuple[Tensor, Tensor]:
        """Return the positions (M, 2) and the weights (M,) of the modes."""
        positions, counts = self.centres.unique(dim=0, return_counts=True)
        return positions, counts.double() / len(self.centres)

    @property
    def collapse_kl(self) -> float:
        """Return the KL divergence from points that are all at the lightest mode to the true weights, in nats: no
        points have more."""
        return math.log(1 / self.modes()[1].min().item())

    def _exponents(self, x: Tensor) -> Tensor:
        """Return the exponents (N, K) of the Gaussians at points (N, 2)."""
        return -torch.cdist(x, self.centres.to(x)).square() / (2 * self.sigma**2)


class Coverage(NamedTuple):
    """Mode coverage of generated points. Srivastava 2017, "VEEGAN", section 4.1."""

    modes: int  # number of modes with at least one point within three standard deviations
    quality: float  # fraction of points within three standard deviations of a mode, the high-quality samples
    # KL divergence from the shares to the true weights of M modes, in nats; by chance n samples of the density have one
    # of about (M - 1) / 2n. Infinite without high-quality samples.
    reverse_kl: float
    shares: Tensor  # fraction of the high-quality samples at each mode (M,)


def measure_coverage(x: Tensor, mixture: Mixture) -> Coverage:
    """Measure how points (N, 2) cover the modes of a multimodal mixture."""
    centres, weights = mixture.modes()
    distance, nearest = torch.cdist(x, centres).min(1)
    nearest = nearest[distance <= 3 * mixture.sigma]
    shares = nearest.bincount(minlength=len(centres)).double() / max(len(nearest), 1)
    kl = torch.special.xlogy(shares, shares / weights).sum().item() if len(nearest) else math.inf
    return Coverage(int((shares > 0).sum()), len(nearest) / len(x), kl, shares)


@dataclass(frozen=True)
class Checkerboard:
    """Uniform density on every other unit square of [-2, 2]^2, convolved with a Gaussian."""

    sigma: float = 0.0  # standard deviation of the Gaussian; 0 for sharp edges
    multimodal: bool = False  # always False: a uniform density has no modes to count

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Sample points (n, 2)."""
        row, pair = torch.randint(4, (n,), generator=rng), torch.randint(2, (n,), generator=rng)
        corner = torch.stack([2 * pair + row % 2, row], dim=1) - 2
        x = corner + torch.rand(n, 2, generator=rng)
        return x + self.sigma * torch.randn(n, 2, generator=rng) if self.sigma else x

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log-density (N,) at points (N, 2), in nats; minus infinity on empty squares."""
        if self.sigma:
            return self._log_marginals(x)[0].sum(2).logsumexp(1) - math.log(8)
        inside = (x.abs() < 2).all(1) & ((x + 2).floor().sum(1) % 2 == 0)
        return torch.where(inside, -math.log(8), -math.inf).to(x)

    def score(self, x: Tensor) -> Tensor:
        """Return the gradient of the log-density (N, 2) at points (N, 2); zero without noise, where it is flat."""
        if not self.sigma:
            return torch.zeros_like(x)
        log_marginals, gradients = self._log_marginals(x)
        responsibilities = log_marginals.sum(2).softmax(1)  # (N, 8)
        return (responsibilities[..., None] * gradients).sum(1)

    def add_noise(self, sigma: float) -> "Checkerboard":
        """Return the density of x + sigma eps, for x from this density and eps from N(0, I)."""
        return replace(self, sigma=math.hypot(self.sigma, sigma))

    def _log_marginals(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-density of both coordinates for each square, and its derivative, both (N, 8, 2)."""
        row, pair = torch.cartesian_prod(torch.arange(4), torch.arange(2)).T
        corner = torch.stack([2 * pair + row % 2, row], dim=1) - 2
        start = (x[:, None] - corner.to(x)) / self.sigma  # (N, 8, 2)
        end = start - 1 / self.sigma
        right = end > 0  # mirrored, since far to the right of a square both values of the normal CDF round to 1
        log_upper = torch.special.log_ndtr(torch.where(right, -end, start))
        log_lower = torch.special.log_ndtr(torch.where(right, -start, end))
        log_marginals = log_upper + torch.log1p(-torch.exp(log_lower - log_upper))
        ratios = [torch.exp(-(edge**2) / 2 - math.log(2 * math.pi) / 2 - log_marginals) for edge in (start, end)]
        return log_marginals, (ratios[0] - ratios[1]) / self.sigma


Density = Mixture | Checkerboard


def make_true_score(density: Density) -> Callable[[Tensor, float], Tensor]:
    """Return the exact score as a function of points (B, 2) and sigma, with the interface of a score model."""
    return lambda x, sigma: density.add_noise(sigma).score(x)


def ring() -> Mixture:
    """Return eight Gaussians on a circle, five times as wide as in Metz 2017, "Unrolled GANs", section 3.1."""
    return Mixture(_circle(torch.arange(8) * math.pi / 4, 2.0), 0.1, multimodal=True)


def grid() -> Mixture:
    """Return a grid of 25 Gaussians, 20 widths apart, twice as wide as in Lin 2018, "PacGAN", section 4.1."""
    line = torch.linspace(-2, 2, 5)
    return Mixture(torch.cartesian_prod(line, line), 0.05, multimodal=True)


def uneven() -> Mixture:
    """Return two Gaussians far apart, of weights 1/5 and 4/5. After Song and Ermon 2019, section 3.2.2."""
    return Mixture(torch.tensor([[-1.6, -1.6], *[[1.6, 1.6]] * 4]), 0.3, multimodal=True)


def moons() -> Mixture:
    """Return two interleaved half circles."""
    angle = torch.linspace(0, math.pi, 256)
    upper = _circle(angle, 1.3) + torch.tensor([-0.65, -0.3])
    return Mixture(torch.cat([upper, -upper]), 0.1)


def spirals() -> Mixture:
    """Return a spiral of two arms with one and a half turns."""
    turn = 3 * math.pi * torch.linspace(0.03, 1, 512).sqrt()
    arm = _circle(turn, 0.22 * turn)
    return Mixture(torch.cat([arm, -arm]), 0.07)


def pinwheel() -> Mixture:
    """Return five bent blades. After Johnson 2016, "Composing graphical models with neural networks", figure 1."""
    radius = torch.linspace(0.35, 2.1, 128)
    blades = [_circle(k * 2 * math.pi / 5 + 0.75 * radius, radius) for k in range(5)]
    return Mixture(torch.cat(blades), 0.09)


def from_drawing(grey: np.ndarray) -> Mixture:
    """Return the density of a drawing: a Gaussian at each of up to 2000 of its ink pixels.

    Args:
        grey: uint8 (H, W), dark ink on a bright background or the reverse; the background fills most of the border.

    Raises:
        UserError: The drawing is empty.
    """
    rows, columns = np.nonzero(contrast_to_border(grey) > 64)
    if not len(rows):
        raise UserError("the drawing is empty: draw the density of the data first")
    side = max(grey.shape)
    points = np.stack([columns - (grey.shape[1] - 1) / 2, (grey.shape[0] - 1) / 2 - rows], axis=1) * DRAWING_SIDE / side
    subset = np.random.default_rng(0).permutation(len(points))[:2000]
    return Mixture(torch.tensor(points[subset], dtype=torch.float32), 2.2 / side)


def _circle(angle: Tensor, radius: float | Tensor) -> Tensor:
    """Return the points (K, 2) at angles (K,) in radians and one radius, or a radius each."""
    return torch.stack([angle.cos(), angle.sin()], dim=1) * torch.as_tensor(radius).reshape(-1, 1)


DENSITIES: dict[str, Callable[[], Density]] = {
    "ring": ring,
    "grid": grid,
    "uneven": uneven,
    "moons": moons,
    "spirals": spirals,
    "pinwheel": pinwheel,
    "checkerboard": Checkerboard,
}
