"""Tests of the densities in the plane: normalization, scores and samples."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from playground.datasets import densities
from playground.datasets.densities import DENSITIES, Checkerboard, Density, Mixture
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError


@pytest.fixture(params=DENSITIES)
def density(request: pytest.FixtureRequest) -> Density:
    return DENSITIES[request.param]()


def lattice(density: Density) -> tuple[Tensor, float]:
    """Return points (N, 2) of a lattice as fine as the narrowest component, and the area of its cells."""
    side = density.sigma or 0.05
    line = torch.arange(-2.9 + side / 2, 2.9, side, dtype=torch.float64)
    return torch.cartesian_prod(line, line), side**2


def integral(density: Density, function: Tensor, points: Tensor, area: float) -> Tensor:
    """Integrate a function, given by its values (N, K) at points (N, 2), against a density."""
    p = torch.cat([density.log_prob(part).exp() for part in points.split(20_000)])
    return (p[:, None] * function).sum(0) * area


@pytest.mark.slow
def test_a_density_integrates_to_one_and_its_samples_have_its_moments(density: Density) -> None:
    points, area = lattice(density)
    mass = integral(density, torch.ones(1, 1, dtype=torch.float64), points, area)
    assert float(mass) == pytest.approx(1, abs=2e-3)
    x = density.sample(100_000, make_rng(0)).double()
    for power in (1, 2):
        torch.testing.assert_close(x.pow(power).mean(0), integral(density, points**power, points, area),
                                   rtol=0.02, atol=0.02)  # fmt: skip


def test_the_score_is_the_gradient_of_the_log_density(density: Density) -> None:
    x = density.sample(50, make_rng(1)).double().requires_grad_()
    log_prob = density.log_prob(x)
    assert log_prob.isfinite().all()
    expected = torch.autograd.grad(log_prob.sum(), x)[0] if log_prob.requires_grad else torch.zeros_like(x)
    torch.testing.assert_close(density.score(x.detach()), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.05, 0.5, 3.0])
def test_noise_gives_a_density_with_the_right_score_and_samples(density: Density, sigma: float) -> None:
    noised = density.add_noise(sigma)
    x = noised.sample(50, make_rng(2)).double().requires_grad_()
    expected = torch.autograd.grad(noised.log_prob(x).sum(), x)[0]
    torch.testing.assert_close(noised.score(x.detach()), expected, rtol=1e-4, atol=1e-5)
    expected_samples = density.sample(200_000, make_rng(3)) + sigma * torch.randn(200_000, 2, generator=make_rng(4))
    samples = noised.sample(200_000, make_rng(5))
    assert expected_samples.square().mean().item() == pytest.approx(samples.square().mean().item(), rel=0.02)
    line = torch.arange(-3 - 5 * sigma, 3 + 5 * sigma, 0.02 + sigma / 2, dtype=torch.float64)
    batches = torch.cartesian_prod(line, line).split(20_000)
    mass = sum(noised.log_prob(part).exp().sum().item() for part in batches) * (line[1] - line[0]).item() ** 2
    assert mass == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.5])
def test_a_score_is_right_far_from_all_data_in_single_precision(density: Density, sigma: float) -> None:
    noised = density.add_noise(sigma)
    line = torch.linspace(-6, 6, 31, dtype=torch.float64)
    x = torch.cartesian_prod(line, line)
    torch.testing.assert_close(noised.score(x.float()).double(), noised.score(x), rtol=1e-2, atol=1e-2 / sigma)
    torch.testing.assert_close(noised.log_prob(x.float()).double(), noised.log_prob(x), rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("sigma", [0.05, 0.5])
def test_far_from_the_checkerboard_its_score_is_that_of_an_edge(sigma: float) -> None:
    """At d sigma from a straight edge the score is -(d + 1 / d ...) / sigma: the inverse of Mills' ratio."""
    d = torch.tensor([8.0, 20.0], dtype=torch.float64)
    x = torch.stack([2 + d * sigma, torch.full((2,), 0.5, dtype=torch.float64)], dim=1)
    mirrored = x * torch.tensor([-1.0, -1.0])
    score = Checkerboard(sigma).score(torch.cat([x, mirrored]))[:, 0] * sigma
    mills = torch.exp(-(d**2) / 2 - torch.special.log_ndtr(-d)) / math.sqrt(2 * math.pi)
    torch.testing.assert_close(score, torch.cat([-mills, mills]), rtol=2e-3, atol=0)


def test_the_log_density_of_one_gaussian_is_that_of_torch() -> None:
    x = torch.randn(10, 2, generator=make_rng(0))
    gaussian = Mixture(torch.tensor([[0.5, -1.0]]), 0.7)
    expected = torch.distributions.Normal(torch.tensor([0.5, -1.0]), 0.7).log_prob(x).sum(1)
    torch.testing.assert_close(gaussian.log_prob(x), expected)


def test_modes_of_multimodal_mixtures_are_well_separated() -> None:
    for name, make_density in DENSITIES.items():
        density = make_density()
        if density.multimodal:
            assert isinstance(density, Mixture)
            assert torch.pdist(density.modes()[0]).min() > 10 * density.sigma, name


def test_samples_of_a_mixture_cover_its_modes() -> None:
    ring = densities.ring()
    coverage = densities.measure_coverage(ring.sample(20_000, make_rng(0)), ring)
    assert coverage.modes == 8
    assert coverage.quality == pytest.approx(
        1 - math.exp(-(3**2) / 2), abs=2e-3
    )  # |x|^2 / 2 is exponential in the plane
    assert coverage.reverse_kl == pytest.approx(0, abs=1e-3)


def test_the_reverse_kl_of_the_density_itself_is_what_chance_makes_it() -> None:
    """2 n times it is nearly chi-squared, of one degree of freedom fewer than there are modes."""
    ring, n = densities.ring(), 400
    kl = [densities.measure_coverage(ring.sample(n, make_rng(seed)), ring).reverse_kl for seed in range(400)]
    assert sum(kl) / len(kl) == pytest.approx((8 - 1) / (2 * n), rel=0.05)


def test_the_reverse_kl_of_a_collapse_to_one_of_eight_modes_is_log_8() -> None:
    ring = densities.ring()
    coverage = densities.measure_coverage(torch.cat([ring.centres[:1].expand(30, 2), torch.zeros(10, 2)]), ring)
    assert coverage[:3] == (1, 0.75, pytest.approx(math.log(8)))
    assert coverage.shares.tolist() == [1.0 if position.equal(ring.centres[0]) else 0.0 for position in ring.modes()[0]]


@pytest.mark.parametrize("name", ["ring", "grid", "uneven"])
def test_no_points_have_a_larger_reverse_kl_than_those_of_a_collapse_to_the_lightest_mode(name: str) -> None:
    mixture = DENSITIES[name]()
    assert isinstance(mixture, Mixture)
    kl = [densities.measure_coverage(mode.expand(10, 2), mixture).reverse_kl for mode in mixture.modes()[0]]
    assert mixture.collapse_kl == pytest.approx(max(kl))


def test_points_far_from_all_modes_cover_none() -> None:
    assert densities.measure_coverage(torch.full((10, 2), 9.0), densities.ring())[:3] == (0, 0.0, math.inf)


def test_the_checkerboard_is_empty_on_every_other_square() -> None:
    board = Checkerboard()
    assert board.log_prob(torch.tensor([[0.5, 0.5]])).item() == pytest.approx(-math.log(8))
    empty = torch.tensor([[0.5, 1.5], [-0.5, 0.5], [2.5, 0.5]])
    assert board.log_prob(empty).tolist() == [-math.inf] * 3


@pytest.mark.parametrize("ground", [0, 255])
def test_a_drawing_becomes_the_density_of_its_ink(ground: int) -> None:
    grey = np.full((60, 60), ground, np.uint8)
    grey[10:20, 30:50] = 255 - ground  # above the middle, to the right
    x = densities.from_drawing(grey).sample(5000, make_rng(0))
    middle = torch.tensor([(39.5 - 29.5), (29.5 - 14.5)]) * 4.4 / 60
    torch.testing.assert_close(x.mean(0), middle, rtol=0, atol=0.03)
    assert x.std(0)[0] == pytest.approx(20 * 4.4 / 60 / math.sqrt(12), rel=0.05)


def test_an_empty_drawing_is_refused() -> None:
    with pytest.raises(UserError, match="empty"):
        densities.from_drawing(np.zeros((60, 60), np.uint8))
