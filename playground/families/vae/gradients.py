"""Two estimators of the gradient of E[f(z)], z ~ N(mu, diag(sigma^2)), with respect to mu and sigma.

Shapes: K samples of z, Z dimensions. A function f maps codes (K, Z) to values (K,).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from playground.families.vae.model import Model

Function = Callable[[Tensor], Tensor]  # f: codes (K, Z) -> values (K,)
Estimator = Callable[[Function, Tensor, Tensor, Tensor], "Gradients"]  # f, mu (Z,), sigma (Z,), eps (K, Z) -> (K, Z)


class Gradients(NamedTuple):
    """Estimates of the gradient from single samples, or its true values."""

    mu: Tensor
    sigma: Tensor


def reparameterized(f: Function, mu: Tensor, sigma: Tensor, eps: Tensor) -> Gradients:
    """Estimate the gradient through the samples z = mu + sigma eps, each (K, Z). Kingma and Welling 2014, section 2.4.

    Args:
        f: Differentiable function.
        mu, sigma: Parameters (Z,).
        eps: Unit noise (K, Z).
    """
    z = (mu + sigma * eps).requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(f(z).sum(), z)
    return Gradients(slope, slope * eps)  # dz/dmu = 1, dz/dsigma = eps


def score_function(f: Function, mu: Tensor, sigma: Tensor, eps: Tensor) -> Gradients:
    """Estimate the gradient as f(z) times the gradient of log q(z), each (K, Z), without the slope of f: REINFORCE.
    Mohamed 2020, "Monte Carlo Gradient Estimation in Machine Learning", section 4.

    The arguments are those of `reparameterized`.
    """
    values = f(mu + sigma * eps)[:, None]
    return Gradients(values * eps / sigma, values * (eps.square() - 1) / sigma)


def estimate_in_chunks(
    estimator: Estimator, f: Function, mu: Tensor, sigma: Tensor, eps: Tensor, chunk: int
) -> Gradients:
    """Return the estimates (K, Z) of an estimator, computed for so many samples at a time."""
    parts = [estimator(f, mu, sigma, part) for part in eps.split(chunk)]
    return Gradients(*(torch.cat(values) for values in zip(*parts, strict=True)))


def average_in_groups(estimates: Gradients, dimension: int, n: int) -> Gradients:
    """Return the means of each n estimates (K, Z) in a dimension, the estimates from n samples each: (K // n,)."""
    return Gradients(*(values[: len(values) // n * n, dimension].view(-1, n).mean(1) for values in estimates))


def squared_distance(a: float) -> Function:
    """Return f(z) = |z - a|^2."""
    return lambda z: (z - a).square().sum(1)


def squared_distance_gradients(mu: Tensor, sigma: Tensor, a: float) -> Gradients:
    """Return the true gradient, each (Z,), for `squared_distance`: E[|z - a|^2] = |mu - a|^2 + |sigma|^2."""
    return Gradients(2 * (mu - a), 2 * sigma)


def image_log_likelihood(model: Model, x: Tensor) -> Function:
    """Return f(z) = log p(x|z) in nats of an image x (1, C, H, W) in [-1, 1]: the first term of the ELBO."""
    return lambda z: model.log_likelihood(x, model.decode(z[:, None]))[:, 0]
