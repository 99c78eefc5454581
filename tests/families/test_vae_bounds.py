"""The bounds of the variational autoencoder, on a linear Gaussian model whose likelihood is known."""

import math
from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from test_vae import TINY, stirred, tiny_images
from torch import Tensor

from playground.families import vae
from playground.families.vae import elbo
from playground.runtime.rng import make_rng


class Linear(NamedTuple):
    """x = A z + s n with z ~ N(0, I) and n ~ N(0, I): everything about it is known."""

    a: Tensor  # (D, Z)
    s: float

    @property
    def model(self) -> vae.Model:
        return vae.Model(replace(TINY, likelihood="gaussian", sigma=self.s))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (B, Z) and covariance (Z, Z) of p(z|x)."""
        covariance = torch.linalg.inv(torch.eye(self.a.shape[1]) + self.a.T @ self.a / self.s**2)
        return x.flatten(1) @ self.a @ covariance / self.s**2, covariance

    def log_evidence(self, x: Tensor) -> Tensor:
        """log p(x) (B,)."""
        covariance = self.a @ self.a.T + self.s**2 * torch.eye(len(self.a))
        return torch.distributions.MultivariateNormal(torch.zeros(len(self.a)), covariance).log_prob(x.flatten(1))

    def terms(self, x: Tensor, mu: Tensor, log_var: Tensor, k: int, seed: int = 0) -> elbo.Terms:
        z = mu + (log_var / 2).exp() * torch.randn(k, *mu.shape, generator=make_rng(seed))
        out = (z @ self.a.T).reshape(k, *x.shape)
        return vae.compute_terms(self.model, x, elbo.VAEOutput(mu, log_var, z, out))


@pytest.fixture
def linear() -> Linear:
    return Linear(
        torch.tensor([[1.0, 1.0], [0.5, -0.5], [-1.0, 1.0], [2.0, 0.25]]) @ torch.diag(torch.tensor([1, 0.8])), 0.7
    )


@pytest.fixture
def orthogonal() -> Linear:
    """Orthogonal columns, so that the true posterior is diagonal, as q(z|x) is."""
    return Linear(torch.tensor([[1.0, 1.0], [1.0, -1.0], [2.0, 0.0], [0.0, 0.5]]), 0.7)


def images_of(linear: Linear, b: int = 5) -> Tensor:
    z, n = torch.randn(b, 2, generator=make_rng(1)), torch.randn(b, 4, generator=make_rng(2))
    return (z @ linear.a.T + linear.s * n).reshape(b, 1, 2, 2)


def test_at_the_true_posterior_every_bound_is_the_evidence(orthogonal: Linear) -> None:
    x = images_of(orthogonal)
    mean, covariance = orthogonal.posterior(x)
    assert covariance[0, 1].abs() < 1e-6
    log_var = covariance.diagonal().log().expand_as(mean)
    evidence = orthogonal.log_evidence(x)
    one = orthogonal.terms(x, mean, log_var, 1)
    torch.testing.assert_close(one.iwae, evidence, rtol=1e-4, atol=1e-4)  # with a single sample: the ratio is constant
    many = orthogonal.terms(x, mean, log_var, 100_000)
    torch.testing.assert_close(many.elbo, evidence, rtol=0, atol=0.02)


def test_the_bound_rises_to_the_evidence_with_the_samples(linear: Linear) -> None:
    """Away from the true posterior the ELBO lies below by the KL to it; samples close the gap (Burda 2016)."""
    x = images_of(linear)
    mean, covariance = linear.posterior(x)
    mu, log_var = mean + 0.2, torch.full_like(mean, -1.0)
    q = torch.distributions.MultivariateNormal(mu, torch.diag_embed(log_var.exp()))
    gap = torch.distributions.kl_divergence(q, torch.distributions.MultivariateNormal(mean, covariance.expand(5, 2, 2)))
    evidence = linear.log_evidence(x)
    torch.testing.assert_close(linear.terms(x, mu, log_var, 400_000).elbo, evidence - gap, rtol=0, atol=0.02)
    bounds = []
    for k in (1, 4, 16, 256):
        repeats = 200_000 // k
        parts = linear.terms(x.repeat(repeats, 1, 1, 1), mu.repeat(repeats, 1), log_var.repeat(repeats, 1), k)
        bounds.append(parts.iwae.mean().item())
    assert bounds == sorted(bounds)
    assert bounds[0] == pytest.approx((evidence - gap).mean().item(), abs=0.02)
    assert bounds[-1] == pytest.approx(evidence.mean().item(), abs=0.02)


def test_the_bound_of_many_samples_does_not_depend_on_how_many_at_once() -> None:
    model, x = stirred(), tiny_images()
    (whole,) = vae.sample_terms(model, x, 30, make_rng(0), chunk_size=30)
    parts = vae.importance_weighted_bound(model, x, 30, make_rng(0))  # 20 at once
    torch.testing.assert_close(whole.iwae, parts)  # 20 x 12 x 2 numbers are whole blocks of the generator: same noise
    bits = vae.bits_by_elbo(model, x, 30, make_rng(0))
    torch.testing.assert_close(bits, -whole.elbo / (x[0].numel() * math.log(2)))
    one = vae.importance_weighted_bound(model, x, 1, make_rng(0))
    made_of = vae.compute_terms(model, x, model(x, torch.randn(1, 12, 2, generator=make_rng(0))))
    torch.testing.assert_close(one, made_of.iwae)
