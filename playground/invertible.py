"""Invertible layers, which know how much they stretch space.

A layer maps x to z and tells log |det dz/dx| of each item, so that log p(x) = log p(z) + log |det dz/dx|; `inverse`
maps z to x and tells log |det dx/dz|. All work on items (B, C, ...): points (B, C) as well as feature maps
(B, C, H, W); c is half of C.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BOUND = 4.0  # splines bend between -BOUND and BOUND; beyond, they are the identity
LEAST = 1e-2  # width and height of a spline's bin, as a share of all; slope at a knot


class Layer(Protocol):
    """Either way, items (B, C, ...) -> items (B, C, ...), log |det| (B,)."""

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]: ...

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]: ...


class ActNorm(nn.Module):
    """Each channel shifted and scaled: z = exp(s) (x + b). Kingma 2018, "Glow", section 3.1."""

    def __init__(self, channels: int):
        super().__init__()
        self.b = nn.Parameter(torch.zeros(channels))
        self.s = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, C, ...) -> z (B, C, ...), log |det| (B,)."""
        log_det = self.s.sum() * places(x)
        return _channels(self.s.exp(), x) * (x + _channels(self.b, x)), log_det.expand(len(x))

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z (B, C, ...) -> x (B, C, ...), log |det| (B,)."""
        log_det = -self.s.sum() * places(z)
        return _channels((-self.s).exp(), z) * z - _channels(self.b, z), log_det.expand(len(z))

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Let z have mean 0 and standard deviation 1 in each channel of a first batch."""
        channels = x.transpose(0, 1).flatten(1)
        self.b.copy_(-channels.mean(1))
        self.s.copy_(-channels.std(1).clamp(min=1e-3).log())


@torch.no_grad()
def initialize(flow: nn.Module, forward: Callable[..., object], *batch: Tensor) -> None:
    """Initialise every `ActNorm` of a flow on what reaches it when the flow's `forward` is called with a first batch.
    Kingma 2018, section 3.1."""
    norms = [each for each in flow.modules() if isinstance(each, ActNorm)]
    hooks = [each.register_forward_pre_hook(lambda norm, given: norm.initialize(given[0])) for each in norms]
    forward(*batch)
    for hook in hooks:
        hook.remove()


class Mix(nn.Module):
    """The channels of each place mixed: an invertible 1x1 convolution, z = P L U x, of learned triangles L and U and of
    the P that turns the order of the channels around; it starts as P alone.

    Kingma 2018, "Glow", section 3.2.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.lower = nn.Parameter(torch.zeros(channels, channels))  # below the diagonal; ones are on it
        self.upper = nn.Parameter(torch.zeros(channels, channels))  # above the diagonal
        self.s = nn.Parameter(torch.zeros(channels))  # log of the diagonal of U

    def triangles(self) -> tuple[Tensor, Tensor]:
        """L and U (C, C)."""
        one = torch.ones_like(self.s)
        return self.lower.tril(-1) + one.diag(), self.upper.triu(1) + self.s.exp().diag()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, C, ...) -> z (B, C, ...), log |det| (B,)."""
        lower, upper = self.triangles()
        with torch.autocast(x.device.type, enabled=False):  # what is lost here, no inverse brings back
            z = torch.einsum("ij,bj...->bi...", (lower @ upper).flip(0), x)
        return z, (self.s.sum() * places(x)).expand(len(x))

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z (B, C, ...) -> x (B, C, ...), log |det| (B,)."""
        lower, upper = self.triangles()
        columns = z.flip(1).transpose(0, 1).flatten(1)  # (C, B places)
        half = torch.linalg.solve_triangular(lower, columns, upper=False, unitriangular=True)
        x = torch.linalg.solve_triangular(upper, half, upper=True)
        log_det = (-self.s.sum() * places(z)).expand(len(z))
        return x.reshape(z.shape[1], len(z), *z.shape[2:]).transpose(0, 1), log_det


@dataclass(frozen=True)
class Transform:
    """What a coupling does to a number: `apply` maps numbers (...) and their parameters (count, ...) to numbers and the
    log of the derivative; `invert` maps them back, and tells that of the way back.

    Parameters come first in these shapes, since what runs along the last axis, of so few, runs slowly."""

    count: int
    apply: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    invert: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Coupling(nn.Module):
    """The first half of the channels goes through; each number of the second is transformed as a network of the first
    says. Dinh 2017, "Density estimation using Real NVP", section 3.2.

    Args:
        net: the first half, and after it what else is known, (B, c + K, ...) -> (B, c count, ...).
    """

    def __init__(self, transform: Transform, net: nn.Module):
        super().__init__()
        self.transform = transform
        self.net = net

    def forward(self, x: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x (B, C, ...), known (B, K, ...) -> z (B, C, ...), log |det| (B,)."""
        return self._moved(self.transform.apply, x, known)

    def inverse(self, z: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z (B, C, ...), known (B, K, ...) -> x (B, C, ...), log |det| (B,)."""
        return self._moved(self.transform.invert, z, known)

    def _moved(
        self, move: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], x: Tensor, known: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        first, second = x.chunk(2, dim=1)
        told = self.net(first if known is None else torch.cat([first, known], dim=1)).to(x.dtype)
        h = told.unflatten(1, (first.shape[1], self.transform.count)).movedim(2, 0).contiguous()  # (count, B, c, ...)
        moved, log_slope = move(second, h)
        return torch.cat([first, moved], dim=1), log_slope.flatten(1).sum(1)


# What a coupling may do to a number.


def affine(x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """z = exp(s) x + t, where s stays within -2 and 2; parameters (2, ...). Dinh 2017, eq. 7."""
    s, t = _scale_and_shift(h)
    return s.exp() * x + t, s


def affine_inverse(z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """x = exp(-s) (z - t). Dinh 2017, eq. 8."""
    s, t = _scale_and_shift(h)
    return (-s).exp() * (z - t), -s


def _scale_and_shift(h: Tensor) -> tuple[Tensor, Tensor]:
    return 2 * torch.tanh(h[0] / 2), h[1]


class Knots(NamedTuple):
    """Of splines: where they are, (K + 1, ...) along both axes, and the slopes there."""

    x: Tensor
    y: Tensor
    slope: Tensor


class Bin(NamedTuple):
    """The part of a spline that a number lies in: it starts at (x, y); s is its height by its width."""

    x: Tensor
    y: Tensor
    width: Tensor
    height: Tensor
    slope: Tensor
    next_slope: Tensor

    @property
    def s(self) -> Tensor:
        return self.height / self.width


def spline(x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """A monotone rational-quadratic spline through K + 1 knots; parameters (3 K - 1, ...).

    Durkan 2019, "Neural Spline Flows", eq. 4.
    """
    knots = _knots(h)
    inside = x.clamp(-BOUND, BOUND)
    bin_ = _bin(inside, knots.x, knots)
    share = (inside - bin_.x) / bin_.width
    rest = 1 - share
    z = bin_.y + bin_.height * (bin_.s * share**2 + bin_.slope * share * rest) / _bottom(bin_, share)
    bent = x.abs() < BOUND
    return torch.where(bent, z, x), torch.where(bent, _log_slope(bin_, share), 0)


def spline_inverse(z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """The root of a quadratic equation in the bin that z lies in. Durkan 2019, eq. 6 to 8."""
    knots = _knots(h)
    inside = z.clamp(-BOUND, BOUND)
    bin_ = _bin(inside, knots.y, knots)
    up, bend = inside - bin_.y, bin_.next_slope + bin_.slope - 2 * bin_.s
    a = bin_.height * (bin_.s - bin_.slope) + up * bend
    b = bin_.height * bin_.slope - up * bend
    c = -bin_.s * up
    share = 2 * c / (-b - (b**2 - 4 * a * c).clamp(min=0).sqrt())
    bent = z.abs() < BOUND
    return torch.where(bent, bin_.x + share * bin_.width, z), torch.where(bent, -_log_slope(bin_, share), 0)


def _log_slope(bin_: Bin, share: Tensor) -> Tensor:
    """Log of the derivative, a share of the way through a bin. Durkan 2019, eq. 5."""
    rest = 1 - share
    top = bin_.next_slope * share**2 + 2 * bin_.s * share * rest + bin_.slope * rest**2
    return 2 * bin_.s.log() + top.log() - 2 * _bottom(bin_, share).log()


def _bottom(bin_: Bin, share: Tensor) -> Tensor:
    """What eq. 4 divides by, and 5 by its square."""
    return bin_.s + (bin_.next_slope + bin_.slope - 2 * bin_.s) * share * (1 - share)


def _knots(h: Tensor) -> Knots:
    """Parameters (3 K - 1, ...) as knots; 0 makes the identity."""
    k = (len(h) + 1) // 3
    widths, heights, slopes = h.split([k, k, k - 1])
    inner = LEAST + F.softplus(slopes + math.log(math.expm1(1 - LEAST)))  # 1 at 0
    one = torch.ones_like(inner[:1])
    return Knots(_places_of(widths.softmax(0)), _places_of(heights.softmax(0)), torch.cat([one, inner, one]))


def _places_of(shares: Tensor) -> Tensor:
    """Shares of bins (K, ...) -> knots (K + 1, ...) from -BOUND to BOUND, none too near to the next."""
    ends = (LEAST + (1 - LEAST * len(shares)) * shares).cumsum(0)[:-1]  # the last one is 1, but for rounding
    bound = torch.full_like(shares[:1], BOUND)
    return torch.cat([-bound, 2 * BOUND * ends - BOUND, bound])


def _bin(at: Tensor, axis: Tensor, knots: Knots) -> Bin:
    """That of each number (...), by the knots on its axis."""
    index = (at >= axis[1:-1]).sum(0, keepdim=True)
    start, end = (Knots(*(each.gather(0, index + offset)[0] for each in knots)) for offset in (0, 1))
    return Bin(start.x, start.y, end.x - start.x, end.y - start.y, start.slope, end.slope)


def transforms(bins: int) -> dict[str, Transform]:
    """By their names, splines with so many bins."""
    return {
        "affine": Transform(2, affine, affine_inverse),
        "spline": Transform(3 * bins - 1, spline, spline_inverse),
    }


def places(x: Tensor) -> int:
    """How many places the items of (B, C, ...) have."""
    return math.prod(x.shape[2:])


def _channels(values: Tensor, x: Tensor) -> Tensor:
    """Values (C,) in the shape that meets (B, C, ...)."""
    return values.reshape(-1, *[1] * (x.dim() - 2))
