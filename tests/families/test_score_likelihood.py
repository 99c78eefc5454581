"""The likelihood of pictures by a score, against that of a density whose score is known."""

import math

import pytest
import torch
from torch.distributions import Normal

from playground.families.score_matching.likelihood import LOW, VARIANCE, estimate_bits
from playground.runtime.rng import Noise, make_rng


def test_the_bits_are_those_of_the_noisy_density_on_the_scale_of_grey_levels() -> None:
    """Pixels are N(0, v), so with noise N(0, v + sigma^2)."""
    x = math.sqrt(VARIANCE) * torch.randn(2, 1, 4, 4, generator=make_rng(0))
    estimates = list(estimate_bits(lambda x, sigma: -x / (VARIANCE + sigma**2), x, 400, Noise(1, 2)))
    noisy = x + LOW * Noise(1, 2)((1, 4, 4))
    log_p = Normal(0, math.sqrt(VARIANCE + LOW**2)).log_prob(noisy).flatten(1).mean(1)
    assert estimates[-1].bits.tolist() == pytest.approx((math.log2(127.5) - log_p / math.log(2)).tolist(), abs=0.01)
    assert [estimate.is_complete for estimate in estimates] == [False] * (len(estimates) - 1) + [True]
