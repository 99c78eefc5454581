"""Invertible layers with their log-determinants.

A layer maps x to z and returns log |det dz/dx| of each item, so that log p(x) = log p(z) + log |det dz/dx|; `inverse`
maps z to x and returns log |det dx/dz|. All layers work on items (B, C, ...): points (B, C) as well as feature maps
(B, C, H, W); c is half of C.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from playground.families.normalizing_flow.splines import spline, spline_inverse


class Layer(Protocol):
    """Invertible layer: both directions map items (B, C, ...) to items (B, C, ...) and log |det| (B,)."""

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]: ...

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map z (B, C, ...) to x (B, C, ...) and log |det| (B,)."""


class ActNorm(nn.Module):
    """Activation normalization, a shift and scale of each channel: z = exp(s) (x + b). Kingma 2018, "Glow", 3.1."""

    def __init__(self, channels: int):
        super().__init__()
        self.b = nn.Parameter(torch.zeros(channels))
        self.s = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, C, ...) to z (B, C, ...) and log |det| (B,)."""
        log_det = self.s.sum() * n_positions(x)
        return _per_channel(self.s.exp(), x) * (x + _per_channel(self.b, x)), log_det.expand(len(x))

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map z (B, C, ...) to x (B, C, ...) and log |det| (B,)."""
        log_det = -self.s.sum() * n_positions(z)
        return _per_channel((-self.s).exp(), z) * z - _per_channel(self.b, z), log_det.expand(len(z))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Set the parameters so that z has mean 0 and standard deviation 1 in each channel of a batch x (B, C, ...)."""
        channels = x.transpose(0, 1).flatten(1)
        self.b.copy_(-channels.mean(1))
        self.s.copy_(-channels.std(1).clamp(min=1e-3).log())


@torch.no_grad()
def initialize_actnorms(flow: nn.Module, forward: Callable[..., object], *batch: Tensor) -> None:
    """Initialize every `ActNorm` of a flow on its inputs in a call `forward(*batch)` with a first batch.
    Kingma 2018, section 3.1."""
    norms = [module for module in flow.modules() if isinstance(module, ActNorm)]
    hooks = [norm.register_forward_pre_hook(lambda norm, inputs: norm.initialize(inputs[0])) for norm in norms]
    forward(*batch)
    for hook in hooks:
        hook.remove()


class InvertibleConv1x1(nn.Module):
    """Invertible 1x1 convolution z = P L U x, which mixes the channels at each position. Kingma 2018, "Glow", 3.2.

    L and U are learned triangular matrices; the fixed P reverses the order of the channels. It starts as P alone.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.lower = nn.Parameter(torch.zeros(channels, channels))  # used below the diagonal, which is 1
        self.upper = nn.Parameter(torch.zeros(channels, channels))  # used above the diagonal
        self.s = nn.Parameter(torch.zeros(channels))  # logarithm of the diagonal of U

    def triangular_factors(self) -> tuple[Tensor, Tensor]:
        """Return L and U (C, C)."""
        ones = torch.ones_like(self.s)
        return self.lower.tril(-1) + ones.diag(), self.upper.triu(1) + self.s.exp().diag()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, C, ...) to z (B, C, ...) and log |det| (B,)."""
        lower, upper = self.triangular_factors()
        with torch.autocast(x.device.type, enabled=False):  # no inverse can restore precision lost here
            z = torch.einsum("ij,bj...->bi...", (lower @ upper).flip(0), x)
        return z, (self.s.sum() * n_positions(x)).expand(len(x))

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map z (B, C, ...) to x (B, C, ...) and log |det| (B,)."""
        lower, upper = self.triangular_factors()
        columns = z.flip(1).transpose(0, 1).flatten(1)  # (C, B positions)
        upper_x = torch.linalg.solve_triangular(lower, columns, upper=False, unitriangular=True)
        x = torch.linalg.solve_triangular(upper, upper_x, upper=True)
        log_det = (-self.s.sum() * n_positions(z)).expand(len(z))
        return x.reshape(z.shape[1], len(z), *z.shape[2:]).transpose(0, 1), log_det


@dataclass(frozen=True)
class Transform:
    """Elementwise transform of a coupling layer.

    Both functions take numbers (...) and parameters (count, ...), and return numbers and the logarithms of the
    derivatives (...). The parameters come first in these shapes, because operations along a short last axis are slow.
    """

    count: int  # number of parameters
    apply: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # the transform
    invert: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # its inverse


class Coupling(nn.Module):
    """Coupling layer: a network of the first half of the channels gives the parameters of an elementwise transform of
    the second half. Dinh 2017, "Density estimation using Real NVP", section 3.2.

    Args:
        net: Network from the first half and the context (B, c + K, ...) to parameters (B, c count, ...).
    """

    def __init__(self, transform: Transform, net: nn.Module):
        super().__init__()
        self.transform = transform
        self.net = net

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map x (B, C, ...), with a context (B, K, ...), to z (B, C, ...) and log |det| (B,)."""
        return self._transform(self.transform.apply, x, context)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map z (B, C, ...), with a context (B, K, ...), to x (B, C, ...) and log |det| (B,)."""
        return self._transform(self.transform.invert, z, context)

    def _transform(
        self, function: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], x: Tensor, context: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        first, second = x.chunk(2, dim=1)
        out = self.net(first if context is None else torch.cat([first, context], dim=1)).to(x.dtype)
        h = out.unflatten(1, (first.shape[1], self.transform.count)).movedim(2, 0).contiguous()  # (count, B, c, ...)
        second, log_derivative = function(second, h)
        return torch.cat([first, second], dim=1), log_derivative.flatten(1).sum(1)


# Elementwise transforms.


def affine(x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Return exp(s) x + t and its log-derivative, for parameters (2, ...); s is bounded by 2. Dinh 2017, eq. 7."""
    s, t = _scale_and_shift(h)
    return s.exp() * x + t, s


def affine_inverse(z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Return exp(-s) (z - t) and its log-derivative, for the same parameters. Dinh 2017, eq. 8."""
    s, t = _scale_and_shift(h)
    return (-s).exp() * (z - t), -s


def _scale_and_shift(h: Tensor) -> tuple[Tensor, Tensor]:
    return 2 * torch.tanh(h[0] / 2), h[1]


def transforms(bins: int) -> dict[str, Transform]:
    """Return the transforms by name; splines have the given number of bins."""
    return {
        "affine": Transform(2, affine, affine_inverse),
        "spline": Transform(3 * bins - 1, spline, spline_inverse),
    }


def n_positions(x: Tensor) -> int:
    """Return the number of positions in each channel of items (B, C, ...)."""
    return math.prod(x.shape[2:])


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    """Reshape values (C,) to broadcast to x (B, C, ...)."""
    return values.reshape(-1, *[1] * (x.dim() - 2))
