"""Pictures drawn from known factors: a square, an ellipse or a heart, of one colour, somewhere on black.

Made for measuring disentanglement, like dSprites (Matthey 2017), but in colour. No two combinations of the factors
make the same picture, and no factor closes to a circle, which one dimension could not follow without a tear: rotations
stop well short of the square's symmetry, and colours before they come back to red.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

SIZE = 64
SHAPES = ("square", "ellipse", "heart")


class Factors(NamedTuple):
    """The factors of n pictures, each an index (n,) into its values."""

    shape: Tensor
    colour: Tensor
    scale: Tensor
    rotation: Tensor
    x: Tensor
    y: Tensor


NAMES = Factors._fields
HUES = torch.linspace(0, 240, 6)  # degrees, red to blue
RADII = torch.linspace(6, 11, 6)  # pixels
ANGLES = torch.linspace(-30, 30, 7)  # degrees; the gap across the square's symmetry is 3 steps
PLACES = torch.linspace(17, 46, 16)  # pixels, of the centre
COUNTS = (len(SHAPES), len(HUES), len(RADII), len(ANGLES), len(PLACES), len(PLACES))
N = math.prod(COUNTS)
ABOUT = f"shapes, drawn from {len(COUNTS)} known factors: {N:,} pictures"


def sample(n: int, generator: torch.Generator) -> Factors:
    """Factors of n pictures, uniform and independent."""
    return Factors(*(torch.randint(count, (n,), generator=generator) for count in COUNTS))


def tests(part: slice) -> Factors:
    """Factors of some of the 10,000 test pictures, which are always the same."""
    return Factors(*(factor[part] for factor in sample(10_000, torch.Generator().manual_seed(1))))


def draw(factors: Factors) -> Tensor:
    """The pictures (n, 3, 64, 64) in [-1, 1], with smooth edges."""
    device = factors.shape.device
    grid = torch.arange(SIZE, device=device, dtype=torch.float32)
    dx = grid - PLACES.to(device)[factors.x][:, None]  # (n, W)
    dy = grid - PLACES.to(device)[factors.y][:, None]  # (n, H)
    angle = torch.deg2rad(ANGLES.to(device)[factors.rotation])[:, None, None]
    radius = RADII.to(device)[factors.scale][:, None, None]
    u = (dx[:, None, :] * angle.cos() + dy[:, :, None] * angle.sin()) / radius  # (n, H, W), in radii, right
    v = (dx[:, None, :] * angle.sin() - dy[:, :, None] * angle.cos()) / radius  # up
    distance = torch.stack([square(u, v), ellipse(u, v), heart(u, v)])
    distance = distance[factors.shape, torch.arange(len(u), device=device)]  # (n, H, W)
    cover = (0.5 - distance * radius).clamp(0, 1)[:, None]  # the share of a pixel that lies inside
    return cover * (colours(HUES.to(device)[factors.colour])[:, :, None, None] + 1) - 1


# Signed distances to the edge, negative inside, of points (u, v) in units of the radius.


def square(u: Tensor, v: Tensor) -> Tensor:
    return torch.maximum(u.abs(), v.abs()) - 0.9


def ellipse(u: Tensor, v: Tensor) -> Tensor:
    """To first order: the implicit function over its gradient."""
    a, b = 1.3, 0.65
    length = torch.sqrt((u / a) ** 2 + (v / b) ** 2).clamp(min=1e-3)
    gradient = torch.sqrt((u / a**2) ** 2 + (v / b**2) ** 2).clamp(min=1e-3) / length
    return (length - 1) / gradient


def heart(u: Tensor, v: Tensor) -> Tensor:
    """Two half circles on a quarter-turned square; exact."""
    scale = 1.9
    u, v = u.abs() / scale, v / scale + 0.5
    lobe = torch.hypot(u - 0.25, v - 0.75) - math.sqrt(2) / 4
    along = (u + v).clamp(min=0) / 2
    side = torch.minimum(torch.hypot(u, v - 1), torch.hypot(u - along, v - along)) * torch.sign(u - v)
    return scale * torch.where(u + v > 1, lobe, side)


def colours(hue: Tensor) -> Tensor:
    """Saturated colours of hues in degrees (n,): (n, 3) in [-1, 1]."""
    k = (torch.tensor([0.0, 8.0, 4.0], device=hue.device) + hue[:, None] / 30) % 12
    return 0.1 - 0.9 * torch.minimum(k - 3, 9 - k).clamp(-1, 1)
