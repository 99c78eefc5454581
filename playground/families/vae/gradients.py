"""Two estimators of the gradient of E[f(z)], z ~ N(mu, diag(sigma^2)), with respect to mu and sigma.

Shapes: K samples of z, Z dimensions. A function f maps codes (K, Z) to values (K,).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from playground.families.vae.model import Model

Function = Callable[[Tensor], Tensor]  # f: codes (K, Z) -> values (K,)


class Gradients(NamedTuple):
    """Estimates of the gradient from single samples, or its true values."""

    mu: Tensor
    sigma: Tensor


def reparameterized(f: Function, mu: Tensor, sigma: Tensor, eps: Tensor) -> Gradients:
    """Estimate the gradient through the samples z = mu + sigma eps, each (K, Z). Kingma and Welling 2014, section 2.4.

    Args:
        f: differentiable function.
        mu, sigma: parameters (Z,).
        eps: unit noise (K, Z).
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


def squared_distance(a: float) -> Function:
    """Return f(z) = |z - a|^2."""
    return lambda z: (z - a).square().sum(1)


def squared_distance_gradients(mu: Tensor, sigma: Tensor, a: float) -> Gradients:
    """Return the true gradient, each (Z,), for `squared_distance`: E[|z - a|^2] = |mu - a|^2 + |sigma|^2."""
    return Gradients(2 * (mu - a), 2 * sigma)


def image_log_likelihood(model: Model, x: Tensor) -> Function:
    """Return f(z) = log p(x|z) in nats of an image x (1, C, H, W) in [-1, 1]: the first term of the ELBO."""
    return lambda z: model.log_likelihood(x, model.decode(z[:, None]))[:, 0]
