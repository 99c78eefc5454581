"""The density of normal vectors against torch's of many dimensions."""

import pytest
import torch
from torch.distributions import MultivariateNormal

from playground.nn.normal import log_normal


@pytest.mark.parametrize(("mean", "sigma"), [(0.0, 1.0), (torch.randn(1, 2, 3), 0.3), (torch.randn(5, 2, 3), 2.0)])
def test_the_log_density_is_that_of_independent_coordinates(mean, sigma) -> None:
    x = torch.randn(5, 2, 3)
    flat_mean = torch.as_tensor(mean).expand(x.shape).flatten(1)
    expected = MultivariateNormal(flat_mean, sigma**2 * torch.eye(6)).log_prob(x.flatten(1))
    torch.testing.assert_close(log_normal(x, mean, sigma), expected)
