"""Pictures made from those of a data set, or from none: what simple changes turn them into, noise, and blank pages."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from playground.runtime.rng import make_rng

BLACK = -1.0


def invert(x: Tensor, border: int = 0) -> Tensor:
    """Return the negatives of images (B, C, H, W) in [-1, 1], within a border of so many pixels, which stays."""
    height, width = x.shape[-2:]
    inverted = x.clone()
    inverted[..., border : height - border, border : width - border].neg_()
    return inverted


def blur(x: Tensor) -> Tensor:
    """Return the means of 3 x 3 pixels of images (B, C, H, W), black beyond the edges."""
    return F.avg_pool2d(F.pad(x, [1] * 4, value=BLACK), 3, stride=1)


def shift(x: Tensor, pixels: int) -> Tensor:
    """Move images (B, C, H, W) to the right; what leaves on one side comes in on the other."""
    return x.roll(pixels, -1)


def white_noise(shape: Sequence[int], seed: int) -> Tensor:
    """Sample images of a shape (B, C, H, W) in which each pixel is one of the 256 levels, independently and uniformly;
    image i depends on (seed, i) alone."""
    return torch.randint(256, tuple(shape), generator=make_rng(seed)) / 127.5 - 1


def blank(shape: Sequence[int]) -> Tensor:
    """Return black images of a shape (B, C, H, W)."""
    return torch.full(tuple(shape), BLACK)
