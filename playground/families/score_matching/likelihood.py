"""The likelihood of pictures by the probability flow of a score that was learned by a diffusion model.

What is computed is the continuous density of pictures in [-1, 1] with noise of sigma = `LOW`. It can't be compared
with the bits of discrete pictures, nor with another sigma.
"""

from collections.abc import Iterator
from math import log, log2
from typing import NamedTuple

from torch import Tensor

from playground.families.score_matching import langevin
from playground.families.score_matching.langevin import Score
from playground.runtime.rng import Noise
from playground.runtime.run import Frame

LOW, FLAT = 0.05, 20.0  # the least noise, and noise in which the data are as good as normal
VARIANCE = 0.2  # of a pixel of MNIST, on average
GREY_LEVELS_PER_UNIT = 127.5  # 0 to 255 from -1 to 1


def flow_to_noise(score: Score, x: Tensor, evaluations: int, probes: Noise) -> Iterator[Frame]:
    """Estimate log p of pictures x (B, C, H, W) with noise of sigma = `LOW`, see `langevin.log_likelihood`.

    Args:
        evaluations: Evaluations of the score for each picture.
        probes: Noise for estimating the divergence.
    """
    mean = x + FLAT**2 * score(x, FLAT)  # with so much noise x tells nothing, so this is the mean of the data
    sigmas = langevin.geometric_sigmas(LOW, FLAT, 1 + evaluations // 2)[::-1]
    yield from langevin.log_likelihood(score, x, sigmas, mean, VARIANCE, probes)


class BitsEstimate(NamedTuple):
    """Estimate of bits per dimension (B,), and whether it is complete: before, it is as if the flow had ended there."""

    bits: Tensor
    is_complete: bool


def estimate_bits(score: Score, x: Tensor, evaluations: int, noise: Noise) -> Iterator[BitsEstimate]:
    """Estimate the bits per dimension of pictures x (B, C, H, W) with noise of sigma = `LOW`, an estimate after each
    step of `flow_to_noise`; the noise that is added and the probes come from `noise`."""
    noisy = x + LOW * noise(x.shape[1:])
    for frame in flow_to_noise(score, noisy, evaluations, noise):
        yield BitsEstimate(bits_per_dimension(frame.extras["log_p"], x[0].numel()), frame.sigma == FLAT)


def bits_per_dimension(log_p: Tensor, dimensions: int) -> Tensor:
    """Return log-densities (B,) of pictures in [-1, 1], in nats, as bits per dimension on the scale of grey levels."""
    return log2(GREY_LEVELS_PER_UNIT) - log_p / (dimensions * log(2))
