"""Invertible layers: their inverses, and their log-determinants against autograd's Jacobian."""

import math
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from playground.families.normalizing_flow.layers import (
    ActNorm,
    Coupling,
    InvertibleConv1x1,
    Layer,
    Transform,
    transforms,
)
from playground.families.normalizing_flow.model import coupling_network
from playground.families.normalizing_flow.splines import TAIL_BOUND, spline, spline_inverse

TRANSFORMS = transforms(5)
NAMES = ["actnorm", "mix", *TRANSFORMS]


def layer(name: str, channels: int = 4, points: bool = False) -> nn.Module:
    """One whose weights are nowhere near their start."""
    torch.manual_seed(0)
    if name in TRANSFORMS:
        made: nn.Module = coupling(TRANSFORMS[name], channels // 2, points)
    else:
        made = {"actnorm": ActNorm, "mix": InvertibleConv1x1}[name](channels)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def coupling(transform: Transform, half: int, points: bool) -> Coupling:
    told = half * transform.count
    small = nn.Sequential(nn.Linear(half, 16), nn.Tanh(), nn.Linear(16, told))
    return Coupling(transform, small if points else coupling_network(half, 8, told))


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_is_undone_to_five_digits(name: str) -> None:
    each, x = cast(Layer, layer(name)), 2 * torch.randn(8, 4, 6, 6)
    z, log_det = each(x)
    back, log_det_back = each.inverse(z)
    assert (z - x).abs().max() > 0.1, "it does something"
    assert torch.allclose(back, x, atol=1e-5)
    assert torch.allclose(log_det_back, -log_det, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(4,), (4, 2, 2)])
def test_the_log_determinant_is_that_of_the_jacobian(name: str, shape: tuple[int, ...]) -> None:
    each, x = layer(name, points=len(shape) == 1).double(), torch.randn(3, *shape, dtype=torch.float64)
    _, log_det = each(x)

    def flat(x: Tensor) -> Tensor:
        return each(x.reshape(1, *shape))[0].flatten()

    for item, found in zip(x, log_det, strict=True):
        jacobian = cast(Tensor, torch.autograd.functional.jacobian(flat, item.flatten()))
        assert math.isclose(jacobian.det().abs().log().item(), found.item(), abs_tol=1e-6)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_coupling_starts_as_the_identity(name: str) -> None:
    x = torch.randn(2, 4, 4, 4)
    z, log_det = coupling(TRANSFORMS[name], 2, points=False)(x)
    assert torch.allclose(z, x, atol=1e-5)
    assert torch.allclose(log_det, torch.zeros(2), atol=1e-3)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_coupling_listens_to_what_is_known(name: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 4, 4, 4)
    told = Coupling(TRANSFORMS[name], coupling_network(2 + 3, 8, 2 * TRANSFORMS[name].count))
    for parameter in told.parameters():
        nn.init.normal_(parameter, std=0.3)
    one, other = (told(x, torch.full((1, 3, 4, 4), value))[0] for value in (0.0, 1.0))
    assert torch.equal(one[:, :2], x[:, :2])
    assert not torch.allclose(one[:, 2:], other[:, 2:])
    assert torch.allclose(told.inverse(one, torch.zeros(1, 3, 4, 4))[0], x, atol=1e-5)


def test_a_spline_rises_from_end_to_end_and_is_the_identity_beyond() -> None:
    torch.manual_seed(0)
    x = torch.linspace(-TAIL_BOUND - 1, TAIL_BOUND + 1, 20_001, dtype=torch.float64)
    z, log_slope = spline(x, (2 * torch.randn(14, 1)).to(x).expand(14, len(x)))
    assert (z.diff() > 0).all()
    outside = x.abs() >= TAIL_BOUND
    assert torch.equal(z[outside], x[outside])
    assert (log_slope[outside] == 0).all()
    middle = (z[2:] - z[:-2]) / (x[2:] - x[:-2])
    smooth = torch.isclose(middle.log(), log_slope[1:-1], atol=0.02)
    assert smooth.float().mean() > 0.99, "but for kinks at the knots"


@pytest.mark.parametrize("scale", [1, 10, 100, 10**6])
def test_the_inverse_of_a_steep_spline_stays_in_its_interval_and_is_right(scale: int) -> None:
    """In single precision, too, which cannot tell numbers apart that a flat part maps to one: only z is compared."""
    rng = torch.Generator().manual_seed(0)
    h = scale * torch.randn(8, 100_000, generator=rng)
    z = (2 * torch.rand(100_000, generator=rng) - 1) * TAIL_BOUND
    x, log_slope = spline_inverse(z, h)
    assert x.dtype == log_slope.dtype == z.dtype
    assert x.abs().max() <= TAIL_BOUND
    assert (spline(x, h)[0] - z).abs().max() < 1e-3 or scale > 1000, "a step of x in single precision is larger"
    assert log_slope.isfinite().all()


def test_a_normalized_batch_has_mean_zero_and_deviation_one() -> None:
    torch.manual_seed(0)
    norm, x = ActNorm(3), 5 * torch.randn(64, 3, 4, 4) + torch.tensor([1.0, -2.0, 3.0])[:, None, None]
    norm.initialize(x)
    z, _ = norm(x)
    channels = z.transpose(0, 1).flatten(1)
    assert torch.allclose(channels.mean(1), torch.zeros(3), atol=1e-5)
    assert torch.allclose(channels.std(1), torch.ones(3), atol=1e-5)
