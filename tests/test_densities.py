"""The densities in the plane: they integrate to one, their scores are gradients, their samples are theirs."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from playground.data import densities
from playground.data.densities import DENSITIES, Checkerboard, Density, Mixture
from playground.sampling import generator
from playground.validation import UserError


@pytest.fixture(params=DENSITIES)
def density(request: pytest.FixtureRequest) -> Density:
    return DENSITIES[request.param]()


def lattice(density: Density) -> tuple[Tensor, float]:
    """Points (N, 2) in a lattice over all there is, fine enough for the narrowest part, and the area of its cells."""
    side = (density.sigma or 0.1) / 2
    line = torch.arange(-2.9 + side / 2, 2.9, side, dtype=torch.float64)
    return torch.cartesian_prod(line, line), side**2


def integral(density: Density, of: Tensor, points: Tensor, area: float) -> Tensor:
    p = torch.cat([density.log_prob(part).exp() for part in points.split(20_000)])
    return (p[:, None] * of).sum(0) * area


def test_a_density_integrates_to_one_and_its_samples_have_its_moments(density: Density) -> None:
    points, area = lattice(density)
    whole = integral(density, torch.ones(1, 1, dtype=torch.float64), points, area)
    assert float(whole) == pytest.approx(1, abs=2e-3)
    x = density.sample(100_000, generator(0)).double()
    for power in (1, 2):
        torch.testing.assert_close(x.pow(power).mean(0), integral(density, points**power, points, area),
                                   rtol=0.02, atol=0.02)  # fmt: skip


def test_the_score_is_the_gradient_of_the_log_density(density: Density) -> None:
    x = density.sample(50, generator(1)).double().requires_grad_()
    log_prob = density.log_prob(x)
    assert log_prob.isfinite().all()
    expected = torch.autograd.grad(log_prob.sum(), x)[0] if log_prob.requires_grad else torch.zeros_like(x)
    torch.testing.assert_close(density.score(x.detach()), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.05, 0.5, 3.0])
def test_noise_makes_another_density_whose_score_is_known(density: Density, sigma: float) -> None:
    noised = density.noised(sigma)
    x = noised.sample(50, generator(2)).double().requires_grad_()
    expected = torch.autograd.grad(noised.log_prob(x).sum(), x)[0]
    torch.testing.assert_close(noised.score(x.detach()), expected, rtol=1e-4, atol=1e-5)
    given = density.sample(200_000, generator(3)) + sigma * torch.randn(200_000, 2, generator=generator(4))
    own = noised.sample(200_000, generator(5))
    assert given.square().mean().item() == pytest.approx(own.square().mean().item(), rel=0.02)
    line = torch.arange(-3 - 5 * sigma, 3 + 5 * sigma, 0.02 + sigma / 8, dtype=torch.float64)
    parts = torch.cartesian_prod(line, line).split(20_000)
    whole = sum(noised.log_prob(part).exp().sum().item() for part in parts) * (line[1] - line[0]).item() ** 2
    assert whole == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.5])
def test_a_score_is_right_far_from_all_data_in_single_precision(density: Density, sigma: float) -> None:
    noised = density.noised(sigma)
    line = torch.linspace(-6, 6, 31, dtype=torch.float64)
    x = torch.cartesian_prod(line, line)
    torch.testing.assert_close(noised.score(x.float()).double(), noised.score(x), rtol=1e-2, atol=1e-2 / sigma)
    torch.testing.assert_close(noised.log_prob(x.float()).double(), noised.log_prob(x), rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("sigma", [0.05, 0.5])
def test_far_from_the_checkerboard_its_score_leads_back_as_from_an_edge(sigma: float) -> None:
    """d sigma beyond the edge of what is uniform, the score is -(d + 1 / d ...) / sigma: Mills' ratio."""
    d = torch.tensor([8.0, 20.0], dtype=torch.float64)
    x = torch.stack([2 + d * sigma, torch.full((2,), 0.5, dtype=torch.float64)], dim=1)
    mirrored = x * torch.tensor([-1.0, -1.0])
    score = Checkerboard(sigma).score(torch.cat([x, mirrored]))[:, 0] * sigma
    mills = torch.exp(-(d**2) / 2 - torch.special.log_ndtr(-d)) / math.sqrt(2 * math.pi)
    torch.testing.assert_close(score, torch.cat([-mills, mills]), rtol=2e-3, atol=0)


def test_the_log_density_of_one_gaussian_is_that_of_torch() -> None:
    x = torch.randn(10, 2, generator=generator(0))
    one = Mixture(torch.tensor([[0.5, -1.0]]), 0.7)
    expected = torch.distributions.Normal(torch.tensor([0.5, -1.0]), 0.7).log_prob(x).sum(1)
    torch.testing.assert_close(one.log_prob(x), expected)


def test_modes_that_are_apart_are_apart() -> None:
    for name, made in DENSITIES.items():
        density = made()
        if density.apart:
            assert isinstance(density, Mixture)
            assert torch.pdist(density.modes()[0]).min() > 10 * density.sigma, name


def test_the_data_cover_themselves_as_their_width_says() -> None:
    ring = densities.ring()
    found = densities.coverage(ring.sample(20_000, generator(0)), ring)
    assert found.modes == 8
    assert found.quality == pytest.approx(1 - math.exp(-(3**2) / 2), abs=2e-3)  # |x|^2 / 2 is exponential in the plane
    assert found.reverse_kl == pytest.approx(0, abs=1e-3)


def test_one_mode_of_eight_is_log_8_from_all() -> None:
    ring = densities.ring()
    found = densities.coverage(torch.cat([ring.centres[:1].expand(30, 2), torch.zeros(10, 2)]), ring)
    assert found[:3] == (1, 0.75, pytest.approx(math.log(8)))
    assert found.shares.tolist() == [1.0 if place.equal(ring.centres[0]) else 0.0 for place in ring.modes()[0]]


def test_points_that_hit_nothing_have_no_modes() -> None:
    assert densities.coverage(torch.full((10, 2), 9.0), densities.ring())[:3] == (0, 0.0, math.inf)


def test_the_checkerboard_is_empty_on_every_other_square() -> None:
    board = Checkerboard()
    assert board.log_prob(torch.tensor([[0.5, 0.5]])).item() == pytest.approx(-math.log(8))
    empty = torch.tensor([[0.5, 1.5], [-0.5, 0.5], [2.5, 0.5]])
    assert board.log_prob(empty).tolist() == [-math.inf] * 3


@pytest.mark.parametrize("ground", [0, 255])
def test_a_drawing_becomes_the_density_of_its_ink(ground: int) -> None:
    grey = np.full((60, 60), ground, np.uint8)
    grey[10:20, 30:50] = 255 - ground  # above the middle, to the right
    x = densities.drawn(grey).sample(5000, generator(0))
    middle = torch.tensor([(39.5 - 29.5), (29.5 - 14.5)]) * 4.4 / 60
    torch.testing.assert_close(x.mean(0), middle, rtol=0, atol=0.03)
    assert x.std(0)[0] == pytest.approx(20 * 4.4 / 60 / math.sqrt(12), rel=0.05)


def test_an_empty_drawing_is_refused() -> None:
    with pytest.raises(UserError, match="empty"):
        densities.drawn(np.zeros((60, 60), np.uint8))
