"""Monotone rational-quadratic splines (Durkan 2019, "Neural Spline Flows")."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

TAIL_BOUND = 4.0  # a spline acts on [-TAIL_BOUND, TAIL_BOUND] and is the identity outside
MIN_BIN = 1e-2  # smallest width and height of a bin, as a fraction of the whole; smallest slope at a knot


class Knots(NamedTuple):
    """Knots of splines, their coordinates (K + 1, ...) and the slopes at them (K + 1, ...)."""

    x: Tensor
    y: Tensor
    slope: Tensor


class Bin(NamedTuple):
    """Bin of a spline that contains a number, with its left knot at (x, y); all (...)."""

    x: Tensor
    y: Tensor
    width: Tensor
    height: Tensor
    slope: Tensor
    next_slope: Tensor

    @property
    def s(self) -> Tensor:
        """Return the mean slope in the bin."""
        return self.height / self.width


def spline(x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Apply a monotone rational-quadratic spline to each number. Durkan 2019, eq. 4.

    Args:
        x: Numbers (...).
        h: Parameters (3 K - 1, ...) of K bins for each number.

    Returns:
        Values (...) and the logarithms of the derivatives (...).
    """
    knots = _knots(h)
    clamped = x.clamp(-TAIL_BOUND, TAIL_BOUND)
    bin_ = _find_bin(clamped, knots.x, knots)
    theta = (clamped - bin_.x) / bin_.width
    z = bin_.y + bin_.height * (bin_.s * theta**2 + bin_.slope * theta * (1 - theta)) / _denominator(bin_, theta)
    inside = x.abs() < TAIL_BOUND
    return torch.where(inside, z, x), torch.where(inside, _log_derivative(bin_, theta), 0)


def spline_inverse(z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Invert `spline` by the root of a quadratic equation in the bin of each number. Durkan 2019, eq. 6 to 8.

    Shapes are as in `spline`, and so is what is returned, of the inverse.

    It is computed in double precision: where slopes differ by orders of magnitude, the terms of the equation cancel.
    """
    dtype, z = z.dtype, z.double()
    knots = Knots(*(column.double() for column in _knots(h)))  # those of `spline`
    clamped = z.clamp(-TAIL_BOUND, TAIL_BOUND)
    bin_ = _find_bin(clamped, knots.y, knots)
    dy, curvature = clamped - bin_.y, bin_.next_slope + bin_.slope - 2 * bin_.s
    a = bin_.height * (bin_.s - bin_.slope) + dy * curvature
    b = bin_.height * bin_.slope - dy * curvature
    c = -bin_.s * dy
    theta = (2 * c / (-b - (b**2 - 4 * a * c).clamp(min=0).sqrt())).clamp(0, 1)
    inside = z.abs() < TAIL_BOUND
    x, log_derivative = bin_.x + theta * bin_.width, -_log_derivative(bin_, theta)
    return torch.where(inside, x, z).to(dtype), torch.where(inside, log_derivative, 0).to(dtype)


def _log_derivative(bin_: Bin, theta: Tensor) -> Tensor:
    """Return the logarithm of the derivative at relative positions theta in bins. Durkan 2019, eq. 5."""
    numerator = bin_.next_slope * theta**2 + 2 * bin_.s * theta * (1 - theta) + bin_.slope * (1 - theta) ** 2
    return 2 * bin_.s.log() + numerator.log() - 2 * _denominator(bin_, theta).log()


def _denominator(bin_: Bin, theta: Tensor) -> Tensor:
    """Return the denominator of eq. 4, whose square is that of eq. 5."""
    return bin_.s + (bin_.next_slope + bin_.slope - 2 * bin_.s) * theta * (1 - theta)


def _knots(h: Tensor) -> Knots:
    """Map parameters (3 K - 1, ...) to knots; parameters of 0 give the identity."""
    k = (len(h) + 1) // 3
    widths, heights, slopes = h.split([k, k, k - 1])
    inner = MIN_BIN + F.softplus(slopes + math.log(math.expm1(1 - MIN_BIN)))  # 1 at 0
    ones = torch.ones_like(inner[:1])
    return Knots(_coordinates(widths.softmax(0)), _coordinates(heights.softmax(0)), torch.cat([ones, inner, ones]))


def _coordinates(fractions: Tensor) -> Tensor:
    """Map the fractions of bins (K, ...), which sum to 1, to knots (K + 1, ...) from -TAIL_BOUND to TAIL_BOUND."""
    ends = (MIN_BIN + (1 - MIN_BIN * len(fractions)) * fractions).cumsum(0)[:-1]  # the last is 1 up to rounding
    bound = torch.full_like(fractions[:1], TAIL_BOUND)
    return torch.cat([-bound, 2 * TAIL_BOUND * ends - TAIL_BOUND, bound])


def _find_bin(values: Tensor, axis: Tensor, knots: Knots) -> Bin:
    """Return the bin of each number (...), by the knots on its axis (K + 1, ...)."""
    index = (values >= axis[1:-1]).sum(0, keepdim=True)
    start, end = (Knots(*(column.gather(0, index + offset)[0] for column in knots)) for offset in (0, 1))
    return Bin(start.x, start.y, end.x - start.x, end.y - start.y, start.slope, end.slope)
