"""Densities in the plane whose samples, likelihoods and scores are known exactly, all about four units wide.

All but the checkerboard are mixtures of Gaussians of one width: some of a few that lie apart, the modes of which can be
counted, and some of hundreds that follow a curve. A drawing becomes one too.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from playground.validation import UserError


@dataclass(frozen=True)
class Mixture:
    """Gaussians of equal weight and width; several at one place make a heavier one.

    Attributes:
        centres: (K, 2).
        sigma: their standard deviation.
        apart: whether they are so far apart that each is a mode.
    """

    centres: Tensor
    sigma: float
    apart: bool = False

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Points (n, 2)."""
        which = torch.randint(len(self.centres), (n,), generator=generator)
        return self.centres[which] + self.sigma * torch.randn(n, 2, generator=generator)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) of points (N, 2): (N,) nats."""
        scale = math.log(len(self.centres) * 2 * math.pi * self.sigma**2)
        return self._exponents(x).logsumexp(1) - scale

    def score(self, x: Tensor) -> Tensor:
        """The gradient of log p at points (N, 2): (N, 2)."""
        share = self._exponents(x).softmax(1)  # (N, K), of each centre in each point
        return (share @ self.centres.to(x) - x) / self.sigma**2

    def noised(self, sigma: float) -> "Mixture":
        """The density of its points with N(0, sigma^2 I) added."""
        return replace(self, sigma=math.hypot(self.sigma, sigma))

    def modes(self) -> tuple[Tensor, Tensor]:
        """Where they are (M, 2), and their weights (M,)."""
        places, counts = self.centres.unique(dim=0, return_counts=True)
        return places, counts.double() / len(self.centres)

    def _exponents(self, x: Tensor) -> Tensor:
        return -torch.cdist(x, self.centres.to(x)).square() / (2 * self.sigma**2)


class Coverage(NamedTuple):
    """How points lie on a mixture whose modes are apart. Srivastava 2017, "VEEGAN", section 4.1.

    Attributes:
        modes: with at least one point within three standard deviations.
        quality: the share of points that are so near to one.
        reverse_kl: from the shares of the modes among those to the true ones, in nats; infinite if there are none.
        shares: of the modes among those (M,).
    """

    modes: int
    quality: float
    reverse_kl: float
    shares: Tensor


def coverage(x: Tensor, mixture: Mixture) -> Coverage:
    """Of points (N, 2)."""
    centres, weights = mixture.modes()
    distance, nearest = torch.cdist(x, centres).min(1)
    near = nearest[distance <= 3 * mixture.sigma]
    shares = near.bincount(minlength=len(centres)).double() / max(len(near), 1)
    kl = torch.special.xlogy(shares, shares / weights).sum().item() if len(near) else math.inf
    return Coverage(int((shares > 0).sum()), len(near) / len(x), kl, shares)


@dataclass(frozen=True)
class Checkerboard:
    """Uniform on every other square of side 1 between -2 and 2.

    Attributes:
        sigma: standard deviation of the normal noise that its points may have been given.
    """

    sigma: float = 0.0
    apart: bool = False

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Points (n, 2)."""
        row, half = torch.randint(4, (n,), generator=generator), torch.randint(2, (n,), generator=generator)
        corner = torch.stack([2 * half + row % 2, row], dim=1) - 2
        x = corner + torch.rand(n, 2, generator=generator)
        return x + self.sigma * torch.randn(n, 2, generator=generator) if self.sigma else x

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) of points (N, 2): (N,) nats; minus infinity where there is nothing."""
        if self.sigma:
            return self._log_sides(x)[0].sum(2).logsumexp(1) - math.log(8)
        inside = (x.abs() < 2).all(1) & ((x + 2).floor().sum(1) % 2 == 0)
        return torch.where(inside, -math.log(8), -math.inf).to(x)

    def score(self, x: Tensor) -> Tensor:
        """The gradient of log p at points (N, 2): (N, 2); zero where it is flat, or where there is nothing."""
        if not self.sigma:
            return torch.zeros_like(x)
        log_side, slope = self._log_sides(x)
        share = log_side.sum(2).softmax(1)  # (N, 8), of each square in each point
        return (share[..., None] * slope).sum(1)

    def noised(self, sigma: float) -> "Checkerboard":
        """The density of its points with N(0, sigma^2 I) added."""
        return replace(self, sigma=math.hypot(self.sigma, sigma))

    def _log_sides(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The log density of each square's coordinates, and its derivative: both (N, 8, 2)."""
        row, half = torch.cartesian_prod(torch.arange(4), torch.arange(2)).T
        corner = torch.stack([2 * half + row % 2, row], dim=1) - 2
        start = (x[:, None] - corner.to(x)) / self.sigma  # (N, 8, 2)
        end = start - 1 / self.sigma
        beyond = end > 0  # mirrored, since 1 - 1 is all that is left of a difference far out on that side
        log_more, log_less = (
            torch.special.log_ndtr(each)
            for each in (torch.where(beyond, -end, start), torch.where(beyond, -start, end))
        )
        log_side = log_more + torch.log1p(-torch.exp(log_less - log_more))
        slopes = [torch.exp(-(each**2) / 2 - math.log(2 * math.pi) / 2 - log_side) for each in (start, end)]
        return log_side, (slopes[0] - slopes[1]) / self.sigma


Density = Mixture | Checkerboard


def true_score(density: Density) -> Callable[[Tensor, float], Tensor]:
    """The score of a density with noise, at points (B, 2) and a noise level, as samplers and losses call it."""
    return lambda x, sigma: density.noised(sigma).score(x)


def ring() -> Mixture:
    """Eight Gaussians on a circle, five times as wide as those of Metz 2017, "Unrolled GANs", section 3.1."""
    return Mixture(_circle(torch.arange(8) * math.pi / 4, 2.0), 0.1, apart=True)


def grid() -> Mixture:
    """Twenty-five Gaussians, 20 widths apart; twice as wide as those of Lin 2018, "PacGAN", section 4.1."""
    line = torch.linspace(-2, 2, 5)
    return Mixture(torch.cartesian_prod(line, line), 0.05, apart=True)


def uneven() -> Mixture:
    """Two Gaussians far apart, one four times as heavy as the other. After Song and Ermon 2019, section 3.2.2."""
    return Mixture(torch.tensor([[-1.6, -1.6], *[[1.6, 1.6]] * 4]), 0.3, apart=True)


def moons() -> Mixture:
    """Two half circles, one hooked into the other."""
    angle = torch.linspace(0, math.pi, 256)
    upper = _circle(angle, 1.3) + torch.tensor([-0.65, -0.3])
    return Mixture(torch.cat([upper, -upper]), 0.1)


def spirals() -> Mixture:
    """Two arms of one and a half turns."""
    turn = 3 * math.pi * torch.linspace(0.03, 1, 512).sqrt()
    arm = _circle(turn, 0.22 * turn)
    return Mixture(torch.cat([arm, -arm]), 0.07)


def pinwheel() -> Mixture:
    """Five bent blades. After Johnson 2016, "Composing graphical models with neural networks", figure 1."""
    radius = torch.linspace(0.35, 2.1, 128)
    blades = [_circle(k * 2 * math.pi / 5 + 0.75 * radius, radius) for k in range(5)]
    return Mixture(torch.cat(blades), 0.09)


def drawn(grey: np.ndarray) -> Mixture:
    """What was drawn, as many Gaussians as there are dark or bright points in it.

    Args:
        grey: uint8 (H, W), ink on a ground that fills most of the border.

    Raises:
        UserError: nothing is drawn.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = np.abs(grey.astype(np.float32) - np.median(border))
    rows, columns = np.nonzero(ink > 64)
    if not len(rows):
        raise UserError("the drawing is empty: draw something for the data to be")
    side = max(grey.shape)
    points = np.stack([columns - (grey.shape[1] - 1) / 2, (grey.shape[0] - 1) / 2 - rows], axis=1) * 4.4 / side
    chosen = np.random.default_rng(0).permutation(len(points))[:2000]
    return Mixture(torch.tensor(points[chosen], dtype=torch.float32), 2.2 / side)


def _circle(angle: Tensor, radius: float | Tensor) -> Tensor:
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
