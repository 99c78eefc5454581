"""Images rendered from known factors: a square, an ellipse or a heart of one colour on black.

The data set is made for measuring disentanglement, like dSprites (Matthey 2017), but in colour. No two combinations
of factors make the same image, and no factor is periodic, since a single latent dimension cannot represent a circle:
rotations stay well below the square's symmetry, and hues end before they return to red.
"""

import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from playground.datasets.dataset import ALL, N_TEST, Dataset, Sample
from playground.runtime.rng import make_rng

SIZE = 64
SHAPES = ("square", "ellipse", "heart")


class Factors(NamedTuple):
    """Factors of n images, each an index (n,) into the factor's values."""

    shape: Tensor
    colour: Tensor
    scale: Tensor
    rotation: Tensor
    x: Tensor
    y: Tensor


HUES = torch.linspace(0, 240, 6)  # degrees, from red to blue
RADII = torch.linspace(6, 11, 6)  # pixels
ANGLES = torch.linspace(-30, 30, 7)  # degrees; the gap across the square's symmetry is 3 steps
POSITIONS = torch.linspace(17, 46, 16)  # pixels; coordinates of the centre
FACTOR_SIZES = (len(SHAPES), len(HUES), len(RADII), len(ANGLES), len(POSITIONS), len(POSITIONS))
N_COMBINATIONS = math.prod(FACTOR_SIZES)
DESCRIPTION = f"shapes, drawn from {len(FACTOR_SIZES)} known factors: {N_COMBINATIONS:,} pictures"


def sample(n: int, rng: torch.Generator) -> Factors:
    """Sample factors of n images, uniform and independent."""
    return Factors(*(torch.randint(count, (n,), generator=rng) for count in FACTOR_SIZES))


def test_factors(subset: slice) -> Factors:
    """Return factors of a subset of the `N_TEST` test images, which are always the same."""
    return sample_subset(torch.Generator().manual_seed(1), subset)


def sample_subset(rng: torch.Generator, subset: slice) -> Factors:
    """Return factors of a subset of `N_TEST` images."""
    return Factors(*(factor[subset] for factor in sample(N_TEST, rng)))


def render(factors: Factors) -> Tensor:
    """Render images (n, 3, 64, 64) in [-1, 1] with antialiased edges."""
    device = factors.shape.device
    grid = torch.arange(SIZE, device=device, dtype=torch.float32)
    dx = grid - POSITIONS.to(device)[factors.x][:, None]  # (n, W)
    dy = grid - POSITIONS.to(device)[factors.y][:, None]  # (n, H)
    angle = torch.deg2rad(ANGLES.to(device)[factors.rotation])[:, None, None]
    radius = RADII.to(device)[factors.scale][:, None, None]
    u = (dx[:, None, :] * angle.cos() + dy[:, :, None] * angle.sin()) / radius  # (n, H, W), in radii, to the right
    v = (dx[:, None, :] * angle.sin() - dy[:, :, None] * angle.cos()) / radius  # upwards
    distance = torch.stack([square_distance(u, v), ellipse_distance(u, v), heart_distance(u, v)])
    distance = distance[factors.shape, torch.arange(len(u), device=device)]  # (n, H, W)
    coverage = (0.5 - distance * radius).clamp(0, 1)[:, None]  # fraction of each pixel inside the shape
    return coverage * (hue_to_rgb(HUES.to(device)[factors.colour])[:, :, None, None] + 1) - 1


def square_distance(u: Tensor, v: Tensor) -> Tensor:
    """Return the signed distance, by the maximum norm, of points (u, v) to the edge of a square, negative inside."""
    return torch.maximum(u.abs(), v.abs()) - 0.9


def ellipse_distance(u: Tensor, v: Tensor) -> Tensor:
    """Approximate the signed distance to an ellipse to first order, as its implicit function over the gradient."""
    a, b = 1.3, 0.65
    length = torch.sqrt((u / a) ** 2 + (v / b) ** 2).clamp(min=1e-3)
    gradient = torch.sqrt((u / a**2) ** 2 + (v / b**2) ** 2).clamp(min=1e-3) / length
    return (length - 1) / gradient


def heart_distance(u: Tensor, v: Tensor) -> Tensor:
    """Return the signed distance to a heart: two half circles on a square that stands on a corner."""
    scale = 1.9
    u, v = u.abs() / scale, v / scale + 0.5
    lobe = torch.hypot(u - 0.25, v - 0.75) - math.sqrt(2) / 4
    along = (u + v).clamp(min=0) / 2
    side = torch.minimum(torch.hypot(u, v - 1), torch.hypot(u - along, v - along)) * torch.sign(u - v)
    return scale * torch.where(u + v > 1, lobe, side)


def hue_to_rgb(hue: Tensor) -> Tensor:
    """Convert hues (n,) in degrees to saturated colours (n, 3) in [-1, 1]."""
    k = (torch.tensor([0.0, 8.0, 4.0], device=hue.device) + hue[:, None] / 30) % 12
    return 0.1 - 0.9 * torch.minimum(k - 3, 9 - k).clamp(-1, 1)


def load(
    root: str | Path = "", split: str = "train", download: bool = False, subset: slice = ALL
) -> tuple[Tensor, Tensor]:
    """Render a split of `N_TEST` images, with the shapes as labels, see `Loader`; no files are needed."""
    factors = test_factors(subset) if split == "test" else sample_subset(make_rng(0), subset)
    return render(factors), factors.shape


def make_sample(root: str | Path, device: torch.device) -> Sample:
    """Return a function that renders random training images on a device."""
    return lambda n, rng: render(sample(n, rng)).to(device)


DATASET = Dataset(
    "shapes", "Shapes of six known factors", DESCRIPTION, (3, SIZE, SIZE), SHAPES, load, make_sample=make_sample,
    test_factors=lambda subset: test_factors(subset)._asdict(),
)  # fmt: skip
