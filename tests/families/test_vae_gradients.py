"""Both estimators of a gradient agree with its closed form, and differ in their variance as theory says."""

import math

import pytest
import torch
from torch import Tensor

from playground.families import vae
from playground.families.vae import gradients
from playground.runtime.rng import make_rng

K = 200_000
MU, SIGMA, A = torch.tensor([0.3, -1.0]), torch.tensor([1.0, 0.5]), 2.0


def assert_mean(estimates: Tensor, true: Tensor) -> None:
    """Assert that the mean of estimates (K, Z) is within 4.5 standard errors of the true value (Z,)."""
    error = estimates.std(0) / math.sqrt(len(estimates))
    assert ((estimates.mean(0) - true).abs() < 4.5 * error).all(), (estimates.mean(0), true, error)


@pytest.mark.parametrize("estimator", [gradients.reparameterized, gradients.score_function])
def test_the_mean_of_the_estimates_is_the_gradient(estimator) -> None:
    eps = torch.randn(K, 2, generator=make_rng(0))
    estimates = estimator(gradients.squared_distance(A), MU, SIGMA, eps)
    true = gradients.squared_distance_gradients(MU, SIGMA, A)
    for values, truth in zip(estimates, true, strict=True):
        assert_mean(values, truth)


def test_the_variances_are_those_of_the_closed_forms() -> None:
    """For f = (z - a)^2 and d = mu - a: 4 sigma^2 with the trick; without it that of (d + sigma eps)^2 eps / sigma, or
    d^4 / sigma^2 + 14 d^2 + 15 sigma^2."""
    eps = torch.randn(K, 1, generator=make_rng(1))
    for sigma in (1.0, 0.25):
        arguments = torch.zeros(1), torch.tensor([sigma]), eps
        with_it = gradients.reparameterized(gradients.squared_distance(A), *arguments)
        without = gradients.score_function(gradients.squared_distance(A), *arguments)
        assert with_it.mu.var().item() == pytest.approx(4 * sigma**2, rel=0.03)
        expected = A**4 / sigma**2 + 14 * A**2 + 15 * sigma**2
        assert without.mu.var().item() == pytest.approx(expected, rel=0.05)
        assert without.sigma.var() > with_it.sigma.var()


def test_the_estimates_are_the_same_in_chunks() -> None:
    eps, f = torch.randn(7, 2, generator=make_rng(0)), gradients.squared_distance(A)
    for estimator in (gradients.reparameterized, gradients.score_function):
        chunked = gradients.estimate_in_chunks(estimator, f, MU, SIGMA, eps, 3)
        for values, expected in zip(chunked, estimator(f, MU, SIGMA, eps), strict=True):
            torch.testing.assert_close(values, expected)


def test_an_estimate_from_n_samples_is_their_mean_and_those_left_over_count_for_none() -> None:
    values = torch.arange(14.0).view(7, 2)
    averages = gradients.average_in_groups(gradients.Gradients(values, 10 * values), 1, 3)
    assert averages.mu.tolist() == [3, 9], "of 1, 3, 5 and of 7, 9, 11"
    assert averages.sigma.tolist() == [30, 90]


def test_both_estimate_the_gradient_of_the_log_likelihood_of_an_image() -> None:
    torch.manual_seed(0)
    model = vae.Model(vae.Config(size=8, latent=2, width=8, multipliers=(1,), patch=4)).requires_grad_(False)
    x = torch.rand(1, 1, 8, 8, generator=make_rng(0)) * 2 - 1
    f = gradients.image_log_likelihood(model, x)
    z = torch.randn(3, 2, generator=make_rng(1))
    expected = torch.stack([model.log_likelihood(x, model.decode(code[None, None]))[0, 0] for code in z])
    torch.testing.assert_close(f(z), expected)
    eps = torch.randn(20_000, 2, generator=make_rng(2))
    with_it = gradients.reparameterized(f, MU, SIGMA, eps)
    without = gradients.score_function(f, MU, SIGMA, eps)
    for ours, other in zip(with_it, without, strict=True):
        assert_mean(other - ours, torch.zeros(2))
        assert (other.var(0) > 10 * ours.var(0)).all()
