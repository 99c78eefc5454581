"""Estimates of the ELBO and of the importance-weighted bound of a model."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from playground.families.vae import elbo
from playground.families.vae.elbo import Terms, VAEOutput
from playground.families.vae.model import Model


def compute_terms(model: Model, x: Tensor, output: VAEOutput) -> Terms:
    """Return the terms of the bounds for images x (B, C, H, W) and the output of their forward pass."""
    return elbo.compute_terms(output, model.log_likelihood(x, output.out))


@torch.no_grad()
def sample_terms(model: Model, x: Tensor, k: int, rng: torch.Generator, chunk_size: int = 20) -> Iterator[Terms]:
    """Yield the terms of the bounds at k codes of each image x (B, C, H, W), `chunk_size` codes at a time.

    They are computed in single precision: the rounding errors of half precision would bias the importance-weighted
    bound.
    """
    for start in range(0, k, chunk_size):
        eps = torch.randn(min(chunk_size, k - start), len(x), model.config.latent, generator=rng).to(x.device)
        yield compute_terms(model, x, model(x, eps))


def elbo_terms(model: Model, x: Tensor, k: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the terms of the ELBO of images x (B, C, H, W) in [-1, 1], each (B,), in nats: E log p(x|z) over q(z|x),
    estimated by k codes, and KL(q(z|x) || p(z)). Kingma and Welling 2014, eq. 7."""
    parts = list(sample_terms(model, x, k, rng))
    return torch.cat([part.reconstruction for part in parts]).mean(0), parts[0].kl.sum(1)


def bits_by_elbo(model: Model, x: Tensor, k: int, rng: torch.Generator) -> Tensor:
    """Estimate an upper bound (B,) of the bits per dimension of images x (B, C, H, W) in [-1, 1], by the ELBO of k
    codes."""
    reconstruction, kl = elbo_terms(model, x, k, rng)
    return elbo.bits_per_dimension(reconstruction - kl, x[0].numel())


def importance_weighted_bound(model: Model, x: Tensor, k: int, rng: torch.Generator) -> Tensor:
    """Estimate the importance-weighted bound (B,) of images x (B, C, H, W) in [-1, 1] by k samples; for large k it
    converges to log p(x). Burda 2016, eq. 8."""
    total = torch.full((len(x),), -torch.inf, device=x.device)
    for terms in sample_terms(model, x, k, rng):
        total = torch.logaddexp(total, (terms.reconstruction + terms.log_ratio).logsumexp(0))
    return total - math.log(k)
