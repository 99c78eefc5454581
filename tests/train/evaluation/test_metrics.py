"""The measures against known answers."""

from math import log, sqrt

import pytest
import torch
from torch import Tensor, nn

from playground.runtime.rng import make_rng
from train.evaluation import metrics


def gaussian(mean: Tensor, covariance: Tensor, n: int = 500, seed: int = 0) -> Tensor:
    """n points whose sample mean and covariance are exactly these."""
    z = torch.randn(n, len(mean), generator=make_rng(seed), dtype=torch.float64)
    z = z - z.mean(0)
    white = z @ torch.linalg.inv(torch.linalg.cholesky(z.T.cov())).T
    return mean + white @ torch.linalg.cholesky(covariance).T


def clusters(centres: list[float], n: int, seed: int) -> Tensor:
    """n points around each centre (c, c) of the plane."""
    noise = 0.1 * torch.randn(len(centres), n, 2, generator=make_rng(seed))
    return (torch.tensor(centres)[:, None, None] + noise).flatten(0, 1)


MEAN_A, COV_A = torch.tensor([1.0, -2.0]).double(), torch.tensor([[2.0, 0.5], [0.5, 1.0]]).double()
MEAN_B, COV_B = torch.tensor([0.5, 1.0]).double(), torch.tensor([[1.0, -0.8], [-0.8, 3.0]]).double()


def test_frechet_distance_is_that_of_gaussians_with_the_same_moments() -> None:
    # The trace of the root of a 2x2 matrix M is sqrt(tr M + 2 sqrt(det M)).
    product = COV_A @ COV_B
    root = sqrt(product.trace() + 2 * sqrt(torch.linalg.det(product)))
    expected = (MEAN_A - MEAN_B).square().sum() + COV_A.trace() + COV_B.trace() - 2 * root
    a, b = gaussian(MEAN_A, COV_A), gaussian(MEAN_B, COV_B, n=300, seed=1)
    assert metrics.frechet(a, b) == pytest.approx(expected.item(), rel=1e-9)
    assert metrics.frechet(b, a) == pytest.approx(expected.item(), rel=1e-9)


def test_frechet_distance_is_torchmetrics() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Features(nn.Module):
        num_features = 8

        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)

    metric = FrechetInceptionDistance(Features(), input_img_size=(2, 2, 2))
    metric.set_dtype(torch.float64)
    real, fake = torch.rand(50, 2, 2, 2, generator=make_rng(0)), torch.rand(60, 2, 2, 2, generator=make_rng(1)) ** 2
    metric.update(real, real=True)
    metric.update(fake, real=False)
    assert metrics.frechet(real.flatten(1), fake.flatten(1)) == pytest.approx(metric.compute().item(), rel=1e-4)


def test_frechet_distance_of_a_set_to_itself_is_0_even_where_a_feature_is_dead() -> None:
    x = torch.randn(100, 16, generator=make_rng(0))
    x[:, 3] = 0
    assert metrics.frechet(x, x) == pytest.approx(0, abs=1e-5)


def test_a_set_covers_itself() -> None:
    x = clusters([0.0, 5.0], 40, seed=0)
    # A ball as wide as to the fifth neighbour holds six points of its own set.
    assert metrics.neighbourhoods(x, x) == {
        "precision": 1,
        "recall": 1,
        "density": pytest.approx(6 / 5),
        "coverage": 1,
    }


def test_distant_sets_do_not_touch() -> None:
    real, fake = clusters([0.0], 40, seed=0), clusters([50.0], 30, seed=1)
    assert metrics.neighbourhoods(real, fake) == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


def test_half_the_modes_are_half_the_recall_and_coverage() -> None:
    real, fake = clusters([0.0, 5.0, 10.0, 15.0], 200, seed=0), clusters([0.0, 10.0], 400, seed=1)
    figures = metrics.neighbourhoods(real, fake)
    assert figures["precision"] > 0.95
    assert figures["recall"] == pytest.approx(0.5, abs=0.05)
    assert figures["coverage"] == pytest.approx(0.5, abs=0.05)


def test_density_of_the_same_distribution_is_about_1_and_chunks_change_nothing() -> None:
    real, fake = torch.randn(2000, 2, generator=make_rng(0)), torch.randn(1500, 2, generator=make_rng(1))
    figures = metrics.neighbourhoods(real, fake)
    assert figures["density"] == pytest.approx(1, abs=0.1)
    assert metrics.neighbourhoods(real, fake, chunk=70) == pytest.approx(figures, abs=2e-3)


def test_points_further_out_than_the_data_have_no_precision_but_full_recall() -> None:
    real = clusters([0.0], 50, seed=0)
    fake = torch.cat([real, clusters([50.0], 50, seed=1)])
    figures = metrics.neighbourhoods(real, fake)
    assert figures["precision"] == pytest.approx(0.5)
    assert figures["recall"] == figures["coverage"] == 1


def test_the_divergence_of_histograms_is_that_of_categories_and_finite_where_nothing_was_expected() -> None:
    fake, real = torch.tensor([10, 30, 0]), torch.tensor([49, 99, 49])
    p, q = torch.distributions.Categorical(fake.double()), torch.distributions.Categorical((real + 1).double())
    assert metrics.divergence(fake, real) == pytest.approx(torch.distributions.kl_divergence(p, q).item())
    assert metrics.divergence(torch.tensor([0, 5]), torch.tensor([5, 0])) == pytest.approx(log(7))
    assert metrics.divergence(torch.tensor([3, 3]), torch.tensor([7, 7])) == pytest.approx(0)
