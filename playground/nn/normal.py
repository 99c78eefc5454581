"""Density of normal vectors, images or latents."""

from torch import Tensor
from torch.distributions import Normal


def log_normal(x: Tensor, mean: Tensor | float = 0.0, sigma: float = 1.0) -> Tensor:
    """Return the log-density of N(mean, sigma^2 I) at x (B, ...): (B,), in nats; the mean broadcasts to x."""
    return Normal(mean, sigma, validate_args=False).log_prob(x).flatten(1).sum(1)
