"""Tests of images rendered from known factors."""

import colorsys
import math

import pytest
import torch
from torch import Tensor

from playground.datasets import shapes
from playground.datasets.shapes import FACTOR_SIZES, Factors
from playground.runtime.rng import make_rng


def make_factors(**changes: int) -> Factors:
    """Return the factors of one image: the middle value of each, but for some."""
    middle = dict(zip(Factors._fields, (count // 2 for count in FACTOR_SIZES), strict=True))
    return Factors(*(torch.tensor([value]) for value in {**middle, **changes}.values()))


def cover(factors: Factors) -> Tensor:
    """Return the fraction of each pixel inside the shape (H, W)."""
    picture = shapes.render(factors)[0]
    return (picture.amax(0) + 1) / (picture.max() + 1)


def test_factors_are_uniform_and_independent() -> None:
    factors = torch.stack(shapes.sample(20_000, make_rng(0))).double()
    for row, count in zip(factors, FACTOR_SIZES, strict=True):
        assert row.min() == 0
        assert row.max() == count - 1
        assert row.mean().item() == pytest.approx((count - 1) / 2, abs=0.03 * count)
    assert (torch.corrcoef(factors) - torch.eye(6)).abs().max() < 0.03


def test_pictures_are_in_range_and_black_at_the_border() -> None:
    pictures = shapes.render(shapes.sample(500, make_rng(1)))
    assert pictures.shape == (500, 3, 64, 64)
    assert pictures.min() == -1
    assert pictures.max() <= 1
    assert (pictures.amax((1, 2, 3)) > 0.5).all()
    for border in (pictures[..., 0], pictures[..., -1], pictures[..., 0, :], pictures[..., -1, :]):
        assert border.max() == -1


@pytest.mark.parametrize("factor", Factors._fields)
def test_every_value_of_every_factor_shows(factor: str) -> None:
    for shape in range(3):
        base = {} if factor == "shape" else {"shape": shape}
        variants = [
            shapes.render(make_factors(**base, **{factor: value}))
            for value in range(FACTOR_SIZES[Factors._fields.index(factor)])
        ]
        for i, first in enumerate(variants):
            assert all((first - second).abs().sum() > 2 for second in variants[i + 1 :])


@pytest.mark.parametrize("shape", range(3))
def test_shapes_have_the_right_area(shape: int) -> None:
    for scale, radius in enumerate(shapes.RADII.tolist()):
        side = 1.9 / math.sqrt(2)  # of the heart's square: two half circles on it
        area = [1.8**2, math.pi * 1.3 * 0.65, side**2 + math.pi * (side / 2) ** 2][shape]
        assert cover(make_factors(shape=shape, scale=scale)).sum().item() == pytest.approx(area * radius**2, rel=0.03)


@pytest.mark.parametrize(("shape", "extent"), [(0, 0.9), (1, 0.65)])
def test_positions_are_coordinates_of_the_centre(shape: int, extent: float) -> None:
    for place in (0, 7, 15):
        inside = cover(make_factors(shape=shape, x=place, y=15 - place, rotation=3))
        grid = torch.arange(64.0)
        x, y = (inside.sum(0) * grid).sum() / inside.sum(), (inside.sum(1) * grid).sum() / inside.sum()
        assert x.item() == pytest.approx(shapes.POSITIONS[place].item(), abs=0.1)
        assert y.item() == pytest.approx(shapes.POSITIONS[15 - place].item(), abs=0.1)


def test_a_rotation_turns_the_ellipse_by_its_angle() -> None:
    for index, angle in enumerate(shapes.ANGLES.tolist()):
        inside = cover(make_factors(shape=1, rotation=index, scale=5)).double()
        grid = torch.arange(64.0).double()
        y, x = torch.meshgrid(grid, grid, indexing="ij")
        x, y = x - (inside * x).sum() / inside.sum(), y - (inside * y).sum() / inside.sum()
        moments = [(inside * a * b).sum() for a, b in ((x, x), (y, y), (x, y))]
        turned = math.degrees(0.5 * math.atan2(2 * moments[2], moments[0] - moments[1]))
        assert turned == pytest.approx(angle, abs=1)


def test_hues_agree_with_colorsys() -> None:
    hues = torch.arange(0.0, 360.0, 15)
    for rgb, hue in zip(((shapes.hue_to_rgb(hues) + 1) / 2).tolist(), hues.tolist(), strict=True):
        assert colorsys.rgb_to_hsv(*rgb)[0] * 360 == pytest.approx(hue, abs=0.01)
